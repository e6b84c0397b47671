"""Ecological and dynamic constraints: what is known of ecosystems without measuring this one.

After Bloom & Williams (2015, Biogeosciences 12, 1299, tables 3 and 4), but for ``leaf_area``, with
their on/off conditions made smooth: each constraint is a set of residuals that a believable run has
near zero, with log-density -1/2 residual². An inequality has the residual zero where it holds and
grows as the logarithm of the ratio by which it fails, in units of ln 1.1. Each is switched on by
its name in ``constraints`` of the configuration, and written, as models are, on numbers that may be
symbols.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import casadi as ca
import numpy as np

from concerto.errors import ConcertoError
from concerto.models import Model, Trajectories
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.lanes import Pointwise

_TOLERANCE = math.log(1.1)
_PER_YEAR = 1.0 / 365.25
_WITHIN = math.log(5.0)  # shares and pools of leaves and roots within a factor of five
_GROWTH = math.log(2.0)
_EQUILIBRIUM = math.log(1.1)
_MOST_LEAVES = 18.0  # m2 m-2


@dataclass(frozen=True)
class Run:
    """A run as the constraints see it.

    ``parameters`` by name; ``mean`` of outputs over time; by pool, ``first``, ``typical`` (the mean
    over the same date of all years) and ``final``; ``filled``, what came into it over the run;
    ``limits``, the largest that its prior allows at the start. ``mean_temperature`` in degC.
    """

    parameters: SimpleNamespace
    mean: dict[str, ca.SX]
    first: dict[str, ca.SX]
    typical: dict[str, ca.SX]
    final: dict[str, ca.SX]
    filled: dict[str, ca.SX]
    limits: dict[str, float]
    mean_temperature: float

    def drift(self, pool: str) -> ca.SX:
        """Return Rs/Rm, the mean size of a pool at the same date over its first.

        Bloom & Williams (2015), eq. 12.
        """
        return self.typical[pool] / self.first[pool]

    def in_out(self, pool: str) -> ca.SX:
        """Return Rm, what fills a pool over what empties it.

        Bloom & Williams (2015), eq. 10.
        """
        inflow = self.filled[pool]
        return inflow / (inflow - self.final[pool] + self.first[pool])


def turnover_order(run: Run) -> list[ca.SX]:
    """Soil carbon decays more slowly than litter is respired, and than litter is decomposed."""
    soil = run.parameters.soil_respiration
    faster = (run.parameters.litter_respiration, run.parameters.litter_decomposition)
    return [_exceeds(soil, rate) for rate in faster]


def leaf_wood_order(run: Run) -> list[ca.SX]:
    """Wood lives longer than leaves."""
    leaf_turnover = _PER_YEAR / run.parameters.leaf_life_span
    return [_exceeds(run.parameters.wood_turnover, leaf_turnover)]


def root_som_order(run: Run) -> list[ca.SX]:
    """Fine roots turn over faster than soil carbon at the mean temperature."""
    warmth = ca.exp(run.parameters.temperature_sensitivity * run.mean_temperature)
    return [_exceeds(run.parameters.soil_respiration * warmth, run.parameters.root_turnover)]


def allocation_balance(run: Run) -> list[ca.SX]:
    """Leaves (with labile carbon) and roots get shares of NPP within a factor of five."""
    leaf = run.parameters.leaf_allocation
    labile = (1.0 - leaf) * run.parameters.labile_allocation
    root = (1.0 - leaf - labile) * run.parameters.root_allocation
    return [_apart(leaf + labile, root, _WITHIN)]


def leaf_area(run: Run) -> list[ca.SX]:
    """Mean leaf area is no larger than any measured, outliers apart.

    18 m2 m-2 (Asner et al. 2003, Global Ecology and Biogeography 12, 191).
    """
    return [_exceeds(run.mean["lai"], _MOST_LEAVES)]


def leaf_root_balance(run: Run) -> list[ca.SX]:
    """Mean leaf and root carbon are within a factor of five."""
    return [_apart(run.mean["c_leaf"], run.mean["c_root"], _WITHIN)]


def pool_growth(run: Run) -> list[ca.SX]:
    """No pool is filled at twice, or half, the rate that would keep its first size."""
    return [ca.log(run.in_out(pool) * run.drift(pool)) / _GROWTH for pool in run.filled]


def pool_equilibrium(run: Run) -> list[ca.SX]:
    """The mean size of a pool, at the same date of every year, is near its first: no transient."""
    return [ca.log(run.drift(pool)) / _EQUILIBRIUM for pool in run.filled]


def pool_bounds(run: Run) -> list[ca.SX]:
    """Pools stay below the largest size that their prior allows at the start."""
    return [_exceeds(run.final[pool], limit) for pool, limit in run.limits.items()]


CONSTRAINTS: dict[str, Callable[[Run], list[ca.SX]]] = {
    term.__name__: term
    for term in (
        turnover_order,
        leaf_wood_order,
        root_som_order,
        allocation_balance,
        leaf_area,
        leaf_root_balance,
        pool_growth,
        pool_equilibrium,
        pool_bounds,
    )
}
NAMES = tuple(CONSTRAINTS)


@dataclass(frozen=True)
class _Formulas:
    """Constraints of a model as formulas of what is known of a place, and of a run there.

    ``summed`` are the outputs that have to be summed over a run; ``counts`` how many residuals each
    constraint has; ``early`` those residuals that are on parameters alone.
    """

    summed: tuple[str, ...]
    counts: dict[str, int]
    residuals: Pointwise
    change: Pointwise
    slopes: Pointwise
    early: Formula


@cache
def _write_down(model: Model, names: tuple[str, ...]) -> _Formulas:
    summed = _needs(model) if names else ()
    counts = (3, len(model.parameters), len(summed), *(3 * [len(model.pools)]))
    symbols = tuple(ca.SX.sym("x", count) for count in counts)
    step, n_steps, mean_temperature = ca.vertsplit(symbols[0])
    p, totals, first, typical, final = (
        dict(zip(keys, ca.vertsplit(vector) if keys else (), strict=True))
        for keys, vector in zip(
            (model.parameter_names, summed, *(3 * [model.pools])), symbols[1:], strict=True
        )
    )
    run = Run(
        parameters=SimpleNamespace(**p),
        mean={name: total / n_steps for name, total in totals.items()},
        first=first,
        typical=typical,
        final=final,
        filled={
            pool: step * sum(totals[name] for name in fluxes)
            for pool, fluxes in (model.inflows.items() if names else ())
        },
        limits={
            name.replace("initial_", "c_"): parameter.max
            for name, parameter in zip(model.parameter_names, model.parameters, strict=True)
            if name.replace("initial_", "c_") in model.pools
        },
        mean_temperature=mean_temperature,
    )
    parts = {name: _written(name, run, model) for name in names}
    every = [term for part in parts.values() for term in part]
    terms = ca.vertcat(ca.SX(0, 1), *every)
    of_run = ca.vertcat(*symbols[1:])
    gradient = ca.gradient(-0.5 * ca.sumsqr(terms), of_run)
    written = Formula(symbols, (terms,))
    seen = ca.vertcat(*symbols[2:])
    early = [term for term in every if not ca.depends_on(term, seen)]
    return _Formulas(
        summed,
        {name: len(part) for name, part in parts.items()},
        Pointwise(written, f"constraints_{model.name}"),
        Pointwise(written.tangent(range(1, len(symbols))), f"constraint_change_{model.name}"),
        Pointwise(
            Formula(symbols, (terms, *ca.vertsplit(gradient, _ends(counts[1:])))),
            f"constraint_slopes_{model.name}",
        ),
        Formula(symbols[:2], (ca.vertcat(ca.SX(0, 1), *early),)),
    )


class Constraints:
    """The constraints switched on, as residuals of runs of a model and their derivative.

    Parameters
    ----------
    model
        The model.
    names
        Which constraints, in the order of their residuals.
    step, n_steps
        Length (d) and number of the steps of a run.
    mean_temperature
        degC.

    Raises
    ------
    ConcertoError
        If a constraint is on a parameter, a pool or an output that the model has not.
    """

    def __init__(
        self,
        model: Model,
        names: Sequence[str],
        step: float,
        n_steps: int,
        mean_temperature: float,
    ) -> None:
        self._formulas = _write_down(model, tuple(names))
        self.summed = self._formulas.summed
        self._place = np.array([step, n_steps, mean_temperature])

    def residuals(self, runs: Trajectories) -> np.ndarray:
        """Return the residuals of runs with the outputs ``summed`` and yearly snapshots.

        (tile, residual, lane), in the lanes of the runs.
        """
        return self._formulas.residuals.run(*self._seen(runs))[0]

    @property
    def size(self) -> int:
        """Number of residuals of all constraints together."""
        return sum(self._formulas.counts.values())

    def before_run(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member, residual) of those residuals that are on parameters alone."""
        return self._formulas.early.evaluate(self._place[None], parameters)[0]

    def named(self, runs: Trajectories) -> dict[str, np.ndarray]:
        """Return what :meth:`residuals` returns by the name of their constraint."""
        counts = self._formulas.counts
        parts = np.split(self.residuals(runs), np.cumsum([*counts.values()])[:-1], axis=1)
        return dict(zip(counts, parts, strict=True)) if counts else {}

    def push_forward(self, runs: Trajectories, changes: Trajectories) -> np.ndarray:
        """Return how the residuals of runs change along directions, (tile, residual, lane).

        Parameters
        ----------
        runs
            The runs.
        changes
            What :meth:`~concerto.models.Model.push_forward` gives for it.
        """
        place, *along = self._seen(changes)
        at = map(runs.placement.spread_over(changes.placement), self._seen(runs)[1:])
        return self._formulas.change.run(place, *at, *along)[0]

    def slopes(
        self, runs: Trajectories
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the residuals, and the gradient of their log-density, -1/2 residual².

        Returns
        -------
        residuals, parameters, totals, snapshots, pools
            (tile, residual, lane), and the gradient with respect to those fields of ``runs``, of
            their shapes.
        """
        terms, to_parameters, to_totals, to_first, to_typical, to_final = self._formulas.slopes.run(
            *self._seen(runs)
        )
        to_snapshots = np.empty(runs.snapshots.shape)
        to_snapshots[:] = to_typical[:, None] / len(runs.dates)
        to_snapshots[:, 0] += to_first
        return terms, to_parameters, to_totals, to_snapshots, to_final

    def _seen(self, runs: Trajectories) -> tuple[np.ndarray, ...]:
        """Return what the formulas take: the place, then the runs, (tile, item, lane) each."""
        first, typical = runs.snapshots[:, 0], runs.snapshots.mean(axis=1)
        tiles, _, lanes = runs.pools.shape
        place = np.broadcast_to(self._place[None, :, None], (tiles, 3, lanes))
        return place, runs.parameters, runs.totals, first, typical, runs.pools


def _ends(counts: Sequence[int]) -> list[int]:
    return [0, *(int(end) for end in np.cumsum(counts))]


def _written(name: str, run: Run, model: Model) -> list[ca.SX]:
    try:
        return CONSTRAINTS[name](run)
    except (AttributeError, KeyError) as error:
        lacking = error.name if isinstance(error, AttributeError) else error.args[0]
        raise ConcertoError(
            f"constraints: {name} is on {lacking}, which {model.name} has not; "
            "expected it to be left out of `constraints`"
        ) from error


def _needs(model: Model) -> tuple[str, ...]:
    """Return the outputs that have to be summed for the constraints."""
    inflows = [name for names in model.inflows.values() for name in names]
    wanted = dict.fromkeys([*inflows, "c_leaf", "c_root", "lai"])
    return tuple(name for name in wanted if name in model.outputs)


def _exceeds(small: ca.SX, large: ca.SX) -> ca.SX:
    return ca.fmax(0.0, ca.log(small / large)) / _TOLERANCE


def _apart(a: ca.SX, b: ca.SX, within: float) -> ca.SX:
    return ca.fmax(0.0, ca.fabs(ca.log(a / b)) - within) / _TOLERANCE
