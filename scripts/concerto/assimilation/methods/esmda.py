"""ES-MDA: the ensemble smoother with multiple data assimilation.

Emerick & Reynolds (2013, Computers & Geosciences 55, 3): the same data are assimilated several
times, each time with errors inflated by alpha, where the 1/alpha add up to one. The alphas follow
the misfit (Iglesias & Yang 2021, Inverse Problems 37, 025008, eq. 34), so that a poor start takes
small steps and none has to be tuned.
"""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

import numpy as np

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

MISMATCH_RANGE = (0.5, 2.0)  # of the mean squared whitened misfit, 1 if all errors are as stated
COLLAPSE = 10  # the ensemble must span at least this many members' worth of directions per unknown


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Sample the posterior approximately, with ``budget["members"]`` members.

    ``budget["steps"]`` is the least number of assimilations; a poor start takes more, up to
    ``budget["most_steps"]``. The verdict is ``converged`` if the full information was assimilated
    within them, the mean squared misfit fell to between 0.5 and 2
    of what the stated errors lead to expect, and the ensemble did not collapse.

    Raises
    ------
    ConcertoError
        If the ensemble is too small for the unknowns, or a run of the model fails.
    """
    z, assimilated, mismatch = smooth(problem, budget, rng)
    converged, verdict = _judge(mismatch, assimilated, z)
    parameters = problem.prior.parameters_of(z)
    unit = problem.prior.to_unit(parameters)
    likelihood = problem.log_likelihood(parameters)
    return Posterior.of_ensemble(
        unit=unit,
        log_density=likelihood + problem.prior.log_density(unit),
        converged=converged,
        verdict=verdict,
        history={"mismatch": mismatch},
    )


class Smoothed(NamedTuple):
    """An ensemble ``z`` (member, size), how much of the data it has seen, and its misfits."""

    z: np.ndarray
    assimilated: float
    mismatch: np.ndarray


def smooth(
    problem: Problem, budget: dict, rng: np.random.Generator, information: float = 1.0
) -> Smoothed:
    """Assimilate until a share of the information is used, or the budget is spent.

    With less than all of it, the ensemble is wider than the posterior.
    """
    members = int(budget["members"])
    if members < COLLAPSE * problem.prior.size:
        raise ConcertoError(
            f"esmda: {members} members for {problem.prior.size} unknowns; "
            f"expected at least {COLLAPSE * problem.prior.size}"
        )
    z = problem.prior.draw(members, rng)
    assimilated = 0.0
    mismatch = []
    for step in range(int(budget["most_steps"])):
        residuals = _residuals(problem, z)
        mismatch.append(_mismatch(problem, residuals))
        share = min(
            information_share(residuals), information / budget["steps"], information - assimilated
        )
        z = update(z, residuals, 1.0 / share, rng)
        assimilated += share
        log.info(
            "step %d: mean squared misfit %.3g, information assimilated %.1f %%",
            step + 1, mismatch[-1], 100.0 * assimilated,
        )  # fmt: skip
        if assimilated > information - 1e-9:
            break
    mismatch.append(_mismatch(problem, _residuals(problem, z)))
    return Smoothed(z, assimilated, np.array(mismatch))


def update(
    z: np.ndarray, residuals: np.ndarray, inflation: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the ensemble after one assimilation of standard normal residuals towards zero.

    Emerick & Reynolds (2013), eq. 12, in the space of the ensemble: with anomalies Z and G of
    unknowns and residuals, Z (G'G + alpha I)^-1 G' needs a solve of the size of the ensemble,
    whatever the number of observations.

    Parameters
    ----------
    z, residuals
        (member, size) and (member, residual).
    inflation
        alpha >= 1.
    """
    members = len(z)
    normal = 1.0 / math.sqrt(members - 1)
    anomalies_z = (z - z.mean(axis=0)) * normal
    anomalies_g = (residuals - residuals.mean(axis=0)) * normal
    noise = rng.standard_normal(residuals.shape) * math.sqrt(inflation)
    gram = anomalies_g @ anomalies_g.T + inflation * np.eye(members)
    weights = np.linalg.solve(gram, anomalies_g @ (noise - residuals).T)
    return z + weights.T @ anomalies_z


def _residuals(problem: Problem, z: np.ndarray) -> np.ndarray:
    parameters = problem.prior.parameters_of(z)
    residuals = problem.residuals(parameters)
    failed = int((~np.isfinite(residuals).all(axis=1)).sum())
    if failed:
        where = ", ".join(problem.not_finite(parameters))
        raise ConcertoError(
            f"esmda: {failed} of {len(z)} runs of the model gave no finite result for {where}"
        )
    return residuals


def _mismatch(problem: Problem, residuals: np.ndarray) -> float:
    return float(np.mean(residuals[:, : problem.n_observations] ** 2))


def information_share(residuals: np.ndarray) -> float:
    """Return 1/alpha of the data-misfit controller (Iglesias & Yang 2021, eq. 34)."""
    misfit = 0.5 * np.sum(residuals**2, axis=1)
    n = residuals.shape[1]
    return max(n / (2.0 * misfit.mean()), math.sqrt(n / (2.0 * misfit.var())))


def _judge(mismatch: np.ndarray, assimilated: float, z: np.ndarray) -> tuple[bool, str]:
    low, high = MISMATCH_RANGE
    directions = np.linalg.eigvalsh(np.cov(z.T))
    collapsed = directions[0] < 1e-6
    said = (
        f"mean squared misfit {mismatch[0]:.3g} to {mismatch[-1]:.3g} in {len(mismatch) - 1} steps "
        f"(expected 1, accepted {low:g} to {high:g}); smallest ensemble spread "
        f"{math.sqrt(max(directions[0], 0.0)):.2g} of the prior's"
    )
    if assimilated < 1.0 - 1e-9:
        return False, f"only {100 * assimilated:.0f} % of the information assimilated; {said}"
    if collapsed:
        return False, f"the ensemble collapsed; {said}"
    return bool(low <= mismatch[-1] <= high), said
