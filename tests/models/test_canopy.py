"""The canopy through the day, against closed forms, quadrature and an independent leaf."""

import json
import math
from types import SimpleNamespace

import casadi as ca
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from concerto.cubes import HALFHOURLY, read_cube
from concerto.errors import ConcertoError, InputError
from concerto.evaluation import canopy as evaluation
from concerto.models import write_down
from concerto.models.components import _leaf as leaves
from concerto.models.components import _radiation as radiation
from concerto.models.kernels.formula import Formula
from concerto.plots import canopy as canopy_plot
from concerto.projection.canopy import draw_with, weather_of
from plot_canopy import plot_canopy
from read_tower import read_tower
from run_canopy import run_canopy
from scipy.integrate import quad
from scipy.optimize import brentq
from score_canopy import score_canopy
from synthetic_dalec import ROOT, draw_parameters, files_of, model_named

DATA = ROOT / "tests/data"
STEP = 1.0 / 48.0
SIGMA = 5.670374419e-8


def evaluate(function, **arrays):
    """Call a function of symbols on arrays; it returns numbers or tuples of them."""
    symbols = {name: ca.SX.sym(name) for name in arrays}
    found = function(**symbols)
    column = ca.vertcat(*found) if isinstance(found, tuple) else ca.SX(found)
    rows = np.column_stack(np.broadcast_arrays(*map(np.atleast_1d, arrays.values()))).astype(float)
    (out,) = Formula((ca.vertcat(*symbols.values()),), (column,)).evaluate(rows)
    return out.T if isinstance(found, tuple) else out[:, 0]


@pytest.fixture(scope="module")
def model():
    return model_named("canopy")


# --- radiation


def test_the_sun_is_highest_when_and_where_it_should_be():
    minutes = np.arange(0, 365 * 1440) / 1440.0
    sine = evaluate(radiation.sine_of_elevation, day_of_year=minutes, latitude=50.0, solar_offset=0)
    days = sine.reshape(365, 1440)
    highest = np.degrees(np.arcsin(days.max(axis=1)))
    np.testing.assert_allclose([highest.max(), highest.min()], [40 + 23.4, 40 - 23.4], atol=0.1)
    ahead = 720.0 - days.argmax(axis=1)  # equation of time, min: known extremes
    assert (ahead.argmin(), ahead.argmax()) == (pytest.approx(42, 4), pytest.approx(306, 4))
    np.testing.assert_allclose([ahead.min(), ahead.max()], [-14.2, 16.4], atol=1.0)


def test_the_clock_is_that_of_the_record():
    """Potential radiation as the record's own processing computed it."""
    record = pd.read_csv(DATA / "FLX_BE-Vie_cut.csv")
    starts = pd.to_datetime(record["TIMESTAMP_START"].astype(str))
    day = starts.dt.dayofyear - 1 + (starts.dt.hour * 60 + starts.dt.minute + 15) / 1440.0
    sine = evaluate(
        radiation.sine_of_elevation, day_of_year=day.to_numpy(), latitude=50.30493,
        solar_offset=5.99812 / 15.0 - 1.0,
    )  # fmt: skip
    above = 1367.0 * (1.0 + 0.033 * np.cos(2.0 * np.pi * day / 365.0)) * np.maximum(0.0, sine)
    assert np.abs(above - record["SW_IN_POT"]).max() < 0.03 * 1367.0


def test_diffuse_fraction_of_erbs():
    def fraction(clearness):
        above = 1361.0 * 0.5 * (1.0 + 0.033)
        return evaluate(
            radiation.diffuse_fraction, shortwave=clearness * above, sine=0.5, day_of_year=0.0
        )

    np.testing.assert_allclose(fraction(np.array([0.0, 0.1, 0.9])), [1.0, 0.991, 0.165])
    for edge in (0.22, 0.8):
        assert np.ptp(fraction(edge + np.array([-1e-9, 1e-9]))) < 2e-3
    beam = evaluate(
        lambda light, sine: light * (1.0 - radiation.diffuse_fraction(light, sine, 0.0)),
        light=50.0, sine=np.array([-0.3, 0.0, 1e-3]),
    )  # fmt: skip
    assert beam.max() < 1.5, "no beam from below the horizon"


