"""HMC: Hamiltonian Monte Carlo on the exact gradient, all chains in lanes.

Neal (2011, Handbook of Markov Chain Monte Carlo, chapter 5): a chain is pushed at random and
follows the gradient of the posterior for a while, which carries it far along ridges on which other
chains would wander. All chains take the same number of steps, so that the model runs for all of
them at once; they learn the length of trajectories together, as in ChEES-HMC (Hoffman, Radul &
Sountsov 2021, AISTATS 130, 3907), the step by dual averaging (Hoffman & Gelman 2014, JMLR 15, 1593)
and a dense metric from each other's states. What is learned in the warm-up is kept fixed after it.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from concerto.assimilation.curved import Curved, Target, middle, wrap
from concerto.assimilation.diagnostics import chain_diagnostics, judge_chains
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.start import begin
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

ACCEPTANCE = 0.93  # wanted mean probability of accepting a trajectory: at less, more diverge
WINDOWS = (0.1, 0.1, 0.2, 0.35, 0.25)  # of the warm-up: in the last one the metric stays
LEAST_CHAINS = 4
_MOST_STEPS = 200  # of a trajectory
_ASTRAY = 1000.0  # energy lost by a trajectory that is said to diverge, as in Stan
_MOST_DIVERGED = 0.01
_NEVER = 1e-3  # acceptance of a trajectory that is not worth learning from
_STUCK = 0.2  # acceptance below which a chain is begun again, from the state of another
_SMALL, _SMALL_SHARE = 0.2, 0.1  # of the step, and of the trajectories that take such steps
_FIRST_STEP, _FIRST_LENGTH = 0.1, 1.0  # in standard deviations
_FIRST_SHARE = 0.02  # of the ensemble's covariance
_PRIOR_DRAWS, _PRIOR_VARIANCE = 5.0, 1e-3  # draws' worth of a small metric for each parameter


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Sample the posterior with Markov chains that follow its gradient.

    ``budget`` holds ``chains``, the length of their ``warm_up`` and the ``draws`` of each after it.
    The verdict is ``converged`` if all parameters have rank-normalised split R-hat < 1.01 and a
    bulk effective sample size > 400, and at most one trajectory in a hundred diverged: in that many
    the integrator lost the energy, so that chains may pass narrow places by.

    Raises
    ------
    ConcertoError
        If fewer than four chains are asked for, or a run of the model fails at the start.
    """
    chains, warm_up, draws = (int(budget[key]) for key in ("chains", "warm_up", "draws"))
    if chains < LEAST_CHAINS:
        raise ConcertoError(f"hmc: found {chains} chains; expected at least {LEAST_CHAINS}")
    prior = problem.prior
    ensemble, states = (prior.to_soft(unit) for unit in begin(problem, chains, rng))
    sampled = sample(
        problem.log_posterior,
        states,
        Metric.of(ensemble, prior.circular, _FIRST_SHARE),
        warm_up,
        draws,
        rng,
    )
    soft = sampled.states.reshape(-1, states.shape[1])
    unit = prior.from_soft(soft).reshape(sampled.states.shape)
    diagnostics = chain_diagnostics(unit, prior.circular)
    converged, verdict = judge_chains(diagnostics)
    diverged = sampled.divergences / (chains * draws)
    return Posterior(
        unit=unit.reshape(soft.shape),
        log_density=sampled.densities.reshape(-1) - prior.log_slope(soft),
        chain=np.repeat(np.arange(chains, dtype=np.int32), draws),
        converged=converged and diverged <= _MOST_DIVERGED,
        verdict=f"{verdict}, {100.0 * diverged:.2g} % of trajectories diverged (at most "
        f"{100.0 * _MOST_DIVERGED:g} % wanted)",
        history={"log_density": sampled.densities.mean(axis=0)},
        diagnostics={
            "divergences": float(sampled.divergences),
            "acceptance": float(sampled.acceptance.mean()),
        },
        **diagnostics,
    )


