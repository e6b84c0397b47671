"""A site's drivers are its record's, and where it has none those of archives at its height."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.domain import QUANTITIES
from concerto.errors import InputError
from concerto.prepare.area import Fields
from concerto.prepare.filling import FEW, YEAR, StandIn, record_first, scaled, stand_ins
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import VAPOUR_RATES, saturation
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_records import TOWER

DAYS = pd.date_range("2014-05-01", periods=6, unit="s")
CONSTANT = {"lapse": 5.0}


def fields(name: str, start: str, step: str, *, height: str | None = None, **values) -> Fields:
    """Return what a source has in the one cell around the site; values are of each interval."""
    number = len(next(iter(values.values())))
    starts = pd.date_range(start, periods=number, freq=step).to_numpy().astype("datetime64[s]")
    ends = starts + np.timedelta64(int(pd.Timedelta(step).total_seconds()), "s")
    cells = xr.Dataset({"start": ("interval", starts), "end": ("interval", ends)})
    for key, array in values.items():
        cells[key] = (("interval", "location"), np.asarray(array, float)[:, None])
    spec = {"variables": {key: {} for key in values}} | ({"height": height} if height else {})
    return Fields(name, spec, cells)


def ground(name: str, metres: float) -> Fields:
    cells = xr.Dataset({"elevation": (("interval", "location"), [[metres]])})
    return Fields(name, {"variables": {"elevation": {}}}, cells)


def found(*sources: Fields, count: MaskCount | None = None, **wanted) -> dict[str, StandIn]:
    return stand_ins(sources, DAYS, TOWER, wanted or CONSTANT, count or MaskCount())


def hours(**values) -> Fields:
    """Return hours of the site's days, UTC+1, so that the first is 23:00 of the day before."""
    return fields("era", "2014-04-30 23:00", "1h", **values)


def drivers(days: pd.DatetimeIndex = DAYS, **values) -> xr.Dataset:
    out = xr.Dataset(coords={"time": days})
    for name, array in values.items():
        attrs = QUANTITIES[name].attributes() | {"source": f"tower.csv: {name}"}
        out[name] = ("time", np.asarray(array, float), attrs)
    return out


def counted(count: MaskCount, name: str, reason: str) -> int:
    return sum(row[3] for row in count.rows if (row[0], row[2]) == (name, reason))


# What stands in


def test_hours_become_days_of_the_site_s_clock():
    course = np.repeat(np.arange(6.0), 24) + np.tile(np.linspace(-1, 1, 24), 6)
    mine = found(hours(tas=course), lapse="none")
    np.testing.assert_allclose(mine["tas"].values, np.arange(6.0), atol=1e-12)
    np.testing.assert_allclose(mine["tasmin"].values, np.arange(6.0) - 1.0)
    np.testing.assert_allclose(mine["tasmax"].values, np.arange(6.0) + 1.0)
    assert mine["tas"].comment == ""


def test_days_of_an_archive_and_clocks_between_its_hours_are_told():
    daily = found(fields("days", "2014-05-02", "1D", pr=[1.0, 2.0]))["pr"]
    np.testing.assert_array_equal(daily.values, [np.nan, 1.0, 2.0, np.nan, np.nan, np.nan])
    assert daily.comment == "Its days are the archive's own."
    threes = fields("threes", "2014-05-01", "3h", pr=np.ones(48))
    assert found(threes)["pr"].comment == "Its days are of UTC+0 h."


def test_sums_since_midnight_utc_are_undone_before_the_clock_is_changed():
    since = np.tile(np.arange(1.0, 25.0), 7) * 3600.0 * 200.0
    sun = fields("sun", "2014-04-30", "1h", rsds=since)
    sun.spec["variables"]["rsds"] = {"units": "J m-2", "accumulated": {"reset": "day"}}
    np.testing.assert_allclose(found(sun)["rsds"].values, 200.0)


def test_air_is_moved_to_the_height_of_the_site():
    """The site is 200 m above its cell: 1 K at 5 K km-1, and vapour by its rate of May."""
    warm, dew = np.full(144, 12.0), np.full(144, 7.0)
    mine = found(hours(tas=warm, tdps=dew), cell_height_m={"era": 300.0}, lapse=5.0)
    for name in ("tas", "tasmin", "tasmax"):
        np.testing.assert_allclose(mine[name].values, 11.0)
    vapour = saturation(7.0) * np.exp(-0.2 * VAPOUR_RATES[4])
    # the first hour of the first day is still one of April by UTC
    np.testing.assert_allclose(mine["vpd"].values[1:], saturation(11.0) - vapour)
    assert "by +200 to +200 m: temperature by 5 K km-1" in mine["tas"].comment