RADIATION = {
    "lai": 3.0, "sine": 0.7, "beam": 500.0, "diffuse": 200.0, "scattering": 0.15,
    "reflectance": 0.1, "clumping": 0.8,
}  # fmt: skip


def absorbed(**changes):
    def absorb(lai, sine, beam, diffuse, scattering, reflectance, clumping):
        cover = radiation.canopy(lai, sine, clumping)
        return radiation.absorb(cover, beam, diffuse, scattering, reflectance, clumping)

    return evaluate(absorb, **RADIATION | changes)


def test_black_leaves_absorb_a_beam_by_beers_law():
    lai = np.array([0.1, 1.0, 3.0, 8.0])
    sunlit, shaded, soil = absorbed(scattering=0.0, reflectance=0.0, diffuse=0.0, lai=lai)
    gap = np.exp(-0.5 * 0.8 / 0.7 * lai)
    np.testing.assert_allclose(sunlit, 500.0 * (1.0 - gap), rtol=1e-12)
    np.testing.assert_allclose(shaded, 0.0, atol=1e-10)
    np.testing.assert_allclose(soil, 500.0 * gap, rtol=1e-12)


def test_absorption_is_the_sum_over_depths():
    """Light at every depth, met by the sunlit share of leaves there (de Pury & Farquhar 1997)."""
    r = RADIATION
    black = math.sqrt(1.0 - r["scattering"])
    kb, kd = r["clumping"] * 0.5 / r["sine"], r["clumping"] * 0.78
    horizontal = (1.0 - black) / (1.0 + black)

    def deep(sine):
        k = r["clumping"] * 0.5 / sine
        return horizontal * 2.0 * k / (1.0 + k)

    sky = quad(lambda sine: 2.0 * sine * deep(sine), 0.0, 1.0)[0]
    net = {}
    for name, k, over in (("beam", kb, deep(r["sine"])), ("diffuse", kd, sky)):
        whole = over + (r["reflectance"] - over) * math.exp(-2.0 * black * k * r["lai"])
        net[name] = (r[name] * (1.0 - whole), black * k)

    def uptake(depth):
        direct = r["beam"] * (1.0 - r["scattering"]) * kb * math.exp(-kb * depth)
        (ib, k1), (i2, k2) = net["beam"], net["diffuse"]
        spread = i2 * k2 * math.exp(-k2 * depth) + ib * k1 * math.exp(-k1 * depth) - direct
        return spread, r["beam"] * (1.0 - r["scattering"]) * kb

    def lit(depth):
        return math.exp(-kb * depth)

    sunlit, shaded, soil = (float(part[0]) for part in absorbed())
    wanted = quad(lambda x: (uptake(x)[0] + uptake(x)[1]) * lit(x), 0.0, r["lai"])[0]
    np.testing.assert_allclose(sunlit, wanted, rtol=1e-9)
    wanted = quad(lambda x: uptake(x)[0] * (1.0 - lit(x)), 0.0, r["lai"])[0]
    np.testing.assert_allclose(shaded, wanted, rtol=1e-9)
    wanted = sum(light * math.exp(-k * r["lai"]) for light, k in net.values())
    np.testing.assert_allclose(soil, wanted, rtol=1e-12)


def test_no_more_is_absorbed_than_there_is():
    rng = np.random.default_rng(1)
    n = 20000
    parts = absorbed(
        lai=rng.uniform(0.01, 8.0, n), sine=rng.uniform(-1.0, 1.0, n),
        clumping=rng.uniform(0.4, 1.0, n),
        beam=rng.uniform(0.0, 1.0, n), diffuse=rng.uniform(0.0, 1.0, n) + 0.05,
        scattering=rng.uniform(0.0, 0.9, n), reflectance=rng.uniform(0.0, 0.3, n),
    )  # fmt: skip
    assert parts.min() >= -1e-15


