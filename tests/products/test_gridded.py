import json
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr
from compliance_checker.runner import CheckSuite, ComplianceChecker
from concerto.cubes import save
from concerto.errors import InputError
from concerto.maps import MapGrid
from concerto.products.gridded import CHUNK, flag_word
from synthetic_tiles import (
    COUNTRIES,
    DATELINE,
    ORIGIN,
    QUANTITIES,
    RUN_ID,
    SOUTH,
    STATISTICS,
    TRANSECT,
    files_of,
    land_cells,
    make_tile,
    settings,
    write_tiles,
    years_of,
)
from write_map import write_map

GRIDS = {"transect": (TRANSECT, 40), "south": (SOUTH, 5), "dateline": (DATELINE, 3)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """How to come by a map's folder, with its grid and tiles: each is made once."""

    @cache
    def build(name):
        grid, size = GRIDS[name]
        folder = tmp_path_factory.mktemp(name)
        tiles = write_tiles(folder / "tiles", grid, size)
        write(tiles, grid, folder)
        return folder, grid, tiles

    return build


@pytest.fixture(params=GRIDS)
def made(request, built):
    return built(request.param)


def write(tiles, grid, folder):
    with TemporaryDirectory() as years:
        files = files_of(tiles, folder, Path(years))
        write_map("m", grid, *files, settings=settings(grid), **ORIGIN, run_id=RUN_ID)


def opened(folder, name="map"):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = xr.open_zarr(folder / f"{name}.zarr", chunks=None)
        return xr.open_dataset(folder / f"{name}.nc"), store


def test_cells_have_the_values_of_their_tiles_and_others_none(made):
    folder, grid, _ = made
    lat, lon = land_cells(grid)
    cells = make_tile(grid, lat, lon)
    rows, columns = grid.position(lat, lon)
    sea = np.ones((grid.rows, grid.columns), dtype=bool)
    sea[rows, columns] = False
    assert sea.any()
    for ds in opened(folder):
        with ds:
            for name in QUANTITIES:
                for statistic in STATISTICS:
                    found = ds[f"{name}_{statistic}"]
                    assert found.dims == ("time", "lat", "lon")
                    expected = cells[found.name].to_numpy().T
                    np.testing.assert_array_equal(found.to_numpy()[:, rows, columns], expected)
                    assert np.isnan(found.to_numpy()[:, sea]).all()
                    assert {**found.attrs, **cells[found.name].attrs} == found.attrs
            status = ds["status"].to_numpy()
            np.testing.assert_array_equal(status[rows, columns], cells["status"])
            assert np.isnan(status[sea]).all()
            np.testing.assert_allclose(ds["cell_area"].to_numpy()[rows, columns], cells.cell_area)
            assert np.isfinite(ds["cell_area"]).all()
            np.testing.assert_array_equal(ds["time_bnds"], cells["time_bnds"])


def test_years_are_on_the_same_grid_with_their_own_times(made):
    folder, grid, _ = made
    lat, lon = land_cells(grid)
    cells = years_of(make_tile(grid, lat, lon))
    rows, columns = grid.position(lat, lon)
    for ds in opened(folder, "annual"):
        with ds, xr.open_dataset(folder / "map.nc") as months:
            assert set(ds.variables) == set(months.variables)
            found = ds["gpp_sd"].to_numpy()
            assert found.shape == (1, grid.rows, grid.columns)
            np.testing.assert_array_equal(found[:, rows, columns], cells["gpp_sd"].to_numpy().T)
            np.testing.assert_array_equal(
                ds["time_bnds"], np.array([["2000-01-01", "2001-01-01"]], "M8[ns]")
            )
            xr.testing.assert_identical(ds["status"], months["status"])


def test_names_of_regions_are_flags(made):
    folder, grid, _ = made
    lat, lon = land_cells(grid)
    rows, columns = grid.position(lat, lon)
    for ds in opened(folder):
        with ds:
            attrs = ds["country"].attrs
            assert attrs["flag_meanings"] == "Chad Cote_d_Ivoire Dem._Rep._Congo"
            names = attrs["flag_names"].split("; ")
            assert names == sorted({*COUNTRIES} - {"none"})
            numbers = ds["country"].to_numpy()[rows, columns]
            expected = make_tile(grid, lat, lon)["country"].to_numpy()
            known = np.isfinite(numbers)
            np.testing.assert_array_equal(known, expected != "none")
            found = np.array(names)[numbers[known].astype(int) - 1]
            np.testing.assert_array_equal(found, expected[known].astype(str))
            kinds = dict(zip(ds.igbp.flag_meanings.split(), ds.igbp.flag_values, strict=True))
            assert (kinds["ENF"], kinds["SAV"], kinds["WAT"]) == (1, 9, 17)


def test_the_file_does_not_depend_on_how_the_map_was_tiled(made, tmp_path):
    folder, grid, _ = made
    write(write_tiles(tmp_path / "tiles", grid, 500), grid, tmp_path)
    for name in ("map", "annual"):
        assert (tmp_path / f"{name}.nc").read_bytes() == (folder / f"{name}.nc").read_bytes()
        files = [path for path in sorted((folder / f"{name}.zarr").rglob("*")) if path.is_file()]
        assert files
        for file in files:
            assert (tmp_path / file.relative_to(folder)).read_bytes() == file.read_bytes()


def test_maps_larger_than_a_block_and_longer_than_one(tmp_path):
    grid = MapGrid(10.0, -75.0, 11.0, 75.0, 0.5)
    much = {"start": "1999-11", "months": 125, "quantities": ["nee"]}
    write(write_tiles(tmp_path / "tiles", grid, 110, **much), grid, tmp_path)
    lat, lon = land_cells(grid)
    cells = make_tile(grid, lat, lon, **much)
    rows, columns = grid.position(lat, lon)
    for ds in opened(tmp_path):
        with ds:
            for name in ("nee_mean", "nee_q95", "nee_sd"):
                found = ds[name].to_numpy()[:, rows, columns]
                np.testing.assert_array_equal(found, cells[name].to_numpy().T)
    group = zarr.open_group(tmp_path / "map.zarr", mode="r")
    assert group["nee_mean"].shards == (120, 256, 2)
    assert group["nee_mean"].chunks == (12, 64, 2)


def test_chunks_serve_maps_and_series_alike(made):
    folder, grid, _ = made
    expected = (12, min(grid.rows, CHUNK["lat"]), min(grid.columns, CHUNK["lon"]))
    for ds in opened(folder):
        with ds:
            found = ds["gpp_mean"].encoding
            assert found.get("chunksizes", found.get("chunks")) == expected
    assert len(list((folder / "map.zarr" / "gpp_mean" / "c").rglob("0"))) <= 4


def test_zarr_is_consolidated_and_of_version_3(made):
    folder, _, _ = made
    metadata = json.loads((folder / "map.zarr" / "zarr.json").read_text())
    assert metadata["zarr_format"] == 3
    with xr.open_dataset(folder / "map.nc") as ds:
        assert set(metadata["consolidated_metadata"]["metadata"]) == set(ds.variables)


@pytest.mark.parametrize("name", ["south", "dateline"])
def test_gis_finds_the_place(name, built):
    """GDAL reads NetCDF of several columns alone: the layers are what places a transect."""
    folder, grid, _ = built(name)
    east = grid.west + grid.columns * grid.resolution_deg
    with rasterio.open(f"netcdf:{folder / 'map.nc'}:cell_area") as file:
        assert file.crs.to_epsg() == 4326
        assert file.shape == (grid.rows, grid.columns)
        assert file.res == pytest.approx((0.5, 0.5))
        np.testing.assert_allclose(file.bounds, (grid.west, grid.south, east, grid.north))
        with xr.open_dataset(folder / "map.nc") as ds:
            np.testing.assert_array_equal(file.read(1), ds["cell_area"][::-1])


def test_it_says_where_it_comes_from(made):
    folder, _, _ = made
    for ds in opened(folder):
        with ds:
            assert ds.attrs["Conventions"] == "CF-1.11"
            assert "pyrealm 1.0.1" in ds.attrs["references"]
            assert "natural_earth_110m: public domain" in ds.attrs["licences_of_inputs"]
            assert "https://pyrealm.readthedocs.io" in ds.attrs["inputs"]
            assert len(ds.attrs["configuration_sha256"]) == 64
            assert ds.attrs["run_id"] == RUN_ID
            assert ds.attrs["software"].startswith("concerto 0.")
            assert ds.attrs["source"].endswith("cell by cell on fapar by esmda")
            assert ds.attrs["members"] == 100
            assert "featureType" not in ds.attrs


@pytest.mark.parametrize("kind", ["map", "annual", "tile"])
def test_map_and_tiles_comply_with_cf(kind, built, tmp_path):
    folder, _, tiles = built("transect" if kind == "tile" else "dateline")
    report = tmp_path / "report.txt"
    CheckSuite.load_all_available_checkers()
    file = tiles[0] if kind == "tile" else folder / f"{kind}.nc"
    ComplianceChecker.run_checker(str(file), ["cf:1.11"], 0, "strict", output_filename=str(report))
    assert "All tests passed!" in report.read_text(), report.read_text()


def test_tiles_without_cells_are_passed_over(built, tmp_path):
    folder, grid, tiles = built("dateline")
    empty = tmp_path / "r9c9.nc"
    save(make_tile(grid, np.array([]), np.array([])), empty)
    assert not xr.load_dataset(empty).sizes["location"]
    write([empty, *tiles], grid, tmp_path)
    assert (tmp_path / "map.nc").read_bytes() == (folder / "map.nc").read_bytes()
    with pytest.raises(InputError, match="no cell at all"):
        write([empty], grid, tmp_path)


def twice(tile):
    return xr.concat([tile, tile.isel(location=[0])], "location", data_vars="minimal")


def elsewhere(tile):
    return tile.assign_coords(lat=tile["lat"] + 0.1)


def outside(tile):
    return tile.assign_coords(lat=tile["lat"] - 20.0)


def another_area(tile):
    return tile.assign(cell_area=tile["cell_area"] * 0.9)


def without_lai(tile):
    return tile.drop_vars("lai_sd")


def other_units(tile):
    tile["lai_sd"].attrs["units"] = "m2 m-2"
    return tile


def later(tile):
    return make_tile(DATELINE, tile.lat.to_numpy(), tile.lon.to_numpy(), start="2001-01")


def unknown_class(tile):
    tile["igbp"][0] = "XYZ"
    return tile


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (twice, "a second time"),
        (elsewhere, "expected centres of"),
        (outside, "expected locations in"),
        (another_area, "cell_area of "),
        (without_lai, "not in all tiles"),
        (other_units, r"lai_sd: found units '(m2 m-2|1)'"),
        (later, "time_bnds: found other times"),
        (unknown_class, "igbp: found XYZ"),
    ],
)
def test_tiles_that_do_not_fit_leave_what_was_there(spoil, said, built, tmp_path):
    folder, grid, tiles = built("dateline")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    broken = tmp_path / "broken.nc"
    save(spoil(xr.load_dataset(tiles[1])), broken)
    with pytest.raises(InputError, match=said):
        write([tiles[0], broken], grid, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not [path for path in folder.iterdir() if ".part" in path.name]


def test_dimensions_that_no_map_has_are_refused(tmp_path):
    lat, lon = land_cells(DATELINE)
    odd = make_tile(DATELINE, lat, lon, quantities=["gpp"])
    save(odd.assign(gpp_mean=odd["gpp_mean"].expand_dims(member=2)), tmp_path / "r0c0.nc")
    with pytest.raises(InputError, match="gpp_mean: found dimensions"):
        write([tmp_path / "r0c0.nc"], DATELINE, tmp_path)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Côte d'Ivoire", "Cote_d_Ivoire"),
        ("Dem. Rep. Congo", "Dem._Rep._Congo"),
        ("Cfb", "Cfb"),
        ("São Tomé & Príncipe", "Sao_Tome___Principe"),
    ],
)
def test_names_become_words(name, word):
    assert flag_word(name) == word
