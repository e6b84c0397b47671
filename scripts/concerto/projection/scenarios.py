"""Posterior members into years to come, under scenarios of climate and land use.

Every member goes on from its own state at the end of the record, with its own parameters, through
the same weather and the same transitions as all others; member k of two scenarios differs by the
scenario alone, so that differences between scenarios are paired. What is uncertain here is what
parameters, states and areas leave open; the model's own error is drawn apart
(:func:`annual_errors`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from concerto import units
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.stream_error import draw_innovations
from concerto.cubes import calendar
from concerto.domain import DISTURBANCES
from concerto.errors import InputError
from concerto.landuse.areas import areas_of
from concerto.landuse.covers import Rules
from concerto.landuse.growth import SUMMED, Kernel, pools_of_land
from concerto.landuse.levers import Ground, LandUse, alike, disturbed, transitions_of
from concerto.landuse.run import FLUXES, STOCKS, Land, advance
from concerto.models import Model, Weather

VARIABLES = (*FLUXES, *STOCKS)
LANDS = ("shares", "age")
"""Of each cover, (year, cell, member, cover)."""
_NAMES = {
    "nbp": "net biome production: what land and products gain",
    "nee": "net ecosystem exchange, with the decay of slash, positive to the atmosphere",
    "gpp": "gross primary production",
    "gross_source": "gross source by land use: clearing, decay of slash and products, soil legacy",
    "regrowth_sink": "net uptake of land that grows back",
    "clearing": "vegetation that is burned when land is cleared",
    "slash_decay": "decay of woody slash",
    "product_decay": "decay of products of wood and crops",
    "soil_legacy": "loss of litter and soil under covers that replaced others",
    "harvest": "wood and crops carried away",
    "fire": "emission by fires",
    "vegetation": "living plants, at the end of the year",
    "litter": "litter and slash, at the end of the year",
    "soil": "soil organic matter, at the end of the year",
    "wood_products": "products of wood and crops, at the end of the year",
}


@dataclass(frozen=True)
class Drive:
    """Drivers of cells over an axis, in the model's units.

    ``columns`` (cell, time) by driver; ``latitude``, ``elevation`` (cell,).
    """

    model: Model
    columns: Mapping[str, np.ndarray]
    time: pd.DatetimeIndex
    latitude: np.ndarray
    elevation: np.ndarray

    @classmethod
    def of(cls, model: Model, drivers: xr.Dataset, elevation: np.ndarray, file: object) -> Drive:
        """Return the drivers of a cube (location, time).

        Raises
        ------
        InputError
            If a unit does not convert to the model's.
        """
        columns = {
            name: units.convert(
                drivers[name].to_numpy().astype(float), drivers[name].attrs["units"], unit,
                file=file, field=name,
            )
            for name, unit in model.drivers.items()
        }  # fmt: skip
        latitude = drivers["lat"].to_numpy().astype(float)
        return cls(model, columns, drivers.indexes["time"], latitude, elevation)

    @cached_property
    def clock(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Length of a step (d); day of year and days in the year (time,)."""
        return calendar(self.time)

    @property
    def days(self) -> float:
        """Length of a step, d."""
        return self.clock[0]

    @property
    def complete(self) -> np.ndarray:
        """Which cells (cell,) have all drivers at all times."""
        return np.all([np.isfinite(v).all(axis=1) for v in self.columns.values()], axis=0)

    def select(self, cells: np.ndarray) -> Drive:
        """Return some cells."""
        columns = {name: values[cells] for name, values in self.columns.items()}
        return Drive(self.model, columns, self.time, self.latitude[cells], self.elevation[cells])

    def weather(self, disturbance: Mapping[str, np.ndarray] | None = None) -> Weather:
        """Return the weather of all cells, with other disturbances (cell, time) if there are."""
        step, day, length = self.clock
        columns = {**self.columns, **(disturbance or {})}
        cells, times = next(iter(columns.values())).shape
        found = self.model.prepare_weather(
            {name: values.ravel() for name, values in columns.items()},
            np.tile(day, cells), np.tile(length, cells), step,
            np.repeat(self.latitude, times), np.repeat(self.elevation, times),
        )  # fmt: skip
        return Weather(found.values.reshape(cells, times, -1), found.daily)

    def weather_of(self, use: LandUse, covers: int) -> list[Weather]:
        """Return the weather of each cover, which is remembered; covers managed alike share it."""
        known = self.__dict__.setdefault("_known", {})
        if (use.name, covers) not in known:
            known[use.name, covers] = self._weather_of(use, covers)
        return known[use.name, covers]

    def _weather_of(self, use: LandUse, covers: int) -> list[Weather]:
        rates = {name: self.columns[name] for name in DISTURBANCES}
        years, length = self.time.year.to_numpy(), self.clock[2]
        firsts = alike(use, covers)
        known = {
            first: self.weather(disturbed(use, first, years, rates, length))
            for first in dict.fromkeys(firsts)
        }
        return [known[first] for first in firsts]

    @property
    def years(self) -> list[int]:
        """Calendar years, all of them whole."""
        return list(range(self.time[0].year, self.time[-1].year + 1))

    @property
    def steps(self) -> np.ndarray:
        """First step of each year, and the end of the last (year + 1,)."""
        starts = np.searchsorted(self.time.year.to_numpy(), self.years)
        return np.append(starts, len(self.time))


