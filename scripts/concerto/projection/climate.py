"""Drivers of years to come: by stated changes of a record, or of a climate model, adjusted to it.

A stated change repeats the whole years of the record in turn and adds what is stated, such as
0.03 K a year. It is a demonstration: weather keeps the variability of the record, and only means
change. What a climate model supplies is adjusted to the record by quantile delta mapping (Cannon,
Sobie & Murdock 2015, J. Climate 28, 6938): its distribution in each calendar month becomes that of
the record, and the changes of its quantiles stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import ends, is_monthly, span
from concerto.domain import DISTURBANCES, DRIVERS
from concerto.errors import InputError

TEMPERATURES = ("tas", "tasmin", "tasmax")
_WINDOW = 30  # yr of a climate model that a value is ranked in
_SMALL = 1e-6  # of a driver that is scaled, below which it counts as none
_NEAREST = 0.5  # degrees


@dataclass(frozen=True)
class Change:
    """A stated change of the drivers of a record.

    Attributes
    ----------
    warming_per_year
        Added to all temperatures, K a year after the middle of the record.
    change_per_year
        Of other drivers, by name, relative to the record, a year after its middle.
    """

    warming_per_year: float = 0.0
    change_per_year: Mapping[str, float] = field(default_factory=dict)


def axis_until(record: pd.DatetimeIndex, until: int, file: object) -> pd.DatetimeIndex:
    """Return the steps after the last whole calendar year of a record, to the end of a year.

    Raises
    ------
    InputError
        If the record has no whole year, or not before ``until``.
    """
    last = int(_whole_years(record, file)[-1])
    if last >= until:
        raise InputError(
            file, "time", f"a record to the end of {last}", f"one that ends before {until}"
        )
    step = "MS" if is_monthly(record) else "D"
    return pd.date_range(f"{last + 1}-01-01", f"{until}-12-31", freq=step).as_unit(record.unit)


def before(record: xr.Dataset, axis: pd.DatetimeIndex) -> xr.Dataset:
    """Return the part of a record that ends where an axis begins."""
    return record.isel(time=slice(0, record.indexes["time"].searchsorted(axis[0])))


def _whole_years(record: pd.DatetimeIndex, file: object) -> np.ndarray:
    """Return the calendar years that a record has whole."""
    first, end = record[0], ends(record)[-1]
    years = np.arange(first.year + (first.dayofyear > 1), end.year)
    if not len(years):
        raise InputError(file, "time", span(record), "a whole calendar year, to go on from")
    return years


def source_steps(record: pd.DatetimeIndex, axis: pd.DatetimeIndex, file: object) -> np.ndarray:
    """Return which step of the record each step of an axis takes its weather from.

    Whole years of the record follow each other in turn; 29 February takes that of the day before
    where the record's year has none.

    Raises
    ------
    InputError
        If the record has no whole year.
    """
    years = _whole_years(record, file)
    chosen = years[(axis.year - axis[0].year) % len(years)]
    leap = (chosen % 4 == 0) & ((chosen % 100 != 0) | (chosen % 400 == 0))
    day = np.where((axis.month == 2) & (axis.day == 29) & ~leap, 28, axis.day)
    wanted = pd.to_datetime(
        {"year": chosen, "month": axis.month.to_numpy(), "day": np.asarray(day)}
    )
    return record.get_indexer(pd.DatetimeIndex(wanted).as_unit(record.unit))


def changed_drivers(
    record: xr.Dataset,
    axis: pd.DatetimeIndex,
    change: Change,
    co2: np.ndarray | None,
    file: object,
) -> xr.Dataset:
    """Return drivers (location, time) of an axis, made of a record by stated changes.

    Parameters
    ----------
    record
        Drivers of whole years.
    axis
        The steps wanted.
    change
        What is added to temperatures, and by what others are multiplied.
    co2
        What CO2 rises by from the step that the weather is taken from, ppm (time,); none keeps the
        record's.
    file
        The record's file, for messages.
    """
    known = record.indexes["time"]
    steps = source_steps(known, axis, file)
    elapsed = _years(axis) - _years(known).mean()
    out = _blank(record, axis)
    for name in DRIVERS:
        values = record[name].to_numpy()[:, steps].astype(float)
        if name in TEMPERATURES:
            values = values + change.warming_per_year * elapsed
        elif name == "co2" and co2 is not None:
            values = values + co2
        elif name in change.change_per_year:
            values = values * np.maximum(1.0 + change.change_per_year[name] * elapsed, 0.0)
        out[name] = (record[name].dims, values, record[name].attrs)
    return out


def adjusted_drivers(
    record: xr.Dataset,
    supplied: xr.Dataset,
    axis: pd.DatetimeIndex,
    file: object,
    co2: np.ndarray | None = None,
) -> xr.Dataset:
    """Return drivers (location, time) of an axis from a climate model, adjusted to a record.

    Each location takes the nearest one of the model, at most half a degree away. Temperatures and
    CO2 keep their differences, other drivers their ratios. Where the model does not have a driver,
    and of disturbances, the record's years follow each other; the lowest and highest temperatures
    that it does not have change as its mean does.

    Parameters
    ----------
    record
        Drivers of whole years.
    supplied
        Drivers of the model, at the same steps, over some years of the record and all of ``axis``.
    axis
        The steps wanted.
    file
        The model's file, for messages.
    co2
        Of :func:`changed_drivers`, where the model has no CO2.

    Raises
    ------
    InputError
        If the model ends early, has no year of the record, is not near, or of other steps.
    """
    known, theirs = record.indexes["time"], supplied.indexes["time"]
    if is_monthly(theirs) != is_monthly(known):
        raise InputError(file, "time", span(theirs), f"the steps of the record, {span(known)}")
    if theirs[-1] < axis[-1] or theirs[0] > axis[0]:
        raise InputError(
            file, "time", f"a scenario of {span(theirs)}", f"one over all of {span(axis)}"
        )
    later = theirs.get_indexer(axis)
    both = theirs[theirs.isin(known)]
    if len(both) < (12 if is_monthly(known) else 365) or (later < 0).any():
        raise InputError(
            file, "time", f"{len(both)} steps of the record",
            f"a year or more of {span(known)}, to adjust the scenario to it, and no gaps",
        )  # fmt: skip
    near = _nearest(record, supplied, file)
    unchanged = changed_drivers(record, axis, Change(), co2, file)
    usual, adjusted = unchanged["tas"].to_numpy(), set()
    for name in DRIVERS:
        if name in DISTURBANCES or name not in supplied:
            continue
        values = supplied[name].to_numpy()[near].astype(float)
        if not np.isfinite(values[:, later]).all():
            continue
        observed = record[name].to_numpy()[:, known.get_indexer(both)].astype(float)
        reference = values[:, theirs.get_indexer(both)]
        relative = name not in (*TEMPERATURES, "co2")
        found = np.stack(
            [
                mapped(observed[k], reference[k], values[k, later], both, axis, relative=relative)
                for k in range(len(near))
            ]
        )
        unchanged[name] = (record[name].dims, found, record[name].attrs)
        adjusted.add(name)
    for name in {"tasmin", "tasmax"} - adjusted if "tas" in adjusted else ():
        unchanged[name] = unchanged[name] + (unchanged["tas"].to_numpy() - usual)
        unchanged[name].attrs = record[name].attrs
    order = unchanged["tasmin"].to_numpy(), unchanged["tasmax"].to_numpy()
    unchanged["tasmin"].values, unchanged["tasmax"].values = np.minimum(*order), np.maximum(*order)
    return unchanged


def mapped(
    observed: np.ndarray,
    reference: np.ndarray,
    future: np.ndarray,
    when: pd.DatetimeIndex,
    later: pd.DatetimeIndex,
    *,
    relative: bool,
) -> np.ndarray:
    """Return a model's future (time,) with the distribution of what was observed.

    Quantile delta mapping (Cannon et al. 2015, eqs 3 to 6) by calendar month: the rank of a value
    among those of the thirty years around it, the observed value of that rank, and what the model
    says has changed at that rank.

    Parameters
    ----------
    observed, reference
        What was observed and what the model has at the times ``when``.
    future
        What the model has at the times ``later``.
    when, later
        Times.
    relative
        Whether ratios are kept rather than differences.
    """
    out = np.empty(len(future))
    for month in range(1, 13):
        then = when.month == month
        now = np.flatnonzero(later.month == month)
        if not len(now):
            continue
        past, seen = np.sort(reference[then]), np.sort(observed[then])
        years = later.year[now].to_numpy()
        for year in np.unique(years):
            start = np.clip(year - _WINDOW // 2, years[0], max(years[0], years[-1] - _WINDOW + 1))
            window = np.sort(future[now[(years >= start) & (years < start + _WINDOW)]])
            at = now[years == year]
            ranks = np.interp(future[at], window, _ranks(len(window)))
            base, own = (np.interp(ranks, _ranks(len(x)), x) for x in (seen, past))
            if relative:
                ratio = np.where(own > _SMALL, future[at] / np.maximum(own, _SMALL), 1.0)
                out[at] = base * ratio
            else:
                out[at] = base + (future[at] - own)
    return out


def _ranks(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


def _years(times: pd.DatetimeIndex) -> np.ndarray:
    """Return times as years and parts of them."""
    return np.asarray(times.year + (times.dayofyear - 0.5) / 365.25)


def _blank(record: xr.Dataset, axis: pd.DatetimeIndex) -> xr.Dataset:
    places = {name: record[name] for name in ("location", "lat", "lon")}
    return xr.Dataset(coords={**places, "time": axis}, attrs={"featureType": "timeSeries"})


def _nearest(record: xr.Dataset, supplied: xr.Dataset, file: object) -> np.ndarray:
    """Return the number of the model's location nearest to each one of the record."""
    north, east = (
        supplied[name].to_numpy()[None] - record[name].to_numpy()[:, None]
        for name in ("lat", "lon")
    )
    far = np.maximum(np.abs(north), np.abs((east + 180.0) % 360.0 - 180.0))
    best = far.argmin(axis=1)
    worst = int(far.min(axis=1).argmax())
    if far[worst].min() > _NEAREST:
        raise InputError(
            file, "location", f"{far[worst].min():.3g} degrees to the nearest at "
            f"{record['location'].to_numpy()[worst]}", f"one at most {_NEAREST} degrees away",
        )  # fmt: skip
    return best
