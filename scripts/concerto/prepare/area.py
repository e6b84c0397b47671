"""Cubes of an area from what archives have in its cells: drivers, observations, land.

Days are those of UTC.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from concerto.config import load_yaml
from concerto.cubes import DAY
from concerto.domain import (
    DISTURBANCES,
    DRIVERS,
    INGREDIENTS,
    LAND,
    REQUIRED_DRIVERS,
    STREAMS,
    SUBDAILY_DRIVERS,
)
from concerto.errors import InputError
from concerto.prepare.composite import Composites, to_steps
from concerto.prepare.streams import ABSENT, MaskCount, store
from concerto.prepare.weather import (
    LARGEST,
    Rise,
    at_height,
    completed,
    daily,
    deaccumulate,
    in_units_of_cubes,
    packing_step,
)

log = logging.getLogger(__name__)

WEATHER = DRIVERS | SUBDAILY_DRIVERS | INGREDIENTS
_SECOND = np.timedelta64(1, "s")
_WHOLE = 0.999  # of a step that drivers must cover: all of it, but for rounding
_DIMS = ("location", "time")


@dataclass(frozen=True)
class Fields:
    """What one source has in the cells of a place.

    Parameters
    ----------
    name
        The source's name.
    spec
        What its own file says.
    cells
        As :func:`concerto.prepare.fields.aggregate_fields` returns it.
    """

    name: str
    spec: Mapping[str, Any]
    cells: xr.Dataset

    @property
    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of the intervals (interval,), the ends exclusive."""
        return self.cells["start"].to_numpy(), self.cells["end"].to_numpy()

    def select(self, which: np.ndarray) -> Fields:
        """Return what the source has in some of the cells."""
        return replace(self, cells=self.cells.isel(location=which))

    def shifted(self, hours: float) -> Fields:
        """Return the same with intervals on a clock that is so much ahead of UTC."""
        ahead = np.timedelta64(round(3600 * hours), "s")
        return replace(
            self,
            cells=self.cells.assign({part: self.cells[part] + ahead for part in ("start", "end")}),
        )

    def has(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that the source's cells have."""
        return [name for name in names if name in self.cells]


def read_fields(name: str, spec: Mapping[str, Any], files: Iterable[str | Path]) -> Fields:
    """Read the files of all periods of a source in the order of time.

    An interval that reaches from one period into the next is in the files of both, and counts once.
    One that reaches into the next interval, as the last composite of a year often does, ends where
    that begins.

    Raises
    ------
    InputError
        If two intervals have the same start.
    """
    parts = [xr.load_dataset(file) for file in files]
    cells = xr.concat(parts, "interval", data_vars="minimal", join="exact")
    if "start" in cells:
        spans = np.stack([cells[part].to_numpy() for part in ("start", "end")])
        _, which = np.unique(spans, axis=1, return_index=True)
        cells = cells.isel(interval=which)  # in the order of time
        start, end = (cells[part].to_numpy() for part in ("start", "end"))
        twice = start[1:][start[1:] == start[:-1]]
        if len(twice):
            raise InputError(name, "time", f"two intervals from {twice[0]}", "one")
        late = end[:-1] > start[1:]
        if late.any():
            log.info("%s: %d intervals end where the next begins", name, late.sum())
            cells["end"] = "interval", np.append(np.minimum(end[:-1], start[1:]), end[-1])
    return Fields(name, spec, cells)


def read_sources(
    files: Mapping[str, Iterable[str | Path]], sources: Mapping[str, Path]
) -> list[Fields]:
    """Read what several sources have in the cells of a place.

    Parameters
    ----------
    files
        Of each source's periods, by its name.
    sources
        The sources' own files, by name.
    """
    return [read_fields(name, load_yaml(sources[name]), parts) for name, parts in files.items()]


def time_axis(period: tuple[str, str], step: str) -> pd.DatetimeIndex:
    """Return the starts of the days, or of the calendar months, of a period with both its ends.

    Raises
    ------
    InputError
        If it has not two steps, from whose distance their length is known.
    """
    frequency = {"day": "D", "month": "MS"}[step]
    axis = pd.date_range(*period, freq=frequency, unit="s")
    if len(axis) < 2:
        found = f"{len(axis)} {step}s that begin from {period[0]} to {period[1]}"
        raise InputError("configuration", "period", found, "two or more")
    return axis


def area_drivers(
    fields: Iterable[Fields],
    axis: pd.DatetimeIndex,
    disturbance: Mapping[str, float],
    co2: tuple[np.ndarray, str],
    count: MaskCount,
) -> xr.Dataset:
    """Return the drivers of all cells.

    Of hours first come days: mean, lowest and highest temperature, means of the rest. A step is the
    mean over all of it; where a part is missing there is none.

    Parameters
    ----------
    fields
        What sources have.
    axis
        Starts of the steps.
    disturbance
        Fraction of the area disturbed in a day, d-1, where no source says.
    co2
        Mole fraction at each step (time,), ppm, and where it comes from.
    count
        Where masked values are counted.

    Raises
    ------
    InputError
        If two sources have the same driver, or none has one that models need.
    """
    found: dict[str, tuple[np.ndarray, str]] = {}
    for source in fields:
        for name, values in weather_of(source, axis, count)[0].items():
            if name in found:
                where = f"{found[name][1]}, {source.name}"
                raise InputError(where, name, "in both", "each driver from one source")
            found[name] = values, source.name
    out = xr.Dataset(coords={"time": axis})
    shape = next((values.shape for values, _ in found.values()), (len(axis), 0))
    found["co2"] = np.broadcast_to(co2[0][:, None], shape), co2[1]
    for name in DISTURBANCES:
        found.setdefault(name, (np.full(shape, disturbance[name]), "configuration"))
    for name, quantity in DRIVERS.items():
        if name not in found and name in REQUIRED_DRIVERS:
            raise InputError("sources of the area", name, "nothing", f"a source that has {name}")
        values, source_name = found.get(name, (np.full(shape, np.nan), ""))
        missing = ~np.isfinite(values)
        count.add(name, "step", ABSENT if name not in found else "not the whole step", missing)
        attrs = quantity.attributes() | ({"source": source_name} if source_name else {})
        out[name] = (_DIMS, values.T, attrs)
    return out


def weather_of(
    source: Fields,
    axis: pd.DatetimeIndex,
    count: MaskCount,
    *,
    utc_offset_hours: float = 0.0,
    rise: Rise | None = None,
) -> tuple[dict[str, np.ndarray], str]:
    """Return what a source has of the weather at steps.

    Parameters
    ----------
    source, axis, count
        As for :func:`area_drivers`.
    utc_offset_hours
        Clock of days made of hours, minus UTC; to the nearest step of the source. Days of archives
        stay as they are.
    rise
        From the source's cells to the locations, where it is known.

    Returns
    -------
    weather
        Drivers (time, location) by name, nothing where the source has none.
    comment
        What was done to them, for people.
    """
    raw = {name: _rates(source, name, count) for name in source.has(WEATHER)}
    if not raw:
        return {}, ""
    start, end = source.intervals
    step = np.median(end - start)
    short = bool(step < np.timedelta64(1, "D"))
    level = "hourly" if short else "composite"
    weather = completed(raw, instant=short, level=level, count=count, file=source.name)
    comments = []
    if rise is not None:
        months = pd.DatetimeIndex(start).month.to_numpy()
        weather, comment = at_height(
            weather, rise, months=months, instant=short, level=level, count=count, file=source.name
        )
        comments.append(comment)
    if short:
        hours = float(step / np.timedelta64(1, "h"))
        ahead = hours * round(utc_offset_hours / hours)
        if ahead != utc_offset_hours:
            comments.append(f"Its days are of UTC{ahead:+g} h.")
        weather, start, end = _days(source.shifted(ahead), weather, count)
    else:
        comments.append("Its days are the archive's own.")
    steps = {}
    for name in (name for name in weather if name in DRIVERS):
        values = weather[name]
        steps[name] = to_steps(
            Composites(start, end, values, np.zeros_like(values), np.ones(values.shape, int)),
            axis,
            kind="mean",
            correlation=0.0,
            name=name,
            count=count,
            file=source.name,
            least_covered=_WHOLE,
        ).values
    return steps, " ".join(comments)


def _rates(source: Fields, name: str, count: MaskCount) -> np.ndarray:
    """Return means of intervals (interval, location) in the unit of cubes, also of sums."""
    values, variable = source.cells[name].to_numpy(), source.spec["variables"][name]
    if "accumulated" not in variable:
        return values
    start, end = source.intervals
    if variable["accumulated"]["reset"] == "day":
        ends = pd.DatetimeIndex(end)
        fall = packing_step(LARGEST[name])
        values, _ = deaccumulate(
            values, ends, "day", fall, name=name, count=count, file=source.name
        )
    seconds = (end - start) / _SECOND
    return in_units_of_cubes(values, variable["units"], name, seconds=seconds, file=source.name)


def _days(
    source: Fields, weather: Mapping[str, np.ndarray], count: MaskCount
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    starts = pd.DatetimeIndex(source.intervals[0])
    out, days = {}, starts
    for name, values in weather.items():
        reductions = {name: np.mean}
        if name == "tas":
            reductions |= {"tasmin": np.min, "tasmax": np.max}
        for target, reduce in reductions.items():
            if target == name or target not in weather:
                out[target], days = daily(values, starts, reduce, count=count, file=source.name)
    return out, days.to_numpy(), (days + DAY).to_numpy()


def area_observations(
    fields: Iterable[Fields],
    axis: pd.DatetimeIndex,
    step: str,
    least_covered: float,
    count: MaskCount,
) -> xr.Dataset:
    """Return the observations of all cells, each stream from one source.

    Parameters
    ----------
    fields
        What sources have.
    axis, step
        Starts of the steps, and their word, ``day`` or ``month``.
    least_covered
        Share of a cell's area that needs a value for the cell to have one.
    count
        Where masked values are counted.

    Raises
    ------
    InputError
        If two sources have the same stream.
    """
    out = xr.Dataset(coords={"time": axis})
    for source in fields:
        for name in source.has(STREAMS):
            start, end = source.intervals
            if name in out:
                where = f"{out[name].attrs['source']}, {source.name}"
                raise InputError(where, name, "in both", "each stream from one source")
            part = {
                suffix: source.cells[f"{name}{suffix}"].to_numpy()
                for suffix in ("", "_uncertainty", "_n", "_covered")
            }
            bare = np.isfinite(part[""]) & (part["_covered"] < least_covered)
            count.add(name, "cell", f"less than {100 * least_covered:g} % covered", bare)
            values = np.where(bare, np.nan, part[""])
            variable = source.spec["variables"][name]
            stepped = to_steps(
                Composites(start, end, values, part["_uncertainty"], part["_n"]),
                axis,
                kind="mean",
                correlation=variable.get("error_correlation", {}).get("between_intervals", 0.0),
                name=name,
                count=count,
                file=source.name,
            )
            parts = {suffix: values.T for suffix, values in stepped.parts().items()}
            store(out, name, parts, source.name, step, _DIMS)
    return out


def with_fields(
    observations: xr.Dataset,
    fields: Iterable[Fields],
    utc_offset_hours: float,
    least_covered: float,
    count: MaskCount,
) -> xr.Dataset:
    """Return a site's daily observations with those of fields around it.

    Parameters
    ----------
    observations
        Of the site's records, along ``time``, days of its local standard time.
    fields
        What sources have around the site, its one location.
    utc_offset_hours
        The site's clock minus UTC.
    least_covered, count
        As for :func:`area_observations`.

    Raises
    ------
    InputError
        If the records have a stream of the fields too.
    """
    local = [source.shifted(utc_offset_hours) for source in fields if source.has(STREAMS)]
    found = area_observations(
        local, observations.indexes["time"], "day", least_covered, count
    ).isel(location=0, missing_dims="ignore")
    for name in (name for name in STREAMS if name in found and name in observations):
        where = f"{observations[name].attrs['source']}, {found[name].attrs['source']}"
        raise InputError(where, name, "in both", "each stream from one source")
    return observations.merge(found.drop_vars(["location", "lat", "lon"], errors="ignore"))


def area_land(
    fields: Iterable[Fields],
    country: np.ndarray,
    area: np.ndarray,
    land_fraction: np.ndarray | None,
    classes: xr.Dataset,
) -> xr.Dataset:
    """Return what cells are like: size, share of land, country, and what sources say of the ground.

    Parameters
    ----------
    fields
        What sources have; of several years the last counts.
    country, area, land_fraction
        Of each cell: name, m2, and share of the area, which polygons do not have.
    classes
        As :func:`concerto.prepare.classes.land_classes` returns them, or nothing; shares of land
        cover from ``fields`` take the place of theirs.
    """
    out = xr.Dataset(
        {
            "cell_area": (
                "location",
                area,
                {"units": "m2", "standard_name": "cell_area", "long_name": "area of the cell"},
            ),
            "country": ("location", country.astype(object), {"long_name": "country"}),
        }
    )
    if land_fraction is not None:
        attrs = {"units": "1", "standard_name": "land_area_fraction", "long_name": "share of land"}
        out["land_fraction"] = ("location", land_fraction, attrs)
    for source in fields:
        for name in source.has(LAND):
            last = source.cells[name].isel(interval=-1)
            out[name] = last.assign_attrs(LAND[name].attributes() | {"source": source.name})
    if "land_cover" in out:
        classes = classes.drop_dims("class", errors="ignore")
    return out.merge(classes).drop_vars(["lat", "lon", "location"], errors="ignore")


def complete_cells(drivers: xr.Dataset, count: MaskCount) -> np.ndarray:
    """Return which locations have all that a model must have at every step; the rest is counted.

    Raises
    ------
    InputError
        If there is none.
    """
    kept = np.ones(drivers.sizes["location"], bool)
    for name in (*REQUIRED_DRIVERS, *DISTURBANCES):
        lacking = ~np.isfinite(drivers[name].to_numpy()).all(axis=1)
        count.add(name, "location", "left out: not at every step", lacking & kept)
        if (lacking & kept).any():
            log.warning("%s: %d cells without it at every step", name, (lacking & kept).sum())
        kept &= ~lacking
    if not kept.any():
        raise InputError("area", "drivers", "no cell with all of them", "one or more")
    return kept
