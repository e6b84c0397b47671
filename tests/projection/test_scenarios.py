"""Members run on: restarts, tiles, no land use, what is supplied, and the scripts in a row."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.stream_error import StreamError
from concerto.config import load_yaml
from concerto.cubes import load, save
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.scenarios import CROSSED, GAIN, MEMBERS, joined
from concerto.landuse.covers import Cover, Rules
from concerto.landuse.growth import SUMMED, pools_of_land
from concerto.landuse.levers import Ground, LandUse, Lever, Management
from concerto.projection.climate import before
from concerto.projection.scenarios import Drive, Members, Plan, annual_errors, project
from synthetic_dalec import draw_parameters, files_of
from synthetic_scenarios import CELLS, posterior, weather

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from compare_scenarios import Files as Compared  # noqa: E402
from compare_scenarios import compare_scenarios  # noqa: E402
from make_scenario import make_scenario  # noqa: E402
from plot_scenarios import plot_scenarios  # noqa: E402
from project_scenario import Files, project_scenario  # noqa: E402
from write_scenarios_page import write_scenarios_page  # noqa: E402

MEMBERS_OF = 16
RECORD = pd.date_range("1999-01-01", "2000-12-31", freq="MS")
AHEAD = pd.date_range("2001-01-01", "2012-12-31", freq="MS")
RULES = Rules((Cover("present"), Cover("field", {"root_allocation": 1.0}, True, False, 0.3),
               Cover("planted", regrows=True)))  # fmt: skip
USE = LandUse(
    "used", (Lever(0, 1, 0.02, end=2006), Lever(1, 2, 0.05, start=2005)),
    (Management(0, harvested_per_year=0.01, burned_per_year=0.005),),
)  # fmt: skip


@pytest.fixture(scope="module")
def parameters(dalec2):
    return draw_parameters(dalec2, CELLS * MEMBERS_OF, 8).reshape(CELLS, MEMBERS_OF, -1)


@pytest.fixture(scope="module")
def world(dalec2, parameters):
    heights = np.full(CELLS, 300.0)
    record, ahead = (Drive.of(dalec2, weather(t), heights, "f") for t in (RECORD, AHEAD))
    factors = np.linspace(0.5, 1.5, MEMBERS_OF)
    members = Members.after(record, parameters, factors)
    ground = Ground([f"cell{k}" for k in range(CELLS)], ["X", "X", "Y"], np.full(CELLS, 1e9))
    plan = Plan.of(USE, RULES, ahead.years, ground, "configuration")
    return members, ahead, plan, ground


def test_a_projection_that_is_stopped_goes_on_to_the_last_bit(world):
    members, ahead, plan, _ = world
    whole, series = project(members, ahead, plan, RULES)
    middle, first = project(members, ahead, plan, RULES, until=5)
    end, second = project(members, ahead, plan, RULES, start=middle)
    for name, values in series.items():
        np.testing.assert_array_equal(np.concatenate([first[name], second[name]]), values)
    np.testing.assert_array_equal(end.pools, whole.pools)
    assert series["nbp"].shape == (12, CELLS, MEMBERS_OF)
    assert np.isfinite(series["nbp"]).all()


def test_no_number_depends_on_which_cells_are_worked_on_together(world, dalec2):
    members, ahead, plan, _ = world
    _, series = project(members, ahead, plan, RULES, ("nbp", "shares"))
    one = np.array([1])
    alone = Members(members.parameters[one], members.pools[one], members.factors)
    own = Plan(plan.use, plan.states[one], plan.transitions[:, one])
    _, found = project(alone, ahead.select(one), own, RULES, ("nbp", "shares"))
    for name, values in found.items():
        np.testing.assert_array_equal(values, series[name][:, one])


def test_without_land_use_the_kernel_runs_on_as_it_would(world, dalec2, parameters):
    members, ahead, _, ground = world
    plan = Plan.of(LandUse("none"), RULES, ahead.years, ground, "configuration")
    land, series = project(members, ahead, plan, RULES)
    flat = parameters.reshape(CELLS * MEMBERS_OF, -1)
    record = Drive.of(dalec2, weather(RECORD), np.full(CELLS, 300.0), "f")
    runs = dalec2.resume(
        dalec2.simulate(flat, record.weather(), (), SUMMED).final_pools,
        flat, ahead.weather(), (), SUMMED,
    )  # fmt: skip
    expected = pools_of_land(dalec2, runs.final_pools).reshape(land.pools[:, :, 0].shape)
    np.testing.assert_array_equal(land.pools[:, :, 0], expected)
    nee = dict(zip(SUMMED, runs.placement.collect(runs.totals).T, strict=True))["nee"]
    np.testing.assert_allclose(
        series["nee"].sum(axis=0).ravel(), nee * ahead.days, rtol=1e-9, atol=1e-7
    )
    assert not series["gross_source"].any()
    assert not series["harvest"].any()


def test_carbon_closes_to_the_end_and_areas_differ_by_member(world):
    members, ahead, plan, _ = world
    _, series = project(members, ahead, plan, RULES)
    held = sum(series[name] for name in ("vegetation", "litter", "soil", "wood_products"))
    np.testing.assert_allclose(np.diff(held, axis=0), series["nbp"][1:], rtol=1e-9, atol=1e-8 * 1e3)
    field = series["shares"][5, 0, :, 1]
    assert (np.diff(field) > 0.0).all()
    assert (series["fire"] > 0.0).all()


def test_pairs_have_the_same_state_and_crossed_members_others(world):
    members = world[0]
    crossed = members.crossed(3)
    assert crossed.size == 9
    np.testing.assert_array_equal(
        crossed.pools[:, 3:6], np.repeat(members.pools[:, 1:2], 3, axis=1)
    )
    np.testing.assert_array_equal(crossed.parameters[:, 3:6], members.parameters[:, :3])
    assert members.first(4).size == 4


def supplied(years, share=0.1):
    names = RULES.names
    moved = np.zeros((len(years), CELLS, 3, 3))
    moved[:, :, 0, 1] = share
    states = np.zeros((CELLS, 3))
    states[:, :2] = 0.8, 0.2
    return xr.Dataset(
        {
            "states": (("location", "cover"), states),
            "transitions": (("year", "location", "from_cover", "to_cover"), moved),
        },
        coords={"year": list(years), "location": [f"cell{k}" for k in range(CELLS)],
                "cover": names, "from_cover": names, "to_cover": names},
    )  # fmt: skip


def test_transitions_may_be_supplied(world):
    members, ahead, _, ground = world
    plan = Plan.of(LandUse("luh"), RULES, ahead.years, ground, "luh.nc",
                   supplied(range(1990, 2013), 0.05))  # fmt: skip
    even = Members(members.parameters, members.pools, np.ones(MEMBERS_OF))
    _, series = project(even, ahead, plan, RULES, ("shares",))
    np.testing.assert_allclose(series["shares"][-1, 0, 0], [0.2, 0.8, 0.0], atol=1e-9)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (supplied(range(1990, 2012)), "luh.nc: year: found no 2012 (1 lacking); expected all of"),
        (supplied(range(1990, 2013)), "luh.nc: transitions of 2009 at cell0: found 0.1 of the cell "
                                      "leaving present; expected no more than the"),
        (supplied(range(1990, 2013), -0.1), "present to field: found -0.1; expected a share"),
        (supplied(range(1990, 2013)).isel(location=[0]), "location: found no cell1 (2 lacking)"),
    ],
)  # fmt: skip
def test_what_is_supplied_and_impossible_is_named(world, given, said):
    with pytest.raises(InputError) as raised:
        Plan.of(LandUse("luh"), RULES, world[1].years, world[3], "luh.nc", given)
    assert said in str(raised.value)


def test_model_errors_of_years_to_come_have_the_stated_size():
    error = StreamError(sd_fast=1.0, tau_fast=3.0, sd_slow=0.5, tau_slow=60.0)
    times = pd.date_range("2001-01-01", "2004-12-31", freq="D")
    drawn = annual_errors(
        ErrorStatement({"nee": error}, np.eye(1)), 2.0, times, 4000, np.random.default_rng(1)
    )
    assert drawn.shape == (4000, 4)
    lags = np.abs(np.subtract.outer(np.arange(365), np.arange(365)))
    variance = (np.exp(-lags / 3.0) + 0.25 * np.exp(-lags / 60.0)).sum()
    np.testing.assert_allclose(drawn.std(axis=0), 2.0 * np.sqrt(variance), rtol=0.05)


# -- The scripts, in a row


ENTRY = {
    "until": 2012, "members": 16, "map_members": 16, "crossed": 2, "map_crossed": 3,
    "baseline": "go", "area_sd": 0.3,
    "covers": {"present": {}, "field": {"cleared": True}, "planted": {"regrows": True}},
    "climates": {"same": {}, "warmer": {"warming_per_year": 0.05}},
    "land_uses": {
        "none": {},
        "clearing": {"transitions": [{"from": "present", "to": "field", "share_per_year": 0.02}]},
    },
    "cases": {
        "go": {"name": "Clearing", "climate": "warmer", "land_use": "clearing"},
        "stop": {"name": "No clearing", "climate": "warmer", "land_use": "none"},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory, dalec2, parameters):
    """The files of a map in two tiles, one of which has no members, in a folder."""
    folder = tmp_path_factory.mktemp("scenarios")
    record = folder / "drivers.nc"
    save(weather(RECORD), record)
    xr.Dataset(
        {
            "elevation": ("location", np.full(CELLS, 300.0)),
            "cell_area": ("location", [1e9, 3e9, 2e9]),
            "country": ("location", np.array(["X", "X", "Y"], dtype=object)),
        },
        coords={"location": [f"cell{k}" for k in range(CELLS)]},
    ).to_netcdf(folder / "land.nc")
    drivers = {name: folder / f"drivers.{name}.nc" for name in ENTRY["climates"]}
    make_scenario(
        "small", ENTRY["climates"], record, list(drivers.values()),
        until=2012, monthly=True, folders={}, sources={},
    )  # fmt: skip
    values = parameters.swapaxes(0, 1)
    tiles = {
        "r0c0": (["cell0", "cell1"], values[:, :2]),
        "r1c0": (["cell2"], np.full((16, 1, values.shape[2]), np.nan)),
        "r2c0": (["cell2"], values[:, 2:]),
    }
    for name, (cells, own) in tiles.items():
        posterior(dalec2, cells, own, folder / f"posterior.{name}.nc")
        project_scenario(
            "small", name, ENTRY, files_of("dalec2"),
            Files(record, folder / "land.nc", folder / f"posterior.{name}.nc", drivers, None),
            folder / f"{name}.nc", seed=1,
        )  # fmt: skip
    compared = Compared(*(folder / name for name in ("s.nc", "l.nc", "s.csv", "v.csv")))
    compare_scenarios("small", [folder / f"{name}.nc" for name in tiles], "go", compared)
    return folder


def test_drivers_to_come_are_those_stated(made):
    same, warmer = (load(made / f"drivers.{name}.nc") for name in ENTRY["climates"])
    assert same.indexes["time"].equals(AHEAD)
    difference = (warmer["tas"] - same["tas"]).isel(location=0).to_numpy()
    assert difference[-1] == pytest.approx(0.05 * (2012.96 - 2000.0), abs=0.01)
    assert "A demonstration" in warmer.attrs["comment"]


def test_files_hold_what_was_agreed(made):
    ds = load(made / "l.nc")
    assert ds["nbp"].dims == ("member", "location", "year")
    wanted = {"nbp", "nee", "gross_source", "regrowth_sink", "product_decay", "harvest", "fire",
              "wood_products", "vegetation", "litter", "soil"}  # fmt: skip
    assert wanted <= set(ds.data_vars)
    assert ds["nbp"].attrs["units"] == "g m-2 yr-1"
    assert ds["soil"].attrs["units"] == "g m-2"
    assert ds["location"].to_numpy().tolist() == ["cell0", "cell1", "cell2"]


def test_regions_are_means_over_land_and_pairs_cancel(made):
    regions, parts = load(made / "s.nc"), [load(made / f"{name}.nc") for name in ("r0c0", "r2c0")]
    cells = joined(parts)["nbp"].to_numpy()
    expected = (cells * np.array([1.0, 3.0, 2.0])[:, None]).sum(axis=2) / 6.0
    np.testing.assert_allclose(regions["nbp"].sel(region="all"), expected, rtol=1e-5)
    assert regions["region"].to_numpy().tolist() == ["all", "X", "Y"]
    whole = regions["area_m2"].sel(region="all")
    assert float(whole) == float(regions["area_m2"].sel(region=["X", "Y"]).sum()) == 6e9
    table = pd.read_csv(made / "s.csv").set_index(["region", "scenario", "variable"])
    table = table.sort_index()
    gain = table.loc[("Y", "stop", GAIN)].iloc[0]
    difference = (regions[GAIN].sel(scenario="stop") - regions[GAIN].sel(scenario="go")).sel(
        region="Y"
    )
    assert gain["difference_mean"] == pytest.approx(float(difference[:, -1].mean()), rel=1e-5)
    assert table.loc[("all", "go", "nbp")]["difference_sd"].max() == 0.0


def test_variance_is_split_without_a_remainder(made):
    table = pd.read_csv(made / "v.csv")
    last = table[table.year == 2012].set_index(["design", "factor"])
    outcome = joined([load(made / f"{name}.nc") for name in ("r0c0", "r2c0")])
    area = np.array([1.0, 3.0, 2.0]) / 6.0
    gain = (outcome["nbp_combined"].sum("year").to_numpy() * area).sum(axis=-1)
    assert gain.shape == (2, 2, 9)
    assert last.loc[MEMBERS, "variance"].sum() == pytest.approx(gain.var(), rel=1e-4)
    assert last.loc[CROSSED, "share"].sum() == pytest.approx(1.0)
    assert np.isnan(last.loc[(MEMBERS, "model_error"), "variance"])


def test_a_place_without_members_is_an_error(made):
    with pytest.raises(ConcertoError, match="scenarios: found 1 cells, none with members"):
        joined([load(made / "r1c0.nc")])


@pytest.fixture(scope="module")
def site(tmp_path_factory, dalec2, parameters):
    """A site of days, whose errors are stated."""
    folder = tmp_path_factory.mktemp("site")
    days = pd.date_range("1999-01-01", "2000-05-31", freq="D")
    save(weather(days, 1), folder / "drivers.nc")
    land = xr.Dataset(
        {
            "elevation": ("location", [300.0]),
            "country": ("location", np.array(["X"], dtype=object)),
        },
        coords={"location": ["cell0"]},
    )
    land.to_netcdf(folder / "land.nc")
    error = StreamError(sd_fast=1.0, tau_fast=3.0, sd_slow=0.5, tau_slow=60.0)
    statement = ErrorStatement({"nee": error}, np.eye(1))
    (folder / "errors.json").write_text(json.dumps(statement.to_dict()))
    entry = {**ENTRY, "until": 2002}
    drivers = {name: folder / f"drivers.{name}.nc" for name in entry["climates"]}
    make_scenario("site", entry["climates"], folder / "drivers.nc", list(drivers.values()),
                  until=2002, monthly=False, folders={}, sources={})  # fmt: skip
    posterior(dalec2, ["cell0"], parameters[:1].swapaxes(0, 1), folder / "posterior.nc")
    files = Files(folder / "drivers.nc", folder / "land.nc", folder / "posterior.nc", drivers,
                  folder / "errors.json")  # fmt: skip
    project_scenario("site", "all", entry, files_of("dalec2"), files, folder / "all.nc", seed=1)
    compared = Compared(*(folder / name for name in ("s.nc", "l.nc", "s.csv", "v.csv")))
    compare_scenarios("site", [folder / "all.nc"], "go", compared)
    return folder


def test_a_site_begins_with_the_year_after_its_last_whole_one(site):
    ds = load(site / "all.nc")
    assert ds["year"].to_numpy().tolist() == [2000, 2001, 2002]
    assert before(load(site / "drivers.nc"), pd.DatetimeIndex(["2000-01-01"])).sizes["time"] == 365
    assert np.isfinite(ds["nee_error"]).all()
    table = pd.read_csv(site / "v.csv")
    assert (table[table.factor == "model_error"].share > 0.0).all()


def test_a_site_and_a_map_are_drawn_and_told(made, site, tmp_path):
    config = load_yaml(ROOT / "config/config.yaml") | {
        "scenarios": ENTRY,
        "sites": {"site": {"name": "The site"}},
        "maps": {"small": {"name": "The map"}},
    }
    figures = []
    for key, folder in (("site", site), ("small", made)):
        drawn = [tmp_path / f"{key}_{what}.png" for what in ("paths", "components", "variance")]
        plot_scenarios(key, ENTRY, 2, folder / "s.nc", folder / "v.csv", drawn)
        figures += drawn
    page = tmp_path / "scenarios.html"
    write_scenarios_page(
        config, ["site", "small"], [site / "s.csv", made / "s.csv"], [site / "s.nc", made / "s.nc"],
        figures, page,
    )  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure>") == 6
    assert "No clearing: by 2012 land and products gain" in text
    assert "A demonstration, no forecast." in text
    assert "Gain by country (2012)" in text
    words = json.loads(figures[2].with_suffix(".json").read_text(encoding="utf-8"))
    assert "model error" in words["alternative"]
    assert "All runs are of one model" in words["caption"]
    assert "all runs are of one model" in text
    assert "not known here" in json.loads(figures[5].with_suffix(".json").read_text())["caption"]
