"""Files of CMIP6 and LUH2 in their real layouts: read, adjusted, run to a scenario's end."""

from __future__ import annotations

import sys
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.cubes import load, save
from concerto.errors import InputError
from concerto.landuse.luh2 import covers_of
from concerto.prepare.model_weather import model_drivers
from concerto.prepare.weather import saturation
from concerto.projection.climate import axis_until
from concerto.readers._cmip6 import read_cmip6
from concerto.readers._luh2 import KINDS, read_luh2
from model_files import write_cmip6, write_luh2
from synthetic_dalec import draw_parameters, files_of
from synthetic_scenarios import CELLS, posterior, weather

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from make_land_use import make_land_use
from make_scenario import make_scenario
from project_scenario import Files, project_scenario

HERE = np.array([45.0]), np.array([24.25])
RECORD = pd.date_range("1999-01-01", "2000-12-31", freq="MS")


class TestClimateModels:
    @pytest.mark.parametrize("calendar", ["noleap", "360_day", "proleptic_gregorian"])
    def test_months_are_months_in_any_calendar_and_files_join(self, tmp_path, calendar):
        numbers = np.arange(36.0)[:, None, None]
        late = write_cmip6(tmp_path, "tas", (2001, 2002), numbers[12:], calendar=calendar)
        early = write_cmip6(tmp_path, "tas", (2000, 2000), numbers[:12], calendar=calendar)
        found = read_cmip6([late, early], *HERE)["tas"]
        assert found.indexes["time"].equals(
            pd.date_range("2000-01-01", periods=36, freq="MS", unit="s")
        )
        np.testing.assert_array_equal(found[0], np.arange(36))

    def test_days_without_leap_days_have_the_day_before(self, tmp_path):
        days = np.arange(730.0)[:, None, None]
        path = write_cmip6(tmp_path, "tas", (2000, 2001), days, table="day")
        found = read_cmip6([path], *HERE)["tas"].isel(location=0)
        assert found.sizes["time"] == 366 + 365
        at = found.sel(time=["2000-02-28", "2000-02-29", "2000-03-01", "2001-01-01"])
        np.testing.assert_array_equal(at, [58, 58, 59, 365])

    def test_years_of_360_days_are_stretched_over_the_year(self, tmp_path):
        days = np.arange(720.0)[:, None, None]
        path = write_cmip6(tmp_path, "tas", (2000, 2001), days, table="day", calendar="360_day")
        found = read_cmip6([path], *HERE)["tas"].isel(location=0)
        values = found.to_numpy()
        assert values[0] == 0.0
        assert values[365] == 359.0
        assert values[366] == 360.0
        assert values[-1] == 719.0
        assert set(np.diff(values)) == {0.0, 1.0}
        assert (np.bincount(values.astype(int), minlength=720) >= 1).all()

    def test_the_cell_around_a_place_is_taken_in_any_turn_of_longitudes(self, tmp_path):
        fields = np.arange(6.0).reshape(1, 3, 2)
        path = write_cmip6(tmp_path, "tas", (2000, 2000), fields, lon=(355.0, 358.0))
        found = read_cmip6([path], np.array([42.5, 47.0]), np.array([-5.0, -1.0]))["tas"]
        np.testing.assert_array_equal(found[:, 0], [0.0, 5.0])
        with pytest.raises(InputError, match=r"lat: found no cell around 60; expected 40.6 to 49"):
            read_cmip6([path], np.array([60.0]), np.array([-5.0]))

    def test_units_and_humidity_become_drivers(self, tmp_path):
        files = [
            write_cmip6(tmp_path, name, (1999, 2001), value)
            for name, value in (("tas", 283.15), ("tasmin", 278.15), ("tasmax", 288.15),
                                ("hurs", 80.0), ("pr", 1e-5), ("rsds", 150.0))
        ]  # fmt: skip
        found = model_drivers(files, weather(RECORD, 1))
        at = {name: float(found[name][0, 0]) for name in found}
        full = 0.5 * (saturation(5.0) + saturation(15.0))
        assert at["tas"] == pytest.approx(10.0, abs=1e-4)
        assert at["pr"] == pytest.approx(0.864, rel=1e-5)
        assert at["vpd"] == pytest.approx(full - 0.8 * saturation(10.0), rel=1e-4)
        assert set(found.data_vars) == {"tas", "tasmin", "tasmax", "vpd", "pr", "rsds"}

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda p: [write_cmip6(p, "tas", (2000, 2000), 0),
                        write_cmip6(p, "tas", (2002, 2002), 0)],
             "no gap between files"),
            (lambda p: [write_cmip6(p, "tas", (2000, 2001), 0),
                        write_cmip6(p, "tas", (2001, 2002), 0, experiment="historical")],
             "each step once"),
            (lambda p: [write_cmip6(p, "tas", (2000, 2000), 0),
                        write_cmip6(p, "tas", (2001, 2001), 0, calendar="360_day")],
             "found calendars 360_day and noleap; expected the same"),
            (lambda p: [write_cmip6(p, "tas", (2000, 2000), 0),
                        write_cmip6(p, "tas", (2001, 2001), 0, units="degC")],
             "found units K and degC; expected the same"),
            (lambda p: [write_cmip6(p, "tas", (2000, 2000), 0),
                        write_cmip6(p, "pr", (2000, 2000), 0, table="day")], "found months and"),
            (lambda p: [write_cmip6(p, "zg", (2000, 2000), 0, units="m")],
             "variable_id: found zg; expected one of tas"),
            (lambda p: [write_cmip6(p, "hurs", (2000, 2000), 0)], "expected tas besides"),
            (lambda p: [_broken(p)], "expected a whole NetCDF file"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_used_is_named(self, tmp_path, spoil, said):
        with pytest.raises(InputError) as raised:
            model_drivers(spoil(tmp_path), weather(RECORD, 1))
        assert said in str(raised.value)


def _broken(folder: Path) -> Path:
    path = folder / "tas.nc"
    path.write_bytes(b"not a file of numbers")
    return path


YEARS = range(2001, 2006)
STATES = {"primf": 0.25, "secdf": 0.25, "c3ann": 0.125, "pastr": 0.125, "secma": 40.0}
MOVED = {"primf_to_c3ann": 0.0078125, "c3ann_to_secdf": 0.00390625, "primf_harv": 0.015625,
         "primf_bioh": 1e6, "pastr_to_c3ann": 0.0}  # fmt: skip
COVERS = {"present": ["primf", "primn", "urban"], "field": ["c3ann", "c4ann", "c3per", "c4per",
          "c3nfx", "pastr", "range"], "planted": ["secdf", "secdn"]}  # fmt: skip


def luh2_files(folder, first=1995, years=11, moved=MOVED, **options):
    return (
        [write_luh2(folder / "states.nc", first, years + 1, STATES, **options)],
        [write_luh2(folder / "transitions.nc", first, years, moved, **options)],
    )


class TestLandUse:
    def test_shares_are_of_the_land_there_is(self, tmp_path):
        found = read_luh2(*luh2_files(tmp_path), YEARS, *HERE, 0.5)
        states = found["states"].sel(kind=["primf", "c3ann"])[0]
        np.testing.assert_allclose(states, [1 / 3, 1 / 6])
        move = found["transitions"].sel(location=0, year=2003)
        assert float(move.sel(from_kind="primf", to_kind="c3ann")) == pytest.approx(
            0.0078125 / 0.75
        )
        harvest = float(move.sel(from_kind="primf", to_kind="secdf"))
        assert harvest == pytest.approx(0.015625 / 0.75)

    def test_cells_take_the_mean_by_land_and_points_the_cell_around_them(self, tmp_path):
        rows = np.zeros((12, 14, 2))
        rows[:, :, 1] = 0.5  # half of the eastern cells is land, all of it forest
        states = {"primf": rows, "c3ann": np.where(rows > 0, 0.0, 1.0)}
        paths = [write_luh2(tmp_path / "s.nc", 1995, 12, states)]
        moves = [write_luh2(tmp_path / "t.nc", 1995, 12, {"primf_to_c3ann": 0.1 * rows})]
        cell = read_luh2(paths, moves, YEARS, *HERE, 0.5)
        np.testing.assert_allclose(cell["states"].sel(kind=["primf", "c3ann"])[0], [1 / 3, 2 / 3])
        np.testing.assert_allclose(
            cell["transitions"].sum(("from_kind", "to_kind")), 0.1 / 3, rtol=1e-6
        )
        point = read_luh2(paths, moves, YEARS, np.array([45.1]), np.array([24.1]), 0.0)
        np.testing.assert_allclose(point["states"].sel(kind=["primf", "c3ann"])[0], [0.0, 1.0])

    def test_each_year_begins_with_what_the_year_before_led_to(self, tmp_path):
        moved = {"primf_to_c3ann": (np.arange(1995, 2006) - 1990) / 1024.0}
        found = read_luh2(*luh2_files(tmp_path, moved=moved), YEARS, *HERE, 0.5)
        share = found["transitions"].sel(location=0, from_kind="primf", to_kind="c3ann") * 0.75
        np.testing.assert_allclose(share * 1024.0, [10, 11, 12, 13, 14])

    def test_scenario_files_that_count_from_another_year_follow_history(self, tmp_path):
        history = luh2_files(tmp_path, 1995, 8)
        (tmp_path / "ssp").mkdir()
        future = luh2_files(tmp_path / "ssp", 2003, 3, origin=2003)
        joined = read_luh2(
            *(a + b for a, b in zip(history, future, strict=True)), YEARS, *HERE, 0.5
        )
        whole = tmp_path / "whole"
        whole.mkdir()
        xr.testing.assert_equal(joined, read_luh2(*luh2_files(whole), YEARS, *HERE, 0.5))

    def test_covers_have_what_goes_between_them_alone(self, tmp_path):
        found = read_luh2(*luh2_files(tmp_path), YEARS, *HERE, 0.5).assign_coords(location=["a"])
        made = covers_of(found, COVERS, [*COVERS], "covers")
        np.testing.assert_allclose(made["states"][0], [1 / 3, 1 / 3, 1 / 3])
        move = made["transitions"].sel(location="a", year=2002).to_numpy() * 0.75
        expected = [[0.0, 0.0078125, 0.015625], [0.0, 0.0, 0.00390625], [0.0, 0.0, 0.0]]
        np.testing.assert_allclose(move, expected, rtol=1e-6, atol=1e-12)

    def test_water_stays_as_it_is(self, tmp_path):
        paths = [
            [write_luh2(tmp_path / name, 1995, 12, dict.fromkeys(kinds, 1e20))]
            for name, kinds in (("s.nc", STATES), ("t.nc", MOVED))
        ]
        found = read_luh2(*paths, YEARS, *HERE, 0.5).assign_coords(location=["a"])
        made = covers_of(found, COVERS, [*COVERS], "covers")
        np.testing.assert_array_equal(made["states"][0], [1.0, 0.0, 0.0])
        assert not made["transitions"].any()
        assert made.attrs["locations_without_land"] == 1

    def test_rounding_is_cut_and_real_excess_left_to_be_refused(self):
        def of(excess):
            kinds = list(KINDS)
            states, moved = np.zeros((1, 12)), np.zeros((1, 1, 12, 12))
            states[0, [0, 7]] = 0.25, 0.75
            moved[0, 0, 0, 7] = 0.25 + excess
            ds = xr.Dataset(
                {"states": (("location", "kind"), states),
                 "transitions": (("year", "location", "from_kind", "to_kind"), moved)},
                coords={"year": [2001], "location": ["a"], "kind": kinds},
            )  # fmt: skip
            return float(covers_of(ds, COVERS, [*COVERS], "covers")["transitions"].sum())

        assert of(1e-7) == 0.25
        assert of(1e-3) == pytest.approx(0.251)

    @pytest.mark.parametrize(
        ("covers", "said"),
        [
            ({**COVERS, "planted": ["secdf"]}, "found secdn 0 times; expected each kind"),
            ({**COVERS, "planted": ["secdf", "secdn", "primf"]}, "found primf 2 times"),
            (
                {**COVERS, "planted": ["secdf", "secdn", "wood"]},
                "found 'wood'; expected one of",
            ),
        ],
    )
    def test_every_kind_of_land_is_one_cover(self, tmp_path, covers, said):
        found = read_luh2(*luh2_files(tmp_path), YEARS, *HERE, 0.5).assign_coords(location=["a"])
        with pytest.raises(InputError) as raised:
            covers_of(found, covers, [*COVERS], "scenarios.land_uses.luh.luh2.covers")
        assert said in str(raised.value)

    def test_files_that_end_early_or_hold_something_else_are_named(self, tmp_path):
        with pytest.raises(InputError, match=r"transitions.nc: time: found no 2003 among 1995"):
            read_luh2(*luh2_files(tmp_path, years=8), YEARS, *HERE, 0.5)
        states, moves = luh2_files(tmp_path)
        with pytest.raises(InputError, match="expected states such as primf"):
            read_luh2(moves, moves, YEARS, *HERE, 0.5)
        with pytest.raises(InputError, match="expected transitions such as primf_to_c3ann"):
            read_luh2(states, states, YEARS, *HERE, 0.5)

    @pytest.mark.parametrize("share", [-0.25, 1.5, 12.5])
    def test_what_is_no_share_is_named(self, tmp_path, share):
        states, moves = luh2_files(tmp_path, moved={"primf_to_c3ann": share})
        said = rf"transitions.nc: primf_to_c3ann: found {share:g}; expected shares of a cell"
        with pytest.raises(InputError, match=said):
            read_luh2(states, moves, YEARS, *HERE, 0.5)

    def test_axes_without_dates_are_named(self, tmp_path):
        states, moves = luh2_files(tmp_path)
        with netCDF4.Dataset(states[0], "a") as data:
            data.variables["time"].units = "year"
        with pytest.raises(InputError, match="time: found units 'year'; expected times as CF"):
            read_luh2(states, moves, YEARS, *HERE, 0.5)


UNTIL = 2008
ENTRY = {
    "until": UNTIL, "members": 8, "map_members": 8, "crossed": 2, "map_crossed": 2,
    "baseline": "now",
    "covers": {"present": {}, "field": {"cleared": True}, "planted": {"regrows": True}},
    "climates": {"same": {}, "ssp": {}}, "land_uses": {"none": {}, "luh": {}},
    "cases": {"now": {"climate": "same", "land_use": "none"},
              "then": {"climate": "ssp", "land_use": "luh"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory, dalec2):
    """A map of three cells, run to its end by the climate of a model and LUH2's land use."""
    folder = tmp_path_factory.mktemp("models")
    record = folder / "drivers.nc"
    cube = weather(RECORD)
    save(cube, record)
    months = np.arange(12 * 10)
    warm = 288.15 - 9.0 * np.cos(2 * np.pi * months / 12) + 0.5 * (months // 12)
    for name, offset in (("tas", 0.0), ("tasmin", -6.0), ("tasmax", 6.0)):
        for years, part in (((1999, 2004), slice(0, 72)), ((2005, 2008), slice(72, None))):
            write_cmip6(folder, name, years, (warm + offset)[part, None, None])
    write_cmip6(folder, "rsds", (1999, 2008), 170.0)
    states, _ = luh2_files(folder, 1995, 13)
    entry = {**ENTRY, "climates": {"same": {}, "ssp": {"cmip6": [f"{folder}/*_Amon_*.nc"]}},
             "land_uses": {"none": {}, "luh": {"luh2": {
                 "states": [str(states[0])], "transitions": [f"{folder}/trans*.nc"],
                 "covers": COVERS}}}}  # fmt: skip
    drivers = {name: folder / f"made.{name}.nc" for name in entry["climates"]}
    make_scenario("small", entry["climates"], record, list(drivers.values()),
                  until=UNTIL, monthly=True, folders={}, sources={})  # fmt: skip
    make_land_use("luh", entry, record, folder / "luh.nc", resolution=0.5)
    supplied = {"none": {}, "luh": {"supplied": str(folder / "luh.nc")}}
    xr.Dataset(
        {"elevation": ("location", np.full(CELLS, 300.0)), "cell_area": ("location", [1e9] * CELLS),
         "country": ("location", np.array(["X"] * CELLS, dtype=object))},
        coords={"location": cube["location"]},
    ).to_netcdf(folder / "land.nc")  # fmt: skip
    values = draw_parameters(dalec2, 8 * CELLS, 8).reshape(8, CELLS, -1)
    posterior(dalec2, cube["location"].to_numpy(), values, folder / "posterior.nc")
    project_scenario(
        "small", "r0c0", {**entry, "land_uses": supplied}, files_of("dalec2"),
        Files(record, folder / "land.nc", folder / "posterior.nc", drivers, None),
        folder / "out.nc", seed=1,
    )  # fmt: skip
    return folder, entry


class TestToTheEnd:
    def test_the_models_warming_is_kept_and_its_bias_is_not(self, ran):
        folder, _ = ran
        record, made, same = (
            load(folder / f"{name}.nc") for name in ("drivers", "made.ssp", "made.same")
        )
        assert made.indexes["time"].equals(axis_until(record.indexes["time"], UNTIL, "f"))
        gained = float(made["tas"].mean() - record["tas"].mean())
        # 0.5 K a year between the middle of the record and that of the years to come; the model's
        # 6 K above the record are taken away
        assert gained == pytest.approx(0.5 * 5.0, abs=0.05)
        assert float((made["rsds"] - same["rsds"]).mean()) == pytest.approx(0.0, abs=1.0)
        np.testing.assert_allclose(made["co2"], same["co2"])

    def test_covers_follow_luh2_and_carbon_closes(self, ran):
        folder, _ = ran
        out = load(folder / "out.nc")
        shares = out["cover_share"].sel(scenario="then").isel(location=0)
        assert shares["year"].to_numpy().tolist() == list(range(2001, UNTIL + 1))
        each = np.array([-0.0234375, 0.00390625, 0.01953125]) / 0.75
        expected = 1 / 3 + np.arange(1, 9)[:, None] * each
        np.testing.assert_allclose(shares, expected, rtol=1e-5)
        held = sum(out[name] for name in ("vegetation", "litter", "soil", "wood_products"))
        np.testing.assert_allclose(
            held.diff("year"), out["nbp"].isel(year=slice(1, None)), atol=1e-5 * float(held.max())
        )
        then = out.sel(scenario="then")
        assert (then["gross_source"] > 0.0).all()
        assert not out.sel(scenario="now")["gross_source"].any()

    def test_a_model_that_ends_early_is_refused(self, ran, tmp_path):
        folder, entry = ran
        with pytest.raises(InputError, match="to 2008-12-01; expected one") as raised:
            make_scenario("small", {"ssp": entry["climates"]["ssp"]}, folder / "drivers.nc",
                          [tmp_path / "x.nc"], until=2012, monthly=True, folders={},
                          sources={})  # fmt: skip
        assert "over all of 144 times from 2001-01-01 to 2012-12-01" in str(raised.value)

    def test_land_use_that_ends_early_is_refused(self, ran, tmp_path):
        folder, entry = ran
        with pytest.raises(InputError, match=r"transitions.nc: time: found no 2008 among 1995"):
            make_land_use("luh", {**entry, "until": 2009}, folder / "drivers.nc", tmp_path / "x.nc",
                          resolution=0.5)  # fmt: skip
