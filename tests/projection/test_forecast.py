"""Forecasts from a state: where they start, how they widen, and whether they are worth it."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.methods import letkf
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Problem, Stream
from concerto.assimilation.state import State
from concerto.assimilation.stream_error import StreamError
from concerto.errors import ConcertoError, InputError
from concerto.projection.ensemble import process_ensemble
from concerto.projection.forecast import (
    days_ahead,
    forecast,
    forecast_under,
    on_days,
    same_days,
    with_origin,
)
from synthetic_dalec import CORRELATION, ERRORS, draw_parameters, make_forcing

NAMES = ("nee", "gpp", "lai")
STATEMENT = ErrorStatement(ERRORS, CORRELATION)
DAYS, CUT = 420, 360


@pytest.fixture(scope="module")
def drive(dalec2):
    return make_forcing(dalec2, DAYS, np.random.default_rng(1))


def alike(dalec2, drive, members, errors=0.0):
    """Members of one run, with the same model errors, before the step CUT."""
    parameters = np.repeat(draw_parameters(dalec2, 1, seed=1), members, axis=0)
    past = dalec2.simulate(parameters, drive.weather.between(0, CUT), ("nee",))
    known = np.full((members, len(NAMES)), errors)
    return parameters, State(CUT, past.final_pools, known, known)


def test_runs_go_on_where_they_were(dalec2, drive):
    parameters = draw_parameters(dalec2, 150, seed=2)  # more than are run at once
    past = dalec2.simulate(parameters, drive.weather.between(0, CUT), ("nee",))
    state = State(CUT, past.final_pools, *np.zeros((2, 150, 3)))
    ahead = forecast(
        dalec2, parameters, state, drive.between(CUT, DAYS), NAMES, STATEMENT,
        np.random.default_rng(1),
    )  # fmt: skip
    whole = process_ensemble(dalec2, drive, parameters)
    for name, values in whole.items():
        np.testing.assert_array_equal(ahead[name], values[:, CUT:])
    assert {"nee_total", "gpp_total", "lai_total", "reco_total"} <= ahead.keys()


def test_model_error_starts_as_known_and_widens_to_its_climate(dalec2, drive):
    members = 4000
    parameters, state = alike(dalec2, drive, members, errors=0.7)
    short = {name: StreamError(0.5, 4.0, 0.4, 10.0, 0.3, -0.2) for name in NAMES}
    season = drive.between(CUT, DAYS)
    made = forecast(
        dalec2, parameters, state, season, NAMES, ErrorStatement(short, CORRELATION),
        np.random.default_rng(2),
    )  # fmt: skip
    error = short["nee"]
    spread = (made["nee_total"] - made["nee"]).std(axis=0) / error.scale(season.season)
    mean = (made["nee_total"] - made["nee"]).mean(axis=0) / error.scale(season.season)
    lead = np.arange(DAYS - CUT)
    fading = np.exp(-lead / 4.0), np.exp(-lead / 10.0)
    expected = np.sqrt(0.25 * (1.0 - fading[0] ** 2) + 0.16 * (1.0 - fading[1] ** 2))
    np.testing.assert_allclose(spread, expected, atol=4.5 * 0.64 / np.sqrt(2 * members))
    np.testing.assert_allclose(mean, 0.7 * sum(fading), atol=4.5 * 0.64 / np.sqrt(members))
    assert spread[0] < 1e-3  # of a float32
    assert spread[-1] == pytest.approx(np.hypot(0.5, 0.4), rel=0.05)
    both = np.corrcoef(made["nee_total"][:, -1], made["gpp_total"][:, -1])
    assert both[0, 1] == pytest.approx(-0.5, abs=0.06)


def test_a_state_of_others(dalec2, drive):
    parameters, state = alike(dalec2, drive, 5)
    with pytest.raises(ConcertoError, match="5 members and 3 streams; expected 4 and 3"):
        forecast(
            dalec2, parameters[:4], state, drive.between(CUT, DAYS), NAMES, STATEMENT,
            np.random.default_rng(1),
        )  # fmt: skip


def test_days_ahead_are_those_of_the_record():
    time = pd.date_range("2014-01-01", periods=20)
    assert days_ahead("X", time, 15, 3, "measured").equals(time[15:18])
    assert days_ahead("X", time, 15, 90, "measured").equals(time[15:20])
    message = "forecast.sites: found X, whose record ends with its training on 2014-01-20; expected"
    with pytest.raises(InputError, match=message):
        days_ahead("X", time, 20, 90, "measured")


def test_other_weather_goes_beyond_the_record():
    time = pd.date_range("2014-01-01", periods=20)
    found = days_ahead("X", time, 20, 9, "climatology")
    assert found.equals(pd.date_range("2014-01-21", periods=9))
    assert found.dtype == time.dtype


def test_days_beyond_the_record_have_its_place_and_bounds():
    time = pd.date_range("2014-01-01", periods=3)
    place = {"location": ["X"], "lat": ("location", [1.0]), "lon": ("location", [2.0])}
    record = xr.Dataset({"nee": (("location", "time"), np.zeros((1, 3)))}, {**place, "time": time})
    record["time"].attrs["axis"] = "T"
    ahead = pd.date_range("2014-01-03", periods=2)
    found = on_days(record, ahead)
    assert found.indexes["time"].equals(ahead)
    assert found["time"].attrs == {"axis": "T"}
    np.testing.assert_array_equal(found["time_bnds"][:, 0], ahead)
    np.testing.assert_array_equal(found["time_bnds"][:, 1], pd.date_range("2014-01-04", periods=2))
    assert list(found.data_vars) == ["time_bnds"]


def test_the_same_days_of_years_before_are_those():
    time = pd.date_range("2013-03-01", "2016-04-10")
    first = time.get_loc(pd.Timestamp("2016-02-29"))
    found = same_days("X", time, time[first : first + 20])
    for steps, year in zip(found, (2014, 2015), strict=True):
        days = pd.date_range(f"{year}-03-01", periods=19)
        assert time[steps].equals(days.insert(0, pd.Timestamp(f"{year}-02-28")))
    with pytest.raises(InputError, match="climatology at X, whose record begins on 2016-01-01"):
        same_days("X", time[time.year == 2016], time[-10:])


def test_the_same_days_of_a_year_that_is_over_are_those():
    time = pd.date_range("2014-01-01", "2014-12-31")
    beyond = pd.date_range("2015-01-01", periods=90)
    (found,) = same_days("X", time, beyond)
    np.testing.assert_array_equal(found, np.arange(90))
    with pytest.raises(InputError, match="climatology at X"):
        same_days("X", time, pd.date_range("2015-01-01", periods=366))


def test_the_only_year_is_taken_to_its_end_and_then_again():
    time = pd.date_range("2014-01-01", "2014-12-31")
    (found,) = same_days("X", time, pd.date_range("2014-12-29", periods=10))
    np.testing.assert_array_equal(found, [362, 363, 364, *range(7)])
    with pytest.raises(InputError, match="climatology at X"):
        same_days("X", time, time[-10:])


def test_members_take_the_weather_of_years_in_turn(dalec2, drive):
    parameters = draw_parameters(dalec2, 7, seed=2)
    past = dalec2.simulate(parameters, drive.weather.between(0, CUT), ("nee",))
    state = State(CUT, past.final_pools, *np.zeros((2, 7, 3)))
    windows = [drive.between(CUT, DAYS), drive.between(0, DAYS - CUT)]
    made = forecast_under(
        dalec2, parameters, state, windows, NAMES, STATEMENT, np.random.default_rng(1)
    )
    for window, own in zip(windows, (slice(0, None, 2), slice(1, None, 2)), strict=True):
        alone = process_ensemble(dalec2, window, parameters[own], past.final_pools[own])
        np.testing.assert_array_equal(made["nee"][own], alone["nee"])
    assert made["nee_total"].shape == made["nee"].shape


def test_a_forecast_says_what_it_rests_on():
    attributes = {"method": "letkf", "converged": "no", "verdict": "it collapsed"}
    attributes |= {"prior": "stated", "model_runs": 12, "seed": 3}
    when = np.datetime64("2014-03-01", "ns")
    posterior = xr.Dataset(coords={"time": when}, attrs={**attributes, "title": "A posterior"})
    series = xr.Dataset({"nee": ("time", [1.0])}, coords={"time": [when]})
    found = with_origin(series, posterior, "measured")
    weather = "the weather that was measured afterwards"
    assert found.attrs == {**attributes, "featureType": "timeSeries", "weather": weather}
    assert "of own.csv" in with_origin(series, posterior, "own.csv").attrs["weather"]
    assert found["forecast_reference_time"].to_numpy() == when
    assert found["time"].dims == ("time",)


TRUTHS = 6
SD = 0.3
SLOW = {
    "nee": StreamError(0.4, 15.0, 0.3, 100.0),
    "gpp": StreamError(0.5, 15.0, 0.3, 100.0),
    "lai": StreamError(0.1, 15.0, 0.1, 100.0),
}


class TestTwin:
    """Forecasts of the days after a year of observations of known truths."""

    @pytest.fixture(scope="class")
    @classmethod
    def forecasts(cls, dalec2):
        """Truth and forecasts of NEE: from the state, without its errors, from the prior."""
        prior, statement = Prior(dalec2.parameters), ErrorStatement(SLOW, np.eye(3))
        found = []
        for seed in range(TRUTHS):
            rng = np.random.default_rng([4, seed])
            drive = make_forcing(dalec2, DAYS, rng)
            while True:  # a place with leaves
                truth = process_ensemble(dalec2, drive, prior.parameters_of(prior.draw(1, rng)))
                if truth["gpp"].mean() > 1.0:
                    break
            total = {
                name: truth[name][0] + error.draw(
                    drive.season, 1.0, rng.standard_normal((2, 1, DAYS))
                )[0]
                for name, error in SLOW.items()
            }  # fmt: skip
            streams = [
                Stream(name, (total[name] + SD * rng.standard_normal(DAYS))[:CUT], np.full(CUT, SD))
                for name in SLOW
            ]
            problem = Problem(dalec2, prior, drive.between(0, CUT), streams, SLOW, np.eye(3), ())
            budget = {"members": 200, "window_days": 8, "passes": 12, "relaxation": 0.0}
            posterior = letkf.assimilate(problem, budget, rng)
            assert posterior.converged, posterior.verdict
            ahead = drive.between(CUT, DAYS)
            draws = prior.parameters_of(prior.draw(200, rng))
            cases = {
                "state": (prior.to_parameters(posterior.unit), posterior.final),
                "prior": (draws, problem.final_state(draws, rng)),
            }
            made = {
                name: forecast(dalec2, *case, ahead, NAMES, statement, rng)["nee_total"]
                for name, case in cases.items()
            }
            free = SLOW["nee"].draw(ahead.season, 1.0, rng.standard_normal((2, 200, DAYS - CUT)))
            runs = process_ensemble(dalec2, ahead, cases["state"][0], posterior.final.pools)
            made["climate"] = runs["nee"] + free
            made["truth"] = total["nee"][CUT:]
            found.append(made)
        return found

    def skill(self, forecasts, name, lead):
        errors = [made[name].mean(axis=0)[:lead] - made["truth"][:lead] for made in forecasts]
        return float(np.sqrt(np.mean(np.square(errors))))

    def test_intervals_hold_the_truth(self, forecasts):
        held = []
        for made in forecasts:
            low, high = np.quantile(made["state"], [0.05, 0.95], axis=0)
            held.append(np.mean((low <= made["truth"]) & (made["truth"] <= high)))
        # 60 days with errors of 15 days and more, in 6 places: some thirty independent days
        assert 0.75 < np.mean(held) <= 1.0, held

    def test_near_days_are_forecast_better_than_without_the_state(self, forecasts):
        state, climate, prior = (
            self.skill(forecasts, name, 5) for name in ("state", "climate", "prior")
        )
        assert state < 0.8 * climate
        assert climate < prior

    def test_spread_grows_with_lead_time_to_that_of_the_climate(self, forecasts):
        near, far, climate = (
            np.mean([made[name][:, days].std(axis=0).mean() for made in forecasts])
            for name, days in (
                ("state", slice(0, 5)), ("state", slice(40, 60)), ("climate", slice(40, 60)),
            )
        )  # fmt: skip
        assert near < 0.8 * far
        assert far == pytest.approx(climate, rel=0.15)
