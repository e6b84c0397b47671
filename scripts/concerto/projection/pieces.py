"""Annual sums of members over pieces of regions: the land of a region under one cover.

What a piece has of a cell is in the file of weights, made by :mod:`concerto.prepare.region_areas`.
Sums are whole grams of carbon, as those of :class:`concerto.projection.cells.RegionSums`, so that
it does not matter how a map is tiled; pieces of a cell are rounded one by one, half a gram each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

ANNUAL_FLUXES = ("gpp", "reco", "nee", "fire_emission", "harvest")
"""Fluxes of a year: sums of its months."""
DISTURBANCE_FLUXES = ("fire_emission", "harvest")
START = "_start"
"""End of the names of pools at the start of the first whole year."""
KEYS = ("table", "region", "cover", "managed")
"""What makes a piece."""
_LABEL = "piece_"


class MonthsOfYears(Protocol):
    """Months of an axis, as :class:`concerto.projection.cells.Months`, without its models."""

    days: np.ndarray

    @property
    def whole_years(self) -> dict[int, slice]:
        """The calendar years that the axis has whole, with their months."""


class PieceSums:
    """Adds up the members of cells over the pieces of regions.

    Parameters
    ----------
    weights
        Files of weights by the name of the table that they are for.
    members, months
        How many members there are, and the months of the cells' axis.
    """

    def __init__(
        self, weights: Mapping[str, xr.Dataset], members: int, months: MonthsOfYears
    ) -> None:
        self._members, self._months = members, months
        self._sums: dict[tuple, dict[str, np.ndarray]] = {}
        self._areas: dict[tuple, int] = {}
        self._parts: dict[str, list[tuple[tuple, float]]] = {}
        for table, parts in weights.items():
            columns = (parts[name].to_numpy() for name in ("location", *KEYS[1:], "area"))
            for location, region, cover, managed, area in zip(*columns, strict=True):
                key = (table, str(region), str(cover), int(managed))
                self._parts.setdefault(str(location), []).append((key, float(area)))

    def add(self, location: str, shown: Mapping[str, np.ndarray], start: Mapping) -> None:
        """Add a cell.

        Parameters
        ----------
        location
            Its name.
        shown
            What its members show by month, (member, month): g m-2 d-1 and g m-2.
        start
            Pools of the members (member,) at the start of the axis, g m-2.
        """
        masses = self._densities(shown, start)
        for key, area in self._parts.get(location, ()):
            held = self._sums.setdefault(
                key, {name: np.zeros(of.shape, np.int64) for name, of in masses.items()}
            )
            for name, density in masses.items():
                held[name] += np.rint(density * area).astype(np.int64)
            self._areas[key] = self._areas.get(key, 0) + round(area)

    def _densities(
        self, shown: Mapping[str, np.ndarray], start: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return what a square metre has: of years (member, year), of the first start (member,)."""
        years = list(self._months.whole_years.values())
        if not years:
            return {}
        days = self._months.days
        found = {}
        for name, values in shown.items():
            if name in start:
                found[name] = np.stack([values[:, year.stop - 1] for year in years], axis=1)
                first = years[0].start
                found[name + START] = values[:, first - 1] if first else np.asarray(start[name])
            elif name in ANNUAL_FLUXES:
                found[name] = np.stack(
                    [(values[:, year] * days[year]).sum(axis=1) for year in years], axis=1
                )
        if "nee" in shown:
            nothing = np.zeros_like(found["nee"])
            found |= {name: nothing for name in DISTURBANCE_FLUXES if name not in shown}
            found["nee_monthly"] = shown["nee"] * days
        return found

    def dataset(self) -> xr.Dataset:
        """Return the sums (member, piece, year), g, with what each piece is and its area."""
        keys = sorted(self._sums)
        dims = {1: ("member", "piece"), 2: ("member", "piece", "year")}
        variables = {}
        for name in self._sums[keys[0]] if keys else ():
            stacked = np.stack([self._sums[key][name] for key in keys], axis=1)
            along = ("member", "piece", "time") if name == "nee_monthly" else dims[stacked.ndim - 1]
            variables[_LABEL + name] = (along, stacked, {"units": "g"})
        labels = {
            _LABEL + label: ("piece", np.array([key[k] for key in keys], dtype=kind))
            for k, (label, kind) in enumerate(
                zip(KEYS, (object, object, object, "i1"), strict=True)
            )
        }
        sizes = {
            _LABEL + "area": ("piece", np.array([self._areas[key] for key in keys], np.int64)),
        }
        return xr.Dataset(
            variables,
            coords={**labels, **sizes, "year": list(self._months.whole_years)},
        )


def join_pieces(tiles: Sequence[xr.Dataset], table: str) -> xr.Dataset:
    """Return the pieces of one table from those of tiles, each once.

    Returns
    -------
    xarray.Dataset
        Sums by the names that the cells' fluxes and pools have, and ``nee_monthly``, (member,
        piece, ...), g; of each piece ``region``, ``cover``, ``managed``, ``area`` (m2).
    """
    parts = []
    for tile in tiles:
        if not tile.sizes.get("piece"):
            continue
        own = tile[[name for name in tile.variables if str(name).startswith(_LABEL)]]
        own = own.rename({name: str(name).removeprefix(_LABEL) for name in own.variables
                          if str(name).startswith(_LABEL)})  # fmt: skip
        parts.append(own.isel(piece=np.flatnonzero(own["table"] == table)))
    parts = [part for part in parts if part.sizes["piece"]]
    if not parts:
        return xr.Dataset()
    labels = [
        [tuple(part[name].to_numpy()[k] for name in KEYS[1:]) for k in range(part.sizes["piece"])]
        for part in parts
    ]
    keys = sorted({key for of_part in labels for key in of_part})
    places = {key: k for k, key in enumerate(keys)}
    whole = {}
    for name in ("area", *parts[0].data_vars):
        first = parts[0][name]
        axis = first.dims.index("piece")
        shape = [len(keys) if dim == "piece" else size for dim, size in first.sizes.items()]
        total = np.zeros(shape, np.int64)
        for part, of_part in zip(parts, labels, strict=True):
            at = (*[slice(None)] * axis, [places[key] for key in of_part])
            total[at] += part[name].to_numpy()
        whole[name] = (first.dims, total, first.attrs)
    frame = pd.DataFrame(keys, columns=list(KEYS[1:]))
    for name in KEYS[1:]:
        whole[name] = ("piece", frame[name].to_numpy(dtype="i1" if name == "managed" else object))
    coords = {name: parts[0][name] for name in ("year", "time") if name in parts[0].coords}
    return xr.Dataset(whole, coords=coords)
