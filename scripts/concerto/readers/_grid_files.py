"""What files of gridded models have in common: cells of a regular grid, dates of any calendar."""

from __future__ import annotations

from pathlib import Path

import cftime
import netCDF4
import numpy as np

from concerto.errors import InputError


def opened(path: Path) -> netCDF4.Dataset:
    """Open a file.

    Raises
    ------
    InputError
        If it is no NetCDF file.
    """
    try:
        return netCDF4.Dataset(path)
    except OSError as error:
        raise InputError(path, "file", str(error), "a whole NetCDF file") from error


def dates_of(data: netCDF4.Dataset, path: Path) -> list[cftime.datetime]:
    """Return the dates of a file's axis of time, in its own calendar.

    Whole numbers of years since a date are calendar years, as those who write such files mean it.

    Raises
    ------
    InputError
        If there is no time as CF has it.
    """
    time = data.variables.get("time")
    units = getattr(time, "units", "")
    calendar = getattr(time, "calendar", "standard")
    if " since " not in units:
        raise InputError(path, "time", f"units {units!r}", "times as CF has them")
    numbers = np.ma.filled(time[:].astype(float), np.nan)
    try:
        if units.startswith("year"):
            first = cftime.num2date(0, f"days since {units.partition(' since ')[2]}", calendar)
            return [first.replace(year=first.year + int(np.floor(n + 1e-6))) for n in numbers]
        return list(cftime.num2date(numbers, units, calendar, only_use_cftime_datetimes=True))
    except (ValueError, OverflowError) as error:
        found = f"units {units!r}, calendar {calendar!r} ({error})"
        raise InputError(path, "time", found, "times as CF has them") from error


def edges_of(data: netCDF4.Dataset, name: str, path: Path) -> np.ndarray:
    """Return the sides (cell, 2) of a grid's rows or columns, degrees, the smaller first.

    Those of the file's bounds, else half-way between centres.

    Raises
    ------
    InputError
        If there is no such axis along one dimension.
    """
    axis = data.variables.get(name) or data.variables.get(
        {"lat": "latitude"}.get(name, "longitude")
    )
    if axis is None or axis.ndim != 1:
        raise InputError(path, name, "no axis of this name", "a grid of latitudes and longitudes")
    bounds = data.variables.get(getattr(axis, "bounds", ""))
    if bounds is not None:
        sides = np.asarray(bounds[:], dtype=float)
    else:
        centres = np.asarray(axis[:], dtype=float)
        half = np.diff(centres) / 2 if len(centres) > 1 else np.array([0.5])
        sides = np.stack(
            [centres - np.append(half[:1], half), centres + np.append(half, half[-1:])], axis=1
        )
    return np.sort(sides, axis=1)


def inside(
    edges: np.ndarray, at: np.ndarray, axis: str, path: Path, *, turn: float = 0.0
) -> np.ndarray:
    """Return the number of the row or column that each coordinate is in.

    Parameters
    ----------
    edges
        Of :func:`edges_of`.
    at
        Coordinates, degrees.
    axis, path
        Name of the axis and its file, for messages.
    turn
        360 of longitudes, whatever turn the file counts them in.

    Raises
    ------
    InputError
        If a coordinate is in none.
    """
    within = np.asarray(at, dtype=float)[:, None]
    low, size = edges[:, 0], edges[:, 1] - edges[:, 0]
    offset = (within - low) % turn if turn else within - low
    hit = (offset >= -1e-9) & (offset <= size + 1e-9)
    if not hit.any(axis=1).all():
        lost = at[int(np.argmin(hit.any(axis=1)))]
        raise InputError(
            path, axis, f"no cell around {lost:g}", f"{edges.min():g} to {edges.max():g} around it"
        )
    return hit.argmax(axis=1)
