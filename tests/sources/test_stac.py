"""Items of a real STAC API, cut out of rasters on a server of this machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
import requests
import stac_archive
from concerto.errors import ConcertoError, InputError
from concerto.sources import _signing, stac
from concerto.sources._http import MissingError
from concerto.sources._obtain import obtain
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio import Affine
from rasterio.windows import Window, from_bounds
from stac_archive import SINUSOIDAL, Archive, Raster, mod15a2h, modis_tile, sentinel2

MODIS = "modis-15A2H-061"
SENTINEL = "sentinel-2-l2a"
# The corner of three tiles; the area below is around it.
NORTH_WEST, SOUTH_WEST, NORTH_EAST = (18, 3), (18, 4), (19, 3)
ARDENNES = {"west": 5.5, "south": 49.8, "east": 6.2, "north": 50.3}
COMPOSITE = {"start_datetime": "2003-01-01T00:00:00Z", "end_datetime": "2003-01-08T23:59:59Z"}
NEXT = {"start_datetime": "2003-01-09T00:00:00Z", "end_datetime": "2003-01-16T23:59:59Z"}
TOKEN = "/token/127/cogs"
MAY = {"datetime": "2022-05-01T10:46:29.024000Z", "eo:cloud_cover": 5.0}
SCENE = "S2A_MSIL2A_20220501T104629_R051_T31UFR_20220502T003355"


def modis_id(tile: tuple[int, int], day: str = "2003001", made: str = "2020053164455") -> str:
    return f"MOD15A2H.A{day}.h{tile[0]:02d}v{tile[1]:02d}.061.{made}"


def half(tile: tuple[int, int], columns: slice = slice(0, 2400)) -> tuple[Affine, tuple[int, int]]:
    """The half of a tile next to 50 degrees north."""
    rows = slice(1200, 2400) if tile[1] == 3 else slice(0, 1200)
    return modis_tile(*tile, rows, columns)


@pytest.fixture(scope="module")
def modis(tmp_path_factory) -> Iterator[Archive]:
    contents = [
        (modis_id(tile), mod15a2h(*half(tile), seed), COMPOSITE | {"platform": "terra"})
        for seed, tile in enumerate([NORTH_WEST, SOUTH_WEST, NORTH_EAST])
    ]
    small = mod15a2h(*half(SOUTH_WEST, slice(700, 1000)), 9)
    contents += [
        (modis_id(SOUTH_WEST, "2003009", "2020053164455"), small, NEXT),
        (modis_id(SOUTH_WEST, "2003009", "2021053164455"), small, NEXT),
        (modis_id(SOUTH_WEST).replace("MOD", "MYD"), small, COMPOSITE),
    ]
    with stac_archive.serve(tmp_path_factory.mktemp("modis"), MODIS, contents) as served:
        yield served


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory) -> Iterator[Archive]:
    contents = [(SCENE, sentinel2(690000.0, 5560000.0, 32631, 600, 4), MAY)]
    folder = tmp_path_factory.mktemp("sentinel")
    with stac_archive.serve(folder, SENTINEL, contents) as served:
        yield served


@pytest.fixture(autouse=True)
def short_waits(request, monkeypatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.001")
    # Only a server that stalls is waited for in vain.
    stalls = "stall" in request.node.name
    monkeypatch.setenv("CONCERTO_HTTP_TIMEOUT_S", "0.5" if stalls else "30")
    monkeypatch.delenv("PC_SDK_SAS_URL", raising=False)
    for name in {"modis", "sentinel"} & set(request.fixturenames):
        request.getfixturevalue(name).forget()


def asked(archive: Archive, **changes) -> dict:
    request = {
        "api": archive.api, "collection": MODIS, "items": "MOD15A2H.*", "version": r"\.\d{13}$",
        "start": "2003-01-01", "end": "2003-01-08", "bands": ["Lai_500m", "FparLai_QC"],
    }  # fmt: skip
    return request | ARDENNES | changes


def scene(archive: Archive, **changes) -> dict:
    request = {
        "api": archive.api, "collection": SENTINEL, "start": "2022-05-01", "end": "2022-05-01",
        "bands": ["B8A", "SCL"], "west": 5.7, "south": 50.1, "east": 5.72, "north": 50.11,
    }  # fmt: skip
    return request | changes


def expected_window(raster: Raster, request: dict) -> Window:
    """The window of an area, by another way: each pixel's centre is asked where it is."""
    rows, columns = raster.values.shape
    column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    back = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*(raster.transform @ (column, row)))
    inside = (lon >= request["west"]) & (lon <= request["east"])
    inside &= (lat >= request["south"]) & (lat <= request["north"])
    row, column = np.nonzero(inside)
    return Window(column.min(), row.min(), np.ptp(column) + 1, np.ptp(row) + 1)


