"""Replicates of simulation-based calibration: one truth, its observations, one posterior."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.twin import observe
from concerto.evaluation.calibration import effective_draws, ranks, spread_evenly
from concerto.projection.targets import targets

APART = 1.3
"""R-hat above which chains have not come to the same ground; short ones that have reach 1.2."""

Assimilate = Callable[[Problem, Mapping, np.random.Generator], Posterior]


@dataclass(frozen=True)
class Replicate:
    """Where a truth fell in its posterior.

    Attributes
    ----------
    ranks
        Of each parameter and each of :func:`~concerto.projection.targets.targets`, 0 to the number
        of draws.
    converged, effective, tries
        Verdict of the method, its independent draws of the worst parameter, and how many budgets
        it took.
    model_runs, gradients, cpu_seconds
        What all tries cost.
    """

    ranks: dict[str, int]
    converged: bool
    effective: float
    tries: int
    model_runs: int
    gradients: int
    cpu_seconds: float


def replicate(
    problem: Problem,
    truth: np.ndarray,
    assimilate: Assimilate,
    budgets: Sequence[Mapping],
    draws: int,
    rng: np.random.Generator,
) -> Replicate:
    """Observe a truth, assimilate, and rank the truth among draws of the posterior.

    A posterior with fewer independent draws than are asked for, or of chains that are far apart, is
    thrown away for one with the next budget; that of the last one is taken as it is. Many chains
    that each know a place of their own count as many draws, so that their number alone says little.

    Parameters
    ----------
    problem
        Whose observations are replaced.
    truth
        (parameter,) in their units.
    assimilate
        The method.
    budgets
        Of the method, in the order in which to try them.
    draws
        Number of draws to rank the truth among.
    rng
        Source of all randomness.
    """
    observed = observe(problem, truth, rng)
    begun = time.process_time()
    left = list(budgets)
    posterior = assimilate(observed, left.pop(0), rng)
    while left and not _usable(posterior, draws):
        posterior = assimilate(observed, left.pop(0), rng)
    spent = time.process_time() - begun
    unit = posterior.unit[spread_evenly(posterior, draws)]
    parameters = problem.prior.to_parameters(unit)
    names = [parameter.name for parameter in problem.prior.parameters]
    wanted, known = targets(problem, parameters), targets(problem, truth[None])
    places = ranks(
        np.concatenate([truth, *known.values()]),
        np.column_stack([parameters, *wanted.values()]),
        rng,
    )
    return Replicate(
        ranks=dict(zip([*names, *wanted], places.tolist(), strict=True)),
        converged=posterior.converged,
        effective=effective_draws(posterior),
        tries=len(budgets) - len(left),
        model_runs=observed.model_runs,
        gradients=observed.gradients,
        cpu_seconds=spent,
    )


def _usable(posterior: Posterior, draws: int) -> bool:
    apart = np.nanmax([1.0, *posterior.rhat])
    return effective_draws(posterior) >= draws and apart < APART
