r"""Fields from a STAC API whose items are GeoTIFFs that can be read in part (COGs).

A locator has

``api``, ``collection``
    The address of the API and the collection's id.
``signing``
    ``planetary_computer`` where the archive wants signed addresses. ``signer``, or
    ``PC_SDK_SAS_URL`` in the environment, is the service that gives tokens instead of the public
    one; ``signed_hosts`` the end of the names of the hosts that want them.
    ``PC_SDK_SUBSCRIPTION_KEY`` is sent to the service if it is set.
``items``
    A pattern of the ids of the wanted items, such as ``MOD15A2H.*`` where one collection has
    several products.
``version``
    A regular expression of the part of an id by which productions of one thing differ, such as
    ``\.\d{13}$``; of several the last in the order of their ids counts.
``margin``
    By how many degrees of longitude items may reach beyond their footprints: it is searched that
    much further. Footprints of tiles in the sinusoidal grid are often drawn with straight edges,
    which leave out up to 6 degrees at 65 N.
``query``
    What the properties of items must be, in the terms of the API's query extension.
``page``
    How many items to ask for at once.
``may_be_empty``
    Whether finding nothing is no error.

Each item becomes one file with what of it covers the area, or several where its bands differ in
resolution (which the end of their names then tells, in units of the grid) and where the area
crosses the antimeridian (``_east`` and ``_west``, the hemispheres): numbers are never resampled.
An item has a file although nothing of the area is in it where the API does not tell its grid:
one pixel, which lies elsewhere.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pystac
import pystac_client
import rasterio
import shapely
from pyproj import CRS, Transformer
from pystac_client.errors import ClientTypeError
from pystac_client.stac_api_io import StacApiIO
from rasterio import Affine
from rasterio.errors import RasterioError
from rasterio.windows import Window

from concerto.errors import InputError
from concerto.plugins import nearest
from concerto.sources import Asset
from concerto.sources._http import Client, RemoteFiles, public
from concerto.sources._signing import Signer, signing_of
from concerto.whole import whole_file

PAGE_ITEMS = 250
STRIP_BYTES = 1 << 26
BLOCK_PIXELS = 512
OUTLINE_POINTS = 257
LATTICE_POINTS = 33
POINT_DEGREES = 1e-8
"""A box is made this much larger on each side, so that a point has an area too (1 mm)."""
EDGE_PIXELS = 1e-3

_NO_API = (
    pystac.STACError, ClientTypeError, NotImplementedError, AttributeError, KeyError, TypeError,
)  # fmt: skip
"""What pystac-client raises at the answers of something else."""

Box = tuple[float, float, float, float]

log = logging.getLogger(__name__)


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the files to make of the items that cover a part of an area and period.

    Parameters
    ----------
    request
        The locator and besides ``west``, ``south``, ``east``, ``north`` (degrees), ``start``,
        ``end`` (dates, the last one included; both None for all times), ``bands`` (asset keys).

    Raises
    ------
    InputError
        If there is no item, one lacks an asset, or the answer is not that of a STAC API.
    ConcertoError
        If the API cannot be reached, or refuses.
    """
    items = _items(request)
    assets = [asset for item in items for asset in _assets(item, request)]
    if not assets:
        _check_empty(request)
    log.info("%s: %d items, %d files", request["collection"], len(items), len(assets))
    return assets


def fetch(asset: Asset, path: Path) -> int:
    """Write what of an item covers the area as a GeoTIFF ``path``, whole or not at all.

    The file has the raw numbers in the grid of the archive and each band's name, scale, offset
    and unit. Where the bands' types differ it has the narrowest one that holds all exactly; where
    their fill values differ each band has its own in its tag ``nodata`` and the file has none.

    Returns
    -------
    int
        How many bytes the network sent.

    Raises
    ------
    InputError
        If an object is no raster of one band, or the bands' grids differ.
    ConcertoError
        If an object cannot be had.
    """
    signing = asset.details["signing"]
    client = Client(sign=Signer(**signing) if signing else None)
    files = RemoteFiles(client)
    with whole_file(path) as part:
        try:
            _cut(asset, files, part)
            if files.error is not None:
                raise files.error
        except (RasterioError, FileNotFoundError) as error:
            # GDAL hides what went wrong below it.
            found = files.error or InputError(asset.url, "content", error, "GeoTIFFs")
            raise found from error
    of = sum(files.size(href) for href in asset.details["hrefs"]) / 1e6
    log.info("%s: received %.3f MB of %.3f MB", asset.filename, client.received / 1e6, of)
    return client.received


