"""4DEnVar: variational assimilation by an ensemble, with neither tangent nor adjoint of the model.

Liu, Xiao & Wang (2008, Monthly Weather Review 136, 3363), and for parameters of a land model
LAVENDAR (Pinnington et al. 2020, Geoscientific Model Development 13, 55): the change of the mean is
a weighted sum of the ensemble's perturbations, the change of what is observed the same sum of their
images, and the cost is quadratic in the weights. As models are not linear, this is repeated in
outer loops about the new mean: the iterative ensemble Kalman smoother in its bundle variant
(Bocquet & Sakov 2014, QJRMS 140, 1521), whose ensemble is drawn together while it gauges slopes.

There are more members than unknowns, so many weights make the same change. Images are therefore
regressed on the perturbations, which leaves what the weights can do to the unknowns (Raanes,
Stordal & Evensen 2019, Nonlinear Processes in Geophysics 26, 325), and the cost is minimised over
these sums, of which the prior's ensemble has the identity as covariance.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from concerto.assimilation.methods.esmda import MISMATCH_RANGE
from concerto.assimilation.normals import NONLINEARITY_MAX
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import ANGLE_VARIANCE, Scores, short_way
from concerto.assimilation.start import informed
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

PER_UNKNOWN = 4  # members that an ensemble must have at least
STEP = 0.05  # of the posterior's standard deviation: largest last change of the mean
COLLAPSE = 1e-6  # of the prior's standard deviation: smallest spread of an ensemble to trust
_BUNDLE = 0.05  # of its spread: how wide the ensemble is that gauges slopes
_DAMPING = np.concatenate([[0.0], 10.0 ** np.linspace(-9.0, 0.0, 15)])  # they fill a tile's lanes


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Return an ensemble with the mean and the covariance that minimise the cost.

    ``budget`` holds the ``members``, an even number, and the ``most_iterations`` of the outer loop,
    which begins at the mean of an ensemble that has seen a tenth of the information. The verdict is
    ``converged`` if the mean then stood still, the mean squared misfit of the ensemble is between
    0.5 and 2 of what the stated errors lead to expect, the ensemble did not collapse, and the cost
    of its members is close to the quadratic one that a normal density stands for.

    Raises
    ------
    ConcertoError
        If the ensemble is too small for the unknowns or of an odd size, or a run of the model
        fails.
    """
    members, most = int(budget["members"]), int(budget["most_iterations"])
    least = PER_UNKNOWN * len(problem.prior.circular)
    if members < least or members % 2:
        raise ConcertoError(
            f"fourdenvar: {members} members for {len(problem.prior.circular)} unknowns; "
            f"expected an even number, at least {least}"
        )
    space = _Background.about(problem, informed(problem, rng))
    perturbations = balanced(members, space.first.size, rng)
    mean, spread = space.first, space.spread
    history: dict[str, list[float]] = {"cost": [], "step": []}
    for iteration in range(most):
        base, slopes = _gauge(space, mean, _BUNDLE * perturbations @ spread)
        best, step, spread = _minimise(space, mean, base, slopes)
        history["cost"].append(0.5 * float(base @ base + mean @ mean))
        history["step"].append(step)
        log.info(
            "outer loop %d: cost %.2f, step %.3g of the posterior's standard deviation",
            iteration + 1, history["cost"][-1], step,
        )  # fmt: skip
        if step < STEP:
            break
        mean = best
    return _posterior(space, mean, perturbations, spread, history)


