"""Cells of a map: the problem of each, and what became of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType

import numpy as np
import xarray as xr
import yaml

from concerto.assimilation.location import (
    Clock,
    ErrorStatement,
    Location,
    forcing,
    location_problem,
    observed_streams,
)
from concerto.assimilation.prior import Prior, around, columns_told, told
from concerto.assimilation.problem import Forcing, Problem
from concerto.assimilation.random_field import RandomField
from concerto.assimilation.settling import Start
from concerto.cubes import (
    DRIVERS_OF_CELLS,
    FLAGS,
    LAND_AREA,
    OBSERVATIONS_EITHER,
    flag_of,
    load,
    read_cube,
    reading,
    span,
)
from concerto.errors import ConcertoError, InputError
from concerto.maps import STATUS, MapGrid
from concerto.models import Model, load_model
from concerto.seeds import generator

log = logging.getLogger(__name__)

CONVERGED, NOT_CONVERGED, NO_OBSERVATION, DRIVERS_MISSING, FAILED = range(5)
_LOGARITHMIC = ("sd_fast", "tau_fast", "sd_slow", "tau_slow", "observation_factor")


@dataclass(frozen=True)
class Cells:
    """Cubes of some cells of a map, and what of them is asked.

    ``entry`` is the map's part of the configuration, ``classes`` the content of its file of priors,
    ``taught`` what other places taught of the cells' parameters, if anything.
    """

    model: Model
    drivers: xr.Dataset
    observations: xr.Dataset
    land: xr.Dataset
    entry: Mapping
    origin: str
    classes: Mapping = field(default_factory=dict)
    taught: xr.Dataset | None = None

    def __len__(self) -> int:
        return self.drivers.sizes["location"]

    @property
    def names(self) -> list[str]:
        """Names of the cells."""
        return [str(name) for name in self.drivers["location"].to_numpy()]

    @property
    def common_prior(self) -> Prior:
        """The prior of the model's parameters where no class of land has its own."""
        return Prior(self.model.parameters, self.origin)

    def observed(self, k: int) -> list[str]:
        """Return the streams of which a cell has a value that is not set aside."""
        return [
            name
            for name in self.entry["streams"]
            if name in self.observations
            and np.isfinite(self.observations[name][k].to_numpy()).any()
            and not set_aside(self.observations, name, self.entry)[k]
        ]

    def driven(self, k: int) -> bool:
        """Return whether a cell has all drivers that the model needs, at all times."""
        return all(
            np.isfinite(self.drivers[name][k].to_numpy()).all() for name in self.model.drivers
        )

    def prior(self, k: int) -> Prior:
        """Return the prior of a cell: as it was taught, or with what its class of land has."""
        centre = self._taught_centre(k)
        if centre is not None:
            return told(self.common_prior, centre, self.taught["spread"].to_numpy())
        own = {}
        if self.classes:
            own = self.classes["classes"].get(str(self.land[self.classes["by"]][k].item()), {})
        parameters = [
            replace(parameter, prior="log-normal", **own[parameter.name])
            if parameter.name in own
            else parameter
            for parameter in self.model.parameters
        ]
        return Prior(parameters, self.origin)

    def draw_prior(self, k: int, members: int, rng: np.random.Generator) -> np.ndarray:
        """Return draws (member, parameter) of a cell's prior, correlated as it was taught."""
        prior = self.prior(k)
        z = prior.draw(members, rng)
        if self._taught_centre(k) is not None:
            z = z @ np.linalg.cholesky(self.taught["correlation"].to_numpy()).T
        return prior.parameters_of(z)

    def _taught_centre(self, k: int) -> np.ndarray | None:
        """Return what a cell was taught of its parameters (parameter,), None if nothing."""
        if self.taught is None:
            return None
        centre = self.taught["centre"].sel(location=self.names[k]).to_numpy()
        return centre if np.isfinite(centre).all() else None

    def forcing(self, k: int) -> Forcing:
        """Return what drives a cell."""
        height = float(self.land["elevation"][k])
        own = self._driving.isel(location=slice(k, k + 1))
        return forcing(own, self.model, self.origin, height, self._clock)

    @cached_property
    def _clock(self) -> Clock:
        return Clock.of(self.drivers.indexes["time"])

    @cached_property
    def _driving(self) -> xr.Dataset:
        return self.drivers[[name for name in self.model.drivers if name in self.drivers]]

    def location(self, k: int) -> Location:
        """Return all that is known of a cell, of those streams that it has."""
        observations = self.observations.isel(location=slice(k, k + 1))
        return Location(
            model=self.model,
            prior=self.prior(k),
            forcing=self.forcing(k),
            streams=observed_streams(
                observations, self.observed(k), self.entry.get("training", {}), self.origin
            ),
            observations=observations,
        )

    def problem(self, k: int, statement: ErrorStatement, constraints: Sequence[str]) -> Problem:
        """Return the problem that a cell poses, under what is stated of all streams."""
        location, said = self.location(k), of_streams(statement, self.observed(k))
        return location_problem(location, scaled(said, self.sizes(location)), constraints)

    def sizes(self, location: Location) -> dict[str, float]:
        """Return what a location's model errors are stated in, by stream.

        That is the root of the mean square of what is assimilated of it, where the errors of
        streams are ``relative``, else 1.
        """
        if not self.entry.get("relative_errors", False):
            return {stream.name: 1.0 for stream in location.streams}
        return {
            stream.name: float(np.sqrt(np.nanmean(stream.values**2))) for stream in location.streams
        }


