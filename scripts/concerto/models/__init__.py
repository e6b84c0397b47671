"""Process models: what steps a location's state through time.

A model is one module here, with its step as a formula, and one file of parameters in
``config/models``. Both carry the model's name, and that is its registration. Its exchangeable parts
are :mod:`concerto.models.components`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import casadi as ca
import numpy as np
import yaml

from concerto import plugins
from concerto.errors import ConcertoError
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.lanes import (
    LANES,
    Loop,
    Placement,
    Pointwise,
    adjoint_driver,
    forward_driver,
    tangent_driver,
)
from concerto.models.kernels.stages import Stages, split
from concerto.models.kernels.steady import SteadyState, solve

CALENDAR = {
    "day_of_year": "d",
    "year_fraction": "1",
    "latitude": "degrees_north",
    "elevation": "m",
    "step": "d",
}
"""What every step knows besides its drivers: day 0.5 is noon of 1 January, a year runs to 1."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model, as its file in ``config/models`` gives it.

    ``origin`` is a bound below ``min`` near which the model changes fast: samplers then see the
    logarithm of the distance to it. It does not change the prior.
    """

    name: str
    unit: str
    min: float
    max: float
    prior: str
    description: str
    source: str
    median: float | None = None
    factor: float | None = None
    origin: float = 0.0
    mean: float | None = None
    sd: float | None = None


@dataclass(frozen=True, eq=False)
class Weather:
    """What a model's steps need of drivers and calendar: ``values`` (cell, time, variable).

    A cell is a place with weather of its own. ``daily`` says that every step is a day, which makes
    losses over a step simple rates.
    """

    values: np.ndarray
    daily: bool

    def __len__(self) -> int:
        return self.values.shape[1]

    def between(self, start: int, stop: int) -> Weather:
        """Return the steps from ``start`` on, before ``stop``."""
        return replace(self, values=np.ascontiguousarray(self.values[:, start:stop]))

    def for_lanes(self, place: Placement) -> np.ndarray:
        """Return the values as a time loop takes them; remembered where they are laid out anew."""
        if not place.mixed:
            return self.values
        known = self.__dict__.setdefault("_laid_out", {})
        if place not in known:
            known[place] = place.lay_out_weather(self.values)
        return known[place]


def side_by_side(cells: Sequence[Weather]) -> Weather:
    """Return the weather of several cells, over the same steps, as one."""
    return Weather(np.concatenate([cell.values for cell in cells]), cells[0].daily)


@dataclass(frozen=True)
class Trajectories:
    """What a batch of runs left behind, still in lanes.

    ``record`` (tile, time, output, lane) holds the outputs ``names``; ``totals`` (tile, output,
    lane) the sums over time of the outputs ``summed``; ``snapshots`` (tile, date, pool, lane) the
    pools before the steps ``dates``, and ``pools`` (tile, pool, lane) those at the end. ``path``
    (tile, time, pool, lane) holds the pools before every step if it was asked for. They were made
    from ``parameters`` (tile, parameter, lane) and the ``constants`` (tile, constant, lane) of all
    steps that follow from these.
    """

    placement: Placement
    names: tuple[str, ...]
    summed: tuple[str, ...]
    dates: tuple[int, ...]
    record: np.ndarray
    totals: np.ndarray
    snapshots: np.ndarray
    pools: np.ndarray
    path: np.ndarray
    parameters: np.ndarray
    constants: np.ndarray

    def series(self, name: str) -> np.ndarray:
        """Return the output ``name`` as (member, time)."""
        return self.placement.collect(self.record[:, :, self.names.index(name)])

    @property
    def final_pools(self) -> np.ndarray:
        """The pools at the end, (member, pool)."""
        return self.placement.collect(self.pools)


@dataclass(frozen=True, eq=False)
class Model:
    """A process model: its parameters, and how to run any number of parameter sets at once."""

    name: str
    parameters: tuple[Parameter, ...]
    code: ModuleType
    components: Mapping[str, ModuleType]
    prior_source: str = "stated in the model's files"

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the pools: the model's own, then its components'."""
        return tuple(self._merged("POOLS"))

    @property
    def balances(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
        """For each conserved quantity: the pools that hold it, what flows in, what flows out."""
        return self._merged("BALANCES")

    @property
    def inflows(self) -> dict[str, tuple[str, ...]]:
        """For each pool that has them, the outputs that fill it."""
        return self._merged("INFLOWS")

    @property
    def _reported(self) -> dict[str, str]:
        """Fluxes and pools with their units."""
        return self._merged("OUTPUTS") | self._merged("POOLS")

    def _merged(self, table: str) -> dict:
        """Return a table of the model's module with those of its components, where they have it."""
        tables = [getattr(part, table, {}) for part in (self.code, *self.components.values())]
        return {name: entry for entries in tables for name, entry in entries.items()}

    @cached_property
    def output_units(self) -> dict[str, str]:
        """Unit of everything that a step reports: fluxes, pools at its end and observables."""
        observed = {name: operator.UNIT for name, operator in self.observables.items()}
        return observed | self._reported

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of everything that a step reports."""
        return tuple(self.output_units)

    @cached_property
    def observables(self) -> dict[str, ModuleType]:
        """Operators that find in this model all that they need, by name."""
        found = {name: plugins.load("operators", name) for name in plugins.available("operators")}
        return {name: operator for name, operator in found.items() if not self._lacks(operator)}

    def _lacks(self, operator: ModuleType) -> set[str]:
        """Return the outputs, parameters and drivers that an operator needs and this has not."""
        known = {*self._reported, *self.parameter_names}
        drivers = operator.DRIVERS.items() - self.drivers.items()
        absent = {f"{name} in {unit}" for name, unit in drivers}
        return ({*operator.OUTPUTS, *operator.PARAMETERS} - known) | absent

    def check_observable(self, name: str) -> None:
        """Check that the model can show what an operator observes.

        Raises
        ------
        ConcertoError
            If there is no such operator, or it needs what the model has not; says what.
        """
        operator = plugins.load("operators", name)
        lacking = [] if name in self.outputs else sorted(self._lacks(operator))
        if lacking:
            raise ConcertoError(
                f"{name}: found no {', '.join(lacking)} in the model {self.name}; "
                f"expected a stream among {', '.join(sorted(self.observables))}"
            )

    @cached_property
    def drivers(self) -> dict[str, str]:
        """Drivers that the model needs, with the unit it needs them in.

        Raises
        ------
        ConcertoError
            If two of its parts want a driver in different units.
        """
        wanted = self._merged("DRIVERS")
        for role, part in self.components.items():
            for name, unit in part.DRIVERS.items():
                if unit != wanted[name]:
                    raise ConcertoError(
                        f"{self.name}: {role} wants {name} in {unit}; "
                        f"expected {wanted[name]}, as another part wants it"
                    )
        return wanted

    @cached_property
    def parameter_names(self) -> list[str]:
        """Names of the parameters, in the order of a parameter vector."""
        return [parameter.name for parameter in self.parameters]

    def prepare_weather(
        self,
        drivers: Mapping[str, np.ndarray],
        day_of_year: np.ndarray,
        days_in_year: np.ndarray,
        step: float | np.ndarray,
        latitude: float,
        elevation: float,
    ) -> Weather:
        """Compute everything in a step that depends on the weather and the calendar alone.

        Parameters
        ----------
        drivers
            The variables of ``drivers``, each (time,), in the units given there.
        day_of_year
            (time,) day of year at mid-step, 0.5 for the noon of 1 January.
        days_in_year
            (time,) 365 or 366: the season is a phase of the calendar year and does not drift.
        step
            Length of the steps, d: one, or (time,).
        latitude, elevation
            Degrees north; m above the sea.
        """
        daily = bool(np.all(np.asarray(step) == 1.0))
        calendar = {
            "day_of_year": day_of_year,
            "year_fraction": day_of_year / days_in_year,
            "latitude": latitude,
            "elevation": elevation,
            "step": step,
        }
        known = {**{name: drivers[name] for name in self.drivers}, **calendar}
        columns = np.stack(np.broadcast_arrays(*known.values()), axis=1).astype(float)
        (values,) = write_down(self, daily).weather.evaluate(columns)
        return Weather(values[None], daily)

    def simulate(
        self,
        parameters: np.ndarray,
        weather: Weather,
        outputs: Sequence[str],
        summed: Sequence[str] = (),
        snapshots: Sequence[int] = (),
        *,
        keep_path: bool = False,
        threads: int = 1,
    ) -> Trajectories:
        """Run the model once for each row of parameters.

        Parameters
        ----------
        parameters
            (member, parameter) in the units of the model's file; with several cells of weather, the
            members of the first cell come first, as many as in every other.
        weather
            What :meth:`prepare_weather` made.
        outputs, summed
            Names of the outputs to keep at every step, and to add up over time.
        snapshots
            Increasing step numbers before which the pools are kept.
        keep_path
            Whether to keep the pools of every step, 8 bytes for each pool, step and lane: what
            :meth:`pull_back` starts from.
        threads
            Among how many to share the work; the results are the same to the last bit.
        """
        steps = _steps(self, weather.daily, tuple(outputs), tuple(summed))
        place = _place(len(parameters), len(weather.values))
        given = place.lay_out(parameters)
        start = _Start(given, *steps.begin.run(given))
        batch = _Batch(weather, tuple(outputs), tuple(summed), tuple(snapshots), threads)
        return batch.run(steps.forward, place, start, keep_path=keep_path)

    def resume(
        self,
        pools: np.ndarray,
        parameters: np.ndarray,
        weather: Weather,
        outputs: Sequence[str],
        summed: Sequence[str] = (),
        *,
        threads: int = 1,
    ) -> Trajectories:
        """Run the model on from ``pools`` (member, pool), whatever the initial ones may be.

        A run that is cut and resumed is the whole run, to the last bit.

        Parameters
        ----------
        pools
            In the order of :attr:`pools` and their units, such as the pools that a run left.
        parameters, weather, outputs, summed, threads
            As in :meth:`simulate`.
        """
        steps = _steps(self, weather.daily, tuple(outputs), tuple(summed))
        place = _place(len(parameters), len(weather.values))
        given = place.lay_out(parameters)
        _, constants = steps.begin.run(given)
        start = _Start(given, place.lay_out(pools), constants)
        batch = _Batch(weather, tuple(outputs), tuple(summed), threads=threads)
        return batch.run(steps.forward, place, start)

    def initial_pools(self, parameters: np.ndarray, weather: Weather) -> np.ndarray:
        """Return the pools (member, pool) from which :meth:`simulate` runs."""
        place = _place(len(parameters), len(weather.values))
        begin = _steps(self, weather.daily, (), ()).begin
        return place.collect(begin.run(place.lay_out(parameters))[0])

    def push_forward(
        self,
        parameters: np.ndarray,
        directions: np.ndarray,
        weather: Weather,
        outputs: Sequence[str],
        summed: Sequence[str] = (),
        snapshots: Sequence[int] = (),
        *,
        threads: int = 1,
    ) -> Trajectories:
        """Run the tangent-linear model: how all results change along directions.

        What the directions of one member have in common is computed once.

        Parameters
        ----------
        parameters
            (member, parameter) where to start.
        directions
            (member, direction, parameter) in which directions to go from there.
        weather, outputs, summed, snapshots, threads
            As in :meth:`simulate`; the result has changes in place of values, for every direction
            of the first member, then of the second, and so on.
        """
        steps = _steps(self, weather.daily, tuple(outputs), tuple(summed))
        every = directions.reshape(-1, directions.shape[2])
        start = np.repeat(parameters, directions.shape[1], axis=0)
        change = _Start(every, *steps.prepare_change.evaluate(start, every))
        batch = _Batch(weather, tuple(outputs), tuple(summed), tuple(snapshots), threads)
        return batch.run_along(steps.tangent, *steps.prepare.evaluate(parameters), change)

    def pull_back(
        self,
        weather: Weather,
        runs: Trajectories,
        record: np.ndarray,
        totals: np.ndarray,
        snapshots: np.ndarray,
        pools: np.ndarray,
        *,
        threads: int = 1,
    ) -> np.ndarray:
        """Run the adjoint model: the gradient of a number that depends on runs.

        Parameters
        ----------
        weather, threads
            What the runs were made from; among how many threads to share the work.
        runs
            The runs, with their path.
        record, totals, snapshots, pools
            Derivatives of the number with respect to those fields of ``runs``, of their shapes.

        Returns
        -------
        numpy.ndarray
            (tile, parameter, lane) its gradient with respect to the parameters of the runs.
        """
        steps = _steps(self, weather.daily, runs.names, runs.summed)
        to_pools, to_constants = pools.copy(), runs.constants.copy()
        tiles = (to_pools, to_constants, record, totals, snapshots, runs.path)
        forcing = weather.for_lanes(runs.placement)
        steps.backward.run(forcing, runs.placement.cells, runs.dates, tiles, threads)
        (gradient,) = steps.begin_gradient.run(runs.parameters, to_pools, to_constants)
        return gradient

    def steady_state(
        self,
        parameters: np.ndarray,
        weather: Weather,
        tolerance: float = 1e-8,
        most_cycles: int = 2000,
    ) -> SteadyState:
        """Return the pools that a cycle of weather, such as a few whole years, brings back.

        Parameters
        ----------
        parameters
            (member, parameter); the initial pools among them are where the search starts.
        weather
            The cycle.
        tolerance
            Largest relative change of a pool over a cycle.
        most_cycles
            After how many cycles to give up; members that are not ``found`` say so.
        """
        steps = _steps(self, weather.daily, self.outputs[:1], ())
        initial, constants = steps.prepare.evaluate(parameters)
        members, n = initial.shape

        place = _place(members, len(weather.values))
        batch = _Batch(weather, self.outputs[:1])

        def cycle(pools: np.ndarray) -> np.ndarray:
            start = _Start(*map(place.lay_out, (parameters, pools, constants)))
            return batch.run(steps.forward, place, start).final_pools

        def derivative(pools: np.ndarray) -> np.ndarray:
            directions = np.tile(np.eye(n), (members, 1))
            still = (np.zeros((members * n, x.shape[1])) for x in (parameters, constants))
            change = _Start(next(still), directions, next(still))
            runs = batch.run_along(steps.tangent, pools, constants, change)
            changes = runs.placement.collect(runs.pools)
            return changes.reshape(members, n, n).transpose(0, 2, 1)

        return solve(cycle, derivative, initial, tolerance, most_cycles)


class _Start(NamedTuple):
    """What runs start from; each (tile, slot, lane) or (member, slot)."""

    parameters: np.ndarray
    pools: np.ndarray
    constants: np.ndarray


@dataclass(frozen=True)
class _Batch:
    """Runs under one weather that leave the same things behind."""

    weather: Weather
    outputs: tuple[str, ...]
    summed: tuple[str, ...] = ()
    dates: tuple[int, ...] = ()
    threads: int = 1

    def run(
        self, loop: Loop, place: Placement, start: _Start, *, keep_path: bool = False
    ) -> Trajectories:
        """Run forwards from what is laid out in ``start``, whose pools become the final ones."""
        runs = self._blank(place, start, keep_path)
        tiles = (
            runs.pools, runs.constants, runs.record, runs.totals, runs.snapshots, runs.path,
        )  # fmt: skip
        loop.run(self.weather.for_lanes(place), place.cells, self.dates, tiles, self.threads)
        return runs

    def run_along(
        self, loop: Loop, pools: np.ndarray, constants: np.ndarray, change: _Start
    ) -> Trajectories:
        """Run forwards from ``pools`` with ``constants``, both (member, slot), along directions.

        ``change`` (member and direction, slot) holds the directions.
        """
        members = len(pools)
        place = _place(len(change.pools), members, mixed=False)
        runs = self._blank(place, _Start(*map(place.lay_out, change)), keep_path=False)
        cells = _place(members, len(self.weather.values)).cell
        of_changes = (runs.pools, runs.constants, runs.record, runs.totals, runs.snapshots)
        by_member = (
            part.reshape(members, place.tiles // members, *part.shape[1:]) for part in of_changes
        )
        loop.run(
            self.weather.values, cells, self.dates, (pools, constants, *by_member), self.threads
        )
        return runs

    def _blank(self, place: Placement, start: _Start, keep_path: bool) -> Trajectories:
        """Return room for what runs leave, at their start."""
        tiles, n_pools, steps = place.tiles, start.pools.shape[1], len(self.weather)
        return Trajectories(
            place, self.outputs, self.summed, self.dates,
            record=np.empty((tiles, steps, len(self.outputs), LANES)),
            totals=np.empty((tiles, len(self.summed), LANES)),
            snapshots=np.empty((tiles, len(self.dates), n_pools, LANES)),
            path=np.empty((tiles, steps if keep_path else 0, n_pools, LANES)),
            **start._asdict(),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Steps:
    """The compiled forms of a step that reports what was asked for; each made when first used."""

    prepare: Formula
    step: Formula
    name: str

    @cached_property
    def prepare_change(self) -> Formula:
        return self.prepare.tangent((0,))

    @cached_property
    def begin(self) -> Pointwise:
        return Pointwise(self.prepare, f"begin_{self.name}")

    @cached_property
    def begin_gradient(self) -> Pointwise:
        return Pointwise(self.prepare.adjoint((0,)), f"begin_gradient_{self.name}")

    @cached_property
    def forward(self) -> Loop:
        return Loop(forward_driver, self.step, f"forward_{self.name}")

    @cached_property
    def backward(self) -> Loop:
        return Loop(adjoint_driver, self.step, f"backward_{self.name}")

    @cached_property
    def tangent(self) -> Loop:
        return Loop(tangent_driver, self.step, f"tangent_{self.name}")


@cache
def _steps(model: Model, daily: bool, outputs: tuple[str, ...], summed: tuple[str, ...]) -> _Steps:
    stages = write_down(model, daily)
    pools, reported = stages.step.outputs
    chosen = [[model.outputs.index(name) for name in names] for names in (outputs, summed)]
    step = Formula(stages.step.inputs, (pools, *(reported[k] if k else _NONE for k in chosen)))
    return _Steps(stages.constants, step, f"{model.name}_{'daily' if daily else 'steps'}")


_place = cache(Placement)
_NONE = ca.SX(0, 1)


@cache
def write_down(model: Model, daily: bool) -> Stages:
    """Write a model's step down as formulas that report all outputs.

    ``constants`` gives the initial pools, then the constants.
    """
    names = {
        "pools": model.pools,
        "parameters": tuple(model.parameter_names),
        "drivers": (*model.drivers, *CALENDAR),
    }
    # lanes hold one slot at least, also for a model without a memory
    symbols = {kind: ca.SX.sym(kind, max(1, len(items))) for kind, items in names.items()}
    pools, p, w = (
        SimpleNamespace(**{name: symbols[kind][k] for k, name in enumerate(items)})
        for kind, items in names.items()
    )
    if daily:
        w.step = 1.0
    parts = SimpleNamespace(**model.components)
    after, reported = model.code.step(pools, p, w, parts)
    shown = SimpleNamespace(**reported)
    reported = {
        name: operator.observe(shown, p, w) for name, operator in model.observables.items()
    } | reported
    stages = split(
        Formula(
            tuple(symbols.values()),
            (
                _column(after, model.pools),
                _column(reported, model.outputs),
            ),
        )
    )
    start: dict[str, ca.SX] = {}
    for part in (model.code, *model.components.values()):
        start |= part.start(p) if hasattr(part, "start") else {}
    initial = _column(start, model.pools)
    return replace(
        stages, constants=Formula((symbols["parameters"],), (initial, *stages.constants.outputs))
    )


def _column(values: Mapping[str, ca.SX], names: Sequence[str]) -> ca.SX:
    return ca.vertcat(*(values[name] for name in names)) if names else ca.SX(0)


def load_model(files: Sequence[Path]) -> Model:
    """Return the model that files describe: its own, its components' and its operators'.

    They are in ``config/models``, ``config/models/components`` and ``config/operators``; what
    operators observe with is estimated with the rest, unless the model shows the observable itself.
    A file of learned priors may follow them (:mod:`concerto.assimilation.learned`), whose
    parameters take the place of those of the same name.

    Raises
    ------
    ConcertoError
        If no module of :mod:`concerto.models` or of its components has the name of a file.
    """
    name = files[0].stem
    code = plugins.load("models", name)
    described = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    components = {
        part["role"]: plugins.load("models.components", file.stem)
        for file, part in zip(files, described, strict=True)
        if "role" in part
    }
    shown = Model(name, (), code, components).outputs
    parameters = {
        item["name"]: Parameter(**item)
        for file, part in zip(files, described, strict=True)
        if file.parent.name != "operators" or file.stem not in shown
        for item in part["parameters"]
    }
    model = Model(name, tuple(parameters.values()), code, components)
    learned = [part["learned"] for part in described if "learned" in part]
    return replace(model, prior_source=learned[-1]) if learned else model
