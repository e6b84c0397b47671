import math
import re

import llvmlite.binding
import numpy as np
import pytest
from concerto.models.kernels.elementary import FASTMATH, exp, log
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

EXP_MAX, EXP_MIN = 709.08, -708.39  # stated limits
ULP = 2.0  # stated bound

needs_extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60,
    reason="the reference needs a long double wider than float64",
)


@njit(fastmath=FASTMATH, error_model="numpy")
def exp_of(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = exp(x[i])
    return out


@njit(fastmath=FASTMATH, error_model="numpy")
def log_of(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = log(x[i])
    return out


def ulps(found, reference):
    """Distance in units of the last place of the reference, which is in extended precision."""
    spacing = np.spacing(np.abs(reference).astype(np.float64))
    return np.abs(found.astype(np.longdouble) - reference) / spacing


def exp_arguments():
    rng = np.random.default_rng(1)
    halves = (np.arange(-2040, 2040) + 0.5) * math.log(2.0) / 2.0
    around = [halves * (1.0 + k * 1e-15) for k in (-1, 0, 1)]  # where the reduction switches
    x = np.concatenate(
        [
            rng.uniform(EXP_MIN, EXP_MAX, 200_000),
            rng.uniform(-1.0, 1.0, 100_000),
            10.0 ** rng.uniform(-300, 0, 10_000) * rng.choice([-1, 1], 10_000),
            *around,
            [EXP_MIN, EXP_MAX, 0.0],
        ]
    )
    return x[(x >= EXP_MIN) & (x <= EXP_MAX)]


def log_arguments():
    rng = np.random.default_rng(2)
    info = np.finfo(np.float64)
    everywhere = rng.integers(info.tiny.view(np.int64), info.max.view(np.int64), 200_000)
    powers = 2.0 ** np.arange(-1022, 1024)
    near_root = math.sqrt(0.5) * powers[1:] * (1.0 + rng.uniform(-1e-14, 1e-14, 2045))
    return np.concatenate(
        [
            everywhere.view(np.float64),
            rng.uniform(0.5, 2.0, 200_000),
            1.0 + 10.0 ** rng.uniform(-16, -1, 20_000) * rng.choice([-1, 1], 20_000),
            powers,
            near_root,
            [info.tiny, info.max],
        ]
    )


@needs_extended
def test_exp_is_within_its_bound():
    x = exp_arguments()
    assert ulps(exp_of(x), np.exp(x.astype(np.longdouble))).max() < ULP


@needs_extended
def test_log_is_within_its_bound():
    x = log_arguments()
    assert ulps(log_of(x), np.log(x.astype(np.longdouble))).max() < ULP


@pytest.mark.parametrize(
    ("x", "value"),
    [
        (0.0, 1.0),
        (-0.0, 1.0),
        (5e-324, 1.0),
        (math.inf, math.inf),
        (-math.inf, 0.0),
        (709.09, math.inf),
        (1e308, math.inf),
        (-708.4, 0.0),
        (-1e308, 0.0),
        (math.nan, math.nan),
    ],
)
def test_special_values_of_exp(x, value):
    np.testing.assert_array_equal(exp_of(np.full(5, x)), value)


@pytest.mark.parametrize(
    ("x", "value"),
    [
        (1.0, 0.0),
        (0.0, -math.inf),
        (-0.0, -math.inf),
        (math.inf, math.inf),
        (-math.inf, math.nan),
        (-1.0, math.nan),
        (-1e-300, math.nan),
        (math.nan, math.nan),
    ],
)
def test_special_values_of_log(x, value):
    np.testing.assert_array_equal(log_of(np.full(5, x)), value)


@settings(deadline=None)  # the first call compiles
@given(st.floats(-700.0, 700.0))
def test_log_undoes_exp(x):
    assert log(exp(x)) == pytest.approx(x, rel=1e-15, abs=1e-15)


@settings(deadline=None)  # the first call compiles
@given(st.floats(-350.0, 350.0), st.floats(-350.0, 350.0))
def test_exp_of_a_sum_is_the_product(x, y):
    # the sum is rounded: its error in the last place is an error of that size in the result
    assert exp(x + y) == pytest.approx(exp(x) * exp(y), rel=2e-13)


@settings(deadline=None)  # the first call compiles
@given(st.floats(1e-300, 1e300), st.floats(1e-8, 1.0))
def test_log_rises(x, step):
    assert log(x * (1.0 + step)) > log(x)


@pytest.mark.parametrize("function", [exp_of, log_of], ids=["exp", "log"])
def test_loops_become_vector_code(function):
    if not any(llvmlite.binding.get_host_cpu_features().get(f) for f in ("avx2", "avx512f")):
        pytest.skip("the processor has no 256-bit registers for float64")
    function(np.ones(2))
    assembly = "\n".join(function.inspect_asm().values())
    assert re.search(r"\bv(f[n]?m\w+|mul)pd\b.*%[yz]mm", assembly)
    assert not re.search(r"\bcall\w*\s.*\b_?(exp|log|pow)\b", assembly)
