from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.assimilation.distributions import Distribution
from concerto.evaluation.baselines import fit_baselines
from concerto.evaluation.grouping import group_days
from concerto.evaluation.predictive import predictions, read_stream
from concerto.evaluation.scores import COLUMNS, score, score_site
from scipy.stats import kurtosis, norm
from synthetic_run import SITES, make_observations


def test_a_right_gaussian_ensemble_covers_as_promised_and_has_the_analytic_crps():
    rng = np.random.default_rng(1)
    n, members = 3000, 400
    mean, sd = rng.normal(0, 3, n), 1.5
    observed = mean + sd * rng.standard_normal(n)
    result = score(observed, mean, mean + sd * rng.standard_normal((members, n)))
    z = (observed - mean) / sd
    # Gneiting & Raftery 2007, eq. 21
    analytic = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert result["crps"] == pytest.approx(analytic.mean(), rel=0.01)
    assert result["coverage50"] == pytest.approx(0.5, abs=0.03)
    assert result["coverage90"] == pytest.approx(0.9, abs=0.02)
    assert result["rmse"] == pytest.approx(sd, rel=0.05)


def test_crps_of_equal_members_is_the_absolute_error():
    result = score(np.array([1.0, 2.0, 4.0]), np.zeros(3), np.zeros((50, 3)))
    assert result["crps"] == pytest.approx(7 / 3)
    assert result["bias"] == pytest.approx(-7 / 3)


def test_crps_does_not_depend_on_the_number_of_members():
    rng = np.random.default_rng(2)
    observed = rng.standard_normal(20000)
    few = score(observed, np.zeros(20000), rng.standard_normal((8, 20000)))["crps"]
    many = score(observed, np.zeros(20000), rng.standard_normal((200, 20000)))["crps"]
    assert few == pytest.approx(many, rel=0.01)


def test_the_observed_mean_has_no_skill_and_a_perfect_prediction_all():
    observed = np.array([1.0, 3.0, 2.0, 6.0])
    flat = score(observed, np.full(4, observed.mean()), np.full((10, 4), observed.mean()))
    assert flat["nse"] == pytest.approx(0)
    assert np.isnan(flat["r2"])
    perfect = score(observed, observed, np.tile(observed, (10, 1)))
    assert perfect["nse"] == perfect["r2"] == 1
    assert perfect["coverage50"] == 1


def test_a_line_off_the_diagonal_has_r2_one_and_less_nse():
    observed = np.arange(10.0)
    result = score(observed, 2 * observed + 1, np.tile(2 * observed + 1, (5, 1)))
    assert result["r2"] == pytest.approx(1)
    assert result["nse"] < 0


@pytest.mark.parametrize(("n", "nse_exists", "r2_exists"), [(1, False, False), (2, True, False)])
def test_few_values_have_no_r2_and_one_has_no_nse(n, nse_exists, r2_exists):
    observed = np.arange(float(n))
    result = score(observed, observed + 0.1 * observed, np.tile(observed, (5, 1)))
    assert np.isfinite(result["nse"]) == nse_exists
    assert np.isfinite(result["r2"]) == r2_exists
    assert np.isfinite(result["crps"])


def test_months_and_years_are_means_over_the_chosen_days_alone():
    times = pd.date_range("2013-01-01", "2014-12-31", freq="D")
    chosen = np.zeros(len(times), bool)
    chosen[:10] = True  # ten days of January 2013
    chosen[31:35] = True  # four of February: too few
    values = np.arange(len(times), dtype=float)
    months = group_days(times, chosen, "monthly")
    assert list(months.labels) == [pd.Timestamp("2013-01-01")]
    assert months.mean(values) == pytest.approx([4.5])
    assert not len(group_days(times, chosen, "annual").labels)
    members = np.stack([values, values + 1])
    assert months.mean(members).ravel() == pytest.approx([4.5, 5.5])


