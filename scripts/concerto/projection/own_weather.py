"""Weather that a user supplies for days to come, as a table or as NetCDF, perhaps with members.

A table (``.csv``) has the column ``time`` (days, local standard time), one of each driver with its
unit, as ``tasmin (degC)``, and ``member`` where there are several. NetCDF has variables named as
drivers, with ``units``, along ``time`` and perhaps ``member``. CO2 and disturbances that are left
out are those of the last year of the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto import units
from concerto.assimilation.location import forcing
from concerto.assimilation.problem import Forcing
from concerto.cubes import DAY, check_times, span
from concerto.domain import DISTURBANCES, DRIVERS
from concerto.errors import InputError
from concerto.models import Model

_HEAD = re.compile(r"(\w+) \((.+)\)")
_KEPT = ("co2", *DISTURBANCES)
_SIGNED = ("tas", "tasmin", "tasmax")
_YEAR = 365  # d
_MARGIN = 0.2  # of the largest value, by which any driver may leave what the record has


def read_weather(
    file: Path, model: Model, record: xr.Dataset, ahead: pd.DatetimeIndex, elevation: float
) -> list[Forcing]:
    """Return what drives a model on the days ahead, one forcing for each member of a file.

    Parameters
    ----------
    file
        The table or NetCDF file.
    model
        The model.
    record
        Drivers (location, time) of the only location until the days ahead.
    ahead
        The days.
    elevation
        Of the location, m.

    Raises
    ------
    InputError
        If the file is unreadable, or not of these drivers; its days are unsorted, doubled or end
        early; members have different days; a unit does not convert; there are gaps; or values are
        far from all of the record, as those in another unit than is stated are.
    """
    supplied = _table(file) if file.suffix == ".csv" else _netcdf(file)
    days = supplied.indexes["time"]
    check_times(days, file, DAY)
    if not ahead.isin(days).all():
        raise InputError(file, "time", span(days), f"all of {span(ahead)}")
    before = record.isel(time=record.indexes["time"] < ahead[0])
    supplied = supplied.sel(time=ahead)
    drivers = before[["location", "lat", "lon"]].assign_coords(time=ahead)
    found = []
    for member in range(supplied.sizes["member"]):
        for name in model.drivers:
            values = _values(supplied, member, name, before, file)
            if values is not None:
                shaped = np.broadcast_to(values, (1, len(ahead)))
                drivers[name] = (("location", "time"), shaped, {"units": DRIVERS[name].units})
        found.append(forcing(drivers, model, str(file), elevation))
    return found


def _values(
    supplied: xr.Dataset, member: int, name: str, before: xr.Dataset, file: Path
) -> np.ndarray | None:
    """Return a member's driver (time,) in its own unit, checked; None if there is none."""
    known = before[name].to_numpy().astype(float)
    if name not in supplied:
        return np.array([known[0, -_YEAR:].mean()]) if name in _KEPT else None
    variable = supplied[name]
    values = units.convert(
        variable.isel(member=member).to_numpy().astype(float),
        variable.attrs.get("units", "none"), DRIVERS[name].units, file=file, field=name,
    )  # fmt: skip
    if name in DISTURBANCES:
        return values  # between none and all of the area, as the forcing checks
    low, high = np.nanmin(known), np.nanmax(known)
    margin = max(high - low, _MARGIN * abs(high))
    low, high = (low - margin if name in _SIGNED else max(low - margin, 0.0)), high + margin
    wrong = (values < low) | (values > high)
    if wrong.any():
        unit = DRIVERS[name].units
        raise InputError(
            file, name, f"{values[wrong][0]:g} {unit}",
            f"{low:.4g} to {high:.4g} {unit}, after what the record has; is the unit right?",
        )  # fmt: skip
    return values


def _netcdf(file: Path) -> xr.Dataset:
    try:
        supplied = xr.load_dataset(file, engine="netcdf4")
    except (OSError, ValueError) as error:
        raise InputError(file, "file", f"unreadable ({error})", "NetCDF with weather") from error
    if "time" not in supplied.coords:
        raise InputError(file, "time", "no such coordinate", "the days of the weather")
    if "location" in supplied.dims:
        if supplied.sizes["location"] != 1:
            raise InputError(file, "location", f"{supplied.sizes['location']} locations", "one")
        supplied = supplied.isel(location=0)
    if "member" not in supplied.dims:
        supplied = supplied.expand_dims("member")
    wanted = [name for name in DRIVERS if name in supplied]
    for name in wanted:
        if set(supplied[name].dims) != {"member", "time"}:
            raise InputError(file, name, f"dimensions {supplied[name].dims}", "time, and member")
    return supplied[wanted].transpose("member", "time")


def _table(file: Path) -> xr.Dataset:
    try:
        frame = pd.read_csv(file, float_precision="round_trip")
    except (OSError, ValueError) as error:
        raise InputError(file, "file", f"unreadable ({error})", "a table of weather") from error
    heads = _heads(frame, file)
    if "member" not in frame:
        frame["member"] = 0
    frame["time"] = _stamps(frame["time"], file)
    for column in heads:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        wrong = numbers.isna() & frame[column].notna()
        if wrong.any():
            raise InputError(file, column, repr(frame[column][wrong].iloc[0]), "numbers")
        frame[column] = numbers
    parts = [own for _, own in frame.groupby("member", sort=False)]
    days = pd.DatetimeIndex(parts[0]["time"])
    for own in parts[1:]:
        other = pd.DatetimeIndex(own["time"])
        if not other.equals(days):
            raise InputError(
                file, "time", f"{span(other)} of member {own['member'].iloc[0]}",
                f"{span(days)}, as the first member has",
            )  # fmt: skip
    variables = {
        name: (("member", "time"), np.stack([own[column] for own in parts]), {"units": unit})
        for column, (name, unit) in heads.items()
    }
    return xr.Dataset(variables, coords={"time": days})


def _heads(frame: pd.DataFrame, file: Path) -> Mapping[str, tuple[str, str]]:
    """Return the driver and the unit of each column that has one."""
    if "time" not in frame:
        raise InputError(file, "time", "no such column", "the days of the weather")
    heads = {}
    for column in frame.columns:
        if column in ("time", "member"):
            continue
        match = _HEAD.fullmatch(column)
        if not match or match[1] not in DRIVERS:
            raise InputError(
                file, column, "a column",
                f"time, member, or a driver with its unit, as `tas (degC)`: {', '.join(DRIVERS)}",
            )  # fmt: skip
        heads[column] = (match[1], match[2])
    return heads


def _stamps(text: pd.Series, file: Path) -> pd.Series:
    stamps = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if stamps.isna().any():
        row = int(np.argmax(stamps.isna()))
        raise InputError(file, "time", f"{text.iloc[row]!r} in row {row + 1}", "days as 2025-01-31")
    return stamps
