"""ES-MDA: the ensemble smoother with multiple data assimilation.

Emerick & Reynolds (2013, Computers & Geosciences 55, 3): the same data are assimilated several
times, each time with errors inflated by alpha, where the 1/alpha add up to one. The alphas follow
the misfit (Iglesias & Yang 2021, Inverse Problems 37, 025008, eq. 34), so that a poor start takes
small steps and none has to be tuned.

**Errors by chance.** With some hundred members, an unknown that the data say nothing of is
correlated with them by chance, and each step takes of its spread. Against that each step carries
``dummies`` along, random unknowns that nothing depends on: what they lose of their spread is given
back to all unknowns (Evensen 2009, IEEE Control Syst. Mag. 29 (3), 83). Parameters have no distance
to localise by; ``localisation`` shrinks the correlation of each unknown with each principal
component of the residuals by what chance leads to expect, as correlation-based localisation does
with single residuals (Luo & Bhakta 2020, J. Pet. Sci. Eng. 184, 106559).

In twin experiments at BE-Vie (34 truths of ``config/runs/twin.yaml``): the share of truths in 90 %
intervals, and in brackets the CRPS over that of the plain smoother (geometric mean):

======= =========== ============= ============ ============= ============= ============
..      parameters                             annual fluxes, LAI, biomass, residence time
------- -------------------------------------- ----------------------------------------
members plain       dummies       and localised plain        dummies       and localised
======= =========== ============= ============ ============= ============= ============
100     0.61        0.82 (0.99)   0.88 (1.04)  0.81          0.92 (1.31)   0.93 (1.65)
250     0.79        0.89 (1.05)   0.89 (1.07)  0.90          0.96 (1.18)   0.95 (1.24)
500     0.84        0.90 (1.01)   0.90 (1.02)  0.92          0.95 (1.08)   0.97 (1.12)
======= =========== ============= ============ ============= ============= ============

So dummies are the default; localisation is worth it for ensembles of four to ten members for each
unknown alone, and costs accuracy of what is well observed. Thrice as many steps change little.

**Model error.** It is a part of what observations are uncertain by: residuals are whitened by the
filters of :mod:`~concerto.assimilation.stream_error`, whose covariance has, beside the random
errors, a fast and a slow first-order autoregressive process for what the best run misses. The state
is not corrected on the way, so no carbon appears or vanishes; predictions draw the processes anew.
"""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.settling import Start
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

MISMATCH_RANGE = (0.5, 2.0)  # of the mean squared whitened misfit, 1 if all errors are as stated
LEAST_MEMBERS = 10  # per unknown: fewer do not tell what observations say from chance
LEAST_LOCALISED = 4  # per unknown, where correlations by chance are left out
DUMMIES = 50
COHERENT = True
"""The ensemble to start from may be given: a member is then the same draw in all cells of a map."""


def assimilate(
    problem: Problem, budget: dict, rng: np.random.Generator, start: Start | None = None
) -> Posterior:
    """Sample the posterior approximately, with ``budget["members"]`` members.

    They start from ``start``, or from draws of the prior.

    ``budget`` may also hold ``dummies``, their number, 50 if left out, and ``localisation``, which
    is false if left out.
    ``budget["steps"]`` is the least number of assimilations; a poor start takes more, up to
    ``budget["most_steps"]``. The verdict is ``converged`` if the full information was assimilated
    within them, the mean squared misfit fell to between 0.5 and 2
    of what the stated errors lead to expect, and the ensemble did not collapse.

    Raises
    ------
    ConcertoError
        If the ensemble is too small for the unknowns, or a run of the model fails.
    """
    drawn = None if start is None else start.z
    z, assimilated, mismatch, _ = smooth(problem, budget, rng, start=drawn)
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
    """An ensemble ``z`` (member, size), how much of the data it has seen, and its misfits.

    ``residuals`` (member, residual) are those that it ends with.
    """

    z: np.ndarray
    assimilated: float
    mismatch: np.ndarray
    residuals: np.ndarray