def test_the_height_of_cells_is_their_own_or_stated(caplog):
    warm = np.full(144, 12.0)
    own = hours(tas=warm)
    own.cells["elevation"] = (("interval", "location"), np.full((144, 1), 300.0))
    named = fields("era", "2014-04-30 23:00", "1h", height="era_height", tas=warm)
    ways = (
        found(own),
        found(named, ground("era_height", 300.0)),
        found(named, cell_height_m={"era": 300.0}, lapse=5.0),
    )
    for way in ways:
        np.testing.assert_allclose(way["tas"].values, 11.0)
    assert not caplog.records


def test_where_no_height_is_known_a_warning_says_how_to_give_it(caplog):
    """That of the footprint, as a digital elevation model has it, is not that of the cell."""
    warm = fields("era", "2014-04-30 23:00", "1h", height="era_height", tas=np.full(144, 12.0))
    mine = found(warm, ground("dem", 300.0))
    np.testing.assert_array_equal(mine["tas"].values, 12.0)
    assert "XX-Tow: how high the cells of era are is not known" in caplog.text
    assert "give fields: {era_height: [elevation]}, or weather: {cell_height_m: {era" in caplog.text
    caplog.clear()
    found(warm, lapse="none")
    found(hours(pr=np.ones(144)))
    assert not caplog.records


def test_two_sources_with_one_driver_and_a_deficit_alone_are_refused():
    warm = {"tas": np.full(144, 12.0)}
    other = fields("other", "2014-05-01", "1D", tasmin=np.zeros(6))
    with pytest.raises(InputError, match="era, other: tasmin: found in both"):
        found(hours(**warm), other)
    with pytest.raises(InputError, match="era: burned_area_fraction: found a field of it"):
        found(hours(burned_area_fraction=np.zeros(144)))
    with pytest.raises(InputError, match="era: vpd: found a deficit without tas"):
        found(hours(vpd=np.ones(144)), cell_height_m={"era": 300.0})


# Record first


def other(values) -> StandIn:
    return StandIn(np.asarray(values, float), "era", "At its height.")


def test_the_record_goes_first_and_what_was_filled_is_told():
    rain = np.array([1.1, np.nan, 3.3, np.nan, 0.1, np.nan])
    archive = other([9.0, 2.0, 9.0, 4.0, 9.0, np.nan])
    count = MaskCount()
    out = record_first(drivers(pr=rain), {"pr": archive}, "none", count)
    np.testing.assert_array_equal(out["pr"], [1.1, 2.0, 3.3, 4.0, 0.1, np.nan])
    assert counted(count, "pr", "filled from era") == 2
    assert counted(count, "pr", "neither in the record nor in era") == 1
    assert out["pr"].attrs["source"] == "tower.csv: pr; era"
    comment = out["pr"].attrs["comment"]
    assert comment.startswith("2 of 6 days (33.3 %) are of era, where the record has no value; ")
    assert "3 days are shared, bias +7.5 mm d-1, root mean square 7.62 mm d-1." in comment
    assert comment.endswith("At its height.")


def test_a_record_without_gaps_stays_as_it_is(caplog):
    caplog.set_level(logging.INFO)
    mine = drivers(pr=np.arange(6.0))
    out = record_first(mine, {"pr": other(np.arange(6.0) + 2.0)}, "scale", MaskCount())
    assert out.identical(mine)
    assert "pr of era: 6 days are shared, bias +2 mm d-1, root mean square 2 mm d-1" in caplog.text


def test_without_a_record_all_is_of_the_archive():
    out = record_first(
        drivers(rsds=np.full(6, np.nan)), {"rsds": other(np.arange(6.0))}, "scale", MaskCount()
    )
    np.testing.assert_array_equal(out["rsds"], np.arange(6.0))
    assert "6 of 6 days (100.0 %)" in out["rsds"].attrs["comment"]
    assert "no day is shared" in out["rsds"].attrs["comment"]


