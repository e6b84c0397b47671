"""Particle filter: parameters weighted by ever more of the record, resampled and moved.

The model is deterministic, so that parameters determine a whole run, and the likelihood of all data
until some time is known exactly for each of them. A particle therefore is a vector of parameters,
and the filter is iterated batch importance sampling (IBIS; Chopin 2002, Biometrika 89, 539): window
by window the weights take up the likelihood of the new observations, in as many parts as keep half
of the particles effective (Del Moral, Doucet & Jasra 2006, J. R. Stat. Soc. B 68, 411); then
particles are resampled and moved by Markov chains that target the posterior of all data so far
(Gilks & Berzuini 2001, J. R. Stat. Soc. B 63, 127). Their proposals are made from the particles:
every other one nearly independent, from the t distribution with the particles' mean and covariance
(t-preconditioned Crank-Nicolson; Grumitt, Karamanis & Seljak 2024, Inverse Problems 40),
the others along differences between two particles (ter Braak 2006, Statistics and Computing 16,
239), which hop between modes. All states of the chains are kept as particles: a few are resampled,
and their chains fill the population (waste-free; Dau & Chopin 2022, J. R. Stat. Soc. B 84, 114).

A move runs the model again over the whole record, which lanes make cheap; nothing is approximated
by a shape of the distribution or by kernels, and autocorrelated model errors are handled exactly by
the filter of :mod:`~concerto.assimilation.stream_error`. The constraints are on whole runs; as the
weather of the record is known, they are a part of the prior and weigh first. A run that fails
anywhere in the record has no weight from the start.

Populations that know nothing of each other show how far the result is one of chance.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from scipy.special import logsumexp

from concerto.assimilation.diagnostics import chain_diagnostics, judge_chains
from concerto.assimilation.innovation import Innovations, chi_square
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.resampling import systematic
from concerto.assimilation.stated import errors_as_stated
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

EFFECTIVE = 0.5  # of the particles: below, they are resampled
FINAL_STATE = True  # the posterior has one, so that forecasts go on from it
LEAST_PARTICLES = 10  # of a population, per unknown: proposals are made of their differences
LEAST_POPULATIONS = 2
DISTINCT = 0.05  # of the particles: fewer different ones, or effective ones, are a collapse
_MOST_PARTS = 40  # in which a window is taken up; the last takes all that is left of it
_WITNESSES = 256  # particles that say what a window's observations are expected to be
_BATCH = 256  # particles run at once: bounds the memory
_BISECTIONS = 40
_FREEDOM = 5.0  # degrees of it, of the t distribution of proposals
_FIRST_STEP, _ACCEPTANCE, _LEARNING = 0.5, 0.25, 0.3  # of nearly independent proposals
_SHRINKING = (1.0, 0.6, 0.35)  # of the best length of a difference for a normal posterior
_HOPS = 0.1  # of the proposals along differences are whole ones, from mode to mode
_ROUNDING = 1e-5  # of the prior's spread: keeps proposals off the particles' lattice


@errors_as_stated
def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Sample the posterior with populations of particles that pass through the record.

    ``budget`` holds the number of ``populations``, the ``members`` of each, in how many ``windows``
    with as many observations the record is split, and ``moves``: how many states a chain leaves
    after each resampling, so that ``members / moves`` particles are resampled.

    The verdict is ``converged`` if the populations agree (rank-normalised split R-hat < 1.01 and
    bulk effective sample size > 400, of the populations as chains), the mean squared standardised
    innovation, over the record and over its second half, is between 0.5 and 2, and the particles
    did not collapse to few different or effective ones.

    Raises
    ------
    ConcertoError
        If there are too few populations, particles or observations, or all runs of the model fail.
    """
    populations, members, windows, moves = (
        int(budget[name]) for name in ("populations", "members", "windows", "moves")
    )
    prior = problem.prior
    _check_budget(problem, populations, members, windows, moves)
    found = [
        _Population(problem, windows, moves, generator).run(members)
        for generator in rng.spawn(populations)
    ]
    unit = np.stack([prior.to_unit(prior.parameters_of(each.particles.z)) for each in found])
    diagnostics = chain_diagnostics(unit, problem.prior.circular)
    agree, said = judge_chains(diagnostics)
    innovations = found[0].innovations
    named = _named(found)
    few = min(named["least_distinct"], named["least_effective"]) < DISTINCT
    unit = unit.reshape(-1, unit.shape[2])
    likelihood = -np.concatenate([each.particles.losses.sum(axis=1) for each in found])
    return Posterior(
        unit=unit,
        log_density=likelihood + prior.log_density(unit),
        chain=np.repeat(np.arange(populations, dtype=np.int32), members),
        converged=agree and innovations.accepted and not few,
        verdict=f"{'the particles collapsed; ' if few else ''}{said}, of {populations} populations "
        f"as chains; {innovations}; at least {100 * named['least_distinct']:.0f} % of the "
        f"particles differ and {100 * named['least_effective']:.0f} % were effective (above "
        f"{100 * DISTINCT:.0f} % wanted), least acceptance of moves "
        f"{100 * named['least_acceptance']:.1f} %",
        history={"innovation": innovations.series},
        diagnostics=innovations.diagnostics | named,
        final=problem.final_state(prior.to_parameters(unit), rng),
        **diagnostics,
    )