@dataclass(frozen=True)
class Members:
    """Posterior members of cells at the end of the record.

    ``parameters`` (cell, member, parameter), ``pools`` (cell, member, pool) in the order of land,
    ``factors`` (member,) of the areas of transitions.
    """

    parameters: np.ndarray
    pools: np.ndarray
    factors: np.ndarray

    @classmethod
    def after(cls, record: Drive, parameters: np.ndarray, factors: np.ndarray) -> Members:
        """Run the members over the record."""
        cells, members, _ = parameters.shape
        flat = parameters.reshape(cells * members, -1)
        runs = record.model.simulate(flat, record.weather(), (), SUMMED)
        pools = pools_of_land(record.model, runs.final_pools)
        return cls(parameters, pools.reshape(cells, members, -1), factors)

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.factors)

    def first(self, count: int) -> Members:
        """Return the first members, at most as many as there are."""
        few = slice(0, count)
        return Members(self.parameters[:, few], self.pools[:, few], self.factors[few])

    def crossed(self, count: int) -> Members:
        """Return the states of ``count`` members, each with the parameters of each of these.

        Members are ordered by state, then by parameters; areas are those stated.
        """
        few = slice(0, count)
        return Members(
            np.tile(self.parameters[:, few], (1, count, 1)),
            np.repeat(self.pools[:, few], count, axis=1),
            np.ones(count * count),
        )


@dataclass(frozen=True)
class Combined:
    """NBP for the analysis of variance.

    ``members`` (year, cell, member) by climate and land use; ``crossed`` (year, cell, member) of
    one climate and land use, its members those of :meth:`Members.crossed`.
    """

    climates: Sequence[str]
    land_uses: Sequence[str]
    members: Sequence[Sequence[np.ndarray]]
    crossed: np.ndarray


@dataclass(frozen=True)
class Plan:
    """A scenario of land use for cells: ``states`` (cell, cover) at its start, and transitions."""

    use: LandUse
    states: np.ndarray
    transitions: np.ndarray

    @classmethod
    def of(
        cls, use: LandUse, rules: Rules, years: Sequence[int], ground: Ground, origin: object,
        supplied: xr.Dataset | None = None,
    ) -> Plan:  # fmt: skip
        """Return the plan of a scenario, checked.

        Parameters
        ----------
        use, rules, years, ground
            The scenario, the covers, the years and the cells.
        origin
            Where it comes from, for messages.
        supplied
            ``states`` (location, cover) and ``transitions`` (year, location, from_cover, to_cover),
            as LUH2-type data have them; in place of levers, which begin with nothing but the first
            cover.

        Raises
        ------
        InputError
            If areas are impossible, or what is supplied has not all years, cells or covers.
        """
        if supplied is None:
            states = np.zeros((len(ground.names), len(rules.covers)))
            states[:, 0] = 1.0
            transitions = transitions_of(use, states, years, ground)
        else:
            states, transitions = _supplied(supplied, rules, years, ground, origin)
        areas_of(states, transitions, years, rules.names, ground.names, origin)
        return cls(use, states, transitions)