def test_views_of_sky_and_soil_add_up():
    def views(lai, sine, clumping):
        sky, soil, gap = radiation.views(radiation.canopy(lai, sine, clumping))
        return (*sky, *soil, gap)

    lai, clumping = np.array([0.01, 2.0, 6.0]), 0.7
    alike = 0.5 / 0.78  # sine at which a beam is taken up like diffuse light
    found = evaluate(views, lai=lai, sine=alike, clumping=clumping)
    near = evaluate(views, lai=lai, sine=alike * (1.0 + 1e-4), clumping=clumping)
    np.testing.assert_allclose(found, near, rtol=1e-3)
    assert found.min() >= 0.0
    np.testing.assert_allclose(found[0] + found[1] + found[4], 1.0, rtol=1e-14)
    np.testing.assert_allclose(found[2] + found[3] + found[4], 1.0, rtol=1e-14)
    k = clumping * 0.78
    from_below = [
        quad(lambda x, depth=depth: k * math.exp(-k * (depth - x)) * math.exp(-k * x), 0, depth)[0]
        for depth in lai
    ]
    np.testing.assert_allclose(found[2], from_below, rtol=1e-6)


# --- leaves

LEAF = {"area": 1.0, "vcmax25": 60.0, "light": 800.0, "absorbed": 1000.0, "seen": 1.6,
        "heat": 1.0, "vapour": 0.6}  # fmt: skip
AIR = {"tas": 20.0, "humidity": 1500.0, "ps": 95000.0, "co2": 400.0}
TRAITS = {"jmax_ratio": 1.7, "respiration_ratio": 0.015, "g1": 4.0,
          "cuticular_conductance": 0.005, "c4_fraction": 0.0}  # fmt: skip


def records(values):
    """A leaf, the air and traits from one mapping."""
    humidity = {
        "vapour_pressure": values["humidity"],
        "vaporisation": 0.018015 * (2.501e6 - 2361.0 * values["tas"]),
    }
    return (
        leaves.Leaf(**{name: values[name] for name in LEAF}),
        SimpleNamespace(**{name: values[name] for name in ("tas", "ps", "co2")}, **humidity),
        SimpleNamespace(**{name: values[name] for name in TRAITS}),
    )


def settled(**changes):
    """Temperature, gross uptake, respiration, conductance, CO2 inside, surplus of heat."""

    def settle(**values):
        leaf, w, p = records(values)
        temperature, gases = leaves.settle(leaf, w, p)
        rest = leaves.surplus(leaf, gases.vapour, temperature, w)
        kept = leaves.gas_exchange(leaf, temperature, w, p)
        return (
            temperature, gases.gross, gases.respiration, gases.conductance, gases.inside, rest,
            kept.conductance,
        )  # fmt: skip

    return evaluate(settle, **LEAF | AIR | TRAITS | changes)


def at(temperature, **changes):
    """Gross uptake and respiration at a leaf temperature."""

    def exchange(temperature, **values):
        gases = leaves.gas_exchange(*records_at(temperature, values))
        return gases.gross, gases.respiration, gases.used

    return evaluate(exchange, temperature=temperature, **LEAF | AIR | TRAITS | changes)


def records_at(temperature, values):
    leaf, w, p = records(values)
    return leaf, temperature, w, p