@dataclass(frozen=True)
class Metric:
    """Coordinates in which a posterior is about as wide in all directions.

    ``mean`` (parameter,) and ``root`` (parameter, parameter), the Cholesky factor of a covariance;
    ``circular`` (parameter,) where 1 is 0 again.
    """

    mean: np.ndarray
    root: np.ndarray
    circular: np.ndarray

    @classmethod
    def of(cls, states: np.ndarray, circular: np.ndarray, share: float = 1.0) -> Metric:
        """Return the metric of a ``share`` of the covariance of ``states`` (state, parameter)."""
        near = wrap(states, middle(states), circular)
        count, size = states.shape
        trust = count / (count + _PRIOR_DRAWS * size)
        # of a single state, where all other chains are stuck, it is nil
        covariance = share * trust * np.cov(near.T, ddof=0)
        covariance += (1.0 - trust) * _PRIOR_VARIANCE * np.eye(size)
        return cls(near.mean(axis=0), np.linalg.cholesky(covariance), circular)

    def wrap(self, states: np.ndarray) -> np.ndarray:
        """Return the same states, on the turn of the circle that is nearest to the mean."""
        return wrap(states, self.mean, self.circular)

    def place(self, x: np.ndarray) -> np.ndarray:
        """Return the states (chain, parameter) at coordinates ``x``."""
        return self.mean + x @ self.root.T

    def whiten(self, states: np.ndarray) -> np.ndarray:
        """Return states (chain, parameter) in the metric's coordinates."""
        return solve_triangular(self.root, (states - self.mean).T, lower=True).T

    def target(self, target: Target) -> Target:
        """Return ``target`` in the metric's coordinates."""

        def whitened(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            density, gradient = target(self.place(x))
            return density, gradient @ self.root

        return whitened


@dataclass
class Pace:
    """The step of the integrator and the mean length of trajectories, and how they are learned.

    The step by dual averaging (Hoffman & Gelman 2014, section 3.2) of the mean acceptance; the
    length by ascent of the ChEES criterion, the change of squared distance from the centre (Hoffman
    et al. 2021, eq. 9), with the method of Adam.
    """

    step: float = _FIRST_STEP
    length: float = _FIRST_LENGTH
    wanted: float = ACCEPTANCE
    _updates: int = 0
    _shortfall: float = 0.0
    _log_mean: float = 0.0
    _anchor: float = 0.0
    _slope: float = 0.0
    _square: float = 0.0
    _ascents: int = 0

    def restart(self) -> None:
        """Begin a window: the step may change by much once more."""
        self._updates, self._shortfall = 0, 0.0
        self._anchor, self._log_mean = math.log(10.0 * self.step), math.log(self.step)

    def settle(self) -> None:
        """End a window: take the mean step of it."""
        self.step = math.exp(self._log_mean)

    def next(self, rng: np.random.Generator) -> tuple[float, int]:
        """Return the step of the next trajectory and how many it takes.

        Its length varies, against resonance. Now and then steps are small, for chains in places
        so narrow that they would not leave them otherwise.
        """
        wanted = math.ceil(2.0 * rng.random() * self.length / self.step)
        step = self.step * (_SMALL if rng.random() < _SMALL_SHARE else 1.0)
        return step, min(max(wanted, 1), _MOST_STEPS)

    def learn_step(self, acceptance: np.ndarray) -> None:
        """Learn from the probabilities (chain,) of acceptance of a trajectory."""
        self._updates += 1
        weight = 1.0 / (self._updates + 10.0)
        short = self.wanted - float(acceptance.mean())
        self._shortfall += weight * (short - self._shortfall)
        now = self._anchor - math.sqrt(self._updates) / 0.05 * self._shortfall
        self._log_mean += self._updates**-0.75 * (now - self._log_mean)
        self.step = math.exp(now)

    def learn_length(
        self,
        start: np.ndarray,
        end: np.ndarray,
        momentum: np.ndarray,
        length: float,
        acceptance: np.ndarray,
    ) -> None:
        """Learn from where trajectories (chain, parameter) began and ended, and their last push."""
        sound = acceptance > _NEVER  # others went anywhere
        if not sound.any():
            return
        start, end, momentum = start[sound], end[sound], momentum[sound]
        weights = acceptance[sound] / acceptance[sound].sum()
        from_center = end - weights @ end
        change = np.sum(from_center**2, axis=1) - np.sum((start - start.mean(axis=0)) ** 2, axis=1)
        slope = length * float(weights @ (change * np.sum(from_center * momentum, axis=1)))
        self._ascents += 1
        self._slope += 0.1 * (slope - self._slope)
        self._square += 0.05 * (slope * slope - self._square)
        size = math.sqrt(self._square / (1.0 - 0.95**self._ascents)) + 1e-30
        ascent = 0.025 * self._slope / (1.0 - 0.9**self._ascents) / size
        longest = 0.5 * _MOST_STEPS * self.step
        self.length = min(max(self.length * math.exp(ascent), self.step), longest)


@dataclass
class Sampled:
    """What chains left: ``states`` (chain, draw, parameter) and log ``densities`` (chain, draw).

    ``acceptance`` (chain,) is the mean probability of accepting a trajectory; ``divergences`` the
    number of trajectories whose energy went astray.
    """

    states: np.ndarray
    densities: np.ndarray
    acceptance: np.ndarray
    divergences: int


def sample(
    target: Target,
    states: np.ndarray,
    metric: Metric,
    warm_up: int,
    draws: int,
    rng: np.random.Generator,
) -> Sampled:
    """Sample a density whose gradient is known.

    Parameters
    ----------
    target
        (chain, parameter) -> log density (chain,) and its gradient (chain, parameter).
    states
        (chain, parameter) where the chains start.
    metric
        A first guess of the width of the density.
    warm_up, draws
        Trajectories of each chain that are spent on learning, and kept.

    Raises
    ------
    ConcertoError
        If the density is nil or not finite at a start.
    """
    if not np.isfinite(target(states)[0]).all():
        raise ConcertoError("hmc: a run of the model fails at the start of a chain")
    pace = Pace()
    for window, share in enumerate(WINDOWS):
        pace.restart()
        found = run(target, states, metric, pace, max(2, round(share * warm_up)), rng, learn=True)
        pace.settle()
        states, kept = restart_stuck(found, rng)
        if window < len(WINDOWS) - 1:
            metric = Metric.of(kept, metric.circular)
        log.info(
            "warm-up %d of %d: best log-density %.1f, step %.3f, length %.2f, accepted %.0f %%",
            window + 1, len(WINDOWS), found.densities.max(), pace.step, pace.length,
            100.0 * found.acceptance.mean(),
        )  # fmt: skip
    return run(target, states, metric, pace, draws, rng, learn=False)


def restart_stuck(found: Sampled, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return where chains go on, and the states (state, parameter) to learn the metric from.

    A chain that does not move goes on from the last state of one that does.
    """
    moving = np.flatnonzero(found.acceptance >= _STUCK)
    last, size = found.states[:, -1].copy(), found.states.shape[2]
    half = found.states.shape[1] // 2
    if not moving.size:
        return last, found.states[:, half:].reshape(-1, size)
    stuck = np.setdiff1d(np.arange(len(last)), moving)
    if stuck.size:
        log.info("%d of %d chains did not move and start anew", stuck.size, len(last))
        last[stuck] = last[rng.choice(moving, stuck.size)]
    return last, found.states[moving, half:].reshape(-1, size)


def run(
    target: Target,
    states: np.ndarray,
    metric: Metric | Curved,
    pace: Pace,
    draws: int,
    rng: np.random.Generator,
    *,
    learn: bool,
) -> Sampled:
    """Make ``draws`` trajectories of each chain, in one metric."""
    chains, size = states.shape
    whitened = metric.target(target)
    x = metric.whiten(metric.wrap(states))
    density, gradient = whitened(x)
    kept, densities = np.empty((chains, draws, size)), np.empty((chains, draws))
    total, diverged = np.zeros(chains), 0
    for k in range(draws):
        push = rng.standard_normal((chains, size))
        step, steps = pace.next(rng)
        end, last_push, ended, end_gradient = _follow(whitened, x, push, gradient, step, steps)
        with np.errstate(all="ignore"):  # a trajectory that left the density is not accepted
            gain = ended - density + 0.5 * np.sum(push**2 - last_push**2, axis=1)
        gain = np.where(np.isfinite(gain), gain, -np.inf)
        diverged += int((gain < -_ASTRAY).sum())
        acceptance = np.exp(np.minimum(0.0, gain))
        if learn and step == pace.step:
            pace.learn_length(x, end, last_push, step * steps, acceptance)
            pace.learn_step(acceptance)
        taken = rng.random(chains) < acceptance
        x = np.where(taken[:, None], end, x)
        gradient = np.where(taken[:, None], end_gradient, gradient)
        density = np.where(taken, ended, density)
        kept[:, k] = metric.wrap(metric.place(x))
        x = metric.whiten(kept[:, k])
        densities[:, k] = density
        total += acceptance
        if not learn and (k + 1) * 10 // draws > k * 10 // draws:
            log.info(
                "%3d %%: best log-density %.1f, accepted %.0f %%",
                100 * (k + 1) // draws, density.max(), 100.0 * total.mean() / (k + 1),
            )  # fmt: skip
    return Sampled(kept, densities, total / draws, diverged)


def _follow(
    target: Target, x: np.ndarray, push: np.ndarray, gradient: np.ndarray, step: float, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return where trajectories (chain, parameter) end, and their push, density and gradient there.

    The leapfrog of Neal (2011), eqs 5.18 to 5.20.
    """
    push = push + 0.5 * step * gradient
    for k in range(steps):
        x = x + step * push
        with np.errstate(all="ignore"):
            density, gradient = target(x)
        push = push + (step if k < steps - 1 else 0.5 * step) * gradient
    return x, push, density, gradient
