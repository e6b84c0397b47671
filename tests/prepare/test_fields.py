"""Fields become means over cells: whatever the order and cut of files, and counted to the last."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from concerto.errors import InputError
from concerto.prepare import fields
from concerto.prepare.grids import box_cells
from rasterio import Affine

LAI = {
    "band": "lai",
    "units": "1",
    "scale": 0.1,
    "valid": [0, 100],
    "quality": [{"band": "qc", "bits": [0, 0], "keep": [0], "meaning": "good"}],
    "uncertainty": {"minimum": 0.5},
    "operator": "lai",
}
COVER = {"band": "map", "classes": {"tree": [1, 2], "grass": [3]}}
TILES = ((10.0, 51.0), (10.5, 51.0))
DAYS = (("2003-01-01", "2003-01-09"), ("2003-01-09", "2003-01-17"))
CELLS = box_cells(10.0, 50.5, 11.0, 51.0, 0.25)


def source(**variables: dict) -> dict:
    return {
        "reader": "geotiff",
        "request": "year",
        "grid": {"crs": "EPSG:4326", "step": "P8D"},
        "variables": variables,
    }


def write(path: Path, bands: dict[str, np.ndarray], west: float, north: float) -> Path:
    rows, columns = next(iter(bands.values())).shape
    profile = {
        "driver": "GTiff", "width": columns, "height": rows, "count": len(bands), "nodata": 255,
        "dtype": "uint8", "crs": "EPSG:4326", "transform": Affine(0.05, 0, west, 0, -0.05, north),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for number, (name, values) in enumerate(bands.items(), 1):
            file.write(values, number)
            file.set_band_description(number, name)
    return path


def record(path: Path, interval: tuple[str, str], bands: list[str]) -> dict:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"start": interval[0], "end": interval[1], "bands": bands, "sha256": digest}


@pytest.fixture
def tiles(tmp_path) -> tuple[list[Path], dict, dict[tuple, np.ndarray]]:
    """Two composites of two tiles each, and what they hold."""
    rng = np.random.default_rng(4)
    files, assets, held = [], {}, {}
    for k, interval in enumerate(DAYS):
        for west, north in TILES:
            lai = rng.integers(0, 120, (10, 10)).astype("uint8")
            quality = rng.integers(0, 2, (10, 10)).astype("uint8")
            path = write(tmp_path / f"{k}_{west}.tif", {"lai": lai, "qc": quality}, west, north)
            files.append(path)
            assets[path.name] = record(path, interval, ["lai", "qc"])
            held[k, west] = np.where((lai <= 100) & (quality == 0), 0.1 * lai, np.nan)
    return files, assets, held


def test_means_are_those_of_the_pixels_by_area(tiles):
    files, assets, held = tiles
    found, masking = fields.aggregate_fields(files, source(lai=LAI), assets, CELLS)
    edges = np.linspace(51.0, 50.5, 11)
    weight = np.sin(np.radians(edges[:-1])) - np.sin(np.radians(edges[1:]))
    for k in range(2):
        pixels = np.concatenate([held[k, west] for west, _ in TILES], axis=1)
        for c in range(len(CELLS)):
            row, column = (c // 4 == 0) * 5, 5 * (c % 4)  # cells rise to the north
            block = pixels[row : row + 5, column : column + 5]
            there = np.isfinite(block)
            by_area = np.where(there, weight[row : row + 5, None], 0.0)
            expected = (by_area * np.nan_to_num(block)).sum() / by_area.sum()
            # On the ellipsoid zones are a little different from those of a sphere.
            np.testing.assert_allclose(found["lai"][k, c], expected, rtol=1e-4)
            assert found["lai_n"][k, c] == there.sum()
    assert list(found["start"].to_numpy().astype("datetime64[D]").astype(str)) == [
        start for start, _ in DAYS
    ]
    missing = sum(np.isnan(pixels).sum() for pixels in held.values())
    assert masking["masked"].sum() == missing
    assert (masking["total"] == 400).all()


def test_the_order_of_files_does_not_matter(tiles):
    files, assets, _ = tiles
    found, _ = fields.aggregate_fields(files, source(lai=LAI), assets, CELLS)
    again, _ = fields.aggregate_fields(files[::-1], source(lai=LAI), assets, CELLS)
    for name in found.data_vars.keys() - {"start", "end"}:
        np.testing.assert_allclose(again[name], found[name], rtol=1e-12)


def test_few_bytes_of_overlaps_give_the_same(tiles, monkeypatch):
    files, assets, _ = tiles
    found, _ = fields.aggregate_fields(files, source(lai=LAI), assets, CELLS)
    monkeypatch.setattr(fields, "MOST_BYTES", 0)
    again, _ = fields.aggregate_fields(files, source(lai=LAI), assets, CELLS)
    assert again.identical(found)


def test_fewer_bytes_read_at_once_give_the_same_means_in_less_memory(tmp_path, monkeypatch):
    """Leaf area of 1000 x 500 pixels in blocks of 100 kB, in place of all at once."""
    rng = np.random.default_rng(7)
    bands = {name: rng.integers(0, 110, (1000, 500)).astype("uint8") for name in ("lai", "qc")}
    path = tmp_path / "a.tif"
    profile = {
        "driver": "GTiff", "width": 500, "height": 1000, "count": 2, "nodata": 255, "blockysize": 8,
        "dtype": "uint8", "crs": "EPSG:4326", "transform": Affine(0.002, 0, 10, 0, -0.002, 52),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for number, (name, values) in enumerate(bands.items(), 1):
            file.write(values, number)
            file.set_band_description(number, name)
    assets = {path.name: record(path, DAYS[0], ["lai", "qc"])}
    cells = box_cells(10.0, 50.0, 11.0, 52.0, 0.25)
    monkeypatch.setattr(fields, "MOST_BYTES", 0)  # else overlaps of all blocks are kept
    results, peaks = [], []
    for read_bytes in (2**26, 2**26, 100_000):  # the first one only warms up
        tracemalloc.start()
        results.append(
            fields.aggregate_fields([path], source(lai=LAI), assets, cells, read_bytes=read_bytes)
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    (_, (whole, masked), (parts, masked_parts)) = results
    for name in ("lai_n", "start", "end"):
        np.testing.assert_array_equal(parts[name], whole[name])
    # of sums that blocks add in another order
    for name in ("lai", "lai_covered", "lai_uncertainty", "lai_spread"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-9)
    assert masked_parts.equals(masked)
    assert peaks[2] < 0.5 * peaks[1]


def test_shares_of_classes(tmp_path):
    codes = np.repeat(np.array([1, 2, 3, 9], "uint8"), 5)[None, :] * np.ones((10, 1), "uint8")
    path = write(tmp_path / "map.tif", {"map": codes}, 10.0, 51.0)
    assets = {path.name: {"bands": ["map"]}}
    spec = source(land_cover=COVER)
    spec["request"] = "all"
    found, _ = fields.aggregate_fields([path], spec, assets, CELLS)
    assert list(found["class"].to_numpy()) == ["tree", "grass", "rest"]
    shares = found["land_cover"].to_numpy()[0].T[:4]
    np.testing.assert_allclose(shares, [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], atol=1e-9)
    assert "start" not in found


def test_what_never_changes_may_come_in_blocks(tmp_path):
    codes = np.repeat(np.array([1, 3], "int16"), 5)[:, None] * np.ones(20, "int16")
    data = xr.Dataset(
        {"map": (("lat", "lon"), codes)},
        {
            "lat": ("lat", 50.975 - 0.05 * np.arange(10), {"units": "degrees_north"}),
            "lon": ("lon", 10.025 + 0.05 * np.arange(20), {"units": "degrees_east"}),
        },
    )
    path = tmp_path / "map.nc"
    data.to_netcdf(path)
    spec = source(land_cover=COVER) | {"reader": "netcdf", "request": "all"}
    whole, _ = fields.aggregate_fields([path], spec, {path.name: {}}, CELLS)
    found, _ = fields.aggregate_fields([path], spec, {path.name: {}}, CELLS, read_bytes=1)
    shares = found["land_cover"].to_numpy()[0].T
    np.testing.assert_allclose(shares, [[0, 1, 0]] * 4 + [[1, 0, 0]] * 4, atol=1e-9)
    assert found.identical(whole)


def hours(path: Path, first: str, names: list[str]) -> Path:
    with netCDF4.Dataset(path, "w") as data:
        for name, values, unit in (
            ("time", np.arange(6.0), f"hours since {first}"),
            ("lat", np.arange(50.55, 51.0, 0.1), "degrees_north"),
            ("lon", np.arange(10.05, 11.0, 0.1), "degrees_east"),
        ):
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
            data[name].units = unit
        for name in names:
            field = data.createVariable(name, "f4", ("time", "lat", "lon"))
            field.units = "K"
            field[:] = 280.0 + np.arange(6.0)[:, None, None]
    return path


def test_intervals_of_files_that_follow_each_other(tmp_path):
    files = [
        hours(tmp_path / "b.nc", "2003-01-01 06:00", ["t"]),
        hours(tmp_path / "a.nc", "2003-01-01 00:00", ["t"]),
    ]
    assets = {
        "a.nc": record(files[1], ("2003-01-01T00:00", "2003-01-01T06:00"), ["t"]),
        "b.nc": record(files[0], ("2003-01-01T06:00", "2003-01-01T12:00"), ["t"]),
    }
    spec = {
        "reader": "netcdf",
        "request": "year",
        "grid": {"crs": "EPSG:4326", "step": "PT1H"},
        "variables": {"tas": {"band": "t", "units": "K"}},
    }
    found, _ = fields.aggregate_fields(files, spec, assets, CELLS)
    expected = np.tile(np.arange(6.0), 2) + 6.85
    np.testing.assert_allclose(found["tas"].to_numpy(), expected[:, None] * np.ones(8), atol=1e-4)
    assert (np.diff(found["start"]) == np.timedelta64(1, "h")).all()


def test_variables_in_files_of_their_own(tmp_path):
    files = [hours(tmp_path / f"{name}.nc", "2003-01-01", [name]) for name in ("t", "d")]
    interval = ("2003-01-01T00:00", "2003-01-01T06:00")
    assets = {path.name: record(path, interval, [path.stem]) for path in files}
    spec = {
        "reader": "netcdf",
        "request": "year",
        "grid": {"crs": "EPSG:4326", "step": "PT1H"},
        "variables": {"tas": {"band": "t", "units": "K"}, "tdps": {"band": "d", "units": "K"}},
    }
    found, _ = fields.aggregate_fields(files, spec, assets, CELLS)
    assert found.sizes["interval"] == 6
    np.testing.assert_array_equal(found["tas"], found["tdps"])


def test_a_variable_in_no_file(tiles):
    files, assets, _ = tiles
    spec = source(lai=LAI, fapar=LAI | {"band": "fapar", "quality": []})
    with pytest.raises(InputError, match=r"fapar: found in no file"):
        fields.aggregate_fields(files, spec, assets, CELLS)


def test_no_value_in_any_cell(tiles):
    files, assets, _ = tiles
    with pytest.raises(InputError, match="found none in any cell"):
        fields.aggregate_fields(files, source(lai=LAI), assets, box_cells(0.0, 0.0, 1.0, 1.0, 0.5))