def assert_cut(path: Path, bands: dict[str, Raster], request: dict) -> None:
    """The file has exactly the archive's numbers of the area and less than a pixel around it."""
    first = next(iter(bands.values()))
    window = expected_window(first, request)
    with rasterio.open(path) as file:
        assert file.descriptions == tuple(bands)
        assert file.crs == rasterio.CRS.from_string(first.crs)
        found = from_bounds(*file.bounds, first.transform).round_offsets().round_lengths()
        assert file.transform.almost_equals(
            first.transform @ Affine.translation(found.col_off, found.row_off), 1e-6
        )
        for start, length in (("col_off", "width"), ("row_off", "height")):
            begin, wanted = getattr(found, start), getattr(window, start)
            end = begin + getattr(found, length)
            assert wanted - 1 <= begin <= wanted
            assert wanted <= end - getattr(window, length) <= wanted + 1
        for number, raster in enumerate(bands.values(), start=1):
            exact = raster.values[found.toslices()]
            np.testing.assert_array_equal(file.read(number), exact)
            assert file.scales[number - 1] == raster.scale


def test_tiles_are_cut_to_the_area(modis, tmp_path):
    request = asked(modis)
    assets = stac.discover(request)
    ids = [modis_id(NORTH_WEST), modis_id(SOUTH_WEST)]
    assert [asset.filename for asset in assets] == [f"{id_}.tif" for id_ in ids]
    for id_, asset in zip(ids, assets, strict=True):
        assert asset.url == f"{modis.api}collections/{MODIS}/items/{id_}"
        assert (asset.start, asset.end) == ("2003-01-01T00:00:00", "2003-01-09T00:00:00")
        modis.forget()
        path = tmp_path / asset.filename
        received = stac.fetch(asset, path)
        assert received == modis.sent(received)
        rasters = {band: modis.rasters[id_][band] for band in request["bands"]}
        assert_cut(path, rasters, request)
        with rasterio.open(path) as file:
            assert file.dtypes == ("uint8", "uint8")
            assert file.nodata == 255
        whole = sum(len(modis.cogs.files[modis.path(id_, band)]) for band in request["bands"])
        assert received < 0.1 * whole
    assert {path.name for path in tmp_path.iterdir()} == {asset.filename for asset in assets}


def test_bytes_are_logged(modis, tmp_path, caplog):
    (_, asset) = stac.discover(asked(modis))
    with caplog.at_level(logging.INFO):
        received = stac.fetch(asset, tmp_path / "a.tif")
    whole = sum(
        len(modis.cogs.files[modis.path(modis_id(SOUTH_WEST), band)]) for band in asset.bands
    )
    assert f"received {received / 1e6:.3f} MB of {whole / 1e6:.3f} MB" in caplog.text


def test_period_products_and_productions_are_chosen(modis):
    def ids(**changes) -> list[str]:
        return [asset.filename[:-4] for asset in stac.discover(asked(modis, **changes))]

    last = modis_id(SOUTH_WEST, "2003009", "2021053164455")
    assert ids(start="2003-01-09", end="2003-01-31") == [last]
    assert len(ids(start="2003-01-09", end="2003-01-31", version=None)) == 2
    assert ids(items="MYD*") == [modis_id(SOUTH_WEST).replace("MOD", "MYD")]
    assert len(ids(start="2003-01-08", end="2003-01-09")) == 3
    assert len(ids(start=None, end=None)) == 3


def test_all_pages_are_read(modis):
    everything = asked(modis, items="*", version=None, end="2003-12-31")
    at_once = stac.discover(everything)
    assert modis.requests.count("/search") == 1
    assert len(at_once) == 5
    assert stac.discover(everything | {"page": 1}) == at_once
    assert modis.requests.count("/search") > 5


