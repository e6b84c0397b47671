"""Daily drivers and observations from a site's record, with a count of all that is masked."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from concerto import units
from concerto.domain import (
    DISTURBANCES,
    DRIVERS,
    QUANTITIES,
    REQUIRED_DRIVERS,
    STATE_STREAMS,
    STREAMS,
)
from concerto.errors import InputError
from concerto.prepare.streams import ABSENT, MaskCount, masked_of, parts_of, store
from concerto.prepare.uncertainty import complete_random, daily_random_sd, systematic_sd

log = logging.getLogger(__name__)

DAY = pd.Timedelta(days=1)


def daily_drivers(
    record: xr.Dataset,
    disturbance: Mapping[str, float],
    count: MaskCount,
    may_lack: Collection[str] = (),
) -> xr.Dataset:
    """Return daily drivers of a record.

    Means over the day; ``tasmin`` and ``tasmax`` are the lowest and highest value of the day's
    steps, or the record's own where its step is a day. Temperature, radiation and CO2 must be
    complete, since a model steps through every day, unless they may lack days; other days with a
    step missing are NaN and counted.

    Parameters
    ----------
    record
        Joined record along ``time``, attribute ``step_minutes``.
    disturbance
        Fraction of the area disturbed in a day, d-1, constant, for each of ``DISTURBANCES``.
    count
        Where masked values are counted.
    may_lack
        Required drivers that need not be complete: :func:`concerto.prepare.filling.record_first`
        completes them, or they are those of a cell of a map, which does without the cell.

    Raises
    ------
    InputError
        If a required driver is absent or not complete; names the first day.
    """
    days, steps = _days(record)
    out = xr.Dataset(coords={"time": days})
    for name in DRIVERS:
        if name in DISTURBANCES:
            values, attrs = np.full(len(days), float(disturbance[name])), {}
        else:
            needed = name in REQUIRED_DRIVERS and name not in may_lack
            values, attrs = _driver(record, name, steps, count, needed)
        out[name] = ("time", values, QUANTITIES[name].attributes() | attrs)
    return out


def _days(record: xr.Dataset) -> tuple[pd.DatetimeIndex, int]:
    steps = int(DAY / pd.Timedelta(minutes=record.attrs["step_minutes"]))
    return record.indexes["time"][::steps].floor("D"), steps


def _driver(
    record: xr.Dataset, name: str, steps: int, count: MaskCount, needed: bool
) -> tuple[np.ndarray, dict[str, str]]:
    origin, reduce = {"tasmin": ("tas", np.min), "tasmax": ("tas", np.max)}.get(
        name, (name, np.mean)
    )
    if steps == 1 or name in record:
        origin = name
    if origin not in record:
        if needed:
            raise InputError("site's records", name, "nothing", _remedy(name, steps))
        days = record.sizes["time"] // steps
        if not count.has(name, ABSENT):  # of many cells, one tells it
            log.warning("no record has %s", name)
        count.add(name, "daily", ABSENT, np.ones(days, bool))
        return np.full(days, np.nan), {}
    source = record[origin].attrs["source"]
    values = record[origin].to_numpy().reshape(-1, steps)
    missing = ~np.isfinite(values)
    incomplete = missing.any(axis=1)
    count.add(name, "halfhourly", "missing in the record", missing)
    count.add(name, "daily", "a step of the day is missing", incomplete)
    if needed and incomplete.any():
        file, _, column = source.partition(": ")
        stamp = record.indexes["time"][int(np.argmax(missing))]
        raise InputError(file, column or name, f"no value at {stamp}", "a value at every step")
    return reduce(values, axis=1), {"source": source}


def _remedy(name: str, steps: int) -> str:
    if name in ("tasmin", "tasmax") and steps == 1:
        return f"{name}: a daily record has only means; give hourly ones, or a table with {name}"
    return f"a record that has {name}"


def daily_observations(
    record: xr.Dataset, quality: Mapping[str, float], count: MaskCount
) -> xr.Dataset:
    """Return daily observations of a record with their uncertainties.

    A flux's day counts if no step is missing, at least ``minimum_measured_fraction`` of the
    steps were measured and ``minimum_good_fraction`` measured or well gap-filled. A daily
    record gives the good fraction alone; its measured fraction is unknown (NaN).
    A state's day counts if the record's declaration says that it is an observation and not
    interpolated. For each stream ``S`` there are ``S``, ``S_random``, ``S_systematic`` (threshold
    of the friction velocity, correlated in time), ``S_uncertainty`` (both, in quadrature) and
    ``S_measured_fraction``.

    Evapotranspiration follows from latent heat and temperature step by step. Latent heat is as
    measured, without closing the energy balance.

    Parameters
    ----------
    record
        Joined record along ``time``, attribute ``step_minutes``.
    quality
        ``minimum_measured_fraction``, ``minimum_good_fraction``, ``gap_correlation_halfhours``.
    count
        Where masked values are counted.
    """
    days, steps = _days(record)
    complete = _with_evapotranspiration(complete_random(record))
    correlated = max(1.0, quality["gap_correlation_halfhours"] * 30 / record.attrs["step_minutes"])
    out = xr.Dataset(coords={"time": days})
    for name in STREAMS:
        if name in complete:
            if name in STATE_STREAMS:
                values = _state(complete, name, steps, count)
            else:
                values = _flux(complete, name, steps, count, quality=quality, correlated=correlated)
            store(out, name, values, complete[name].attrs["source"], "day")
    return out


def _with_evapotranspiration(record: xr.Dataset) -> xr.Dataset:
    if "et" in record or not {"le", "tas"} <= set(record.data_vars):
        return record
    out = record.copy()
    tas = record["tas"].to_numpy()
    for part in ("", "_random"):
        values = units.evapotranspiration(record[f"le{part}"].to_numpy(), tas)
        out[f"et{part}"] = ("time", values, {"source": record["le"].attrs["source"]})
    for part in ("_measured", "_good", "_good_fraction"):
        if f"le{part}" in record:
            out[f"et{part}"] = record[f"le{part}"]
    return out


def _by_day(record: xr.Dataset, name: str, steps: int) -> np.ndarray:
    return record[name].to_numpy().reshape(-1, steps)


def _flux(
    record: xr.Dataset,
    name: str,
    steps: int,
    count: MaskCount,
    *,
    quality: Mapping[str, float],
    correlated: float,
) -> dict[str, np.ndarray]:
    values = _by_day(record, name, steps)
    missing = ~np.isfinite(values)
    count.add(name, "halfhourly" if steps > 1 else "daily", "missing in the record", missing)
    random = _by_day(record, f"{name}_random", steps)
    if steps == 1:
        measured_fraction = np.full(len(values), np.nan)
        good_fraction = _by_day(record, f"{name}_good_fraction", steps)[:, 0]
        random_sd = random[:, 0]
    else:
        measured = _by_day(record, f"{name}_measured", steps).astype(bool) & ~missing
        good = _by_day(record, f"{name}_good", steps).astype(bool) & ~missing
        measured_fraction, good_fraction = measured.mean(axis=1), good.mean(axis=1)
        random_sd = daily_random_sd(random, measured, correlated)
    reasons = {
        "a step of the day is missing": missing.any(axis=1),
        "too few measured": measured_fraction < quality["minimum_measured_fraction"],
        "too few measured or well gap-filled": ~(good_fraction >= quality["minimum_good_fraction"]),
        "no random error": ~np.isfinite(random_sd),
    }
    masked = masked_of(name, "daily", reasons, count)
    daily = values.mean(axis=1)
    systematic = np.zeros_like(daily)
    if f"{name}_ustar_low" in record:
        low, high = (
            _by_day(record, f"{name}_ustar_{side}", steps).mean(axis=1) for side in ("low", "high")
        )
        systematic = systematic_sd(daily, low, high)
        unbounded = {"no u* bounds": ~np.isfinite(systematic) & ~masked}
        masked |= masked_of(name, "daily", unbounded, count)
    return parts_of(daily, random_sd, systematic, measured_fraction, masked)


def _state(record: xr.Dataset, name: str, steps: int, count: MaskCount) -> dict[str, np.ndarray]:
    """Aggregate a state; its error is one for the whole day, so it does not average out."""
    values = _by_day(record, name, steps)
    missing = ~np.isfinite(values)
    count.add(name, "halfhourly" if steps > 1 else "daily", "missing in the record", missing)
    kept, rule = _observed_days(record, name, steps)
    masked = masked_of(
        name,
        "daily",
        {"a step of the day is missing": missing.any(axis=1), f"interpolated ({rule})": ~kept},
        count,
    )
    daily = values.mean(axis=1)
    random = _by_day(record, f"{name}_random", steps).mean(axis=1)
    return parts_of(daily, random, np.zeros_like(daily), np.ones_like(daily), masked)


def _observed_days(record: xr.Dataset, name: str, steps: int) -> tuple[np.ndarray, str]:
    days = record.indexes["time"][::steps]
    attrs = record[name].attrs
    if "keep_day_of_month" in attrs:
        day = int(attrs["keep_day_of_month"])
        return np.asarray(days.day == day), f"kept: day {day} of each month"
    every = int(attrs.get("keep_every_days", 1))
    return np.asarray((days.dayofyear - 1) % every == 0), f"kept: 1 of {every} days"
