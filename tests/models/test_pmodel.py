"""The P-model on its own, run as models are, beside pyrealm."""

import numpy as np
import pandas as pd
import pytest
from concerto.models.components._air import pressure
from concerto.models.components.light_use import PHOTONS
from concerto.units import MOLAR_MASS_CARBON, SECONDS_PER_DAY
from synthetic_dalec import ROOT, daily_calendar, draw_parameters, model_named

STEPS = 500
PER_SECOND = 1e6 / SECONDS_PER_DAY  # umol s-1 in mol d-1


@pytest.fixture(scope="module")
def model():
    return model_named("pmodel")


def any_weather(seed):
    """From deep frost to desert heat, with nights, bare ground and saturated air among them."""
    rng = np.random.default_rng(seed)

    def often_zero(top):
        return np.where(rng.random(STEPS) < 0.1, 0.0, rng.uniform(0.0, top, STEPS))

    return {
        "tas": rng.uniform(-40.0, 50.0, STEPS),
        "vpd": often_zero(8000.0),
        "rsds": often_zero(90.0),
        "co2": rng.uniform(1.0, 2000.0, STEPS),
        "fapar": often_zero(1.0),
    }


def prepare(model, drivers, step=1.0, elevation=300.0):
    calendar = daily_calendar("2015-01-01", len(drivers["tas"]))
    return model.prepare_weather(drivers, *calendar, step, 50.0, elevation)


def simulate(model, parameters, weather):
    runs = model.simulate(parameters, weather, model.outputs)
    return {name: runs.series(name) for name in model.outputs}


@pytest.mark.parametrize("step", [1.0, 1.0 / 48.0])
def test_agrees_with_pyrealm(model, step):
    """On its validation inputs, each at the elevation that has its pressure."""
    table = pd.read_csv(ROOT / "tests/data/pyrealm.csv", comment="#")
    drivers = {
        "tas": table["tc"], "vpd": table["vpd"], "co2": table["co2"], "fapar": table["fapar"],
        "rsds": table["ppfd"] / (PHOTONS * PER_SECOND),
    }  # fmt: skip
    elevation = 293.0 / 0.0065 * (1.0 - (table["patm"] / 101325.0) ** (1.0 / 5.26))
    np.testing.assert_allclose(pressure(float(elevation[0])), table["patm"][0], rtol=1e-14)
    found = simulate(model, np.array([[0.05]]), prepare(model, drivers, step, elevation))
    found["gpp"] *= PER_SECOND * 12.0107 / MOLAR_MASS_CARBON
    for name, (series,) in found.items():
        defined = table[name].notna()
        np.testing.assert_allclose(series[defined], table[name][defined], rtol=1e-11, err_msg=name)
        assert (series[~defined] == 0.0).all()


def test_no_parameters_fail_in_any_weather(model):
    drivers = any_weather(2)
    found = simulate(model, draw_parameters(model, 1000, seed=1), prepare(model, drivers))
    for name, series in found.items():
        assert np.isfinite(series).all(), name
    for name in ("gpp", "vcmax", "jmax"):
        assert found[name].min() == 0.0, name
        idle = (drivers["tas"] < -13.3) | (drivers["rsds"] == 0.0) | (drivers["fapar"] == 0.0)
        assert (found[name][:, idle] == 0.0).all(), name
    saturated = drivers["vpd"] == 0.0
    assert (found["chi"][:, saturated] == 1.0).all()
    assert (found["iwue"][:, saturated] == 0.0).all()


def test_it_has_no_memory(model):
    assert model.pools == ()
    drivers = any_weather(3)
    parameters = draw_parameters(model, 5, seed=2)
    backwards = {name: values[::-1] for name, values in drivers.items()}
    forwards, backwards = (
        simulate(model, parameters, prepare(model, weather)) for weather in (drivers, backwards)
    )
    for name, series in forwards.items():
        np.testing.assert_array_equal(series, backwards[name][:, ::-1])


def test_derivatives_are_those_of_a_proportion(model):
    """GPP is proportional to the parameter; forwards and backwards, also without pools."""
    weather, parameters = prepare(model, any_weather(4)), draw_parameters(model, 20, seed=3)
    runs = model.simulate(parameters, weather, ["gpp"], ["gpp"], keep_path=True)
    change = model.push_forward(parameters, parameters[:, None], weather, ["gpp"], ["gpp"])
    np.testing.assert_allclose(change.series("gpp"), runs.series("gpp"), rtol=1e-13)
    weights = [np.zeros_like(part) for part in (runs.record, runs.totals)]
    weights[1][:] = 1.0
    gradient = model.pull_back(weather, runs, *weights, runs.snapshots, 0.0 * runs.pools)
    np.testing.assert_allclose(gradient * runs.parameters, runs.totals, rtol=1e-13)


def test_parameter_is_that_of_the_component(model):
    component = model_named("dalec2", photosynthesis="light_use")
    same = [p for p in component.parameters if p.name == "quantum_yield"]
    assert list(model.parameters) == same