def test_empty_page_does_not_end_the_search(modis):
    """Some APIs filter after they cut the pages."""
    body = {"collections": [MODIS], "bbox": [5.5, 49.8, 6.2, 50.3]}
    link = {"rel": "next", "method": "POST", "href": f"{modis.api}search", "body": body}
    modis.faults["/search"] = [json.dumps({"features": [], "links": [link]})]
    assert len(stac.discover(asked(modis))) == 2


def test_page_that_leads_to_itself_is_an_error(modis):
    again = {"rel": "next", "method": "GET", "href": f"{modis.api}search"}
    modis.faults["/search"] = [json.dumps({"features": [], "links": [again]})] * 3
    with pytest.raises(InputError, match="next page: found one that was read"):
        stac.discover(asked(modis))


def test_margin_finds_what_the_footprint_leaves_out(modis):
    """At 52.5 N two tiles meet at 16.43 E, but the straight edges of their footprints at 16.50 E.

    The API finds the western one there, which has no pixel there, and not the eastern one.
    """
    between = asked(modis, west=16.44, east=16.48, south=52.49, north=52.5)
    assert stac.discover(between | {"may_be_empty": True}) == []
    (asset,) = stac.discover(between | {"margin": 5.0})
    assert asset.filename == f"{modis_id(NORTH_EAST)}.tif"


def test_nothing_found_says_what_was_asked_of_whom(modis):
    with pytest.raises(InputError) as fault:
        stac.discover(asked(modis, start="1999-01-01", end="1999-12-31"))
    for part in (modis.api, MODIS, "MOD15A2H.*", "1999-01-01 to 1999-12-31", "5.5 to 6.2 E"):
        assert part in str(fault.value)
    empty = asked(modis, start="1999-01-01", end="1999-12-31", may_be_empty=True)
    assert stac.discover(empty) == []


def test_unknown_collection_is_an_error_also_where_nothing_may_be_found(modis):
    with pytest.raises(MissingError, match="collections/modis-15A2H-062"):
        stac.discover(asked(modis, collection="modis-15A2H-062", may_be_empty=True))


def test_missing_asset_names_item_and_nearest(modis):
    with pytest.raises(InputError, match=r"Lai_500: .*such as Lai_500m") as fault:
        stac.discover(asked(modis, bands=["Lai_500"]))
    assert fault.value.file == modis_id(NORTH_WEST)


def test_query_is_not_left_out_where_the_api_has_none(modis):
    with pytest.raises(InputError, match="query: found an API that has no queries"):
        stac.discover(asked(modis, query={"platform": {"eq": "terra"}}))


def test_query_reaches_an_api_that_has_queries(modis):
    landing = requests.get(modis.api, timeout=5).json()
    landing["conformsTo"].append("https://api.stacspec.org/v1.0.0/item-search#query")
    modis.faults["/"] = [json.dumps(landing)]
    query = {"platform": {"eq": "terra"}}
    stac.discover(asked(modis, query=query, may_be_empty=True))
    (search,) = modis.searches
    assert search["query"] == query


@pytest.mark.parametrize("path", ["/", "/search"])
@pytest.mark.parametrize("fault", ["500", "429", "cut 20", "stall"])
def test_passing_fault_of_the_api_is_tried_again(modis, path, fault):
    modis.faults[path] = [fault]
    assert len(stac.discover(asked(modis))) == 2
    assert modis.requests.count(path) >= 2


@pytest.mark.parametrize("path", ["/", "/search"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<html>Sign in</html>", "HTML"),
        ("{ broken", "JSON"),
        (" ", "JSON"),
        ("[]", "STAC API"),
        ('{"message": "hello"}', "expected"),
        ("404", "no such"),
        ("403", "refuses|login|403"),
    ],
)
def test_other_answer_of_the_api_is_an_error(modis, path, answer, message):
    modis.faults[path] = [answer] * 9
    with pytest.raises(ConcertoError, match=message) as fault:
        stac.discover(asked(modis, may_be_empty=True))
    assert modis.address in str(fault.value)