def _items(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the wanted items sorted by id, each once, of several productions the last."""
    wanted = request.get("items", "*")
    items = {
        item["id"]: item
        for item in _search(request)
        if fnmatchcase(item["id"], wanted) and _within(_interval(item), request)
    }
    version = request.get("version")
    stem = {id_: re.sub(version, "", id_) if version else id_ for id_ in items}
    last = {stem[id_]: id_ for id_ in sorted(items)}
    if len(last) < len(items):
        log.info("%d items are earlier productions of others", len(items) - len(last))
    return [items[id_] for id_ in sorted(last.values())]


def _search(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all items that an API finds in the area, widened by the margin, and the period."""
    address = request["api"]
    start, end = request["start"], request["end"]
    found = []
    try:
        answers = _Answers(Client())
        api = pystac_client.Client.open(address, stac_io=answers)
        if "query" in request and not api.conforms_to("QUERY"):
            raise InputError(public(address), "query", "an API that has no queries", "none")
        methods = {link.extra_fields.get("method") for link in api.get_links("search")}
        for west, east in _halves(request, request.get("margin", 0.0)):
            search = api.search(
                method="POST" if "POST" in methods else "GET",
                collections=[request["collection"]],
                bbox=(west, request["south"], east, request["north"]),
                datetime=f"{start}/{end}" if start else None,
                query=request.get("query"),
                limit=request.get("page", PAGE_ITEMS),
            )
            found += answers.items(search)
    except _NO_API as error:
        found = f"{type(error).__name__}: {error}"
        raise InputError(public(address), "answer", found, "that of a STAC API") from error
    return found


class _Answers(StacApiIO):
    """What pystac-client reads, through the client that all sources use."""

    def __init__(self, client: Client) -> None:
        super().__init__(max_retries=None)
        self._client = client

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        client = Client(headers) if headers else self._client
        sent = {"body": parameters} if method == "POST" else {"params": parameters}
        return json.dumps(client.json(href, method=method or "GET", **sent))

    def items(self, search: pystac_client.ItemSearch) -> Iterator[dict[str, Any]]:
        """Yield what all pages have: pystac-client ends at an empty one, also if others follow."""
        page = self.read_json(search.url, search.method, parameters=search.get_parameters())
        seen = []
        while True:
            if not isinstance(page.get("features"), list):
                raise InputError(public(search.url), "features", "none", "a list of items")
            yield from page["features"]
            following = [link for link in page.get("links", []) if link["rel"] == "next"]
            if not following:
                return
            if following[0] in seen:
                raise InputError(public(search.url), "next page", "one that was read", "another")
            seen.append(following[0])
            page = self.read_json(pystac.Link.from_dict(following[0]))


def _check_empty(request: Mapping[str, Any]) -> None:
    """Raise what is wrong where nothing was found, unless that may be."""
    address, collection = request["api"], request["collection"]
    # Asked for its error: a search in a collection that does not exist finds nothing, too.
    Client().json(f"{address.rstrip('/')}/collections/{collection}")
    if not request.get("may_be_empty"):
        west, south, east, north = (request[side] for side in ("west", "south", "east", "north"))
        expected = (
            f"items {request.get('items', '*')} of {request['start']} to {request['end']} "
            f"within {west} to {east} E, {south} to {north} N"
        )
        raise InputError(public(address), f"collection {collection}", "none", expected)


def _interval(item: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return an item's first instant and the first after it; of a moment, those of its day."""
    stated = item["properties"]
    try:
        start = _instant(stated.get("start_datetime") or stated["datetime"])
        end = _instant(stated.get("end_datetime") or stated["datetime"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(item["id"], "datetime", repr(error), "ISO 8601") from error
    if start == end:
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        return day, day + timedelta(days=1)
    # Ends are within the interval: 23:59:59 means midnight.
    return start, end.replace(microsecond=0) + timedelta(seconds=end.second == 59)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _within(interval: tuple[datetime, datetime], request: Mapping[str, Any]) -> bool:
    if not request["start"]:
        return True
    start = datetime.fromisoformat(request["start"])
    end = datetime.fromisoformat(request["end"]) + timedelta(days=1)
    return interval[0] < end and interval[1] > start


def _halves(request: Mapping[str, Any], margin: float = 0.0) -> list[tuple[float, float]]:
    """Return the west and east of the area, or of its parts in the two hemispheres, widened."""
    west, east = request["west"], request["east"]
    if west > east:
        east += 360.0
    west, east = west - margin, east + margin
    if east - west >= 360.0:
        return [(-180.0, 180.0)]
    if west < -180.0:
        return [(west + 360.0, 180.0), (-180.0, east)]
    if east > 180.0:
        return [(west, 180.0), (-180.0, east - 360.0)]
    return [(west, east)]


def _assets(item: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[Asset]:
    """Yield the files to make of an item: of each hemisphere and each resolution of its bands."""
    start, end = (instant.isoformat() for instant in _interval(item))
    own = next((link["href"] for link in item.get("links", []) if link["rel"] == "self"), "")
    groups = _groups(item, request["bands"])
    halves = _halves(request)
    for half, (west, east) in enumerate(halves):
        box = (west, request["south"], east, request["north"])
        hemisphere = ("_east", "_west")[half] if len(halves) > 1 else ""
        for spacing, bands in groups.items():
            hrefs = [_address(own, item, band) for band in bands]
            if _is_beside(box, item, bands[0]):
                continue
            resolution = f"_{spacing:g}" if len(groups) > 1 else ""
            yield Asset(
                filename=re.sub(r"[^\w.-]", "_", item["id"]) + resolution + hemisphere + ".tif",
                url=public(own or hrefs[0]),
                start=start,
                end=end,
                bands=tuple(bands),
                details={"hrefs": hrefs, "box": box, "signing": signing_of(request)},
            )


def _address(own: str, item: Mapping[str, Any], band: str) -> str:
    """Return where on the web a band is, also where its item says it relative to its own place."""
    href = urljoin(own, item["assets"][band]["href"])
    if urlsplit(href).scheme not in ("http", "https"):
        expected = "an address of http or https, as buckets are not read"
        raise InputError(item["id"], band, public(href), expected)
    return href


def _groups(item: Mapping[str, Any], bands: Sequence[str]) -> dict[float, list[str]]:
    """Return an item's wanted bands by the spacing of their pixels, 0 where it is not stated."""
    groups: dict[float, list[str]] = {}
    for band in bands:
        if band not in item["assets"]:
            expected = f"one of its assets, such as {nearest(band, item['assets'])}"
            raise InputError(item["id"], band, "no such asset", expected)
        stated = _stated(item, band)
        transform = stated.get("proj:transform")
        spacing = abs(transform[0]) if transform else stated.get("gsd", 0.0)
        groups.setdefault(spacing, []).append(band)
    return dict(sorted(groups.items()))


def _stated(item: Mapping[str, Any], band: str) -> dict[str, Any]:
    """Return what an item says of an asset: its own properties prevail."""
    return item["properties"] | item["assets"][band]


def _is_beside(box: Box, item: Mapping[str, Any], band: str) -> bool:
    """Return whether an item says where its pixels are and none of them is in a box."""
    stated = _stated(item, band)
    names = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
    crs = next((stated[name] for name in names if stated.get(name)), None)
    transform, shape = stated.get("proj:transform"), stated.get("proj:shape")
    if not (crs and transform and shape):
        return False
    return _pixels(box, CRS(crs).to_wkt(), Affine(*transform[:6]), tuple(shape)) is None


def _cut(asset: Asset, files: RemoteFiles, path: Path) -> None:
    """Write the part of an item's objects that is in the area."""
    hrefs, box = asset.details["hrefs"], tuple(asset.details["box"])
    with ExitStack() as stack:
        # GDAL would ask for files that lie beside the objects, such as those of statistics.
        settings = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
        stack.enter_context(rasterio.Env(**settings))
        for href in hrefs:
            files.size(href)  # what fails here GDAL would try again and again
        sources = [stack.enter_context(rasterio.open(href, opener=files)) for href in hrefs]
        _check_grids(asset, sources)
        grid = sources[0]
        pixels = _pixels(box, grid.crs.to_wkt(), grid.transform, grid.shape)
        if pixels is None:
            log.info("%s: nothing of the area is in it; one pixel is kept", asset.filename)
            pixels = Window(0, 0, 1, 1)
        target = stack.enter_context(rasterio.open(path, "w", **_profile(sources, pixels)))
        _describe(target, sources, asset.bands)
        for band, source in enumerate(sources, start=1):
            for strip in _strips(source, pixels):
                values = source.read(1, window=strip).astype(target.dtypes[0], copy=False)
                row = strip.row_off - pixels.row_off
                target.write(values, band, window=Window(0, row, strip.width, strip.height))


def _check_grids(asset: Asset, sources: Sequence[rasterio.DatasetReader]) -> None:
    first = sources[0]
    for band, href, source in zip(asset.bands, asset.details["hrefs"], sources, strict=True):
        if source.count != 1 or source.crs is None:
            found = f"{source.count} bands in {source.crs or 'no'} coordinates"
            raise InputError(public(href), band, found, "one band in known coordinates")
        if _grid(source) != _grid(first):
            found = f"{source.shape} pixels of {source.res}"
            expected = f"{first.shape} pixels of {first.res}, as {asset.bands[0]} has"
            raise InputError(public(href), f"grid of {band}", found, expected)


def _grid(source: rasterio.DatasetReader) -> tuple[Any, ...]:
    return source.crs, source.transform, source.shape


def _profile(sources: Sequence[rasterio.DatasetReader], pixels: Window) -> dict[str, Any]:
    """Return how the file of one item is laid out."""
    nodata = {source.nodata for source in sources}
    large = min(pixels.width, pixels.height) > BLOCK_PIXELS
    blocks = {"tiled": True, "blockxsize": BLOCK_PIXELS, "blockysize": BLOCK_PIXELS}
    return {
        "driver": "GTiff",
        "count": len(sources),
        "width": pixels.width,
        "height": pixels.height,
        "dtype": np.result_type(*(source.dtypes[0] for source in sources)).name,
        "crs": sources[0].crs,
        "transform": sources[0].window_transform(pixels),
        "nodata": nodata.pop() if len(nodata) == 1 else None,
        "compress": "deflate",
        "interleave": "band",
        "bigtiff": "if_safer",
        **(blocks if large else {}),
    }


def _describe(
    target: rasterio.io.DatasetWriter,
    sources: Sequence[rasterio.DatasetReader],
    bands: Sequence[str],
) -> None:
    """Carry over what the archive says of each band."""
    target.descriptions = bands
    target.scales = [source.scales[0] for source in sources]
    target.offsets = [source.offsets[0] for source in sources]
    target.units = [source.units[0] or "" for source in sources]
    if len({source.nodata for source in sources}) > 1:
        for band, source in enumerate(sources, start=1):
            if source.nodata is not None:
                target.update_tags(band, nodata=f"{source.nodata:.17g}")


def _strips(source: rasterio.DatasetReader, pixels: Window) -> Iterator[Window]:
    """Yield the rows of a window some at a time, each block of the source in one strip alone."""
    block = source.block_shapes[0][0]
    row_bytes = pixels.width * np.dtype(source.dtypes[0]).itemsize
    rows = max(1, STRIP_BYTES // row_bytes // block) * block
    top, stop = pixels.row_off, pixels.row_off + pixels.height
    while top < stop:
        bottom = min(stop, (top // rows + 1) * rows)
        yield Window(pixels.col_off, top, pixels.width, bottom - top)
        top = bottom


@lru_cache(maxsize=4096)
def _pixels(box: Box, crs: str, transform: Affine, shape: tuple[int, int]) -> Window | None:
    """Return the window of a raster's pixels that touch a box of longitudes and latitudes.

    Parameters
    ----------
    box
        West, south, east, north in degrees; west is not beyond east.
    crs, transform, shape
        The raster's grid: well-known text, pixel to coordinate, rows and columns.

    Returns
    -------
    Window or None
        None where no pixel touches the box.
    """
    rows, columns = shape
    outlines = []
    for west, south, east, north in _clipped(box, crs, transform, shape):
        along = np.linspace(0.0, 1.0, OUTLINE_POINTS)
        across = np.zeros(OUTLINE_POINTS)
        x = np.concatenate([along, across + 1, along[::-1], across])
        y = np.concatenate([across, along, across + 1, along[::-1]])
        corner = _projection(crs).transform(west + x * (east - west), south + y * (north - south))
        outline = np.stack(~transform @ corner, axis=-1)
        outline = outline[np.isfinite(outline).all(axis=-1)]
        if len(outline) > 3:
            outlines.append(shapely.make_valid(shapely.Polygon(outline)))
    area = shapely.union_all(outlines)
    covered = area.intersection(shapely.box(0, 0, columns, rows))
    if covered.is_empty:
        return None
    whole, low, high = np.reshape(area.bounds, (2, 2)), *np.reshape(covered.bounds, (2, 2))
    # A box that ends where a pixel ends does not touch the next one.
    slack = np.minimum(EDGE_PIXELS, np.ptp(whole, axis=0) / 8)
    low, high = low + slack, high - slack
    if (low >= high).any():
        return None
    column, row = map(int, np.floor(low))
    right, bottom = map(int, np.ceil(high))
    return Window(column, row, right - column, bottom - row)


def _clipped(box: Box, crs: str, transform: Affine, shape: tuple[int, int]) -> Iterator[Box]:
    """Yield the part of a box, or both parts of it, that is near a raster.

    Far from where they are made for, projections go astray.
    """
    rows, columns = shape
    column, row = np.meshgrid(
        np.linspace(0, columns, LATTICE_POINTS), np.linspace(0, rows, LATTICE_POINTS)
    )
    lon, lat = _projection(crs).transform(*(transform @ (column, row)), direction="INVERSE")
    on_earth = np.isfinite(lon) & np.isfinite(lat)
    if not on_earth.any():
        return
    lon, lat = lon[on_earth], lat[on_earth]
    if np.ptp(lon) > 180.0:
        lon = lon % 360.0
    # Between the lattice's points the raster may reach further.
    beyond = POINT_DEGREES + np.ptp(lon) / 16, POINT_DEGREES + np.ptp(lat) / 16
    south = max(box[1] - POINT_DEGREES, lat.min() - beyond[1], -90.0)
    north = min(box[3] + POINT_DEGREES, lat.max() + beyond[1], 90.0)
    for turn in (-360.0, 0.0, 360.0):
        west = max(box[0] - POINT_DEGREES, lon.min() - beyond[0] + turn, -180.0)
        east = min(box[2] + POINT_DEGREES, lon.max() + beyond[0] + turn, 180.0)
        if west < east and south < north:
            yield west, south, east, north


@lru_cache
def _projection(crs: str) -> Transformer:
    """Return the transformation from longitude and latitude to a raster's coordinates."""
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)
