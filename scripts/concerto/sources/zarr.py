"""Fields of a Zarr store, format 2 or 3: the chunks that an area and a period need, no others.

A locator has

``store``
    Its address (``https://``, ``s3://``, or ``gs://`` for a bucket that needs no login), in which
    ``{band}``, ``{year}`` and ``{month}`` are replaced where an archive has a store for each; or
    an address for each band, by its name.
``dimensions``
    The names of its ``time``, ``latitude`` and ``longitude`` where their attributes do not tell.
``consolidated``
    Whether all metadata are in one object; found out where it is not given.
``format``
    2 or 3; found out where it is not given, which some servers refuse.
``sparse``
    ``true`` where the archive leaves out chunks without data. Elsewhere a missing chunk is an
    error: Zarr would take it for fill.
``signing``
    ``planetary_computer`` where addresses are signed by Microsoft's Planetary Computer.
``key``
    ``{environment: CDSAPI_KEY, file: ~/.cdsapirc}``: the variable, or the file with a line
    ``key:``, that has a key to send, where a server wants one.
``anonymous``, ``endpoint``
    Of S3: whether to ask without a login, and a service that is not Amazon's.
``may_be_empty``
    ``true`` where an area or a period beside the store's is no error.

Files are NetCDF-4 with the raw numbers and attributes of the store. Chunks come whole: a store
with large ones sends much more than the window, which is said before it begins.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import cftime
import h5netcdf
import numpy as np
import yaml
import zarr
from zarr.errors import BaseZarrError

from concerto.errors import ConcertoError, InputError
from concerto.plugins import nearest
from concerto.sources import Asset
from concerto.sources._http import Client
from concerto.sources._signing import Signer, signing_of
from concerto.sources._zarr_store import RemoteStore, objects_of
from concerto.whole import whole_file

BLOCK_BYTES = 1 << 26
"""So much is decoded at a time, or one chunk where it is larger."""
FILE_CHUNK_BYTES = 1 << 20
MUCH = 20
"""So many times the window is worth a warning."""
MONTH_DAYS, YEAR_DAYS = 31, 12 * 31
TOUCH = 1e-3
"""An area touches a cell that it covers by no more than this fraction of its width."""

_ROLES = {
    "time": ("time",),
    "latitude": ("latitude", "lat", "degrees_north", "degree_north"),
    "longitude": ("longitude", "lon", "degrees_east", "degree_east"),
}
_LOCATOR = (
    *("store", "dimensions", "consolidated", "format", "sparse", "signing", "key"),
    *("anonymous", "endpoint"),
)


log = logging.getLogger(__name__)


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the files of a request, reading metadata and coordinates only.

    A file has a month of the period, a year where steps or chunks are longer than a month, or all
    of it where they are longer than a year: else chunks would be asked for again and again.

    Returns
    -------
    list
        ``size`` is None: compression decides. ``details`` have the window and, in bytes without
        compression, its own (``window_bytes``) and those of the chunks that have to be received
        for it (``chunk_bytes``).

    Raises
    ------
    InputError
        If the store lacks a band, or does not cover the area or the period.
    ConcertoError
        If the store cannot be reached, or refuses.
    """
    start, end = _day(request["start"]), _day(request["end"]) + timedelta(days=1)
    client = _client(request)
    assets = []
    for first, last in _parts(start, end, _months_of_store(request["store"])):
        stores = _addresses(request, first)
        for url, bands in stores.items():
            cube = _Cube(_opened(url, request, client), bands, request)
            label = f"{bands[0]}_" if len(stores) > 1 else ""
            try:
                assets += _assets(cube, url, (first, last), request, label)
            except _OutsideError:
                if not request.get("may_be_empty"):
                    raise
    _warn_of_size(request, assets)
    return assets