def test_day_of_a_moment(sentinel):
    (asset,) = stac.discover(scene(sentinel))
    assert (asset.start, asset.end) == ("2022-05-01T00:00:00", "2022-05-02T00:00:00")


def test_bands_of_one_grid_share_a_file(sentinel, tmp_path):
    """Numbers of 16 and of 8 bits are both exact."""
    request = scene(sentinel)
    (asset,) = stac.discover(request)
    stac.fetch(asset, tmp_path / asset.filename)
    rasters = sentinel.rasters[SCENE]
    assert_cut(tmp_path / f"{SCENE}.tif", {b: rasters[b] for b in ("B8A", "SCL")}, request)


def test_bands_of_other_resolution_have_their_own_file(sentinel, tmp_path):
    request = scene(sentinel, bands=["B8A", "B04", "SCL"])
    fine, coarse = stac.discover(request)
    assert (fine.filename, fine.bands) == (f"{SCENE}_10.tif", ("B04",))
    assert (coarse.filename, coarse.bands) == (f"{SCENE}_20.tif", ("B8A", "SCL"))
    for asset in (fine, coarse):
        stac.fetch(asset, tmp_path / asset.filename)
        rasters = {band: sentinel.rasters[SCENE][band] for band in asset.bands}
        assert_cut(tmp_path / asset.filename, rasters, request)


def test_large_window_is_copied_in_strips(sentinel, tmp_path, monkeypatch):
    request = scene(sentinel, west=5.6, east=5.9, south=50.0, north=50.2, bands=["B04"])
    (asset,) = stac.discover(request)
    at_once = stac.fetch(asset, tmp_path / "at_once.tif")
    monkeypatch.setattr(stac, "STRIP_BYTES", 100_000)
    in_strips = stac.fetch(asset, tmp_path / "strips.tif")
    assert_cut(tmp_path / "strips.tif", {"B04": sentinel.rasters[SCENE]["B04"]}, request)
    assert in_strips <= 1.1 * at_once
    with rasterio.open(tmp_path / "strips.tif") as file:
        assert file.block_shapes == [(512, 512)]
        strips = list(stac._strips(file, Window(3, 700, 500, 900)))
    assert [(s.row_off, s.height) for s in strips] == [(700, 324), (1024, 512), (1536, 64)]
    assert {(s.col_off, s.width) for s in strips} == {(3, 500)}


@pytest.mark.parametrize("fault", ["503", "429 0", "cut 1000", "stall 1000", "short 10", "reset"])
def test_pixels_survive_faults_in_the_middle(sentinel, tmp_path, fault):
    request = scene(sentinel, west=5.6, east=5.9, south=50.0, north=50.2)
    (asset,) = stac.discover(request)
    path = sentinel.path(SCENE, "B8A")
    stac.fetch(asset, tmp_path / "before.tif")
    undisturbed = len(sentinel.cogs.asked(path))
    assert undisturbed > 2
    sentinel.forget()
    sentinel.cogs.faults[path] = ["serve", "serve", fault, fault]
    stac.fetch(asset, tmp_path / "a.tif")
    assert len(sentinel.cogs.asked(path)) >= undisturbed + 2
    rasters = sentinel.rasters[SCENE]
    assert_cut(tmp_path / "a.tif", {b: rasters[b] for b in ("B8A", "SCL")}, request)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("good", [0, 2])
@pytest.mark.parametrize(
    ("fault", "message"),
    [("cut 100", "broke off"), ("500", "500"), ("404", "no such file"), ("html", "HTML")],
)
def test_lasting_fault_is_our_error_and_leaves_no_file(sentinel, tmp_path, good, fault, message):
    request = scene(sentinel, west=5.6, east=5.9, south=50.0, north=50.2)
    (asset,) = stac.discover(request)
    sentinel.cogs.faults[sentinel.path(SCENE, "SCL")] = ["serve"] * good + [fault] * 50
    with pytest.raises(ConcertoError, match=message) as raised:
        stac.fetch(asset, tmp_path / "a.tif")
    assert f"{SCENE}_SCL.tif" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_object_that_is_no_raster_is_named(sentinel, tmp_path):
    (asset,) = stac.discover(scene(sentinel))
    path = sentinel.path(SCENE, "SCL")
    whole = sentinel.cogs.files[path]
    sentinel.cogs.files[path] = b"\0" * len(whole)
    try:
        with pytest.raises(InputError, match=f"{SCENE}.*expected GeoTIFFs"):
            stac.fetch(asset, tmp_path / "a.tif")
    finally:
        sentinel.cogs.files[path] = whole