def _check_budget(
    problem: Problem, populations: int, members: int, windows: int, moves: int
) -> None:
    least = LEAST_PARTICLES * problem.prior.size
    wrong = {
        f"{populations} populations": populations < LEAST_POPULATIONS
        and f"at least {LEAST_POPULATIONS}",
        f"{members} members for {problem.prior.size} unknowns": members < least
        and f"at least {least}",
        f"{members} members and {moves} moves": (moves < 2 or members % moves > 0)
        and "at least 2 moves, and members that are a multiple of them",
        f"{windows} windows for {problem.n_observations} observations": not (
            1 <= windows <= problem.n_observations
        )
        and "at least 1 window, and an observation in each",
    }
    for found, expected in wrong.items():
        if expected:
            raise ConcertoError(f"particle_filter: found {found}; expected {expected}")


@dataclass(frozen=True)
class Particles:
    """Parameters with what makes up their posterior density.

    ``z`` (particle, size) of the prior; ``prior`` (particle,) log density of that, -inf where
    the model fails; ``losses`` (particle, part) half the squared residuals of the constraints, then
    of each window.
    """

    z: np.ndarray
    prior: np.ndarray
    losses: np.ndarray

    def density(self, shares: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the log density (particle,) with ``shares`` (part,) of the parts assimilated."""
        return self.prior - np.sum(self.losses * shares, axis=1)

    def take(self, rows: np.ndarray) -> Particles:
        """Return the particles ``rows``."""
        return Particles(self.z[rows], self.prior[rows], self.losses[rows])


def join(parts: Sequence[Particles]) -> Particles:
    """Return the particles of all ``parts``."""
    return Particles(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Particles))
    )


class _Population:
    """Particles on their way through the record, and what became of them.

    Parameters
    ----------
    problem
        What they solve.
    windows
        In how many the record is split.
    moves
        How many states a chain leaves after a resampling.
    rng
        Their own source of randomness.
    """

    def __init__(
        self, problem: Problem, windows: int, moves: int, rng: np.random.Generator
    ) -> None:
        self._problem, self._moves, self._rng = problem, moves, rng
        ends = np.linspace(0, problem.n_observations, windows + 1).astype(int)
        self._parts = [slice(problem.n_observations, None)]
        self._parts += [slice(*pair) for pair in pairwise(ends.tolist())]
        self._shares = np.zeros(len(self._parts))
        self._step = _FIRST_STEP
        self.innovations = Innovations()
        self.log_evidence = 0.0
        self.failed = 0
        self.acceptance: list[float] = []
        self.effective: list[float] = []
        self.distinct: list[float] = []

    def run(self, members: int) -> _Population:
        """Take ``members`` draws of the prior through the record."""
        prior = self._problem.prior
        z = prior.draw(members, self._rng)
        self.particles = self._evaluate(z)
        self._weights = np.where(np.isfinite(self.particles.prior), 0.0, -np.inf)
        if not np.isfinite(self._weights).any():
            raise ConcertoError(
                f"particle_filter: all {members} runs of the model gave no finite result for "
                f"{', '.join(self._problem.not_finite(prior.parameters_of(z)))}"
            )
        self._weights -= logsumexp(self._weights)
        for part in range(len(self._parts)):
            if part > 0:
                self._expect(self._parts[part])
            for left in range(_MOST_PARTS - 1, -1, -1):
                self._weigh(part, whole=left == 0)
                if self._shares[part] < 1.0 or self._effective() < EFFECTIVE:
                    self._move()
                if self._shares[part] == 1.0:
                    break
            log.info(
                "window %d of %d: effective %.0f %%, resampled %d times, accepted %.1f %%",
                part, len(self._parts) - 1, 100.0 * self._effective(), len(self.acceptance),
                100.0 * (self.acceptance[-1] if self.acceptance else np.nan),
            )  # fmt: skip
        self._move()
        return self

    def _evaluate(self, z: np.ndarray) -> Particles:
        """Run the model for points (particle, size)."""
        prior = -0.5 * np.sum(z * z, axis=1)
        losses = np.empty((len(z), len(self._parts)))
        for first in range(0, len(z), _BATCH):
            some = slice(first, first + _BATCH)
            residuals = self._problem.residuals(self._problem.prior.parameters_of(z[some]))
            with np.errstate(over="ignore"):  # of a run that all but fails
                for k, part in enumerate(self._parts):
                    losses[some, k] = 0.5 * np.sum(residuals[:, part] ** 2, axis=1)
        sound = np.isfinite(losses).all(axis=1)
        self.failed += int((~sound).sum())
        losses[~sound] = 0.0
        return Particles(z, np.where(sound, prior, -np.inf), losses)

    def _effective(self) -> float:
        """Return the effective share of the particles."""
        return effective_number(self._weights) / len(self._weights)

    def _expect(self, window: slice) -> None:
        """Hold the observations of a window against what the particles expect of them."""
        rows = systematic(self._weights, _WITNESSES, self._rng)
        parameters = self._problem.prior.parameters_of(self.particles.z[rows])
        residuals = self._problem.residuals(parameters)[:, window]
        self.innovations.add(chi_square(residuals), residuals.shape[1])

    def _weigh(self, part: int, *, whole: bool) -> None:
        """Take up as much of a part as keeps enough particles effective, or the ``whole`` rest."""
        losses, left = self.particles.losses[:, part], 1.0 - self._shares[part]
        share = left if whole else largest_share(self._weights, losses, left)
        weights = self._weights - share * losses
        self.log_evidence += float(logsumexp(weights))
        self._weights = weights - logsumexp(weights)
        self._shares[part] = 1.0 if share == left else self._shares[part] + share
        self.effective.append(self._effective())

    def _move(self) -> None:
        """Resample particles and let chains that start there fill the population."""
        members = len(self._weights)
        archive = self.particles.z[systematic(self._weights, members, self._rng)]
        reference = Reference.of(archive)
        chains = systematic(self._weights, members // self._moves, self._rng)
        now = self.particles.take(chains)
        kept, accepted = [now], 0
        for move in range(self._moves - 1):
            independent = move % 2 == 0
            if independent:
                z, correction = reference.propose(now.z, self._step, self._rng)
            else:
                z, correction = _along_differences(now.z, archive, self._rng), 0.0
            proposed = self._evaluate(z)
            gain = proposed.density(self._shares) - now.density(self._shares) + correction
            taken = np.log(self._rng.random(len(gain))) < gain
            now = join([now, proposed]).take(np.arange(len(gain)) + len(gain) * taken)
            kept.append(now)
            accepted += int(taken.sum())
            if independent:
                self._step *= math.exp(_LEARNING * (float(taken.mean()) - _ACCEPTANCE))
                self._step = min(1.0, self._step)
        # a chain's states one after the other: effective sample sizes see that they are alike
        order = np.arange(members).reshape(self._moves, len(chains)).T.ravel()
        self.particles = join(kept).take(order)
        self._weights = np.full(members, -math.log(members))
        self.acceptance.append(accepted / (members - len(chains)))
        self.distinct.append(len(np.unique(self.particles.z, axis=0)) / members)


@dataclass(frozen=True)
class Reference:
    """A t distribution with the ``mean`` (size,) of particles and the ``root`` of their covariance.

    ``root`` and its ``inverse`` are (size, size).
    """

    mean: np.ndarray
    root: np.ndarray
    inverse: np.ndarray

    @classmethod
    def of(cls, z: np.ndarray) -> Reference:
        """Return the reference of particles (particle, size)."""
        covariance = np.cov(z.T).reshape(z.shape[1], z.shape[1])
        root = np.linalg.cholesky(covariance + _ROUNDING**2 * np.eye(len(covariance)))
        return cls(z.mean(axis=0), root, np.linalg.inv(root))

    def propose(
        self, z: np.ndarray, step: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return proposals (chain, size) and the logarithms (chain,) by which they are corrected.

        The t distribution is a normal one with a random scale; given the scale, drawn for where
        the chain is, a step between that place (0) and independence (1) keeps the normal one.
        """
        around = z - self.mean
        size = z.shape[1]
        far = self._far(z)
        scale = 0.5 * (_FREEDOM + far) / rng.gamma(0.5 * (_FREEDOM + size), size=len(z))
        fresh = np.sqrt(scale)[:, None] * (rng.standard_normal(z.shape) @ self.root.T)
        new = self.mean + math.sqrt(1.0 - step * step) * around + step * fresh
        ratio = np.log1p(self._far(new) / _FREEDOM) - np.log1p(far / _FREEDOM)
        return new, 0.5 * (_FREEDOM + size) * ratio

    def _far(self, z: np.ndarray) -> np.ndarray:
        """Return the squared Mahalanobis distances (particle,) from the mean."""
        white = (z - self.mean) @ self.inverse.T
        return np.sum(white * white, axis=1)


def _along_differences(z: np.ndarray, archive: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ``z`` (chain, size), each moved along the difference between two of the archive."""
    chains, size = z.shape
    first, second = rng.integers(0, len(archive), (2, chains))
    length = 2.38 / math.sqrt(2.0 * size) * rng.choice(_SHRINKING, chains)
    length = np.where(rng.random(chains) < _HOPS, 1.0, length)
    noise = _ROUNDING * rng.standard_normal(z.shape)
    return z + length[:, None] * (archive[first] - archive[second]) + noise


def effective_number(weights: np.ndarray) -> float:
    """Return the effective number of particles with log ``weights`` (particle,) that sum to one."""
    return float(np.exp(-logsumexp(2.0 * weights)))


def largest_share(weights: np.ndarray, losses: np.ndarray, left: float) -> float:
    """Return the largest share of losses that keeps half of the particles effective.

    Parameters
    ----------
    weights, losses
        (particle,) logarithms of the weights, and what a whole share takes from them.
    left
        The largest share that may be taken.
    """

    def enough(share: float) -> bool:
        new = weights - share * losses
        return effective_number(new - logsumexp(new)) >= EFFECTIVE * len(weights)

    if enough(left):
        return left
    low, high = 0.0, left
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low


def _named(found: Sequence[_Population]) -> dict[str, float]:
    evidence = [each.log_evidence for each in found]
    return {
        "log_evidence": float(np.mean(evidence)),
        "log_evidence_sd": float(np.std(evidence, ddof=1)),
        "least_effective": min(min(each.effective) for each in found),
        "least_acceptance": min(min(each.acceptance) for each in found),
        "least_distinct": min(min(each.distinct) for each in found),
        "resamplings": float(np.mean([len(each.acceptance) for each in found])),
        "failed_runs": float(sum(each.failed for each in found)),
    }