def _supplied(
    supplied: xr.Dataset, rules: Rules, years: Sequence[int], ground: Ground, origin: object
) -> tuple[np.ndarray, np.ndarray]:
    for axis, wanted in (
        ("year", list(years)), ("location", list(ground.names)), ("cover", rules.names),
    ):  # fmt: skip
        found = supplied[axis].to_numpy().tolist() if axis in supplied.coords else []
        lacking = [name for name in wanted if name not in found]
        if lacking:
            raise InputError(
                origin, axis, f"no {lacking[0]} ({len(lacking)} lacking)",
                f"all of {wanted[0]} to {wanted[-1]}",
            )  # fmt: skip
    chosen = supplied.sel(location=list(ground.names), year=list(years))
    states = chosen["states"].sel(cover=rules.names).transpose("location", "cover")
    found = chosen["transitions"].sel(from_cover=rules.names, to_cover=rules.names)
    order = ("year", "location", "from_cover", "to_cover")
    return states.to_numpy().astype(float), found.transpose(*order).to_numpy().astype(float)


def project(
    members: Members,
    drive: Drive,
    plan: Plan,
    rules: Rules,
    names: Sequence[str] = (*VARIABLES, *LANDS),
    start: Land | None = None,
    until: int | None = None,
) -> tuple[Land, dict[str, np.ndarray]]:
    """Run members through a scenario.

    Parameters
    ----------
    members, drive, plan, rules
        The members at the end of the record, the drivers after it, the land's use, the covers.
    names
        Variables to keep, of ``VARIABLES`` and ``LANDS``.
    start
        Where to go on from, the start of the scenario if left out.
    until
        Number of the year before which to stop, all if left out. A run that is stopped and goes on
        is the whole run, to the last bit.

    Returns
    -------
    land, series
        The land at the end; (year, cell, member, ...) of each name.
    """
    weather = drive.weather_of(plan.use, len(rules.covers))
    growth = Kernel(drive.model, members.parameters, rules, weather, drive.steps, drive.days)
    land = start or Land.undivided(plan.states, members.pools)
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for year in range(land.year, len(drive.years) if until is None else until):
        land, fluxes = advance(land, growth, plan.transitions[year], rules, members.factors)
        known = {**fluxes, **land.stocks(), "shares": land.shares, "age": land.age}
        for name in names:
            found[name].append(known[name])
    return land, {name: np.stack(values) for name, values in found.items()}