def fetch(asset: Asset, path: Path) -> int:
    """Write a window of a store as NetCDF-4, whole or not at all; return the bytes received.

    Raises
    ------
    InputError
        If a chunk is missing or damaged.
    ConcertoError
        If the store cannot be reached, or refuses.
    """
    details = asset.details
    store = _opened(asset.url, details["locator"], _client(details["locator"]))
    cube = _Cube(store, asset.bands, details["locator"])
    with whole_file(path) as part, h5netcdf.File(part, "w") as file:
        _write(file, cube, details["window"])
    whole = sum(cube.group[band].nbytes for band in asset.bands)
    received, whole_mb = store.received / 1e6, whole / 1e6
    log.info("%s: received %.1f MB; all of its bands is %.0f MB", path.name, received, whole_mb)
    if store.missing:
        lacking = len(store.missing), min(store.missing)
        log.warning("%s: %d chunks are not in the store: fill; one is %s", path.name, *lacking)
    return store.received


class _OutsideError(InputError):
    """A store has nothing of an area or a period."""


class _Cube:
    """The bands of a store on their common grid.

    Attributes
    ----------
    store, group
        Where they are.
    bands
        Their names.
    roles
        Name of the dimension by role: time, latitude, longitude.
    """

    def __init__(
        self, store: RemoteStore, bands: Sequence[str], locator: Mapping[str, Any]
    ) -> None:
        self.store = store
        self.group = _group(store, locator)
        self.bands = bands
        for band in bands:
            self._check_band(band)
        dimensions = [_dimensions(self.group[band]) for band in bands]
        for band, names in zip(bands, dimensions, strict=True):
            if set(names) != set(dimensions[0]):
                expected = f"those of {bands[0]}, {', '.join(dimensions[0])}"
                raise InputError(store.url, f"dimensions of {band}", ", ".join(names), expected)
        self.roles = self._found_roles(dimensions[0], locator.get("dimensions", {}))
        if locator.get("sparse"):
            store.sparse = frozenset(band for band in bands if self._fill_is_missing(band))

    def values(self, role: str) -> np.ndarray:
        """Return a coordinate."""
        array = self.group[self.roles[role]]
        if "scale_factor" in array.attrs or "add_offset" in array.attrs:
            raise InputError(self.store.url, self.roles[role], "packed numbers", "plain ones")
        return _read(self.store, array, self.roles[role], slice(None))

    def attributes(self, role: str) -> dict[str, Any]:
        """Return a coordinate's attributes."""
        return dict(self.group[self.roles[role]].attrs)

    def order(self, band: str) -> list[str]:
        """Return the roles of a band's dimensions, in their order."""
        role = {name: role for role, name in self.roles.items()}
        return [role[name] for name in _dimensions(self.group[band])]

    def _check_band(self, band: str) -> None:
        array = self.group.get(band)
        if isinstance(array, zarr.Array):
            if array.dtype.kind not in "iuf":
                raise InputError(self.store.url, band, f"type {array.dtype}", "numbers")
            return
        names = sorted(_listed(self.group))
        expected = f"{len(names)} others, such as {nearest(band, names)}" if names else "another"
        raise InputError(self.store.url, "band", band, expected)

    def _found_roles(self, names: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
        roles = {role: name for role, name in chosen.items() if name in names}
        for name in names:
            array = self.group.get(name)
            if array is not None and name not in roles.values():
                roles |= {role: name for role in _ROLES if _plays(name, array.attrs, role)}
        flat = all(self.group[name].ndim == 1 for name in roles.values())
        if set(roles) != set(_ROLES) or len(names) != len(_ROLES) or not flat:
            found = ", ".join(names)
            expected = "time, latitude and longitude; `dimensions` of the locator may name them"
            raise InputError(self.store.url, f"dimensions of {self.bands[0]}", found, expected)
        return {role: roles[role] for role in _ROLES}

    def _fill_is_missing(self, band: str) -> bool:
        """Return whether what stands for a chunk left out is declared to be no value."""
        array = self.group[band]
        value, declared = array.metadata.fill_value, _fill(array)
        return value is not None and declared is not None and _same(value, declared)


def _months_of_store(store: str | Mapping[str, str]) -> int | None:
    """Return how many months are in one store, None where all are."""
    text = "".join([store] if isinstance(store, str) else store.values())
    if "{month}" in text:
        return 1
    return 12 if "{year}" in text else None


def _addresses(request: Mapping[str, Any], first: date) -> dict[str, tuple[str, ...]]:
    """Return the bands of each store."""
    store, found = request["store"], {}
    for band in request["bands"]:
        if not isinstance(store, str) and band not in store:
            raise InputError("locator", "store", band, f"a band that has one: {', '.join(store)}")
        text = store if isinstance(store, str) else store[band]
        names = {"{band}": band, "{year}": f"{first:%Y}", "{month}": f"{first:%m}"}
        for name, value in names.items():
            text = text.replace(name, value)
        found[text] = (*found.get(text, ()), band)
    return found


def _client(locator: Mapping[str, Any]) -> Client:
    headers = {}
    if locator.get("key"):
        headers["Authorization"] = f"Bearer {_key(locator['key'])}"
    signing = signing_of(locator)
    return Client(headers, Signer(**signing) if signing else None)


def _key(where: Mapping[str, str]) -> str:
    name, file = where.get("environment", ""), Path(where.get("file", "")).expanduser()
    key = os.environ.get(name)
    if not key and file.is_file():
        lines = yaml.safe_load(file.read_text(encoding="utf-8"))
        key = lines.get("key") if isinstance(lines, dict) else None
    if not key:
        raise InputError("login", name, "no key", f"the variable, or a line `key:` in {file}")
    return str(key)


def _opened(url: str, locator: Mapping[str, Any], client: Client) -> RemoteStore:
    anonymous, endpoint = locator.get("anonymous", False), locator.get("endpoint")
    return RemoteStore(url, objects_of(url, client, anonymous, endpoint))


def _group(store: RemoteStore, locator: Mapping[str, Any]) -> zarr.Group:
    try:
        return zarr.open_group(
            store,
            mode="r",
            zarr_format=locator.get("format"),
            use_consolidated=locator.get("consolidated"),
        )
    except ConcertoError:
        raise
    except (FileNotFoundError, BaseZarrError) as error:
        raise InputError(store.url, "store", "no Zarr group", "one of format 2 or 3") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(store.url, "metadata", f"{error}", "those of a Zarr group") from error


def _read(store: RemoteStore, array: zarr.Array, name: str, where: Any) -> np.ndarray:
    last = type(array.compressors[-1]).__name__ if array.compressors else ""
    if array.shards is None and last in ("Blosc", "BloscCodec"):
        store.blosc.add(name)
    try:
        return np.asarray(array[where])
    except ConcertoError:
        raise
    except Exception as error:  # a decoder may raise anything
        found = f"damaged ({type(error).__name__}: {error})"
        raise InputError(store.url, f"chunks of {name}", found, "whole ones") from error


def _dimensions(array: zarr.Array) -> list[str]:
    named = getattr(array.metadata, "dimension_names", None)
    return list(named or array.attrs.get("_ARRAY_DIMENSIONS", ()))


def _listed(group: zarr.Group) -> list[str]:
    """Return the names of a group's arrays, none where its metadata are not in one object."""
    known = group.metadata.consolidated_metadata
    return [] if known is None else list(known.metadata)


def _plays(name: str, attributes: Mapping[str, Any], role: str) -> bool:
    units = str(attributes.get("units", ""))
    described = {name.lower(), units, attributes.get("standard_name")}
    return not described.isdisjoint(_ROLES[role]) or (role == "time" and " since " in units)


def _fill(array: zarr.Array) -> Any:
    """Return the number that stands for no value, None where none does.

    Format 2 has it as the array's fill; format 3 as an attribute, in which xarray writes floats in
    base 64.
    """
    if array.metadata.zarr_format == 2:
        return array.metadata.fill_value
    value = array.attrs.get("_FillValue")
    if isinstance(value, str):
        coded = value.endswith("=")
        return struct.unpack("<d", base64.b64decode(value))[0] if coded else float(value)
    return value


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one, float), np.asarray(other, float), equal_nan=True))


