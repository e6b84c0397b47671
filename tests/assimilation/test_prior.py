import dataclasses
import math

import numpy as np
import pytest
from concerto.assimilation.prior import KINDS, Prior
from concerto.errors import InputError
from concerto.models import Parameter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats


def parameter(name, kind, low, high, **more):
    return Parameter(name, "1", low, high, kind, "made up", "nowhere", **more)


PARAMETERS = (
    parameter("flat", "uniform", -2.0, 3.0),
    parameter("first_day", "circular", 0.0, 365.25),
    parameter("rate", "log-uniform", 1e-6, 1e-2),
    parameter("efficiency", "log-normal", 5.0, 50.0, median=17.5, factor=1.5),
    parameter("second_day", "circular", 0.0, 365.25),
    parameter("share", "log-normal", 0.4, 0.8, median=0.5, factor=1.5),
    parameter("life_span", "log-uniform", 1.001, 8.0, origin=1.0),
    parameter("offset", "normal", -1.0, 4.0, mean=0.5, sd=1.2),
)
PRIOR = Prior(PARAMETERS)
NAMES = [p.name for p in PARAMETERS]
CIRCULAR = np.array([p.prior == "circular" for p in PARAMETERS])


def truncated(center, spread, *ends):
    """A normal law, cut off at its ends."""
    a, b = ((x - center) / spread for x in ends)
    return stats.truncnorm(a, b, center, spread)


LAWS = {
    "flat": (lambda x: x, stats.uniform(-2.0, 5.0)),
    "first_day": (lambda x: x, stats.uniform(0.0, 365.25)),
    "second_day": (lambda x: x, stats.uniform(0.0, 365.25)),
    "rate": (np.log, stats.uniform(math.log(1e-6), math.log(1e4))),
    "life_span": (np.log, stats.uniform(math.log(1.001), math.log(8.0 / 1.001))),
    "efficiency": (np.log, truncated(*np.log([17.5, 1.5, 5.0, 50.0]))),
    "share": (np.log, truncated(*np.log([0.5, 1.5, 0.4, 0.8]))),
    "offset": (lambda x: x, truncated(0.5, 1.2, -1.0, 4.0)),
}


@pytest.fixture(scope="module")
def draws():
    return PRIOR.parameters_of(PRIOR.draw(20_000, np.random.default_rng(1)))


def test_there_is_a_law_for_each_kind():
    assert {p.prior for p in PARAMETERS} == set(KINDS)
    assert PRIOR.size == len(PARAMETERS) + 2
    assert PRIOR.draw(3, np.random.default_rng(0)).shape == (3, PRIOR.size)


@pytest.mark.parametrize("name", NAMES)
def test_draws_have_the_stated_distribution(draws, name):
    transform, law = LAWS[name]
    sample = transform(draws[:, NAMES.index(name)])
    assert stats.kstest(sample, law.cdf).pvalue > 0.001


def test_draws_are_independent(draws):
    correlation = stats.spearmanr(draws).statistic - np.eye(len(NAMES))
    assert np.abs(correlation).max() < 4.5 / math.sqrt(len(draws))


@settings(max_examples=200)
@given(arrays(float, (3, PRIOR.size), elements=st.floats(-60.0, 60.0)))
def test_bounds_are_respected(z):
    parameters = PRIOR.parameters_of(z)
    low, high = ([getattr(p, bound) for p in PARAMETERS] for bound in ("min", "max"))
    assert (parameters >= low).all()
    assert (parameters <= high).all()
    unit = PRIOR.to_unit(parameters)
    assert ((unit >= 0.0) & (unit <= 1.0)).all()


@settings(max_examples=200)
@given(arrays(float, (2, len(PARAMETERS)), elements=st.floats(0.0, 1.0)))
def test_unit_space_round_trip(unit):
    back = PRIOR.to_unit(PRIOR.to_parameters(unit))
    np.testing.assert_allclose(back, unit, atol=1e-11)


def test_unit_space_spans_the_bounds():
    ends = PRIOR.to_parameters(np.array([[0.0] * len(NAMES), [1.0] * len(NAMES)]))
    for k, bound in enumerate(("min", "max")):
        np.testing.assert_allclose(ends[k], [getattr(p, bound) for p in PARAMETERS], rtol=1e-12)
    middle = PRIOR.to_parameters(np.full((1, len(NAMES)), 0.5))[0]
    assert middle[NAMES.index("flat")] == pytest.approx(0.5)
    assert middle[NAMES.index("rate")] == pytest.approx(1e-4)
    assert middle[NAMES.index("life_span")] == pytest.approx(1.0 + math.sqrt(0.001 * 7.0))