def load(run, site):
    cube = xr.load_dataset(run / "cubes" / site / "observations.nc")
    drivers = xr.load_dataset(run / "cubes" / site / "drivers.nc")
    projections = {
        method: xr.load_dataset(run / "projection" / site / f"{method}.nc")
        for method in ("demcz", "esmda")
    }
    return cube, projections, fit_baselines(drivers, cube, projections["demcz"], 100, 3)


@pytest.fixture(scope="module")
def ch_dav(run):
    return load(run, "CH-Dav")


def test_every_variable_step_and_predictor_has_a_row(ch_dav):
    scores, notes = score_site("CH-Dav", *ch_dav, 1)
    assert tuple(scores.columns) == COLUMNS
    assert len(scores) == 3 * 3 * 4
    assert notes.empty
    assert (scores[scores.step == "annual"].n == 2).all()


def test_only_withheld_values_count(ch_dav):
    cube, projections, baselines = ch_dav
    before = score_site("CH-Dav", cube, projections, baselines, 1)[0]
    spoiled = cube.copy(deep=True)
    training = projections["demcz"]["nee_training"].to_numpy() == 1
    spoiled["nee"] = spoiled["nee"].where(~training, 99.0)
    pd.testing.assert_frame_equal(
        score_site("CH-Dav", spoiled, projections, baselines, 1)[0], before
    )
    spoiled["nee"] = spoiled["nee"].where(training | ~np.isfinite(cube["nee"]), 99.0)
    after = score_site("CH-Dav", spoiled, projections, baselines, 1)[0]
    assert (after[after.variable == "nee"].bias.abs() > 50).all()


def test_the_seed_decides_the_scores(ch_dav):
    first = score_site("CH-Dav", *ch_dav, 1)[0]
    pd.testing.assert_frame_equal(score_site("CH-Dav", *ch_dav, 1)[0], first)
    assert not first.equals(score_site("CH-Dav", *ch_dav, 2)[0])


def test_a_variable_without_prediction_is_named(ch_dav):
    cube, projections, baselines = ch_dav
    fewer = {name: data.drop_vars("reco_total") for name, data in projections.items()}
    scores, notes = score_site("CH-Dav", cube, fewer, baselines.drop_vars("reco_climatology"), 1)
    assert set(scores[scores.variable == "reco"].predictor) == {"regression"}
    assert set(notes.predictor) == {"demcz", "esmda", "climatology"}
    assert set(notes.variable) == {"reco"}


def test_the_random_error_is_added_as_corrected_and_the_systematic_one_is_not():
    site = SITES[1]
    times = pd.date_range("2013-01-01", "2013-12-31", freq="D")
    n = len(times)
    cube, _ = make_observations(
        site,
        times,
        {name: np.full(n, 5.0) for name in site.observed},
        np.random.default_rng(1),
    )
    for name, value in {"": 5.0, "_systematic": 0.3, "_uncertainty": 0.5}.items():
        cube[f"nee{name}"] = (("location", "time"), np.full((1, n), value))
    plain = xr.Dataset(
        {
            "nee_total": (("member", "location", "time"), np.zeros((2000, 1, n))),
            "nee_training": (("location", "time"), np.zeros((1, n), "int8")),
        },
        coords={"time": times},
    )
    corrected = plain.copy(deep=True)
    law = asdict(Distribution("student_t", 5.0))
    corrected["nee_random_factor"] = ("member", np.full(2000, 1.5), law)
    stream = read_stream(cube, plain, "nee")
    found, _ = predictions(stream, {"plain": plain, "corrected": corrected}, xr.Dataset(), 1)
    for name, factor in (("plain", 1.0), ("corrected", 1.5)):
        members = found[name].members
        assert members.std() == pytest.approx(factor * 0.4, rel=0.01)
        tails = kurtosis(members.ravel())
        assert tails > 1.0 if name == "corrected" else abs(tails) < 0.1
        # Nothing of it lasts from day to day.
        assert members.mean(axis=1).std() == pytest.approx(factor * 0.4 / np.sqrt(n), rel=0.05)
        assert (found[name].central == 0).all()