@dataclass(frozen=True)
class _TimeAxis:
    """Days as numbers of a time axis.

    Parameters
    ----------
    units, calendar
        Of the axis.
    """

    units: str
    calendar: str

    def number(self, day: date) -> float:
        """Return the first instant of a day, or of the next one that the calendar has."""
        month = cftime.datetime(day.year, day.month, 1, calendar=self.calendar)
        late = day.day - month.daysinmonth
        if late > 0:
            year, after = divmod(day.year * 12 + day.month, 12)
            instant = cftime.datetime(year, after + 1, 1, calendar=self.calendar)
        else:
            instant = cftime.datetime(day.year, day.month, day.day, calendar=self.calendar)
        return float(cftime.date2num(instant, self.units, self.calendar))

    def text(self, number: float) -> str:
        """Return an instant as ISO 8601."""
        return cftime.num2date(number, self.units, self.calendar).isoformat()


def _day(value: str | date) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value[:10])


def _parts(start: date, end: date, months: int | None) -> list[tuple[date, date]]:
    """Cut a period where months or years of the calendar begin."""
    if months is None:
        return [(start, end)]
    borders = [start]
    while borders[-1] < end:
        index = borders[-1].year * 12 + borders[-1].month - 1
        year, month = divmod((index // months + 1) * months, 12)
        borders.append(min(end, date(year, month + 1, 1)))
    return list(pairwise(borders))


def _assets(
    cube: _Cube, url: str, period: tuple[date, date], request: Mapping[str, Any], label: str
) -> list[Asset]:
    """Return the files of one store."""
    place = {
        "latitude": [rows(cube.values("latitude"), request["south"], request["north"], url)],
        "longitude": columns(cube.values("longitude"), request["west"], request["east"], url),
    }
    times = cube.values("time").astype(float)
    axis = _axis(cube)
    window = _steps(cube, times, axis, *period)
    months = _months_of_file(cube, times[slice(*window)], axis)
    locator = {key: request[key] for key in _LOCATOR if key in request}
    assets = []
    for first, last in _parts(*period, months):
        steps = np.searchsorted(times, [axis.number(first), axis.number(last)])
        steps = np.clip(steps, *window).tolist()
        if steps[0] == steps[1]:
            continue
        wanted = {"time": [steps], **place}
        name = f"{label}{_filename(first, last, months)}"
        details = {"locator": locator, "window": wanted, **_sizes(cube, wanted)}
        days = f"{first}T00:00:00Z", f"{last}T00:00:00Z"
        assets.append(Asset(name, url, None, None, *days, tuple(cube.bands), details))
    return assets


def _filename(first: date, last: date, months: int | None) -> str:
    dates = f"{first}_{last - timedelta(days=1)}"
    return {1: f"{first:%Y-%m}.nc", 12: f"{first:%Y}.nc", None: f"{dates}.nc"}[months]


def _months_of_file(cube: _Cube, times: np.ndarray, axis: _TimeAxis) -> int | None:
    """Return how many months go in a file, None for all: no fewer than a step or a chunk has."""
    day = axis.number(date(2001, 1, 2)) - axis.number(date(2001, 1, 1))
    step = float(np.median(np.diff(times))) / day if times.size > 1 else 0.0
    chunk = max(
        cube.group[band].chunks[cube.order(band).index("time")] * step for band in cube.bands
    )
    if chunk <= MONTH_DAYS and step < MONTH_DAYS - 3:
        return 1
    return 12 if chunk <= YEAR_DAYS else None


def _axis(cube: _Cube) -> _TimeAxis:
    attributes = cube.attributes("time")
    axis = _TimeAxis(attributes.get("units", ""), attributes.get("calendar", "standard"))
    try:
        axis.number(date(2001, 1, 1))
    except ValueError as error:
        found = f"units {axis.units!r}, calendar {axis.calendar!r} ({error})"
        raise InputError(cube.store.url, cube.roles["time"], found, "those of CF") from error
    return axis


def _steps(
    cube: _Cube, times: np.ndarray, axis: _TimeAxis, start: date, end: date
) -> tuple[int, int]:
    """Return the first step of a period and the first after it."""
    url, name = cube.store.url, cube.roles["time"]
    if not (np.diff(times) > 0).all():
        raise InputError(url, name, "instants that do not ascend", "each once, in order")
    first, last = _valid(cube, times, axis)
    begin, stop = (int(np.searchsorted(times, axis.number(day))) for day in (start, end))
    begin, stop = max(begin, first), min(stop, last)
    inside = times[begin:stop]
    span = "no instant"
    if first < last:
        span = f"{axis.text(times[first])} to {axis.text(times[last - 1])}"
    asked = f"{start} to {end - timedelta(days=1)}"
    if inside.size == 0:
        raise _OutsideError(url, name, span, asked)
    # The instant of a step may be anywhere in it: one step may lack at either end.
    gaps = np.diff(times[max(begin - 1, first) : min(stop + 1, last)])
    step = float(gaps.max()) if gaps.size else np.inf
    usual = float(np.median(gaps)) if gaps.size else np.inf
    if inside[0] - axis.number(start) > step or axis.number(end) - inside[-1] > step:
        raise InputError(url, name, span, asked)
    if step > 1.5 * usual:
        where = axis.text(times[max(begin - 1, first) + int(gaps.argmax())])
        raise InputError(url, name, f"no step for {step / usual:.1f} steps after {where}", "all")
    return begin, stop


def _valid(cube: _Cube, times: np.ndarray, axis: _TimeAxis) -> tuple[int, int]:
    """Return which steps an archive has filled, where its axis goes beyond what is there."""
    attributes, bounds = cube.group.attrs, [0, times.size]
    if "valid_time_start" in attributes:
        bounds[0] = np.searchsorted(times, axis.number(_day(attributes["valid_time_start"])))
    if "valid_time_stop" in attributes:
        after = _day(attributes["valid_time_stop"]) + timedelta(days=1)
        bounds[1] = np.searchsorted(times, axis.number(after))
    return int(bounds[0]), int(bounds[1])


def rows(latitudes: np.ndarray, south: float, north: float, url: str) -> list[int]:
    """Return the first row whose cells touch an area, and the first after them.

    Parameters
    ----------
    latitudes
        Of the centres of cells, in degrees, ascending or descending.
    south, north
        The area.
    url
        For messages.

    Raises
    ------
    InputError
        If the rows do not cover the area, or have no order.
    """
    name = "latitude"
    steps = np.diff(latitudes)
    if latitudes.size < 2 or not ((steps > 0).all() or (steps < 0).all()):
        raise InputError(url, name, "latitudes without an order", "ascending or descending ones")
    edges = _edges(latitudes.astype(float))
    size = np.abs(steps).max()
    # The outermost cells of a global grid end at the poles, wherever their centres are.
    ends = edges[[0, -1]]
    edges[[0, -1]] = np.where(np.abs(ends) > 90 - size, np.copysign(90.0, ends), ends)
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    found = f"latitudes {low.min():g} to {high.max():g}"
    margin = _margin(size, north - south)
    chosen = np.flatnonzero((high >= south + margin) & (low <= north - margin))
    if chosen.size == 0:
        raise _OutsideError(url, name, found, f"{south:g} to {north:g}")
    if low.min() > south + margin or high.max() < north - margin:
        raise InputError(url, name, found, f"{south:g} to {north:g}")
    return [int(chosen[0]), int(chosen[-1]) + 1]


def columns(longitudes: np.ndarray, west: float, east: float, url: str) -> list[list[int]]:
    """Return the runs of columns whose cells touch an area, from west to east.

    Where an area lies across the border of the store's columns, its window has two runs.

    Parameters
    ----------
    longitudes
        Of the centres of cells, in degrees, ascending but for whole turns.
    west, east
        The area; west may be greater across the antimeridian.
    url
        For messages.

    Raises
    ------
    InputError
        If the columns do not cover the area, or have no order.
    """
    name = "longitude"
    longitudes = np.unwrap(longitudes.astype(float), period=360)
    if longitudes.size < 2 or not (np.diff(longitudes) > 0).all():
        raise InputError(url, name, "longitudes without an order", "ascending ones")
    edges = _edges(longitudes)
    widths = np.diff(edges)
    if edges[-1] - edges[0] > 360 + TOUCH * widths.max():
        raise InputError(url, name, f"{edges[-1] - edges[0]:g} degrees", "at most 360, each once")
    east += 360 if east < west else 0
    margin = _margin(widths.max(), east - west)
    right = west + margin + np.mod(edges[1:] - west - margin, 360)
    left = right - widths
    # Whole turns cost the last digits, which areas without width cannot spare.
    chosen = np.flatnonzero(left <= east - margin + 1e-12)
    chosen = chosen[np.argsort(left[chosen], kind="stable")]
    found = f"longitudes {edges[0]:g} to {edges[-1]:g}"
    asked = f"{west:g} to {east:g}"
    if chosen.size == 0:
        raise _OutsideError(url, name, found, asked)
    gaps = left[chosen[1:]] - right[chosen[:-1]]
    begin, stop, little = left[chosen[0]], right[chosen[-1]], TOUCH * widths.max()
    # Around the globe the first cell may have the end of the area as well.
    covered = begin <= west + margin + 1e-12 and stop >= min(east - margin, begin + 360 - little)
    if not covered or (gaps > little).any():
        raise InputError(url, name, found, asked)
    runs = np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1)
    return [[int(run[0]), int(run[-1]) + 1] for run in runs]


def _margin(cell: float, extent: float) -> float:
    """Return by how much an area is narrowed: cells that it only touches may be another chunk's."""
    return min(TOUCH * cell, extent / 2)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Return the edges of cells, halfway between their centres."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _sizes(cube: _Cube, window: Mapping[str, list[list[int]]]) -> dict[str, int]:
    """Return the bytes of a window and of the chunks that it needs, without compression."""
    sizes = {"window_bytes": 0, "chunk_bytes": 0}
    for band in cube.bands:
        array = cube.group[band]
        runs = [window[role] for role in cube.order(band)]
        counts = [
            sum(-(-stop // chunk) - start // chunk for start, stop in run)
            for run, chunk in zip(runs, array.chunks, strict=True)
        ]
        values = math.prod(sum(stop - start for start, stop in run) for run in runs)
        sizes["window_bytes"] += values * array.dtype.itemsize
        sizes["chunk_bytes"] += math.prod(counts) * math.prod(array.chunks) * array.dtype.itemsize
    return sizes


def _warn_of_size(request: Mapping[str, Any], assets: Sequence[Asset]) -> None:
    window = sum(asset.details["window_bytes"] for asset in assets)
    chunks = sum(asset.details["chunk_bytes"] for asset in assets)
    if chunks > MUCH * window:
        log.warning(
            "%s: for a window of %.1f MB its chunks of %.1f MB have to be received, %.0f times as "
            "much (without compression)",
            *(assets[0].url, window / 1e6, chunks / 1e6, chunks / window),
        )


def _write(file: h5netcdf.File, cube: _Cube, window: Mapping[str, list[list[int]]]) -> None:
    for role, name in cube.roles.items():
        file.dimensions[name] = sum(stop - start for start, stop in window[role])
    _set_attributes(file, dict(cube.group.attrs))
    for role, name in cube.roles.items():
        values = np.concatenate([_run(cube, name, run) for run in window[role]])
        attributes = cube.attributes(role)
        if role == "longitude":
            values, attributes = _continuous(values, attributes)
        variable = file.create_variable(name, (name,), values.dtype, data=values)
        _set_attributes(variable, attributes)
    _write_bounds(file, cube, window["time"][0])
    for band in cube.bands:
        _write_band(file, cube, band, [window[role] for role in cube.order(band)])


def _run(cube: _Cube, name: str, run: Sequence[int]) -> np.ndarray:
    values = _read(cube.store, cube.group[name], name, slice(*run))
    return values.astype(values.dtype.newbyteorder("="))


def _continuous(
    longitudes: np.ndarray, attributes: dict[str, Any]
) -> tuple[np.ndarray, dict[str, Any]]:
    """Add 360 to the longitudes after the border of the store's columns."""
    straight = np.unwrap(longitudes.astype(float), period=360).astype(longitudes.dtype)
    moved = int((straight != longitudes).sum())
    if moved:
        note = f"whole turns are added to the last {moved}, which the archive has from "
        attributes["comment"] = f"{note}{longitudes[-moved]:g} to {longitudes[-1]:g}"
    return straight, attributes


def _write_bounds(file: h5netcdf.File, cube: _Cube, run: Sequence[int]) -> None:
    """Write the bounds of the steps where the store has them."""
    name = cube.attributes("time").get("bounds")
    array = cube.group.get(name) if name else None
    if array is None:
        return
    dimensions = _dimensions(array)
    if len(dimensions) == 2 and dimensions[0] == cube.roles["time"]:
        values = _run(cube, name, run)
        file.dimensions[dimensions[1]] = values.shape[1]
        variable = file.create_variable(name, tuple(dimensions), values.dtype, data=values)
        _set_attributes(variable, dict(array.attrs))


def _write_band(
    file: h5netcdf.File, cube: _Cube, band: str, runs: Sequence[list[list[int]]]
) -> None:
    array = cube.group[band]
    shape = [sum(stop - start for start, stop in run) for run in runs]
    dtype, fill = array.dtype.newbyteorder("="), _fill(array)
    variable = file.create_variable(
        band,
        tuple(_dimensions(array)),
        dtype,
        fillvalue=None if fill is None else dtype.type(fill),
        chunks=_file_chunks(shape, dtype.itemsize),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    attributes = dict(array.attrs)
    if "missing_value" in attributes:
        attributes["missing_value"] = dtype.type(attributes["missing_value"])
    _set_attributes(variable, attributes)
    for source, target in _blocks(array, runs):
        variable[target] = _read(cube.store, array, band, source).astype(dtype)


def _file_chunks(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    layer = math.prod(shape[1:]) * itemsize
    return (max(1, min(shape[0], FILE_CHUNK_BYTES // layer)), *shape[1:])


def _blocks(
    array: zarr.Array, runs: Sequence[list[list[int]]]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Cut a window along the borders of chunks, as many together as may be in memory.

    Yields
    ------
    tuple
        Where a block is in the store, and where in the window.
    """
    left = max(1, BLOCK_BYTES // (math.prod(array.chunks) * array.dtype.itemsize))
    pieces = []
    for run, chunk in zip(runs, array.chunks, strict=True):
        needed = sum(-(-stop // chunk) - start // chunk for start, stop in run)
        together = min(needed, left)
        left //= together
        pieces.append(list(_pieces(run, chunk * together)))
    for block in product(*pieces):
        source, target = zip(*block, strict=True)
        yield source, target


def _pieces(run: list[list[int]], length: int) -> Iterator[tuple[slice, slice]]:
    done = 0
    for start, stop in run:
        borders = [start, *range((start // length + 1) * length, stop, length), stop]
        for first, last in pairwise(borders):
            yield slice(first, last), slice(done + first - start, done + last - start)
        done += stop - start


def _set_attributes(target: Any, attributes: Mapping[str, Any]) -> None:
    """Write attributes that NetCDF can have; others as JSON."""
    for key, value in attributes.items():
        if key in ("_ARRAY_DIMENSIONS", "_FillValue") or value is None:
            continue
        plain = isinstance(value, str | np.generic) or type(value) in (int, float)
        numbers = isinstance(value, list) and value and {*map(type, value)} <= {int, float}
        target.attrs[key] = value if plain or numbers else json.dumps(value, sort_keys=True)
