"""DALEC2 against its equations, written out once more here without numba, lanes or preparation."""

import math

import numpy as np
import pytest
from concerto.models.components import six_pools as code
from concerto.models.components._sun import day_length
from scipy.special import ive
from synthetic_dalec import (
    MONTH,
    daily_calendar,
    draw_parameters,
    make_drivers,
    monthly_calendar,
)

LATITUDE = 50.0
DAYS, MONTHS = 730, 48
OFFSET = (
    2.359978471e-5, 3.32730053021e-4, 9.01865258885e-4, -5.437736864888e-3,
    -2.0836027517787e-2, 0.126972018064287, -0.188459767342504,
)  # fmt: skip
COMBUSTED = {"labile": 0.1, "leaf": 0.9, "root": 0.1, "wood": 0.1, "litter": 0.5, "soil": 0.01}


def reference_phenology(day, peak_day, period, life_span):
    """Rate (d-1) of leaf fall: Bloom & Williams (2015), in days on a year of 365.25."""
    s = 365.25 / math.pi
    width = period * math.sqrt(2.0) / 2.0
    logarithm = math.log(life_span - 1.0)
    turnover = (math.log(life_span) - logarithm) / 2.0
    offset = width * sum(c * math.pow(logarithm, 6 - k) for k, c in enumerate(OFFSET))
    sine = math.sin((day - peak_day + offset) / s) * s / width
    return 2.0 / math.sqrt(math.pi) * turnover / width * math.exp(-sine * sine)


def reference_gpp(lai, efficiency, now, day, latitude):
    conductance = math.pow(2.0, 0.789798) / (0.37836 + 0.5 * (now["tasmax"] - now["tasmin"]))
    p = lai * efficiency * math.exp(0.011136 * now["tasmax"]) / conductance
    q = 4.22273 - 208.868
    total = now["co2"] + q - p
    inside = 0.5 * (total + math.sqrt(total**2 - 4.0 * (now["co2"] * q - 4.22273 * p)))
    light = 7.19298 * lai**2 / (lai**2 + 2.1001) * now["rsds"]
    supply = conductance * (now["co2"] - inside)
    declination = math.radians(-23.4 * math.cos(math.radians(360.0 * (day + 10.0) / 365.0)))
    cosine = -math.tan(math.radians(latitude)) * math.tan(declination)
    hours = 24.0 / math.pi * math.acos(min(1.0, max(-1.0, cosine)))
    return light * supply / (light + supply) * (0.0156935 * hours + 0.0453194)


