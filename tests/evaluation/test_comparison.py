import numpy as np
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.evaluation.comparison import compare, compare_methods, in_words, overlap, unwrap
from scipy.stats import norm


def posterior(values, period=np.nan):
    return xr.Dataset(
        {"parameters": (("member", "location", "parameter"), values[:, None, None])},
        coords={
            "parameter": ["p"],
            "parameter_units": ("parameter", ["d"]),
            "parameter_period": ("parameter", [period]),
        },
    )


def test_known_gaussians():
    rng = np.random.default_rng(1)
    first = posterior(rng.normal(1, 2, 4000))
    second = posterior(rng.normal(0, 1, 4000))
    row = compare(first, second, "esmda", "demcz").iloc[0]
    assert row.difference == pytest.approx(1, abs=0.07)
    assert row.sd_ratio == pytest.approx(2, rel=0.05)
    grid = np.linspace(-12, 12, 4000)
    shared = np.trapezoid(np.minimum(norm.pdf(grid, 1, 2), norm.pdf(grid, 0, 1)), grid)
    assert row.overlap == pytest.approx(shared, abs=0.03)


def test_overlap_of_the_same_and_of_distant_samples():
    sample = np.random.default_rng(2).standard_normal(500)
    assert overlap(sample, sample) == pytest.approx(1, abs=0.01)
    assert overlap(sample, sample + 50) == pytest.approx(0, abs=1e-6)
    assert np.isnan(overlap(sample, np.ones(500)))


def test_days_around_the_new_year_are_near_each_other():
    rng = np.random.default_rng(3)
    first = posterior((rng.normal(362, 3, 800)) % 365.25, 365.25)
    second = posterior((rng.normal(2, 3, 800)) % 365.25, 365.25)
    row = compare(first, second, "esmda", "demcz").iloc[0]
    assert row.sd_reference == pytest.approx(3, rel=0.1)
    assert row.difference == pytest.approx((362 - 365.25 - 2) / 3, abs=0.2)


def test_unwrap_leaves_other_parameters_alone():
    values = np.array([1.0, 400.0])
    assert (unwrap(values, np.nan, values) == values).all()


def test_other_parameters_are_refused():
    first = posterior(np.arange(5.0))
    with pytest.raises(InputError, match="parameter"):
        compare(first.assign_coords(parameter=["q"]), first, "a", "b")


def test_words_say_what_agrees_and_what_does_not(run):
    posteriors = {
        method: xr.load_dataset(run / "posterior" / "BE-Vie" / f"{method}.nc")
        for method in ("demcz", "esmda")
    }
    (same,) = in_words(compare(posteriors["demcz"], posteriors["demcz"], "esmda", "demcz"))
    assert "agrees with DE-MCz on 11 of 11 parameters" in same
    moved = posteriors["demcz"].copy(deep=True)
    moved["parameters"][:, 0, 3] += 10
    (other,) = in_words(compare(moved, posteriors["demcz"], "esmda", "demcz"))
    assert "10 of 11" in other
    assert "differ most on leaf_life_span" in other


def test_one_method_has_nothing_to_be_compared_with(run):
    posterior = xr.load_dataset(run / "posterior" / "BE-Vie" / "demcz.nc")
    table = compare_methods({"demcz": posterior}, "demcz")
    assert table.empty
    assert in_words(table) == []


@pytest.mark.filterwarnings("error")
def test_a_method_that_leaves_a_parameter_alone_differs():
    first, second = posterior(np.ones(50)), posterior(np.random.default_rng(4).normal(1, 0.2, 50))
    (said,) = in_words(compare(first, second, "letkf", "hmc"))
    assert "LETKF agrees with HMC on 0 of 1 parameters" in said
