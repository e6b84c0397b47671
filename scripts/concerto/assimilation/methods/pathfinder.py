"""Pathfinder, bent into shape: importance sampling from curved coordinates that moves have fitted.

Zhang, Carpenter, Gelman & Vehtari (2022, JMLR 23, 306): quasi-Newton paths climb to modes, all side
by side in lanes; at each of their points the estimate of the inverse Hessian is a normal
approximation, and the one of best evidence lower bound is kept of each path. The posteriors here
bend and widen too much for normals, so their draws are but a start: they move by Hamiltonian Monte
Carlo in curved coordinates (:mod:`concerto.assimilation.curved`), which are fitted to where they
have been, round by round. Independent draws from those coordinates, with Pareto-smoothed importance
weights (Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25, 72), are the posterior.

The k-hat of weights says whether they are steady on the ground that the draws cover; it cannot see
ground that no draw comes to. The moved particles can. The mean weight is the integral of the
posterior over the draws' ground; bridge sampling (Meng & Wong 1996, Statistica Sinica 6, 831), from
draws and particles together, is its integral over the ground of both. Their ratio is the share that
the draws cover, and the verdict asks for it beside k-hat.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from concerto.assimilation.curved import Curved, Target
from concerto.assimilation.diagnostics import K_HAT_MAX, judge_weights, smooth_weights, worth
from concerto.assimilation.methods.hmc import Pace, restart_stuck, run
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.resampling import systematic
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

COVERED_MIN = 0.8
LEAST_PARTICLES = 64
MOVES = 12  # trajectories of a round, half of which the coordinates are fitted to
CLIMB = 150  # evaluations of a path
_ACCEPTANCE = 0.75  # of moves, which need not be as fine as those that are kept
_STARTS = 64  # draws from the prior for each path, of which the best start
_EVERY = 5  # evaluations between points of a path that are judged
_FEW = 8  # draws that judge them
_FIRST_VARIANCE = 1e-4  # of a path's normal before it knows better
_LONGEST = 0.3  # step of a path, in soft space
_ARMIJO = 1e-4
_ROUNDING = 1e-12  # change of log density along a step that tells nothing of its curvature
_BATCH = 1000  # runs of the model at once, which keeps their trajectories small
_FREEDOM = 10.0  # degrees of freedom of the draws' Student t
_BRIDGES = 30  # iterations of bridge sampling
_PROBE = 4000  # draws of each round that say whether more of them would do
_FITTED = 4000  # most states that coordinates are fitted to


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Draw from the posterior by importance sampling from coordinates that suit it.

    ``budget`` holds the number of ``paths``; of ``particles`` that move and the most ``rounds`` of
    moves; the most importance ``draws``; and of ``members`` resampled from them. Rounds end as soon
    as a few draws pass k-hat and coverage. The verdict is ``converged`` if k-hat < 0.7, the
    weights are worth more than 400 draws, and these cover more than 0.8 of the ground.

    Raises
    ------
    ConcertoError
        If fewer than 64 particles are asked for, or no path finds a run that does not fail.
    """
    paths, particles, rounds, draws, members = (
        int(budget[key]) for key in ("paths", "particles", "rounds", "draws", "members")
    )
    if particles < LEAST_PARTICLES:
        raise ConcertoError(
            f"pathfinder: found {particles} particles; expected at least {LEAST_PARTICLES}"
        )
    circular = problem.prior.circular
    states = _begin(problem, paths, particles, rng)
    pace, kept = Pace(wanted=_ACCEPTANCE), states
    for k in range(rounds):
        coordinates = Curved.of(kept, circular)
        pace.restart()
        found = run(problem.log_posterior, states, coordinates, pace, MOVES, rng, learn=True)
        pace.settle()
        states, kept = restart_stuck(found, rng)
        kept = kept[rng.permutation(len(kept))[:_FITTED]]
        sample = _draw(problem, coordinates, min(_PROBE, draws), rng)
        at_particles = _weights_at(problem, coordinates, kept)
        _, k_hat = smooth_weights(sample.weights)
        share = covered(sample.weights, at_particles)
        log.info(
            "round %d: accepted %.0f %%, step %.2f, k-hat %.2f, covered %.2f",
            k + 1, 100.0 * found.acceptance.mean(), pace.step, k_hat, share,
        )  # fmt: skip
        if k_hat < K_HAT_MAX and COVERED_MIN < share < 1.0 / COVERED_MIN:
            break
    sample = sample.with_more(_draw(problem, coordinates, draws - len(sample.weights), rng))
    return _posterior(problem, sample, covered(sample.weights, at_particles), members, rng)


