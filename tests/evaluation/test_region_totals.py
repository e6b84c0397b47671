"""Tables of regions: by hand, the same in any tiles, and closed."""

import numpy as np
import pytest
import xarray as xr
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.region_totals import (
    ALL,
    LEAST_YEARS,
    WHOLE,
    area_table,
    group_of,
    region_table,
    trend,
    trend_table,
)
from concerto.projection.pieces import PieceSums, join_pieces
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_pieces import TABLE, cell, make_pieces, months, weights


def everywhere(pieces):
    return np.ones(pieces.sizes["piece"], bool)


def test_a_flux_and_a_stock_by_hand():
    """One cell of one square kilometre: 1 g m-2 d-1 taken up, all of it kept in the soil."""
    axis = months(2)
    parts = xr.Dataset(
        {
            "location": ("part", ["c"]), "region": ("part", ["Chad"]), "cover": ("part", ["SAV"]),
            "managed": ("part", [1]), "area": ("part", [1e6]),
            "polygon_area": ("region_name", [4e6]), "map_area": ("region_name", [1e6]),
            "land_area": ("region_name", [2.5e6]),
        },
        coords={"region_name": ["Chad"]},
    )  # fmt: skip
    one = np.ones((2, 24))
    stored = np.cumsum(axis.days) * one
    shown = {
        "gpp": 3 * one, "reco": 2 * one, "nee": -one,
        "live_biomass": 0 * one, "litter": 0 * one, "som": 100.0 + stored,
    }  # fmt: skip
    start = {"live_biomass": np.zeros(2), "litter": np.zeros(2), "som": np.full(2, 100.0)}
    sums = PieceSums({TABLE: parts}, 2, axis)
    sums.add("c", shown, start)
    pieces = join_pieces([sums.dataset()], TABLE)
    table = region_table(pieces, {}, {"late": [2001, 2001]})
    chad = table[(table.region == "Chad") & (table.kind == "all")]
    chad = chad.set_index(["variable", "period"])
    assert chad.loc[("nbp", "2000"), "mean"] == pytest.approx(366e-6)
    assert chad.loc[("nbp", "2000"), "unit"] == "TgC yr-1"
    assert chad.loc[("nbp", "2000"), "co2_mean"] == pytest.approx(366e-6 * 44 / 12)
    assert chad.loc[("nbp", "2000"), "density_mean"] == pytest.approx(366.0)
    assert chad.loc[("nbp", "2000-2001"), "mean"] == pytest.approx(365.5e-6)
    assert chad.loc[("soil_change", "2001"), "mean"] == pytest.approx(365e-6)
    assert chad.loc[("soil", "late"), "mean"] == pytest.approx(831e-6)
    assert chad.loc[("soil", "late"), "unit"] == "TgC"
    assert chad.loc[("nbp", "late"), "chance_of_gain"] == 1.0
    assert np.isnan(chad.loc[("nee", "late"), "chance_of_gain"])
    assert set(table[table.kind == "category"].group) == {"grassland"}
    areas = area_table(parts, pieces).set_index("region")
    assert areas.loc["Chad"].to_list() == [1, 4.0, 2.5, 1.0, 1.0, 0.0, 0.4]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.integers(2, 6), st.data())
def test_pieces_are_the_same_in_any_tiles(seed, count, data):
    rng = np.random.default_rng(seed)
    axis, parts = months(2), weights(rng, count)
    cells = [cell(rng, axis, 3) for _ in range(count)]

    def tile(numbers):
        sums = PieceSums({TABLE: parts, "other": parts}, 3, axis)
        for k in numbers:
            sums.add(f"c{k}", *cells[k])
        return sums.dataset()

    order = data.draw(st.permutations(range(count)))
    cut = data.draw(st.integers(0, count))
    whole = join_pieces([tile(range(count))], TABLE)
    xr.testing.assert_identical(join_pieces([tile(order[:cut]), tile(order[cut:])], TABLE), whole)


