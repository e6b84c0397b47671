"""A STAC API and the rasters of its items, on this machine, with the faults that real ones have.

The API is a real one (``rustac serve``, or another backend) behind a server of ours, which can go
wrong and also gives the tokens that the server of the rasters may want.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import shutil
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fault_server
import numpy as np
import rasterio
import rasterio.shutil
from fault_server import FaultServer
from ports import free_port
from pyproj import Transformer
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile

SPHERE_M = 6371007.181
TILE_M = math.pi * SPHERE_M / 18
PIXELS = 2400
SINUSOIDAL = (
    'PROJCS["unnamed",GEOGCS["Unknown datum based upon the custom spheroid",'
    'DATUM["Not specified (based on custom spheroid)",'
    f'SPHEROID["Custom spheroid",{SPHERE_M},0]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]]],PROJECTION["Sinusoidal"],'
    'PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],'
    'PARAMETER["false_northing",0],UNIT["Meter",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)


@dataclass(frozen=True)
class Raster:
    """One band: its numbers and where they are."""

    values: np.ndarray
    transform: Affine
    crs: str
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0

    def cog(self) -> bytes:
        """Return it as a cloud-optimised GeoTIFF."""
        rows, columns = self.values.shape
        profile = {
            "driver": "GTiff", "count": 1, "height": rows, "width": columns, "nodata": self.nodata,
            "dtype": self.values.dtype, "crs": CRS.from_string(self.crs),
            "transform": self.transform,
        }  # fmt: skip
        with MemoryFile() as plain, MemoryFile() as optimised:
            with plain.open(**profile) as file:
                file.write(self.values, 1)
                file.scales, file.offsets = (self.scale,), (self.offset,)
            options = {"driver": "COG", "compress": "deflate", "blocksize": 256}
            with plain.open() as file:
                rasterio.shutil.copy(file, optimised.name, **options)
            return optimised.read()


def modis_tile(
    column: int, row: int, rows: slice = slice(0, PIXELS), columns: slice = slice(0, PIXELS)
) -> tuple[Affine, tuple[int, int]]:
    """Return transform and shape of a part of a tile of MODIS' sinusoidal 500 m grid."""
    spacing = TILE_M / PIXELS
    x = (column - 18) * TILE_M + columns.start * spacing
    y = (9 - row) * TILE_M - rows.start * spacing
    shape = rows.stop - rows.start, columns.stop - columns.start
    return Affine(spacing, 0, x, 0, -spacing, y), shape


def mod15a2h(transform: Affine, shape: tuple[int, int], seed: int) -> dict[str, Raster]:
    """Return leaf area as MOD15A2H has it: valid 0-100, fill 249-255, quality in bits."""
    rng = np.random.default_rng(seed)
    lai = rng.integers(0, 101, shape).astype("uint8")
    fill = rng.random(shape) < 0.05
    lai[fill] = rng.integers(249, 256, int(fill.sum()))
    quality = rng.choice(np.array([0, 2, 8, 32, 81, 97, 157], "uint8"), shape)
    deviation = np.where(fill, lai, lai // 10)
    return {
        "Lai_500m": Raster(lai, transform, SINUSOIDAL, 255, 0.1),
        "LaiStdDev_500m": Raster(deviation, transform, SINUSOIDAL, 255, 0.1),
        "FparLai_QC": Raster(quality, transform, SINUSOIDAL, 255),
    }


def sentinel2(west_m: float, north_m: float, zone: int, size: int, seed: int) -> dict[str, Raster]:
    """Return a part of a tile as Sentinel-2 L2A has it; ``size`` is its pixels of 20 m."""
    rng = np.random.default_rng(seed)
    coarse, fine = (Affine(step, 0, west_m, 0, -step, north_m) for step in (20.0, 10.0))
    crs = f"EPSG:{zone}"
    return {
        "B8A": Raster(rng.integers(1000, 9000, (size, size)).astype("uint16"), coarse, crs, 0),
        "SCL": Raster(rng.integers(0, 12, (size, size)).astype("uint8"), coarse, crs, 0),
        "B04": Raster(rng.integers(1000, 3000, (2 * size,) * 2).astype("uint16"), fine, crs, 0),
    }


def item(
    id_: str,
    rasters: Mapping[str, Raster],
    folder: str,
    properties: Mapping[str, Any],
    grid: bool = True,
) -> dict[str, Any]:
    """Return an item whose footprint has, as often in archives, no more than its four corners."""
    first = next(iter(rasters.values()))
    rows, columns = first.values.shape
    corners = [first.transform @ c for c in ((0, 0), (columns, 0), (columns, rows), (0, rows))]
    back = Transformer.from_crs(first.crs, "EPSG:4326", always_xy=True)
    ring = [list(back.transform(*corner)) for corner in [*corners, corners[0]]]
    lon, lat = zip(*ring, strict=True)
    assets = {}
    for key, raster in rasters.items():
        assets[key] = {"href": f"{folder}/{id_}_{key}.tif", "type": "image/tiff"}
        if grid:
            assets[key]["proj:shape"] = list(raster.values.shape)
            assets[key]["proj:transform"] = list(raster.transform)[:6]
    stated = {"proj:epsg": None, "proj:wkt2": CRS.from_string(first.crs).to_wkt()} if grid else {}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": id_, "stac_extensions": [],
        "properties": {"datetime": None, **properties, **stated},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [min(lon), min(lat), max(lon), max(lat)], "links": [], "assets": assets,
    }  # fmt: skip


