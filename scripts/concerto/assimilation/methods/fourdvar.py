"""4D-Var: the modes of the posterior by descent, and normal densities around them.

The cost is half the squared distance from the prior's centre, in its standard deviations, and half
the squared whitened misfits over the whole window: the incremental 4D-Var of Courtier, Thépaut &
Hollingsworth (1994, QJRMS 120, 1367), preconditioned by the prior. Descents from several starts
follow the exact derivative. Around each mode that they find, the posterior is taken for normal,
with the inverse of Gauss and Newton's second derivative of the cost as its covariance, and modes
are weighted by the evidence that this implies (Laplace's method). How far that is from the
posterior is measured on the draws, and decides on the verdict.
"""

from __future__ import annotations

import logging
import math

import numpy as np
from scipy.special import softmax

from concerto.assimilation.mode import End, ends
from concerto.assimilation.normals import NONLINEARITY_MAX, Check, Normals, check
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import ANGLE_VARIANCE, Scores, short_way
from concerto.assimilation.start import informed
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

GRADIENT = 0.01  # of each score; no precision is below the prior's 1, so a mode is as close as that
SHARE_MIN = 0.25  # of the descents that must end at a mode that is kept
_CHANGE = 1e-12  # share of the cost: the gradient decides when a descent ends
_NEAR = 2.0  # standard deviations from a mode, and cost above it, of what is the same mode
_NEGLIGIBLE = 1e-3  # weight of a mode that is left out


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Draw from normal densities around the modes of the posterior.

    ``budget`` holds the number of ``starts`` of descents, the ``members`` to draw and the
    ``most_iterations`` of a descent. Half of the descents start from an ensemble that has seen a
    tenth of the information, which brings them close to good modes, and half from draws of the
    prior, as such an ensemble may have lost a mode. None can be sure to have found them all. The
    verdict is ``converged`` if the gradient is small at all modes that are kept,
    a quarter of the descents ended at one of them, and the cost on the draws is close to the
    quadratic one that a normal density stands for. Draws where the model fails are left out.

    Raises
    ------
    ConcertoError
        If a run of the model fails at the start, or at all draws.
    """
    starts, members, most = (int(budget[key]) for key in ("starts", "members", "most_iterations"))
    scores = Scores(problem)
    far = problem.prior.draw(starts // 2, rng)
    near = informed(problem, rng, starts)[: starts - len(far)]
    reached = ends(scores, scores.of(np.concatenate([near, far])), most, _CHANGE, GRADIENT)
    homes = cluster(reached, scores.circular)
    modes = [home[0] for home in homes]
    normals = laplace(modes, scores.circular)
    kept = np.flatnonzero(normals.weights > _NEGLIGIBLE)
    modes = [modes[k] for k in kept]
    normals = laplace(modes, scores.circular)
    for k, mode in zip(kept, modes, strict=True):
        log.info(
            "%d of %d descents ended at a mode of cost %.2f, gradient %.2g",
            len(homes[k]), starts, mode.cost, np.linalg.norm(mode.gradient),
        )  # fmt: skip
    draws, of_mode = normals.draw(members, rng)
    checked = check(scores, normals, np.array([mode.cost for mode in modes]), draws, of_mode)
    sound = np.isfinite(checked.cost)
    if not sound.any():
        where = ", ".join(problem.not_finite(scores.parameters_of(draws)))
        raise ConcertoError(f"fourdvar: all {members} draws gave no finite result for {where}")
    parameters = scores.parameters_of(draws[sound])
    unit = problem.prior.to_unit(parameters)
    share = sum(len(homes[k]) for k in kept) / starts
    gradient = max(float(np.linalg.norm(mode.gradient)) for mode in modes)
    converged, verdict = _judge(gradient, unit.shape[1], len(modes), share, checked)
    return Posterior.of_ensemble(
        unit=unit,
        log_density=problem.log_likelihood(parameters) + problem.prior.log_density(unit),
        converged=converged,
        verdict=verdict,
        history={"cost": np.array([end.cost for end in reached])},
        diagnostics={
            "gradient_norm": gradient,
            "modes": float(len(modes)),
            "share_of_starts": share,
            "nonlinearity": checked.nonlinearity,
            "nonlinearity_mean": checked.mean,
            "nonlinearity_sd": checked.sd,
            "importance_ess": checked.ess,
            "failed_draws": float(checked.failed),
        },
    )


def cluster(reached: list[End], circular: np.ndarray) -> list[list[End]]:
    """Return the descents, best first, that ended at each mode.

    An end within two standard deviations of a mode, and not much above it, is at the mode; others
    are modes themselves if the gradient is small there. The best end is one whatever its gradient.
    """
    homes: list[list[End]] = []
    for end in reached:
        home = next((home for home in homes if _same(home[0], end, circular)), None)
        if home is not None:
            home.append(end)
        elif not homes or np.linalg.norm(end.gradient) < _tolerance(len(end.scores)):
            homes.append([end])
    return homes


def laplace(modes: list[End], circular: np.ndarray) -> Normals:
    """Return the normal densities around modes, weighted by their evidence."""
    precisions = np.stack([_precision(mode, circular) for mode in modes])
    costs = np.array([mode.cost for mode in modes])
    evidence = -costs - 0.5 * np.linalg.slogdet(precisions)[1]
    means = np.stack([mode.scores for mode in modes])
    return Normals(means, precisions, softmax(evidence), circular)


def _precision(mode: End, circular: np.ndarray) -> np.ndarray:
    return mode.curvature + np.diag(np.where(circular, 1.0 / ANGLE_VARIANCE, 0.0))


def _same(mode: End, end: End, circular: np.ndarray) -> bool:
    away = short_way(end.scores - mode.scores, circular)
    distance = math.sqrt(away @ _precision(mode, circular) @ away)
    return distance < _NEAR and end.cost - mode.cost < _NEAR


def _tolerance(size: int) -> float:
    return GRADIENT * math.sqrt(size)


def _judge(
    gradient: float, size: int, modes: int, share: float, checked: Check
) -> tuple[bool, str]:
    wanted = _tolerance(size)
    said = (
        f"{modes} mode{'s' if modes > 1 else ''}, largest gradient {gradient:.2g} (below "
        f"{wanted:.2g} wanted), {100.0 * share:.0f} % of the descents ended there (at least "
        f"{100.0 * SHARE_MIN:.0f} % wanted); log density {checked.nonlinearity:.3g} from a normal "
        f"one on the draws (below {NONLINEARITY_MAX:g} wanted)"
    )
    if checked.failed:
        said += f"; {checked.failed} of {len(checked.cost)} draws failed and were left out"
    if not checked.nonlinearity < NONLINEARITY_MAX:
        return False, f"the posterior is not close to normal, use hmc; {said}"
    return gradient < wanted and share >= SHARE_MIN and not checked.failed, said
