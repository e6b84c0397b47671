"""Water and energy: tabulated physics, limits, and how carbon and water hang together."""

from types import SimpleNamespace

import numpy as np
import pytest
from concerto.models.components import _air as air
from concerto.models.components import buckets
from real_drivers import repeated
from synthetic_dalec import daily_calendar, draw_parameters, model_named

TYPICAL = {
    "stomatal_slope": 3.4, "aerodynamic_conductance": 0.03, "albedo": 0.15,
    "ground_evaporation_share": 0.8, "interception_share": 0.2, "snow_temperature": 1.0,
    "melt_rate": 3.0, "surface_capacity": 40.0, "surface_drainage": 500.0, "root_capacity": 300.0,
    "root_drainage": 1e5, "porosity": 0.45, "base_flow": 0.01, "critical_wetness": 0.4,
    "moisture_sensitivity": 0.6,
}  # fmt: skip
SUMMER = {
    "tasmin": 10.0, "tasmax": 24.0, "rsds": 22.0, "vpd": 900.0, "pr": 0.0, "co2": 400.0,
    "day_of_year": 180.5, "latitude": 50.0, "elevation": 300.0, "step": 1.0,
}  # fmt: skip


def advance(lai=4.0, gpp=10.0, stores=None, parameters=None, **weather):
    """One step of the buckets on plain numbers."""
    p = SimpleNamespace(**(TYPICAL | (parameters or {})))
    w = SimpleNamespace(**(SUMMER | weather))
    sizes = {"w_snow": 0.0, "w_surface": 25.0, "w_root": 200.0, "w_ground": 100.0}
    after, fluxes = buckets.advance(SimpleNamespace(**(sizes | (stores or {}))), lai, gpp, p, w)
    return {name: float(value) for name, value in (fluxes | after).items()}


def test_published_examples_of_fao_56():
    # examples 2, 8 and 11, and tables 2.2 to 2.4 of Allen et al. (1998)
    assert float(air.pressure(1800.0)) == pytest.approx(81.8e3, abs=50.0)
    assert float(air.psychrometric(81.8e3, 20.0)) == pytest.approx(54.0, abs=0.7)
    assert float(air.saturation(24.5)) == pytest.approx(3075.0, rel=3e-3)
    assert float(air.saturation_slope(30.0)) == pytest.approx(243.0, rel=2e-3)
    sky = float(air.top_of_atmosphere(245.5, -20.0)) * 0.0864
    assert sky == pytest.approx(32.2, abs=0.2)
    # 22.7 S in May: 14.5 MJ received of 18.8, 19.1 to 25.1 degC, 2.1 kPa: 3.5 MJ m-2 d-1 are lost
    lost = air.net_longwave(19.1, 25.1, 14.5 / 0.0864, 2100.0, 18.8 / 0.0864)
    assert float(lost) * 0.0864 == pytest.approx(3.5, abs=0.1)


def test_slope_is_the_derivative():
    rise = (float(air.saturation(15.0 + 1e-5)) - float(air.saturation(15.0 - 1e-5))) / 2e-5
    assert float(air.saturation_slope(15.0)) == pytest.approx(rise, rel=1e-8)


def penman_monteith(net, conductance, vpd, temperature=17.0, aerodynamic=0.03):
    """W m-2, in the textbook's form of resistances."""
    pressure = float(air.pressure(300.0))
    slope, gamma = (
        float(air.saturation_slope(temperature)),
        float(air.psychrometric(pressure, temperature)),
    )
    drying = float(air.density(pressure, temperature)) * air.HEAT_CAPACITY * vpd
    top = slope * net + drying * aerodynamic
    return top / (slope + gamma * (1.0 + aerodynamic / conductance))


def test_transpiration_is_penman_monteith():
    out = advance(stores={"w_root": 1e6}, parameters={"root_capacity": 1e7})
    molar_volume = air.GAS_CONSTANT * (17.0 + 273.15) / float(air.pressure(300.0))
    assimilation = 10.0 / 12.011 / 86400.0
    root = np.sqrt(0.9)
    conductance = 1.6 * molar_volume * assimilation * (1.0 + 3.4 / root) / 400e-6
    canopy = out["net_radiation"] * (1.0 - np.exp(-2.0))
    expected = penman_monteith(canopy, conductance, 900.0)
    latent = out["transpiration"] * float(air.vaporisation(17.0)) / 86400.0
    assert latent == pytest.approx(expected, rel=1e-4)