@dataclass
class Archive:
    """A server of what the API answers and of tokens (``/token``), and one of the rasters.

    Attributes
    ----------
    cogs
        The server of the rasters, whose faults and signature can be set. The tokens are such that
        it takes them.
    faults
        What happens to the next requests for a path of the API, in turn: a status such as ``503``,
        ``cut N`` (all bytes are announced and N sent), ``stall`` or a body to send as answer.
    requests
        The path of each request to the API.
    searches
        What each search asked for.
    """

    cogs: FaultServer
    address: str = ""
    rasters: dict[str, dict[str, Raster]] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)
    api_port: int = 0

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"{self.address}/"

    @property
    def signer(self) -> str:
        """The address of the service that gives tokens."""
        return f"{self.address}/token"

    def path(self, id_: str, band: str) -> str:
        """Return where on their server a band is."""
        return f"/cogs/{id_}_{band}.tif"

    def sent(self, expected: int = 0) -> int:
        """Return how many bytes of rasters went out, counted soon after a client has them."""
        for _ in range(100):
            found = sum(request.sent for request in self.cogs.requests)
            if found >= expected:
                break
            time.sleep(0.02)
        return found

    def forget(self) -> None:
        """Count anew, with no faults and signatures."""
        for counted in (self.requests, self.searches, self.faults):
            counted.clear()
        self.cogs.requests.clear()
        self.cogs.faults.clear()
        self.cogs.signature = None


@contextmanager
def rustac(
    folder: Path, collection: dict[str, Any], items: list[dict[str, Any]], address: str, port: int
) -> Iterator[None]:
    """Serve a collection by ``rustac serve`` on a port, as seen at another address."""
    collected = {"type": "FeatureCollection", "features": items}
    files = folder / "collection.json", folder / "items.json"
    for file, content in zip(files, (collection, collected), strict=True):
        file.write_text(json.dumps(content))
    program = shutil.which("rustac", path=sysconfig.get_path("scripts"))
    command = [program, "serve", "--addr", address, "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen([*command, *files], stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process)
            yield
        finally:
            process.terminate()


@contextmanager
def serve(
    folder: Path,
    collection: str,
    contents: Sequence[tuple[str, Mapping[str, Raster], Mapping[str, Any]]],
    grid: bool = True,
    backend: Callable[..., AbstractContextManager[None]] = rustac,
) -> Iterator[Archive]:
    """Serve the items of one collection.

    Parameters
    ----------
    folder
        For the API's files.
    collection
        Its id.
    contents
        Id, rasters by band, properties of each item.
    grid
        Whether items say where their pixels are.
    backend
        What serves the API: with the same parameters as :func:`rustac`.
    """
    with fault_server.serve() as cogs:
        archive = Archive(cogs, api_port=free_port())
        items = []
        for id_, rasters, properties in contents:
            items.append(item(id_, rasters, f"{cogs.address}/cogs", properties, grid))
            items[-1]["collection"] = collection
            archive.rasters[id_] = dict(rasters)
            for band, raster in rasters.items():
                cogs.add(archive.path(id_, band), raster.cog())
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(archive)) as front:
            threading.Thread(target=front.serve_forever, args=(0.02,), daemon=True).start()
            archive.address = f"http://localhost:{front.server_port}"
            described = _described(collection)
            with backend(folder, described, items, archive.address, archive.api_port):
                yield archive
            front.shutdown()


def _described(collection: str) -> dict[str, Any]:
    return {
        "type": "Collection", "id": collection, "stac_version": "1.0.0", "description": "A test",
        "license": "CC0-1.0", "links": [],
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2000-01-01T00:00:00Z", None]]},
        },
    }  # fmt: skip


def wait_for(port: int, process: subprocess.Popen) -> None:
    """Wait until a process listens on a port."""
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise TimeoutError(f"{process.args[0]} does not answer")


def _handler(archive: Archive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output clean."""

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            archive.searches.append(json.loads(body))
            self._answer(body)

        def _answer(self, body: bytes) -> None:
            path = urlsplit(self.path).path
            archive.requests.append(path)
            faults = archive.faults.get(path, [])
            fault = faults.pop(0) if faults else ""
            if fault.isdecimal():
                self._send(int(fault), b"")
            elif fault and not fault.startswith(("cut", "stall")):
                self._send(200, fault.encode())
            elif path.startswith("/token/"):
                end = datetime.now(UTC) + timedelta(hours=1)
                token = f"se={end:%Y}&sig={archive.cogs.signature}"
                given = {"token": token, "msft:expiry": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
                self._send(200, json.dumps(given).encode())
            else:
                self._send(*self._from_api(body), fault)

        def _from_api(self, body: bytes) -> tuple[int, bytes]:
            api = http.client.HTTPConnection("127.0.0.1", archive.api_port)
            # Some APIs make their links of the host that they were asked as.
            kept = {"Host": self.headers["Host"]}
            kept["Content-Type"] = self.headers.get("Content-Type", "application/json")
            api.request(self.command, self.path, body, kept)
            answer = api.getresponse()
            return answer.status, answer.read()

        def _send(self, status: int, body: bytes, fault: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "stall":
                archive.cogs.closing.wait(1.0)
            kept = int(fault.removeprefix("cut ")) if fault.startswith("cut") else None
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body[:kept])
            self.close_connection = True

    return Handler
