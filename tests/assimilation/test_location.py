"""From cubes on disk to the problem of a location, and the errors stated for it."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from concerto.assimilation.distributions import Distribution
from concerto.assimilation.location import (
    ErrorStatement,
    forcing,
    location_problem,
    observed_streams,
    open_location,
    state_errors,
)
from concerto.assimilation.stream_error import StreamError
from concerto.cubes import DRIVERS_DAILY, OBSERVATIONS_DAILY, read_cube
from concerto.errors import ConcertoError, InputError
from concerto.prepare.monthly import monthly_drivers
from concerto.prepare.streams import MaskCount
from synthetic_dalec import CORRELATION, ERRORS, draw_parameters, files_of
from synthetic_run import Site, write_site

TOWER = Site("XX-Tow", 50.0, 6.0, "2011-07-01", "2013-06-30", None, ("nee", "gpp", "lai"))
TRAINING = {"period": ["2011-07-01", "2012-10-31"]}
SITE = {"elevation_m": 300.0, "streams": ["nee", "gpp", "lai"], "training": TRAINING}


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    write_site(run, TOWER, seed=1)
    return run / "cubes" / TOWER.name


@pytest.fixture
def drivers(cubes):
    return read_cube(cubes / "drivers.nc", DRIVERS_DAILY)


@pytest.fixture
def observations(cubes):
    return read_cube(cubes / "observations.nc", OBSERVATIONS_DAILY)


def open_tower(cubes, **changes):
    return open_location(
        files_of("dalec2"), cubes / "drivers.nc", cubes / "observations.nc", SITE | changes
    )


@pytest.fixture(scope="module")
def location(cubes):
    return open_tower(cubes)


class TestForcing:
    def test_weather_is_that_of_the_drivers(self, drivers, dalec2):
        found = forcing(drivers, dalec2, "drivers.nc", 300.0)
        values = {name: drivers[name].to_numpy()[0].astype(float) for name in dalec2.drivers}
        middle = (values["tasmin"] + values["tasmax"]) / 2.0
        values["rsds"] *= 0.0864  # MJ m-2 d-1
        times = drivers.indexes["time"]
        day, days = times.dayofyear.to_numpy() - 0.5, np.where(times.is_leap_year, 366, 365)
        latitude = float(drivers["lat"].item())
        expected = dalec2.prepare_weather(values, day, days, 1.0, latitude, 300.0)
        np.testing.assert_allclose(found.weather.values, expected.values)
        assert found.step == 1.0
        assert found.mean_temperature == pytest.approx(middle.mean())

    def test_calendar(self, drivers, dalec2):
        found = forcing(drivers, dalec2, "drivers.nc", 300.0)
        times = drivers.indexes["time"]
        season = dict(zip(times.strftime("%Y-%m-%d"), found.season, strict=True))
        assert season["2012-01-01"] == pytest.approx(0.5 / 366)
        assert season["2013-01-01"] == pytest.approx(0.5 / 365)
        assert season["2011-12-31"] == pytest.approx(364.5 / 365)
        assert season["2012-12-31"] == pytest.approx(365.5 / 366)
        # the anniversary of 1 July, after a leap day; the second is the end of the record
        assert found.anniversaries == (366,)
        assert times[366] == pd.Timestamp("2012-07-01")

    def test_months_are_equally_long(self, drivers, dalec2):
        monthly = monthly_drivers(drivers.isel(location=0, drop=True), MaskCount(), "drivers.nc")
        placed = monthly.expand_dims(location=["XX-Tow"]).assign_coords(lat=("location", [50.0]))
        found = forcing(placed, dalec2, "drivers.nc", 300.0)
        assert len(found.weather) == 24
        assert found.step == pytest.approx(731 / 24)
        assert not found.weather.daily
        assert found.anniversaries == (12,)
        assert found.season[0] == pytest.approx((181 + 15.5) / 365)

    def test_several_locations_are_refused(self, drivers, observations, dalec2):
        with pytest.raises(InputError, match=r"d\.nc: location: found 2 locations; expected one"):
            forcing(drivers.isel(location=[0, 0]), dalec2, "d.nc", 300.0)
        with pytest.raises(InputError, match=r"o\.nc: location: found 2 locations; expected one"):
            observed_streams(observations.isel(location=[0, 0]), ["nee"], TRAINING, "o.nc")

    def test_missing_driver(self, drivers, dalec2):
        with pytest.raises(InputError) as caught:
            forcing(drivers.drop_vars("co2"), dalec2, "a/drivers.nc", 300.0)
        assert (caught.value.file, caught.value.field) == ("a/drivers.nc", "co2")
        assert caught.value.found == "no such variable"
        assert caught.value.expected == "a driver in ppm"

    def test_gap_is_named_with_its_date(self, drivers, dalec2):
        days = [drivers.indexes["time"].get_loc(day) for day in ("2012-03-05", "2012-09-01")]
        drivers["rsds"][0, days] = np.nan
        with pytest.raises(InputError) as caught:
            forcing(drivers, dalec2, "a/drivers.nc", 300.0)
        assert (caught.value.file, caught.value.field) == ("a/drivers.nc", "rsds")
        assert caught.value.found == "2 gaps, the first on 2012-03-05"
        assert caught.value.expected == "a value at every step, which dalec2 needs"

    def test_gap_in_a_driver_the_model_does_not_need(self, drivers, dalec2):
        drivers["vpd"][:] = np.nan
        drivers["pr"][0, 3] = np.nan
        assert np.isfinite(forcing(drivers, dalec2, "drivers.nc", 300.0).weather.values).all()

    def test_unit_that_does_not_convert(self, drivers, dalec2):
        drivers["tasmax"].attrs["units"] = "hPa"
        with pytest.raises(InputError) as caught:
            forcing(drivers, dalec2, "a/drivers.nc", 300.0)
        assert (caught.value.file, caught.value.field) == ("a/drivers.nc", "tasmax")
        assert "hPa" in caught.value.found
        assert "degC" in caught.value.expected

    @pytest.mark.parametrize("fraction", [1.5, -0.1])
    def test_disturbance_beyond_the_whole_area(self, drivers, dalec2, fraction):
        drivers["burned_area_fraction"][0, 7] = fraction
        with pytest.raises(InputError) as caught:
            forcing(drivers, dalec2, "a/drivers.nc", 300.0)
        assert (caught.value.file, caught.value.field) == ("a/drivers.nc", "burned_area_fraction")
        assert caught.value.found == f"{fraction} of the area in a step of 1 days"
        assert caught.value.expected == "between none and all of it"

    def test_unit_that_converts(self, drivers, dalec2):
        expected = forcing(drivers, dalec2, "drivers.nc", 300.0).weather.values
        drivers["tasmax"] = drivers["tasmax"].astype(float) + 273.15
        drivers["tasmax"].attrs["units"] = "K"
        found = forcing(drivers, dalec2, "drivers.nc", 300.0).weather.values
        np.testing.assert_allclose(found, expected, rtol=1e-9)


class TestStreams:
    def test_values_in_training_alone(self, observations):
        streams = observed_streams(observations, ["nee", "lai"], TRAINING, "o.nc")
        assert [stream.name for stream in streams] == ["nee", "lai"]
        end = observations.indexes["time"].get_loc("2012-10-31") + 1
        for stream in streams:
            expected = observations[stream.name].to_numpy()[0].copy()
            expected[end:] = np.nan
            np.testing.assert_array_equal(stream.values, expected)
            sd = observations[f"{stream.name}_random"].to_numpy()[0]
            np.testing.assert_array_equal(stream.random_sd[:end], sd[:end])

    def test_blocks(self, observations):
        rule = {"blocks": {"length_days": 10, "train": 2, "of": 3}}
        (nee,) = observed_streams(observations, ["nee"], rule, "o.nc")
        expected = observations["nee"].to_numpy()[0].copy()
        expected[np.arange(expected.size) // 10 % 3 == 2] = np.nan
        np.testing.assert_array_equal(nee.values, expected)

    def test_unit_is_the_operators(self, observations):
        expected = observed_streams(observations, ["gpp"], TRAINING, "o.nc")[0]
        for name in ("gpp", "gpp_random"):
            observations[name] = observations[name].astype(float) / 1000.0
            observations[name].attrs["units"] = "kg m-2 d-1"
        (found,) = observed_streams(observations, ["gpp"], TRAINING, "o.nc")
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
        np.testing.assert_allclose(found.random_sd, expected.random_sd, rtol=1e-6)

    def test_unit_that_does_not_convert(self, observations):
        observations["gpp"].attrs["units"] = "W m-2"
        with pytest.raises(InputError, match=r"o\.nc: gpp: found unit 'W m-2'"):
            observed_streams(observations, ["nee", "gpp"], TRAINING, "o.nc")

    def test_stream_that_was_not_observed(self, observations):
        with pytest.raises(InputError, match=r"o\.nc: reco: found no such variable"):
            observed_streams(observations, ["nee", "reco"], TRAINING, "o.nc")

    def test_training_window_outside_the_record(self, observations):
        rule = {"period": ["1999-01-01", "1999-12-31"]}
        with pytest.raises(ConcertoError, match="2011-07-01 to 2013-06-30"):
            observed_streams(observations, ["nee"], rule, "o.nc")

    def test_training_window_without_data(self, observations):
        observations["lai"][0, :100] = np.nan
        rule = {"period": ["2011-07-01", "2011-09-01"]}
        message = r"o\.nc: lai: no observation in the training period"
        with pytest.raises(ConcertoError, match=message):
            observed_streams(observations, ["nee", "lai"], rule, "o.nc")

    def test_observation_without_error(self, observations):
        observations["nee_random"][0, 7] = 0.0
        observations["nee"][0, 7] = 1.0
        with pytest.raises(ConcertoError, match=r"o\.nc: nee: 1 observations have no positive"):
            observed_streams(observations, ["nee"], TRAINING, "o.nc")


class TestOpening:
    def test_all_of_it(self, location, dalec2):
        assert location.model.name == "dalec2"
        assert location.prior.parameters == dalec2.parameters
        assert [s.name for s in location.streams] == SITE["streams"]
        assert len(location.forcing.weather) == location.observations.sizes["time"] == 731

    def test_unknown_model(self, cubes, tmp_path):
        with pytest.raises(ConcertoError, match="unknown plug-in 'dalec9'"):
            open_location(
                [tmp_path / "dalec9.yaml"], cubes / "drivers.nc", cubes / "observations.nc", SITE
            )

    def test_missing_file(self, cubes, tmp_path):
        with pytest.raises(InputError, match=r"none\.nc: file: found nothing"):
            open_location(files_of("dalec2"), tmp_path / "none.nc", cubes / "observations.nc", SITE)

    def test_cubes_in_the_wrong_order(self, cubes):
        with pytest.raises(InputError):
            open_location(files_of("dalec2"), cubes / "observations.nc", cubes / "drivers.nc", SITE)


class TestProblem:
    STATEMENT = ErrorStatement(ERRORS, CORRELATION)

    def test_stops_at_the_last_observation(self, location, dalec2):
        problem = location_problem(location, self.STATEMENT, ())
        seen = np.any([np.isfinite(s.values) for s in location.streams], axis=0)
        last = np.flatnonzero(seen)[-1] + 1
        assert last <= 489  # the training period
        assert len(problem.forcing.weather) == len(problem.forcing.season) == last
        assert all(len(s.values) == len(s.random_sd) == last for s in problem.streams)
        assert problem.forcing.anniversaries == (366,)
        assert problem.n_observations == sum(np.isfinite(s.values).sum() for s in location.streams)

    def test_the_rest_of_the_record_would_change_nothing(self, location, dalec2):
        parameters = draw_parameters(dalec2, 20, seed=1)
        cut = location_problem(location, self.STATEMENT, ())
        full = dataclasses.replace(cut, forcing=location.forcing, streams=location.streams)
        np.testing.assert_allclose(
            cut.log_likelihood(parameters), full.log_likelihood(parameters), rtol=1e-12
        )

    def test_an_anniversary_after_the_last_observation_is_left_out(self, cubes):
        early = open_tower(cubes, training={"period": ["2011-07-01", "2012-03-01"]})
        assert location_problem(early, self.STATEMENT, ()).forcing.anniversaries == ()

    def test_statement_and_constraints_are_passed_on(self, location):
        problem = location_problem(location, self.STATEMENT, ("pool_bounds",))
        assert problem.stream_errors == ERRORS
        assert tuple(problem.constraint_names) == ("pool_bounds",)
        np.testing.assert_array_equal(problem.innovation_correlation, CORRELATION)


def test_statement_round_trip():
    statement = ErrorStatement(ERRORS, CORRELATION)
    back = ErrorStatement.from_dict(json.loads(json.dumps(statement.to_dict())))
    assert back.stream_errors == ERRORS
    np.testing.assert_array_equal(back.correlation, CORRELATION)


def test_errors_of_a_twin_are_found_again(location, dalec2):
    """The record is a run of the model plus stated errors; the estimate must come near them."""
    errors = {"nee": StreamError(0.6, 5.0, 0.1, 100.0), "gpp": StreamError(0.9, 5.0, 0.1, 100.0)}
    shared, observation_sd = 0.6, 0.3
    rng = np.random.default_rng(3)
    n = len(location.forcing.season)
    best = location.prior.parameters_of(0.3 * location.prior.draw(1, rng))
    runs = location_problem(location, ErrorStatement(ERRORS, CORRELATION), ()).model.simulate(
        best, location.forcing.weather, ("nee", "gpp", "lai"), (), (0, 366)
    )
    innovations = rng.standard_normal((2, 2, 1, n))
    innovations[1] = shared * innovations[0] + math.sqrt(1 - shared**2) * innovations[1]
    streams = []
    for k, name in enumerate(("nee", "gpp")):
        values = (
            runs.series(name)[0]
            + errors[name].draw(location.forcing.season, 1.0, innovations[k])[0]
        )
        values += observation_sd * rng.standard_normal(n)
        stream = location.streams[k]
        streams.append(dataclasses.replace(stream, values=values, random_sd=np.full(n, 0.3)))
    lai = dataclasses.replace(
        location.streams[2],
        values=runs.series("lai")[0] + 0.2 * rng.standard_normal(n),
        random_sd=np.full(n, 0.2),
    )
    twin = dataclasses.replace(location, streams=[*streams, lai])
    budget = {"members": 250, "steps": 4, "most_steps": 40}
    statement = state_errors(twin, (), budget, np.random.default_rng(4))
    assert list(statement.stream_errors) == ["nee", "gpp", "lai"]
    for name, error in errors.items():
        found = statement.stream_errors[name]
        total = math.hypot(found.sd_fast, found.sd_slow)
        assert total == pytest.approx(math.hypot(error.sd_fast, error.sd_slow), rel=0.35)
        assert 2.0 < found.tau_fast < 12.0
        assert 0.5 < found.observation_factor < 1.6
    quiet = statement.stream_errors["lai"]
    assert quiet.sd_fast < 0.15
    assert quiet.sd_slow < 0.15
    correlation = statement.correlation
    np.testing.assert_array_equal(np.diag(correlation), 1.0)
    np.testing.assert_array_equal(correlation, correlation.T)
    assert np.linalg.eigvalsh(correlation).min() > 0.0
    assert 0.3 < correlation[0, 1] < shared + 0.1  # independent errors of observation dilute it
    assert abs(correlation[0, 2]) < 0.2


def test_streams_that_say_the_same_are_refused():
    alike = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(ConcertoError, match="nee, gpp, lai: found a matrix with the eigenvalue"):
        ErrorStatement(ERRORS, alike)


def test_settings_of_errors_are_those_of_all_or_of_one(location):
    settings = {
        "distribution": "laplace",
        "inflation": "inferred",
        "streams": {
            "lai": {"distribution": "student_t", "degrees_of_freedom": 5, "inflation": "none"}
        },
    }
    budget = {"members": 250, "steps": 2, "most_steps": 10}
    statement = state_errors(location, (), budget, np.random.default_rng(5), settings)
    errors = statement.stream_errors
    assert (errors["nee"].distribution, errors["nee"].inflated) == ("laplace", True)
    assert errors["lai"].law == Distribution("student_t", 5.0)
    assert not errors["lai"].inflated
    names = [p.name for p in statement.prior(location.prior).parameters]
    assert names == [*location.model.parameter_names, "inflation_nee", "inflation_gpp"]
    assert location_problem(location, statement, ()).prior.parameters[-1].name == "inflation_gpp"