def reference_leaf(v):
    """Leaf temperature, net uptake and conductance by root finding, in plain Python."""
    gas = 8.314462618

    def saturation(t):
        return 610.94 * math.exp(17.625 * t / (t + 243.04))

    def arrhenius(energy, t):
        return math.exp(energy * (t - 25.0) / (298.15 * gas * (t + 273.15)))

    def curve(a, b, theta):
        """The smooth minimum, found as a root below both."""
        return brentq(lambda x: theta * x * x - (a + b) * x + a * b, 0.0, min(a, b), xtol=1e-14)

    def uptake(ci, t):
        """Net uptake, umol m-2 s-1, at CO2 inside in Pa."""
        gamma = 42.75e-6 * v["ps"] * arrhenius(37830.0, t)
        kc = 404.9e-6 * 101325.0 * arrhenius(79430.0, t)
        ko = 278.4e-3 * 101325.0 * arrhenius(36380.0, t)
        vcmax = v["vcmax25"] * arrhenius(65330.0, t)
        jmax = v["jmax_ratio"] * v["vcmax25"] * arrhenius(43540.0, t)
        j = curve(0.425 * v["light"], jmax, 0.7)
        ac = vcmax * (ci - gamma) / (ci + kc * (1.0 + 0.2095 * v["ps"] / ko))
        aj = j / 4.0 * (ci - gamma) / (ci + 2.0 * gamma)
        rd = v["respiration_ratio"] * v["vcmax25"] * arrhenius(46390.0, t)
        return curve(ac, aj, 0.98) - rd

    def stomata(t):
        """Uptake and conductance at which supply of CO2 meets demand."""
        deficit = max(50.0, saturation(t) - v["humidity"]) / 1000.0
        ca_pa = v["co2"] * 1e-6 * v["ps"]

        def conductance(ci):
            return 1.6 * (1.0 + v["g1"] / math.sqrt(deficit)) * uptake(ci, t) / v["co2"]

        def lack(ci):
            supplied = conductance(ci) / 1.6 * (ca_pa - ci) / v["ps"] * 1e6
            return (supplied - uptake(ci, t)) / uptake(ci, t)

        ci = brentq(lack, 0.25 * ca_pa, ca_pa * (1 - 1e-9), xtol=1e-12)
        return uptake(ci, t), conductance(ci) + v["cuticular_conductance"] * v["area"]

    def gain(t):
        _, conductance = stomata(t)
        way = 1.0 / (1.0 / conductance + 1.0 / v["vapour"])
        heat = 29.3 * v["heat"] * (t - v["tas"])
        latent = 0.018015 * (2.501e6 - 2361.0 * v["tas"])
        latent *= way * (saturation(t) - v["humidity"]) / v["ps"]
        return v["absorbed"] - v["seen"] * SIGMA * (t + 273.15) ** 4 - heat - latent

    t = brentq(gain, v["tas"] - 15.0, v["tas"] + 15.0, xtol=1e-12)
    return (t, *stomata(t))


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"light": 150.0, "absorbed": 700.0}, {"tas": 32.0, "humidity": 2000.0}, {"co2": 800.0},
        {"tas": 6.0, "humidity": 700.0, "absorbed": 800.0}, {"g1": 1.6}, {"ps": 70000.0},
        {"humidity": 2300.0, "heat": 3.0}, {"vcmax25": 20.0, "light": 2000.0},
    ],
)  # fmt: skip
def test_leaf_is_the_one_that_root_finding_gives(changes):
    temperature, gross, respiration, conductance, *_ = settled(**changes)[:, 0]
    wanted = reference_leaf(LEAF | AIR | TRAITS | changes)
    np.testing.assert_allclose(
        (temperature, gross - respiration, conductance), wanted, rtol=1e-6, atol=1e-6
    )


def test_smooth_minimum_is_below_both_and_sharp_in_the_limit():
    a, b = np.random.default_rng(2).uniform(0.0, 50.0, (2, 1000))
    for curvature in (0.7, 0.95, 1.0):
        found = evaluate(lambda a, b, c=curvature: leaves.smaller(a, b, c), a=a, b=b)
        assert (found <= np.minimum(a, b) * (1.0 + 1e-12)).all()
        roots = curvature * found**2 - (a + b) * found + a * b
        assert np.abs(roots).max() < 1e-9
    # the product under the root cancels here, which leaves the root of a last place
    np.testing.assert_allclose(found, np.minimum(a, b), rtol=1e-6)