def test_days_are_continuous_across_the_new_year():
    def day(angle):
        z = np.zeros((1, PRIOR.size))
        z[0, 1], z[0, 2] = 0.7 * math.cos(angle), 0.7 * math.sin(angle)
        return PRIOR.parameters_of(z)[0, 1]

    step = 2.0 * math.pi / 365.25  # a day
    assert day(0.0) == 0.0
    assert day(step) == pytest.approx(1.0)
    assert day(-step) == pytest.approx(364.25)
    angles = np.linspace(-10.0, 10.0, 2001)
    days = np.array([day(angle) for angle in angles])
    moved = (np.diff(days) + 365.25 / 2) % 365.25 - 365.25 / 2
    np.testing.assert_allclose(moved, 0.01 / step, rtol=1e-6)


def test_slopes_are_finite_differences():
    z, h = np.random.default_rng(15).normal(0.0, 1.5, (200, PRIOR.size)), 1e-6
    ahead, behind = (
        np.stack([PRIOR.parameters_of(z + s * h * way) for way in np.eye(PRIOR.size)], axis=2)
        for s in (1.0, -1.0)
    )
    expected = (ahead - behind) / (2.0 * h)
    slopes = PRIOR.slopes(z)
    ranges = np.array([p.max - p.min for p in PARAMETERS])
    smooth = np.abs(expected) < 1e3 * ranges[:, None]  # but where the new year is between
    np.testing.assert_allclose(
        (slopes / ranges[:, None])[smooth], (expected / ranges[:, None])[smooth], atol=1e-6
    )
    assert smooth.mean() > 0.999
    assert ((slopes != 0.0).sum(axis=(0, 2)) == np.where(CIRCULAR, 2, 1) * len(z)).all()


def test_slopes_far_out_are_finite():
    for z in (np.zeros((1, PRIOR.size)), np.full((1, PRIOR.size), -40.0)):
        slopes = PRIOR.slopes(z)
        assert np.isfinite(slopes).all()
    assert (PRIOR.slopes(np.zeros((1, PRIOR.size)))[0, CIRCULAR] == 0.0).all()


def log_density_by_the_law(name, parameters, units):
    """Log density of one parameter in unit space, from its law and the slope of unit space."""
    k = NAMES.index(name)
    transform, law = LAWS[name]
    slope = 1e-6
    shifted = units.copy()
    shifted[:, k] += slope
    steps = transform(PRIOR.to_parameters(shifted)[:, k]) - transform(parameters[:, k])
    return law.logpdf(transform(parameters[:, k])) + np.log(steps / slope)


def test_log_density_differences_are_the_stated_ones():
    rng = np.random.default_rng(3)
    units = rng.uniform(0.01, 0.99, (40, len(NAMES)))
    parameters = PRIOR.to_parameters(units)
    expected = sum(log_density_by_the_law(name, parameters, units) for name in NAMES)
    found = PRIOR.log_density(units)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-3)
    assert np.ptp(found) > 1.0


def test_density_is_nil_outside():
    for k in range(len(NAMES)):
        for outside in (-1e-9, 1.0 + 1e-9, -3.0, math.inf):
            unit = np.full((2, len(NAMES)), 0.5)
            unit[1, k] = outside
            density = PRIOR.log_density(unit)
            assert np.isfinite(density[0])
            assert density[1] == -math.inf


def test_a_log_uniform_prior_ignores_the_numbers_of_a_log_normal_one():
    unit = np.linspace(0.05, 0.95, 7)[:, None]
    flat = Prior([parameter("x", "log-uniform", 5.0, 50.0, median=17.5, factor=1.5)])
    np.testing.assert_allclose(np.ptp(flat.log_density(unit)), 0.0, atol=1e-12)


def test_parameters_of_the_model_are_a_prior(dalec2):
    prior = Prior(dalec2.parameters)
    assert prior.size == 25
    assert prior.circular.sum() == 2
    drawn = prior.parameters_of(prior.draw(1000, np.random.default_rng(1)))
    assert np.isfinite(prior.log_density(prior.to_unit(drawn))).all()