def balanced(members: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return perturbations (member, size) of exactly no mean and the identity as covariance.

    Each has its opposite among them, so that whatever is even in them does not touch slopes.
    """
    half = rng.standard_normal((members // 2, size))
    half = np.linalg.solve(np.linalg.cholesky(half.T @ half), half.T).T * math.sqrt(
        (members - 1) / 2.0
    )
    return np.concatenate([half, -half])


@dataclass(frozen=True)
class _Background:
    """Unknowns of a standard normal prior, and the problem's residuals as a function of them.

    They are scores, less the ``center`` (parameter,) and over the standard deviation ``sd`` of
    their prior: for angles a normal one about the first guess, so wide that it hardly tells.
    ``first`` (parameter,) is the first guess and ``spread`` (parameter, parameter) the root of its
    covariance.
    """

    scores: Scores
    problem: Problem
    center: np.ndarray
    sd: np.ndarray
    first: np.ndarray
    spread: np.ndarray

    @classmethod
    def about(cls, problem: Problem, ensemble: np.ndarray) -> _Background:
        """Return the background with an ensemble's mean as first guess; ``z`` (member, size)."""
        scores, circular = Scores(problem), problem.prior.circular
        drawn = scores.of(ensemble)
        turned = np.angle(np.exp(1j * drawn).mean(axis=0))
        center = np.where(circular, turned, 0.0)
        sd = np.where(circular, math.sqrt(ANGLE_VARIANCE), 1.0)
        unknowns = short_way(drawn - center, circular) / sd
        spread = np.linalg.cholesky(np.atleast_2d(np.cov(unknowns.T))).T
        return cls(scores, problem, center, sd, unknowns.mean(axis=0), spread)

    def scores_of(self, unknowns: np.ndarray) -> np.ndarray:
        """Return scores (member, parameter)."""
        return self.center + self.sd * unknowns

    def residuals(self, unknowns: np.ndarray) -> np.ndarray:
        """Return (member, residual) of the problem.

        Raises
        ------
        ConcertoError
            If a run of the model fails.
        """
        parameters = self.scores.parameters_of(self.scores_of(unknowns))
        residuals = self.problem.residuals(parameters)
        failed = int((~np.isfinite(residuals).all(axis=1)).sum())
        if failed:
            where = ", ".join(self.problem.not_finite(parameters))
            raise ConcertoError(
                f"fourdenvar: {failed} of {len(unknowns)} runs of the model gave no finite result "
                f"for {where}"
            )
        return residuals

    def cost(self, unknowns: np.ndarray) -> np.ndarray:
        """Return (member,) half the sum of squares of unknowns and residuals; inf for failures."""
        parameters = self.scores.parameters_of(self.scores_of(unknowns))
        squares = np.sum(unknowns * unknowns, axis=1)
        return 0.5 * squares - self.problem.log_likelihood(parameters)


def _gauge(
    space: _Background, mean: np.ndarray, perturbations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the residuals (residual,) of the mean and their slopes (residual, parameter)."""
    residuals = space.residuals(np.concatenate([mean[None], mean + perturbations]))
    images = residuals[1:] - residuals[1:].mean(axis=0)
    slopes = np.linalg.lstsq(perturbations, images, rcond=None)[0]
    return residuals[0], slopes.T


def _minimise(
    space: _Background, mean: np.ndarray, base: np.ndarray, slopes: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Minimise the cost that is quadratic in the change of the mean.

    Returns
    -------
    best, step, spread
        (parameter,) the new mean: of minima that are damped to different degrees (Levenberg 1944,
        Quarterly of Applied Mathematics 2, 164), the one of least true cost. The undamped step,
        root mean square over standard deviations of the posterior. The symmetric root (parameter,
        parameter) of the posterior's covariance.
    """
    curvature, axes = np.linalg.eigh(np.eye(mean.size) + slopes.T @ slopes)
    curvature = np.maximum(curvature, 1.0)  # round-off
    gradient = axes.T @ (mean + slopes.T @ base)
    damped = curvature + curvature[-1] * _DAMPING[:, None]
    tried = np.concatenate([mean - gradient / damped @ axes.T, mean[None]])
    best = tried[np.argmin(space.cost(tried))]
    step = math.sqrt(float(np.mean(gradient**2 / curvature)))
    return best, step, axes / np.sqrt(curvature) @ axes.T


def _posterior(
    space: _Background,
    mean: np.ndarray,
    perturbations: np.ndarray,
    spread: np.ndarray,
    history: dict[str, list[float]],
) -> Posterior:
    problem, unknowns = space.problem, mean + perturbations @ spread
    residuals = space.residuals(unknowns)[:, : problem.n_observations]
    mismatch, smallest = float(np.mean(residuals**2)), float(np.linalg.eigvalsh(spread)[0])
    over = space.cost(unknowns) - space.cost(mean[None]) - 0.5 * np.sum(perturbations**2, axis=1)
    nonlinearity = math.sqrt(float(np.mean(over**2)))
    converged, verdict = _judge(history["step"], mismatch, smallest, nonlinearity)
    parameters = space.scores.parameters_of(space.scores_of(unknowns))
    unit = problem.prior.to_unit(parameters)
    return Posterior.of_ensemble(
        unit=unit,
        log_density=problem.log_likelihood(parameters) + problem.prior.log_density(unit),
        converged=converged,
        verdict=verdict,
        history={name: np.array(series) for name, series in history.items()},
        diagnostics={
            "last_step": history["step"][-1],
            "mismatch": mismatch,
            "smallest_spread": smallest,
            "nonlinearity": nonlinearity,
        },
    )


def _judge(
    steps: list[float], mismatch: float, smallest: float, nonlinearity: float
) -> tuple[bool, str]:
    low, high = MISMATCH_RANGE
    said = (
        f"the mean would move by {steps[-1]:.2g} of the posterior's standard deviation after "
        f"{len(steps)} outer loops (below {STEP:g} wanted); mean squared misfit {mismatch:.3g} "
        f"(expected 1, accepted {low:g} to {high:g}); smallest ensemble spread {smallest:.2g} of "
        f"the prior's (above {COLLAPSE:g} wanted); log density {nonlinearity:.3g} from a normal "
        f"one on the members (below {NONLINEARITY_MAX:g} wanted)"
    )
    if not nonlinearity < NONLINEARITY_MAX:
        return False, f"the posterior is not close to normal, use hmc; {said}"
    return bool(steps[-1] < STEP and low <= mismatch <= high and smallest > COLLAPSE), said