def reference_step(pools, p, now, day, days_in_year, step, latitude):
    """One step on a dictionary of pools; returns the fluxes, gC m-2 d-1."""

    def lost(rate):
        return -math.expm1(step * math.log1p(-rate)) / step

    season = day / days_in_year * 365.25
    fluxes = {"lai": pools["leaf"] / p["leaf_mass"]}
    gpp = reference_gpp(fluxes["lai"], p["canopy_efficiency"], now, day, latitude)
    autotrophic = p["autotrophic_fraction"] * gpp
    leaf = p["leaf_allocation"] * (gpp - autotrophic)
    labile = p["labile_allocation"] * (gpp - autotrophic - leaf)
    root = p["root_allocation"] * (gpp - autotrophic - leaf - labile)
    wood = gpp - autotrophic - leaf - labile - root
    warmth = math.exp(p["temperature_sensitivity"] * 0.5 * (now["tasmin"] + now["tasmax"]))
    release = pools["labile"] * lost(
        reference_phenology(season, p["release_day"], p["release_period"], 1.001)
    )
    fall = pools["leaf"] * lost(
        reference_phenology(season, p["fall_day"], p["fall_period"], p["leaf_life_span"])
    )
    root_loss = pools["root"] * lost(p["root_turnover"])
    wood_loss = pools["wood"] * lost(p["wood_turnover"])
    # litter is lost in two ways at once, which share the loss in proportion to their rates
    rates = [p["litter_respiration"] * warmth, p["litter_decomposition"] * warmth]
    respired_litter, decomposed = (
        pools["litter"] * lost(sum(rates)) * rate / sum(rates) for rate in rates
    )
    respired_soil = pools["soil"] * lost(p["soil_respiration"] * warmth)

    pools["labile"] += step * (labile - release)
    pools["leaf"] += step * (leaf + release - fall)
    pools["root"] += step * (root - root_loss)
    pools["wood"] += step * (wood - wood_loss)
    pools["litter"] += step * (fall + root_loss - respired_litter - decomposed)
    pools["soil"] += step * (decomposed + wood_loss - respired_soil)

    burned = now["burned_area_fraction"] * step
    emitted = {name: burned * COMBUSTED[name] * pools[name] for name in pools}
    killed = {name: burned * (1 - COMBUSTED[name]) * 0.5 * pools[name] for name in pools}
    for name in pools:
        pools[name] -= emitted[name]
    for name in ("labile", "leaf", "root"):
        pools[name] -= killed[name]
        pools["litter"] += killed[name]
    for name in ("wood", "litter"):
        pools[name] -= killed[name]
        pools["soil"] += killed[name]
    cut = now["harvested_area_fraction"] * step
    harvest = cut * pools["wood"] / step
    for name in ("labile", "leaf", "root"):
        pools["litter"] += cut * pools[name]
    for name in ("labile", "leaf", "root", "wood"):
        pools[name] *= 1.0 - cut
    fire = sum(emitted.values()) / step
    reco = autotrophic + respired_litter + respired_soil
    return fluxes | {
        "gpp": gpp, "reco": reco, "nee": reco - gpp, "nbe": reco - gpp + fire,
        "autotrophic_respiration": autotrophic, "litter_respiration": respired_litter,
        "soil_respiration": respired_soil, "fire_emission": fire, "harvest": harvest,
        "labile_allocation": labile, "leaf_allocation": leaf, "root_allocation": root,
        "wood_allocation": wood, "labile_release": release, "leaf_fall": fall,
        "root_turnover": root_loss, "wood_turnover": wood_loss,
        "litter_decomposition": decomposed,
    } | {f"c_{name}": size for name, size in pools.items()}  # fmt: skip


def reference_run(names, parameters, drivers, calendar, step, latitude=LATITUDE):
    p = dict(zip(names, map(float, parameters), strict=True))
    pools = {name: p[f"initial_{name}"] for name in COMBUSTED}
    rows = []
    for t in range(len(calendar[0])):
        now = {name: float(values[t]) for name, values in drivers.items()}
        day, days_in_year = (float(part[t]) for part in calendar)
        rows.append(reference_step(pools, p, now, day, days_in_year, step, latitude))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def simulate(model, parameters, drivers, calendar, step, latitude=LATITUDE):
    """Return every output, (member, time) each."""
    weather = model.prepare_weather(drivers, *calendar, step, latitude, 300.0)
    runs = model.simulate(np.atleast_2d(parameters), weather, model.outputs)
    return {name: runs.series(name) for name in model.outputs}


def steady(steps, **changes):
    """The same mild weather at every step."""
    drivers = {
        "tasmin": 5.0, "tasmax": 15.0, "rsds": 15.0, "co2": 400.0,
        "burned_area_fraction": 0.0, "harvested_area_fraction": 0.0,
    }  # fmt: skip
    return {name: np.full(steps, value) for name, value in (drivers | changes).items()}


def rounding(out):
    """Last places of each member's largest pool: losses 1 - (1 - k)^step cancel to that."""
    return 1e-15 * np.max([out[pool].max(axis=1) for pool in out if pool.startswith("c_")], axis=0)


def column(model, name):
    return model.parameter_names.index(name)


def initial_columns(model):
    return [column(model, pool.replace("c_", "initial_")) for pool in model.pools]


def set_parameters(model, parameters, **values):
    out = np.array(parameters, dtype=float)
    for name, value in values.items():
        out[..., column(model, name)] = value
    return out