def test_in_the_dark_leaves_respire():
    for share in (0.0, 0.4, 1.0):
        gross, respiration, _ = at(20.0, light=0.0, c4_fraction=share)
        assert gross == 0.0
        assert respiration > 0.0
    conductance = settled(light=0.0)[3]
    np.testing.assert_allclose(conductance, TRAITS["cuticular_conductance"])
    np.testing.assert_allclose(at(25.0)[1], 0.015 * 60.0, rtol=1e-12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_uptake_rises_with_light_and_levels_off(share):
    gross, _, used = at(25.0, light=np.linspace(0.0, 3000.0, 301), c4_fraction=share)
    rise = np.diff(gross)
    assert (rise >= 0.0).all()
    assert (np.diff(rise) < 1e-9).all()
    assert rise[-1] < 0.05 * rise[0]
    assert (np.diff(used[1:]) <= 1e-12).all()


def test_co2_saturates_c4_before_c3():
    low, high, higher = (at(30.0, co2=co2, light=1500.0)[0] for co2 in (200.0, 800.0, 1e5))
    c4_low, c4_high = (
        at(30.0, co2=co2, light=1500.0, c4_fraction=1.0)[0] for co2 in (200.0, 800.0)
    )
    assert low < high < higher
    # all the electrons, four for each CO2
    electrons = evaluate(
        lambda light, jmax: leaves.smaller(0.425 * light, jmax, 0.7), light=1500.0,
        jmax=1.7 * 60.0 * np.exp(43540.0 / 8.314462618 * (1 / 298.15 - 1 / 303.15)),
    )  # fmt: skip
    np.testing.assert_allclose(higher, electrons / 4.0, rtol=0.02)
    assert high / low > 1.5
    assert c4_high / c4_low < 1.05
    assert c4_low > low


@pytest.mark.parametrize(("t", "light", "co2"), [(25, 900, 400), (38, 2000, 400), (12, 300, 60)])
def test_c4_leaf_is_the_published_one(t, light, co2):
    """Oleson et al. (2013, chapter 8), with the roots found by search."""

    def curve(a, b, theta):
        return brentq(lambda x: theta * x * x - (a + b) * x + a * b, 0.0, min(a, b), xtol=1e-14)

    q10 = 2.0 ** ((t - 25.0) / 10.0)
    vcmax = 60.0 * q10 / (1.0 + math.exp(0.3 * (t - 40.0))) / (1.0 + math.exp(0.2 * (15.0 - t)))
    deficit = (610.94 * math.exp(17.625 * t / (t + 243.04)) - 800.0) / 1000.0
    inside = co2 * 4.0 / (4.0 + math.sqrt(deficit))  # ppm
    wanted = curve(curve(vcmax, 0.05 * light, 0.8), 20000e-6 * 60.0 * q10 * inside, 0.95)
    found = at(t, light=light, co2=co2, humidity=800.0, c4_fraction=1.0)
    np.testing.assert_allclose(found[:2, 0], (wanted, 0.015 * 60.0 * q10), rtol=1e-6)


def test_share_of_c4_is_linear_at_a_temperature():
    c3, mixed, c4 = (at(28.0, c4_fraction=share) for share in (0.0, 0.3, 1.0))
    np.testing.assert_allclose(mixed, 0.7 * c3 + 0.3 * c4, rtol=1e-12)


def test_supply_of_co2_meets_demand():
    _, gross, respiration, conductance, inside, *_ = settled(light=np.linspace(100.0, 2000.0, 20))
    stomata = conductance - TRAITS["cuticular_conductance"]
    supply = stomata / 1.6 * (400.0 - inside / 95000.0 * 1e6)
    np.testing.assert_allclose(supply, gross - respiration, rtol=1e-9)


def test_fluorescence_rises_with_light_and_quenches():
    light = np.linspace(1.0, 2000.0, 200)
    used = at(25.0, light=light)[2]
    sif = evaluate(
        lambda used, light: leaves.fluorescence(used, light, 25.0, 60.0), used=used, light=light
    )
    assert (np.diff(sif) > 0.0).all()
    # all light used: photochemistry takes its best share of what fluorescence would else emit
    thermal, best = 0.8738, 4.0 / (0.05 + 0.8738 + 4.0)
    dim = evaluate(lambda used: leaves.fluorescence(used, 1.0, 25.0, 60.0), used=1.0)
    wanted = 0.05 / (0.05 + thermal) * (1.0 - best) / (0.045 * 60.0 + 7.85)
    np.testing.assert_allclose(dim, wanted, rtol=1e-4)
    assert 0.5 < sif[-1] < 5.0


# --- the model


def random_weather(steps, seed):
    """From polar night to tropical noon, with saturated air, calm, bare ground and noise."""
    rng = np.random.default_rng(seed)
    tas = rng.uniform(-30.0, 45.0, steps)
    saturation = 610.94 * np.exp(17.625 * tas / (tas + 243.04))
    drivers = {
        "tas": tas,
        "vpd": saturation * np.maximum(0.0, rng.uniform(-0.5, 1.0, steps)),
        "rsds": np.maximum(0.0, rng.uniform(-500.0, 1100.0, steps)),
        "rlds": SIGMA * (tas + 273.15) ** 4 * rng.uniform(0.6, 1.0, steps),
        "ps": rng.uniform(6e4, 1.05e5, steps),
        "wind": np.maximum(0.0, rng.uniform(-3.0, 12.0, steps)),
        "co2": rng.uniform(200.0, 1000.0, steps),
        "lai": np.maximum(0.0, rng.uniform(-1.0, 8.0, steps)),
        "solar_offset": rng.uniform(-1.0, 1.0, steps),
    }
    return drivers, rng.uniform(0.0, 365.0, steps)


def run_on_arrays(model, parameters, weather):
    """Every output, (member, time) each, and the pool before each step, without compiling."""
    stages = write_down(model, weather.daily)
    pools, constants = stages.constants.evaluate(parameters)
    before, rows = [], []
    for now in weather.values[0]:
        before.append(pools[:, 0])
        pools, outputs = stages.step.evaluate(pools, constants, now[None])
        rows.append(outputs)
    out = np.stack(rows, axis=2)
    return dict(zip(model.outputs, out.transpose(1, 0, 2), strict=True)), np.stack(before, axis=1)


@pytest.fixture(scope="module")
def harsh(model):
    """1000 parameter sets in 200 half-hours of any weather."""
    drivers, day = random_weather(200, seed=3)
    weather = model.prepare_weather(drivers, day, np.full(200, 365.0), STEP, 50.0, 300.0)
    parameters = draw_parameters(model, 1000, seed=4)
    out, before = run_on_arrays(model, parameters, weather)
    return drivers, parameters, out, before


def test_no_weather_is_too_harsh(model, harsh):
    drivers, _, out, _ = harsh
    for name in model.outputs:
        assert np.isfinite(out[name]).all(), name
    for name in ("gpp", "reco", "sif", "apar", "canopy_conductance"):
        assert out[name].min() >= 0.0, name
    dark = drivers["rsds"] == 0.0
    for name in ("gpp", "sif", "apar"):
        assert np.abs(out[name][:, dark]).max() == 0.0, name
    np.testing.assert_allclose(out["nee"], out["reco"] - out["gpp"], rtol=0, atol=1e-12)


def test_energy_balance_closes(model, harsh):
    drivers, parameters, out, before = harsh
    parts = [out[name] for name in ("net_radiation", "le", "h", "ground_heat")]
    rest = parts[0] - sum(parts[1:])
    assert np.abs(rest / sum(np.abs(part) for part in parts)).max() < 1e-9
    capacity = parameters[:, [model.parameter_names.index("soil_heat_capacity")]]
    stored = capacity * (out["soil_temperature"] - before) / 1800.0
    np.testing.assert_allclose(out["ground_heat"], stored, rtol=1e-6, atol=1e-6)
    dark = drivers["rsds"] == 0.0
    radiated = SIGMA * (out["lst"] + 273.15) ** 4
    np.testing.assert_allclose(
        out["net_radiation"][:, dark], (drivers["rlds"] - radiated)[:, dark], atol=1e-9
    )
    assert out["net_radiation"].max() < 1100.0 + 400.0


def test_leaf_temperatures_are_solved():
    """Residuals over random leaves, as temperatures: of the balance, and of what stomata saw."""
    rng = np.random.default_rng(5)
    n = 100_000
    tas = rng.uniform(-30.0, 45.0, n)
    saturation = 610.94 * np.exp(17.625 * tas / (tas + 243.04))
    area, light = rng.uniform(0.01, 4.0, n), np.maximum(0.0, rng.uniform(-500.0, 1500.0, n))
    seen = rng.uniform(0.3, 1.5, n) * area
    values = {
        "area": area, "vcmax25": rng.uniform(10.0, 150.0, n) * area, "light": light * area,
        "absorbed": light / 4.57 * 1.2 * area + seen * SIGMA * (tas + 273.15) ** 4 * 0.9,
        "seen": seen, "heat": rng.uniform(0.2, 3.0, n) * area,
        "vapour": rng.uniform(0.1, 1.5, n) * area, "tas": tas,
        "humidity": saturation * np.minimum(1.0, rng.uniform(0.1, 1.3, n)),
        "ps": rng.uniform(6e4, 1.05e5, n), "co2": rng.uniform(200.0, 1000.0, n),
        "g1": rng.uniform(0.5, 8.0, n), "c4_fraction": rng.uniform(0.0, 1.0, n),
    }  # fmt: skip
    temperature, *_, conductance, _, rest, seen_by_stomata = settled(**values)
    slope = 29.3 * values["heat"]
    assert np.abs(rest / slope).max() < 1e-6
    assert np.abs(temperature - tas).max() < 60.0
    mismatch = np.abs(seen_by_stomata / conductance - 1.0)
    assert np.quantile(mismatch, 0.99) < 1e-3
    assert np.quantile(mismatch, 0.5) < 1e-9


def test_derivatives_are_exact(model):
    drivers, day = random_weather(20, seed=6)
    weather = model.prepare_weather(drivers, day, np.full(20, 365.0), STEP, 50.0, 300.0)
    stages = write_down(model, False)
    pools, constants = stages.constants.evaluate(draw_parameters(model, 20, seed=7))
    x, c, w = (np.asarray(part, np.longdouble) for part in (pools, constants, weather.values[0]))
    rng = np.random.default_rng(8)
    dx, dc = 0.01 * rng.normal(size=x.shape), 1e-3 * c * rng.normal(size=c.shape)
    change = np.hstack(stages.step.tangent((0, 1)).evaluate(x, c, w, dx, dc))
    h = np.longdouble(1e-6)
    ahead, behind = (
        np.hstack(stages.step.evaluate(x + s * h * dx, c + s * h * dc, w)) for s in (1, -1)
    )
    difference = (ahead - behind) / (2 * h)
    scale = np.abs(ahead) + np.abs(change)
    assert np.abs(difference - change).max(axis=0).size == 1 + len(model.outputs)
    assert (np.abs(difference - change) <= 1e-7 * scale + 1e-12).all()


# --- at a tower


@pytest.fixture(scope="module")
def vielsalm(tmp_path_factory):
    """Two months of Vielsalm: its site, the cube and runs of 16 parameter sets with scores."""
    folder = tmp_path_factory.mktemp("canopy")
    site = yaml.safe_load((ROOT / "config/config.yaml").read_text())["sites"]["BE-Vie"]
    for name in ("FLX_BE-Vie", "merged_BE-Vie"):
        kept = {"FLX_BE-Vie": "FLX_BE-Vie_2014.csv", "merged_BE-Vie": "merged_BE-Vie_data.csv"}
        (folder / kept[name]).write_bytes((DATA / f"{name}_cut.csv").read_bytes())
    source = ROOT / "config/sources/be_vie_2014.yaml"
    read_tower("BE-Vie", site, [folder] * 2, [source] * 2, folder / "halfhourly.nc")
    run_canopy(
        "BE-Vie", site, files_of("canopy"), folder / "halfhourly.nc", fixed={"c4_fraction": 0.0},
        members=16, seed=1, ensemble=folder / "canopy.nc",
    )  # fmt: skip
    score_canopy(folder / "halfhourly.nc", folder / "canopy.nc", folder / "scores.csv")
    return folder


def test_two_months_of_vielsalm(vielsalm, model):
    scores = pd.read_csv(vielsalm / "scores.csv", index_col="stream")
    assert set(scores.index) == {"gpp", "nee", "le", "h", "rn"}
    assert np.isfinite(scores.drop(columns="units").to_numpy(float)).all()
    assert (scores["n"] > 500).all()
    assert (scores["r2"] > 0.5).all()
    runs = xr.load_dataset(vielsalm / "canopy.nc")
    assert dict(runs.sizes) == {"member": 16, "location": 1, "time": 60 * 48, "bnds": 2}
    assert runs["sif"].attrs["units"] == "mW m-2 nm-1 sr-1"
    warmer = runs["sunlit_temperature"] > runs["shaded_temperature"]
    noon = runs["time"].dt.hour == 12
    assert float(warmer.where(noon, drop=True).mean()) > 0.95
    assert float((runs["lst"] - runs["shaded_temperature"]).std()) < 6.0


def test_lanes_and_arrays_agree(vielsalm, model):
    record = read_cube(vielsalm / "halfhourly.nc", HALFHOURLY)
    weather = weather_of(record, model, 493.0, "halfhourly.nc").between(0, 200)
    parameters = draw_with(model, {"c4_fraction": 0.0}, 16, np.random.default_rng(9))
    assert (parameters[:, model.parameter_names.index("c4_fraction")] == 0.0).all()
    wanted, _ = run_on_arrays(model, parameters, weather)
    names = tuple(model.code.OUTPUTS)
    found = model.simulate(parameters, weather, names)
    for name in names:
        scale = np.abs(wanted[name]).max()
        np.testing.assert_allclose(found.series(name), wanted[name], rtol=1e-7, atol=1e-9 * scale)


def test_faults_of_the_record_are_named(vielsalm, model):
    record = read_cube(vielsalm / "halfhourly.nc", HALFHOURLY)
    with pytest.raises(InputError, match=r"file\.nc: wind: found no such variable"):
        weather_of(record.drop_vars("wind"), model, 493.0, "file.nc")
    gap = record.copy(deep=True)
    gap["rlds"][0, 5] = np.nan
    with pytest.raises(InputError, match="1 gaps, the first at 2014-05-01 02:30"):
        weather_of(gap, model, 493.0, "file.nc")
    with pytest.raises(ConcertoError, match="canopy: has no parameter c4"):
        draw_with(model, {"c4": 0.0}, 2, np.random.default_rng(1))


def test_figure_of_vielsalm(vielsalm, tmp_path):
    plot_canopy(
        "BE-Vie", record=vielsalm / "halfhourly.nc", ensemble=vielsalm / "canopy.nc",
        scores=vielsalm / "scores.csv", figure=tmp_path / "canopy.png",
    )  # fmt: skip
    assert 50_000 < (tmp_path / "canopy.png").stat().st_size < 400_000
    words = json.loads((tmp_path / "canopy.json").read_text(encoding="utf-8"))
    assert all(words.values())
    record = read_cube(vielsalm / "halfhourly.nc", HALFHOURLY)
    runs, scores = xr.load_dataset(vielsalm / "canopy.nc"), pd.read_csv(vielsalm / "scores.csv")
    figure = canopy_plot.draw(site="BE-Vie", record=record, runs=runs, scores=scores).figure
    assert len(figure.axes) == 5 * 3, "spring, summer and the scatter plots"
    shown = {round(float(line.get_ydata().max()), 6) for line in figure.axes[0].get_lines()}
    gpp, times = evaluation.measured(record, "gpp"), record.indexes["time"]
    spring = pd.Series(gpp, times)[times.month == 5].dropna()
    daily = spring.groupby(spring.index.strftime("%H:%M")).agg(["mean", "count"])
    assert round(float(daily["mean"][daily["count"] >= canopy_plot.LEAST].max()), 6) in shown