def test_other_grid_of_one_band_is_refused(sentinel, tmp_path):
    """An item that states no grids leads bands of different resolution into one file."""
    (asset,) = stac.discover(scene(sentinel))
    path = sentinel.path(SCENE, "SCL")
    whole = sentinel.cogs.files[path]
    sentinel.cogs.files[path] = sentinel.cogs.files[sentinel.path(SCENE, "B04")]
    try:
        with pytest.raises(InputError, match=r"grid of SCL: found \(1200, 1200\)"):
            stac.fetch(asset, tmp_path / "a.tif")
    finally:
        sentinel.cogs.files[path] = whole


def signed(archive: Archive, **changes) -> dict:
    locator = {"signing": "planetary_computer", "signed_hosts": "127.0.0.1"}
    return scene(archive, signer=archive.signer, **locator, **changes)


@pytest.fixture
def _no_tokens(monkeypatch) -> None:
    monkeypatch.setattr(_signing, "_tokens", {})


@pytest.mark.usefixtures("_no_tokens")
def test_signed_archive(sentinel, tmp_path, caplog):
    """One token serves all files; when it ends, in the middle of one, it is replaced."""
    sentinel.cogs.signature = "topsecret"
    request = signed(sentinel, west=5.6, east=5.9, south=50.0, north=50.2)
    caplog.set_level(logging.DEBUG, logger="concerto")
    (asset,) = stac.discover(request)
    stac.fetch(asset, tmp_path / "a.tif")
    stac.fetch(asset, tmp_path / "b.tif")
    assert sentinel.requests.count(TOKEN) == 1
    sentinel.cogs.signature = "alsosecret"
    stac.fetch(asset, tmp_path / "c.tif")
    assert sentinel.requests.count(TOKEN) == 2
    rasters = sentinel.rasters[SCENE]
    assert_cut(tmp_path / "c.tif", {b: rasters[b] for b in ("B8A", "SCL")}, request)
    with rasterio.open(tmp_path / "c.tif") as file:
        told = [file.tags(), *(file.tags(n, ns) for n in (1, 2) for ns in file.tag_namespaces(n))]
    assert "secret" not in f"{asset} {told} {caplog.text}"
    assert b"secret" not in (tmp_path / "c.tif").read_bytes()


@pytest.mark.usefixtures("_no_tokens")
def test_token_that_is_refused_is_not_told(sentinel, tmp_path):
    sentinel.cogs.signature = "topsecret"
    (asset,) = stac.discover(signed(sentinel))
    sentinel.cogs.faults[sentinel.path(SCENE, "B8A")] = ["403"] * 9
    with pytest.raises(ConcertoError, match="403") as fault:
        stac.fetch(asset, tmp_path / "a.tif")
    assert "secret" not in str(fault.value)
    assert sentinel.requests.count(TOKEN) == 2


@pytest.mark.usefixtures("_no_tokens")
def test_other_hosts_get_no_token(sentinel, tmp_path):
    (asset,) = stac.discover(signed(sentinel) | {"signed_hosts": ".blob.core.windows.net"})
    stac.fetch(asset, tmp_path / "a.tif")
    assert [request.query for request in sentinel.cogs.requests] == [{}] * len(
        sentinel.cogs.requests
    )


@pytest.mark.usefixtures("_no_tokens")
def test_signer_without_a_token_is_named(sentinel, tmp_path):
    sentinel.faults[TOKEN] = ['{"message": "no"}']
    (asset,) = stac.discover(signed(sentinel))
    with pytest.raises(InputError, match=f"{TOKEN}: token"):
        stac.fetch(asset, tmp_path / "a.tif")


def test_signer_of_the_environment(sentinel, monkeypatch):
    monkeypatch.setenv("PC_SDK_SAS_URL", "https://example.org/token")
    (asset,) = stac.discover(scene(sentinel, signing="planetary_computer"))
    assert asset.details["signing"]["tokens"] == "https://example.org/token"


