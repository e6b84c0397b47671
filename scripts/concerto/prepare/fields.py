"""Fields of an archive brought to the cells of a place: a mean for each interval of time.

Memory is bounded by the cells, by the intervals that are open at once, by the bytes of a file that
are read at once, and by :data:`MOST_BYTES` of areas that cells share with pixels. Files have their
intervals in the order of time: one is closed when a later one begins, unless a file that is still
to come covers it too, as the other tiles of a composite do.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.plugins import load
from concerto.prepare.aggregation import Accumulator, Aggregate, ClassFractions, Fractions
from concerto.prepare.decode import Counts, unit_of
from concerto.prepare.grids import Cells, Grid, Slab
from concerto.prepare.overlap import Overlap, overlap
from concerto.prepare.streams import COLUMNS
from concerto.progress import Progress
from concerto.readers._fields import LIMIT, interval_of

MOST_BYTES = 2**30
"""Of overlaps that are kept, those used last."""
LEVEL = "native"
PARTS = {
    "": "mean",
    "_uncertainty": "uncertainty",
    "_spread": "spread",
    "_n": "n_valid",
    "_covered": "covered",
}
"""What is kept of an aggregate, by what is added to the name of its variable."""

Interval = tuple[np.datetime64, np.datetime64]
_Gatherer = Accumulator | Fractions


def aggregate_fields(
    files: Sequence[Path],
    source: Mapping[str, Any],
    assets: Mapping[str, Mapping],
    cells: Cells,
    read_bytes: int = LIMIT,
) -> tuple[xr.Dataset, pd.DataFrame]:
    """Return the variables of a source as means over cells.

    Parameters
    ----------
    files
        As they were obtained.
    source
        What the source's own file says; its ``variables`` are those wanted.
    assets
        What the provenance says of each file, by its name.
    cells
        Where means are wanted.
    read_bytes
        About how many bytes the values of a file may take that are in memory at once.

    Returns
    -------
    xarray.Dataset
        Along ``interval``, in the order of time, and ``location``: of each variable what
        :data:`PARTS` names; of land cover shares along ``class`` too. ``start`` and ``end`` of the
        intervals, UTC, the end exclusive; neither where nothing changes in time.
    pandas.DataFrame
        ``variable, level, reason, masked, total`` of the native values.

    Raises
    ------
    InputError
        As the reader; if a variable is in no file; or if no value lies in any cell.
    """
    tally: dict[str, Counts] = {}
    gathered = _Gathered(cells, source["variables"])
    known = _Overlaps(cells)
    reader = load("readers", source["reader"])
    ordered = reader.ordered(files)
    spans = [interval_of(assets.get(path.name, {}), path, static=True) for path in ordered]
    with Progress("aggregated", len(ordered), unit="files", size=1.0) as progress:
        for number, path in enumerate(ordered):
            for slab in reader.read(path, source, assets, tally, read_bytes):
                gathered.close_before(slab, spans[number + 1 :])
                gathered.add(slab, known.of(slab.grid))
            progress.report(number + 1, f"{number + 1} of {len(ordered)} files, {path.name}")
    _check_all_seen(source["variables"], tally, ordered)
    return gathered.dataset(), _masking(tally)


class _Overlaps:
    """Overlaps of grids with the cells; those used last are kept."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._kept: OrderedDict[bytes, Overlap] = OrderedDict()

    def of(self, grid: Grid) -> Overlap:
        key = _identity(grid)
        found = self._kept.pop(key, None) or overlap(grid, self._cells)
        self._kept[key] = found
        while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > MOST_BYTES:
            self._kept.popitem(last=False)
        return found