def open_cells(
    model_files: Sequence[Path],
    cubes: Mapping[str, Path],
    entry: Mapping,
    which: np.ndarray | None = None,
    classes: Path | None = None,
    taught: Path | None = None,
) -> Cells:
    """Read the cubes of some cells of a map, all if ``which`` is left out.

    Parameters
    ----------
    model_files
        Files that describe the model.
    cubes
        Files of ``drivers``, ``observations`` and ``land``.
    entry
        The map's part of the configuration.
    which
        Numbers of the cells among the cubes' locations.
    classes
        File of priors by class of land, if there is one.
    taught
        File of what other places taught of the parameters, if there is one.

    Raises
    ------
    InputError
        If a cube is not what it should be, their locations or times differ, or the land's has no
        elevation or not the classes.
    """
    schemas = {"drivers": DRIVERS_OF_CELLS, "observations": OBSERVATIONS_EITHER, "land": LAND_AREA}
    found = {what: read_cube(cubes[what], schemas[what], which) for what in schemas}
    drivers, observations, land = found.values()
    expected, times = drivers.indexes["time"], observations.indexes["time"]
    if not times.equals(expected):
        raise InputError(cubes["observations"], "time", span(times), f"drivers' {span(expected)}")
    for what in ("observations", "land"):
        if not found[what].indexes["location"].equals(drivers.indexes["location"]):
            raise InputError(cubes[what], "location", "others", f"those of {cubes['drivers']}")
    if "elevation" not in land:
        raise InputError(cubes["land"], "elevation", "no such variable", "heights of cells, m")
    described = yaml.safe_load(classes.read_text(encoding="utf-8")) if classes else {}
    if described and described["by"] not in land:
        expected = f"classes for {classes}"
        raise InputError(cubes["land"], described["by"], "no such variable", expected)
    origin = str(cubes["drivers"])
    model = load_model(model_files)
    told_of = _read_taught(taught, model, drivers) if taught else None
    return Cells(model, drivers, observations, land, entry, origin, described, told_of)


def _read_taught(file: Path, model: Model, drivers: xr.Dataset) -> xr.Dataset:
    """Return what cells were taught of the parameters of a model."""
    found = load(file)
    names = found["parameter"].to_numpy().tolist()
    if names != list(model.parameter_names):
        raise InputError(file, "parameter", ", ".join(names), ", ".join(model.parameter_names))
    missing = set(drivers["location"].to_numpy()) - set(found["location"].to_numpy())
    if missing:
        raise InputError(file, "location", f"none of {', '.join(sorted(missing))}", "all cells")
    return found


def set_aside(observations: xr.Dataset, stream: str, entry: Mapping) -> np.ndarray:
    """Return of which cells (location,) a stream is doubted so much that it is not used.

    ``entry`` says under ``set_aside`` which of :data:`concerto.cubes.FLAGS` are enough for that.
    """
    flags = observations.get(flag_of(stream))
    if flags is None:
        return np.zeros(observations.sizes["location"], bool)
    doubts = [FLAGS.index(name) for name in entry.get("set_aside", ())]
    return np.isin(flags.to_numpy(), doubts)


