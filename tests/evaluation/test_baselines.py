import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.evaluation.baselines import (
    block_bootstrap,
    climatology,
    fit_baselines,
    regression,
    weather,
)
from concerto.evaluation.predictive import Stream
from concerto.evaluation.reliability import coverage


def make_stream(times, value, training):
    n = len(times)
    return Stream("nee", times, value, np.full(n, 0.1), np.zeros(n), training)


def six_years(rng, noise=0.5):
    times = pd.date_range("2013-01-01", "2018-12-31", freq="D")
    season = 5 * np.cos(2 * np.pi * times.dayofyear.to_numpy() / 365.25)
    return times, season, season + noise * rng.standard_normal(len(times))


def test_climatology_finds_the_season_and_its_errors_the_noise():
    times, season, value = six_years(np.random.default_rng(1))
    fit = climatology(make_stream(times, value, times.year < 2017))
    # A 31-day mean of a cosine loses 1.2 % of it.
    assert np.abs(fit.prediction - season).max() < 0.35
    assert fit.residuals.std() == pytest.approx(0.5, rel=0.1)
    assert not fit.note


def test_climatology_is_circular():
    times = pd.date_range("2013-01-01", "2013-12-31", freq="D")
    value = np.where(times.dayofyear > 350, 3.0, 1.0)
    training = (times.dayofyear > 350) | (times.dayofyear == 200)
    fit = climatology(make_stream(times, value, training))
    assert fit.prediction[0] == pytest.approx(3.0)


def test_climatology_widens_its_window_over_a_gap_and_says_so():
    times = pd.date_range("2013-01-01", "2013-12-31", freq="D")
    training = (times.month != 6) & (times.month != 7)
    value = np.where(times.dayofyear < 180, 1.0, 2.0)
    fit = climatology(make_stream(times, value, training))
    june, july = times.get_loc("2013-06-20"), times.get_loc("2013-07-15")
    assert fit.prediction[june] == pytest.approx(1.0)
    assert fit.prediction[july] == pytest.approx(2.0)
    assert "on 31 days" in fit.note


def test_monthly_values_have_honest_errors():
    """One value in each window: a climatology that kept it would have no error at all."""
    times = pd.date_range("2014-01-01", "2014-12-31", freq="D")
    value = np.full(len(times), np.nan)
    value[times.day == 15] = 3 - np.cos(2 * np.pi * (times.month[times.day == 15] - 1) / 12)
    fit = climatology(make_stream(times, value, times.month % 3 != 0))
    assert np.isfinite(fit.prediction).all()
    assert np.abs(fit.residuals).mean() > 0.2


def synthetic_weather(rng, n):
    drivers = xr.Dataset(
        {
            name: (("location", "time"), values[None, :])
            for name, values in {
                "rsds": rng.uniform(0, 300, n),
                "tas": rng.normal(8, 8, n),
                "vpd": rng.gamma(2, 3, n),
            }.items()
        }
    )
    return weather(drivers), drivers


def test_regression_finds_a_linear_truth():
    rng = np.random.default_rng(3)
    times = pd.date_range("2013-01-01", "2016-12-31", freq="D")
    predictors, _ = synthetic_weather(rng, len(times))
    truth = 1 + predictors @ np.array([0.01, 0.2, -0.3, 0.1])
    value = truth + 0.3 * rng.standard_normal(len(times))
    value[rng.random(len(times)) < 0.3] = np.nan
    fit = regression(make_stream(times, value, times.year < 2015), predictors)
    assert np.abs(fit.prediction - truth).max() < 0.15
    assert fit.residuals.std() == pytest.approx(0.3, rel=0.1)


def test_the_lagged_temperature_is_a_mean_of_the_past():
    predictors, drivers = synthetic_weather(np.random.default_rng(1), 100)
    tas = drivers["tas"].to_numpy()[0]
    assert predictors[50, 3] == pytest.approx(tas[21:51].mean())
    assert predictors[3, 3] == pytest.approx(tas[:4].mean())


def test_weather_with_a_gap_is_refused():
    _, drivers = synthetic_weather(np.random.default_rng(1), 100)
    drivers["vpd"][0, 7] = np.nan
    with pytest.raises(InputError, match="vpd: found 1 missing"):
        weather(drivers)


def test_block_bootstrap_keeps_the_spread_and_the_persistence():
    rng = np.random.default_rng(5)
    noise = rng.standard_normal(2000)
    for t in range(1, 2000):
        noise[t] = 0.8 * noise[t - 1] + 0.6 * noise[t]
    series = block_bootstrap(noise, 365, 300, rng)
    assert series.shape == (300, 365)
    assert set(np.unique(series)) <= set(noise)
    assert series.std() == pytest.approx(noise.std(), rel=0.05)
    lagged = np.corrcoef(series[:, 1:].ravel(), series[:, :-1].ravel())[0, 1]
    # One step in thirty leads to another block.
    assert lagged == pytest.approx(0.8 * 29 / 30, abs=0.04)


def test_intervals_cover_unseen_years():
    rng = np.random.default_rng(6)
    times, _, value = six_years(rng)
    training = times.year < 2017
    fit = climatology(make_stream(times, value, training))
    members = fit.prediction + block_bootstrap(fit.residuals, len(times), 200, rng)
    inside = coverage(value[~training], members[:, ~training], 0.9)
    assert inside == pytest.approx(0.9, abs=0.04)


def test_fit_baselines_gives_an_ensemble_a_variable_and_notes_what_is_too_little(run):
    site = "BE-Vie"
    cube = xr.load_dataset(run / "cubes" / site / "observations.nc")
    drivers = xr.load_dataset(run / "cubes" / site / "drivers.nc")
    flags = xr.load_dataset(run / "projection" / site / "demcz.nc")
    middle = cube["time"].dt.day == 15
    cube["lai"] = cube["lai"].where(middle)
    result = fit_baselines(drivers, cube, flags, 40, 1)
    assert result["nee_regression"].shape == (40, 1, 365)
    assert result["nee_regression"].dtype == "float32"
    assert np.isfinite(result["lai_climatology"]).all()
    assert "window is wider" in result["lai_climatology"].attrs["note"]
    assert "lai_regression" not in result
    xr.testing.assert_identical(fit_baselines(drivers, cube, flags, 40, 1), result)
    assert not fit_baselines(drivers, cube, flags, 40, 2).equals(result)


def test_no_training_data_is_refused(run):
    cube = xr.load_dataset(run / "cubes" / "CH-Dav" / "observations.nc")
    drivers = xr.load_dataset(run / "cubes" / "CH-Dav" / "drivers.nc")
    flags = xr.load_dataset(run / "projection" / "CH-Dav" / "demcz.nc")
    flags["nee_training"] = 0 * flags["nee_training"]
    with pytest.raises(InputError, match="training data: nee: found no value"):
        fit_baselines(drivers, cube, flags, 10, 1)


def test_what_is_not_predicted_with_an_error_has_no_baseline(run):
    cube = xr.load_dataset(run / "cubes" / "CH-Dav" / "observations.nc")
    drivers = xr.load_dataset(run / "cubes" / "CH-Dav" / "drivers.nc")
    flags = xr.load_dataset(run / "projection" / "CH-Dav" / "demcz.nc")
    result = fit_baselines(drivers, cube, flags.drop_vars("reco_total"), 10, 1)
    assert {name.partition("_")[0] for name in result.data_vars} == {"nee", "gpp"}
