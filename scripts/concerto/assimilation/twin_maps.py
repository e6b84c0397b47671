"""Twin experiments of maps: truths that hang together in space, and observations of their cells.

A truth is a map of all unknowns: a draw of the random field that members of a map are drawn from,
under the constraints of all its cells. A cell cannot be drawn from prior and constraints by itself,
as a tower's truth is, for then it would have nothing in common with its neighbours.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from concerto import plugins
from concerto.assimilation.cells import Cells
from concerto.assimilation.diagnostics import chain_diagnostics
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Problem
from concerto.assimilation.twin import observe
from concerto.errors import ConcertoError
from concerto.seeds import generator

log = logging.getLogger(__name__)

RHAT_MOST = 1.15  # of halves of 50 chains: if all is well the largest is 1.1 or less
DRIFT_MOST = 0.4  # standard deviations of chains; 0.3 by chance
_HALF = 50  # chains, at least
_BATCH = 4096  # draws at once
_MOST_DRAWS = 50_000_000
_STEPS = (1.0, 0.5, 0.25)  # shares of a new draw that a move takes
_BLOCK_SHARE = 0.2  # of the unknowns that a move changes
_PATTERNS = 8  # moves of whole maps in a sweep, at most


def draw_truth_maps(
    problems: Sequence[Problem],
    correlation: np.ndarray,
    count: int,
    sweeps: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw maps of parameters from a random field times the constraints of all cells.

    Each map is the end of a Markov chain of its own. It starts near its law: cell after cell is
    drawn from the field given those already drawn, by rejection under the cell's constraints. Then
    it moves by the proposals of preconditioned Crank and Nicolson, which leave the field's law as
    it is and are accepted by the constraints alone (Cotter et al. 2013, Statistical Science 28,
    424). In a sweep each cell moves within what the field leaves open, given all others; then the
    whole map moves along patterns that many cells share, leading eigenvectors of the correlation.
    The law is right but for what is left of the start, in which a cell knows nothing of the
    constraints of those after it. Half of the chains are started from the first cell on, half from
    the last. Whether they have come to the same law is judged by R-hat between the halves, of the
    unknowns of the first and the last cell and of means over all; whether they have settled, by how
    far these means, in standard deviations of chains, drift over the second half of the sweeps.

    Parameters
    ----------
    problems
        Of the cells, with the same unknowns; their observations are not used.
    correlation
        (cell, cell) of each unknown, as :func:`concerto.assimilation.random_field.correlation`
        gives it.
    count, sweeps
        Number of maps, and of sweeps of the chains, at least twice as many, that they are from.
    rng
        Source of all randomness.

    Returns
    -------
    numpy.ndarray
        (count, cell, parameter) in their units.

    Raises
    ------
    ConcertoError
        If chains have not come to the same law, or hardly any draw meets a cell's constraints.
    """
    half = max(_HALF, count)
    order = np.arange(len(problems))
    z = np.concatenate(
        [_one_by_one(problems, correlation, half, way, rng) for way in (order, order[::-1])]
    )
    chains = _Chains(problems, correlation, z)
    taken = [chains.sweep(rng) for _ in range(sweeps // 2)]
    halfway = chains.z.mean(axis=1)
    taken += [chains.sweep(rng) for _ in range(sweeps - sweeps // 2)]
    means = chains.z.mean(axis=1)
    halves = np.concatenate([chains.z[:, 0], chains.z[:, -1], means], axis=1).reshape(2, half, -1)
    rhat = float(np.max(chain_diagnostics(halves, np.zeros(halves.shape[2], dtype=bool))["rhat"]))
    drift = float(np.max(np.abs(np.mean(means - halfway, axis=0)) / means.std(axis=0)))
    found = f"R-hat {rhat:.3f} between chains from either end, a drift of {drift:.2f} deviations"
    log.info(
        "%d chains, %d sweeps, %.2g of moves taken: %s", 2 * half, sweeps, np.mean(taken), found
    )
    if not (rhat < RHAT_MOST and drift < DRIFT_MOST):
        raise ConcertoError(
            f"truths: found {found}; expected less than {RHAT_MOST:g} and {DRIFT_MOST:g}: take "
            f"more than {sweeps} sweeps"
        )
    z = chains.z[rng.choice(2 * half, count, replace=False)]
    maps = [problem.prior.parameters_of(z[:, k]) for k, problem in enumerate(problems)]
    return np.stack(maps, axis=1)


def _one_by_one(
    problems: Sequence[Problem],
    correlation: np.ndarray,
    count: int,
    order: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw maps (map, cell, unknown) cell after cell, by rejection under each cell's constraints.

    A cell is drawn from the field given the cells before it in ``order`` (cell,).
    """
    z = np.empty((count, len(problems), problems[0].prior.size))
    for k, cell in enumerate(order):
        before = order[:k]
        weights = np.linalg.solve(correlation[np.ix_(before, before)], correlation[before, cell])
        spread = np.sqrt(1.0 - weights @ correlation[before, cell])
        mean = np.einsum("c,mcu->mu", weights, z[:, before])
        left, drawn = np.arange(count), 0
        while len(left):
            if drawn > _MOST_DRAWS:
                raise ConcertoError(
                    f"truths: found {count - len(left)} maps for cell {cell} in {drawn} draws; "
                    f"expected {count}"
                )
            maps = np.repeat(left, -(-_BATCH // len(left)))
            trial = mean[maps] + spread * rng.standard_normal((len(maps), z.shape[2]))
            met = np.flatnonzero(
                -rng.standard_exponential(len(maps)) < _log_constraints(problems[cell], trial)
            )
            found, first = np.unique(maps[met], return_index=True)
            z[found, cell] = trial[met[first]]
            left, drawn = np.setdiff1d(left, found), drawn + len(maps)
    return z


def _log_constraints(problem: Problem, z: np.ndarray) -> np.ndarray:
    return problem.log_constraints(problem.prior.parameters_of(z))


class _Chains:
    """Maps that move: ``z`` (chain, cell, unknown); ``density`` (chain, cell) of constraints."""

    def __init__(self, problems: Sequence[Problem], correlation: np.ndarray, z: np.ndarray) -> None:
        self.problems, self.z = problems, z
        self.density = self._constraints(z)
        precision = np.linalg.inv(correlation)
        self._spread = 1.0 / np.sqrt(np.diag(precision))
        self._from_others = np.eye(len(problems)) - precision * self._spread[:, None] ** 2
        size, shape = np.linalg.eigh(correlation)
        self._patterns = (np.sqrt(size) * shape).T[size > 1.0]

    def sweep(self, rng: np.random.Generator) -> float:
        """Move each cell, then whole maps; return the share of moves that were accepted."""
        taken = []
        for k in range(len(self.problems)):
            mean = np.einsum("c,mcu->mu", self._from_others[k], self.z)
            white = (self.z[:, k] - mean) / self._spread[k]
            change = np.zeros(len(self.problems))
            change[k] = self._spread[k]
            taken.append(self._move(white, change, rng))
        for change in rng.permutation(self._patterns)[:_PATTERNS]:
            white = np.einsum("c,mcu->mu", change, self.z) / np.sum(change**2)
            taken.append(self._move(white, change, rng))
        return float(np.mean(taken))

    def _move(self, white: np.ndarray, change: np.ndarray, rng: np.random.Generator) -> float:
        """Move maps by ``change`` (cell,) times a change of what is standard normal along it."""
        chains = len(white)
        step = rng.choice(_STEPS, chains)[:, None]
        drawn = np.sqrt(1.0 - step**2) * white + step * rng.standard_normal(white.shape)
        some = rng.random(white.shape) < _BLOCK_SHARE
        cells = np.flatnonzero(change)
        z = self.z[:, cells] + change[cells, None] * np.where(some, drawn - white, 0.0)[:, None]
        density = self._constraints(z, cells)
        gain = density.sum(axis=1) - self.density[:, cells].sum(axis=1)
        taken = np.flatnonzero(-rng.standard_exponential(chains) < gain)
        self.z[np.ix_(taken, cells)], self.density[np.ix_(taken, cells)] = z[taken], density[taken]
        return len(taken) / chains

    def _constraints(self, z: np.ndarray, cells: Sequence[int] | None = None) -> np.ndarray:
        """Return the log-density (chain, cell) of the constraints at ``z`` of some of the cells."""
        which = range(len(self.problems)) if cells is None else cells
        return np.stack(
            [_log_constraints(self.problems[k], z[:, i]) for i, k in enumerate(which)], axis=1
        )


def observe_cells(
    cells: Cells,
    statement: ErrorStatement,
    constraints: Sequence[str],
    truth: np.ndarray,
    seed: int,
    label: str,
) -> Cells:
    """Return cells with observations of a truth in place of their own.

    They are where their own are, and have the errors that are stated, cell by cell.

    Parameters
    ----------
    cells, statement, constraints
        As :func:`concerto.assimilation.cells.assimilate_cells` takes them.
    truth
        (cell, parameter) of all unknowns.
    seed, label
        The run's seed and the truth's name, from which the errors follow.

    Raises
    ------
    ConcertoError
        If a run of the truth is not finite where it is observed.
    """
    shape = cells.drivers.sizes["location"], cells.drivers.sizes["time"]
    values = {name: np.full(shape, np.nan) for name in cells.entry["streams"]}
    spread = {name: np.full(shape, np.nan) for name in values}
    for k, cell in enumerate(cells.names):
        problem = cells.problem(k, statement, constraints)
        seen = observe(problem, truth[k], generator(seed, "observe", label, cell))
        for stream in seen.streams:
            values[stream.name][k, : len(stream.values)] = stream.values
            spread[stream.name][k, : len(stream.values)] = stream.random_sd
    made = {**values, **{f"{name}_random": sd for name, sd in spread.items()}}
    units = {field: plugins.load("operators", field.removesuffix("_random")).UNIT for field in made}
    observations = cells.observations.assign(
        {
            field: (("location", "time"), found, {"units": units[field]})
            for field, found in made.items()
        }
    )
    return replace(cells, observations=observations)
