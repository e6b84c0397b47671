"""Places that fields are brought to, and the requests to archives that follow from a run.

A place is an area of the configuration, whose cells are its locations, or a site with ``fields``,
whose footprint is its one location.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from concerto.config import CLASSES, GRIDS, ROOT, read_source, source_identity, source_names
from concerto.errors import ConcertoError
from concerto.plugins import suggestion

_METRES_PER_DEGREE = 110_574.0  # of latitude at the equator, where it is shortest
STATIC = "all"
"""Name of the one period of a source that does not change in time."""


@dataclass(frozen=True)
class Box:
    """Bounds in degrees; west is greater than east across the antimeridian."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True)
class Request:
    """What is asked of one source at once, for one place and one of its periods.

    ``period`` is such as ``2003``, ``2003-07`` or ``all``; ``start`` and ``end`` are its first and
    last day within the place's own; ``variables`` are named as in the source's file.
    """

    source: str
    place: str
    period: str
    box: Box
    start: date
    end: date
    variables: tuple[str, ...]

    def to_foresee(self) -> dict[str, Any]:
        """Return the request in the form in which its size is estimated."""
        return {
            "source": self.source,
            "place": self.place,
            "box": astuple(self.box),
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "variables": list(self.variables),
        }


def places(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the areas of a run, and those of its sites that have fields, by name."""
    sites = {name: site for name, site in config.get("sites", {}).items() if "fields" in site}
    return {**config.get("areas", {}), **sites}


def around(site: Mapping[str, Any]) -> set[str]:
    """Return the names of what a site's fields bring, which its records may do without."""
    return {name for names in site.get("fields", {}).values() for name in names}


def shape_of(place: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a place's entry says where its cells are: all that means over them rest on."""
    keys = ("box", "resolution_deg", "polygons", "latitude", "longitude", "footprint_m")
    return {key: place[key] for key in keys if key in place}


def requests(config: Mapping[str, Any], root: Path = ROOT) -> list[Request]:
    """Return all that a run asks of field sources, by place, source and period.

    Raises
    ------
    ConcertoError
        If there is no such source, or its file is at fault.
    """
    return [
        Request(source, name, period, box_of(place), start, end, tuple(variables))
        for name, place in places(config).items()
        for source, variables in place["fields"].items()
        for period, start, end in _periods_of(read_source(source, root), place["period"])
    ]


def _periods_of(source: Mapping[str, Any], bounds: tuple[str, str]) -> list[tuple[str, date, date]]:
    """Return the periods of a source within bounds, none where it has nothing."""
    if source["request"] == STATIC:
        return periods(bounds, STATIC)
    first, last = source["grid"]["first"], source["grid"]["last"]
    clipped = max(bounds[0], first or bounds[0]), min(bounds[1], last or bounds[1])
    return periods(clipped, source["request"]) if clipped[0] <= clipped[1] else []


def wanted(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a run asks of each field source for each place, over all of its period."""
    return [
        Request(
            source,
            name,
            STATIC,
            box_of(place),
            *(date.fromisoformat(day) for day in place["period"]),
            tuple(variables),
        ).to_foresee()
        for name, place in places(config).items()
        for source, variables in place["fields"].items()
    ]


_OWN = ""  # what stands for the source of a file of one's own


def record_sources(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the sources of records that a run rests on, each with what uses it, by name.

    These are the records of sites and of the places that sites are taken from, CO2 and polygons of
    areas, CO2 of climates, records and heights of networks, polygons of tables of regions, what
    land cover is learnt from, and the borders.
    """
    users = {config["borders"]["source"]: ["borders"]}
    sites = config.get("sites", {})
    for name, site in sites.items():
        for source in source_names(site, sites):
            users.setdefault(source, []).append(name)
    for name, area in config.get("areas", {}).items():
        for source in {part["source"] for part in (area["co2"], area.get("polygons")) if part}:
            users.setdefault(source, []).append(name)
    for name, climate in config.get("scenarios", {}).get("climates", {}).items():
        if "co2" in climate:
            users.setdefault(climate["co2"]["source"], []).append(name)
    for name, network in config.get("networks", {}).items():
        for part in (network["records"], network.get("heights")):
            if part:
                users.setdefault(part["source"], []).append(name)
    tables = {name: table["polygons"] for name, table in config.get("policy", {}).items()}
    for name, polygons in tables.items():
        users.setdefault(polygons.get("source", _OWN), []).append(name)
    users.pop(_OWN, None)
    cover = config.get("reconstruction", {}).get("cover")
    if cover:
        for source in ("land_classes", cover["climate"]["source"]):
            users.setdefault(source, []).append("reconstruction")
    return dict(sorted(users.items()))


def source_identities(config: Mapping[str, Any], root: Path = ROOT) -> dict[str, str]:
    """Return the identity of each source that a run rests on, by name in alphabetical order.

    These are sources of records, of fields with the variables that are wanted, of grids with their
    classes, and of areas' classes.

    Raises
    ------
    ConcertoError
        If there is no such source, or its file is at fault.
    """
    used: dict[str, set[str]] = {name: set() for name in record_sources(config)}
    for request in requests(config, root):
        used.setdefault(request.source, set()).update(request.variables)
    entries = [*config.get("maps", {}).values(), *config.get("sites", {}).values()]
    for cubes in (entry.get("cubes") for entry in entries):
        grid = cubes.get("of") if isinstance(cubes, Mapping) else cubes
        if grid in GRIDS:
            used |= {GRIDS[grid]: set(), CLASSES: set()}
    if "upscaling" in config:
        used.setdefault(CLASSES, set())
    for area in config.get("areas", {}).values():
        if "classes" in area:
            used.setdefault(area["classes"]["source"], set())
    return {name: source_identity(name, sorted(used[name]), root) for name in sorted(used)}


def request_of(asked: Sequence[Request], source: str, place: str, period: str) -> Request:
    """Return the one request for a source, place and period.

    Raises
    ------
    ConcertoError
        If there is none.
    """
    for request in asked:
        if (request.place, request.source, request.period) == (place, source, period):
            return request
    offers = (f"{request.source} {request.period}" for request in asked if request.place == place)
    raise ConcertoError(
        f"{place}: nothing is asked of {source} for {period}; "
        f"{suggestion(f'{source} {period}', offers)}"
    )


def box_of(place: Mapping[str, Any]) -> Box:
    """Return the bounds of an area, or those of the circle around a site."""
    if "box" in place:
        return Box(**place["box"])
    north = place["footprint_m"] / _METRES_PER_DEGREE
    latitude, longitude = place["latitude"], place["longitude"]
    farthest = min(abs(latitude) + north, 90.0)
    # Where the circle reaches a pole it has all longitudes.
    east = north / math.cos(math.radians(farthest)) if farthest < 90.0 else 180.0
    if east >= 180.0:
        return Box(-180.0, max(latitude - north, -90.0), 180.0, min(latitude + north, 90.0))
    return Box(
        _within(longitude - east), latitude - north, _within(longitude + east), latitude + north
    )


def periods(bounds: tuple[str, str], request: str) -> list[tuple[str, date, date]]:
    """Return the periods that a source is asked for one at a time: name, first and last day.

    Parameters
    ----------
    bounds
        First and last day wanted, ISO 8601.
    request
        ``year``, ``month``, or ``all`` for a source that does not change in time.
    """
    first, last = (date.fromisoformat(day) for day in bounds)
    if request == STATIC:
        return [(STATIC, first, last)]
    return [
        (name, max(start, first), min(end, last))
        for name, start, end in _turns(first, last, request)
    ]


def _turns(first: date, last: date, request: str) -> Iterator[tuple[str, date, date]]:
    start = first.replace(day=1, month=1 if request == "year" else first.month)
    while start <= last:
        if request == "year":
            end, name = start.replace(month=12, day=31), f"{start:%Y}"
        else:
            end = start.replace(day=calendar.monthrange(start.year, start.month)[1])
            name = f"{start:%Y-%m}"
        yield name, start, end
        start = end + timedelta(days=1)


def _within(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0