@pytest.mark.parametrize(
    ("kind", "changes", "field", "found", "expected"),
    [
        (
            "gamma",
            {},
            "x.prior",
            "gamma",
            "one of uniform, log-uniform, normal, log-normal, circular",
        ),
        ("normal", {"sd": 1.0}, "x", "mean None, sd 1.0", "a mean and an sd above 0 for normal"),
        ("normal", {"mean": 1.5}, "x", "mean 1.5, sd None", "a mean and an sd above 0 for normal"),
        (
            "normal",
            {"mean": 1.5, "sd": 0.0},
            "x",
            "mean 1.5, sd 0.0",
            "a mean and an sd above 0 for normal",
        ),
        (
            "normal",
            {"mean": 6.1, "sd": 1.0},
            "x.mean",
            "6.1",
            "a value within 4 standard deviations of 1.0 to 2.0",
        ),
        (
            "log-normal",
            {"median": 0.9, "factor": 1.02},
            "x.median",
            "0.9",
            "a value within 4 standard deviations of 1.0 to 2.0",
        ),
        ("uniform", {"min": 2.0, "max": 2.0}, "x", "min 2.0, max 2.0", "min < max"),
        ("uniform", {"min": 3.0, "max": 2.0}, "x", "min 3.0, max 2.0", "min < max"),
        ("circular", {"min": math.nan}, "x", "min nan, max 2.0", "min < max"),
        ("log-uniform", {"min": 0.0}, "x.min", "0.0", "a value above 0 for log-uniform"),
        ("log-normal", {"min": -1.0}, "x.min", "-1.0", "a value above 0 for log-normal"),
        ("log-uniform", {"origin": 1.0}, "x.origin", "1.0", "a value below 1.0"),
        (
            "log-normal",
            {"factor": 1.5},
            "x",
            "median None, factor 1.5",
            "a median above 0 and a factor above 1 for log-normal",
        ),
        (
            "log-normal",
            {"median": 1.5},
            "x",
            "median 1.5, factor None",
            "a median above 0 and a factor above 1 for log-normal",
        ),
        (
            "log-normal",
            {"median": 1.5, "factor": 1.0},
            "x",
            "median 1.5, factor 1.0",
            "a median above 0 and a factor above 1 for log-normal",
        ),
        (
            "log-normal",
            {"median": -1.5, "factor": 2.0},
            "x",
            "median -1.5, factor 2.0",
            "a median above 0 and a factor above 1 for log-normal",
        ),
    ],
)
def test_faults_are_named(kind, changes, field, found, expected):
    faulty = dataclasses.replace(parameter("x", kind, 1.0, 2.0), **changes)
    with pytest.raises(InputError) as caught:
        Prior([PARAMETERS[0], faulty], "config/models/m.yaml")
    error = caught.value
    assert (error.file, error.field) == ("config/models/m.yaml", field)
    assert (error.found, error.expected) == (found, expected)


@st.composite
def cut_normals(draw):
    """A normal or log-normal prior with any spread, its center in its range or somewhat beyond."""
    low, width = draw(st.floats(-3.0, 3.0)), draw(st.floats(0.1, 5.0))
    spread = width * draw(st.floats(0.05, 20.0))
    center = low + draw(st.floats(0.0, 1.0)) * width + spread * draw(st.floats(-1.0, 1.0))
    if draw(st.booleans()):
        return parameter("x", "normal", low, low + width, mean=center, sd=spread)
    low, high, center = (math.exp(x) for x in (low, low + width, center))
    return parameter("x", "log-normal", low, high, median=center, factor=math.exp(spread))


class TestNormal:
    """Normal priors, on both scales, whatever their range and spread."""

    UNIT = np.linspace(0.0, 1.0, 4001)[:, None]

    @settings(deadline=None)  # the first example compiles
    @given(cut_normals())
    def test_density_is_that_of_the_draws(self, described):
        """Probabilities below points, from the density and from ``z``."""
        prior = Prior([described])
        density = np.exp(prior.log_density(self.UNIT))
        below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        z = stats.norm.ppf(np.linspace(0.01, 0.99, 25))[:, None]
        places = prior.to_unit(prior.parameters_of(z))[:, 0]
        found = np.interp(places, self.UNIT[:, 0], below / below[-1])
        np.testing.assert_allclose(found, np.linspace(0.01, 0.99, 25), atol=1e-3)

    @given(cut_normals())
    def test_density_in_parameters_integrates_to_one(self, described):
        """That which the slope of ``z`` gives: the standard normal's over it."""
        prior = Prior([described])
        z = np.linspace(-7.0, 7.0, 4001)[:, None]
        density = stats.norm.pdf(z[:, 0]) / prior.slopes(z)[:, 0, 0]
        assert np.trapezoid(density, prior.parameters_of(z)[:, 0]) == pytest.approx(1.0, abs=1e-3)

    @given(cut_normals())
    def test_there_and_back(self, described):
        prior = Prior([described])
        z = np.linspace(-4.0, 4.0, 41)[:, None]
        parameters = prior.parameters_of(z)
        np.testing.assert_allclose(prior.z_of(parameters), z, atol=1e-3)
        unit = prior.to_unit(parameters)
        np.testing.assert_allclose(prior.to_parameters(unit), parameters, rtol=1e-9, atol=1e-9)

    @settings(deadline=None)  # the first example compiles
    @given(cut_normals())
    def test_gradient_is_a_finite_difference(self, described):
        prior = Prior([described])
        soft = np.linspace(-0.2, 1.2, 57)[:, None]

        def density(soft):
            parameters = prior.to_parameters(prior.from_soft(soft))
            return prior.soft_density(soft, parameters, np.zeros_like(soft))

        h = 1e-6
        difference = (density(soft + h)[0] - density(soft - h)[0]) / (2.0 * h)
        gradient = density(soft)[1][:, 0]
        size = max(1.0, np.abs(gradient).max())
        np.testing.assert_allclose(difference, gradient, atol=1e-5 * size)


