"""Monthly cubes from daily ones, and the cubes of sites that have no records of their own."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.cubes import (
    DAY,
    DRIVERS_DAILY,
    DRIVERS_MONTHLY,
    OBSERVATIONS_DAILY,
    OBSERVATIONS_MONTHLY,
    read_cube,
    with_bounds,
    write_cube,
)
from concerto.domain import DRIVERS, STREAMS, Location
from concerto.errors import InputError
from concerto.prepare.derive import derived_site
from concerto.prepare.monthly import monthly_drivers, monthly_observations
from concerto.prepare.site import SiteFiles
from concerto.prepare.streams import MaskCount, parts_of, store
from derive_site import derive_site
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

TIMES = pd.date_range("2015-12-10", "2016-04-30", freq="D")
WHOLE = ["2016-01-01", "2016-02-01", "2016-03-01", "2016-04-01"]
SITE = {
    "name": "Nowhere", "latitude": 50.2, "longitude": 6.1, "elevation_m": 300, "igbp": "MF",
    "utc_offset_hours": 1, "streams": ["nee", "lai"], "cubes": {"of": "XX-Tow", "step": "month"},
}  # fmt: skip


def daily_drivers() -> xr.Dataset:
    values = np.arange(len(TIMES), dtype=float)
    return xr.Dataset(
        {name: ("time", values.copy(), said.attributes()) for name, said in DRIVERS.items()},
        {"time": TIMES},
    )


def daily_observations(present=None, every=8) -> xr.Dataset:
    """NEE on all days or those given, and LAI on one in eight."""
    n = len(TIMES)
    present = np.ones(n, bool) if present is None else present
    out = xr.Dataset(coords={"time": TIMES})
    for name, there in (("nee", present), ("lai", np.arange(n) % every == 0)):
        values = np.arange(n, dtype=float)
        parts = parts_of(values, 0.1 + 0.01 * values, 0.5 * np.ones(n), 0.8 * np.ones(n), ~there)
        store(out, name, parts, f"tower.csv: {name}", "day")
    return out


def masked(count: MaskCount, name: str, reason: str) -> int:
    table = count.table().set_index(["variable", "level", "reason"])
    return int(table.loc[(name, "monthly", reason), "masked"])


def test_drivers_are_means_over_whole_months():
    count = MaskCount()
    daily = daily_drivers()
    daily["pr"][40] = np.nan
    found = monthly_drivers(daily, count, "d.nc")
    assert found.indexes["time"].strftime("%Y-%m-%d").tolist() == WHOLE
    frame = daily["burned_area_fraction"].to_series()
    np.testing.assert_allclose(
        found["burned_area_fraction"], frame.groupby(frame.index.to_period("M")).mean()[1:]
    )
    assert np.isnan(found["pr"].to_numpy()).tolist() == [True, False, False, False]
    assert masked(count, "pr", "a day of the month is missing") == 1
    assert count.rows[0] == ("time", "daily", "the record has not the whole month", 22, len(TIMES))
    assert found["tasmin"].attrs["cell_methods"] == "time: minimum time: mean"
    assert found["tas"].attrs["cell_methods"] == "time: mean"


def test_record_without_a_whole_month_is_refused():
    with pytest.raises(
        InputError, match=r"d\.nc: time: found days from 2015-12-10; expected a who"
    ):
        monthly_drivers(daily_drivers().isel(time=slice(0, 30)), MaskCount(), "d.nc")


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=len(TIMES), max_size=len(TIMES)))
def test_observations_are_means_of_the_days_that_have_values(present):
    daily = daily_observations(np.array(present))
    found = monthly_observations(daily, MaskCount(), "o.nc")
    for k, month in enumerate(WHOLE):
        days = daily.sel(time=month[:7])
        there = np.isfinite(days["nee"].to_numpy())
        if np.isnan(found["nee"][k]):
            continue
        n = there.sum()
        values, sd = (days[name].to_numpy()[there] for name in ("nee", "nee_random"))
        assert found["nee"][k].item() == pytest.approx(values.mean())
        assert found["nee_random"][k].item() == pytest.approx(np.sqrt((sd**2).sum()) / n)
        assert found["nee_systematic"][k].item() == pytest.approx(0.5)
        fraction = found["nee_measured_fraction"][k].item()
        assert fraction == pytest.approx(0.8 * n / len(there))


def test_half_of_the_usual_values_is_enough():
    """Of days, and of one day in eight; a single value is what is usual of its kind."""
    present = np.ones(len(TIMES), bool)
    january = TIMES.get_loc("2016-01-01")
    present[january : january + 16] = False  # 15 of 31 days are left
    february = TIMES.get_loc("2016-02-01")
    present[february : february + 14] = False  # 15 of 29
    march = TIMES.get_loc("2016-03-01")
    present[march : march + 31] = False
    count = MaskCount()
    found = monthly_observations(daily_observations(present), count, "o.nc")
    assert np.isfinite(found["nee"].to_numpy()).tolist() == [False, True, False, True]
    assert masked(count, "nee", "no value in the month") == 1
    assert masked(count, "nee", "fewer than half of the usual values") == 1
    assert np.isfinite(found["lai"]).all()


def test_each_of_many_locations_is_as_by_itself():
    """To the last bit, also where streams have values on other days, or none at all."""
    rng = np.random.default_rng(3)
    kinds = (1.0, 8), (0.6, 3), (0.0, 8)
    observed = [daily_observations(rng.random(len(TIMES)) < share, e) for share, e in kinds]
    drivers = [
        daily_drivers().map(lambda values: values * rng.random(len(values)), keep_attrs=True)
        for _ in kinds
    ]
    places = {"location": ["a", "b", "c"], "lat": ("location", [40.0, 50.0, 60.0])}
    for made, days in ((monthly_drivers, drivers), (monthly_observations, observed)):
        together, apart = MaskCount(), MaskCount()
        many = xr.concat(days, "location", combine_attrs="override").assign_coords(places)
        found = made(many.transpose("location", "time"), together, "m.nc")
        assert found["lat"].to_numpy().tolist() == [40.0, 50.0, 60.0]
        for k, one in enumerate(days):
            alone = made(one, apart, "m.nc")
            assert found.isel(location=k, drop=True).identical(alone)
        sums = [
            count.table().query("variable != 'time'").groupby(["variable", "level", "reason"]).sum()
            for count in (together, apart)
        ]
        assert sums[0].equals(sums[1])


def test_a_single_value_is_what_is_usual_of_its_kind():
    day = TIMES.get_loc("2016-03-10")
    daily = daily_observations(np.arange(len(TIMES)) == day)
    found = monthly_observations(daily, MaskCount(), "o.nc")
    assert np.isfinite(found["nee"].to_numpy()).tolist() == [False, False, True, False]
    assert found["nee"][2] == daily["nee"][day]
    assert found["nee_random"][2] == daily["nee_random"][day]


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    """Daily cubes of two places, the second of which is near the site."""
    folder = tmp_path_factory.mktemp("cubes")
    for name, ds, schema in (
        ("drivers", daily_drivers(), DRIVERS_DAILY),
        ("observations", daily_observations(), OBSERVATIONS_DAILY),
    ):
        far = ds.map(lambda values: values + 100.0, keep_attrs=True)
        cube = xr.concat([far, ds], "location").transpose("location", "time")
        cube = cube.assign_coords(
            location=["far", "near"], lat=("location", [40.0, 50.5]), lon=("location", [6.0, 6.0])
        )
        cube = with_bounds(cube, DAY, 1.0).assign_attrs(utc_offset_hours=1.0)
        texts = dict.fromkeys(("title", "source", "history"), "made up")
        write_cube(cube, folder / f"{name}.nc", schema, **texts)
    return folder


def derive(cubes, step="month", count=None, **changes):
    location = Location.from_site("X", SITE | changes)
    files = cubes / "drivers.nc", cubes / "observations.nc"
    return derived_site(location, step, *files, count or MaskCount())


def test_nearest_location_is_taken(cubes):
    drivers, observed = derive(cubes, "day")
    np.testing.assert_allclose(drivers["tas"], daily_drivers()["tas"])
    np.testing.assert_allclose(observed["nee"], daily_observations()["nee"])
    monthly, _ = derive(cubes)
    assert monthly["tas"][0].item() == pytest.approx(22 + 15)


def test_missing_days_are_counted_at_daily_steps_too(cubes):
    count = MaskCount()
    derive(cubes, "day", count)
    table = count.table().set_index("variable")
    assert table.loc["lai", "masked"] == len(TIMES) - 18
    assert set(table.index) == {*DRIVERS, "nee", "lai"}


def test_location_too_far_away_is_refused(cubes):
    with pytest.raises(InputError, match=r"drivers.nc: location: found near as the nearest, 1\.10"):
        derive(cubes, latitude=51.6)


def test_other_clock_is_refused(cubes):
    with pytest.raises(InputError, match=r"utc_offset_hours: found \+1 h; expected \+0 h, as X"):
        derive(cubes, utc_offset_hours=0)


def site_files(folder):
    written = {key: folder / f"{key}.nc" for key in ("drivers", "observations", "land")}
    return SiteFiles(**written, masking=folder / "masking.csv")


@pytest.fixture
def borders(tmp_path):
    file = tmp_path / "borders.gpkg"
    square = {"name": ["Belgium"], "geometry": [box(3, 49, 7, 52)]}
    geopandas.GeoDataFrame(square, crs="EPSG:4326").to_file(file)
    return file


def test_files_of_a_derived_site(cubes, tmp_path, borders):
    files = site_files(tmp_path / "X")
    inputs = {"drivers": cubes / "drivers.nc", "observations": cubes / "observations.nc"}
    derive_site("X", SITE, files, **inputs, borders=borders)
    drivers = read_cube(files.drivers, DRIVERS_MONTHLY)
    observed = read_cube(files.observations, OBSERVATIONS_MONTHLY)
    assert drivers["location"].to_numpy().tolist() == ["X"]
    assert drivers["lat"].item() == SITE["latitude"]
    assert observed["nee"].attrs["units"] == STREAMS["nee"].units
    assert xr.load_dataset(files.land)["country"].item() == "Belgium"
    assert {"daily", "monthly"} == set(pd.read_csv(files.masking)["level"])


def test_stream_that_the_cubes_lack_is_named(cubes, tmp_path, borders):
    inputs = {"drivers": cubes / "drivers.nc", "observations": cubes / "observations.nc"}
    with pytest.raises(InputError, match=r"sites\.X: streams: found fapar; expected one of nee"):
        derive_site(
            "X",
            SITE | {"streams": ["fapar"]},
            site_files(tmp_path / "X"),
            **inputs,
            borders=borders,
        )
    assert not (tmp_path / "X").exists()