def test_items_in_buckets_of_s3_are_refused(sentinel):
    """They are read from web addresses alone, which such archives have besides."""
    found = requests.get(f"{sentinel.api}collections/{SENTINEL}/items/{SCENE}", timeout=5).json()
    found["assets"]["B8A"]["href"] = "s3://bucket/B8A.tif"
    sentinel.faults["/search"] = [json.dumps({"features": [found], "links": []})]
    with pytest.raises(InputError, match=r"B8A: found s3://bucket/B8A\.tif; .* http or https"):
        stac.discover(scene(sentinel))


def test_files_are_fetched_at_once(modis, tmp_path):
    """In threads that start with none of rasterio's settings."""
    assets = stac.discover(asked(modis, items="*", version=None, end="2003-12-31"))
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(stac.fetch, a, tmp_path / a.filename) for a in assets]
        for job in jobs:
            job.result()
    for asset in assets:
        rasters = modis.rasters[asset.filename[:-4]]
        with rasterio.open(tmp_path / asset.filename) as file:
            window = from_bounds(*file.bounds, rasters["Lai_500m"].transform)
            exact = rasters["Lai_500m"].values[window.round_offsets().round_lengths().toslices()]
            np.testing.assert_array_equal(file.read(1), exact)


def test_area_across_the_antimeridian(tmp_path):
    """A tile in each hemisphere, and one raster of the whole Earth, which is cut twice."""
    rows = slice(0, 1200)
    east, west = modis_tile(35, 10, rows, slice(0, 600)), modis_tile(0, 10, rows, slice(1800, 2400))
    globe = Raster(np.arange(180 * 360, dtype="int32").reshape(180, 360),
                   Affine(1, 0, -180, 0, -1, 90), "EPSG:4326", -1)  # fmt: skip
    contents = [
        ("h35v10", {"Lai_500m": mod15a2h(*east, 1)["Lai_500m"]}, COMPOSITE),
        ("h00v10", {"Lai_500m": mod15a2h(*west, 2)["Lai_500m"]}, COMPOSITE),
        ("world", {"Lai_500m": globe}, COMPOSITE),
    ]
    area = {"west": 175.0, "east": -175.0, "south": -14.8, "north": -12.0}
    with stac_archive.serve(tmp_path, MODIS, contents) as archive:
        request = asked(archive, items="*", bands=["Lai_500m"], **area)
        assets = stac.discover(request)
        for asset in assets:
            stac.fetch(asset, tmp_path / asset.filename)
    assert [asset.filename for asset in assets] == [
        "h00v10_west.tif", "h35v10_east.tif", "world_east.tif", "world_west.tif",
    ]  # fmt: skip
    for side, columns in (("east", slice(355, 360)), ("west", slice(0, 5))):
        with rasterio.open(tmp_path / f"world_{side}.tif") as file:
            np.testing.assert_array_equal(file.read(1), globe.values[102:105, columns])


def test_item_without_grid_that_has_nothing_of_the_area(tmp_path, caplog):
    """Only the raster itself tells: its file has one pixel, which lies elsewhere."""
    contents = [("tile", mod15a2h(*half(SOUTH_WEST, slice(0, 300)), 3), COMPOSITE)]
    # At 47.5 N the tile ends at 1.850 E, the straight edge of its footprint at 1.856 E.
    with stac_archive.serve(tmp_path, MODIS, contents, grid=False) as archive:
        request = asked(archive, items="*", west=1.852, south=47.49, east=1.855, north=47.5)
        (asset,) = stac.discover(request)
        caplog.set_level(logging.INFO)
        stac.fetch(asset, tmp_path / "a.tif")
    assert "nothing of the area is in it" in caplog.text
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.shape == (1, 1)
        assert file.bounds.right < 1e5


