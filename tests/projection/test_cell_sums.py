"""Statistics of cells and sums over regions: by hand, and the same however they are added."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import ConcertoError
from concerto.evaluation.regions import joined, region_table
from concerto.projection.cells import (
    Months,
    RegionSums,
    annual,
    land_area,
    regions_of,
    statistics,
)
from hypothesis import given, settings
from hypothesis import strategies as st

YEAR = pd.date_range("2000-01-01", "2000-12-31", freq="D")


class TestMonths:
    def test_days_make_months(self):
        months = Months.of(YEAR)
        assert months.days.tolist() == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        series = np.arange(366.0)[None]
        np.testing.assert_allclose(months.means(series)[0, :2], [15.0, 45.0])
        np.testing.assert_array_equal(months.at_end(series)[0, [0, 11]], [30.0, 365.0])
        assert months.whole_years == {2000: slice(0, 12)}

    def test_months_stay_months(self):
        months = Months.of(pd.date_range("2001-03-01", periods=24, freq="MS"))
        series = np.random.default_rng(1).normal(size=(3, 24))
        np.testing.assert_array_equal(months.means(series), series)
        np.testing.assert_array_equal(months.at_end(series), series)
        assert months.whole_years == {2002: slice(10, 22)}
        assert months.days[:2].tolist() == [31.0, 30.0]

    def test_years_are_as_long_as_the_axis_has_them(self):
        months = Months.of(pd.date_range("1999-11-01", "2000-12-31", freq="D"))
        assert months.years.tolist() == [0, 2]
        monthly = np.arange(14.0)[None]
        weighed = np.average(np.arange(2.0, 14.0), weights=YEAR.days_in_month[YEAR.day == 1])
        np.testing.assert_allclose(months.year_means(monthly), [[31 / 61, weighed]])
        np.testing.assert_array_equal(months.at_year_end(monthly), [[1.0, 13.0]])

    def test_a_part_of_a_year_is_no_year(self):
        assert Months.of(YEAR[:-1]).whole_years == {}
        assert Months.of(YEAR[40:300]).whole_years == {}


def test_statistics_are_those_of_the_members():
    members = np.random.default_rng(2).normal(3.0, 2.0, (20_000, 2))
    found = statistics(members)
    normal = {"mean": 3.0, "sd": 2.0, "q05": -0.29, "q25": 1.651, "q50": 3.0, "q95": 6.29}
    for kind, expected in normal.items():
        np.testing.assert_allclose(found[kind], expected, atol=0.08)


class TestRegionSums:
    months = Months.of(YEAR)

    def cell(self, rng):
        """A cell's masses, area and regions, at random."""
        shown = {
            "gpp": rng.gamma(2.0, 2.0, (5, 12)),
            "live_biomass": rng.gamma(2.0, 3000.0, (5, 12)),
        }
        country = rng.choice(["Kenya", "Chad", ""])
        regions = [("all", "all"), *([("country", country)] if country else [])]
        return shown, rng.uniform(1e8, 3e9), regions

    def sums(self, cells):
        sums = RegionSums(["gpp", "live_biomass", "lai"], 5, self.months)
        for shown, area, regions in cells:
            sums.add(regions, sums.masses(shown, area), area)
        return sums.dataset()

    def test_a_flux_is_a_mass_a_month(self):
        shown = {"gpp": np.full((5, 12), 2.0), "live_biomass": np.full((5, 12), 100.0)}
        found = self.sums([(shown, 1e6, [("all", "all")])])
        np.testing.assert_array_equal(found["gpp"][:, 0, 1], 2 * 29 * 10**6)
        np.testing.assert_array_equal(found["live_biomass"][:, 0, 1], 10**8)
        assert found["gpp"].dtype == np.int64
        assert "lai" not in found

    @settings(deadline=None, max_examples=20)
    @given(st.integers(0, 10_000), st.integers(1, 12), st.data())
    def test_sums_are_the_same_in_any_tiles(self, seed, count, data):
        rng = np.random.default_rng(seed)
        cells = [self.cell(rng) for _ in range(count)]
        whole = joined([self.sums(cells)])
        order = data.draw(st.permutations(range(count)))
        cut = data.draw(st.integers(0, count))
        parts = [self.sums([cells[k] for k in some]) for some in (order[:cut], order[cut:])]
        xr.testing.assert_identical(joined(parts), whole)

    def test_no_cell_makes_no_region(self):
        assert self.sums([]).sizes["region"] == 0
        with pytest.raises(ConcertoError, match="none with values"):
            joined([self.sums([])])


def test_the_table_has_the_variance_of_what_members_share():
    """Two cells whose members are the same: their sum has twice the spread, not the root of two."""
    months, rng = Months.of(YEAR), np.random.default_rng(3)
    flux = np.repeat(rng.normal(1.0, 0.2, (400, 1)), 12, axis=1)
    sums, spread = RegionSums(["nee"], 400, months), []
    for _ in range(2):
        masses = sums.masses({"nee": flux}, 1e9)
        sums.add([("all", "all"), ("country", "Chad")], masses, 1e9)
        spread.append([annual("nee", masses["nee"]).std(ddof=1)])
    tile = sums.dataset().assign(nee_annual_sd=(("location", "year"), np.array(spread)))
    tile = tile.assign_coords(
        location=["a", "b"], lat=("location", [1.0, 2.0]), lon=("location", [3.0, 3.0]),
        country=("location", ["Chad", "Chad"]), year=[2000],
    )  # fmt: skip
    table = region_table(joined([tile]), [tile]).set_index(["kind", "region"])
    row = table.loc[("country", "Chad")]
    own = 366e9 * flux[:, 0].std(ddof=1) * 1e-12
    assert float(row["sd"]) == pytest.approx(2.0 * own, rel=1e-6)
    assert float(row["sd_independent"]) == pytest.approx(np.sqrt(2.0) * own, rel=1e-6)
    assert float(row["mean"]) == pytest.approx(2.0 * 366e9 * flux.mean() * 1e-12, rel=1e-6)
    assert (float(row["area_km2"]), int(row["cells"])) == (2000.0, 2)
    np.testing.assert_array_equal(table["units"], "TgC yr-1")


def test_a_map_without_values_is_refused():
    empty = RegionSums(["gpp"], 5, Months.of(YEAR)).dataset()
    tiles = [empty.assign_coords(location=[f"{tile}{k}" for k in range(3)]) for tile in "ab"]
    with pytest.raises(ConcertoError, match="found 6 cells, none with values; logs of its tiles"):
        joined(tiles)


def test_land_of_a_cell():
    land = xr.Dataset(
        {
            "cell_area": ("location", [2e9, 3e9]),
            "land_fraction": ("location", [0.5, 1.0]),
            "country": ("location", ["Chad", ""]),
            "koppen": ("location", ["Aw", "Cfb"]),
        }
    )
    assert land_area(land, 0) == 1e9
    assert land_area(land.drop_vars("land_fraction"), 0) == 2e9
    assert regions_of(land, 0) == [("all", "all"), ("country", "Chad"), ("koppen", "Aw")]
    assert regions_of(land, 1) == [("all", "all"), ("koppen", "Cfb")]
