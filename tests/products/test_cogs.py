import numpy as np
import pytest
import rasterio
import xarray as xr
from concerto.cubes import save
from concerto.products.cogs import LAYERS, write_layers
from concerto.products.gridded import write_map
from rasterio.enums import ColorInterp
from synthetic_tiles import (
    DATELINE,
    FAILED,
    SOUTH,
    STATUS,
    TRANSECT,
    land_cells,
    make_tile,
    years_of,
)

YEARS = {"start": "1999-11", "months": 14}


@pytest.fixture(scope="module", params=["transect", "dateline"])
def made(request, tmp_path_factory):
    """The map of a year that it has two months of and of the next, and the folder of its layers."""
    grid = {"transect": TRANSECT, "dateline": DATELINE}[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    save(years_of(make_tile(grid, *land_cells(grid), **YEARS)), folder / "r0c0.nc")
    write_map([folder / "r0c0.nc"], grid, folder / "map.nc", folder / "map.zarr", SAID)
    write_layers(folder / "map.nc", folder / "layers")
    with xr.open_dataset(folder / "map.nc") as ds:
        return grid, ds.load(), folder / "layers"


SAID = {"title": "Made up", "history": "write_map", "licences_of_inputs": "a: CC-BY-4.0"}


def test_each_year_has_its_layers_and_nothing_else(made):
    _, _, layers = made
    names = {f"{name}_{year}.tif" for name in LAYERS for year in (1999, 2000)}
    assert {path.name for path in layers.iterdir()} == names | {"status.tif"}


def test_layers_are_where_the_map_is_with_north_up(made):
    grid, ds, layers = made
    east = grid.west + grid.columns * grid.resolution_deg
    for path in layers.iterdir():
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == 4326
            assert (file.count, file.shape) == (1, (grid.rows, grid.columns))
            np.testing.assert_allclose(file.bounds, (grid.west, grid.south, east, grid.north))
            for row, column in ((0, 0), (grid.rows - 1, grid.columns - 1)):
                lon, lat = file.xy(row, column)
                assert (lat, lon) == pytest.approx((ds.lat[-1 - row], ds.lon[column]))


def test_layers_have_the_values_of_their_year(made):
    _, ds, layers = made
    assert ds.sizes["time"] == 2
    for name in LAYERS:
        for k, year in enumerate((1999, 2000)):
            assert_shows(layers / f"{name}_{year}.tif", ds[name][k])


def assert_shows(path, expected):
    with rasterio.open(path) as file:
        assert np.isnan(file.nodata)
        found = file.read(1)
    assert np.isnan(found).any()
    assert np.isfinite(found).any()
    np.testing.assert_array_equal(found, expected.to_numpy()[::-1])


def test_status_tells_failed_cells_from_sea(made):
    _, ds, layers = made
    with rasterio.open(layers / "status.tif") as file:
        found = file.read(1)
        assert file.nodata == 255
        assert file.tags()["flags"] == ", ".join(f"{k} {word}" for k, word in enumerate(STATUS))
    np.testing.assert_array_equal(found[::-1], ds["status"].fillna(255))
    assert {FAILED, 255} <= set(found.flat)


def test_layers_say_what_they_are(made):
    _, _, layers = made
    with rasterio.open(layers / "gpp_sd_1999.tif") as file:
        assert file.units == ("g m-2 d-1",)
        assert file.descriptions == (
            "gross primary production, as carbon, sd, 1999-11-01 to 1999-12-31",
        )
        tags = file.tags()
        assert tags["period"] == "1999-11-01/1999-12-31"
        assert tags["licences_of_inputs"] == "a: CC-BY-4.0"
        assert file.colorinterp == (ColorInterp.gray,)


def test_layers_are_cloud_optimised(made):
    _, _, layers = made
    for path in layers.iterdir():
        assert_cloud_optimised(path, overviews=[])


def test_large_layers_have_overviews(tmp_path):
    lat, lon = np.arange(-59.95, 60, 0.1), np.arange(0.05, 110, 0.1)
    values = np.where(lon > 100, np.nan, lat[:, None] + 0 * lon).astype("f4")
    ds = xr.Dataset({"status": (("lat", "lon"), np.zeros(values.shape, "i1"))})
    ds["status"].attrs = {"long_name": "status", "flag_values": 0, "flag_meanings": "converged"}
    for name in LAYERS:
        ds[name] = (("time", "lat", "lon"), values[None], {"long_name": "latitude"})
    ds = ds.assign_coords(lat=lat, lon=lon, time=np.array(["2000-01-01"], "M8[ns]"))
    ds["lat_bnds"] = (("lat", "bnds"), np.stack([lat - 0.05, lat + 0.05], 1))
    ds["lon_bnds"] = (("lon", "bnds"), np.stack([lon - 0.05, lon + 0.05], 1))
    ds["time_bnds"] = (("time", "bnds"), np.array([["2000-01-01", "2000-02-01"]], "M8[ns]"))
    save(ds.assign_attrs(history="made up"), tmp_path / "map.nc")
    write_layers(tmp_path / "map.nc", tmp_path / "layers")
    path = tmp_path / "layers/gpp_mean_2000.tif"
    assert_cloud_optimised(path, overviews=[2, 4])
    assert_cloud_optimised(tmp_path / "layers/status.tif", overviews=[2, 4])
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values[::-1])
        coarse = file.read(1, out_shape=(file.height // 4, file.width // 4))
    np.testing.assert_allclose(np.nanmean(coarse[0]), lat[-4:].mean(), rtol=1e-4)
    assert np.isnan(coarse[:, -1]).all()


def assert_cloud_optimised(path, overviews):
    """Check what GDAL's own validation checks: tiles, and first what a reader needs first."""
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.profile["tiled"]
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == overviews
        levels = [None, *range(len(overviews))]
        heads = [int(item(file, "IFD_OFFSET", level)) for level in levels]
        assert heads == sorted(heads)
        assert heads[0] < 300
        starts = [item(file, "BLOCK_OFFSET_0_0", level) for level in levels]
        starts = [int(start) for start in starts if start]
        # Overviews lie before what they are of, the smallest first, behind all heads.
        assert starts == sorted(starts, reverse=True)
        assert max(heads) < min(starts)


def item(file, name, level):
    return file.get_tag_item(name, "TIFF", bidx=1, ovr=level)


def test_a_map_on_which_all_failed_has_layers_too(tmp_path):
    tile = make_tile(SOUTH, *(part[:9] for part in land_cells(SOUTH)))
    for name, variable in tile.data_vars.items():
        if variable.dims == ("location", "time"):
            tile[name] = variable * np.nan
            tile[name].attrs = variable.attrs
    save(tile, tmp_path / "r0c0.nc")
    write_map([tmp_path / "r0c0.nc"], SOUTH, tmp_path / "map.nc", tmp_path / "map.zarr", SAID)
    write_layers(tmp_path / "map.nc", tmp_path / "layers")
    with rasterio.open(tmp_path / "layers/gpp_mean_2000.tif") as file:
        assert np.isnan(file.read(1)).all()


def test_layers_are_written_all_or_none(tmp_path):
    save(make_tile(DATELINE, *land_cells(DATELINE), quantities=["gpp"]), tmp_path / "r0c0.nc")
    write_map([tmp_path / "r0c0.nc"], DATELINE, tmp_path / "map.nc", tmp_path / "map.zarr", SAID)
    with pytest.raises(KeyError, match="nee_mean"):
        write_layers(tmp_path / "map.nc", tmp_path / "layers")
    assert {path.name for path in tmp_path.iterdir()} == {"map.nc", "map.zarr", "r0c0.nc"}