def test_fill_of_each_band_is_told_where_they_differ(tmp_path):
    """Burn dates of 16 bits with a sign beside quality of 16 bits without, as in MODIS indices."""
    transform, shape = half(SOUTH_WEST, slice(800, 1000))
    rng = np.random.default_rng(5)
    index = Raster(rng.integers(-3000, 10000, shape).astype("int16"), transform, SINUSOIDAL, -3000)
    bits = Raster(rng.integers(0, 65536, shape).astype("uint16"), transform, SINUSOIDAL, 65535)
    contents = [("tile", {"NDVI": index, "VI_Quality": bits}, COMPOSITE)]
    with stac_archive.serve(tmp_path, MODIS, contents) as archive:
        request = asked(archive, items="*", bands=["NDVI", "VI_Quality"])
        (asset,) = stac.discover(request)
        stac.fetch(asset, tmp_path / "a.tif")
    assert_cut(tmp_path / "a.tif", {"NDVI": index, "VI_Quality": bits}, request)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert set(file.dtypes) == {"int32"}
        assert file.nodata is None
        assert [file.tags(band)["nodata"] for band in (1, 2)] == ["-3000", "65535"]


GRIDS = {
    "sinusoidal": (SINUSOIDAL, *modis_tile(20, 2)),
    "sinusoidal at the edge of the Earth": (SINUSOIDAL, *modis_tile(0, 9)),
    "sinusoidal beyond the edge": (SINUSOIDAL, *modis_tile(1, 11)),
    "UTM": ("EPSG:32631", Affine(20, 0, 600000, 0, -20, 5600040), (5490, 5490)),
    "UTM at the antimeridian": ("EPSG:32601", Affine(20, 0, 300000, 0, -20, 7300020), (5490, 5490)),
    "geographic": ("EPSG:4326", Affine(0.1, 0, -180, 0, -0.1, 90), (1800, 3600)),
    "polar": ("EPSG:3413", Affine(12500, 0, -3850000, 0, -12500, 5850000), (896, 608)),
}


@st.composite
def places(draw) -> tuple[str, tuple[int, int], tuple[float, float]]:
    """A grid, one of its pixels and the size of a box about it."""
    name = draw(st.sampled_from(sorted(GRIDS)))
    rows, columns = GRIDS[name][2]
    pixel = draw(st.integers(0, columns - 1)), draw(st.integers(0, rows - 1))
    return name, pixel, draw(st.tuples(st.floats(0.0, 360.0), st.floats(0.0, 180.0)))


@settings(deadline=None)
@given(places())
@example(("UTM at the antimeridian", (0, 0), (0.0, 0.0)))
@example(("polar", (308, 468), (0.0, 0.0)))
@example(("UTM", (4181, 1120), (324.38, 98.2)))
def test_window_has_each_pixel_of_the_area(place):
    """Wherever a pixel is, a box about its centre leads to a window with that pixel."""
    name, (column, row), (width, height) = place
    crs, transform, shape = GRIDS[name]
    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*(transform @ (column + 0.5, row + 0.5)))
    there = back.transform(lon, lat, direction="INVERSE")
    if not np.allclose(~transform @ there, (column + 0.5, row + 0.5), atol=0.1):
        return  # beyond the edge of the Earth
    box = (
        max(lon - width / 2, -180), max(lat - height / 2, -90),
        min(lon + width / 2, 180), min(lat + height / 2, 90),
    )  # fmt: skip
    window = stac._pixels(box, rasterio.CRS.from_string(crs).to_wkt(), transform, shape)
    assert window is not None
    assert window.col_off <= column < window.col_off + window.width
    assert window.row_off <= row < window.row_off + window.height
    assert window.col_off >= 0 <= window.row_off
    assert window.col_off + window.width <= shape[1]
    assert window.row_off + window.height <= shape[0]
    if max(width, height) == 0.0:
        assert window.width <= 2 >= window.height


@pytest.mark.parametrize("west", [-60.0, 60.0])
def test_box_that_reaches_far_leads_to_the_same_window(west):
    """Far from their zone coordinates of UTM go astray."""
    crs, transform, shape = GRIDS["UTM at the antimeridian"]
    grid = rasterio.CRS.from_string(crs).to_wkt(), transform, shape
    near = stac._pixels((170.0, 65.1, 180.0, 65.3), *grid)
    assert near.height < 1300
    assert stac._pixels((west, 65.1, 180.0, 65.3), *grid) == near


