"""Inventories: what users give is checked, and the way to it adds up."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.evaluation.inventory import SUMS, Given, read_land_use, reconcile
from concerto.evaluation.land_use_history import histories
from concerto.evaluation.policy_files import read_inventory, read_lateral, read_transitions
from concerto.evaluation.region_totals import area_table, group_of
from concerto.land_use_categories import CATEGORIES, category_name, read_category
from synthetic_pieces import entry, make_pieces

DOCS = Path(__file__).parents[2] / "docs/policy.md"
REGIONS = ("North", "South", "East")
HEADER = "region,category,year,value,unit,sign\n"
PIECES, PARTS = make_pieces()
AREAS = area_table(PARTS, PIECES)


def written(tmp_path, text):
    file = tmp_path / "given.csv"
    file.write_text(text)
    return file


class TestInventory:
    def test_units_and_signs_become_what_the_land_gains(self, tmp_path):
        text = HEADER + (
            "North,forest land,2000,-44,kt CO2,emission\n"
            "North, Cropland ,2000,2,TgC yr-1,emission\n"
            "South,4.A.1,2000,3,Gg C/yr,removal\n"
        )
        table = read_inventory(written(tmp_path, text), REGIONS)
        np.testing.assert_allclose(table.gain, [0.012, -2.0, 0.003])
        assert table.history.to_list() == ["", "", "remaining"]
        assert (table.gain_sd == 0.0).all()

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("Nord,total,2000,1,kt CO2,removal", "region, row 2: found 'Nord'; .*North"),
            ("North,forest,2000,1,kt CO2,removal", "category, row 2: found 'forest'; "),
            ("North,total,2000,1,kt CO2-eq,removal", "unit, row 2: found 'kt CO2-eq'; .*equival"),
            ("North,total,2000,1,acres,removal", "unit, row 2: found 'acres'; expected a mass"),
            ("North,total,2000,1,kt CO2,sink", "sign, row 2: found 'sink'; .*removal"),
            ("North,total,2000,many,kt CO2,removal", "value, row 2: found 'many'; expected a num"),
            ("North,total,MM,1,kt CO2,removal", "year, row 2: found 'MM'; expected a number"),
            ("North,total,2000.5,1,kt CO2,removal", "year, row 2: found 2000.5; expected a cal"),
            (
                "North,4A,2000,1,kt C,removal\nNorth,Forest land,2000,2,kt C,removal",
                "category, row 3: found North, forest land, 2000, as in row 2; expected each once",
            ),
        ],
    )
    def test_faults_are_named(self, tmp_path, row, message):
        with pytest.raises(InputError, match=r"given\.csv: " + message):
            read_inventory(written(tmp_path, HEADER + row + "\n"), REGIONS)

    def test_a_missing_column_or_file_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"given\.csv: unit: found no such column among reg"):
            read_inventory(written(tmp_path, "region,category,year,value,sign\n"), REGIONS)
        with pytest.raises(InputError, match=r"none\.csv: file: found unreadable"):
            read_inventory(tmp_path / "none.csv", REGIONS)

    def test_codes_and_names_of_a_category_are_the_same(self):
        for k, category in enumerate(CATEGORIES):
            letter = "ABCDEF"[k]
            for code, history in (("", None), (".1", "remaining"), (".2", "converted")):
                expected = category, history
                assert read_category(category_name(category, history).upper()) == expected
                assert read_category(f"4.{letter}{code}") == expected
        assert read_category("3B2b") == ("cropland", "converted")
        assert read_category("woodland") is None


class TestOtherFiles:
    def test_lateral_fluxes(self, tmp_path):
        text = (
            "region,term,year,value,unit,sign,category,sd\n"
            "North,wood_trade,2000,3,Mt C,loss,forest land,1\n"
        )
        row = read_lateral(written(tmp_path, text), REGIONS).iloc[0]
        assert (row.gain, row.gain_sd, row.category) == (-3.0, 1.0, "forest land")

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("North,timber,2000,1,Mt C,loss", "term, row 2: found 'timber'"),
            ("North,rivers,2000,1,Mt C,emission", "sign, row 2: found 'emission'"),
            ("North,rivers,2000,1,Mt C,loss\n" * 2, "term, row 3: found North, rivers, total"),
        ],
    )
    def test_faults_of_lateral_fluxes(self, tmp_path, row, message):
        with pytest.raises(InputError, match=message):
            read_lateral(written(tmp_path, f"region,term,year,value,unit,sign\n{row}\n"), REGIONS)

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("North,2000,forest land,cropland,-1", "area_km2, row 2: found -1.0; expected an area"),
            ("North,2000,forest land,wood,1", "to, row 2: found 'wood'"),
            ("North,2000,cropland,cropland,1", "to, row 2: found 'cropland'; expected another"),
            ("North,2000,cropland,wetlands,1\n" * 2, "from, row 3: found North, 2000, cropland"),
        ],
    )
    def test_faults_of_transitions(self, tmp_path, row, message):
        with pytest.raises(InputError, match=message):
            read_transitions(written(tmp_path, f"region,year,from,to,area_km2\n{row}\n"), REGIONS)


class TestHistories:
    def moved(self, *rows):
        return pd.DataFrame(rows, columns=["year", "from", "to", "area_km2"])

    def areas_of(self, table, category, year):
        row = table[(table.category == category) & (table.year == year)].iloc[0]
        return pytest.approx((row.remaining_km2, row.converted_km2), abs=1e-9)

    def test_land_is_converted_for_twenty_years(self):
        """100 km2 of crops become forest in 1990: converted up to 2009, remaining from 2010."""
        moved = self.moved((1990, "cropland", "forest land", 100.0))
        table = histories(moved, {"forest land": 400.0, "cropland": 50.0}, 2000, 2012)
        assert self.areas_of(table, "forest land", 1990) == (300.0, 100.0)
        assert self.areas_of(table, "cropland", 1990) == (50.0, 0.0)
        assert self.areas_of(table, "forest land", 2009) == (300.0, 100.0)
        assert self.areas_of(table, "forest land", 2010) == (400.0, 0.0)

    def test_what_leaves_is_old_and_young_alike(self):
        moved = self.moved(
            (2001, "cropland", "forest land", 100.0), (2002, "forest land", "cropland", 80.0)
        )
        table = histories(moved, {"forest land": 300.0, "cropland": 200.0}, 2000, 2003)
        assert self.areas_of(table, "forest land", 2002) == (240.0, 80.0)
        assert self.areas_of(table, "cropland", 2003) == (100.0, 80.0)

    def test_area_is_kept(self):
        rng = np.random.default_rng(2)
        rows = [
            (year, *rng.choice(CATEGORIES, 2, replace=False), rng.uniform(0, 3))
            for year in range(1980, 2005)
        ]
        table = histories(self.moved(*rows), dict.fromkeys(CATEGORIES, 100.0), 2000, 2004)
        whole = (table.remaining_km2 + table.converted_km2).groupby(table.year).sum()
        np.testing.assert_allclose(whole, 600.0, rtol=1e-12)
        at = table[table.year == 2000]
        np.testing.assert_allclose(at.remaining_km2 + at.converted_km2, 100.0, rtol=1e-9)

    @pytest.mark.parametrize(("year", "when"), [(1999, 1998), (2003, 2003)])
    def test_more_land_than_there_is_cannot_change(self, year, when):
        moved = self.moved((year, "wetlands", "cropland", 30.0))
        areas = {"cropland": 20.0, "wetlands": 10.0}
        with pytest.raises(InputError, match=rf"area_km2: found \d+ km2 more of \w+ .* {when}; "):
            histories(moved, areas, 2000, 2003)


def bridge(given):
    table = reconcile(PIECES, AREAS, {}, given, np.random.default_rng(0))
    return table.set_index("row")


class TestReconcile:
    lateral = pd.DataFrame(
        [
            ["North", "rivers", "total", 2001, -0.02, 0.005],
            ["North", "wood_trade", "forest land", 2001, -0.03, 0.0],
            ["South", "rivers", "total", 2001, -9.0, 0.0],
        ],
        columns=["region", "term", "category", "year", "gain", "gain_sd"],
    )

    @pytest.mark.parametrize("category", ["total", "forest land", "cropland", "wetlands"])
    @pytest.mark.parametrize("history", ["", "remaining", "converted"])
    def test_terms_add_up_to_the_inventory(self, category, history):
        if category == "total" and history:
            return
        rows = bridge(Given(entry(category, history, sd=0.1), self.lateral))
        terms = rows[~rows.is_sum]
        assert terms["mean"].sum() == pytest.approx(float(rows.loc["inventory", "mean"]), abs=1e-9)
        before = terms.drop("unexplained")["mean"].sum()
        assert before == pytest.approx(float(rows.loc["comparable", "mean"]), abs=1e-9)
        assert set(SUMS) <= set(rows.index)
        assert (rows.positive_means == "land gains carbon").all()

    def test_nbp_is_the_tables(self):
        here = PIECES["region"].to_numpy() == "North"
        expected = group_of(PIECES, here).values["nbp"][:, 1].mean() * 1e-12
        rows = bridge(Given(entry()))
        assert float(rows.loc["nbp", "mean"]) == pytest.approx(expected, rel=1e-12)
        wild = here & (PIECES["managed"].to_numpy() == 0)
        left_out = group_of(PIECES, wild).values["nbp"][:, 1].mean() * 1e-12
        assert float(rows.loc["unmanaged", "mean"]) == pytest.approx(-left_out, rel=1e-12)
        # the map covers half of the region
        managed = expected - left_out
        assert float(rows.loc["not_mapped", "mean"]) == pytest.approx(managed, rel=1e-6)
        assert float(rows.loc["comparable", "mean"]) == pytest.approx(2 * managed, rel=1e-6)
        assert float(rows.loc["inventory", "co2_mean"]) == pytest.approx(0.5 * 44 / 12)

    def test_lateral_fluxes_are_of_their_region_and_category(self):
        whole = bridge(Given(entry(), self.lateral))
        assert float(whole.loc["wood_trade", "mean"]) == pytest.approx(-0.03)
        assert float(whole.loc["rivers", "mean"]) == pytest.approx(-0.02, abs=0.005)
        assert float(whole.loc["rivers", "sd"]) == pytest.approx(0.005, rel=0.4)
        forest = bridge(Given(entry("forest land"), self.lateral))
        assert "rivers" not in forest.index

    def test_converted_land_has_its_share_of_the_area(self):
        km2 = float(
            PIECES["area"][(PIECES["region"] == "North") & (PIECES["cover"] == "ENF")].sum()
        )
        moved = pd.DataFrame(
            [["North", 1999, "cropland", "forest land", 0.25e-6 * km2]],
            columns=["region", "year", "from", "to", "area_km2"],
        )
        parts = [
            bridge(Given(entry("forest land", history), transitions=moved))
            for history in ("", "remaining", "converted")
        ]
        whole, remaining, converted = (float(part.loc["nbp", "mean"]) for part in parts)
        assert converted == pytest.approx(0.25 * whole)
        assert remaining == pytest.approx(0.75 * whole)
        assert "25 % of the category's area" in parts[2].loc["nee", "note"]
        none = bridge(Given(entry("forest land", "converted")))
        assert float(none.loc["nbp", "mean"]) == 0.0
        assert "no transitions" in none.loc["nee", "note"]

    def test_wood_products_are_not_the_maps(self):
        rows = bridge(Given(entry("harvested wood products")))
        assert float(rows.loc["comparable", "mean"]) == 0.0
        assert rows.loc["nee", "note"] == "the map has no wood products"

    def test_land_use_is_added_member_by_member(self, tmp_path):
        members = PIECES.sizes["member"]
        gain = np.linspace(-1.0, 1.0, members)
        file = tmp_path / "land_use.nc"
        dims = "member", "region", "year", "cover"
        by_cover = np.stack([gain, gain], axis=1)[:, None, None]
        xr.Dataset(
            {"nbp": (dims, by_cover), "nbp_without": (dims, 0.0 * by_cover)},
            coords={"region": ["North"], "year": [2001]},
        ).to_netcdf(file)
        rows = bridge(Given(entry(), land_use=read_land_use(file, members)))
        assert float(rows.loc["land_use", "sd"]) == pytest.approx((2 * gain).std(ddof=1))
        with pytest.raises(
            InputError, match="member: found 40 members; expected the 39 of the map"
        ):
            read_land_use(file, members - 1)
        xr.Dataset({"nee": ("member", gain)}).to_netcdf(file)
        with pytest.raises(
            InputError, match=r"nbp: found nee; expected nbp \(member, region, year"
        ):
            read_land_use(file, members)

    def test_nothing_in_common_is_said(self):
        with pytest.raises(InputError, match="year: found years 1950 to 1950 of 1 rows"):
            bridge(Given(entry().assign(year=1950)))


def test_the_example_of_the_page_is_reconciled(tmp_path):
    example = re.search(r"```csv\n(.*?)```", DOCS.read_text(), re.S).group(1)
    inventory = read_inventory(written(tmp_path, example), REGIONS)
    np.testing.assert_allclose(inventory.gain, np.array([1.2, -0.55, 0.9, 0.055]) * 12 / 44)
    table = reconcile(PIECES, AREAS, {}, Given(inventory), np.random.default_rng(0))
    found = table[["region", "category"]].drop_duplicates().to_numpy().tolist()
    assert found == [
        ["North", "forest land"], ["North", "cropland"], ["North", "total"],
        ["South", "land converted to forest land"],
    ]  # fmt: skip