def cells_of_tile(entry: Mapping, grid: MapGrid | None, tile: str, cube: Path) -> np.ndarray:
    """Return the numbers of the locations of a cube that lie in a tile.

    Parameters
    ----------
    entry, grid
        Configuration and grid of a map; of towers, which lie on no grid, ``entry`` says how many
        ``batches`` they are dealt to in turn.
    tile
        Name of the tile, such as ``r0c1`` or, of a batch, ``b0``.
    cube
        A file with all locations.
    """
    with reading(cube), xr.open_dataset(cube, engine="netcdf4") as ds:
        if grid is None:
            return np.arange(int(tile.removeprefix("b")), ds.sizes["location"], entry["batches"])
        places = ds["lat"].to_numpy(), ds["lon"].to_numpy()
        return grid.cells_in(tile, entry["tile_size"], *places)


def sample(model: Model, cubes: Mapping[str, Path], entry: Mapping) -> np.ndarray:
    """Return the numbers of cells with all drivers and streams, evenly among these.

    As many as ``errors_from_cells`` of the map's ``entry``, or all that there are. One variable is
    in memory at a time, for maps may be large.

    Raises
    ------
    ConcertoError
        If there is none.
    """
    wanted = {"drivers": (list(model.drivers), np.all), "observations": (entry["streams"], np.any)}
    able = []
    for what, (names, enough) in wanted.items():
        with xr.open_dataset(cubes[what], engine="netcdf4") as cube:
            able += [
                enough(np.isfinite(cube[name].to_numpy()), axis=1) & ~set_aside(cube, name, entry)
                if name in cube
                else np.zeros(cube.sizes["location"], bool)
                for name in names
            ]
    whole = np.flatnonzero(np.all(able, axis=0))
    if not len(whole):
        raise ConcertoError(f"{cubes['drivers']}: found no cell with all drivers and streams")
    count = min(entry["errors_from_cells"], len(whole))
    return whole[((np.arange(count) + 0.5) * len(whole) / count).astype(int)]


def of_countries(cells: Cells, names: Sequence[str]) -> np.ndarray:
    """Return the numbers of the cells of some countries, those with all drivers and streams.

    Raises
    ------
    ConcertoError
        If a country has none.
    """
    countries = cells.land["country"].to_numpy().astype(str)
    found = {name: [k for k in _whole(cells) if countries[k] == name] for name in names}
    if not all(found.values()):
        empty = ", ".join(name for name, own in found.items() if not own)
        known = ", ".join(dict.fromkeys(countries[_whole(cells)]))
        raise ConcertoError(
            f"{cells.origin}: found no cell of {empty} with all drivers and streams; "
            f"expected some of {known}"
        )
    return np.sort(np.concatenate([*found.values()]))


def _whole(cells: Cells) -> list[int]:
    """Return the numbers of the cells with all drivers and streams."""
    return [
        k
        for k in range(len(cells))
        if len(cells.observed(k)) == len(cells.entry["streams"]) and cells.driven(k)
    ]


def pooled(statements: Sequence[ErrorStatement]) -> ErrorStatement:
    """Return the errors of all cells from those of some: medians, and the mean correlation.

    Of standard deviations, e-folding times and factors these are medians of logarithms. How large
    the errors of a single cell are beside these, its own inflation says where it is inferred.
    """
    errors = {}
    for name, first in statements[0].stream_errors.items():
        every = [statement.stream_errors[name] for statement in statements]
        typical = {
            key: float(np.exp(np.median(np.log([getattr(error, key) for error in every]))))
            for key in _LOGARITHMIC
        }
        typical |= {
            key: float(np.median([getattr(error, key) for error in every]))
            for key in ("cosine", "sine")
        }
        errors[name] = replace(first, **typical)
    correlation = np.mean([statement.correlation for statement in statements], axis=0)
    return ErrorStatement(errors, correlation)


def scaled(statement: ErrorStatement, sizes: Mapping[str, float]) -> ErrorStatement:
    """Return a statement whose model errors are so many times as large, by stream."""
    errors = {
        name: replace(
            error, sd_fast=error.sd_fast * sizes[name], sd_slow=error.sd_slow * sizes[name]
        )
        for name, error in statement.stream_errors.items()
    }
    return ErrorStatement(errors, statement.correlation)