@pytest.mark.parametrize("name", sorted(GRIDS))
def test_no_window_on_the_other_side_of_the_earth(name):
    crs, transform, shape = GRIDS[name]
    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*(transform @ (shape[1] / 2, shape[0] / 2)))
    if name in ("geographic", "polar"):
        lat = 80.0 if name == "polar" else lat
    away = (lon + 180.0) % 360.0 - 180.0 if lon > 0 else lon + 150.0
    box = (away - 5.0, -lat - 1.0, away + 5.0, -lat + 1.0)
    window = stac._pixels(box, rasterio.CRS.from_string(crs).to_wkt(), transform, shape)
    assert (window is None) == (name != "geographic")


@pytest.mark.parametrize(
    ("west", "east", "margin", "halves"),
    [
        (5.0, 6.0, 0.0, [(5.0, 6.0)]),
        (175.0, -175.0, 0.0, [(175.0, 180.0), (-180.0, -175.0)]),
        (175.0, 179.0, 5.0, [(170.0, 180.0), (-180.0, -176.0)]),
        (-179.0, -175.0, 5.0, [(176.0, 180.0), (-180.0, -170.0)]),
        (-180.0, 180.0, 0.0, [(-180.0, 180.0)]),
        (-178.0, 179.0, 5.0, [(-180.0, 180.0)]),
        (20.0, -20.0, 30.0, [(-180.0, 180.0)]),
    ],
)
def test_halves_of_an_area(west, east, margin, halves):
    assert stac._halves({"west": west, "east": east}, margin) == halves


def test_box_along_pixels_takes_no_others():
    """A box with the size of a pixel leads to that pixel, and a point on a corner to one."""
    grid = rasterio.CRS.from_epsg(4326).to_wkt(), Affine(0.1, 0, -180, 0, -0.1, 90), (1800, 3600)
    assert stac._pixels((5.1, 49.9, 5.2, 50.0), *grid) == Window(1851, 400, 1, 1)
    point = stac._pixels((5.1, 50.0, 5.1, 50.0), *grid)
    assert (point.width, point.height) <= (2, 2)
    assert (
        stac._pixels((5.1, 49.9, 5.2, 50.0), grid[0], Affine(0.1, 0, 5.2, 0, -0.1, 50), (9, 9))
        is None
    )


@pytest.mark.parametrize(
    ("stated", "start", "end"),
    [
        ({"datetime": "2022-05-01T10:46:29.02Z"}, "2022-05-01T00:00:00", "2022-05-02T00:00:00"),
        (
            {"start_datetime": "2021-12-01T00:00:00Z", "end_datetime": "2021-12-31T23:59:59.9Z"},
            "2021-12-01T00:00:00",
            "2022-01-01T00:00:00",
        ),
        (
            {"start_datetime": "2021-12-01T02:00:00+02:00", "end_datetime": "2022-01-01T00:00:00Z"},
            "2021-12-01T00:00:00",
            "2022-01-01T00:00:00",
        ),
    ],
)
def test_interval_ends_where_the_next_begins(stated, start, end):
    found = stac._interval({"id": "x", "properties": stated})
    assert tuple(instant.isoformat() for instant in found) == (start, end)


def test_item_without_time_is_named():
    with pytest.raises(InputError, match="strange: datetime"):
        stac._interval({"id": "strange", "properties": {"datetime": None}})


def test_a_request_is_obtained(sentinel, tmp_path):
    """With what all field sources share: provenance, and no secrets in it."""
    sentinel.cogs.signature = "topsecret"
    asked = signed(sentinel)
    sides = {"west", "south", "east", "north", "start", "end", "bands"}
    source = {
        "title": "A test", "protocol": "stac", "licence": "CC0-1.0", "citation": "Nobody (2022)",
        "locator": {key: value for key, value in asked.items() if key not in sides},
    }  # fmt: skip
    obtain("s2", source, {key: asked[key] for key in sides}, tmp_path / "2022")
    assert {p.name for p in (tmp_path / "2022").iterdir()} == {f"{SCENE}.tif", "provenance.json"}
    text = (tmp_path / "2022/provenance.json").read_text()
    assert "secret" not in text
    (record,) = json.loads(text)["files"].values()
    assert record["received"] == sentinel.sent(record["received"])
    assert record["bands"] == ["B8A", "SCL"]
