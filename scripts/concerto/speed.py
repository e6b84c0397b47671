"""How fast models run: in lanes, beside the same step done in other ways on the same machine.

All times are the shortest of many repetitions, so that what else the machine does counts little;
what is worth quoting are ratios within one run.
"""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numba import njit

from concerto.assimilation.prior import Prior
from concerto.models import Model, Weather, side_by_side, write_down
from concerto.models.kernels.elementary import FASTMATH, OPERATIONS
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.lanes import LANES

STEPS = 192
LONG = 3650  # steps of the run whose derivatives are all wanted
MEMBERS = 32 * LANES
LARGEST = 2500  # operations of a step whose derivatives are still compiled: memory grows fast
MONTH = 30.4375  # d
REPORTED = ("gpp", "nee", "lai")  # of which a model reports what it has
CELLS = 10_000
CELL_TILE = 1000  # cells that are in memory at once
LIBM = OPERATIONS | {"exp": math.exp, "log": math.log}
"""The operations with the exponential and the logarithm of the C library."""

_REPETITIONS = 50
_ARRAY_STEPS = 24
_ARRAY_MEMBERS = 1024


def measure(model: Model, step: float, seed: int) -> dict[str, float]:
    """Time one model at one length of steps.

    Parameters
    ----------
    model
        Any model.
    step
        Days.
    seed
        Of the parameters, drawn from the prior, and of the weather.

    Returns
    -------
    dict
        Nanoseconds for each step and lane: ``lanes``, ``scalar`` (one run, C library), ``arrays``
        (NumPy over members), ``with_path`` (lanes that keep what the adjoint needs), ``adjoint``
        (backward run alone); ``jacobian``, nanoseconds for each step of all derivatives of one run;
        ``operations``, floating-point operations of a step; ``flops``, those done in a second.
        Derivatives are missing for steps of more than ``LARGEST`` operations.
    """
    rng = np.random.default_rng(seed)
    prior = Prior(model.parameters)
    parameters = prior.parameters_of(prior.draw(MEMBERS, rng))
    weather = _weather(model, step, STEPS, rng)
    one = (parameters, weather, _reported(model))
    lanes = _shortest(lambda: model.simulate(*one)) / (STEPS * MEMBERS)
    operations = _operations(model, weather)
    found = {
        "lanes": lanes,
        "scalar": _scalar(model, parameters, weather) / STEPS,
        "arrays": _arrays(model, prior, weather, rng),
        "operations": operations,
        "flops": operations / (lanes * 1e-9),
    }
    if operations > LARGEST:
        return found | dict.fromkeys(("with_path", "adjoint", "jacobian"), math.nan)
    return found | _derivatives(model, *one, _weather(model, step, LONG, rng))


def _derivatives(
    model: Model,
    parameters: np.ndarray,
    weather: Weather,
    reported: tuple[str, ...],
    lasting: Weather,
) -> dict[str, float]:
    """Return nanoseconds of gradients, and of all derivatives of one run under ``lasting``."""
    one, per = (parameters, weather, reported), STEPS * MEMBERS
    runs = model.simulate(*one, keep_path=True)
    weights = {
        field: np.ones_like(getattr(runs, field))
        for field in ("record", "totals", "snapshots", "pools")
    }
    every = np.eye(len(model.parameters))[None]
    return {
        "with_path": _shortest(lambda: model.simulate(*one, keep_path=True)) / per,
        "adjoint": _shortest(lambda: model.pull_back(weather, runs, **weights)) / per,
        "jacobian": _shortest(
            lambda: model.push_forward(parameters[:1], every, lasting, reported), 10
        )
        / LONG,
    }