class TestClosure:
    pieces, parts = make_pieces()

    @pytest.mark.parametrize("label", ["region", "cover", "managed"])
    def test_parts_add_up_to_the_whole_exactly(self, label):
        whole = group_of(self.pieces, everywhere(self.pieces))
        labels = self.pieces[label].to_numpy()
        parts = [group_of(self.pieces, labels == name) for name in np.unique(labels)]
        for name, grams in whole.values.items():
            np.testing.assert_array_equal(sum(part.values[name] for part in parts), grams)
        assert sum(part.area for part in parts) == whole.area

    def test_pieces_add_up_to_their_cells(self):
        """Rounding to grams is all that a map loses when it is cut up."""
        rng = np.random.default_rng(8)
        axis, parts = months(1), weights(rng, 1)
        shown, start = cell(rng, axis, 3)
        sums = PieceSums({TABLE: parts}, 3, axis)
        sums.add("c0", shown, start)
        pieces = join_pieces([sums.dataset()], TABLE)
        area = float(parts["area"].sum())
        expected = (shown["gpp"] * axis.days).sum(axis=1) * area
        np.testing.assert_allclose(pieces["gpp"].sum("piece")[:, 0], expected, rtol=1e-9)
        np.testing.assert_allclose(
            pieces["som"].sum("piece")[:, 0], shown["som"][:, -1] * area, rtol=1e-9
        )

    def test_nbp_is_what_the_stocks_gain(self):
        values = group_of(self.pieces, everywhere(self.pieces)).values
        np.testing.assert_allclose(values["nbp"], values["stock_change"], rtol=1e-9)
        assert (values["harvest"] > 0).all()

    def test_changes_add_up_over_the_years(self):
        values = group_of(self.pieces, everywhere(self.pieces)).values
        gained = values["stock"][:, -1] - values["stock"][:, 0]
        np.testing.assert_array_equal(values["stock_change"][:, 1:].sum(axis=1), gained)

    def test_areas_with_and_without_values_are_those_of_the_map(self):
        table = area_table(self.parts, self.pieces).set_index("region")
        whole = table.loc[WHOLE]
        assert whole.map_km2 == pytest.approx(table.map_km2.drop(WHOLE).sum(), rel=1e-9)
        assert whole.with_values_km2 == pytest.approx(float(self.parts["area"].sum()) * 1e-6)
        assert table.loc["North", "covered"] == pytest.approx(0.5)


def test_a_region_has_the_spread_of_what_members_share():
    """Two cells with the same members spread twice as much as one, not root two times."""
    rng = np.random.default_rng(3)
    axis, parts = months(1), weights(rng, 2)
    parts = parts.assign(area=("part", np.full(parts.sizes["part"], 1e8)))
    shown, start = cell(rng, axis, 400)
    sums = PieceSums({TABLE: parts}, 400, axis)
    for name in ("c0", "c1"):
        sums.add(name, shown, start)
    table = region_table(join_pieces([sums.dataset()], TABLE), {}, {})
    row = table[(table.region == "North") & (table.kind == "all") & (table.variable == "nbp")]
    lost = shown["nee"] + shown["fire_emission"] + shown["harvest"]
    alone = (lost * axis.days).sum(axis=1).std(ddof=1) * 4e8 * 1e-12
    assert float(row.sd.iloc[0]) == pytest.approx(2.0 * alone, rel=1e-6)


def test_a_table_has_all_land_and_says_its_signs():
    pieces, _ = make_pieces()
    table = region_table(pieces, {"CRO": "grassland"}, {})
    assert set(table[table.kind == "category"].group) == {"forest land", "grassland"}
    assert set(table.period) == {"2000", "2001", "2002", "2000-2002"}
    assert (table[table.kind == "all"].group == ALL).all()
    assert (table.positive_means.str.len() > 10).all()
    keys = ["region", "kind", "group", "variable", "period"]
    assert not table.duplicated(keys).any()


def test_a_map_without_years_or_values_or_with_other_years_is_refused():
    pieces, _ = make_pieces(years=1)
    with pytest.raises(ConcertoError, match="no whole calendar year"):
        region_table(pieces.isel(year=[]), {}, {})
    with pytest.raises(ConcertoError, match="no cell with values"):
        region_table(xr.Dataset(), {}, {})
    with pytest.raises(
        InputError, match=r"periods\.nineties: found 1990; expected years from 2000"
    ):
        region_table(pieces, {}, {"nineties": [1990, 1999]})


class TestTrend:
    years = np.arange(1990.0, 2020.0)

    def test_few_years_have_none_and_say_so(self):
        pieces, _ = make_pieces(years=3)
        table = trend_table(pieces, np.random.default_rng(1))
        assert table["mean"].isna().all()
        assert (table.note == f"no trend: 3 years, at least {LEAST_YEARS} needed").all()

    def test_enough_years_have_one(self):
        pieces, _ = make_pieces(years=LEAST_YEARS)
        table = trend_table(pieces, np.random.default_rng(1))
        assert np.isfinite(table[["mean", "q05", "q95", "chance_of_rise"]].to_numpy(float)).all()
        assert set(table[table.variable == "nbp"].unit) == {"TgC yr-2"}

    def test_a_line_has_its_slope(self):
        drawn = trend(np.tile(2.0 * self.years + 1.0, (5, 1)), self.years, np.random.default_rng(0))
        np.testing.assert_allclose(drawn, 2.0, rtol=1e-9)

    def test_intervals_hold_the_truth_as_often_as_they_say(self):
        """White noise around a line: 90 % intervals hold its slope in 90 % of 400 series."""
        rng, held = np.random.default_rng(4), 0
        for _ in range(400):
            series = 0.1 * self.years + rng.normal(0.0, 2.0, 30)
            low, high = np.quantile(trend(np.tile(series, (300, 1)), self.years, rng), [0.05, 0.95])
            held += low <= 0.1 <= high
        assert 0.86 < held / 400 < 0.97
