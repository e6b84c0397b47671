"""The P-model against two other implementations, and against the optima that it stands for.

pyrealm is in Python (Imperial College), rpmodel in R (by authors of Stocker et al. 2020). Both are
compared on the inputs that pyrealm is validated with; ``tests/data`` has what they make of them.
"""

from types import SimpleNamespace

import casadi as ca
import numpy as np
import pandas as pd
import pytest
from concerto.models.components import light_use as theory
from concerto.models.components._air import pressure
from concerto.models.kernels.formula import Formula
from concerto.units import MOLAR_MASS_CARBON
from scipy.optimize import brentq, minimize_scalar
from synthetic_dalec import ROOT, draw_parameters, make_drivers, model_named, monthly_calendar

CARBON = 12.0107  # g mol-1, as the others have it
YIELD = 0.05
TOLERANCES = {
    "pyrealm": {"rtol": 1e-12},
    "rpmodel": {"rtol": 1e-9, "atol": 0.6e-8},  # eight decimals
}


def evaluate(function, *columns):
    """Results of a function of the theory on arrays, which go through symbols as in a model."""
    x = ca.SX.sym("x", len(columns))
    made = function(*ca.vertsplit(x))
    results = ca.vertcat(*made) if isinstance(made, tuple) else made
    (values,) = Formula((x,), (results,)).evaluate(np.column_stack(columns).astype(float))
    return values.T if isinstance(made, tuple) else values[:, 0]


def published(name):
    return pd.read_csv(ROOT / f"tests/data/{name}.csv", comment="#")


@pytest.fixture(scope="module")
def inputs():
    """Temperature, vapour pressure deficit, CO2 and pressure, as the theory takes them."""
    return [published("pyrealm")[name] for name in ("tc", "vpd", "co2", "patm")]


@pytest.mark.parametrize("name", TOLERANCES)
def test_agrees_with_other_implementations(name, inputs):
    table = published(name)
    air = table["tc"], table["patm"]
    leaf = theory.Leaf(*evaluate(theory.optimal_leaf, *inputs))
    compensation = evaluate(theory.compensation_point, *air)
    michaelis = evaluate(theory.michaelis_constant, *air)
    light = YIELD * table["fapar"] * table["ppfd"]
    found = {
        "gammastar": compensation,
        "kmm": michaelis,
        "ns_star": evaluate(theory.relative_viscosity, *air),
        "chi": leaf.chi,
        "ci": leaf.ci,
        "mj": evaluate(theory.light_limit, leaf.ci, compensation),
        "mc": evaluate(theory.rubisco_limit, leaf.ci, compensation, michaelis),
        "lue": theory.light_use_efficiency(leaf, YIELD) * (CARBON / MOLAR_MASS_CARBON),
        "gpp": CARBON * leaf.assimilation * light,
        "vcmax": leaf.carboxylation * light,
        "jmax": leaf.transport * light,
    }
    for quantity in table.columns.intersection(list(found)):
        values, wanted = found[quantity], table[quantity]
        defined = wanted.notna()
        np.testing.assert_allclose(
            values[defined], wanted[defined], err_msg=quantity, **TOLERANCES[name]
        )
        assert (values[~defined] == 0.0).all()  # where no capacity pays
    assert 70 <= table["jmax"].count() <= table["gpp"].count() < len(table)


def test_water_is_water():
    """Density of IAPWS-95 at 0.1 MPa; verification value of IAPWS R12-08 (2008), table 4."""
    for celsius, density in ((4.0, 999.975), (20.0, 998.207), (40.0, 992.216)):
        assert theory.water_density(celsius, 1e5) == pytest.approx(density, abs=0.02)
    dense = brentq(lambda pascal: theory.water_density(25.0, pascal) - 998.0, 1e5, 1e8)
    assert theory.viscosity(25.0, dense) == pytest.approx(889.735100e-6, rel=1e-9)
    assert theory.viscosity(-80.0, 1e5) == theory.viscosity(-25.0, 1e5)


@pytest.mark.parametrize("vpd", [50.0, 800.0, 3000.0])
@pytest.mark.parametrize("celsius", [5.0, 25.0])
def test_chi_costs_least(celsius, vpd):
    """Water and carboxylation for a mole of carbon; the optimum found by search."""
    air, outside = 9e4, 36.0
    compensation = theory.compensation_point(celsius, air)
    michaelis = theory.michaelis_constant(celsius, air)
    viscosity = theory.relative_viscosity(celsius, air)

    def cost(chi):
        inside = chi * outside
        water = viscosity * theory.DIFFUSIVITY_RATIO * vpd / (outside - inside)
        return water + theory.COST_RATIO * (inside + michaelis) / (inside - compensation)

    bounds = (compensation / outside + 1e-6, 1.0 - 1e-6)
    best = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    chi = theory.optimal_chi(michaelis, compensation, viscosity, outside, vpd)
    assert chi == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("m_j", [0.42, 0.6, 0.9])
