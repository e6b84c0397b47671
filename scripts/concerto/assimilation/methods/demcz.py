"""DE-MCz: differential evolution Markov chains that learn from their past.

ter Braak & Vrugt (2008, Statistics and Computing 18, 435): a chain proposes along the difference of
two states drawn from the archive of all past states, now and then along the line to a third one
(the snooker update). Few chains suffice, and the scale and orientation of proposals adapt by
themselves.

Proposals are evaluated ahead: each chain makes several from its present state at once, which fill
the lanes, and takes them one after the other until the first that it accepts; the rest is thrown
away. That is the law of a chain that proposes one at a time, at a fraction of its cost.
"""

from __future__ import annotations

import logging

import numpy as np

from concerto.assimilation.diagnostics import chain_diagnostics, judge_chains
from concerto.assimilation.methods import esmda
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

SNOOKER_SHARE = 0.1
JUMP_SHARE = 0.1  # of parallel updates with gamma = 1, which hop between modes
CROSSOVER = (0.2, 0.6, 1.0)  # probability that a parameter takes part in a parallel update
ARCHIVE_PER_UNKNOWN = 10
BURN_IN = 1.0 / 3.0
_AHEAD = 16  # proposals a chain makes at once
_ROUNDING = 1e-5  # standard deviation of the noise that keeps proposals off the archive's lattice


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Sample the posterior with Markov chains.

    The archive starts as the ensemble of :mod:`~concerto.assimilation.methods.esmda`, the chains as
    members of it far apart. ``budget`` holds ``chains``, ``generations`` and ``thin``: every
    ``thin``-th state joins the archive and, after the first third, the posterior. The verdict is
    ``converged`` if all parameters have rank-normalised split R-hat < 1.01 and a bulk effective
    sample size > 400.

    Raises
    ------
    ConcertoError
        If fewer than three chains are asked for, or no start has a finite density.
    """
    chains, generations, thin = (int(budget[key]) for key in ("chains", "generations", "thin"))
    if chains < 3:
        raise ConcertoError(f"demcz: found {chains} chains; expected at least 3")
    circular = problem.prior.circular
    history = _History(_first_archive(problem, rng), chains, generations // thin)
    state, density = _start(problem, history.archive, chains)
    age = np.zeros(chains, dtype=np.int64)
    proposals = accepted = 0
    while age.min() < generations:
        repeated = np.repeat(state, _AHEAD, axis=0)
        proposal, correction = _propose(repeated, history.archive, circular, rng)
        proposed = _log_density(problem, proposal).reshape(chains, _AHEAD)
        gain = proposed - density[:, None] + correction.reshape(chains, _AHEAD)
        accept = np.log(rng.random((chains, _AHEAD))) < gain
        first = np.argmax(accept, axis=1)
        moved = accept.any(axis=1)
        steps = np.where(moved, first + 1, _AHEAD)
        new = proposal.reshape(chains, _AHEAD, -1)[np.arange(chains), first]
        new_density = proposed[np.arange(chains), first]
        for chain in range(chains):
            # the states of the generations passed: the old one, and at the last step the new one
            end = age[chain] + steps[chain]
            last_kept = end // thin
            if moved[chain] and end % thin == 0:
                history.keep(chain, last_kept - 1, state[chain], density[chain])
                history.keep(chain, last_kept, new[chain], new_density[chain])
            else:
                history.keep(chain, last_kept, state[chain], density[chain])
        state = np.where(moved[:, None], new, state)
        density = np.where(moved, new_density, density)
        done = 10 * age.min() // generations
        age += steps
        proposals += int(steps.sum())
        accepted += int(moved.sum())
        if 10 * age.min() // generations > done:
            log.info(
                "%3.0f %%: best log-density %.1f, accepted %.1f %%",
                100 * min(1.0, age.min() / generations), density.max(), 100 * accepted / proposals,
            )  # fmt: skip
    return _posterior(history, circular)


class _History:
    """The kept states of all chains, and the archive that proposals are made from."""

    def __init__(self, first: np.ndarray, chains: int, kept: int) -> None:
        self.states = np.empty((chains, kept, first.shape[1]))
        self.densities = np.empty((chains, kept))
        self._filled = np.zeros(chains, dtype=np.int64)
        self._archive = np.concatenate([first, np.empty((chains * kept, first.shape[1]))])
        self._size = len(first)

    @property
    def archive(self) -> np.ndarray:
        """The states (state, parameter) in the archive so far."""
        return self._archive[: self._size]

    def keep(self, chain: int, up_to: int, state: np.ndarray, density: float) -> None:
        """Keep a state for every place of a chain that is still free below ``up_to``."""
        for k in range(self._filled[chain], min(up_to, self.states.shape[1])):
            self.states[chain, k] = state
            self.densities[chain, k] = density
            self._archive[self._size] = state
            self._size += 1
            self._filled[chain] = k + 1


def _first_archive(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    members = ARCHIVE_PER_UNKNOWN * problem.prior.size
    budget = {"members": members, "steps": 4, "most_steps": 60}
    return esmda.assimilate(problem, budget, rng).unit


def _start(problem: Problem, candidates: np.ndarray, chains: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the states and densities of chains that start at candidates of any quality."""
    density = _log_density(problem, candidates)
    usable = np.flatnonzero(np.isfinite(density))
    if usable.size < chains:
        raise ConcertoError(
            f"demcz: {usable.size} of {len(candidates)} starts have a finite posterior density; "
            f"expected at least {chains}"
        )
    ranked = usable[np.argsort(density[usable])]
    chosen = ranked[np.linspace(0, ranked.size - 1, chains).astype(int)]
    return candidates[chosen].copy(), density[chosen]


