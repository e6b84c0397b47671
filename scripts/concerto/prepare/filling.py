"""A site's drivers: its record first, then what archives have around it, at its height.

Bias is taken from what both have on shared days, as FLUXNET2015 does where ERA-Interim fills its
gaps (Vuichard & Papale 2015, Earth System Science Data 7, 157, doi:10.5194/essd-7-157-2015;
Pastorello et al. 2020, Scientific Data 7, 225). They fit lines to half-hours; of days here only
the mean is fitted, so that variance and dry days stay those of the archive.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import DISTURBANCES, REQUIRED_DRIVERS, Location
from concerto.errors import InputError
from concerto.prepare.area import Fields, weather_of
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import TEMPERATURES, Rise

log = logging.getLogger(__name__)

YEAR = 365
"""So many shared days make a correction the default: fewer may be of one season."""
FEW = 10
"""Shared days of a calendar month below which the difference of all days stands for its own."""


@dataclass(frozen=True)
class StandIn:
    """What an archive has of one driver at a site.

    Parameters
    ----------
    values
        In the unit of cubes, NaN where there is none (day,).
    source
        The archive's source.
    comment
        What was done to them.
    """

    values: np.ndarray
    source: str
    comment: str


def stand_ins(
    fields: Sequence[Fields],
    days: pd.DatetimeIndex,
    location: Location,
    settings: Mapping[str, Any],
    count: MaskCount,
) -> dict[str, StandIn]:
    """Return the drivers that fields have around a site, at its height.

    Parameters
    ----------
    fields
        What sources have around the site, its one location.
    days
        Days of its local standard time.
    location
        The site.
    settings
        Its entry ``weather``.
    count
        Where masked values are counted.

    Raises
    ------
    InputError
        If two sources have the same driver, one has a disturbance, or a deficit is to be moved
        without temperatures.
    """
    found: dict[str, StandIn] = {}
    for source in fields:
        rise = _rise(source, fields, location, settings)
        weather, comment = weather_of(
            source, days, count, utc_offset_hours=location.utc_offset_hours, rise=rise
        )
        for name in weather:
            if name in DISTURBANCES:
                raise InputError(source.name, name, "a field of it", "none: `disturbance` says it")
            if name in found:
                where = f"{found[name].source}, {source.name}"
                raise InputError(where, name, "in both", "each driver from one source")
            found[name] = StandIn(weather[name][:, 0], source.name, comment)
    return found


def _rise(
    source: Fields, fields: Sequence[Fields], location: Location, settings: Mapping[str, Any]
) -> Rise | None:
    lapse = settings.get("lapse", "monthly")
    if lapse == "none" or not source.has((*TEMPERATURES, "vpd")):
        return None
    cells = _cell_height(source, fields, settings.get("cell_height_m", {}))
    if cells is None:
        beside = source.spec.get("height")
        log.warning(
            "%s: how high the cells of %s are is not known, so its temperature is not moved to the "
            "site's height; give %sweather: {cell_height_m: {%s: ...}}",
            location.name,
            source.name,
            f"fields: {{{beside}: [elevation]}}, or " if beside else "",
            source.name,
        )
        return None
    height, latitude = np.array([location.elevation_m]), np.array([location.latitude])
    return Rise(height, cells, latitude, lapse)


def _cell_height(
    source: Fields, fields: Sequence[Fields], stated: Mapping[str, float]
) -> np.ndarray | None:
    """Return the height of a source's own cells, by the source of its heights or as stated.

    Heights of the footprint, as a digital elevation model has them, are not those of the cells.
    """
    for other in fields:
        if other.name in (source.name, source.spec.get("height")) and other.has(["elevation"]):
            return other.cells["elevation"].isel(interval=-1).to_numpy()
    return np.array([stated[source.name]], float) if source.name in stated else None


def record_first(
    drivers: xr.Dataset,
    found: Mapping[str, StandIn],
    correct: str | None,
    count: MaskCount,
) -> xr.Dataset:
    """Return a site's drivers: the record's own, on days without one what stands in for it.

    Parameters
    ----------
    drivers
        Of the record, NaN where it has none, along ``time``.
    found
        What stands in, by driver.
    correct
        ``scale`` to take from what stands in its mean difference on shared days, ``none`` not to;
        by default where there is a year of them. See :func:`scaled`.
    count
        Where days are counted that are filled, and that neither has.

    Raises
    ------
    InputError
        If neither has a driver that models need on some day; names the first.
    """
    out = drivers.copy()
    filled = {}
    for name, other in found.items():
        record = drivers[name]
        values, comment = _fitted(record, other, correct)
        gap = ~np.isfinite(record.to_numpy())
        filled[name] = gap & np.isfinite(values)
        lacking = gap & ~filled[name]
        count.add(name, "daily", f"filled from {other.source}", filled[name])
        count.add(name, "daily", f"neither in the record nor in {other.source}", lacking)
        if name in REQUIRED_DRIVERS and lacking.any():
            day = drivers.indexes["time"][int(np.argmax(lacking))]
            where = "; ".join([*_source(record), other.source])
            raise InputError(where, name, f"no value on {day:%Y-%m-%d}", "one in either")
        if filled[name].any():
            out[name] = record.copy(data=np.where(gap, values, record))
            out[name].attrs |= _described(record, other, filled[name], comment)
    return _in_order(out, filled, count)


def _fitted(record: xr.DataArray, other: StandIn, correct: str | None) -> tuple[np.ndarray, str]:
    """Return what stands in, corrected where it shall be, and how well it agrees, in words."""
    shared = np.isfinite(record.to_numpy()) & np.isfinite(other.values)
    days, values = int(shared.sum()), other.values
    comment = "no day is shared"
    if days:
        comment = f"{days} days are shared, {_agreement(values, record, shared)}"
    if days and (correct or ("scale" if days >= YEAR else "none")) == "scale":
        values, how = scaled(values, record, shared)
        comment += f"; {how}, {_agreement(values, record, shared)}"
    log.info("%s of %s: %s", record.name, other.source, comment)
    return values, comment


def _agreement(values: np.ndarray, record: xr.DataArray, shared: np.ndarray) -> str:
    off = (values - record.to_numpy())[shared]
    unit = record.attrs["units"]
    return f"bias {off.mean():+.3g} {unit}, root mean square {np.sqrt((off**2).mean()):.3g} {unit}"


def scaled(values: np.ndarray, record: xr.DataArray, shared: np.ndarray) -> tuple[np.ndarray, str]:
    """Return values whose mean on shared days is that of the record.

    To temperatures the mean difference of their calendar month is added, or that of all days where
    a month has fewer than :data:`FEW`; other drivers, which cannot be negative, get one factor.

    Parameters
    ----------
    values
        Of each day (day,).
    record
        The driver along ``time``.
    shared
        Days that both have, one or more (day,).

    Returns
    -------
    values
        Of each day, also those that are not shared.
    how
        In words.
    """
    if record.name in TEMPERATURES:
        months = record.indexes["time"].month
        off = pd.Series(np.where(shared, record - values, np.nan))
        each = off.groupby(months).agg(["mean", "count"])
        added = each["mean"].where(each["count"] >= FEW, off.mean())
        return values + added[months].to_numpy(), "corrected by the mean difference of each month"
    total = values[shared].sum()
    if total <= 0.0:
        return values, "not corrected, for it is nothing on these"
    factor = record.to_numpy()[shared].sum() / total
    return values * factor, f"corrected by a factor of {factor:.3g}"


def _source(record: xr.DataArray) -> list[str]:
    return [record.attrs["source"]] if "source" in record.attrs else []


def _described(
    record: xr.DataArray, other: StandIn, filled: np.ndarray, comment: str
) -> dict[str, str]:
    days, share = int(filled.sum()), 100 * filled.mean()
    said = (
        f"{days} of {filled.size} days ({share:.1f} %) are of {other.source}, where the record has "
        f"no value; {comment}. {other.comment}"
    )
    return {"source": "; ".join([*_source(record), other.source]), "comment": said.strip()}


def _in_order(
    drivers: xr.Dataset, filled: Mapping[str, np.ndarray], count: MaskCount
) -> xr.Dataset:
    """Return drivers whose filled extremes have the mean temperature between them.

    Each is corrected by itself, and may be put beyond the mean of a day with a small course.
    """
    for name, bound in (("tasmin", np.fmin), ("tasmax", np.fmax)):
        if name in filled:
            bounded = bound(drivers[name].to_numpy(), drivers["tas"].to_numpy())
            beyond = filled[name] & (bounded != drivers[name].to_numpy())
            count.add(name, "daily", "filled beyond the mean: set to it", beyond)
            kept = np.where(beyond, bounded, drivers[name])
            drivers[name] = drivers[name].copy(data=kept)
    return drivers
