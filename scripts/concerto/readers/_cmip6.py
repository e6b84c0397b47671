"""Output of climate models as CMIP6 publishes it: one variable a file, split by years.

Calendars are brought to the common one: months are months; of days, one without 29 February
(``noleap``) has the day before for it, and years of 360 days are stretched over the year's days.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cftime
import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.readers._grid_files import dates_of, edges_of, inside, opened

VARIABLES = ("tas", "tasmin", "tasmax", "pr", "rsds", "hurs", "huss", "ps")
"""Variables that are read, by the names of CMIP6."""
_LONG_STEP = 20  # days from which on steps are months


def read_cmip6(files: Sequence[Path], lat: np.ndarray, lon: np.ndarray) -> xr.Dataset:
    """Read what a climate model has in the cells around locations.

    Parameters
    ----------
    files
        Files of any of :data:`VARIABLES`, of one table (such as Amon or day), of history and
        scenario, in any order.
    lat, lon
        Of the locations, degrees.

    Returns
    -------
    xarray.Dataset
        Each variable (location, time) with its ``units``, along whole months or days of the common
        calendar over which there are all variables.

    Raises
    ------
    InputError
        If a file is none of these, has no cell around a location, or two have the same time, or
        there is a gap.
    """
    parts: dict[str, list[tuple]] = {}
    for path in files:
        with opened(path) as data:
            name = _variable_of(data, path)
            row = inside(edges_of(data, "lat", path), lat, "lat", path)
            column = inside(edges_of(data, "lon", path), lon, "lon", path, turn=360.0)
            values = np.ma.filled(data.variables[name][:, row.min() : row.max() + 1], np.nan)
            found = values[:, row - row.min(), column].astype(float)
            units = getattr(data.variables[name], "units", "")
            parts.setdefault(name, []).append((dates_of(data, path), found, units, path))
    series = [_joined(name, of_variable) for name, of_variable in parts.items()]
    steps = {len(one.indexes["time"]) > 1 and one.indexes["time"].freqstr for one in series}
    if len(steps) > 1:
        raise InputError(files[0].parent, "time", "months and days", "files of one table")
    return xr.Dataset({one.name: one for one in xr.align(*series, join="inner")})


def _variable_of(data: netCDF4.Dataset, path: Path) -> str:
    named = getattr(data, "variable_id", "")
    found = [name for name in (named, *VARIABLES) if name in data.variables and name in VARIABLES]
    if not found:
        expected = f"one of {', '.join(VARIABLES)}"
        raise InputError(path, "variable_id", named or "none that is known", expected)
    return found[0]


def _joined(name: str, parts: Sequence[tuple]) -> xr.DataArray:
    """Return a variable of several files along the common calendar."""
    parts = sorted(parts, key=lambda part: (part[0][0].year, part[0][0].month, part[0][0].day))
    units = {part[2] for part in parts}
    path = parts[-1][3]
    if len(units) > 1:
        raise InputError(
            path, name, f"units {' and '.join(sorted(units))}", "the same in all files"
        )
    dates = [date for part in parts for date in part[0]]
    values = np.concatenate([part[1] for part in parts])
    calendars = {date.calendar for date in dates}
    if len(calendars) > 1:
        found = f"calendars {' and '.join(sorted(calendars))}"
        raise InputError(path, "time", found, "the same in all files of a variable")
    monthly = len(dates) < 2 or (dates[1] - dates[0]).days > _LONG_STEP
    axis, order = _months(dates, path) if monthly else _days(dates, path)
    return xr.DataArray(
        values[order].T, {"time": axis}, ("location", "time"), name, {"units": units.pop()}
    )


def _months(dates: Sequence[cftime.datetime], path: Path) -> tuple[pd.DatetimeIndex, np.ndarray]:
    numbers = np.array([12 * date.year + date.month - 1 for date in dates])
    _check_steps(numbers, dates, path)
    start = f"{numbers[0] // 12:04d}-{numbers[0] % 12 + 1:02d}-01"
    axis = pd.date_range(start, periods=len(numbers), freq="MS", unit="s")
    return axis, np.arange(len(numbers))


def _days(dates: Sequence[cftime.datetime], path: Path) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Return the days of the whole years that there are, and what file's day each takes."""
    calendar = dates[0].calendar
    numbers = np.array([_count(date) for date in dates])
    _check_steps(numbers, dates, path)
    first = dates[0].year + (dates[0].dayofyr > 1)
    after = dates[-1]
    ended = (after.month, after.day) == (12, 30 if calendar == "360_day" else 31)
    last = after.year if ended else after.year - 1
    if last < first:
        raise InputError(path, "time", f"{dates[0]} to {after}", "a whole year")
    axis = pd.date_range(f"{first}-01-01", f"{last}-12-31", freq="D", unit="s")
    at = {number: k for k, number in enumerate(numbers)}
    order = np.array([at[_taken(day, calendar)] for day in axis])
    return axis, order


def _count(date: cftime.datetime) -> int:
    """Return the number of a day in its own calendar."""
    return int(cftime.date2num(date, "days since 1800-01-01", date.calendar))


def _taken(day: pd.Timestamp, calendar: str) -> int:
    """Return the number of the day of a calendar that a day of the common one takes."""
    if calendar == "360_day":
        length = 366 if day.is_leap_year else 365
        ordinal = int((day.dayofyear - 0.5) / length * 360.0)
        date = cftime.datetime(day.year, ordinal // 30 + 1, ordinal % 30 + 1, calendar=calendar)
    elif calendar in ("noleap", "365_day") and (day.month, day.day) == (2, 29):
        date = cftime.datetime(day.year, 2, 28, calendar=calendar)
    else:
        date = cftime.datetime(day.year, day.month, day.day, calendar=calendar)
    return _count(date)


def _check_steps(numbers: np.ndarray, dates: Sequence[cftime.datetime], path: Path) -> None:
    wrong = np.flatnonzero(np.diff(numbers) != 1)
    if len(wrong):
        found = f"{dates[wrong[0] + 1]} after {dates[wrong[0]]}"
        raise InputError(path, "time", found, "each step once, and no gap between files")
