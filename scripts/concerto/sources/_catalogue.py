"""What the catalogue of sources says: as a table, and as what a request of it will bring.

Nothing here asks the network. How much a download will be is an estimate: values in the box and
the period, by the grid that the source's file states, times its bytes per value.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from concerto.config import ROOT, bands_of, read_source
from concerto.errors import ConcertoError
from concerto.places import periods
from concerto.plugins import suggestion

EARTH_RADIUS_KM = 6371.007181
"""Of the sphere of MODIS' sinusoidal grid, which has the ellipsoid's area."""
BLOCK = 512 * 512
"""Values that come at least of each band of a file of which a part is read: one block of it."""
READ_IN_PART = ("stac", "earthdata")
GLOBE = (-180.0, -90.0, 180.0, 90.0)
WIDTH = 160
# The most that columns of tables for people may be wide: whole texts would not fit side by side.
WIDEST = {"what": 27, "licence": 17, "login": 17}
WIDEST_PLAN = {"source": 24, "place": 12, "variables": 16, "from": 25, "login": 12, "licence": 12}
HOSTS = {
    "package": "a package index",
    "local": "a folder of this machine",
    "earthdata": "cmr.earthdata.nasa.gov",
    "icos": "data.icos-cp.eu",
}
"""Where the files of a protocol are, whose locators do not say it."""
PLANNED = (
    "source", "place", "period", "variables", "folders", "files", "values", "bytes", "from",
    "login", "licence",
)  # fmt: skip
"""Columns of a plan."""
SUMMED = ("folders", "files", "values", "bytes")
_DAYS = {"Y": 365.2425, "M": 30.436875, "D": 1.0, "H": 1 / 24}


@dataclass(frozen=True)
class Estimate:
    """What a request will bring, about.

    Parameters
    ----------
    folders
        Number of requests, each with a folder of its own: years, months or one.
    files
        Number of files of the archive, or chunks of a store, that are looked into.
    values
        Number of values in the box and the period, of all bands that are needed.
    size
        Bytes received.
    """

    folders: int
    files: int
    values: int
    size: int


def read_catalogue(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Return all sources, config/sources/*.yaml, by their names, in the names' order.

    Raises
    ------
    ConcertoError
        Naming every fault of every file.
    """
    sources, faults = {}, []
    for file in sorted((root / "config/sources").glob("*.yaml")):
        try:
            sources[file.stem] = read_source(file.stem, root)
        except ConcertoError as error:
            faults.append(str(error))
    if faults:
        raise ConcertoError("\n".join(faults))
    return sources


def overview(catalogue: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return one row a source, whole texts by column."""
    return [_row(name, source) for name, source in catalogue.items()]


def _row(name: str, source: Mapping[str, Any]) -> dict[str, str]:
    grid = source.get("grid", {})
    first, last = grid.get("first"), grid.get("last")
    return {
        "name": name,
        "what": ", ".join(source["variables"]) if "variables" in source else source["title"],
        "protocol": source["protocol"],
        "step": grid.get("step") or "-",
        "resolution": grid.get("resolution", "-"),
        "period": f"{first or ''}..{last or ''}" if first or last else "-",
        "login": source["login"]["service"] if "login" in source else "-",
        "licence": source["licence"],
        "mirrors": ", ".join(mirror["protocol"] for mirror in source.get("mirrors", [])) or "-",
        "tested": source.get("tested", "-"),
    }


def brief(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return an overview with periods in years and resolutions in few digits, to fit a line."""
    return [
        {
            **row,
            "resolution": _few_digits(row["resolution"]),
            "period": re.sub(r"([0-9]{4})-[0-9-]+", r"\1", row["period"]).replace("..", "-"),
        }
        for row in rows
    ]


def _few_digits(resolution: str) -> str:
    def rounded(number: re.Match) -> str:
        value = float(number[0])
        return f"{value:.3g}" if value < 1000 else f"{value:.0f}"

    return re.sub(r"[0-9]+\.[0-9]+", rounded, resolution).replace("degrees", "deg")


def aligned(
    rows: Sequence[Mapping[str, object]], widest: Mapping[str, int] = WIDEST, width: int = WIDTH
) -> str:
    """Return rows as a table for people, aligned, no line longer than ``width``.

    A text that is longer than its column may be wide, by ``widest``, ends in two full stops;
    numbers stand at the right.
    """
    columns = list(rows[0])
    texts = [columns, *([str(row[column]) for column in columns] for row in rows)]
    widths = [
        min(max(map(len, cells)), widest.get(column, width))
        for column, cells in zip(columns, zip(*texts, strict=True), strict=True)
    ]
    right = [all(isinstance(row[column], int) for row in rows) for column in columns]
    lines = []
    for cells in texts:
        placed = (
            _cut(cell, most).rjust(most) if number else _cut(cell, most).ljust(most)
            for cell, most, number in zip(cells, widths, right, strict=True)
        )
        lines.append(_cut("  ".join(placed).rstrip(), width))
    return "\n".join(lines) + "\n"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 2].rstrip(" ,;") + ".."


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV, with the columns of the first."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def bands(source: Mapping[str, Any], variables: Iterable[str]) -> list[str]:
    """Return the bands that some variables need, each once: values, quality and uncertainty.

    Raises
    ------
    ConcertoError
        If the source does not have a variable.
    """
    found = []
    for name in variables:
        if name not in source["variables"]:
            offer = suggestion(name, source["variables"])
            raise ConcertoError(f"{source['title']}: unknown variable {name!r}; {offer}")
        found += bands_of(source["variables"][name])
    return list(dict.fromkeys(found))