@dataclass(frozen=True)
class Sample:
    """Draws ``soft`` (draw, parameter) with log ``weights`` and log ``densities`` in soft space."""

    soft: np.ndarray
    weights: np.ndarray
    densities: np.ndarray

    def with_more(self, more: Sample) -> Sample:
        """Return these draws and ``more`` from the same proposal."""
        return Sample(
            np.concatenate([self.soft, more.soft]),
            np.concatenate([self.weights, more.weights]),
            np.concatenate([self.densities, more.densities]),
        )


@dataclass(frozen=True)
class Normals:
    """Normal densities: ``means`` (normal, parameter) and ``roots``, factors of covariances."""

    means: np.ndarray
    roots: np.ndarray

    @classmethod
    def on_path(cls, states: np.ndarray, gradients: np.ndarray, inverses: np.ndarray) -> Normals:
        """Return the normals at points of paths: a Newton step from each, as wide as its inverse.

        As in Zhang et al. (2022): the mean is the point plus the inverse Hessian of the
        negative log density times the gradient.
        """
        steps = np.einsum("nij,nj->ni", inverses, gradients)
        return cls(states + steps, np.linalg.cholesky(inverses))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return (normal, count, parameter) draws."""
        noise = rng.standard_normal((len(self.means), count, self.means.shape[1]))
        return self.means[:, None] + np.einsum("nij,ncj->nci", self.roots, noise)

    def log_densities(self, states: np.ndarray) -> np.ndarray:
        """Return (normal, state) log densities."""
        away = (states[None] - self.means[:, None]).transpose(0, 2, 1)
        scores = np.linalg.solve(self.roots, away)
        volume = np.log(np.einsum("nii->ni", self.roots)).sum(axis=1)
        size = states.shape[1]
        return (
            -0.5 * np.einsum("nij,nij->nj", scores, scores)
            - volume[:, None]
            - 0.5 * size * math.log(2.0 * math.pi)
        )


def climb(target: Target, states: np.ndarray) -> Normals:
    """Climb from ``states`` (path, parameter) by the BFGS method; return normals on the way.

    Every evaluation serves all paths at once: one whose trial did not rise enough (the condition of
    Armijo) tries less far, while the others go on.

    Returns
    -------
    Normals
        Of (point * path), points in their order.
    """
    paths, size = states.shape
    first = _FIRST_VARIANCE * np.eye(size)
    inverse, fresh = np.tile(first, (paths, 1, 1)), np.ones(paths, dtype=bool)
    density, gradient = target(states)
    step, length = _newton(inverse, gradient), np.ones(paths)
    points = []
    for k in range(CLIMB):
        trial = states + length[:, None] * step
        reached, slope = target(trial)
        rise = _ARMIJO * length * np.einsum("ni,ni->n", gradient, step)
        taken = np.isfinite(reached) & (reached >= density + rise)
        _update(inverse, fresh, taken, trial - states, gradient - slope)
        states = np.where(taken[:, None], trial, states)
        gradient = np.where(taken[:, None], slope, gradient)
        density = np.where(taken, reached, density)
        lost = ~taken & (length < 1e-3)  # the estimate does not fit here: begin it again
        inverse[lost], fresh[lost] = first, True
        turn = taken | lost
        step = np.where(turn[:, None], _newton(inverse, gradient), step)
        length = np.where(turn, 1.0, 0.35 * length)
        if k % _EVERY == _EVERY - 1:
            points.append((states, gradient, inverse.copy()))
    return Normals.on_path(*(np.concatenate(part) for part in zip(*points, strict=True)))


def _newton(inverse: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    step = np.einsum("nij,nj->ni", inverse, gradient)
    longest = np.abs(step).max(axis=1, keepdims=True)
    return step * (_LONGEST / np.maximum(longest, _LONGEST))


def _update(
    inverse: np.ndarray, fresh: np.ndarray, taken: np.ndarray, moved: np.ndarray, fell: np.ndarray
) -> None:
    """Update the estimates of inverse Hessians in place (Nocedal & Wright 2006, eq. 6.17).

    Only where a path has taken its step and the density is concave along it; the first update
    scales the first guess (their eq. 6.20).
    """
    curvature = np.einsum("ni,ni->n", moved, fell)
    sizes = np.sqrt(np.einsum("ni,ni->n", moved, moved) * np.einsum("ni,ni->n", fell, fell))
    ready = taken & (curvature > np.maximum(1e-8 * sizes, _ROUNDING))
    known = np.flatnonzero(ready & fresh)
    scale = curvature[known] / np.einsum("ni,ni->n", fell[known], fell[known])
    inverse[known] = scale[:, None, None] * np.eye(inverse.shape[1])
    fresh[known] = False
    s, y, rho = moved[ready], fell[ready], 1.0 / curvature[ready]
    left = np.eye(inverse.shape[1]) - rho[:, None, None] * s[:, :, None] * y[:, None, :]
    inverse[ready] = left @ inverse[ready] @ left.transpose(0, 2, 1)
    inverse[ready] += rho[:, None, None] * s[:, :, None] * s[:, None, :]


def _begin(problem: Problem, paths: int, particles: int, rng: np.random.Generator) -> np.ndarray:
    """Return particles (particle, parameter) in soft space, drawn from the best of each path.

    Their weights are raised to the power, at most 1, that leaves a quarter of the draws' worth.
    """
    prior = problem.prior
    ensemble = prior.parameters_of(prior.draw(_STARTS * paths, rng))
    likelihood = np.concatenate([problem.log_likelihood(part) for part in _batches(ensemble)])
    best = ensemble[np.argsort(-likelihood)[:paths]]
    normals = climb(problem.log_posterior, prior.to_soft(prior.to_unit(best)))
    trials = normals.draw(_FEW, rng)
    flat = trials.reshape(-1, trials.shape[2])
    density = _log_density(problem, flat).reshape(-1, paths, _FEW)
    noise = np.log(np.einsum("nii->ni", normals.roots)).sum(axis=1).reshape(-1, paths)
    bound = density.mean(axis=2) + noise  # the evidence lower bound, up to a constant
    if not np.isfinite(bound).any():
        failing = problem.not_finite(prior.to_parameters(prior.from_soft(flat[:1])))
        raise ConcertoError(f"pathfinder: every path ends in failing runs of {', '.join(failing)}")
    chosen = np.argmax(bound, axis=0) * paths + np.arange(paths)
    chosen = chosen[np.isfinite(bound.max(axis=0))]
    mixture = Normals(normals.means[chosen], normals.roots[chosen])
    soft = mixture.draw(math.ceil(4 * particles / len(chosen)), rng).reshape(-1, trials.shape[2])
    weights = _log_density(problem, soft)
    weights -= logsumexp(mixture.log_densities(soft), axis=0) - math.log(len(chosen))
    weights = _temper(weights, len(soft) / 4.0)
    log.info("%d paths: best lower bound %.1f", paths, bound.max())
    return soft[_resample(weights, particles, rng)]


def _temper(weights: np.ndarray, worth: float) -> np.ndarray:
    """Return the logarithms of weights to the highest power, up to 1, that are worth ``worth``."""
    for power in np.geomspace(1.0, 1e-4, 80):
        raised = power * weights
        if 2.0 * logsumexp(raised) - logsumexp(2.0 * raised) >= math.log(worth):
            break
    return raised


def _draw(problem: Problem, coordinates: Curved, count: int, rng: np.random.Generator) -> Sample:
    """Return independent draws: a Student t of few degrees of freedom along each coordinate.

    The posterior is periodic in a fraction of a circle, and each of its points is counted once: on
    the turn nearest to the mean. What is drawn on another turn has no weight.
    """
    soft = np.empty((count, len(coordinates.mean)))
    proposal = np.empty(count)
    for rows in _batches(np.arange(count)):
        x = rng.standard_t(_FREEDOM, (len(rows), soft.shape[1]))
        soft[rows], volume = coordinates.follow(x)
        proposal[rows] = _student(x) - volume
    density = _log_density(problem, soft)
    return Sample(soft, np.where(coordinates.on_turn(soft), density - proposal, -np.inf), density)


def covered(weights: np.ndarray, at_particles: np.ndarray) -> float:
    """Return the share of a density's integral that draws from a proposal see.

    The mean weight over the integral by bridge sampling, the fixed point of Meng & Wong (1996).

    Parameters
    ----------
    weights
        (draw,) logarithms of density over proposal at draws from the proposal.
    at_particles
        (particle,) the same at draws from the density, made in another way.
    """
    center = np.median(at_particles)
    proposed, drawn = weights - center, at_particles - center
    share = math.log(len(drawn) / (len(drawn) + len(proposed)))
    rest = math.log1p(-math.exp(share))
    integral = 0.0
    for _ in range(_BRIDGES):
        above = logsumexp(proposed - np.logaddexp(share + proposed, rest + integral))
        below = logsumexp(-np.logaddexp(share + drawn, rest + integral))
        integral = above - math.log(len(proposed)) - below + math.log(len(drawn))
    return math.exp(logsumexp(proposed) - math.log(len(proposed)) - integral)


def _weights_at(problem: Problem, coordinates: Curved, particles: np.ndarray) -> np.ndarray:
    """Return the log weights (particle,) that draws would have where ``particles`` are."""
    near = coordinates.wrap(particles)
    x, volume = coordinates.trace(near)
    return _log_density(problem, near) - (_student(x) - volume)


def _student(x: np.ndarray) -> np.ndarray:
    """Return the log density (draw,) of independent Student t coordinates."""
    nu = _FREEDOM
    norm = gammaln((nu + 1.0) / 2.0) - gammaln(nu / 2.0) - 0.5 * math.log(nu * math.pi)
    return x.shape[1] * norm - 0.5 * (nu + 1.0) * np.log1p(x * x / nu).sum(axis=1)


def _log_density(problem: Problem, soft: np.ndarray) -> np.ndarray:
    """Return the log posterior density (state,) in soft space, without its gradient."""
    prior = problem.prior
    density = np.empty(len(soft))
    for rows in _batches(np.arange(len(soft))):
        unit = prior.from_soft(soft[rows])
        density[rows] = problem.log_likelihood(prior.to_parameters(unit))
        density[rows] += prior.log_density(unit) + prior.log_slope(soft[rows])
    return density


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[k : k + _BATCH] for k in range(0, len(rows), _BATCH)]


def _resample(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` draws' numbers, each draw as often as its log weight says, but for rounding.

    Systematic resampling of draws in random order.
    """
    order = rng.permutation(len(weights))
    return rng.permutation(order[systematic(weights[order], count, rng)])


def _posterior(
    problem: Problem, sample: Sample, share: float, members: int, rng: np.random.Generator
) -> Posterior:
    weights, k_hat = smooth_weights(sample.weights)
    steady, verdict = judge_weights(weights, k_hat)
    chosen = _resample(weights, members, rng)
    return Posterior.of_ensemble(
        unit=problem.prior.from_soft(sample.soft[chosen]),
        log_density=sample.densities[chosen] - problem.prior.log_slope(sample.soft[chosen]),
        converged=steady and COVERED_MIN < share < 1.0 / COVERED_MIN,
        verdict=(
            f"{verdict}, share of the particles' ground that draws cover {share:.2f} "
            f"({COVERED_MIN} to {1.0 / COVERED_MIN} wanted)"
        ),
        diagnostics={
            "k_hat": k_hat,
            "effective_sample_size": worth(weights),
            "covered": share,
            "unique_members": float(len(np.unique(chosen))),
        },
    )
