"""Land-use states and transitions as LUH2 publishes them (Hurtt et al. 2020, GMD 13, 5425).

``states.nc`` has the share of each cell under each kind of land by year, ``transitions.nc`` what
share goes over from one to another after that year, ``primf_to_c3ann`` and the like, and
``primf_harv`` and ``primn_harv``, primary land that is harvested and is secondary from then on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from concerto.errors import InputError
from concerto.readers._grid_files import dates_of, edges_of, inside, opened

KINDS = (
    "primf", "primn", "secdf", "secdn", "pastr", "range", "urban", "c3ann", "c4ann", "c3per",
    "c4per", "c3nfx",
)  # fmt: skip
"""Kinds of land; those in age or biomass of files are no areas."""
HARVESTED = {"primf_harv": ("primf", "secdf"), "primn_harv": ("primn", "secdn")}
_BETWEEN = re.compile(r"([a-z0-9]+)_to_([a-z0-9]+)")
_MISSING = 1e10  # above which a number is what files have for missing
_ROUNDING = 1e-4  # of a share in 32 bits that is a sum of others


def read_luh2(
    states: Sequence[Path],
    transitions: Sequence[Path],
    years: Sequence[int],
    lat: np.ndarray,
    lon: np.ndarray,
    resolution: float,
) -> xr.Dataset:
    """Read states and transitions of locations.

    Parameters
    ----------
    states, transitions
        Files, of history and scenario.
    years
        Calendar years of a scenario. Its first begins with the states of the year before; the
        transitions of that year lead to what each year has.
    lat, lon
        Of the locations, degrees.
    resolution
        Width and height of the locations' cells, degrees; 0 of points, which take the cell around
        them. Cells take the mean of the cells whose centres are inside, by the land they have.

    Returns
    -------
    xarray.Dataset
        ``states`` (location, kind) and ``transitions`` (year, location, from_kind, to_kind), shares
        of a location's land; NaN where there is none.

    Raises
    ------
    InputError
        If a year is not there, a file has no cell around a location, or no kind of land, or a
        share is not between 0 and 1.
    """
    before = [year - 1 for year in years]
    at_first = _by_year(states, before[:1], lat, lon, resolution, KINDS)
    found = _by_year(transitions, before, lat, lon, resolution, None)
    weights = at_first["weight"]
    land = sum(at_first["values"].get(kind, 0.0) for kind in KINDS)[0]  # location, near
    whole = np.where(land > 0.0, land * weights, 0.0).sum(axis=-1) / weights.sum(axis=-1)

    def shares(values: np.ndarray) -> np.ndarray:
        mean = (values * weights).sum(axis=-1) / weights.sum(axis=-1)
        return np.divide(mean, whole, out=np.full(mean.shape, np.nan), where=whole > 0.0)

    kinds = list(KINDS)
    initial = np.stack(
        [shares(at_first["values"].get(kind, np.zeros_like(land)[None]))[0] for kind in kinds],
        axis=-1,
    )
    moved = np.zeros((len(years), len(lat), len(kinds), len(kinds)))
    for name, values in found["values"].items():
        pair = HARVESTED.get(name)
        between = _BETWEEN.fullmatch(name)
        if between and {between[1], between[2]} <= {*kinds}:
            pair = between[1], between[2]
        if pair and pair[0] != pair[1]:
            moved[:, :, kinds.index(pair[0]), kinds.index(pair[1])] += shares(values)
    return xr.Dataset(
        {
            "states": (("location", "kind"), initial),
            "transitions": (("year", "location", "from_kind", "to_kind"), moved),
        },
        coords={"year": list(years), "kind": kinds, "from_kind": kinds, "to_kind": kinds},
    )


def _by_year(
    files: Sequence[Path],
    years: Sequence[int],
    lat: np.ndarray,
    lon: np.ndarray,
    resolution: float,
    names: Sequence[str] | None,
) -> dict:
    """Return variables (year, location, near) of the cells near locations, and these' weights."""
    where: dict[int, tuple[Path, int]] = {}
    for path in files:
        with opened(path) as data:
            for k, date in enumerate(dates_of(data, path)):
                where.setdefault(date.year, (path, k))
    lacking = [year for year in years if year not in where]
    if lacking:
        known = f"{min(where)} to {max(where)}" if where else "none"
        raise InputError(
            ", ".join(map(str, files)), "time", f"no {lacking[0]} among {known}",
            f"all of {years[0]} to {years[-1]}: what a year has comes of those of the year before",
        )  # fmt: skip
    values: dict[str, np.ndarray] = {}
    for path in dict.fromkeys(where[year][0] for year in years):
        with opened(path) as data:
            rows, columns, weight = _near(data, path, lat, lon, resolution)
            steps = [(n, where[year][1]) for n, year in enumerate(years) if where[year][0] == path]
            wanted = _names(data, names, path)
            for name in wanted:
                held = values.setdefault(name, np.zeros((len(years), *rows.shape)))
                for n, k in steps:
                    held[n] = _cells(data.variables[name], k, rows, columns, path)
    return {"values": values, "weight": weight}


def _names(data: netCDF4.Dataset, names: Sequence[str] | None, path: Path) -> list[str]:
    found = [
        name
        for name in data.variables
        if (name in names if names else name in HARVESTED or _BETWEEN.fullmatch(name))
    ]
    if not found:
        expected = "states such as primf" if names else "transitions such as primf_to_c3ann"
        raise InputError(path, "variables", ", ".join(data.variables), expected)
    return found


def _cells(
    variable: netCDF4.Variable, step: int, rows: np.ndarray, columns: np.ndarray, path: Path
) -> np.ndarray:
    low = rows.min()
    block = np.ma.filled(variable[step, low : rows.max() + 1], np.nan).astype(float)
    found = block[rows - low, columns]
    shares = np.where(np.abs(found) < _MISSING, found, 0.0)  # of water, and outside of the land
    wrong = shares[(shares < -_ROUNDING) | (shares > 1.0 + _ROUNDING)]
    if wrong.size:
        raise InputError(path, variable.name, f"{wrong[0]:g}", "shares of a cell, 0 to 1")
    return shares


def _near(
    data: netCDF4.Dataset, path: Path, lat: np.ndarray, lon: np.ndarray, resolution: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, columns and weights (location, near) of the cells of each location."""
    south, west = (edges_of(data, name, path) for name in ("lat", "lon"))
    count = max(1, round(resolution / (south[0, 1] - south[0, 0])))
    offsets = (np.arange(count) + 0.5) / count * resolution - resolution / 2
    north, east = (np.repeat(offsets, count), np.tile(offsets, count))
    rows = inside(south, (lat[:, None] + north).ravel(), "lat", path)
    columns = inside(west, (lon[:, None] + east).ravel(), "lon", path, turn=360.0)
    shape = len(lat), count * count
    rows, columns = rows.reshape(shape), columns.reshape(shape)
    return rows, columns, np.cos(np.radians(south.mean(axis=1)))[rows]
