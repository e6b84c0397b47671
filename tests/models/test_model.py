"""The record of a model, its file of parameters, and running many members at once."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from concerto.errors import ConcertoError
from concerto.models import load_model
from real_drivers import vielsalm
from synthetic_dalec import (
    daily_calendar,
    draw_parameters,
    files_of,
    make_drivers,
    model_named,
)

# unit, min, max
PUBLISHED = {
    "litter_decomposition": ("d-1", 1e-5, 0.01),
    "autotrophic_fraction": ("1", 0.2, 0.8),
    "leaf_allocation": ("1", 0.01, 0.5),
    "root_allocation": ("1", 0.01, 1.0),
    "labile_allocation": ("1", 0.01, 0.5),
    "leaf_life_span": ("a", 1.001, 8.0),
    "wood_turnover": ("d-1", 2.5e-5, 1e-3),
    "root_turnover": ("d-1", 1e-4, 0.01),
    "litter_respiration": ("d-1", 1e-4, 0.01),
    "soil_respiration": ("d-1", 1e-7, 1e-3),
    "temperature_sensitivity": ("degC-1", 0.018, 0.08),
    "canopy_efficiency": ("1", 5.0, 50.0),
    "release_day": ("d", 0.0, 365.25),
    "release_period": ("d", 10.0, 100.0),
    "fall_day": ("d", 0.0, 365.25),
    "fall_period": ("d", 20.0, 150.0),
    "leaf_mass": ("gC m-2", 5.0, 200.0),
    "initial_labile": ("gC m-2", 1.0, 2000.0),
    "initial_leaf": ("gC m-2", 1.0, 2000.0),
    "initial_root": ("gC m-2", 1.0, 2000.0),
    "initial_wood": ("gC m-2", 1.0, 1e5),
    "initial_litter": ("gC m-2", 1.0, 2000.0),
    "initial_soil": ("gC m-2", 1.0, 2e5),
}
DAYS = 60


@pytest.fixture(scope="module")
def weather(dalec2):
    drivers = make_drivers(DAYS, np.random.default_rng(1))
    return dalec2.prepare_weather(drivers, *daily_calendar("2014-01-01", DAYS), 1.0, 50.0, 300.0)


def test_parameters_are_the_published_ones(dalec2):
    assert {p.name: (p.unit, p.min, p.max) for p in dalec2.parameters} == PUBLISHED
    assert all(p.source and p.description for p in dalec2.parameters)
    circular = [p.name for p in dalec2.parameters if p.prior == "circular"]
    assert circular == ["release_day", "fall_day"]


def test_every_output_has_a_unit(dalec2):
    assert set(dalec2.output_units) == set(dalec2.outputs)
    assert len(set(dalec2.outputs)) == len(dalec2.outputs)
    assert dalec2.output_units["c_soil"] == "gC m-2"
    assert dalec2.output_units["gpp"] == "gC m-2 d-1"
    assert dalec2.output_units["lai"] == "1"
    assert set(dalec2.pools) <= set(dalec2.outputs)


def test_unknown_model_is_named_with_the_nearest(tmp_path):
    with pytest.raises(ConcertoError, match=r"unknown plug-in 'dalek2'; nearest valid: dalec2"):
        load_model([tmp_path / "dalek2.yaml"])


def test_parameters_come_from_the_file(tmp_path):
    own, carbon, *others = files_of("dalec2")
    described = yaml.safe_load(carbon.read_text())
    described["parameters"][0]["max"] = 0.5
    changed = tmp_path / carbon.name
    changed.write_text(yaml.safe_dump(described))
    assert load_model([own, changed, *others]).parameters[0].max == 0.5


@pytest.mark.parametrize("members", [1, 15, 16, 17, 50])
def test_members_do_not_depend_on_each_other(dalec2, weather, members):
    parameters = draw_parameters(dalec2, 50, seed=1)
    every = dalec2.simulate(parameters, weather, dalec2.outputs)
    few = dalec2.simulate(parameters[-members:], weather, dalec2.outputs)
    for name in ("nbe", "lai", "c_soil"):
        assert few.series(name).shape == (members, DAYS)
        np.testing.assert_array_equal(few.series(name), every.series(name)[-members:])


def test_parameters_and_weather_are_left_as_they_were(dalec2, weather):
    parameters = draw_parameters(dalec2, 16, seed=2)
    before = parameters.copy(), weather.values.copy()
    dalec2.simulate(parameters, weather, dalec2.outputs)
    np.testing.assert_array_equal(parameters, before[0])
    np.testing.assert_array_equal(weather.values, before[1])


def test_snapshots_are_pools_before_a_step(dalec2, weather):
    parameters = draw_parameters(dalec2, 20, seed=3)
    runs = dalec2.simulate(parameters, weather, dalec2.outputs, snapshots=(0, 31))
    for k, pool in enumerate(dalec2.pools):
        initial = parameters[:, dalec2.parameter_names.index(pool.replace("c_", "initial_"))]
        lanes = runs.snapshots[:, :, k].transpose(0, 2, 1).reshape(-1, 2)[:20]
        np.testing.assert_array_equal(lanes[:, 0], initial)
        np.testing.assert_array_equal(lanes[:, 1], runs.series(pool)[:, 30])
        final = runs.pools[:, k].reshape(-1)[:20]
        np.testing.assert_array_equal(final, runs.series(pool)[:, -1])


def test_parts_that_want_a_driver_in_two_units_are_refused(dalec2):
    odd = SimpleNamespace(DRIVERS={"co2": "Pa"})
    model = replace(dalec2, components=dalec2.components | {"odd": odd})
    with pytest.raises(ConcertoError, match="photosynthesis wants co2 in ppm; expected Pa"):
        _ = model.drivers


@pytest.mark.parametrize("name", ["dalec2", "dalec_water"])
def test_a_run_in_windows_is_the_whole_run_to_the_last_bit(name):
    model = model_named(name)
    drivers, days = vielsalm()
    weather = model.prepare_weather(drivers, days.dayofyear - 0.5, 365, 1.0, 50.3, 493.0)
    parameters = draw_parameters(model, 20, seed=5)
    whole = model.simulate(parameters, weather, ("nee", "gpp"))
    pools, parts = model.initial_pools(parameters, weather), []
    ends = (0, 1, 8, 31, len(weather))
    for start, stop in pairwise(ends):
        runs = model.resume(pools, parameters, weather.between(start, stop), ("nee", "gpp"))
        parts.append(np.stack([runs.series("nee"), runs.series("gpp")]))
        pools = runs.final_pools
    expected = np.stack([whole.series("nee"), whole.series("gpp")])
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), expected)
    np.testing.assert_array_equal(pools, whole.final_pools)
    np.testing.assert_array_equal(weather.between(0, 8).values, weather.values[:, :8])
