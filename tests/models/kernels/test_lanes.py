import math
import re

import casadi as ca
import llvmlite.binding
import numpy as np
import pytest
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.lanes import LANES, forward_driver, from_lanes, to_lanes
from hypothesis import given
from hypothesis import strategies as st

POOLS, CONSTANTS, WEATHER, TIMES = 2, 3, 2, 40
RECORDED, SUMMED = (0, 2, 3), (1, 2, 0)
SNAPSHOTS = (0, 7, 8, 39)


def toy():
    """Two pools, one of which feeds the other, and four outputs of which none equals another."""
    pools, constants, weather = (ca.SX.sym(n, k) for n, k in zip("pcw", (2, 3, 2), strict=True))
    loss = pools[0] * (1.0 - ca.exp(-constants[0] * weather[0]))
    first = pools[0] - loss + constants[1] * weather[1]
    second = pools[1] + loss - constants[2] * ca.log(1.0 + pools[1])
    outputs = (loss, first + second, first, second)
    recorded, summed = (ca.vertcat(*(outputs[k] for k in kept)) for kept in (RECORDED, SUMMED))
    return Formula((pools, constants, weather), (ca.vertcat(first, second), recorded, summed))


def toy_in_python(pools, constants, weather):
    loss = pools[0] * (1.0 - math.exp(-constants[0] * weather[0]))
    first = pools[0] - loss + constants[1] * weather[1]
    second = pools[1] + loss - constants[2] * math.log(1.0 + pools[1])
    return (first, second), (loss, first + second, first, second)


drive = forward_driver(toy(), None)


def inputs(members, seed=3):
    rng = np.random.default_rng(seed)
    pools = rng.uniform(10.0, 1000.0, (members, POOLS))
    constants = rng.uniform(0.01, 0.5, (members, CONSTANTS))
    weather = rng.uniform(0.1, 2.0, (TIMES, WEATHER))
    return pools, constants, weather


def run(pools, constants, weather):
    """Return final pools, record, totals and snapshots, each with members first."""
    members = len(pools)
    state = to_lanes(pools)
    tiles = len(state)
    record = np.empty((tiles, len(weather), len(RECORDED), LANES))
    totals = np.empty((tiles, len(SUMMED), LANES))
    snaps = np.empty((tiles, len(SNAPSHOTS), POOLS, LANES))
    path = np.empty((tiles, 0, POOLS, LANES))
    drive(state, to_lanes(constants), weather, np.array(SNAPSHOTS), record, totals, snaps, path)
    return [from_lanes(values, members) for values in (state, record, totals, snaps)]


@given(st.integers(1, 70), st.integers(1, 5))
def test_lanes_round_trip(members, slots):
    values = np.arange(members * slots, dtype=float).reshape(members, slots)
    lanes = to_lanes(values)
    assert lanes.shape == (-(-members // LANES), slots, LANES)
    assert lanes.flags.c_contiguous
    np.testing.assert_array_equal(from_lanes(lanes, members), values)


@given(st.integers(1, 40))
def test_padding_repeats_the_last_member(members):
    values = np.arange(2.0 * members).reshape(members, 2)
    everyone = from_lanes(to_lanes(values), 10**6)
    assert len(everyone) % LANES == 0
    np.testing.assert_array_equal(everyone[members:] - values[-1], 0.0)


def test_inner_dimensions_survive():
    values = np.random.default_rng(1).random((3, 5, 2, LANES))
    back = from_lanes(values, 40)
    assert back.shape == (40, 5, 2)
    np.testing.assert_array_equal(back[LANES + 4], values[1, :, :, 4])


def test_results_are_those_of_the_step_alone():
    pools, constants, weather = inputs(21)
    final, record, totals, snaps = run(pools, constants, weather)
    for member in (0, 15, 16, 20):
        state, outputs = tuple(pools[member]), []
        for t, now in enumerate(weather):
            if t in SNAPSHOTS:
                kept = snaps[member, SNAPSHOTS.index(t)]
                np.testing.assert_allclose(kept, state, rtol=1e-12)
            state, out = toy_in_python(state, constants[member], now)
            outputs.append(out)
        outputs = np.array(outputs)
        np.testing.assert_allclose(final[member], state, rtol=1e-12)
        np.testing.assert_allclose(record[member], outputs[:, RECORDED], rtol=1e-12)
        np.testing.assert_allclose(totals[member], outputs[:, SUMMED].sum(axis=0), rtol=1e-12)


def test_record_totals_snapshots_and_pools_agree():
    pools, constants, weather = inputs(19)
    final, record, totals, snaps = run(pools, constants, weather)
    ends = record[:, :, 1:]  # the outputs 2 and 3 are the pools at the end of each step
    np.testing.assert_array_equal(snaps[:, 0], pools)
    for k, date in enumerate(SNAPSHOTS[1:], 1):
        np.testing.assert_array_equal(snaps[:, k], ends[:, date - 1])
    np.testing.assert_array_equal(final, ends[:, -1])
    np.testing.assert_allclose(totals[:, 1], ends[:, :, 0].sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(totals[:, 2], record[:, :, 0].sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize("members", [1, 2, 15, 16, 17, 33])
def test_number_of_members_changes_no_bit(members):
    pools, constants, weather = inputs(40)
    every = run(pools, constants, weather)
    few = run(pools[:members], constants[:members], weather)
    for some, all_of_them in zip(few, every, strict=True):
        np.testing.assert_array_equal(some, all_of_them[:members])


def test_place_of_a_member_changes_no_bit():
    pools, constants, weather = inputs(37)
    before = run(pools, constants, weather)
    order = np.random.default_rng(5).permutation(37)
    after = run(pools[order], constants[order], weather)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old[order])


def test_lanes_do_not_touch_each_other():
    pools, constants, weather = inputs(20)
    healthy = run(pools, constants, weather)
    pools[5] = np.nan
    others = np.arange(20) != 5
    for with_nan, without in zip(run(pools, constants, weather), healthy, strict=True):
        np.testing.assert_array_equal(with_nan[others], without[others])
        assert np.isnan(with_nan[5]).all()


def test_the_inner_loop_is_vector_code():
    if not any(llvmlite.binding.get_host_cpu_features().get(f) for f in ("avx2", "avx512f")):
        pytest.skip("the processor has no 256-bit registers for float64")
    run(*inputs(1))
    assembly = "\n".join(drive.inspect_asm().values())
    products = r"\bv(?:f[n]?m\w+|mul|div){}\b.*%{}"  # the driver itself multiplies no floats
    assert len(re.findall(products.format("pd", "[yz]mm"), assembly)) > 20
    assert not re.findall(products.format("sd", "xmm"), assembly)