class TestSoftSpace:
    SOFT = np.random.default_rng(12).uniform(-0.2, 1.2, (200, len(PARAMETERS)))

    def test_it_is_unit_space_well_inside(self):
        unit = np.random.default_rng(13).uniform(0.5, 0.5001, (20, len(PARAMETERS)))
        np.testing.assert_allclose(PRIOR.to_soft(unit), unit, atol=1e-5)

    def test_there_and_back(self):
        unit = np.random.default_rng(14).uniform(1e-5, 1.0 - 1e-5, (500, len(PARAMETERS)))
        np.testing.assert_allclose(PRIOR.from_soft(PRIOR.to_soft(unit)), unit, atol=1e-12)

    def test_it_never_leaves_unit_space(self):
        unit = PRIOR.from_soft(np.linspace(-30.0, 30.0, 601)[:, None] * np.ones(len(PARAMETERS)))
        assert ((unit >= 0.0) & (unit <= 1.0)).all()

    def test_ends_move_inside(self):
        ends = PRIOR.to_soft(np.array([[0.0], [1.0]]) * np.ones(len(PARAMETERS)))
        assert np.isfinite(ends).all()

    def test_slope(self):
        h = 1e-6
        ahead, behind = (PRIOR.from_soft(self.SOFT + s * h) for s in (1.0, -1.0))
        slopes = ((ahead - behind) / (2.0 * h))[:, ~CIRCULAR]
        found = PRIOR.log_slope(self.SOFT)
        np.testing.assert_allclose(found, np.log(slopes).sum(axis=1), rtol=1e-5, atol=1e-5)

    def test_gradient(self):
        """Of the density, and of a sum of sines of the parameters."""

        def value(soft):
            parameters = PRIOR.to_parameters(PRIOR.from_soft(soft))
            density, _ = PRIOR.soft_density(soft, parameters, 0.0 * parameters)
            return density + np.sin(parameters).sum(axis=1)

        parameters = PRIOR.to_parameters(PRIOR.from_soft(self.SOFT))
        _, gradient = PRIOR.soft_density(self.SOFT, parameters, np.cos(parameters))
        for k in range(len(PARAMETERS)):
            step = 1e-7 * np.eye(len(PARAMETERS))[k]
            difference = (value(self.SOFT + step) - value(self.SOFT - step)) / 2e-7
            size = np.abs(gradient[:, k]).max()
            np.testing.assert_allclose(difference, gradient[:, k], atol=1e-5 * size)

    @pytest.mark.parametrize("k", np.flatnonzero(~CIRCULAR))
    def test_density_is_that_of_unit_space(self, k):
        """Probabilities of intervals are the same in both."""
        grid = np.linspace(-1.0, 2.0, 60_001)
        soft = np.full((len(grid), len(PARAMETERS)), 0.5)
        soft[:, k] = grid
        parameters = PRIOR.to_parameters(PRIOR.from_soft(soft))
        density, _ = PRIOR.soft_density(soft, parameters, np.zeros_like(soft))
        below = np.cumsum(np.exp(density - density.max()))
        unit = np.full((20_001, len(PARAMETERS)), 0.5)
        unit[:, k] = np.linspace(0.0, 1.0, 20_001)
        expected = np.cumsum(np.exp(PRIOR.log_density(unit) - density.max()))
        place = PRIOR.from_soft(soft)[:, k]
        found = np.interp(unit[:, k], place, below / below[-1])
        np.testing.assert_allclose(found, expected / expected[-1], atol=1e-3)
