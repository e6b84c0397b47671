"""Cubes of an area follow from fields in its cells: hours, days, composites, sums and gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.config import read_source
from concerto.errors import InputError
from concerto.prepare import area
from concerto.prepare.area import Fields
from concerto.prepare.streams import MaskCount

CALM = {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.01}
SECONDS = np.timedelta64(1, "s")


def fields(
    name: str, starts: pd.DatetimeIndex, length: str, variables: dict | None = None, **values
) -> Fields:
    """Return what a source has in two cells, the second by one more than the first."""
    start = starts.to_numpy().astype("datetime64[s]")
    step = np.timedelta64(int(pd.Timedelta(length).total_seconds()), "s")
    cells = xr.Dataset({"start": ("interval", start), "end": ("interval", start + step)})
    for key, array in values.items():
        pair = np.stack([array, np.asarray(array, float) + 1.0], axis=1).astype(float)
        for part, filled in (("", pair), ("_uncertainty", 0 * pair + 0.5)):
            cells[f"{key}{part}"] = (("interval", "location"), filled)
        cells[f"{key}_n"] = (("interval", "location"), np.full(pair.shape, 7))
        cells[f"{key}_covered"] = (("interval", "location"), np.ones(pair.shape))
    spec = {"variables": {key: {} for key in values} | (variables or {})}
    return Fields(name, spec, cells)


def drivers(*sources: Fields, step: str = "month") -> xr.Dataset:
    axis = area.time_axis(("2003-01-01", "2003-02-28"), step)
    co2 = np.full(len(axis), 375.0), "record"
    return area.area_drivers(sources, axis, CALM, co2, MaskCount())


def hourly() -> Fields:
    hours = pd.date_range("2003-01-01", "2003-01-31 23:00", freq="h")
    course = np.sin(2 * np.pi * (np.arange(len(hours)) % 24) / 24)
    return fields(
        "hours", hours, "1h", tas=5.0 * course, tdps=5.0 * course - 3.0, rsds=100.0 + course
    )


def without(name: str) -> Fields:
    whole = hourly()
    return Fields(
        whole.name, whole.spec, whole.cells.drop_vars([v for v in whole.cells if name in v])
    )


def test_errors_that_stay_between_composites_leave_means_less_sure():
    """Of four composites of the catalogue's LAI: by hand from the key of its file."""
    starts = pd.date_range("2003-01-01", periods=8, freq="8D")
    axis = area.time_axis(("2003-01-01", "2003-02-01"), "month")
    errors = {}
    for stays in (0.0, 0.3, 1.0):
        variable = read_source("modis_lai")["variables"]["lai"]
        assert variable["error_correlation"]["between_intervals"] == 0.3
        variable["error_correlation"]["between_intervals"] = stays
        lai = fields("modis_lai", starts, "8D", {"lai": variable}, lai=np.full(8, 2.0))
        found = area.area_observations([lai], axis, "month", 0.5, MaskCount())
        errors[stays] = float(found["lai_uncertainty"][0, 0])
    days = np.array([8.0, 8.0, 8.0, 7.0])
    apart = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    for stays, error in errors.items():
        related = float(stays) ** apart
        assert error == pytest.approx(0.5 * np.sqrt(days @ related @ days) / 31.0)


def test_hours_become_days_and_months():
    found = drivers(hourly())
    for name, expected in {"tas": 0.0, "tasmin": -5.0, "tasmax": 5.0}.items():
        np.testing.assert_allclose(found[name][:, 0], [expected, expected + 1.0], atol=1e-9)
        assert np.isnan(found[name][:, 1]).all()
    assert (found["vpd"][:, 0] > 0.0).all()
    daily = drivers(hourly(), step="day")
    assert daily.sizes["time"] == 59
    np.testing.assert_allclose(daily["tasmax"][0, :31], 5.0)


def test_what_no_source_says_is_the_configuration_s():
    found = drivers(hourly())
    np.testing.assert_allclose(found["harvested_area_fraction"], 0.01)
    np.testing.assert_allclose(found["co2"], 375.0)
    assert np.isnan(found["pr"]).all()


def test_sums_of_intervals_become_rates():
    month = pd.DatetimeIndex(["2003-01-01"])
    rain = fields(
        "rain", month, "31D", {"pr": {"units": "mm", "accumulated": {"reset": "step"}}}, pr=[62.0]
    )
    np.testing.assert_allclose(drivers(hourly(), rain)["pr"][:, 0], [2.0, 63.0 / 31.0])


def test_sums_since_midnight_become_rates():
    ends = pd.date_range("2003-01-01 01:00", "2003-02-01", freq="h")
    starts = ends - pd.Timedelta(hours=1)
    since = (np.arange(len(starts)) % 24) + 1.0
    spec = {"rsds": {"units": "J m-2", "accumulated": {"reset": "day"}}}
    sun = fields("sun", starts, "1h", spec, rsds=3600.0 * 200.0 * since)
    warm = without("rsds")
    np.testing.assert_allclose(drivers(warm, sun)["rsds"][0, 0], 200.0, rtol=1e-9)


def test_a_driver_of_two_sources_and_of_none():
    with pytest.raises(InputError, match="hours, again: tas: found in both"):
        drivers(hourly(), Fields("again", hourly().spec, hourly().cells))
    with pytest.raises(InputError, match="rsds: found nothing; expected a source that has rsds"):
        drivers(without("rsds"))


