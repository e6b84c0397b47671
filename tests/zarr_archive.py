"""Zarr stores like those of real archives, small, and a web server with the faults of real ones."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import xarray as xr


def write_era5(folder: Path, zarr_format: int = 2, shards: bool = False) -> Path:
    """Write two months of hours on 10 degrees: latitudes descend, longitudes go from 0 to 350.

    Temperature ``t2m`` is packed as int16, rain ``tp`` is float32 with NaN at some places.
    """
    times = np.arange(
        np.datetime64("2003-06-01"), np.datetime64("2003-08-01"), np.timedelta64(1, "h")
    )
    data = _grid(
        "time", times.astype("datetime64[ns]"), np.arange(90, -91, -10.0), np.arange(0, 360, 10.0)
    )
    rng = np.random.default_rng(1)
    shape = tuple(data.sizes.values())
    data["t2m"] = (
        list(data.sizes),
        280 + 20 * rng.standard_normal(shape),
        {"units": "K", "long_name": "2 metre temperature"},
    )
    rain = rng.gamma(0.2, 1e-3, shape).astype("f4")
    rain[:, 5, ::7] = np.nan
    data["tp"] = list(data.sizes), rain, {"units": "m"}
    data.attrs = {"institution": "ECMWF"}
    packed = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768}
    encoding = {"t2m": packed, "tp": {"dtype": "f4", "_FillValue": np.float32(np.nan)}}
    for one in encoding.values():
        one["chunks"] = (240, 7, 12)
        if shards:
            one["shards"] = (480, 7, 36)
    encoding["time"] = {
        "units": "hours since 1900-01-01",
        "calendar": "proleptic_gregorian",
        "dtype": "i4",
    }
    return _write(data, folder, encoding, zarr_format)


def write_terraclimate(folder: Path) -> Path:
    """Write three years of months on 2 degrees, packed; a chunk is a year of an eighth."""
    times = np.arange("2001-01", "2004-01", dtype="datetime64[M]").astype("datetime64[ns]")
    data = _grid("time", times, np.arange(89, -90, -2.0), np.arange(-179, 180, 2.0), ("lat", "lon"))
    values = np.random.default_rng(2).gamma(2, 30, tuple(data.sizes.values()))
    data["ppt"] = list(data.sizes), values, {"units": "mm", "grid_mapping": "crs"}
    data["crs"] = xr.Variable(
        ("crs",), np.array([3], "i2"), {"grid_mapping_name": "latitude_longitude"}
    )
    packed = {"dtype": "i4", "scale_factor": 0.1, "add_offset": 0.0, "_FillValue": -2147483648}
    time = {"units": "days since 1900-01-01", "dtype": "i4"}
    return _write(data, folder, {"ppt": packed | {"chunks": (12, 45, 90)}, "time": time}, 2)


def write_cmip6(folder: Path, calendar: str = "noleap") -> Path:
    """Write four years of days of a climate model: latitudes ascend, instants are at noon."""
    times = xr.date_range(
        "2001-01-01 12:00", "2004-12-30 12:00", freq="D", calendar=calendar, use_cftime=True
    )
    latitudes = np.linspace(-87.5, 87.5, 36)
    data = _grid("time", times, latitudes, np.arange(2.5, 360, 5.0), ("lat", "lon"))
    values = np.random.default_rng(3).gamma(1, 3e-5, tuple(data.sizes.values())).astype("f4")
    data["pr"] = list(data.sizes), values, {"units": "kg m-2 s-1", "cell_methods": "time: mean"}
    numbers = np.arange(times.size, dtype=float)
    data["time_bnds"] = ("time", "bnds"), np.stack([numbers, numbers + 1], axis=1)
    data["time"].attrs["bounds"] = "time_bnds"
    data["time"].encoding = {"units": "days since 2001-01-01", "calendar": calendar, "dtype": "f8"}
    fill = {"dtype": "f4", "_FillValue": np.float32(1e20), "missing_value": np.float32(1e20)}
    return _write(data, folder, {"pr": fill | {"chunks": (600, 36, 72)}}, 2)


def _grid(
    name: str,
    times: np.ndarray,
    latitudes: np.ndarray,
    longitudes: np.ndarray,
    names: tuple[str, str] = ("latitude", "longitude"),
) -> xr.Dataset:
    return xr.Dataset(
        coords={
            name: times,
            names[0]: (names[0], latitudes, {"units": "degrees_north"}),
            names[1]: (names[1], longitudes, {"units": "degrees_east"}),
        }
    )


def _write(data: xr.Dataset, folder: Path, encoding: dict, zarr_format: int) -> Path:
    with warnings.catch_warnings():
        # Consolidated metadata are no part of format 3 yet.
        warnings.simplefilter("ignore")
        data.to_zarr(folder, encoding=encoding, zarr_format=zarr_format, consolidated=True)
    return folder


@dataclass
class Site:
    """A web server for a folder.

    ``faults`` holds, by the end of a path, what happens to the next requests for it, in turn: a
    status such as ``503``, ``cut`` for half of a body, ``html`` for a page with status 200.
    ``requests`` has the paths asked for that there are, and ``sent`` counts the bytes of bodies.
    Where there is a ``signature``, others are refused; ``/sas/`` gives ``1``, then ``2`` and so on.
    """

    address: str = ""
    faults: dict[str, list[str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    sent: int = 0
    signature: str = ""
    tokens: int = 0

    def chunks(self) -> list[str]:
        """Return the paths of chunks of bands that were asked for, in order of their names."""
        small = ("time", "lat", "lon", "latitude", "longitude", "time_bnds")
        asked = [path for path in self.requests if not path.endswith((".json", ".zmetadata"))]
        names = [path for path in asked if not path.rpartition("/")[2].startswith(".z")]
        return sorted(path for path in names if not any(f"/{one}/" in path for one in small))


def _handler(site: Site, folder: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output clean."""

        def do_GET(self) -> None:
            # A proxy is asked with a whole address, so this is one as well.
            parts = urlsplit(self.path)
            site.logins.append(self.headers.get("Authorization"))
            if parts.path.startswith("/sas/"):
                site.tokens += 1
                token = {"token": f"sig={site.tokens}", "msft:expiry": "2999-01-01T00:00:00Z"}
                self._send(200, json.dumps(token).encode(), "application/json")
            elif site.signature and parse_qs(parts.query).get("sig") != [site.signature]:
                self._send(403, b"no signature")
            else:
                self._send_file(folder / parts.path.strip("/"), parts.path)

        def _send_file(self, file: Path, path: str) -> None:
            if not file.is_file():
                self._send(404, b"")
                return
            site.requests.append(path)
            ends = [end for end in site.faults if path.endswith(end) and site.faults[end]]
            fault = site.faults[ends[0]].pop(0) if ends else ""
            content, status, headers = file.read_bytes(), 200, {}
            if fault.isdecimal():
                self._send(int(fault), b"", **{"Retry-After": "0"})
            elif fault == "html":
                self._send(200, b"<!DOCTYPE html><html>Log in</html>", "text/html")
            else:
                sent = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
                if sent:
                    start, last = int(sent[1]), min(int(sent[2]), len(content) - 1)
                    headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
                    content, status = content[start : last + 1], 206
                self._send(status, content, cut=fault == "cut", **headers)

        def _send(
            self, status: int, body: bytes, kind: str = "", cut: bool = False, **headers
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            body = body[: len(body) // 2] if cut else body
            self.wfile.write(body)
            site.sent += len(body)
            self.close_connection = cut or self.close_connection

    return Handler


@contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """Serve a folder on a free port of this machine."""
    site = Site()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(site, folder)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        site.address = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