def annual_errors(
    statement: ErrorStatement, factors: np.ndarray | float, time: pd.DatetimeIndex,
    members: int, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Return draws (member, year) of the model's error of NEE, gC m-2 yr-1.

    The errors stated for the record, taken to be the same in all years to come. They are known from
    a few years of one place, forget within months, and have a mean of zero: they say nothing of a
    bias that lasts.

    Parameters
    ----------
    statement
        The errors stated for the site, those of NEE among them.
    factors
        (member,) of all its errors.
    time
        Steps of whole years.
    members, rng
        How many draws, and from what.
    """
    step, day, length = calendar(time)
    innovations = draw_innovations(np.eye(1), members, len(time), rng)[0]
    drawn = statement.stream_errors["nee"].draw(day / length, step, innovations)
    years = time.year.to_numpy()
    starts = np.flatnonzero(np.diff(years, prepend=years[0] - 1))
    return np.asarray(factors)[..., None] * step * np.add.reduceat(drawn, starts, axis=1)


def described(name: str) -> dict[str, str]:
    """Return units and words of a variable, in which the mass is that of carbon."""
    if name in STOCKS:
        return {"units": "g m-2", "long_name": f"{_NAMES[name]}, as carbon"}
    return {"units": "g m-2 yr-1", "long_name": f"{_NAMES[name]}, as carbon, of the year"}


def outcome_dataset(
    posterior: xr.Dataset,
    kept: np.ndarray,
    years: Sequence[int],
    rules: Rules,
    cases: Mapping[str, Mapping[str, np.ndarray]],
    combined: Combined,
    errors: np.ndarray | None = None,
    held: Mapping[str, np.ndarray] | None = None,
) -> xr.Dataset:
    """Return what members did as a dataset, NaN at locations without members.

    Parameters
    ----------
    posterior
        Whose locations they are.
    kept
        (location,) which of them have members.
    years, rules
        The calendar years, the covers.
    cases
        Of each case the variables (year, cell, member), shares and age (year, cell, member, cover).
    combined
        NBP of all climates with all land uses, and of states with the parameters of others.
    errors
        (member, year) of NEE, at the only location.
    held
        (cell, member) of each of ``STOCKS``, at the start of all cases.

    Returns
    -------
    xarray.Dataset
        Each of ``VARIABLES`` (scenario, member, location, year); ``cover_share`` and ``cover_age``
        (scenario, location, year, cover), means over members; ``STOCK_start`` (member, location) of
        what was held; ``nbp_combined`` (climate, land_use,
        one, location, year), ``nbp_crossed`` (state, parameters, location, year); ``nee_error``
        (member, location, year) if there are errors.
    """
    cells = np.flatnonzero(kept)
    locations = len(kept)

    def placed(values: np.ndarray, axis: int) -> np.ndarray:
        shape = list(values.shape)
        shape[axis] = locations
        out = np.full(shape, np.nan, np.float32)
        out[(slice(None),) * axis + (cells,)] = values
        return out

    names = list(cases)
    variables = {
        name: (
            ("scenario", "member", "location", "year"),
            placed(np.stack([cases[case][name] for case in names]).transpose(0, 3, 2, 1), 2),
            described(name),
        )
        for name in VARIABLES
    }
    for name, unit, words in (
        ("share", "1", "share of the cell under the cover in the year"),
        ("age", "year", "mean years since land came under the cover, at the end of the year"),
    ):
        of = {"share": "shares", "age": "age"}[name]
        means = np.stack([cases[case][of].mean(axis=2) for case in names]).transpose(0, 2, 1, 3)
        variables[f"cover_{name}"] = (
            ("scenario", "location", "year", "cover"),
            placed(means, 1),
            {"units": unit, "long_name": f"{words}, mean over the members"},
        )
    for name, values in (held or {}).items():
        variables[f"{name}_start"] = (
            ("member", "location"),
            placed(values.T, 1),
            {"units": "g m-2", "long_name": f"{_NAMES[name].partition(',')[0]}, at the start"},
        )
    every = np.array(combined.members)  # climate, land use, year, cell, member
    variables["nbp_combined"] = (
        ("climate", "land_use", "one", "location", "year"),
        placed(every.transpose(0, 1, 4, 3, 2), 3),
        described("nbp"),
    )
    side = math.isqrt(combined.crossed.shape[-1])
    crossed = combined.crossed.reshape(*combined.crossed.shape[:-1], side, side)
    variables["nbp_crossed"] = (
        ("state", "parameters", "location", "year"),
        placed(crossed.transpose(2, 3, 1, 0), 2),
        described("nbp"),
    )
    if errors is not None:
        variables["nee_error"] = (
            ("member", "location", "year"),
            errors[:, None].astype(np.float32),
            {"units": "g m-2 yr-1", "long_name": "draw of the model's error of NEE, as carbon"},
        )
    return xr.Dataset(
        variables,
        coords={
            **{name: posterior[name] for name in ("location", "lat", "lon")},
            "scenario": names,
            "year": list(years),
            "cover": rules.names,
            "climate": list(combined.climates),
            "land_use": list(combined.land_uses),
        },
    )