def test_a_needed_driver_that_neither_has_is_named_with_its_day():
    warm = drivers(tas=[1.0, np.nan, 1.0, 1.0, np.nan, 1.0])
    archive = other([1.0, 1.0, 1.0, 1.0, np.nan, 1.0])
    with pytest.raises(
        InputError, match=r"tower\.csv: tas; era: tas: found no value on 2014-05-05; expected one"
    ):
        record_first(warm, {"tas": archive}, None, MaskCount())


def test_a_filled_extreme_is_never_beyond_the_mean():
    gap = np.array([1.0, np.nan, 1.0, 1.0, 1.0, 1.0])
    mine = drivers(tas=5 * gap, tasmin=gap, tasmax=9 * gap)
    archive = {"tas": other(np.full(6, 5.0)), "tasmin": other(np.full(6, 5.5))}
    archive["tasmax"] = other(np.full(6, 7.0))
    count = MaskCount()
    out = record_first(mine, archive, "none", count)
    assert [out[name].to_numpy()[1] for name in ("tasmin", "tas", "tasmax")] == [5.0, 5.0, 7.0]
    np.testing.assert_array_equal(out["tasmin"].to_numpy()[2:], 1.0)
    assert counted(count, "tasmin", "filled beyond the mean: set to it") == 1
    assert counted(count, "tasmax", "filled beyond the mean: set to it") == 0


# Bias


def test_a_known_bias_is_taken_from_each_month():
    days = pd.date_range("2014-05-01", "2014-07-05")
    truth = np.random.default_rng(5).normal(12.0, 4.0, len(days))
    bias = np.where(days.month == 5, 2.0, -1.0)  # July has too few shared days for its own
    warm = drivers(days, tas=np.where(np.arange(len(days)) % 3, truth, np.nan))
    archive = other(np.where(days.month == 7, truth, truth + bias))
    out = record_first(warm, {"tas": archive}, "scale", MaskCount())["tas"]
    known = days.month < 7
    np.testing.assert_allclose(out[known], truth[known])
    filled, july = np.arange(len(days)) % 3 == 0, ~known
    shared = np.isfinite(warm["tas"].to_numpy())
    assert 0 < (shared & july).sum() < FEW
    moved = -np.where(july, 0.0, bias)[shared].mean()
    np.testing.assert_allclose(out[filled & july], truth[filled & july] + moved)
    assert "corrected by the mean difference of each month" in out.attrs["comment"]


def test_a_known_factor_is_taken_from_rain_and_dry_days_stay_dry():
    truth = np.array([0.0, 5.0, 0.0, 2.0, 0.0, 8.0])
    rain = drivers(pr=[0.0, 5.0, np.nan, 2.0, 0.0, np.nan])
    out = record_first(rain, {"pr": other(0.8 * truth)}, "scale", MaskCount())["pr"]
    np.testing.assert_allclose(out, truth)
    assert "corrected by a factor of 1.25, bias" in out.attrs["comment"]


def test_an_archive_without_rain_on_shared_days_has_no_factor():
    rain = drivers(pr=[1.0, 0.0, np.nan, 0.0, 0.0, 0.0])
    out = record_first(rain, {"pr": other([0, 0, 3, 0, 0, 0])}, "scale", MaskCount())["pr"]
    np.testing.assert_array_equal(out, [1, 0, 3, 0, 0, 0])
    assert "not corrected, for it is nothing on these" in out.attrs["comment"]


@pytest.mark.parametrize(("shared", "expected"), [(YEAR, 2.0), (YEAR - 1, 3.0)])
def test_a_year_of_shared_days_makes_the_correction_the_default(shared, expected):
    days = pd.date_range("2014-05-01", periods=shared + 1)
    rain = drivers(days, pr=np.append(np.full(shared, 2.0), np.nan))
    archive = {"pr": other(np.full(shared + 1, 3.0))}
    out = record_first(rain, archive, None, MaskCount())["pr"]
    assert out.to_numpy()[-1] == pytest.approx(expected)
    assert record_first(rain, archive, "none", MaskCount())["pr"].to_numpy()[-1] == 3.0


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["tas", "rsds"]))
def test_means_on_shared_days_are_the_record_s(seed, name):
    rng = np.random.default_rng(seed)
    days = pd.date_range("2014-01-01", periods=120)
    mine = drivers(days, **{name: rng.gamma(2.0, 5.0, 120)})[name]
    values, shared = rng.gamma(2.0, 4.0, 120), rng.uniform(size=120) < 0.7
    moved, _ = scaled(values, mine, shared)
    assert moved[shared].mean() == pytest.approx(mine.to_numpy()[shared].mean())