def test_transport_gains_most(m_j):
    """What light drives through a capacity (Smith 1937), less what the capacity costs."""

    def assimilated(capacity):  # with a unit of light
        return m_j * capacity / np.hypot(1.0, capacity)

    best = minimize_scalar(
        lambda capacity: theory.TRANSPORT_COST * capacity - assimilated(capacity),
        bounds=(0.0, 10.0), method="bounded", options={"xatol": 1e-10},
    ).x  # fmt: skip
    used, built = evaluate(theory.transport_limits, [m_j])
    assert built == pytest.approx(best, abs=1e-6)
    assert m_j * used == pytest.approx(assimilated(best), rel=1e-6)


def test_capacities_are_used_alike(inputs):
    """Light and Rubisco limit assimilation equally: neither is in excess."""
    temperature, _, _, air = inputs
    leaf = theory.Leaf(*evaluate(theory.optimal_leaf, *inputs))
    kinetics = (theory.compensation_point, theory.michaelis_constant)
    constants = [evaluate(of, temperature, air) for of in kinetics]
    at_work = evaluate(theory.rubisco_limit, leaf.ci, *constants)
    np.testing.assert_allclose(leaf.carboxylation * at_work, leaf.assimilation, rtol=1e-12)


def daily(**changes):
    """GPP, gC m-2 d-1, on days that differ as ``changes`` say."""
    known = {
        "tas": 15.0, "vpd": 700.0, "rsds": 15.0, "co2": 400.0, "elevation": 300.0,
        "lai": 3.0, "quantum_yield": 0.08,
    } | changes  # fmt: skip

    def gpp(*values):
        given = SimpleNamespace(**dict(zip(known, values, strict=True)))
        return theory.gpp(given.lai, given, given)

    return evaluate(gpp, *np.broadcast_arrays(*map(np.atleast_1d, known.values())))


def test_closed_form():
    """A closed canopy in saturated air: inside as outside, so that only light and CO2 count."""
    outside = 400e-6 * pressure(300.0)
    compensation = theory.compensation_point(15.0, pressure(300.0))
    m_j = (outside - compensation) / (outside + 2.0 * compensation)
    per_mole = 0.08 * (0.352 + 0.022 * 15.0 - 0.00034 * 15.0**2) * m_j
    per_mole *= np.sqrt(1.0 - (0.41 / m_j) ** (2.0 / 3.0)) * MOLAR_MASS_CARBON
    np.testing.assert_allclose(daily(lai=1e3, vpd=0.0), 2.04 * 15.0 * per_mole, rtol=1e-13)


@pytest.mark.parametrize("nothing", [{"rsds": 0.0}, {"lai": 0.0}, {"tas": -13.3}, {"co2": 60.0}])
def test_nothing_from_nothing(nothing):
    assert daily(**nothing) == 0.0


@pytest.mark.parametrize(("name", "values", "sign"), [
    ("lai", np.linspace(0.0, 10.0, 50), 1.0),
    ("co2", np.linspace(100.0, 2000.0, 50), 1.0),
    ("vpd", np.geomspace(1e-9, 5000.0, 50), -1.0),
    ("tas", np.linspace(-13.0, 15.0, 50), 1.0),
    ("tas", np.linspace(30.0, 40.0, 50), -1.0),
])  # fmt: skip
def test_responses_have_one_direction(name, values, sign):
    assert (sign * np.diff(daily(**{name: values})) > 0.0).all()


@pytest.mark.parametrize("name", ["rsds", "quantum_yield"])
def test_gpp_is_in_proportion(name):
    """A leaf that has acclimated to its light is not saturated by it."""
    values = np.linspace(0.0, 30.0, 20)
    found = daily(**{name: values})
    np.testing.assert_allclose(found, values * daily(**{name: 1.0}), rtol=1e-13)


def test_saturated_air_is_approached_without_a_jump():
    assert daily(vpd=-10.0) == daily(vpd=0.0)
    np.testing.assert_allclose(daily(vpd=1e-8), daily(vpd=0.0), rtol=1e-5)


def test_no_parameters_make_dalec2_fail_in_any_weather():
    model = model_named("dalec2", photosynthesis="light_use")
    months, rng = 600, np.random.default_rng(3)
    drivers = make_drivers(months, rng, fire=0.02, harvest=0.01)
    mean = rng.uniform(-40.0, 35.0, months)
    drivers |= {
        "tas": mean, "tasmin": mean - 5.0, "tasmax": mean + 5.0,
        "vpd": rng.uniform(-10.0, 6000.0, months),
    }  # fmt: skip
    weather = model.prepare_weather(drivers, *monthly_calendar(months), 30.4375, 50.0, 300.0)
    parameters = draw_parameters(model, 1000, seed=4)
    runs = model.simulate(parameters, weather, model.outputs)
    assert np.isfinite(runs.record).all()
    # subnormal numbers have a few bits: what is lost of an empty pool may round to more than it
    nil = np.finfo(float).tiny
    assert runs.series("gpp").min() >= 0.0
    for name in model.pools:
        assert runs.series(name).min() >= -nil
    assert np.quantile(runs.series("gpp"), 0.75) > 0.1
    changes = model.push_forward(parameters, parameters[:, None], weather, ["gpp"])
    assert np.isfinite(changes.record).all()