class _Gathered:
    """Values of cells: of open intervals what gathers them, of closed ones the result."""

    def __init__(self, cells: Cells, variables: Mapping[str, Mapping]) -> None:
        self._cells = cells
        self._variables = variables
        self._open: dict[tuple[int, int], dict[str, _Gatherer]] = {}
        self._closed: dict[tuple[int, int], dict[str, Aggregate | ClassFractions]] = {}

    def add(self, slab: Slab, shared: Overlap) -> None:
        gatherers = self._open.setdefault(_key((slab.start, slab.end)), {})
        for name, values in slab.values.items():
            gatherer = gatherers.setdefault(name, self._gatherer(name))
            if isinstance(gatherer, Fractions):
                gatherer.add(shared, values)
            else:
                gatherer.add(shared, values, slab.uncertainty.get(name, 0.0))

    def close_before(self, slab: Slab, coming: Sequence[Interval]) -> None:
        """Close open intervals before a slab's, unless a file to come covers them too."""
        own = _key((slab.start, slab.end))
        # What does not change in time has no end: it stays open for its next block.
        for key in [key for key in self._open if key != own and key[1] <= own[0]]:
            if not any(_meet(key, _key(span)) for span in coming):
                self._close(key)

    def dataset(self) -> xr.Dataset:
        for key in list(self._open):
            self._close(key)
        keys = sorted(self._closed)
        results = [self._closed[key] for key in keys]
        if not any(_has_value(part) for result in results for part in result.values()):
            raise InputError("fields", "values", "none in any cell", "some")
        out = xr.Dataset(coords=self._cells.coordinates())
        for name, times in zip(("start", "end"), zip(*keys, strict=True), strict=True):
            if not np.isnat(stamps := np.array(times, dtype="datetime64[s]")).any():
                out[name] = ("interval", stamps)
        for name, variable in self._variables.items():
            parts = [result.get(name) for result in results]
            store = _store_classes if "classes" in variable else _store_means
            store(out, name, variable, parts, len(self._cells))
        return out

    def _close(self, key: tuple[int, int]) -> None:
        results = {name: gatherer.result() for name, gatherer in self._open.pop(key).items()}
        if not results.keys().isdisjoint(self._closed.get(key, {})):
            raise InputError("fields", "time", f"{key} twice", "each interval once")
        self._closed.setdefault(key, {}).update(results)

    def _gatherer(self, name: str) -> _Gatherer:
        variable = self._variables[name]
        if "classes" in variable:
            return Fractions(self._cells, variable["classes"])
        errors = variable.get("error_correlation", {"length_km": 0.0, "shared_fraction": 0.0})
        return Accumulator(
            self._cells,
            error_length=1000.0 * errors["length_km"],
            shared_fraction=errors["shared_fraction"],
        )


def _store_means(
    out: xr.Dataset, name: str, variable: Mapping, parts: Sequence[Aggregate | None], size: int
) -> None:
    units = unit_of(name, variable) or variable["units"]
    nothing = np.full(size, np.nan)
    for suffix, field in PARTS.items():
        values = [nothing if part is None else getattr(part, field) for part in parts]
        count = suffix == "_n"
        array = np.nan_to_num(np.array(values)).astype(np.int32) if count else np.array(values)
        attrs = {"units": "1" if suffix in ("_n", "_covered") else units}
        out[f"{name}{suffix}"] = (("interval", "location"), array, attrs)


def _store_classes(
    out: xr.Dataset, name: str, variable: Mapping, parts: Sequence[ClassFractions], size: int
) -> None:
    names = [*variable["classes"], "rest"]
    shares = np.full((len(parts), len(names), size), np.nan)
    covered = np.zeros((len(parts), size))
    for k, part in enumerate(parts):
        if part is not None:
            shares[k] = [*part.fraction.values(), part.rest]
            covered[k] = part.covered
    out["class"] = ("class", np.array(names, dtype=object))
    out[name] = (("interval", "class", "location"), shares, {"units": "1"})
    out[f"{name}_covered"] = (("interval", "location"), covered, {"units": "1"})


def _has_value(part: Aggregate | ClassFractions) -> bool:
    return bool((part.covered > 0.0).any())


def _check_all_seen(
    variables: Mapping[str, Any], tally: Mapping[str, Counts], files: Sequence[Path]
) -> None:
    missing = [name for name in variables if name not in tally]
    if missing:
        names = ", ".join(path.name for path in files) or "no file"
        raise InputError(names, ", ".join(missing), "in no file", "each in one at least")


def _masking(tally: Mapping[str, Counts]) -> pd.DataFrame:
    rows = [
        (name, LEVEL, reason, number, counts.total)
        for name, counts in tally.items()
        for reason, number in counts.masked.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _identity(grid: Grid) -> bytes:
    digest = hashlib.sha256(grid.crs.encode())
    for edges in (grid.x, grid.y):
        digest.update(np.int64(len(edges)).tobytes() + edges.tobytes())
    return digest.digest()


def _size(shared: Overlap) -> int:
    return sum(part.nbytes for part in vars(shared).values() if isinstance(part, np.ndarray))


def _key(interval: Interval) -> tuple[int, int]:
    """Return an interval as seconds, of which those of no time are equal to each other."""
    return tuple(int(np.datetime64(time, "s").astype(np.int64)) for time in interval)


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    if one == other:
        return True
    return one[0] < other[1] and other[0] < one[1]
