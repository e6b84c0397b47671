"""How fast models run: in lanes, beside the same step done in other ways on the same machine.

All times are the shortest of many repetitions, so that what else the machine does counts little;
what is worth quoting are ratios within one run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from concerto.assimilation.prior import Prior
from concerto.models import Model, Weather, write_down
from concerto.models.kernels.elementary import FASTMATH, OPERATIONS
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.lanes import LANES

STEPS = 192
LONG = 3650  # steps of the run whose derivatives are all wanted
MEMBERS = 32 * LANES
MONTH = 30.4375  # d
REPORTED = ("gpp", "nee", "lai")
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
        A model with the outputs ``REPORTED``.
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
    """
    rng = np.random.default_rng(seed)
    prior = Prior(model.parameters)
    parameters = prior.parameters_of(prior.draw(MEMBERS, rng))
    weather = _weather(model, step, STEPS, rng)
    lasting = _weather(model, step, LONG, rng)
    one = (parameters, weather, REPORTED)
    per = STEPS * MEMBERS
    runs = model.simulate(*one, keep_path=True)
    weights = {
        field: np.ones_like(getattr(runs, field))
        for field in ("record", "totals", "snapshots", "pools")
    }
    lanes = _shortest(lambda: model.simulate(*one)) / per
    with_path = _shortest(lambda: model.simulate(*one, keep_path=True)) / per
    n = len(model.parameters)
    base, directions = np.repeat(parameters[:1], n, axis=0), np.eye(n)
    operations = _operations(model, weather)
    return {
        "lanes": lanes,
        "scalar": _scalar(model, parameters, weather) / STEPS,
        "arrays": _arrays(model, prior, weather, rng),
        "with_path": with_path,
        "adjoint": _shortest(lambda: model.pull_back(parameters, weather, runs, **weights)) / per,
        "jacobian": _shortest(lambda: model.push_forward(base, directions, lasting, REPORTED), 10)
        / LONG,
        "operations": operations,
        "flops": operations / (lanes * 1e-9),
    }


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
        "rsds": rng.uniform(1.0, 30.0, n), "vpd": rng.uniform(50.0, 2000.0, n),
        "pr": rng.gamma(0.5, 5.0, n), "co2": np.full(n, 400.0),
        "burned_area_fraction": np.zeros(n), "harvested_area_fraction": np.zeros(n),
    }  # fmt: skip
    day = (np.arange(n) * step + 0.5 * step) % 365.0
    drivers = {name: known[name] for name in model.drivers}
    return model.prepare_weather(drivers, day, np.full(n, 365.0), step, 50.0, 300.0)


def _formulas(model: Model, weather: Weather) -> tuple[Formula, Formula]:
    """Return what prepares the parameters, and the step that reports ``REPORTED``."""
    stages = write_down(model, weather.daily)
    pools, outputs = stages.step.outputs
    kept = [model.outputs.index(name) for name in REPORTED]
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
    record = np.empty((STEPS, len(REPORTED)))
    return _shortest(lambda: drive(first, constants[0], weather.values, record))


def _arrays(model: Model, prior: Prior, weather: Weather, rng: np.random.Generator) -> float:
    """Return nanoseconds for each step and member of the same step on arrays of members."""
    prepare, step = _formulas(model, weather)
    parameters = prior.parameters_of(prior.draw(_ARRAY_MEMBERS, rng))
    initial, constants = prepare.evaluate(parameters)

    def run() -> None:
        pools = initial
        for now in weather.values[:_ARRAY_STEPS]:
            pools, _ = step.evaluate(pools, constants, now[None])

    return _shortest(run, 5) / (_ARRAY_STEPS * _ARRAY_MEMBERS)


def _operations(model: Model, weather: Weather) -> float:
    """Return the floating-point operations of a step that reports ``REPORTED``.

    An exponential counts as 27, a logarithm as 34: the operations of their polynomials.
    """
    _, step = _formulas(model, weather)
    lines = step.source("step").splitlines()
    computed = [line for line in lines if " = " in line and "= i" not in line]
    dear = {"exp(": 27, "log(": 34}
    return float(sum(next((n for call, n in dear.items() if call in line), 1) for line in computed))


def _shortest(run: Callable[[], object], repetitions: int = _REPETITIONS) -> float:
    """Return the shortest of some runs, ns; a first one compiles and is not counted."""
    run()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return float(min(times))