def of_streams(statement: ErrorStatement, streams: Sequence[str]) -> ErrorStatement:
    """Return what a statement says of some of its streams."""
    known = list(statement.stream_errors)
    chosen = [known.index(name) for name in streams]
    return ErrorStatement(
        {name: statement.stream_errors[name] for name in streams},
        statement.correlation[np.ix_(chosen, chosen)],
    )


@dataclass(frozen=True)
class Solved:
    """What became of a cell: its number in :data:`concerto.maps.STATUS`, why, and its members.

    ``parameters`` (member, parameter) are NaN where there are none.
    """

    status: int
    reason: str
    parameters: np.ndarray


def assimilate_cells(
    cells: Cells,
    statement: ErrorStatement,
    constraints: Sequence[str],
    method: ModuleType,
    seed: int,
    label: str,
) -> Iterator[Solved]:
    """Learn the parameters of each cell by itself, from an ensemble that all cells share.

    Parameters
    ----------
    cells
        The cells.
    statement
        Errors of all streams.
    constraints
        Names of those switched on.
    method
        A method that takes the ensemble to start from.
    seed, label
        The run's seed and the map's name, from which all draws follow, whatever the tile.

    Yields
    ------
    Solved
        Of each cell in their order. One that fails does not stop the others.
    """
    prior = statement.prior(cells.common_prior)
    shared, budget = cells.entry["prior_field"], cells.entry["budget"]
    members = int(budget["members"])
    maps = RandomField(
        members, prior.size, shared["correlation_length_km"], shared["local_fraction"], seed, label
    )
    names = [parameter.name for parameter in prior.parameters]
    for k, name in enumerate(cells.names):
        nothing = np.full((members, len(names)), np.nan)
        if not cells.driven(k):
            yield Solved(DRIVERS_MISSING, "a driver has a gap", nothing)
            continue
        if not cells.observed(k):
            yield Solved(NO_OBSERVATION, "no stream has a value", nothing)
            continue
        try:
            problem = cells.problem(k, statement, constraints)
            own = [names.index(parameter.name) for parameter in problem.prior.parameters]
            start = maps.at(float(cells.drivers["lat"][k]), float(cells.drivers["lon"][k]), name)
            posterior = method.assimilate(
                problem,
                budget,
                generator(seed, "posterior", label, name),
                start=Start(
                    start[:, columns_told(prior, problem.prior)], generator(seed, "common", label)
                ),
            )
        except (ConcertoError, ArithmeticError, np.linalg.LinAlgError) as error:
            yield Solved(FAILED, str(error), nothing)
            continue
        parameters = nothing.copy()
        parameters[:, own] = problem.prior.to_parameters(posterior.unit)
        parameters = around(prior, parameters)
        yield Solved(
            CONVERGED if posterior.converged else NOT_CONVERGED, posterior.verdict, parameters
        )


def drawn_from_priors(cells: Cells, members: int, rng: np.random.Generator) -> xr.Dataset:
    """Return draws of each cell's prior in the form of a posterior, correlated as was taught.

    Returns
    -------
    xr.Dataset
        ``parameters`` (member, location, parameter) and ``status``; NaN and a status that says so
        where a driver has a gap.
    """
    drawn = np.full((members, len(cells), len(cells.model.parameters)), np.nan)
    status = np.full(len(cells), DRIVERS_MISSING, np.int8)
    for k in range(len(cells)):
        if cells.driven(k):
            own = cells.draw_prior(k, members, rng)
            drawn[:, k] = around(cells.common_prior, own)
            status[k] = CONVERGED
    return xr.Dataset(
        {
            "parameters": (("member", "location", "parameter"), drawn),
            "status": ("location", status),
        },
        {"location": cells.drivers["location"], "parameter": list(cells.model.parameter_names)},
    )


def describe(statuses: Sequence[int]) -> str:
    """Return how many cells became what, in words."""
    counts = np.bincount(np.asarray(statuses, int), minlength=len(STATUS))
    parts = (f"{n} {name.replace('_', ' ')}" for name, n in zip(STATUS, counts, strict=True) if n)
    return ", ".join(parts) or "no cells"
