"""Years to come of regions: parts add up, stocks close, pairs cancel, words fit the numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import ConcertoError
from concerto.evaluation.region_futures import (
    FLUXES,
    STOCKS,
    Futures,
    future_tables,
    is_stock,
)
from concerto.evaluation.region_outlooks import LAND, outlook_note, outlooks_of, verdict
from concerto.evaluation.region_totals import MEGATONNES_CO2, OF_IGBP, WHOLE
from synthetic_pieces import weights

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from tabulate_futures import FutureFiles, tabulate_futures

CELLS, MEMBERS, YEARS = 4, 30, 25
SCENARIOS = ("go", "stop")
ENTRY = {
    "baseline": "go",
    "climates": {"same": {}, "model": {"supplied": "x.nc"}},
    "cases": {"go": {"name": "All goes on", "climate": "same"}, "stop": {"climate": "same"}},
}


def outcome(cells=range(CELLS), seed=3) -> xr.Dataset:
    """What members of made-up cells did, each cell the same whichever others there are."""
    rngs = [np.random.default_rng([seed, k]) for k in cells]
    shape = len(SCENARIOS), MEMBERS, YEARS
    axes = ("location", "scenario", "member", "year")
    own = {}
    names = [name for name in FLUXES if name not in ("reco", "nbp")]
    for name in names:
        own[name] = np.stack([rng.gamma(2.0, 50.0, shape) for rng in rngs])
    start = {name: np.stack([rng.uniform(1e3, 5e3, MEMBERS) for rng in rngs]) for name in STOCKS}
    grown = {
        name: np.stack([rng.normal(10.0, 30.0, shape) for rng in rngs]) for name in STOCKS
    }  # each stock's change of a year
    own["nbp"] = sum(grown.values())
    for name in STOCKS:
        own[name] = start[name][:, None, :, None] + np.cumsum(grown[name], axis=-1)
    return xr.Dataset(
        {
            **{name: (axes, values) for name, values in own.items()},
            **{f"{name}_start": (("location", "member"), values) for name, values in start.items()},
        },
        coords={"location": [f"c{k}" for k in cells], "scenario": list(SCENARIOS),
                "year": np.arange(2001, 2001 + YEARS)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def parts():
    return weights(np.random.default_rng(5), CELLS)


@pytest.fixture(scope="module")
def tables(parts):
    futures = Futures(outcome(), parts, {})
    return future_tables(futures, "go", np.random.default_rng(1))


def chosen(table, **which):
    for name, value in which.items():
        table = table[table[name] == value]
    return table


def test_regions_covers_and_categories_add_up_to_the_whole(tables):
    table, _, _ = tables
    last = chosen(table, period="2001-2025")
    mean = last.set_index(["region", "kind", "group", "scenario", "variable"])["mean"]
    whole = mean[WHOLE]["all"]["all land"]
    others = [name for name in last.region.unique() if name != WHOLE]
    np.testing.assert_allclose(
        sum(mean[name]["all"]["all land"] for name in others).reindex(whole.index), whole, rtol=1e-9
    )
    for kind in ("cover", "category"):
        found = mean["North"][kind].groupby(["scenario", "variable"]).sum()
        expected = mean["North"]["all"]["all land"]
        np.testing.assert_allclose(found.reindex(expected.index), expected, rtol=1e-9)
    assert set(last.group) >= {"ENF", OF_IGBP["ENF"]}


def test_stocks_change_by_nbp_in_every_period(tables):
    table, yearly, _ = tables
    for found, keys in (
        (table, ["region", "kind", "group", "scenario", "period"]),
        (yearly, ["region", "scenario", "year"]),
    ):
        known = found.set_index(["variable", *keys])["mean"]
        np.testing.assert_allclose(known["stock_change"], known["nbp"], rtol=1e-7, atol=1e-12)
        parts = sum(known[f"{name}_change"] for name in STOCKS)
        np.testing.assert_allclose(parts, known["nbp"], rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(known["reco"], known["nee"] + known["gpp"], rtol=1e-9)


def test_numbers_are_those_of_a_sum_member_by_member(tables, parts):
    table, yearly, _ = tables
    frame = parts[["location", "region", "cover", "area"]].to_dataframe()
    areas = frame[frame.region == "North"].groupby("location")["area"].sum()
    values = outcome()["nbp"].transpose("location", "scenario", "member", "year").to_numpy()
    grams = np.einsum("l,lsmy->smy", areas.to_numpy(), values)
    late = grams[..., 10:20].mean(axis=-1) / 1e12
    row = chosen(table, region="North", kind="all", scenario="stop", variable="nbp",
                 period="2011-2020").iloc[0]  # fmt: skip
    assert row["mean"] == pytest.approx(late[1].mean())
    assert row["sd"] == pytest.approx(late[1].std(ddof=1))
    assert row["q05"] == pytest.approx(np.quantile(late[1], 0.05))
    assert row["co2_mean"] == pytest.approx(late[1].mean() * MEGATONNES_CO2)
    assert row["chance_of_gain"] == pytest.approx((late[1] > 0.0).mean())
    assert row["difference_sd"] == pytest.approx((late[1] - late[0]).std(ddof=1))
    assert row["density_mean"] == pytest.approx(late[1].mean() * 1e12 / areas.sum())
    gain = chosen(yearly, region="North", scenario="go", variable="carbon_gain", year=2025).iloc[0]
    assert gain["mean"] == pytest.approx(grams[0].sum(axis=-1).mean() / 1e12)
    assert gain["unit"] == "TgC"


def test_the_baseline_differs_in_nothing_from_itself(tables):
    table, _, _ = tables
    base = chosen(table, scenario="go")
    assert not base[[name for name in base if name.startswith("difference")]].to_numpy().any()
    assert chosen(table, scenario="stop")["difference_sd"].min() > 0.0


def test_a_stated_trend_is_found_in_its_own_unit(parts):
    known = outcome()
    known["gpp"] = known["gpp"] * 0.0 + 500.0 + 3.0 * (known["year"] - 2001)
    _, _, trends = future_tables(Futures(known, parts, {}), "go", np.random.default_rng(1))
    row = chosen(trends, region=WHOLE, scenario="go", variable="gpp").iloc[0]
    assert row["mean"] == pytest.approx(3.0 * float(parts["area"].sum()) / 1e12, rel=1e-9)
    assert row["unit"] == "TgC yr-2"
    assert row["chance_of_rise"] == 1.0
    assert chosen(trends, variable="soil")["unit"].unique().tolist() == ["TgC yr-1"]


def test_tiles_do_not_matter(parts, tables, tmp_path):
    (tmp_path / "a").mkdir()
    parts.to_netcdf(tmp_path / "weights.nc")
    for name, cells in (("one", (0, 1, 2)), ("two", (3,))):
        outcome(cells).to_netcdf(tmp_path / f"{name}.nc")
    files = FutureFiles(*(tmp_path / "a" / name for name in ("t.csv", "y.csv", "r.csv")))
    tabulate_futures("countries", {}, "go", 1, [tmp_path / "two.nc", tmp_path / "one.nc"],
                     tmp_path / "weights.nc", files)  # fmt: skip
    pd.testing.assert_frame_equal(
        pd.read_csv(files.table), tables[0].reset_index(drop=True), rtol=1e-5, check_dtype=False
    )
    assert len(pd.read_csv(files.yearly)) == len(tables[1])


def test_a_region_of_nothing_is_refused(parts):
    with pytest.raises(ConcertoError, match="found no cell with members in any region"):
        Futures(outcome().assign_coords(location=list("abcd")), parts, {})


def test_kinds_of_variables(tables):
    stocks = {name for name in tables[0].variable.unique() if is_stock(name)}
    assert stocks == {*STOCKS, "stock", "carbon_gain"}


class TestWords:
    def test_scenarios_are_told_with_their_intervals_the_baseline_first(self, tables):
        found = outlooks_of("North", ENTRY, tables[0], tables[1])
        assert [outlook.name for outlook in found] == ["All goes on", "stop"]
        assert "nine chances in ten: between" in found[0].words
        assert "Beside the first" not in found[0].words
        assert "Beside the first that is" in found[1].words
        np.testing.assert_array_equal(found[0].years, np.arange(2001, 2026))
        assert found[0].gain.low == found[0].gains[-1, 0]
        yearly = chosen(tables[1], region="North", scenario="stop", variable="carbon_gain")
        np.testing.assert_allclose(found[1].gains[:, 1], yearly["q50"])

    def test_the_difference_is_that_of_the_gains(self, tables):
        one, other = (outlook.gain for outlook in outlooks_of("South", ENTRY, *tables[:2]))
        row = chosen(tables[0], region="South", kind="all", scenario="stop", variable="nbp",
                     period="2001-2025").iloc[0]  # fmt: skip
        assert YEARS * row["difference_mean"] == pytest.approx(other.mean - one.mean)

    def test_a_region_without_scenarios_says_nothing_of_them(self, tables):
        assert outlooks_of("Atlantis", ENTRY, *tables[:2]) == ()

    @pytest.mark.parametrize(
        ("chance", "said"),
        [
            (0.5, f"By 2100 {LAND} gain or lose carbon: runs do not tell which."),
            (0.7, f"By 2100 {LAND} likely gain carbon."),
            (0.05, f"By 2100 {LAND} very likely lose carbon."),
        ],
    )
    def test_words_say_no_more_than_the_chance(self, chance, said):
        assert verdict(chance, 2100) == said

    def test_what_was_made_up_is_called_so(self):
        assert "a demonstration" in outlook_note(ENTRY)
        supplied = ENTRY | {"cases": {"go": {"climate": "model"}}}
        assert "demonstration" not in outlook_note(supplied)
