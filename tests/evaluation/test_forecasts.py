import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.evaluation.baselines import fit_baselines
from concerto.evaluation.forecasts import persistence, predicted, score_forecast
from concerto.evaluation.judgement import in_words
from concerto.evaluation.quantities import ALL_WEEKS, FORECAST
from concerto.evaluation.scores import COLUMNS, score
from synthetic_run import make_forecast

DAYS = 17


@pytest.fixture(scope="module")
def files(run):
    """Observations, a forecast, projections and baselines of the site with later days."""
    cubes = run / "cubes" / "CH-Dav"
    observations = xr.load_dataset(cubes / "observations.nc")
    projection = xr.load_dataset(run / "projection" / "CH-Dav" / "demcz.nc")
    drivers = xr.load_dataset(cubes / "drivers.nc")
    baselines = fit_baselines(drivers, observations, projection, members=100, seed=7)
    return observations, make_forecast(projection, DAYS), {"demcz": projection}, baselines


@pytest.fixture(scope="module")
def scores(files):
    return score_forecast("CH-Dav", *files, seed=7)


def test_each_predictor_is_scored_on_the_same_days_of_each_week(scores):
    assert tuple(scores.columns) == COLUMNS
    assert set(scores.variable) == {"nee", "gpp", "reco"}
    for _, rows in scores.groupby(["variable", "step"]):
        assert list(rows.predictor) == [
            FORECAST,
            "demcz",
            "climatology",
            "regression",
            "persistence",
        ]
        assert len(set(rows.n)) == 1
    assert list(scores.step.unique()) == ["week 1", "week 2", "week 3", ALL_WEEKS]
    counts = scores[(scores.variable == "nee") & (scores.predictor == FORECAST)]
    by_week = counts[counts.step != ALL_WEEKS].n
    assert by_week.sum() == counts.loc[counts.step == ALL_WEEKS, "n"].item()
    assert (by_week.to_numpy() <= [7, 7, 3]).all()


def test_scores_are_those_of_the_days_ahead(files, scores):
    observations, forecast, projections, baselines = files
    stream, found = predicted("nee", observations, forecast, projections, baselines, 7)
    assert stream.times.equals(forecast.indexes["time"])
    assert not stream.training.any()
    second = stream.withheld & (np.arange(DAYS) // 7 == 1)
    for name, prediction in found.items():
        expected = score(
            stream.value[second], prediction.central[second], prediction.members[:, second]
        )
        row = scores.query(f"variable == 'nee' and step == 'week 2' and predictor == '{name}'")
        assert row[list(expected)].iloc[0].to_dict() == pytest.approx(expected, nan_ok=True)


def test_a_forecast_that_is_the_projection_is_scored_alike(scores):
    rows = scores.set_index("predictor").drop(columns=["site", "variable", "step"])
    pd.testing.assert_frame_equal(
        rows.loc[[FORECAST]].reset_index(drop=True), rows.loc[["demcz"]].reset_index(drop=True)
    )
    (first, *_) = in_words(scores[scores.step == ALL_WEEKS], FORECAST, ("demcz", "climatology"))
    assert first.startswith("NEE, all weeks (")
    assert "is level with DE-MCz (" in first
    assert " the day-of-year climatology (" in first


def test_days_without_observations_have_no_scores(files):
    observations, *others = files
    empty = observations.where(observations["time"] < others[0]["time"][7])
    scores = score_forecast("CH-Dav", empty, *others, seed=7)
    assert list(scores.step.unique()) == ["week 1", ALL_WEEKS]
    none = observations.where(observations["time"] < others[0]["time"][0])
    assert score_forecast("CH-Dav", none, *others, seed=7).empty


def test_persistence_has_the_errors_that_it_had():
    """A random walk: the error grows with the root of the lead, from that of a week's mean."""
    rng = np.random.default_rng(4)
    past = np.cumsum(rng.normal(size=40_000))
    prediction = persistence(past, 30, rng)["persistence"]
    assert (prediction.central == past[-7:].mean()).all()
    # the mean of the last seven lags behind the last by (1 + ... + 6) / 7 steps, with this variance
    lag = sum((k / 7) ** 2 for k in range(1, 7))
    sd = prediction.members.std(axis=0)
    np.testing.assert_allclose(sd[[0, 29]], np.sqrt(lag + np.array([1, 30])), rtol=0.12)


def test_persistence_needs_a_last_week():
    past = np.r_[np.ones(30), np.full(7, np.nan)]
    assert persistence(past, 3, np.random.default_rng(1)) == {}
    assert persistence(past[:-1], 3, np.random.default_rng(1))["persistence"].central[0] == 1.0
    assert persistence(np.ones(3), 3, np.random.default_rng(1)) == {}