def test_limits_of_transpiration():
    assert advance(gpp=0.0)["transpiration"] == 0.0
    assert advance(gpp=0.0, vpd=0.0)["transpiration"] == 0.0
    assert advance(stores={"w_root": 0.0, "w_surface": 0.0})["transpiration"] == 0.0
    # saturated air: stomata wide open, and the air takes what radiation evaporates
    wet = advance(vpd=0.0, stores={"w_root": 1e6}, parameters={"root_capacity": 1e7})
    slope = float(air.saturation_slope(17.0))
    gamma = float(air.psychrometric(float(air.pressure(300.0)), 17.0))
    equilibrium = slope / (slope + gamma) * wet["net_radiation"] * (1.0 - np.exp(-2.0))
    latent = wet["transpiration"] * float(air.vaporisation(17.0)) / 86400.0
    assert latent == pytest.approx(equilibrium, rel=1e-4)
    rising = [advance(gpp=gpp)["transpiration"] for gpp in (0.1, 1.0, 5.0, 20.0)]
    assert np.all(np.diff(rising) > 0.0)


def test_snow():
    cold = advance(tasmin=-20.0, tasmax=-10.0, pr=8.0)
    assert cold["snowfall"] == pytest.approx(8.0, rel=1e-12)
    assert cold["snow_melt"] == 0.0
    assert cold["w_snow"] == pytest.approx(8.0 - cold["sublimation"], rel=1e-12)
    warm = advance(pr=8.0, stores={"w_snow": 300.0})
    assert warm["snowfall"] < 1e-12
    assert warm["snow_melt"] == pytest.approx(3.0 * 17.0, rel=0.1)  # degree-days, little held back
    gone = advance(stores={"w_snow": 5.0}, tasmin=30.0, tasmax=40.0, parameters={"melt_rate": 8.0})
    assert gone["w_snow"] < 1e-12


def test_saturated_and_empty_soil():
    full = advance(pr=60.0, stores={"w_surface": 40.0, "w_root": 300.0})
    assert full["w_surface"] <= 40.0 * (1.0 + 1e-12)
    assert full["w_root"] <= 300.0 * (1.0 + 1e-12)
    reaching = 60.0 - full["interception"]
    assert full["surface_runoff"] == pytest.approx(reaching, rel=1e-9)
    empty = advance(stores=dict.fromkeys(buckets.POOLS, 0.0))
    assert empty["et"] == empty["runoff"] == empty["water_storage"] == 0.0
    assert empty["sensible_heat"] == pytest.approx(empty["net_radiation"])
    assert empty["skin_temperature"] > 17.0


def test_stress_and_moisture():
    p = SimpleNamespace(**TYPICAL)
    wetness = np.array([0.0, 60.0, 120.0, 121.0, 300.0])
    factor = [float(buckets.stress(SimpleNamespace(w_root=root), p)) for root in wetness]
    np.testing.assert_allclose(factor, [0.0, 0.5, 1.0, 1.0, 1.0])
    decay = [
        float(buckets.moisture(SimpleNamespace(w_surface=s), p)) for s in (0.0, 20.0, 40.0, 50.0)
    ]
    np.testing.assert_allclose(decay, [0.4, 0.7, 1.0, 1.0])


@pytest.fixture(scope="module")
def water():
    return model_named("dalec_water")


def test_carbon_is_that_of_dalec2_where_water_does_not_bind(water):
    dalec2 = model_named("dalec2")
    parameters = draw_parameters(water, 40, seed=3)
    place = {name: k for k, name in enumerate(water.parameter_names)}
    parameters[:, place["critical_wetness"]] = 1e-12
    parameters[:, place["moisture_sensitivity"]] = 0.0
    wet = water.simulate(parameters, repeated(water, 300), (*dalec2.outputs, "water_stress"))
    free = wet.series("water_stress").min(axis=1) == 1.0
    assert free.sum() >= 20
    own = parameters[:, [place[name] for name in dalec2.parameter_names]]
    dry = dalec2.simulate(own, repeated(dalec2, 300), dalec2.outputs)
    for name in dalec2.outputs:
        found, expected = wet.series(name)[free], dry.series(name)[free]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_drought_lowers_photosynthesis_and_evaporation(water):
    parameters = draw_parameters(water, 100, seed=4)
    n = 365
    day, days = daily_calendar("2015-01-01", n)
    season = np.cos(2.0 * np.pi * (day - 200.0) / 365.0)
    drivers = {
        "tasmin": 8.0 + 8.0 * season, "tasmax": 18.0 + 8.0 * season, "rsds": 12.0 + 9.0 * season,
        "vpd": 800.0 + 500.0 * season, "co2": np.full(n, 400.0),
        "burned_area_fraction": np.zeros(n), "harvested_area_fraction": np.zeros(n),
    }  # fmt: skip
    totals = []
    for rain in (0.0, 1.0, 4.0):
        weather = water.prepare_weather(
            drivers | {"pr": np.full(n, rain)}, day, days, 1.0, 50.0, 300.0
        )
        runs = water.simulate(parameters, weather, ("gpp", "et", "runoff"))
        totals.append([runs.series(name).sum(axis=1) for name in runs.names])
    dry, middle, wet = np.array(totals)
    assert (dry <= middle * (1.0 + 1e-9)).all()
    assert (middle <= wet * (1.0 + 1e-9)).all()
    assert np.median(wet[0] / dry[0]) > 1.05
