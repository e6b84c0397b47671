"""The P-model on its own, run as models are, beside pyrealm."""

import numpy as np
import pytest
from concerto.models.components._air import pressure
from concerto.models.components.light_use import PHOTONS
from concerto.units import MOLAR_MASS_CARBON, SECONDS_PER_DAY
from pyrealm.constants import CoreConst
from pyrealm.pmodel import PModel, PModelEnvironment
from synthetic_dalec import daily_calendar, draw_parameters, model_named

STEPS = 500
PER_SECOND = 1e6 / SECONDS_PER_DAY  # umol s-1 in mol d-1
ELEVATION = 1639.0


@pytest.fixture(scope="module")
def model():
    return model_named("pmodel")


def any_weather(seed, coldest=-40.0, least_co2=1.0, driest=8000.0):
    """From deep frost to desert heat, with nights, bare ground and saturated air among them."""
    rng = np.random.default_rng(seed)

    def often_zero(top):
        return np.where(rng.random(STEPS) < 0.1, 0.0, rng.uniform(0.0, top, STEPS))

    return {
        "tas": rng.uniform(coldest, 50.0, STEPS),
        "vpd": often_zero(driest),
        "rsds": often_zero(90.0),
        "co2": rng.uniform(least_co2, 2000.0, STEPS),
        "fapar": often_zero(1.0),
    }


def simulate(model, drivers, parameters, step=1.0):
    weather = model.prepare_weather(
        drivers, *daily_calendar("2015-01-01", STEPS), step, 50.0, ELEVATION
    )
    runs = model.simulate(parameters, weather, model.outputs)
    return {name: runs.series(name) for name in model.outputs}


@pytest.mark.filterwarnings("ignore::UserWarning")  # pyrealm's, of weather out of the ordinary
@pytest.mark.parametrize("step", [1.0, 1.0 / 48.0])
def test_agrees_with_pyrealm(model, step):
    drivers = any_weather(1, coldest=-25.0, least_co2=180.0)
    found = simulate(model, drivers, np.array([[0.08]]), step)
    environment = PModelEnvironment(
        tc=drivers["tas"], vpd=drivers["vpd"], co2=drivers["co2"],
        patm=np.full(STEPS, pressure(ELEVATION)),
        core_const=CoreConst(k_c_molmass=MOLAR_MASS_CARBON),
    )  # fmt: skip
    wanted = PModel(environment, kphio=0.08)
    wanted.estimate_productivity(drivers["fapar"], PHOTONS * drivers["rsds"] * PER_SECOND)
    references = {
        "gpp": wanted.gpp / PER_SECOND,
        "vcmax": wanted.vcmax,
        "jmax": wanted.jmax,
        "chi": wanted.optchi.chi,
        "ci": wanted.optchi.ci,
        "iwue": wanted.iwue,
    }
    assert set(references) == set(model.outputs)
    for name, reference in references.items():
        defined = np.isfinite(reference)
        assert defined.mean() > 0.8
        np.testing.assert_allclose(
            found[name][0, defined], reference[defined], rtol=1e-10, atol=1e-10, err_msg=name
        )
        assert (found[name][0, ~defined] == 0.0).all()


def test_no_parameters_fail_in_any_weather(model):
    drivers = any_weather(2)
    found = simulate(model, drivers, draw_parameters(model, 1000, seed=1))
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
    forwards = simulate(model, drivers, parameters)
    backwards = simulate(model, {name: v[::-1] for name, v in drivers.items()}, parameters)
    for name, series in forwards.items():
        np.testing.assert_array_equal(series, backwards[name][:, ::-1])


def test_parameter_is_that_of_the_component(model):
    component = model_named("dalec2", photosynthesis="light_use")
    same = [p for p in component.parameters if p.name == "quantum_yield"]
    assert list(model.parameters) == same