def measure_cells(model: Model, step: float, members: int, seed: int) -> dict[str, float]:
    """Time many cells, each with weather of its own.

    The cells come in tiles, as in the jobs of a map, and their weather is laid out beforehand.

    Parameters
    ----------
    model, step, seed
        As in :func:`measure`.
    members
        Parameter sets in each cell.

    Returns
    -------
    dict
        ``cells``; ``one_thread`` and ``two_threads``, nanoseconds for each step and member;
        ``memory`` and ``memory_of_a_fifth``, the largest memory (MB) held at once in a run of all
        cells and of a fifth of them.
    """
    cells = Cells(model, step, members, seed)
    per = CELLS * members * STEPS
    return {
        "cells": CELLS,
        "one_thread": _shortest(lambda: cells.run(CELLS, 1), 3) / per,
        "two_threads": _shortest(lambda: cells.run(CELLS, 2), 3) / per,
        "memory": _memory(lambda: cells.run(CELLS, 2)),
        "memory_of_a_fifth": _memory(lambda: cells.run(CELLS // 5, 2)),
    }


class Cells:
    """Runs of many cells, a tile of them at a time."""

    def __init__(self, model: Model, step: float, members: int, seed: int) -> None:
        self._model = model
        rng = np.random.default_rng(seed)
        prior = Prior(model.parameters)
        self._parameters = prior.parameters_of(prior.draw(CELL_TILE * members, rng))
        self._weather = side_by_side([_weather(model, step, STEPS, rng) for _ in range(CELL_TILE)])

    def run(self, cells: int, threads: int) -> np.ndarray:
        """Return the sums over time and ``cells``, whole tiles of them, of what is reported."""
        reported = _reported(self._model)
        sums = np.zeros(len(reported))
        for _ in range(cells // CELL_TILE):
            runs = self._model.simulate(
                self._parameters, self._weather, (), reported, threads=threads
            )
            sums += runs.placement.collect(runs.totals).sum(axis=0)
        return sums


def peak_flops() -> float:
    """Return the floating-point operations a second that fused multiply-adds in lanes reach."""

    @njit(fastmath=FASTMATH, error_model="numpy")
    def chains(values, rounds):
        for _ in range(rounds):
            for lane in range(64):
                x = values[lane]
                for _ in range(16):
                    x = x * 0.999 + 0.001
                values[lane] = x

    values, rounds = np.ones(64), 2000
    chains(values, 1)
    return 2.0 * 16 * 64 * rounds / (_shortest(lambda: chains(values, rounds)) * 1e-9)


def _weather(model: Model, step: float, n: int, rng: np.random.Generator) -> Weather:
    """Random temperate weather for every driver that a model may ask for."""
    middle, half = rng.normal(10.0, 6.0, n), rng.uniform(1.0, 8.0, n)
    known = {
        "tas": middle, "tasmin": middle - half, "tasmax": middle + half,
        "rsds": rng.uniform(1.0, 30.0, n), "rlds": rng.uniform(250.0, 400.0, n),
        "vpd": rng.uniform(50.0, 2000.0, n), "pr": rng.gamma(0.5, 5.0, n),
        "ps": np.full(n, 98000.0), "wind": rng.uniform(0.5, 6.0, n), "co2": np.full(n, 400.0),
        "lai": rng.uniform(0.5, 6.0, n), "fapar": rng.uniform(0.1, 0.9, n),
        "solar_offset": np.zeros(n),
        "burned_area_fraction": np.zeros(n), "harvested_area_fraction": np.zeros(n),
    }  # fmt: skip
    if model.drivers["rsds"] == "W m-2":
        known["rsds"] = 30.0 * known["rsds"]
    day = (np.arange(n) * step + 0.5 * step) % 365.0
    drivers = {name: known[name] for name in model.drivers}
    return model.prepare_weather(drivers, day, np.full(n, 365.0), step, 50.0, 300.0)


def _reported(model: Model) -> tuple[str, ...]:
    return tuple(name for name in REPORTED if name in model.outputs)


def _formulas(model: Model, weather: Weather) -> tuple[Formula, Formula]:
    """Return what prepares the parameters, and the step that reports what is timed."""
    stages = write_down(model, weather.daily)
    pools, outputs = stages.step.outputs
    kept = [model.outputs.index(name) for name in _reported(model)]
    return stages.constants, Formula(stages.step.inputs, (pools, outputs[kept]))


def _scalar(model: Model, parameters: np.ndarray, weather: Weather) -> float:
    """Return nanoseconds of one run of the same step, one number at a time."""
    prepare, step = _formulas(model, weather)
    kernel = njit(error_model="numpy")(step.function("kernel", LIBM))

    @njit(error_model="numpy")
    def drive(pools, constants, weather, record):
        for t in range(weather.shape[0]):
            pools, reported = kernel(pools, constants, weather[t])
            for k in range(len(reported)):
                record[t, k] = reported[k]

    initial, constants = prepare.evaluate(parameters[:1])
    first = tuple(initial[0])
    record = np.empty((STEPS, len(_reported(model))))
    return _shortest(lambda: drive(first, constants[0], weather.values[0], record))


def _arrays(model: Model, prior: Prior, weather: Weather, rng: np.random.Generator) -> float:
    """Return nanoseconds for each step and member of the same step on arrays of members."""
    prepare, step = _formulas(model, weather)
    parameters = prior.parameters_of(prior.draw(_ARRAY_MEMBERS, rng))
    initial, constants = prepare.evaluate(parameters)

    def run() -> None:
        pools = initial
        for now in weather.values[0, :_ARRAY_STEPS]:
            pools, _ = step.evaluate(pools, constants, now[None])

    return _shortest(run, 5) / (_ARRAY_STEPS * _ARRAY_MEMBERS)


def _operations(model: Model, weather: Weather) -> float:
    """Return the floating-point operations of a step that reports what is timed.

    An exponential counts as 27, a logarithm as 34: the operations of their polynomials.
    """
    _, step = _formulas(model, weather)
    lines = step.source("step").splitlines()
    computed = [line for line in lines if " = " in line and "= i" not in line]
    dear = {"exp(": 27, "log(": 34}
    return float(sum(next((n for call, n in dear.items() if call in line), 1) for line in computed))


def _memory(run: Callable[[], object]) -> float:
    """Return the largest memory (MB) that a run holds at once, beyond what was held before."""
    tracemalloc.start()
    try:
        run()
        _, largest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return largest / 1e6


def _shortest(run: Callable[[], object], repetitions: int = _REPETITIONS) -> float:
    """Return the shortest of some runs, ns; a first one compiles and is not counted."""
    run()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return float(min(times))