CASES = {
    "daily": (1.0, daily_calendar("2015-01-01", DAYS), 0.5),
    "monthly": (MONTH, monthly_calendar(MONTHS), 0.02),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """Step, calendar and random weather with fires."""
    step, calendar, fire = CASES[request.param]
    drivers = make_drivers(len(calendar[0]), np.random.default_rng(4), fire=fire, harvest=fire / 2)
    return step, calendar, drivers


def test_agrees_with_its_equations(dalec2, case):
    step, calendar, drivers = case
    parameters = draw_parameters(dalec2, 50, seed=1)
    found = simulate(dalec2, parameters, drivers, calendar, step)
    for member, row in enumerate(parameters):
        wanted = reference_run(dalec2.parameter_names, row, drivers, calendar, step)
        assert set(wanted) == {*code.OUTPUTS, *code.POOLS, "lai"}
        for name, series in wanted.items():
            np.testing.assert_allclose(
                found[name][member], series, rtol=1e-10, atol=rounding(found)[member], err_msg=name
            )


def test_carbon_balance_closes(dalec2, case):
    step, calendar, drivers = case
    parameters = draw_parameters(dalec2, 400, seed=2)
    out = simulate(dalec2, parameters, drivers, calendar, step)
    total = sum(out[pool] for pool in dalec2.pools)
    initial = parameters[:, initial_columns(dalec2)].sum(axis=1)
    change = np.diff(total, axis=1, prepend=initial[:, None])
    assert out["fire_emission"].max() > 1.0
    assert out["harvest"].max() > 1.0
    moved = step * (out["gpp"] + out["reco"] + out["fire_emission"] + out["harvest"])
    error = np.abs(change + step * (out["nbe"] + out["harvest"]))
    rounding = 8.0 * np.spacing(total + np.abs(change))  # that pools are stored as float64
    assert (error <= 1e-9 * moved + rounding).all()
    assert np.median(error / moved) < 1e-9
    np.testing.assert_allclose(
        out["nbe"], out["reco"] + out["fire_emission"] - out["gpp"], rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(out["nee"], out["reco"] - out["gpp"], rtol=1e-12, atol=1e-12)


OUTFLOWS = {
    "c_labile": ("labile_release",),
    "c_leaf": ("leaf_fall",),
    "c_root": ("root_turnover",),
    "c_wood": ("wood_turnover",),
    "c_litter": ("litter_respiration", "litter_decomposition"),
    "c_soil": ("soil_respiration",),
}


def test_each_pool_is_its_flows(dalec2, case):
    step, calendar, drivers = case
    drivers = drivers | dict.fromkeys(code.DRIVERS, np.zeros(len(calendar[0])))
    parameters = draw_parameters(dalec2, 50, seed=3)
    out = simulate(dalec2, parameters, drivers, calendar, step)
    for k, pool in enumerate(dalec2.pools):
        inflow = sum(out[name] for name in code.INFLOWS[pool])
        outflow = sum(out[name] for name in OUTFLOWS[pool])
        initial = parameters[:, initial_columns(dalec2)[k]]
        change = np.diff(out[pool], axis=1, prepend=initial[:, None])
        scale = np.abs(out[pool]) + np.abs(change) + step * (inflow + outflow)
        assert (np.abs(change - step * (inflow - outflow)) <= 1e-13 * scale).all(), pool


def test_growth_is_shared_out(dalec2, case):
    step, calendar, drivers = case
    out = simulate(dalec2, draw_parameters(dalec2, 50, seed=4), drivers, calendar, step)
    shares = [out[f"{part}_allocation"] for part in ("labile", "leaf", "root", "wood")]
    np.testing.assert_allclose(
        sum(shares), out["gpp"] - out["autotrophic_respiration"], rtol=1e-12, atol=1e-12
    )
    assert min(share.min() for share in shares) >= 0.0


def test_step_of_one_day_is_the_daily_step(dalec2):
    calendar = daily_calendar("2015-01-01", DAYS)
    drivers = make_drivers(DAYS, np.random.default_rng(6), fire=0.1)
    parameters = draw_parameters(dalec2, 40, seed=5)
    daily_weather = dalec2.prepare_weather(drivers, *calendar, 1.0, LATITUDE, 300.0)
    daily = dalec2.simulate(parameters, daily_weather, dalec2.outputs)
    # one longer step at the end, and the driver must use the step of any length throughout
    steps = np.ones(DAYS)
    steps[-1] = 2.0
    longer = dalec2.prepare_weather(drivers, *calendar, steps, LATITUDE, 300.0)
    assert daily_weather.daily
    assert not longer.daily
    general = dalec2.simulate(parameters, longer, dalec2.outputs)
    pools = {pool: daily.series(pool) for pool in dalec2.pools}
    for name in dalec2.outputs:
        a, b = daily.series(name)[:, :-1], general.series(name)[:, :-1]
        atol = 0.0 if name in pools else np.broadcast_to(rounding(pools)[:, None], a.shape)
        assert (np.abs(a - b) <= 1e-12 * np.abs(b) + atol).all(), name
    assert (daily.series("c_soil")[:, -1] != general.series("c_soil")[:, -1]).any()


@pytest.mark.parametrize(("latitude", "warmth"), [(-60.0, 8.0), (0.0, 27.0), (75.0, -10.0)])
def test_no_parameters_fail(dalec2, case, latitude, warmth):
    step, calendar, _ = case
    parameters = draw_parameters(dalec2, 1000, seed=6)
    rng = np.random.default_rng(7)
    drivers = make_drivers(len(calendar[0]), rng, warmth, fire=1.0 / step)
    out = simulate(dalec2, parameters, drivers, calendar, step, latitude)
    for name in dalec2.outputs:
        assert np.isfinite(out[name]).all(), name
    for name in (*dalec2.pools, "gpp", "lai", "reco", "fire_emission"):
        assert out[name].min() >= 0.0, name


def gpp_of(model, parameters, **weather):
    calendar = (np.full(1, 180.5), np.full(1, 365))
    return simulate(model, parameters, steady(1, **weather), calendar, 1.0)["gpp"][:, 0]


@pytest.mark.parametrize(
    ("variable", "levels"),
    [("rsds", np.linspace(0.0, 30.0, 16)), ("co2", np.linspace(100.0, 1000.0, 16))],
)
def test_gpp_rises_with_light_and_co2(dalec2, variable, levels):
    parameters = draw_parameters(dalec2, 60, seed=8)
    gpp = np.stack([gpp_of(dalec2, parameters, **{variable: level}) for level in levels])
    assert (np.diff(gpp, axis=0) >= -1e-12 * gpp.max(axis=0)).all()
    assert (gpp[-1] > gpp[0]).all()


def test_gpp_rises_with_leaf_area_and_efficiency(dalec2):
    parameters = draw_parameters(dalec2, 60, seed=9)
    for name, levels in (
        ("initial_leaf", 10.0 ** np.linspace(-3, 4, 20)),
        ("canopy_efficiency", np.linspace(1.0, 60.0, 20)),
    ):
        rows = [gpp_of(dalec2, set_parameters(dalec2, parameters, **{name: x})) for x in levels]
        gpp = np.stack(rows)
        assert (np.diff(gpp, axis=0) >= -1e-12 * gpp.max(axis=0)).all(), name
        assert (gpp[-1] > gpp[0]).all(), name


def test_no_light_or_no_leaves_give_no_gpp(dalec2):
    parameters = draw_parameters(dalec2, 40, seed=10)
    bare = set_parameters(dalec2, parameters, initial_leaf=0.0)
    assert (gpp_of(dalec2, parameters, rsds=0.0) == 0.0).all()
    assert (gpp_of(dalec2, bare) == 0.0).all()
    assert (gpp_of(dalec2, bare, rsds=0.0) == 0.0).all()
    assert (gpp_of(dalec2, parameters) > 0.0).all()


def hours(days, latitude):
    return np.array([day_length(float(day), latitude) for day in days])


def test_day_length():
    days = np.arange(0.5, 365.0)
    np.testing.assert_allclose(hours(days, 0.0), 12.0, rtol=1e-12)
    winter, summer = [355.0], [172.0]
    for latitude in (70.0, 89.9, 90.0):
        assert hours(winter, latitude) == 0.0
        assert hours(summer, latitude) == 24.0
        assert hours(winter, -latitude) == 24.0
        assert hours(summer, -latitude) == 0.0
    # 16.2 h and 8.2 h at 50 degrees north, without refraction
    np.testing.assert_allclose(hours(summer, 50.0), 16.15, atol=0.1)
    np.testing.assert_allclose(hours(winter, 50.0), 7.85, atol=0.1)
    # both hemispheres share the hours of a day
    np.testing.assert_allclose(hours(days, 63.0) + hours(days, -63.0), 24.0, rtol=1e-12)


@pytest.mark.parametrize("step", [1.0, MONTH])
def test_constant_decay_follows_the_closed_form(dalec2, step):
    n = 48
    calendar = monthly_calendar(n)
    parameters = draw_parameters(dalec2, 30, seed=11)
    drivers = steady(n, rsds=0.0)
    out = simulate(dalec2, parameters, drivers, calendar, step)
    elapsed = step * np.arange(1, n + 1)
    for pool in ("root", "wood"):
        rate = parameters[:, column(dalec2, f"{pool}_turnover")][:, None]
        initial = parameters[:, column(dalec2, f"initial_{pool}")][:, None]
        expected = initial * (1.0 - rate) ** elapsed
        np.testing.assert_allclose(out[f"c_{pool}"], expected, rtol=1e-11)


def test_soil_decay_follows_the_temperature(dalec2):
    n = 365
    calendar = daily_calendar("2015-01-01", n)
    parameters = set_parameters(
        dalec2, draw_parameters(dalec2, 30, seed=12), initial_wood=0.0, initial_litter=0.0,
        initial_leaf=0.0, initial_root=0.0, initial_labile=0.0,
    )  # fmt: skip
    drivers = make_drivers(n, np.random.default_rng(1)) | {"rsds": np.zeros(n)}
    out = simulate(dalec2, parameters, drivers, calendar, 1.0)
    middle = 0.5 * (drivers["tasmin"] + drivers["tasmax"])
    theta = parameters[:, column(dalec2, "temperature_sensitivity")][:, None]
    rate = parameters[:, column(dalec2, "soil_respiration")][:, None] * np.exp(theta * middle)
    initial = parameters[:, column(dalec2, "initial_soil")][:, None]
    np.testing.assert_allclose(out["c_soil"], initial * np.cumprod(1.0 - rate, axis=1), rtol=1e-12)


def yearly_rates(model, parameters):
    """Daily rates of leaf fall and labile release over a year without growth, (member, day)."""
    n = 365
    still = steady(n, rsds=0.0)
    calendar = daily_calendar("2015-01-01", n)
    out = simulate(model, parameters, still, calendar, 1.0)
    rates = []
    for pool, flow in (("leaf", "leaf_fall"), ("labile", "labile_release")):
        initial = parameters[:, column(model, f"initial_{pool}")][:, None]
        before = np.concatenate([initial, out[f"c_{pool}"][:, :-1]], axis=1)
        rates.append(out[flow] / before)
    return rates


def test_phenology_integrates_to_its_turnover(dalec2):
    parameters = draw_parameters(dalec2, 50, seed=13)
    parameters = set_parameters(dalec2, parameters, initial_labile=1e-290)
    fall, release = yearly_rates(dalec2, parameters)
    life_span = parameters[:, column(dalec2, "leaf_life_span")]
    for rates, span, period in (
        (fall, life_span, parameters[:, column(dalec2, "fall_period")]),
        (release, np.full(50, 1.001), parameters[:, column(dalec2, "release_period")]),
    ):
        a = 365.25 / math.pi / (period * math.sqrt(2.0) / 2.0)
        lasting = math.sqrt(math.pi) * a * ive(0, a * a / 2.0)  # 1 for a narrow pulse
        total = rates.sum(axis=1) * 365.25 / 365.0
        np.testing.assert_allclose(total, np.log(span / (span - 1.0)) * lasting, rtol=1e-8)
        narrow = period < 40.0
        assert narrow.any()
        np.testing.assert_allclose(lasting[narrow], 1.0, atol=0.03)


@pytest.mark.parametrize("life_span", [1.01, 1.5, 3.0, 8.0])
def test_pulse_peaks_when_it_should(dalec2, life_span):
    days = np.array([10.0, 100.0, 200.0, 300.0, 360.0])
    parameters = set_parameters(
        dalec2, draw_parameters(dalec2, 5, seed=14), initial_labile=1e-290, fall_period=40.0,
        leaf_life_span=life_span, fall_day=days,
    )  # fmt: skip
    rates = yearly_rates(dalec2, parameters)[0]
    delay = -40.0 * math.sqrt(0.5) * np.polyval(OFFSET, math.log(life_span - 1.0))
    late = np.argmax(rates, axis=1) + 0.5 - (days + delay)
    assert (np.abs((late + 182.5) % 365.0 - 182.5) <= 1.0).all()


def test_phenology_does_not_drift(dalec2):
    years = 30
    n = 365 * years + 7
    calendar = daily_calendar("1990-01-01", n)
    assert calendar[0][-1] > 364.0  # ends with the thirtieth year
    parameters = set_parameters(
        dalec2, draw_parameters(dalec2, 10, seed=15), initial_labile=0.0, leaf_life_span=3.0,
    )  # fmt: skip
    weather = dalec2.prepare_weather(steady(n, rsds=0.0), *calendar, 1.0, LATITUDE, 300.0)
    runs = dalec2.simulate(parameters, weather, dalec2.outputs)
    leaf = runs.series("c_leaf")
    before = np.concatenate([parameters[:, [column(dalec2, "initial_leaf")]], leaf[:, :-1]], axis=1)
    rate = runs.series("leaf_fall") / before
    starts = np.flatnonzero(calendar[0] == 0.5)
    assert len(starts) == years
    first, last = rate[:, :365], rate[:, starts[-1] :]
    np.testing.assert_allclose(last, first, rtol=1e-9)
    days = calendar[0]
    peaks = np.array([days[s + np.argmax(rate[:, s : s + 365], axis=1)] for s in starts])
    assert (np.ptp(peaks, axis=0) <= 1.0).all()  # also in leap years


def test_published_shares_of_fire(dalec2):
    parameters = draw_parameters(dalec2, 20, seed=16)
    still = steady(1, rsds=0.0, burned_area_fraction=0.3)
    calendar = (np.full(1, 180.5), np.full(1, 365))
    burned = simulate(dalec2, parameters, still, calendar, 1.0)
    spared = simulate(dalec2, parameters, still | {"burned_area_fraction": np.zeros(1)},
                      calendar, 1.0)  # fmt: skip
    emission = sum(0.3 * share * spared[f"c_{name}"] for name, share in COMBUSTED.items())
    np.testing.assert_allclose(burned["fire_emission"], emission, rtol=1e-12)
    survived = burned["c_leaf"] / spared["c_leaf"]
    np.testing.assert_allclose(survived, 1.0 - 0.3 * (0.9 + 0.1 * 0.5), rtol=1e-12)
    np.testing.assert_allclose(
        burned["c_soil"] - 0.997 * spared["c_soil"],
        0.3 * 0.5 * (0.9 * spared["c_wood"] + 0.5 * spared["c_litter"]),
        rtol=1e-6,
    )