def host(source: Mapping[str, Any]) -> str:
    """Return the name of the machine or store that a source's files come from."""
    for text in _texts(source["locator"]):
        if re.match(r"(https?|s3|gs)://", text):
            return urlsplit(text).hostname or text
    return HOSTS[source["protocol"]]


def _texts(value: Any) -> list[str]:
    """Return the texts within nested mappings and lists, in their order."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value
    return (
        [text for item in inner for text in _texts(item)] if isinstance(value, dict | list) else []
    )


def estimate(source: Mapping[str, Any], request: Mapping[str, Any]) -> Estimate:
    """Return about how much a request will bring.

    Parameters
    ----------
    source
        A source of fields.
    request
        ``box`` (west, south, east, north in degrees; west may be greater than east, across the
        antimeridian), ``start`` and ``end`` (ISO dates, the last one included) and ``variables``.

    Notes
    -----
    A box of w by h touches, on average over where it lies, (w/s + 1) (h/s + 1) tiles of side s.
    Where files come whole, all of their values count towards the size; where parts of them are
    read, at least one block of each.
    """
    grid = source["grid"]
    number = len(bands(source, request["variables"]))
    cells = _cells(grid["resolution"], request["box"])
    tiles, cells_of_tile = _tiles(grid, request["box"])
    file_step = grid.get("file_step", grid["step"])
    steps_of_file = max(1, round(_days(file_step) / _days(grid["step"])))
    turns = periods((request["start"], request["end"]), source["request"])
    files = values = received = 0.0
    for _, first, last in turns:
        period = _common(grid, first, last)
        steps, times = _steps(grid["step"], *period), _steps(file_step, *period)
        files += tiles * times
        values += cells * steps
        if grid.get("whole"):
            received += cells_of_tile * tiles * times * steps_of_file
        elif source["protocol"] in READ_IN_PART:
            received += max(cells * steps, tiles * times * BLOCK)
        else:
            received += cells * steps
    size = received * number * source["bytes_per_value"]
    return Estimate(len(turns), round(files), round(values * number), round(size))


def plan(
    requests: Sequence[Mapping[str, Any]],
    catalogue: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Sequence[str]] = {},
) -> list[dict[str, Any]]:
    """Return what a run will bring: a row a source of records, a row a request, and the total.

    Parameters
    ----------
    requests
        Each with the name of its ``source``, of its ``place``, and what :func:`estimate` takes.
    catalogue
        The sources, by their names.
    records
        Sources of records, each with the names of what uses it. How large their archives are is
        not known before: None, and no part of the total.

    Raises
    ------
    ConcertoError
        If a source is unknown or none of fields, or does not have a variable.
    """
    rows = [_recorded(name, users, catalogue) for name, users in records.items()]
    rows += [_planned(request, catalogue) for request in requests]
    sums = {column: sum(row[column] or 0 for row in rows) for column in SUMMED}
    return [*rows, {"source": "total"} | dict.fromkeys(PLANNED[1:], "") | sums]


def _recorded(
    name: str, users: Sequence[str], catalogue: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    names = {key for key, source in catalogue.items() if "members" in source}
    if name not in names:
        raise ConcertoError(f"unknown source of records {name!r}; {suggestion(name, names)}")
    source = catalogue[name]
    what = name, ", ".join(users), "all", ", ".join(source["members"])
    whence = host(source), *_conditions(source)
    return dict(zip(PLANNED, (*what, 1, 1, None, None, *whence), strict=True))


def _conditions(source: Mapping[str, Any]) -> tuple[str, str]:
    """Return the service of a source's login, a dash where there is none, and its licence."""
    return source["login"]["service"] if "login" in source else "-", source["licence"]


