"""Monthly drivers and observations: means of daily ones, or a record that is of months already.

A month of a stream counts if it has at least half of the values that the stream usually has in so
many days. What is usual is its most frequent distance from one value to the next at a location: a
day for most fluxes, eight days for a composite; a stream of a single value needs no other.

Daily cubes are along ``time`` at one location, or along ``location`` and ``time``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import DISTURBANCES, DRIVERS, FLUX_STREAMS, REQUIRED_DRIVERS, STREAMS
from concerto.errors import InputError
from concerto.prepare.streams import ABSENT, MaskCount, masked_of, parts_of, store

LEAST_SHARE = 0.5
_LEVEL = "monthly"


@dataclass(frozen=True)
class _Months:
    """Whole months of a daily axis: their starts and lengths (month,) and each day's month.

    ``kept`` (day,) says which days are of whole months; ``which`` (kept day,) of which.
    """

    starts: pd.DatetimeIndex
    lengths: np.ndarray
    kept: np.ndarray
    which: np.ndarray

    @classmethod
    def of(cls, days: pd.DatetimeIndex, file: object) -> _Months:
        first = days.to_numpy().astype("datetime64[M]")
        starts, which, found = np.unique(first, return_inverse=True, return_counts=True)
        starts = pd.DatetimeIndex(starts).as_unit(days.unit)
        whole = found == starts.days_in_month
        if not whole.any():
            raise InputError(file, "time", f"days from {days[0]:%Y-%m-%d}", "a whole month")
        kept = whole[which]
        renumbered = np.cumsum(whole) - 1
        return cls(starts[whole], found[whole], kept, renumbered[which[kept]])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums (..., month) of values (..., kept day), added day by day."""
        out = np.zeros((*values.shape[:-1], len(self.starts)))
        np.add.at(out, (..., self.which), values)
        return out


def _at(months: pd.DatetimeIndex, daily: xr.Dataset) -> xr.Dataset:
    """Return a dataset of months without variables, at the locations of a daily one."""
    places = {name: value for name, value in daily.coords.items() if "time" not in value.dims}
    return xr.Dataset(coords={**places, "time": months})


def monthly_drivers(daily: xr.Dataset, count: MaskCount, file: object) -> xr.Dataset:
    """Return the means of daily drivers over whole calendar months.

    Rates, and fractions of the area that are disturbed in a day, stay rates; ``tasmin`` and
    ``tasmax`` are means of the days' lowest and highest temperatures. A month with a day missing
    has no value. Days of months that the record has not whole are left out, and counted.

    Parameters
    ----------
    daily
        Drivers along ``time``, or ``location`` and ``time``.
    count
        Where masked values are counted.
    file
        Where they come from, for messages.

    Raises
    ------
    InputError
        If there is no whole month.
    """
    months = _Months.of(daily.indexes["time"], file)
    count.add("time", "daily", "the record has not the whole month", ~months.kept)
    out = _at(months.starts, daily)
    for name in DRIVERS:
        values = daily[name].to_numpy()[..., months.kept]
        count.add(name, "daily", "missing in the cubes", ~np.isfinite(values))
        means = months.sums(values) / months.lengths
        count.add(name, _LEVEL, "a day of the month is missing", ~np.isfinite(means))
        attrs = dict(daily[name].attrs)
        if attrs["cell_methods"] != "time: mean":
            attrs["cell_methods"] += " time: mean"
        out[name] = (daily[name].dims, means, attrs)
    return out


def monthly_observations(daily: xr.Dataset, count: MaskCount, file: object) -> xr.Dataset:
    """Return means of daily observations over the days of whole calendar months that have values.

    Random errors of days are independent: that of a mean of n is the root of the sum of their
    squares over n. Systematic errors are shared by all days: that of a mean is their mean. The
    measured fraction is that of all days of the month.

    Parameters
    ----------
    daily
        Observations along ``time``, or ``location`` and ``time``.
    count
        Where masked values are counted.
    file
        Where they come from, for messages.

    Raises
    ------
    InputError
        If there is no whole month.
    """
    months = _Months.of(daily.indexes["time"], file)
    out = _at(months.starts, daily)
    for name in (name for name in STREAMS if name in daily):
        values = _monthly_stream(daily, name, months, count)
        source = f"{daily[name].attrs['source']}; means of months"
        store(out, name, values, source, "month", daily[name].dims)
    return out


