"""Formulas against CasADi's own evaluation of them, operation by operation and as whole steps."""

import math

import casadi as ca
import numpy as np
import pytest
from concerto.models.kernels.elementary import OPERATIONS, maximum, minimum, sign
from concerto.models.kernels.formula import ARRAYS, Formula
from concerto.models.kernels.stages import linearise, split
from numba import njit

X, Y = ca.SX.sym("x"), ca.SX.sym("y")
EXPRESSIONS = {
    "arithmetic": (X + Y) * (X - Y) / (1.0 + X * X) - 2.0 * Y + 1.0 / X - (-X),
    "exp": ca.exp(X) * ca.exp(-Y),
    "log": ca.log(X) - ca.log(1.0 + Y),
    "sqrt": ca.sqrt(X * Y),
    "absolute": ca.fabs(X - Y) + ca.sign(X - Y),
    "extremes": ca.fmin(X, Y) - 3.0 * ca.fmax(X, 2.0 * Y),
    "choice": ca.if_else(X < Y, ca.exp(X), ca.log(Y)),
    "logic": ca.if_else(ca.logic_and(X < Y, ca.logic_not(X <= 1.0)), X, Y)
    + ca.if_else(ca.logic_or(X < 0.5, Y < 0.5), X * Y, 0.0),
}
ON_ARRAYS = EXPRESSIONS | {
    "power": X**Y + X**1.7,
    "trigonometry": ca.sin(X) * ca.cos(Y) + ca.tan(X) + ca.acos(X / 3.0) + ca.asin(Y / 3.0),
}
POINTS = np.random.default_rng(1).uniform(0.05, 2.9, (200, 2))


def expected(expression):
    function = ca.Function("f", [X, Y], [expression])
    return np.array([float(function(x, y)) for x, y in POINTS])


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_on_arrays(name):
    formula = Formula((ca.vertcat(X, Y),), (ON_ARRAYS[name],))
    (found,) = formula.evaluate(POINTS)
    np.testing.assert_allclose(found[:, 0], expected(ON_ARRAYS[name]), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_in_kernels(name):
    formula = Formula((ca.vertcat(X, Y),), (EXPRESSIONS[name],))
    kernel = njit(formula.function("kernel", OPERATIONS))
    found = [kernel((x, y))[0][0] for x, y in POINTS]
    np.testing.assert_allclose(found, expected(EXPRESSIONS[name]), rtol=1e-13, atol=1e-14)


KINKS = {
    "minimum": (ca.fmin(X, Y), (0.5, 0.5)),
    "maximum": (ca.fmax(X, Y), (0.5, 0.5)),
    "absolute": (ca.fabs(X - Y), (0.0, 0.0)),
    "sign": (ca.sign(X - Y), (0.0, 0.0)),
    "choice": (ca.if_else(X <= Y, 2.0 * X, 2.0 * Y), (2.0, 0.0)),
}


@pytest.mark.parametrize("name", KINKS)
def test_derivative_at_a_kink(name):
    expression, expected_gradient = KINKS[name]
    gradient = Formula((ca.vertcat(X, Y),), (expression,)).adjoint((0,))
    (on_arrays,) = gradient.evaluate(np.ones((3, 2)), np.ones((1, 1)))
    np.testing.assert_array_equal(on_arrays, 3 * [expected_gradient])
    kernel = njit(gradient.function("kernel", OPERATIONS))
    assert kernel((1.0, 1.0), (1.0,))[0] == expected_gradient


def test_what_kernels_have_arrays_have_too():
    assert set(OPERATIONS) <= set(ARRAYS)


def test_an_operation_without_a_kernel_is_named():
    with pytest.raises(NotImplementedError, match=r"odd: operation .* has no kernel"):
        Formula((X,), (ca.erf(X),)).source("odd")


@pytest.mark.parametrize("pair", [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)])
def test_extremes_pass_nan_on(pair):
    assert math.isnan(minimum(*pair))
    assert math.isnan(maximum(*pair))


def test_extremes_and_sign():
    assert (minimum(1.0, 2.0), minimum(2.0, -math.inf)) == (1.0, -math.inf)
    assert (maximum(1.0, 2.0), maximum(2.0, -math.inf)) == (2.0, 2.0)
    assert [sign(x) for x in (-3.0, 0.0, 2.0)] == [-1.0, 0.0, 1.0]
    assert math.isnan(sign(math.nan))


