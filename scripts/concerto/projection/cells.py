"""What the members of cells say: statistics of each cell, and sums over regions of them all.

Fluxes, areas and observables are means of calendar months or years, pools are those at their ends.
Statistics of a year are those of the members' years: they do not follow from those of its months.
What is uncertain is what parameters and initial pools leave open; the model's own errors, of which
nothing is known where a flux is not observed, are not in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from concerto.assimilation.cells import FAILED, Cells
from concerto.cubes import DAY, MONTH, ends
from concerto.domain import QUANTILES, STREAMS
from concerto.models import Model

log = logging.getLogger(__name__)

FLUXES = ("gpp", "reco", "nee")
STATES = ("lai", "fapar")
POOLS: Mapping[str, tuple[str, ...]] = {
    "live_biomass": ("c_labile", "c_leaf", "c_root", "c_wood"),
    "litter": ("c_litter",),
    "som": ("c_soil",),
}
"""Sums of pools of the models."""
VARIABLES = (*FLUXES, *STATES, *POOLS)
SUMMED = (*FLUXES, *POOLS)
_POOL_NAMES = {
    "live_biomass": "living plants, as carbon",
    "litter": "litter, as carbon",
    "som": "soil organic matter, as carbon",
}
STATISTICS = ("mean", "sd", *QUANTILES)
KINDS = ("all", "country", "igbp", "koppen")
"""What regions are made by; ``all`` is the whole map."""

_DISTURBERS = {"fire_emission": "burned_area_fraction", "harvest": "harvested_area_fraction"}
_BATCH = 128  # members simulated at once: bounds the memory


@dataclass(frozen=True)
class Months:
    """Calendar months of an axis of days or of months.

    ``starts`` (month,), ``days`` (month,) their lengths, ``first`` (month,) the number of the first
    step of each. Months that the axis has not whole count as far as it has them.
    """

    starts: pd.DatetimeIndex
    days: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, times: pd.DatetimeIndex) -> Months:
        """Return the months of an axis."""
        names = times.to_numpy().astype("datetime64[M]")
        starts, first = np.unique(names, return_index=True)
        length = np.asarray((ends(times) - times) / DAY)
        return cls(pd.DatetimeIndex(starts), np.add.reduceat(length, first), first)

    def means(self, series: np.ndarray) -> np.ndarray:
        """Return the means (member, month) of series (member, step) of steps of equal length."""
        counts = np.diff(np.append(self.first, series.shape[1]))
        return np.add.reduceat(series, self.first, axis=1) / counts

    def at_end(self, series: np.ndarray) -> np.ndarray:
        """Return the last values (member, month) of series (member, step)."""
        return series[:, np.append(self.first[1:], series.shape[1]) - 1]

    @cached_property
    def years(self) -> np.ndarray:
        """The first month (year,) of each calendar year, which the axis need not have whole."""
        return np.unique(self.starts.year, return_index=True)[1]

    def year_means(self, monthly: np.ndarray) -> np.ndarray:
        """Return the means (member, year) of those (member, month) of months."""
        days = np.add.reduceat(self.days, self.years)
        return np.add.reduceat(monthly * self.days, self.years, axis=1) / days

    def at_year_end(self, monthly: np.ndarray) -> np.ndarray:
        """Return the last values (member, year) of those (member, month) at the ends of months."""
        return monthly[:, np.append(self.years[1:], monthly.shape[1]) - 1]

    @cached_property
    def whole_years(self) -> dict[int, slice]:
        """The calendar years that the axis has whole, with their months."""
        years = self.starts.year.to_numpy()
        lengths = np.where(self.starts.is_leap_year, 366, 365)
        return {
            int(years[first]): slice(first, first + 12)
            for first in np.flatnonzero(self.starts.month == 1)
            if self.days[first : first + 12].sum() == lengths[first]
        }


def available(model: Model) -> list[str]:
    """Return which of :data:`VARIABLES` a model has."""
    return [
        name
        for name in VARIABLES
        if (set(POOLS[name]) <= set(model.pools) if name in POOLS else name in model.outputs)
    ]


def project_cell(
    cells: Cells, k: int, parameters: np.ndarray, months: Months, more: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Return what the members of a cell show in each month, (member, month) by variable.

    Parameters
    ----------
    cells, k
        The cells, and the number of one.
    parameters
        (member, parameter) of the model.
    months
        Those of the cells' axis.
    more
        Outputs of the model that are wanted besides :data:`VARIABLES`.
    """
    names = [*available(cells.model), *more]
    outputs = tuple(name for name in names if name not in POOLS)
    pools = tuple(pool for name in names if name in POOLS for pool in POOLS[name])
    weather = cells.forcing(k).weather
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for first in range(0, len(parameters), _BATCH):
        some = parameters[first : first + _BATCH]
        runs = cells.model.simulate(some, weather, (*outputs, *pools))
        for name in names:
            if name in POOLS:
                values = sum(months.at_end(runs.series(pool)) for pool in POOLS[name])
            else:
                values = months.means(runs.series(name))
            parts[name].append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def each_shown(
    cells: Cells,
    posterior: xr.Dataset,
    status: xr.DataArray,
    show: Callable[[int, np.ndarray], dict[str, np.ndarray]],
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the number of each cell that has members, and what these show.

    Parameters
    ----------
    cells, posterior
        The cells; their ``parameters`` (member, location, parameter), NaN where there are none.
    status
        (location,); where the model has no finite result it is made to say so.
    show
        Returns what is shown by variable, from a cell's number and its members' parameters.
    """
    parameters = posterior["parameters"].sel(parameter=cells.model.parameter_names).to_numpy()
    for k in range(len(cells)):
        own = parameters[:, k].astype(float)
        if not np.isfinite(own).all():
            continue
        shown = show(k, own)
        wrong = [name for name, values in shown.items() if not np.isfinite(values).all()]
        if wrong:
            status[k] = FAILED
            log.warning("%s: no finite result for %s", cells.names[k], ", ".join(wrong))
            continue
        yield k, shown


def attributes(name: str) -> dict[str, str]:
    """Return units and names of a variable, as the standards have them."""
    if name in STREAMS:
        return STREAMS[name].attributes()
    return {"units": "g m-2", "long_name": _POOL_NAMES[name]}


def statistics(members: np.ndarray) -> dict[str, np.ndarray]:
    """Return mean, standard deviation and quantiles (month,) of members (member, month)."""
    ranked = np.sort(members.T, axis=1)  # months in rows: several times as fast as np.quantile
    found = {}
    for name, share in QUANTILES.items():
        whole, part = divmod(share * (len(members) - 1), 1.0)
        low, high = ranked[:, int(whole)], ranked[:, min(int(whole) + 1, len(members) - 1)]
        found[name] = low + part * (high - low)
    return {"mean": members.mean(axis=0), "sd": members.std(axis=0, ddof=1), **found}


class RegionSums:
    """Sums over the cells of regions, member by member, in whole grams of carbon.

    Whole numbers add up to the same sum in any order, so that it does not matter how a map is
    tiled. A cell's share is its flux or pool times its area of land; 64 bits hold the carbon of
    the globe.

    Parameters
    ----------
    names
        Variables.
    members, months
        How many members there are, and the months.
    """

    def __init__(self, names: Sequence[str], members: int, months: Months) -> None:
        self.names = [name for name in names if name in SUMMED]
        self._shape = (members, len(months.starts))
        self._months = months
        self._sums: dict[tuple[str, str], dict[str, np.ndarray]] = {}
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}

    def masses(self, shown: Mapping[str, np.ndarray], area: float) -> dict[str, np.ndarray]:
        """Return whole grams (member, month) of a cell with an area of land (m2)."""
        return {
            name: np.rint(
                shown[name] * area * (self._months.days if name in FLUXES else 1.0)
            ).astype(np.int64)
            for name in self.names
        }

    def add(
        self, regions: Iterable[tuple[str, str]], masses: Mapping[str, np.ndarray], area: float
    ) -> None:
        """Add the masses of a cell to its regions, each a kind and a name."""
        for region in regions:
            sums = self._sums.setdefault(
                region, {name: np.zeros(self._shape, np.int64) for name in self.names}
            )
            for name, mass in masses.items():
                sums[name] += mass
            size, count = self._sizes.get(region, (0, 0))
            self._sizes[region] = size + round(area), count + 1

    def dataset(self) -> xr.Dataset:
        """Return the sums: each variable (member, region, time), with what regions there are."""
        regions = sorted(self._sums, key=lambda region: (KINDS.index(region[0]), region[1]))
        members, times = self._shape
        variables = {
            name: (
                ("member", "region", "time"),
                np.stack([self._sums[region][name] for region in regions], axis=1)
                if regions
                else np.zeros((members, 0, times), np.int64),
                {
                    "units": "g",
                    "long_name": f"{attributes(name)['long_name']}, summed over the region",
                    "comment": "of the month" if name in FLUXES else "at the end of the month",
                },
            )
            for name in self.names
        }
        sizes = [self._sizes[region] for region in regions]
        coords = {
            "kind": ("region", np.array([kind for kind, _ in regions], dtype=object)),
            "region_name": ("region", np.array([name for _, name in regions], dtype=object)),
            "area_m2": ("region", np.array([size for size, _ in sizes], dtype=np.int64)),
            "cells": ("region", np.array([count for _, count in sizes], dtype=np.int64)),
            "time": self._months.starts,
        }
        return xr.Dataset(variables, coords)


def regions_of(land: xr.Dataset, k: int) -> list[tuple[str, str]]:
    """Return the regions of a cell, each a kind and a name; kinds that are unknown are left out."""
    named = {kind: str(land[kind][k].item()) for kind in KINDS[1:] if kind in land}
    return [("all", "all"), *((kind, name) for kind, name in named.items() if name)]


def land_area(land: xr.Dataset, k: int) -> float:
    """Return the area of land (m2) of a cell."""
    share = float(land["land_fraction"][k]) if "land_fraction" in land else 1.0
    return float(land["cell_area"][k]) * share


@dataclass(frozen=True)
class Projected:
    """What the members of a tile's cells say.

    ``monthly`` and ``annual`` have each of :data:`VARIABLES` by its statistics, (location, time),
    NaN where there are no members, or the model has no finite result for one; ``status``; what the
    land is like. ``sums`` are as :meth:`RegionSums.dataset` has them, with the standard deviations
    of the annual masses of each cell.
    """

    monthly: xr.Dataset
    annual: xr.Dataset
    sums: xr.Dataset


class Pieces(Protocol):
    """Adds up members over pieces of regions, as :class:`concerto.projection.pieces.PieceSums`."""

    def add(
        self, location: str, shown: Mapping[str, np.ndarray], start: Mapping[str, np.ndarray]
    ) -> None:
        """Add a cell: what its members show by month, and their pools at the start."""


def project_tile(cells: Cells, posterior: xr.Dataset, pieces: Pieces | None = None) -> Projected:
    """Return statistics of cells, and sums over their regions.

    Parameters
    ----------
    cells
        The cells of a tile, which may be none.
    posterior
        Their ``parameters`` (member, location, parameter), NaN where there are none, ``status``.
    pieces
        What adds up members besides, with what disturbances emit and carry away.
    """
    months = Months.of(cells.drivers.indexes["time"])
    names = available(cells.model)
    more = [] if pieces is None else _disturbed(cells)
    members = posterior.sizes["member"]
    sums = RegionSums(names, members, months)
    monthly = _no_values(names, len(cells), len(months.starts))
    yearly = _no_values(names, len(cells), len(months.years))
    spread = {name: np.full((len(cells), len(months.whole_years)), np.nan) for name in sums.names}
    status = posterior["status"].copy()
    for k, shown in each_shown(
        cells, posterior, status, lambda k, own: project_cell(cells, k, own, months, more)
    ):
        if pieces is not None:
            start = _pools_at_start(cells, k, posterior)
            pieces.add(str(cells.names[k]), shown, start)
        for name in names:
            values = shown[name]
            by_year = months.at_year_end if name in POOLS else months.year_means
            for found, members_of in ((monthly, values), (yearly, by_year(values))):
                for kind, values_of_kind in statistics(members_of).items():
                    found[name, kind][k] = values_of_kind
        area = land_area(cells.land, k)
        masses = sums.masses(shown, area)
        sums.add(regions_of(cells.land, k), masses, area)
        for name, mass in masses.items():
            every = [annual(name, mass[:, year]) for year in months.whole_years.values()]
            spread[name][k] = np.std(every, axis=1, ddof=1) if every else []
    table = sums.dataset().assign(
        {f"{name}_annual_sd": (("location", "year"), values) for name, values in spread.items()}
    )
    place = {name: cells.drivers[name] for name in ("location", "lat", "lon")}
    kinds = {kind: cells.land[kind] for kind in KINDS[1:] if kind in cells.land}
    table = table.assign_coords(**place, **kinds, year=list(months.whole_years))
    ends_of_months = months.starts + MONTH
    last = np.append(months.years[1:], len(months.starts)) - 1
    return Projected(
        _described(monthly, "month", months.starts, ends_of_months, cells, status),
        _described(
            yearly, "year", months.starts[months.years], ends_of_months[last], cells, status
        ),
        table,
    )


def _disturbed(cells: Cells) -> list[str]:
    """Return what disturbances cause that the cells have: where there is none, none is asked for.

    A model that reports another set of outputs is compiled anew.
    """
    return [
        flux
        for flux, driver in _DISTURBERS.items()
        if flux in cells.model.outputs and (cells.drivers[driver] > 0.0).any()
    ]


def _pools_at_start(cells: Cells, k: int, posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the sums of pools (member,) from which the members of a cell start, g m-2."""
    parameters = posterior["parameters"].sel(parameter=cells.model.parameter_names)
    own = parameters.isel(location=k).to_numpy().astype(float)
    start = cells.model.initial_pools(own, cells.forcing(k).weather)
    known = cells.model.pools
    return {
        name: start[:, [known.index(pool) for pool in POOLS[name]]].sum(axis=1)
        for name in available(cells.model)
        if name in POOLS
    }


def annual(name: str, monthly: np.ndarray) -> np.ndarray:
    """Return the year's total (..., ) of masses (..., month): the sum, or of pools the last."""
    return monthly.sum(axis=-1) if name in FLUXES else monthly[..., -1]


def _no_values(names: Sequence[str], cells: int, times: int) -> dict[tuple[str, str], np.ndarray]:
    return {
        (name, kind): np.full((cells, times), np.nan, np.float32)
        for name in names
        for kind in STATISTICS
    }


def _described(
    found: Mapping[tuple[str, str], np.ndarray],
    period: str,
    starts: pd.DatetimeIndex,
    ends_of: pd.DatetimeIndex,
    cells: Cells,
    status: xr.DataArray,
) -> xr.Dataset:
    """Return statistics of months or years with what a file says of them."""
    words = {"mean": "mean", "sd": "standard deviation"} | {
        kind: f"{100 * share:g} % quantile" for kind, share in QUANTILES.items()
    }
    variables = {}
    for (name, kind), values in found.items():
        described = attributes(name)
        of = "at the end" if name in POOLS else "mean"
        described["long_name"] += f", {of} of the {period}: {words[kind]} over the members"
        if kind != "mean":
            described.pop("standard_name", None)
        described["cell_methods"] = "time: point" if name in POOLS else "time: mean"
        variables[f"{name}_{kind}"] = (("location", "time"), values, described)
    land = {
        name: cells.land[name]
        for name in ("cell_area", "land_fraction", "country", "igbp", "koppen")
        if name in cells.land
    }
    bounds = np.stack([starts.to_numpy(), ends_of.to_numpy()], axis=1)
    return xr.Dataset(
        {**variables, **land, "status": status, "time_bnds": (("time", "bnds"), bounds)},
        coords={
            **{name: cells.drivers[name] for name in ("location", "lat", "lon")},
            "time": ("time", starts, {"standard_name": "time", "bounds": "time_bnds"}),
        },
    )