def _monthly_stream(
    daily: xr.Dataset, name: str, months: _Months, count: MaskCount
) -> dict[str, np.ndarray]:
    present = np.isfinite(daily[name].to_numpy()[..., months.kept])
    count.add(name, "daily", "missing in the cubes", ~present)

    def total(part: str, power: int = 1) -> np.ndarray:
        values = daily[f"{name}{part}"].to_numpy()[..., months.kept]
        return months.sums(np.where(present, values, 0.0) ** power)

    n = months.sums(present)
    distance = np.apply_along_axis(_usual_distance, -1, present)
    usual = months.lengths / distance[..., None]
    masked = masked_of(
        name,
        _LEVEL,
        {
            "no value in the month": n == 0,
            "fewer than half of the usual values": n < LEAST_SHARE * usual,
        },
        count,
    )
    with np.errstate(invalid="ignore"):  # months without a value are masked
        return parts_of(
            total("") / n,
            np.sqrt(total("_random", 2)) / n,
            total("_systematic") / n,
            total("_measured_fraction") / months.lengths,
            masked,
        )


def _usual_distance(present: np.ndarray) -> float:
    """Return the most frequent distance between values (time,), in steps; infinite without one."""
    distances = np.diff(np.flatnonzero(present))
    return float(np.bincount(distances).argmax()) if distances.size else np.inf


def recorded_drivers(
    record: xr.Dataset, disturbance: Mapping[str, float], count: MaskCount
) -> xr.Dataset:
    """Return the drivers of a record that is of months already.

    Parameters
    ----------
    record
        Variables along ``time`` as the readers give them.
    disturbance
        Fraction of the area disturbed in a day, d-1, constant, where the record does not say.
    count
        Where masked values are counted.

    Raises
    ------
    InputError
        If a required driver is absent or not complete; names the first month.
    """
    times = record.indexes["time"]
    out = xr.Dataset(coords={"time": times})
    for name, quantity in DRIVERS.items():
        values, attrs = np.full(len(times), np.nan), quantity.attributes()
        if name in record:
            values, attrs = record[name].to_numpy(), record[name].attrs
        elif name in DISTURBANCES:
            values = np.full(len(times), float(disturbance[name]))
        missing = ~np.isfinite(values)
        if name in (*REQUIRED_DRIVERS, *DISTURBANCES) and missing.any():
            stamp = times[int(np.argmax(missing))]
            where = attrs.get("source", "site's records")
            raise InputError(where, name, f"no value in {stamp:%Y-%m}", "a value in every month")
        reason = "missing in the record" if name in record else ABSENT
        count.add(name, _LEVEL, reason, missing)
        out[name] = ("time", values, attrs)
    return out


def recorded_observations(record: xr.Dataset, count: MaskCount) -> xr.Dataset:
    """Return the observations of a record that is of months already.

    Their random errors are the record's, their systematic errors zero. How much of a month of a
    flux was measured is not known.
    """
    out = xr.Dataset(coords={"time": record.indexes["time"]})
    for name in (name for name in STREAMS if name in record):
        values, random = (record[f"{name}{part}"].to_numpy() for part in ("", "_random"))
        reasons = {
            "missing in the record": ~np.isfinite(values),
            "no random error": ~np.isfinite(random),
        }
        masked = masked_of(name, _LEVEL, reasons, count)
        fraction = np.full(len(values), np.nan) if name in FLUX_STREAMS else 1.0 - masked
        parts = parts_of(values, random, np.zeros_like(values), fraction, masked)
        store(out, name, parts, record[name].attrs["source"], "month")
    return out