def _planned(
    request: Mapping[str, Any], catalogue: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    name = request["source"]
    fields = {key for key, source in catalogue.items() if "variables" in source}
    if name not in fields:
        raise ConcertoError(f"unknown source of fields {name!r}; {suggestion(name, fields)}")
    source = catalogue[name]
    brings = estimate(source, request)
    period = "all" if source["request"] == "all" else f"{request['start']}..{request['end']}"
    return dict(
        zip(
            PLANNED,
            (
                name,
                request["place"],
                period,
                ", ".join(request["variables"]),
                brings.folders,
                brings.files,
                brings.values,
                brings.size,
                host(source),
                *_conditions(source),
            ),
            strict=True,
        )
    )


def for_people(planned: Sequence[Mapping[str, Any]]) -> str:
    """Return a plan as an aligned table, and say that it is an estimate."""
    rows = [
        {key: text for key, text in row.items() if key != "folders"}
        | {column: _in_words(row[column], column) for column in ("values", "bytes")}
        for row in planned
    ]
    return (
        aligned(rows, WIDEST_PLAN)
        + "Sizes are estimates: values by the source's grid, times bytes of one; "
        "those of records (?) are not known.\n"
    )


def _in_words(number: float | None, column: str) -> str:
    if number is None:
        return "?"
    return amount(number) if column == "bytes" else _short(number)


def foreseen(source: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Return how much a request will bring, from where and under which licence, in some words."""
    size = amount(estimate(source, request).size)
    return f"about {size} from {host(source)}; licence {source['licence']}"


def amount(size: float) -> str:
    """Return a number of bytes in words, with two digits: ``310 MB``."""
    return f"{_short(size, 'kMGTP', ' ')}B" if size >= 1000 else f"{size:.0f} B"


def _short(number: float, prefixes: str = "kMGTP", gap: str = "") -> str:
    """Return a number with two digits and a prefix."""
    power = 0
    value = float(f"{number:.2g}")
    while value >= 1000 and power < len(prefixes):
        value, power = value / 1000, power + 1
    text = f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return f"{text}{gap}{prefixes[power - 1] if power else ''}"


def _common(grid: Mapping[str, Any], first: date, last: date) -> tuple[date, date]:
    """Return the first and last day that are asked for and that the archive has."""
    if grid["step"] is None:
        return first, last
    known = (date.fromisoformat(day) if day else None for day in (grid["first"], grid["last"]))
    since, until = known
    return max(first, since or first), min(last, until or last)


def _days(step: str | None) -> float:
    if step is None:
        return 1.0
    number, unit = re.fullmatch(r"PT?([0-9]+)([YMDH])", step).groups()
    return int(number) * _DAYS[unit]


def _steps(step: str | None, first: date, last: date) -> int:
    """Return how many intervals of a length the days from first to last touch."""
    if last < first:
        return 0
    if step is None:
        return 1
    number, unit = re.fullmatch(r"PT?([0-9]+)([YMDH])", step).groups()
    if unit == "Y":
        spans = last.year - first.year + 1
    elif unit == "M":
        spans = 12 * (last.year - first.year) + last.month - first.month + 1
    else:
        spans = ((last - first).days + 1) * (24 if unit == "H" else 1)
    return math.ceil(spans / int(number))


def _size(text: str) -> tuple[float, float, str]:
    """Return sides from west to east and from south to north, and their unit, degrees or km."""
    numbers, unit = text.rsplit(" ", 1)
    x, _, y = numbers.partition(" x ")
    factor = 0.001 if unit == "m" else 1.0
    sides = (float(Fraction(side)) * factor for side in (x, y or x))
    return *sides, "degrees" if unit == "degrees" else "km"


def _cells(resolution: str, box: Sequence[float]) -> float:
    dx, dy, unit = _size(resolution)
    width, height = _extent(box, unit)
    return max(1.0, width / dx) * max(1.0, height / dy)


def _extent(box: Sequence[float], unit: str) -> tuple[float, float]:
    """Return a box's width and height in degrees, or in km with a width that makes its area."""
    west, south, east, north = box
    width, height = (east - west) % 360 or 360.0, north - south
    if unit == "degrees" or not height:
        return width, height
    tall = math.radians(height) * EARTH_RADIUS_KM
    zone = math.sin(math.radians(north)) - math.sin(math.radians(south))
    return EARTH_RADIUS_KM**2 * math.radians(width) * zone / tall, tall


def _tiles(grid: Mapping[str, Any], box: Sequence[float]) -> tuple[int, float]:
    """Return how many files of one time a box touches, and the number of cells of each."""
    if "tile" not in grid:
        return 1, _cells(grid["resolution"], GLOBE)
    (x, y, unit), (dx, dy, _) = _size(grid["tile"]), _size(grid["resolution"])
    touched = zip(_extent(box, unit), _extent(GLOBE, unit), (x, y), strict=True)
    number = math.prod(min(length / side + 1, globe / side) for length, globe, side in touched)
    return max(1, round(number)), x / dx * y / dy
