"""What the readers of fields share: which variables a file has, its projection, its interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from concerto.config import bands_of
from concerto.errors import InputError
from concerto.prepare.decode import Band, Counts, decode
from concerto.prepare.grids import MODIS_SINUSOIDAL, Grid, Slab, known_crs, zone_area
from concerto.provenance import sha256_of

LIMIT = 64 * 2**20
"""Bytes that the values of one block may take."""
_CRS = {"MODIS sinusoidal": MODIS_SINUSOIDAL}
_UTM = "UTM"
Tally = MutableMapping[str, Counts]


def present(variables: Mapping[str, Mapping], bands: Iterable[str], path: Path) -> list[str]:
    """Return the variables whose bands a file holds.

    Raises
    ------
    InputError
        If it holds none, or one without the bands of its quality or its uncertainty.
    """
    there = list(bands)
    names = [name for name, variable in variables.items() if variable["band"] in there]
    if not names:
        wanted = ", ".join(variable["band"] for variable in variables.values())
        raise InputError(path, "bands", ", ".join(there) or "none", f"one of {wanted}")
    for name in names:
        for band in bands_of(variables[name]):
            if band not in there:
                raise InputError(path, band, "no such band", f"one, which {name} needs")
    return names


def slab(
    grid: Grid,
    interval: tuple[np.datetime64, np.datetime64],
    variables: Mapping[str, Mapping],
    bands: Mapping[str, Band],
    path: Path,
    tally: Tally,
) -> Slab:
    """Return the decoded variables of one block, and add what was masked to ``tally``."""
    values, uncertainty = {}, {}
    for name, variable in variables.items():
        areas = _areas(grid, path) if variable.get("per_cell") else 1.0
        decoded = decode(name, variable, bands, path, areas)
        values[name] = decoded.values
        if decoded.uncertainty is not None:
            uncertainty[name] = decoded.uncertainty
        tally[name] = tally.get(name, Counts()) + decoded.counts
    return Slab(grid, *interval, values, uncertainty)


def _areas(grid: Grid, path: Path) -> NDArray[np.float64]:
    """Return the areas of a grid's cells, m2, (rows, columns)."""
    if not grid.is_geographic:
        found = f"amounts of whole cells in {grid.crs}"
        raise InputError(path, "per_cell", found, "a grid of longitude and latitude")
    rows = np.abs(zone_area(grid.y[:-1], grid.y[1:]))
    return rows[:, None] * np.radians(np.abs(np.diff(grid.x)))


def asset_of(path: Path, assets: Mapping[str, Mapping]) -> Mapping:
    """Return what the provenance says of a file, which must be there as it was obtained.

    Libraries often decompress damaged blocks without noticing; the hash does.
    """
    if path.name not in assets:
        raise InputError(path, "file", "not in the provenance", "one that was obtained with it")
    if not path.is_file():
        raise InputError(path, "file", "nothing", "the file of the provenance")
    asset = assets[path.name]
    if "sha256" in asset:
        found = sha256_of(path)
        if found != asset["sha256"]:
            raise InputError(path, "sha256", found, asset["sha256"])
    return asset


def interval_of(asset: Mapping, path: Path, static: bool) -> tuple[np.datetime64, np.datetime64]:
    """Return the interval that a file covers by its provenance, end exclusive.

    Where nothing changes in time (``static``), both may be missing: not a time.
    """
    ends = [asset.get(key) for key in ("start", "end")]
    if static and ends == [None, None]:
        return np.datetime64("NaT"), np.datetime64("NaT")
    start, end = (
        _instant(text, path, key) for text, key in zip(ends, ("start", "end"), strict=True)
    )
    if not start < end:
        raise InputError(path, "end", f"{end}, and the start {start}", "an end after the start")
    return start, end


def _instant(text: str | None, path: Path, key: str) -> np.datetime64:
    try:
        stamp = pd.Timestamp(text)
    except ValueError:
        stamp = pd.NaT
    if pd.isna(stamp):
        raise InputError(path, key, f"{text!r} in the provenance", "an instant, as ISO 8601")
    if stamp.tzinfo is not None:
        stamp = stamp.tz_convert(None)
    return stamp.to_datetime64().astype("datetime64[s]")


def blocks(rows: int, row_bytes: int, limit: int, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """Yield first and last (exclusive) row of blocks of at most ``limit`` bytes, or of one row.

    Blocks are of a multiple of ``multiple`` rows, as files store them, where the limit lets them.
    """
    step = max(1, limit // max(1, row_bytes))
    if step > multiple:
        step -= step % multiple
    for first in range(0, rows, step):
        yield first, min(first + step, rows)


def checked_crs(found: pyproj.CRS, stated: str | None, x: NDArray, y: NDArray, path: Path) -> str:
    """Return the projection of a file, which must be the one that the source states.

    Two statements of one projection are hardly ever the same text. Here they are the same if they
    agree within a hundredth of a cell at 25 points of the file.

    Parameters
    ----------
    found, stated
        The file's, and ``crs`` of the source's grid: what pyproj takes, ``MODIS sinusoidal``, or
        ``UTM`` for any zone; None where any will do.
    x, y
        Edges of the file's columns and rows.
    path
        The file, for messages.

    Raises
    ------
    InputError
        If they differ, or nobody can read what the source states.
    """
    if stated is None:
        return found.to_string()
    if stated == _UTM:
        if found.utm_zone is None:
            raise InputError(path, "crs", found.name, "a zone of UTM")
        return found.to_string()
    expected = stated_crs(stated)
    if not expected.equals(found, ignore_axis_order=True) and not _agree(found, expected, x, y):
        raise InputError(path, "crs", found.to_string(), stated)
    return _CRS.get(stated, stated)


def stated_crs(text: str) -> pyproj.CRS:
    """Return the projection that a source's grid states."""
    return known_crs(_CRS.get(text, text))


def _agree(found: pyproj.CRS, expected: pyproj.CRS, x: NDArray, y: NDArray) -> bool:
    if found.is_geographic != expected.is_geographic:
        return False
    points = [axis[np.linspace(0, axis.size - 1, 5).astype(int)] for axis in (x, y)]
    there = np.meshgrid(*points)
    here = _transformer(found, expected).transform(*there)
    cell = min(abs(np.diff(axis)).min() for axis in (x, y))
    # Points of the sinusoidal grid that are not on Earth have no coordinates in another one.
    distance = np.hypot(here[0] - there[0], here[1] - there[1])
    distance = distance[np.isfinite(distance)]
    return distance.size == 0 or float(distance.max()) < 0.01 * cell


@lru_cache(maxsize=16)
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)
