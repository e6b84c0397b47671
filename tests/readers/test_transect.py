"""Cells of a made-up file: units, gaps and order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.errors import InputError
from concerto.readers.transect import read, read_grid
from synthetic_transect import (
    DESERT,
    LATITUDES,
    LONGITUDE,
    SEA,
    SPEC,
    make_transect,
    write_transect,
)


@pytest.fixture(scope="module")
def made():
    return make_transect()


@pytest.fixture(scope="module")
def path(made, tmp_path_factory):
    return write_transect(made, tmp_path_factory.mktemp("raw"))


def at(k):
    return {"latitude": LATITUDES[k], "longitude": LONGITUDE}


def test_grid_has_the_cells_with_weather_from_south_to_north(path):
    grid = read_grid(path, SPEC)
    assert grid["lat"].to_numpy().tolist() == [lat for lat in LATITUDES if lat != LATITUDES[SEA]]
    assert set(grid["lon"].to_numpy()) == {LONGITUDE}
    assert grid.attrs["left_out"] == 1


def test_record_is_in_canonical_units(path, made):
    ds, cell = read(path, at(1), SPEC), made.isel(lat=1, lon=0)
    assert ds.attrs["step_minutes"] == 60
    assert set(ds.data_vars) == {"tas", "ps", "vpd", "co2", "rsds", "fapar", "fapar_random"}
    for name, expected, unit in (
        ("tas", cell["temp"], "degC"),
        ("ps", cell["patm"], "Pa"),
        ("vpd", cell["vpd"] / 100.0, "hPa"),
        ("co2", cell["co2"], "ppm"),
        ("rsds", cell["ppfd"] / 2.04, "W m-2"),
        ("fapar", cell["fapar"], "1"),
        ("fapar_random", np.maximum(0.05, 0.1 * cell["fapar"]), "1"),
    ):
        assert ds[name].attrs["units"] == unit
        np.testing.assert_allclose(ds[name], expected, rtol=1e-12)
    assert ds["rsds"].attrs["source"] == "transect_2000.nc: ppfd"
    assert ds["fapar"].attrs["keep_every_days"] == 8


def test_zero_fapar_is_no_value(path):
    assert np.isnan(read(path, at(DESERT), SPEC)["fapar"]).all()
    north = read(path, at(4), SPEC)["fapar"].to_numpy().reshape(-1, 24)
    assert np.isnan(north).any(axis=1).tolist() == [day == 3 for day in range(len(north))]


def test_a_cell_with_gaps_is_kept(made, tmp_path):
    spoilt = made.copy(deep=True)
    spoilt["temp"][30, 1] = np.nan
    spoilt["ppfd"][:, 4] = np.nan
    path = write_transect(spoilt, tmp_path)
    assert read_grid(path, SPEC).sizes["location"] == len(LATITUDES) - 1
    assert np.flatnonzero(np.isnan(read(path, at(1), SPEC)["tas"])).tolist() == [30]
    assert np.isnan(read(path, at(4), SPEC)["rsds"]).all()


@pytest.mark.parametrize("place", [at(SEA), {"latitude": 1.0, "longitude": LONGITUDE}])
def test_a_cell_that_is_not_there_is_named(path, place):
    message = f"no cell with weather at {place['latitude']:g} N, 24.25 E; expected one of 4 cells"
    with pytest.raises(InputError, match=message):
        read(path, place, SPEC)


def scaled(name, factor):
    return lambda ds: ds.assign({name: ds[name] * factor})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda ds: ds.drop_vars("ppfd"), "ppfd: found no such variable; expected one of temp"),
        (lambda ds: ds.assign(co2=ds["co2"].isel(lat=0, drop=True)), r"co2: found dimensions"),
        (lambda ds: ds.isel(lat=[1, 0, 2, 3, 4]), "lat: found values out of order"),
        (lambda ds: ds.isel(lat=[0, 0, 2, 3, 4]), "lat: found values out of order"),
        (lambda ds: ds.drop_isel(time=50), "time: found missing time 2000-01-03 02:00"),
        (lambda ds: ds.isel(time=slice(5, None)), "a record from 2000-01-01 05:00"),
        (lambda ds: ds.assign(temp=ds["temp"] * np.nan), "no cell with weather; expected at least"),
        (scaled("temp", 20.0), r"temp: found .* degC; expected -90 to 60"),
        (scaled("patm", 0.01), r"patm: found .* Pa; expected 40000 to 110000"),
        (scaled("vpd", 100.0), r"vpd: found .* hPa; expected 0 to 150"),
        (scaled("ppfd", -1.0), r"ppfd: found .* W m-2; expected 0 to 1500: is the unit"),
        (scaled("fapar", 100.0), r"fapar: found .* 1; expected 0 to 1"),
    ],
)
def test_faults_are_named(spoil, message, tmp_path):
    path = write_transect(spoil(make_transect()), tmp_path)
    with pytest.raises(InputError, match=message):
        read(path, at(1), SPEC)


def test_no_file_and_no_netcdf(tmp_path):
    with pytest.raises(InputError, match="found nothing; expected a NetCDF file"):
        read_grid(tmp_path / "none.nc", SPEC)
    (tmp_path / "text.nc").write_text("no cells here")
    with pytest.raises(InputError, match="found unreadable"):
        read_grid(tmp_path / "text.nc", SPEC)
