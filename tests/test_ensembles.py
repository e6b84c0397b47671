"""Files of ensembles: what is in them, and that they come back as written."""

import numpy as np
import pytest
import xarray as xr
from concerto.assimilation.distributions import Distribution
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Stream
from concerto.assimilation.state import State
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.ensembles import (
    RandomError,
    parameter_dataset,
    posterior_dataset,
    read_state,
    series_dataset,
    state_dataset,
    write_ensemble,
)
from concerto.errors import InputError
from synthetic_dalec import draw_parameters, model_named
from synthetic_run import Site, write_site

MEMBERS, DAYS = 12, 40
TOWER = Site("XX-Tow", 50.0, 6.0, "2013-01-01", "2013-02-09", None, ("nee", "gpp"))
MODEL = model_named("dalec2")
PRIOR = Prior(MODEL.parameters)
PARAMETERS = draw_parameters(MODEL, MEMBERS, seed=1)
TEXTS = {"title": "An ensemble", "source": "dalec2", "history": "made by a test"}


@pytest.fixture(scope="module")
def observations(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    write_site(run, TOWER, seed=1)
    return read_cube(run / "cubes" / TOWER.name / "observations.nc", OBSERVATIONS_DAILY)


@pytest.fixture
def series():
    rng = np.random.default_rng(2)
    names = ("nee", "gpp", "reco", "nee_total", "gpp_total", "reco_total", "c_wood")
    return {name: rng.random((MEMBERS, DAYS)).astype(np.float32) for name in names}


@pytest.fixture
def streams():
    made = []
    for name, seen in (("nee", slice(5, 20)), ("gpp", [0, 39])):
        values = np.full(DAYS, np.nan)
        values[seen] = 1.0
        made.append(Stream(name, values, np.ones(DAYS)))
    return made


STREAMS = ("nee", "gpp")


def make_state(step):
    rng = np.random.default_rng(3)
    sizes = (len(MODEL.pools), len(STREAMS), len(STREAMS))
    return State(step, *(rng.random((MEMBERS, size)) for size in sizes))


@pytest.mark.parametrize(("step", "day"), [(25, "2013-01-26"), (DAYS, "2013-02-10")])
def test_a_state_comes_back(observations, tmp_path, step, day):
    time, state = observations.indexes["time"], make_state(step)
    described = parameter_dataset(MODEL.parameters, PARAMETERS, observations)
    ds = described.merge(state_dataset(MODEL, STREAMS, state, time))
    write_ensemble(ds, tmp_path / "p.nc", **TEXTS)
    back = xr.load_dataset(tmp_path / "p.nc")
    assert back["state_pools"].dims == ("member", "pool")
    assert back["state_fast"].dims == back["state_slow"].dims == ("member", "stream")
    assert back["pool_units"].sel(pool="c_wood").item() == "gC m-2"
    assert back["stream_units"].sel(stream="nee").item() == "g m-2 d-1"
    assert str(back["time"].to_numpy())[:10] == day
    found = read_state(back, MODEL, STREAMS, time, "p.nc")
    assert found.step == step
    for name in ("pools", "fast", "slow"):
        np.testing.assert_allclose(getattr(found, name), getattr(state, name), rtol=1e-6)


def test_a_state_of_something_else_is_named(observations):
    time = observations.indexes["time"]
    ds = state_dataset(MODEL, STREAMS, make_state(25), time)
    for other, streams, axis, message in (
        (ds.drop_vars("state_slow"), STREAMS, time, "p.nc: state_slow: found no such variable"),
        (ds, ("gpp", "nee"), time, "p.nc: stream: found nee, gpp; expected gpp, nee"),
        (ds.isel(pool=[0, 1]), STREAMS, time, "p.nc: pool: found c_labile, c_leaf; expected"),
        (ds, STREAMS, time[:20], "p.nc: time: found 2013-01-26; expected one of 20 times from"),
    ):
        with pytest.raises(InputError, match=message):
            read_state(other, MODEL, streams, axis, "p.nc")


FACTORS = {"nee": 1.2, "gpp": 0.8, "reco": 1.2}
RANDOM = {
    name: RandomError(np.full(MEMBERS, factor), Distribution("student_t", 3.5))
    for name, factor in FACTORS.items()
}


def test_parameters_are_described(observations):
    ds = parameter_dataset(MODEL.parameters, PARAMETERS, observations)
    assert ds["parameters"].dims == ("member", "location", "parameter")
    np.testing.assert_array_equal(ds["parameters"].isel(location=0), PARAMETERS)
    assert ds["location"].item() == "XX-Tow"
    assert ds["lat"].item() == 50.0
    one = ds.sel(parameter="release_day")
    assert one["parameter_units"].item() == "d"
    assert (one["parameter_min"].item(), one["parameter_max"].item()) == (0.0, 365.25)
    assert one["parameter_period"].item() == 365.25
    assert np.isfinite(ds["parameter_period"]).sum() == 2


def test_posterior_has_its_diagnostics(observations, tmp_path):
    n = len(MODEL.parameters)
    posterior = Posterior(
        unit=PRIOR.to_unit(PARAMETERS),
        log_density=-np.arange(MEMBERS, dtype=float),
        chain=np.repeat(np.arange(3, dtype=np.int32), 4),
        converged=True,
        verdict="fine",
        rhat=np.linspace(1.0, 1.1, n),
        ess_bulk=np.full(n, 500.0),
        ess_tail=np.full(n, 300.0),
    )
    ds = posterior_dataset(PRIOR, posterior, observations)
    ds.attrs = {"method": "demcz", "converged": "yes", "model_runs": 12}
    write_ensemble(ds, tmp_path / "p.nc", **TEXTS)
    back = xr.load_dataset(tmp_path / "p.nc")
    np.testing.assert_allclose(back["parameters"].isel(location=0), PARAMETERS, rtol=1e-6)
    assert back["log_density"].dims == ("member", "location")
    np.testing.assert_array_equal(back["log_density"][:, 0], -np.arange(MEMBERS))
    np.testing.assert_array_equal(back["chain"], posterior.chain)
    assert np.issubdtype(back["chain"].dtype, np.integer)
    np.testing.assert_allclose(back["rhat"], posterior.rhat, rtol=1e-6)
    assert (back["ess_bulk"] == 500.0).all()
    assert (back["ess_tail"] == 300.0).all()
    assert back.attrs["model_runs"] == 12
    assert back.attrs["title"] == "An ensemble"
    assert list(back["parameter"].to_numpy()) == MODEL.parameter_names


def test_series_have_units_and_training_flags(observations, series, streams, tmp_path):
    ds = series_dataset(series, streams, observations, RANDOM)
    write_ensemble(ds, tmp_path / "s.nc", **TEXTS)
    back = xr.load_dataset(tmp_path / "s.nc")
    for name, values in series.items():
        assert back[name].dims == ("member", "location", "time")
        np.testing.assert_array_equal(back[name][:, 0], values)
    assert back["nee_total"].attrs["units"] == back["nee"].attrs["units"] == "g m-2 d-1"
    assert back["c_wood"].attrs["units"] == "g m-2"
    for name, factor in FACTORS.items():
        found = back[f"{name}_random_factor"]
        assert found.dims == ("member",)
        np.testing.assert_allclose(found, factor, rtol=1e-6)
        assert (found.attrs["name"], found.attrs["degrees_of_freedom"]) == ("student_t", 3.5)
    assert back.indexes["time"].equals(observations.indexes["time"])
    for stream in streams:
        flags = back[f"{stream.name}_training"]
        assert flags.dims == ("location", "time")
        assert flags.dtype == np.int8
        np.testing.assert_array_equal(flags[0], np.isfinite(stream.values))
    assert "reco_training" not in back


def test_series_and_parameters_fit_in_one_file(observations, series, streams, tmp_path):
    both = series_dataset(series, streams, observations).merge(
        parameter_dataset(MODEL.parameters, PARAMETERS, observations)
    )
    write_ensemble(both, tmp_path / "b.nc", **TEXTS)
    back = xr.load_dataset(tmp_path / "b.nc")
    assert {"nee", "parameters", "nee_training"} <= set(back.data_vars)


def test_nothing_is_written_of_a_broken_time_axis(observations, series, streams, tmp_path):
    ds = series_dataset(series, streams, observations).isel(time=[0, 1, 3])
    with pytest.raises(InputError, match="missing time 2013-01-03"):
        write_ensemble(ds, tmp_path / "s.nc", **TEXTS)
    assert not list(tmp_path.iterdir())
