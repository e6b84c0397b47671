"""Daily cubes of a made-up file of grid cells."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
from concerto.config import ROOT, load_yaml, model_files
from concerto.cubes import DRIVERS_DAILY, LAND_AREA, OBSERVATIONS_DAILY, read_cube
from concerto.domain import REQUIRED_DRIVERS
from concerto.errors import InputError
from concerto.models import load_model
from concerto.prepare.grids import zone_area
from concerto.prepare.transect import cell_name, daily_cells
from concerto.prepare.weather import standard_pressure
from prepare_transect import TransectFiles, prepare_transect
from shapely.geometry import box
from synthetic_classes import FILL, code, write_map
from synthetic_records import QUALITY
from synthetic_transect import DAYS, DESERT, SEA, SPEC, make_transect, write_transect

CELLS = ["10.25S 24.25E", "0.25N 24.25E", "15.75N 24.25E", "60.75N 24.25E"]


@pytest.fixture(scope="module")
def made():
    return make_transect()


@pytest.fixture(scope="module")
def cubes(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transect")
    write_transect(made, folder)
    write_classes(folder)
    squares = {"South": box(20, -20, 30, 0.25), "North": box(20, 0.25, 30, 60.75)}
    borders = folder / "borders.gpkg"
    frame = geopandas.GeoDataFrame({"name": list(squares)}, geometry=list(squares.values()))
    frame.set_crs("EPSG:4326").to_file(borders)
    cubes = {name: folder / f"{name}.nc" for name in ("drivers", "observations", "land")}
    files = TransectFiles(**cubes, masking=folder / "masking.csv")
    sources = ROOT / "config/sources"
    prepare_transect(
        files, raw=folder, source=sources / "transect_2000.yaml", classes=folder,
        legends=sources / "land_classes.yaml", borders=borders, quality=QUALITY,
    )  # fmt: skip
    return (
        read_cube(files.drivers, DRIVERS_DAILY),
        read_cube(files.observations, OBSERVATIONS_DAILY),
        pd.read_csv(files.masking),
        read_cube(files.land, LAND_AREA),
    )


def write_classes(folder):
    """Write maps of classes with a coast through the northernmost cell, and no climate there."""
    lat, lon = np.round(np.arange(-11.95, 62.0, 0.1), 2), np.round(np.arange(23.05, 26.0, 0.1), 2)
    igbp = np.where(lat < 0.0, code("igbp.nc", "SAV"), code("igbp.nc", "EBF"))
    igbp = np.where(lat > 10.0, code("igbp.nc", "BSV"), igbp)[:, None] * np.ones(len(lon))
    north = lat > 60.5
    igbp[north] = np.where(lon < 24.4, code("igbp.nc", "WAT"), code("igbp.nc", "MF"))
    zones = np.where(north, FILL, code("koppen.nc", "Aw"))[:, None]
    write_map(folder / "igbp.nc", lat, lon, igbp)
    write_map(folder / "koppen.nc", lat, lon, zones)


def test_locations_are_the_cells_with_weather(cubes):
    for cube in cubes[:2]:
        assert cube["location"].to_numpy().tolist() == CELLS
        assert cube["lat"].to_numpy().tolist() == [-10.25, 0.25, 15.75, 60.75]
        assert set(cube["lon"].to_numpy()) == {24.25}
        assert cube.sizes["time"] == DAYS
        assert cube.attrs["utc_offset_hours"] == 0.0


def test_drivers_are_of_the_hours_of_the_day(cubes, made):
    hours = made.isel(lon=0).drop_isel(lat=SEA)
    by_day = {
        name: hours[name].transpose("lat", "time").to_numpy().reshape(len(CELLS), DAYS, 24)
        for name in ("temp", "ppfd", "vpd", "co2")
    }
    for name, expected in (
        ("tas", by_day["temp"].mean(axis=2)),
        ("tasmin", by_day["temp"].min(axis=2)),
        ("tasmax", by_day["temp"].max(axis=2)),
        ("rsds", by_day["ppfd"].mean(axis=2) / 2.04),
        ("vpd", by_day["vpd"].mean(axis=2) / 100.0),
        ("co2", by_day["co2"].mean(axis=2)),
        ("burned_area_fraction", np.zeros((len(CELLS), DAYS))),
        ("harvested_area_fraction", np.zeros((len(CELLS), DAYS))),
    ):
        np.testing.assert_allclose(cubes[0][name], expected, rtol=1e-6, atol=1e-6)
    assert np.isnan(cubes[0]["pr"]).all()


def test_one_value_of_fapar_in_eight_days_is_an_observation(cubes, made):
    fapar = cubes[1]["fapar"].to_numpy()
    kept = np.arange(DAYS) % 8 == 0
    assert np.isnan(fapar[:, ~kept]).all()
    assert np.isnan(fapar[DESERT]).all()
    expected = made["fapar"].isel(lon=0).drop_isel(lat=SEA).to_numpy()[::24].T[:, kept]
    for k in (0, 1, 3):
        np.testing.assert_allclose(fapar[k, kept], expected[k], rtol=1e-6)
    error = np.where(np.isfinite(fapar), np.maximum(0.05, 0.1 * fapar), np.nan)
    np.testing.assert_allclose(cubes[1]["fapar_random"], error, rtol=1e-5)
    np.testing.assert_allclose(cubes[1]["fapar_uncertainty"], error, rtol=1e-5)


def test_land_of_the_cells(cubes, made):
    land = cubes[3]
    assert land["location"].to_numpy().tolist() == CELLS
    assert land["igbp"].to_numpy().tolist() == ["SAV", "EBF", "BSV", "MF"]
    shares = land["land_cover"].isel(location=3).to_series()
    assert shares[shares > 0.0].to_dict() == pytest.approx({"MF": 0.2, "WAT": 0.8}, rel=1e-6)
    assert land["koppen"].to_numpy().tolist() == ["Aw", "Aw", "Aw", ""]
    assert land["country"].to_numpy().tolist() == ["South", "North", "North", "North"]
    np.testing.assert_allclose(land["land_fraction"], [1.0, 1.0, 1.0, 0.5], rtol=0.01)
    area = zone_area(land["lat"] - 0.25, land["lat"] + 0.25) * np.deg2rad(0.5)
    np.testing.assert_allclose(land["cell_area"], area, rtol=1e-6)
    pressure = made["patm"].isel(lon=0).drop_isel(lat=SEA).mean("time")
    np.testing.assert_allclose(standard_pressure(land["elevation"]), pressure, rtol=1e-6)
    assert "mean air pressure of the record" in land["elevation"].attrs["comment"]
    table = cubes[2].set_index(["variable", "reason"])
    assert table.masked["koppen", "no class"] == 1
    assert table.total["koppen", "no class"] == len(CELLS)


def test_the_default_model_needs_no_rain(cubes):
    """The record has none, and the cubes say so."""
    settings = load_yaml(ROOT / "config/config.yaml")
    model = load_model([ROOT / file for file in model_files(settings)])
    assert "pr" not in model.drivers
    assert "pr" not in REQUIRED_DRIVERS
    assert np.isfinite(cubes[0][list(model.drivers)].to_array()).all()
    assert "Rain is not in the record: it has no value." in cubes[0].attrs["comment"]


def test_masking_is_of_all_cells_together(cubes):
    table = cubes[2].set_index(["variable", "reason"])
    assert not table.index.has_duplicates
    assert table.masked["pr", "not in the records"] == len(CELLS) * DAYS
    # the desert, and a day in the north
    assert table.masked["fapar", "a step of the day is missing"] == DAYS + 1
    assert (table.total[table.level == "daily"] == len(CELLS) * DAYS).all()


def test_rain_that_is_absent_is_told_once(made, tmp_path, caplog):
    daily_cells(write_transect(made, tmp_path), SPEC, QUALITY)
    assert caplog.text.count("no record has pr") == 1


def test_another_clock_is_noticed(tmp_path):
    path = write_transect(make_transect(hours_late=2.0), tmp_path)
    with pytest.raises(InputError, match=r"radiation \+2\.\d h off the sun"):
        daily_cells(path, SPEC, QUALITY)


def test_names_of_cells():
    assert cell_name(-34.25, 24.25) == "34.25S 24.25E"
    assert cell_name(0.25, -5.5) == "0.25N 5.5W"