def step():
    """A step with work of every kind: of parameters, of drivers, of both, and of pools."""
    pools, p, w = (ca.SX.sym(name, 2) for name in "spw")
    rate = ca.exp(p[0]) * ca.log(1.0 + p[1] * p[1])
    season = ca.sin(w[0]) + w[1] ** 1.5
    flow = pools[0] * rate * season / (1.0 + p[1] * p[1]) + ca.exp(p[0] * w[1])
    after = ca.vertcat(pools[0] - flow, pools[1] + flow / w[1])
    return Formula((pools, p, w), (after, ca.vertcat(flow, rate, season, 2.0 * p[0])))


def test_stages_together_are_the_step():
    whole, parts = step(), split(step())
    rng = np.random.default_rng(2)
    pools, parameters, drivers = rng.uniform(0.5, 2.0, (3, 50, 2))
    (constants,) = parts.constants.evaluate(parameters)
    (weather,) = parts.weather.evaluate(drivers)
    found = parts.step.evaluate(pools, constants, weather)
    for mine, theirs in zip(found, whole.evaluate(pools, parameters, drivers), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13)


def dividing(terms):
    """A step that divides by many different values of parameters and of drivers."""
    pools, p, w = (ca.SX.sym(name, 2) for name in "spw")
    total = pools[1]
    for k in range(terms):
        total = total + pools[0] / (1.0 + k * p[0] * p[1]) + pools[1] / ca.exp(0.01 * k * w[0])
    return Formula((pools, p, w), (ca.vertcat(pools[0], total), total))


@pytest.mark.parametrize("terms", [1, 30, 300])
def test_each_divisor_is_taken_by_its_own_value(terms):
    whole, parts = dividing(terms), split(dividing(terms))
    point = np.random.default_rng(3).uniform(0.5, 2.0, (3, 5, 2))
    (constants,) = parts.constants.evaluate(point[1])
    (weather,) = parts.weather.evaluate(point[2])
    expected = whole.evaluate(*point)[1]
    np.testing.assert_allclose(parts.step.evaluate(point[0], constants, weather)[1], expected)


def test_splitting_is_the_same_each_time():
    sources = {split(dividing(100)).step.source("step") for _ in range(5)}
    assert len(sources) == 1


def test_slopes_and_change_are_the_tangent():
    base, change = linearise(step())
    point = np.random.default_rng(4).uniform(0.5, 2.0, (3, 20, 2))
    pools, constants = np.random.default_rng(5).normal(size=(2, 20, 2))
    after, slopes = base.evaluate(*point)
    np.testing.assert_allclose(after, step().evaluate(*point)[0])
    expected = step().tangent((0, 1)).evaluate(*point, pools, constants)
    found = change.evaluate(pools, constants, slopes)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_a_change_needs_products_and_sums_alone():
    _, change = linearise(step())
    cheap = {
        ca.OP_INPUT, ca.OP_OUTPUT, ca.OP_CONST, ca.OP_ADD, ca.OP_SUB, ca.OP_MUL, ca.OP_NEG,
        ca.OP_TWICE,
    }  # fmt: skip
    assert {operation for operation, *_ in change.instructions()} <= cheap


def test_nothing_is_left_in_the_step_that_can_be_done_before():
    operations = [operation for operation, *_ in split(step()).step.instructions()]
    assert operations.count(ca.OP_EXP) == 1  # the one of a parameter times a driver
    for dear in (ca.OP_LOG, ca.OP_SIN, ca.OP_POW, ca.OP_CONSTPOW, ca.OP_DIV, ca.OP_SQRT):
        assert dear not in operations


def test_derivatives_of_a_formula():
    formula = Formula((ca.vertcat(X, Y),), (ca.vertcat(X * Y, ca.exp(X)),))
    point = np.array([[0.7, 1.3]])
    (change,) = formula.tangent((0,)).evaluate(point, np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(change, [[1.3 + 2.0 * 0.7, math.exp(0.7)]])
    (gradient,) = formula.adjoint((0,)).evaluate(point, np.array([[3.0, 5.0]]))
    np.testing.assert_allclose(gradient, [[3.0 * 1.3 + 5.0 * math.exp(0.7), 3.0 * 0.7]])


def test_an_output_that_is_always_nil_keeps_its_place():
    formula = Formula((ca.vertcat(X, Y),), (ca.vertcat(X * Y, Y),))
    (gradient,) = formula.adjoint((0,)).evaluate(np.array([[0.7, 1.3]]), np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(gradient, [[0.0, 1.0]])
    alone = Formula((ca.vertcat(X, Y),), (ca.vertcat(2.0 * Y, 1.0),))
    (gradient,) = alone.adjoint((0,)).evaluate(np.array([[0.7, 1.3]]), np.array([[3.0, 5.0]]))
    np.testing.assert_allclose(gradient, [[0.0, 6.0]])