def test_a_cell_without_weather_is_left_out_and_counted():
    warm = hourly()
    warm.cells["tas"][3, 1] = np.nan
    count = MaskCount()
    found = drivers(warm).isel(time=[0])
    assert list(area.complete_cells(found, count)) == [True, False]
    rows = count.table().query("masked > 0")
    assert set(rows["reason"]) == {"left out: not at every step"}
    found["rsds"][0] = np.nan
    with pytest.raises(InputError, match="found no cell with all of them"):
        area.complete_cells(found, MaskCount())


COMPOSITES = pd.date_range("2003-01-01", periods=4, freq="8D")


def observed(*sources: Fields, step: str = "month", least: float = 0.2) -> xr.Dataset:
    axis = area.time_axis(("2003-01-01", "2003-02-28"), step)
    return area.area_observations(sources, axis, step, least, MaskCount())


def test_composites_are_averaged_over_months_and_placed_in_days():
    leaves = fields("modis", COMPOSITES, "8D", lai=[1.0, 2.0, 3.0, 4.0])
    # The last composite has only seven of its days in the month.
    np.testing.assert_allclose(observed(leaves)["lai"][0, 0], (8 * (1 + 2 + 3) + 7 * 4) / 31)
    daily = observed(leaves, step="day")["lai"].isel(location=0).to_series().dropna()
    assert list(daily.index) == list(COMPOSITES + pd.Timedelta(days=4))


def test_cells_hardly_covered_do_not_count():
    leaves = fields("modis", COMPOSITES, "8D", lai=[1.0, 2.0, 3.0, 4.0])
    leaves.cells["lai_covered"][:, 1] = 0.1
    found = observed(leaves)["lai"]
    assert np.isfinite(found[0, 0])
    assert np.isnan(found[1]).all()


def test_fields_join_a_site_s_observations_on_its_clock():
    days = pd.date_range("2003-01-01", "2003-01-31")
    tower = xr.Dataset({"nee": ("time", np.zeros(31), {"source": "tower"})}, {"time": days})
    late = fields("modis", COMPOSITES + pd.Timedelta(hours=14), "8D", lai=[1.0, 2.0, 3.0, 4.0])
    joined = area.with_fields(tower, [late], 11.0, 0.2, MaskCount())
    found = joined["lai"].to_series().dropna()
    assert found.index[0] == pd.Timestamp("2003-01-06")  # 14 h and 11 h are more than a day
    assert (joined["nee"] == 0.0).all()
    tower["lai"] = ("time", np.ones(31), {"source": "tower"})
    with pytest.raises(InputError, match="tower, modis: lai: found in both"):
        area.with_fields(tower, [late], 11.0, 0.2, MaskCount())


def saved(folder, *parts: Fields) -> list:
    files = [folder / f"{k}.nc" for k in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        part.cells.to_netcdf(file)
    return files


def test_an_interval_of_two_periods_counts_once_and_ends_where_the_next_begins(tmp_path):
    first = fields("a", pd.DatetimeIndex(["2002-12-19", "2002-12-27"]), "8D", lai=[1.0, 2.0])
    second = fields("a", pd.DatetimeIndex(["2002-12-27", "2003-01-01"]), "8D", lai=[2.0, 3.0])
    found = area.read_fields("a", {}, saved(tmp_path, first, second)).cells
    np.testing.assert_allclose(found["lai"][:, 0], [1.0, 2.0, 3.0])
    assert found["end"].to_numpy()[1] == np.datetime64("2003-01-01")


def test_two_intervals_with_one_start_are_refused(tmp_path):
    parts = [fields("a", COMPOSITES[:1], length, lai=[1.0]) for length in ("8D", "16D")]
    with pytest.raises(InputError, match="time: found two intervals from 2003-01-01"):
        area.read_fields("a", {}, saved(tmp_path, *parts))


def test_a_single_month_has_no_length():
    with pytest.raises(InputError, match="period: found 1 months that begin from 2003-01-01 to"):
        area.time_axis(("2003-01-01", "2003-01-31"), "month")


def test_land_cover_of_a_source_of_fields_takes_the_place_of_that_of_a_map():
    names = ["tree", "rest"]
    cells = xr.Dataset(
        {"land_cover": (("interval", "class", "location"), [[[1.0, 0.5], [0.0, 0.5]]])},
        {"class": names},
    )
    of_map = xr.Dataset(
        {
            "land_cover": (("class", "location"), [[0.2, 0.3], [0.8, 0.7], [0.0, 0.0]]),
            "igbp": ("location", ["GRA", "GRA"]),
        },
        {"class": ["ENF", "GRA", "none"]},
    )
    about = np.array(["A", "A"]), np.array([1.0, 1.0]), None
    both = area.area_land([Fields("cover", {}, cells)], *about, of_map)
    assert both["class"].to_numpy().tolist() == names
    assert both["land_cover"].attrs["source"] == "cover"
    assert both["igbp"].to_numpy().tolist() == ["GRA", "GRA"]
    alone = area.area_land([], *about, of_map)
    assert alone["land_cover"].equals(of_map["land_cover"])
    assert "land_cover" not in area.area_land([], *about, xr.Dataset())