def smooth(
    problem: Problem,
    budget: dict,
    rng: np.random.Generator,
    information: float = 1.0,
    start: np.ndarray | None = None,
) -> Smoothed:
    """Assimilate until a share of the information is used, or the budget is spent.

    With less than all of it, the ensemble is wider than the posterior. It starts from ``start``
    (member, size) in the space ``z`` of the prior, or from draws.
    """
    members, dummies = int(budget["members"]), int(budget.get("dummies", DUMMIES))
    localised = bool(budget.get("localisation", False))
    least = (LEAST_LOCALISED if localised else LEAST_MEMBERS) * problem.prior.size
    if members < least:
        raise ConcertoError(
            f"esmda: {members} members for {problem.prior.size} unknowns; expected at least {least}"
        )
    z = problem.prior.draw(members, rng) if start is None else start
    assimilated = 0.0
    mismatch = []
    for step in range(int(budget["most_steps"])):
        residuals = _residuals(problem, z)
        mismatch.append(_mismatch(problem, residuals))
        share = min(
            information_share(residuals), information / budget["steps"], information - assimilated
        )
        z = update(z, residuals, 1.0 / share, rng, dummies=dummies, localised=localised)
        assimilated += share
        log.info(
            "step %d: mean squared misfit %.3g, information assimilated %.1f %%",
            step + 1, mismatch[-1], 100.0 * assimilated,
        )  # fmt: skip
        if assimilated > information - 1e-9:
            break
    residuals = _residuals(problem, z)
    mismatch.append(_mismatch(problem, residuals))
    return Smoothed(z, assimilated, np.array(mismatch), residuals)


def update(
    z: np.ndarray,
    residuals: np.ndarray,
    inflation: float,
    rng: np.random.Generator,
    *,
    dummies: int = 0,
    localised: bool = False,
) -> np.ndarray:
    """Return the ensemble after one assimilation of standard normal residuals towards zero.

    Emerick & Reynolds (2013), eq. 12, in the space of the ensemble: with anomalies Z and G of
    unknowns and residuals, Z (G'G + alpha I)^-1 G' needs the solution of equations of the size of
    the ensemble, whatever the number of observations.

    Parameters
    ----------
    z, residuals
        (member, size) and (member, residual).
    inflation
        alpha >= 1.
    dummies
        Number of unknowns that nothing depends on, whose loss of spread is given back to all.
    localised
        Whether correlations lose what chance leads to expect.
    """
    members, size = z.shape
    known = np.hstack([z, rng.standard_normal((members, dummies))])
    anomalies_z, anomalies_g = (
        (x - x.mean(axis=0)) / math.sqrt(members - 1) for x in (known, residuals)
    )
    among = anomalies_g @ anomalies_g.T
    gain = (_localised if localised else _plain)(anomalies_z, among, inflation) @ anomalies_g
    noise = rng.standard_normal(residuals.shape) * math.sqrt(inflation)
    new = known + (noise - residuals) @ gain.T
    kept = np.mean(new[:, size:].var(axis=0) / known[:, size:].var(axis=0)) if dummies else 1.0
    mean = new[:, :size].mean(axis=0)
    return mean + (new[:, :size] - mean) / math.sqrt(kept)


def _plain(anomalies: np.ndarray, among: np.ndarray, inflation: float) -> np.ndarray:
    """Return Z (G'G + alpha I)^-1 (unknown, member) of ``anomalies`` (member, unknown)."""
    among = among + inflation * np.eye(len(among))
    return cho_solve(cho_factor(among, overwrite_a=True), anomalies).T


def _localised(anomalies: np.ndarray, among: np.ndarray, inflation: float) -> np.ndarray:
    """Return the same with correlations that lose what chance leads to expect."""
    squares, components = np.linalg.eigh(among)
    shared = anomalies.T @ components
    shared *= _beyond_chance(shared, len(among))
    return (shared / (squares + inflation)) @ components.T


def _beyond_chance(shared: np.ndarray, members: int) -> np.ndarray:
    """Return what share of each covariance (unknown, component) is more than chance.

    Of a squared correlation r2 of nothing, 1/members is expected: 1 - 1/(members r2), or 0.
    """
    expected = np.sum(shared**2, axis=1, keepdims=True) / members
    return np.clip(1.0 - expected / np.maximum(shared**2, np.finfo(float).tiny), 0.0, 1.0)


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
