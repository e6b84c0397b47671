"""GeoTIFF files like those of MODIS and Sentinel-2, written and read back; and broken ones."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from concerto.errors import InputError
from concerto.prepare.decode import Counts
from concerto.prepare.grids import MODIS_SINUSOIDAL
from concerto.provenance import sha256_of
from concerto.readers.geotiff import read
from rasterio.transform import Affine

CELL = 463.312716527917  # of the tiles' 500 m grid: a side of 1111950.519667 m over 2400
WEST, NORTH = 3 * CELL, 5559752.598333 - 7 * CELL
BANDS = ["Lai_500m", "FparLai_QC", "LaiStdDev_500m"]
QC = [{"band": "FparLai_QC", "bits": [0, 0], "keep": [0], "meaning": "main algorithm"}]
SOURCE = {
    "request": "year",
    "grid": {"crs": "MODIS sinusoidal", "resolution": "500 m", "step": "P8D"},
    "variables": {
        "lai": {
            "band": "Lai_500m",
            "units": "1",
            "scale": 0.1,
            "valid": [0, 100],
            "quality": QC,
            "uncertainty": {
                "band": "LaiStdDev_500m",
                "scale": 0.1,
                "valid": [0, 100],
                "minimum": 0.1,
            },
        }
    },
}
ASSET = {"start": "2003-01-01T00:00:00Z", "end": "2003-01-09T00:00:00Z", "bands": BANDS}
ROWS, COLUMNS = 37, 5


def raw_leaf_area(seed=0):
    rng = np.random.default_rng(seed)
    lai = rng.integers(0, 101, (ROWS, COLUMNS)).astype(np.uint8)
    lai[:3] = 255
    lai[3, 0] = 249
    flags = rng.choice([0, 2, 32], (ROWS, COLUMNS)).astype(np.uint8)
    flags[10] = 1
    return np.stack([lai, flags, np.full_like(lai, 5)])


def write(path, raw, crs=MODIS_SINUSOIDAL, names=BANDS, transform=None, change=None, **profile):
    at = transform or Affine(CELL, 0, WEST, 0, -CELL, NORTH)
    count, height, width = raw.shape
    profile = {"nodata": 255, "compress": "deflate", "blockysize": 16, **profile}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=raw.dtype,
        crs=crs,
        transform=at,
        **profile,
    ) as file:
        file.write(raw)
        if names:
            file.descriptions = names
        if change:
            change(file)
    return path


def slabs_of(path, source=SOURCE, asset=ASSET, tally=None, **options):
    tally = {} if tally is None else tally
    return list(read(path, source, {path.name: asset}, tally, **options))


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "a.tif", raw_leaf_area())


def test_leaf_area_of_a_tile(path):
    raw, tally = raw_leaf_area(), {}
    (slab,) = slabs_of(path, tally=tally)
    kept = (raw[0] <= 100) & (raw[1] != 1)
    np.testing.assert_allclose(slab.values["lai"], np.where(kept, raw[0] * 0.1, np.nan))
    np.testing.assert_allclose(slab.uncertainty["lai"], np.where(kept, 0.5, np.nan))
    assert slab.start == np.datetime64("2003-01-01")
    assert slab.end == np.datetime64("2003-01-09")
    assert slab.grid.crs == MODIS_SINUSOIDAL
    np.testing.assert_allclose(slab.grid.x, WEST + CELL * np.arange(COLUMNS + 1))
    np.testing.assert_allclose(slab.grid.y, NORTH - CELL * np.arange(ROWS + 1))
    masked = {"fill": 15, "out of the valid range": 1, "main algorithm": 5}
    assert tally == {"lai": Counts(ROWS * COLUMNS, int(kept.sum()), masked)}


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (8 * COLUMNS * 5 * 20, 16)])
def test_blocks_join_to_the_whole_and_stay_within_the_limit(path, limit, most):
    tally, tally_whole = {}, {}
    parts = slabs_of(path, limit=limit, tally=tally)
    (whole,) = slabs_of(path, tally=tally_whole)
    assert max(part.grid.shape[0] for part in parts) == most
    assert len(parts) == -(-ROWS // most)
    for kind in ("values", "uncertainty"):
        joined = np.concatenate([getattr(part, kind)["lai"] for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, kind)["lai"])
    for above, below in pairwise(parts):
        assert above.grid.y[-1] == below.grid.y[0]
    assert tally == tally_whole


def test_memory_is_bounded_by_the_limit(tmp_path):
    raw = np.zeros((3, 2000, 500), np.uint8)
    path, limit = write(tmp_path / "a.tif", raw), 2**20
    slabs_of(path, limit=limit)
    tracemalloc.start()
    for slab in read(path, SOURCE, {path.name: ASSET}, {}, limit):
        assert slab.grid.shape[0] < 2000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * limit < 8 * raw.size


def test_bands_are_found_by_the_order_of_the_provenance(tmp_path):
    order = [2, 0, 1]
    names = [BANDS[k] for k in order]
    mixed = write(tmp_path / "b.tif", raw_leaf_area()[order], names=None)
    straight = write(tmp_path / "a.tif", raw_leaf_area())
    (found,) = slabs_of(mixed, asset={**ASSET, "bands": names})
    (expected,) = slabs_of(straight)
    np.testing.assert_array_equal(found.values["lai"], expected.values["lai"])


def test_variables_may_be_in_different_files(tmp_path):
    fpar = {"band": "Fpar_500m", "units": "1", "scale": 0.01, "valid": [0, 100]}
    source = {**SOURCE, "variables": {**SOURCE["variables"], "fapar": fpar}}
    one = write(tmp_path / "a.tif", raw_leaf_area())
    two = write(tmp_path / "b.tif", raw_leaf_area()[:1], names=["Fpar_500m"])
    assets = {"a.tif": ASSET, "b.tif": {**ASSET, "bands": ["Fpar_500m"]}}
    found = [list(s.values) for path in (one, two) for s in read(path, source, assets, {})]
    assert found == [["lai"], ["fapar"]]


def scene(tmp_path, crs):
    codes = np.array([[[4, 5, 9], [8, 4, 0]]], np.uint8)
    at = Affine(20, 0, 600000, 0, -20, 5600040)
    path = write(tmp_path / "s.tif", codes, crs, ["SCL"], at, nodata=0)
    rules = [{"band": "SCL", "values": [4, 5], "meaning": "clear"}]
    entry = {"band": "SCL", "quality": rules, "classes": {"green": [4]}}
    source = {"request": "year", "grid": {"crs": "UTM"}, "variables": {"land_cover": entry}}
    return path, source, {**ASSET, "bands": ["SCL"]}


def test_any_zone_of_utm_is_utm(tmp_path):
    tally = {}
    path, source, asset = scene(tmp_path, "EPSG:32631")
    (slab,) = slabs_of(path, source, asset, tally)
    assert slab.grid.crs == "EPSG:32631"
    nan = np.nan
    np.testing.assert_array_equal(slab.values["land_cover"], [[4, 5, nan], [nan, 4, nan]])
    assert tally["land_cover"] == Counts(6, 3, {"fill": 1, "clear": 2})
    path, source, asset = scene(tmp_path, "EPSG:3035")
    with pytest.raises(InputError, match=r"crs: found .*LAEA Europe; expected a zone of UTM"):
        slabs_of(path, source, asset)


def test_projection_in_other_words_is_the_same(tmp_path):
    wkt = (
        'PROJCS["unnamed",GEOGCS["Unknown datum based upon the custom spheroid",'
        'DATUM["Not specified (based on custom spheroid)",'
        'SPHEROID["Custom spheroid",6371007.181,0]],'
        'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],'
        'PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],'
        'PARAMETER["false_northing",0],UNIT["Meter",1]]'
    )
    (slab,) = slabs_of(write(tmp_path / "a.tif", raw_leaf_area(), wkt))
    assert slab.grid.crs == MODIS_SINUSOIDAL


@pytest.mark.parametrize(
    "crs", ["+proj=sinu +datum=WGS84", "+proj=sinu +R=6371007.181 +lon_0=1", "EPSG:4326"]
)
def test_another_projection_is_refused(tmp_path, crs):
    at = Affine(0.005, 0, 5, 0, -0.005, 50) if crs == "EPSG:4326" else None
    path = write(tmp_path / "a.tif", raw_leaf_area(), crs, transform=at)
    with pytest.raises(InputError, match=r"a.tif: crs: found .*; expected MODIS sinusoidal"):
        slabs_of(path)


def test_scale_tag_serves_where_the_source_is_silent(tmp_path):
    def tag(file):
        file.scales, file.offsets, file.units = (0.02,), (1.0,), ("K",)

    raw = np.array([[[0, 14000]]], np.uint16)
    path = write(tmp_path / "t.tif", raw, names=["LST"], change=tag, nodata=0)
    source = {**SOURCE, "variables": {"lst": {"band": "LST"}}}
    (slab,) = slabs_of(path, source, {**ASSET, "bands": ["LST"]})
    np.testing.assert_allclose(slab.values["lst"], [[np.nan, 281 - 273.15]])
    source = {**SOURCE, "variables": {"lst": {"band": "LST", "scale": 0.1}}}
    with pytest.raises(InputError, match=r"t.tif: LST: found scale 0.02 in the file; expected 0.1"):
        slabs_of(path, source, {**ASSET, "bands": ["LST"]})


def test_bands_may_have_fill_values_of_their_own(tmp_path):
    def tag(file):
        file.update_tags(1, nodata="0")
        file.update_tags(3, nodata="255")

    raw = raw_leaf_area().astype(np.uint16)
    raw[0, -1], raw[2, -2] = 0, 255
    path = write(tmp_path / "a.tif", raw, nodata=None, change=tag)
    errors = {**SOURCE["variables"]["lai"]["uncertainty"], "valid": [0, 300]}
    lai = {**SOURCE["variables"]["lai"], "uncertainty": errors}
    tally = {}
    slabs_of(path, {**SOURCE, "variables": {"lai": lai}}, tally=tally)
    zeros = int((raw[0] == 0).sum())
    masked = {"fill": zeros, "out of the valid range": 16, "main algorithm": 5, "no uncertainty": 5}
    assert tally["lai"].masked == masked


def test_a_static_field_needs_no_time(path):
    asset = {"bands": BANDS, "start": None, "end": None}
    (slab,) = slabs_of(path, {**SOURCE, "request": "all"}, asset)
    assert np.isnat(slab.start)
    assert np.isnat(slab.end)
    with pytest.raises(InputError, match="start: found None in the provenance"):
        slabs_of(path, asset=asset)


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        ({"bands": BANDS[:2]}, "bands: found 3 bands; expected 2"),
        ({"bands": BANDS[::-1]}, "found a band described as Lai_500m; expected LaiStdDev_500m"),
        ({"start": "soon"}, "start: found 'soon' in the provenance"),
        ({"end": "2003-01-01"}, "expected an end after the start"),
    ],
)
def test_provenance_that_the_file_contradicts_is_refused(path, asset, message):
    with pytest.raises(InputError, match=message):
        slabs_of(path, asset={**ASSET, **asset})


def test_a_variable_without_the_band_of_its_quality_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", raw_leaf_area()[:1], names=BANDS[:1])
    with pytest.raises(InputError, match="FparLai_QC: found no such band; expected one, which lai"):
        slabs_of(path, asset={**ASSET, "bands": BANDS[:1]})


def test_files_that_are_no_grids_are_refused(tmp_path):
    with pytest.raises(InputError, match="crs: found none; expected MODIS sinusoidal"):
        slabs_of(write(tmp_path / "a.tif", raw_leaf_area(), crs=None))
    turned = Affine(CELL, 9.0, WEST, 0, -CELL, NORTH)
    with pytest.raises(InputError, match="georeference"):
        slabs_of(write(tmp_path / "b.tif", raw_leaf_area(), transform=turned))
    with pytest.raises(InputError, match=r"c.tif: file: found nothing"):
        slabs_of(tmp_path / "c.tif")
    with pytest.raises(InputError, match="not in the provenance"):
        list(read(write(tmp_path / "d.tif", raw_leaf_area()), SOURCE, {}, {}))
    wide = raw_leaf_area().astype(np.complex64)
    with pytest.raises(InputError, match="complex64"):
        slabs_of(write(tmp_path / "e.tif", wide, nodata=None))
    small = {"lst": {"band": "Lai_500m", "units": "K", "valid": [7500, 65535]}}
    with pytest.raises(InputError, match="found uint8 numbers; expected a type that holds 7500"):
        slabs_of(write(tmp_path / "f.tif", raw_leaf_area()), {**SOURCE, "variables": small})


@pytest.mark.parametrize("compress", ["deflate", "lzw", None])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.7, 0.97])
def test_a_truncated_file_is_refused(tmp_path, compress, share):
    rng = np.random.default_rng(1)
    raw = rng.integers(0, 101, (3, 200, 50)).astype(np.uint8)
    path = write(tmp_path / "a.tif", raw, compress=compress)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"a.tif: file: found unreadable .*a whole GeoTIFF file"):
        slabs_of(path)


def test_a_damaged_file_is_refused(path):
    asset = {**ASSET, "sha256": sha256_of(path)}
    assert slabs_of(path, asset=asset)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.tif: sha256: found"):
        slabs_of(path, asset=asset)