def _log_density(problem: Problem, unit: np.ndarray) -> np.ndarray:
    """Return (member,) log posterior density; the model runs on all, also those outside bounds."""
    prior = problem.prior.log_density(unit)
    inside = np.clip(unit, 0.0, 1.0)
    return prior + problem.log_likelihood(problem.prior.to_parameters(inside))


def _propose(
    state: np.ndarray, archive: np.ndarray, circular: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return proposals (chain, parameter) and the logarithm of the correction of acceptance."""
    chains, size = state.shape
    first, second, third = archive[_three(len(archive), chains, rng)]
    difference = first - second

    taking_part = rng.random(state.shape) < rng.choice(CROSSOVER, chains)[:, None]
    taking_part[np.arange(chains), rng.integers(0, size, chains)] = True
    jump = rng.random(chains) < JUMP_SHARE
    gamma = np.where(jump, 1.0, 2.38 / np.sqrt(2.0 * taking_part.sum(axis=1)))[:, None]
    noise = _ROUNDING * rng.standard_normal(state.shape)
    around = np.where(circular, (difference + 0.5) % 1.0 - 0.5, difference)
    parallel = _fold(state + taking_part * (gamma * around + noise), circular)

    # snooker: along the line to an archived state, by the difference of two others projected on it
    line = state - third
    length = np.maximum(np.sum(line * line, axis=1), 1e-300)
    scale = rng.uniform(1.2, 2.2, chains) * np.sum(difference * line, axis=1) / length
    snooker = state + scale[:, None] * line
    # the distance to the archived state changes by the factor 1 + scale
    with np.errstate(divide="ignore"):
        correction = (size - 1) * np.log(np.abs(1.0 + scale))

    use_snooker = rng.random(chains) < SNOOKER_SHARE
    proposal = np.where(use_snooker[:, None], snooker, parallel)
    return proposal, np.where(use_snooker, correction, 0.0)


def _fold(unit: np.ndarray, circular: np.ndarray) -> np.ndarray:
    """Bring points back into unit space: mirrored at the bounds, or once more around the circle.

    Both keep the probability of a step equal to that of the step back.
    """
    mirrored = 1.0 - np.abs(1.0 - unit % 2.0)
    return np.where(circular, unit % 1.0, mirrored)


def _three(n: int, chains: int, rng: np.random.Generator) -> np.ndarray:
    """Return (3, chain) indices below ``n``, distinct within each chain."""
    first = rng.integers(0, n, chains)
    second = rng.integers(0, n - 1, chains)
    second += second >= first
    third = rng.integers(0, n - 2, chains)
    low, high = np.minimum(first, second), np.maximum(first, second)
    third += third >= low
    third += third >= high
    return np.stack([first, second, third])


def _posterior(history: _History, circular: np.ndarray) -> Posterior:
    chains, kept, size = history.states.shape
    first = int(BURN_IN * kept)
    states, densities = history.states[:, first:], history.densities[:, first:]
    diagnostics = chain_diagnostics(states, circular)
    converged, verdict = judge_chains(diagnostics)
    return Posterior(
        unit=states.reshape(-1, size),
        log_density=densities.reshape(-1),
        chain=np.repeat(np.arange(chains, dtype=np.int32), kept - first),
        converged=converged,
        verdict=verdict,
        history={"log_density": history.densities.mean(axis=0)},
        **diagnostics,
    )
