"""DE-MCz: differential evolution Markov chains that learn from their past.

ter Braak & Vrugt (2008, Statistics and Computing 18, 435): a chain proposes along the difference of
two states drawn from the archive of all past states, now and then along the line to a third one
(the snooker update). Few chains suffice, and the scale and orientation of proposals adapt by
themselves. Some updates move a few parameters only, those that go together in the archive: where a
posterior is curved, fewer at a time can go farther.

Proposals are evaluated ahead: each chain makes several from its present state at once, which fill
the lanes, and takes them one after the other until the first that it accepts; the rest is thrown
away. That is the law of a chain that proposes one at a time, at a fraction of its cost.
"""

from __future__ import annotations

import logging
import math

import numpy as np
from numba import njit

from concerto.assimilation.diagnostics import chain_diagnostics, judge_chains
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.start import begin
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

SNOOKER_SHARE = 0.1
JUMP_SHARE = 0.05  # of parallel updates with gamma = 1, which hop between modes
BLOCK_SHARE = 0.35  # of parallel updates that move a block of correlated parameters
SHRINKING = (1.0, 0.6, 0.35)  # of the best gamma for a normal posterior, for a curved one
BURN_IN = 0.25
_AHEAD = 8  # proposals a chain makes at once
_REVISIONS = 20  # times that blocks are revised before the chains count
_ROUNDING = 1e-5  # standard deviation of the noise that keeps proposals off the archive's lattice


def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Sample the posterior with Markov chains.

    The archive starts as an ensemble of :mod:`~concerto.assimilation.methods.esmda` that has seen a
    tenth of the information; the chains start close to the best modes that descents from it
    reach. ``budget`` holds ``chains``, ``generations`` and ``thin``: every ``thin``-th
    state joins the archive and, after the first quarter, the posterior. The verdict is
    ``converged`` if all parameters have rank-normalised split R-hat < 1.01 and a bulk effective
    sample size > 400.

    Raises
    ------
    ConcertoError
        If fewer than three chains are asked for, or a run of the model fails at the start.
    """
    chains, generations, thin = (int(budget[key]) for key in ("chains", "generations", "thin"))
    if chains < 3:
        raise ConcertoError(f"demcz: found {chains} chains; expected at least 3")
    circular = problem.prior.circular
    archive, state = begin(problem, chains, rng)
    density = _log_density(problem, state)
    history = _History(archive, chains, generations, thin)
    age = np.zeros(chains, dtype=np.int64)
    revision, tenth, accepted = -1, 0, 0
    while age.min() < generations:
        due = int(_REVISIONS * min(1.0, age.min() / (BURN_IN * generations)))
        if due > revision:
            revision = due
            together = np.corrcoef(history.archive[history.archive.shape[0] // 2 :].T) ** 2
        repeated = np.repeat(state, _AHEAD, axis=0)
        proposal, correction = _propose(repeated, history.archive, together, circular, rng)
        proposed = _log_density(problem, proposal)
        with np.errstate(invalid="ignore"):  # from one failing run to another: never accepted
            gain = proposed + correction - np.repeat(density, _AHEAD)
        steps, moved, taken = _take(gain, rng)
        age += steps
        history.keep(age - 1, state, density)
        state = np.where(moved[:, None], proposal[taken], state)
        density = np.where(moved, proposed[taken], density)
        history.keep(age, state, density)
        accepted += int(moved.sum())
        if 10 * age.min() // generations > tenth:
            tenth = 10 * age.min() // generations
            log.info(
                "%3.0f %%: best log-density %.1f, accepted %.1f %%",
                10.0 * tenth, density.max(), 100.0 * accepted / age.sum(),
            )  # fmt: skip
    return _posterior(history, circular)


def _take(gain: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take each chain's proposals, in order, until the first that is accepted.

    Parameters
    ----------
    gain
        (chain * proposal,) logarithm of the ratio of acceptance.

    Returns
    -------
    steps, moved, taken
        (chain,) generations passed, whether the last one was accepted, and its row in ``gain``.
    """
    accept = (np.log(rng.random(gain.shape)) < gain).reshape(-1, _AHEAD)
    first, moved = np.argmax(accept, axis=1), accept.any(axis=1)
    taken = np.arange(len(accept)) * _AHEAD + first
    return np.where(moved, first + 1, _AHEAD), moved, taken


class _History:
    """The kept states of all chains, and the archive that proposals are made from."""

    def __init__(self, first: np.ndarray, chains: int, generations: int, thin: int) -> None:
        kept = generations // thin
        self.states = np.empty((chains, kept, first.shape[1]))
        self.densities = np.empty((chains, kept))
        self._thin = thin
        self._filled = np.zeros(chains, dtype=np.int64)
        self._archive = np.concatenate([first, np.empty((chains * kept, first.shape[1]))])
        self._size = len(first)

    @property
    def archive(self) -> np.ndarray:
        """The states (state, parameter) in the archive so far."""
        return self._archive[: self._size]

    def keep(self, age: np.ndarray, state: np.ndarray, density: np.ndarray) -> None:
        """Keep the chains' states for all generations due up to ``age`` (chain,)."""
        for chain, due in enumerate(np.minimum(age // self._thin, self.states.shape[1])):
            for k in range(self._filled[chain], due):
                self.states[chain, k] = state[chain]
                self.densities[chain, k] = density[chain]
                self._archive[self._size] = state[chain]
                self._size += 1
                self._filled[chain] = k + 1


def _log_density(problem: Problem, unit: np.ndarray) -> np.ndarray:
    """Return (member,) log posterior density; the model runs on all, also those outside bounds."""
    prior = problem.prior.log_density(unit)
    inside = np.clip(unit, 0.0, 1.0)
    return prior + problem.log_likelihood(problem.prior.to_parameters(inside))


@njit(cache=True, error_model="numpy")
def _propose(state, archive, together, circular, rng):
    """Return proposals (chain, parameter) and the logarithms of the corrections of acceptance.

    ``together`` (parameter, parameter) are squared correlations: the probability that the second
    parameter is in the block of the first. Blocks do not depend on the state, so steps stay
    symmetric.
    """
    chains, size = state.shape
    proposal = np.empty_like(state)
    correction = np.zeros(chains)
    for i in range(chains):
        first, second, third = _three(len(archive), rng)
        difference = archive[first] - archive[second]
        if rng.random() < SNOOKER_SHARE:
            # ter Braak & Vrugt (2008), eqs 3 and 4: the difference, projected on the line to an
            # archived state, changes the distance to that state by the factor 1 + scale
            line = state[i] - archive[third]
            length = max(np.sum(line * line), 1e-300)
            scale = rng.uniform(1.2, 2.2) * np.sum(difference * line) / length
            proposal[i] = state[i] + scale * line
            correction[i] = (size - 1) * math.log(abs(1.0 + scale))
            continue
        # eq. 2: the difference itself, of all parameters or of a block
        whole = rng.random() >= BLOCK_SHARE
        seed = rng.integers(0, size)
        block = np.array([whole or rng.random() < together[seed, k] for k in range(size)])
        gamma = 2.38 / math.sqrt(2.0 * block.sum()) * SHRINKING[rng.integers(0, len(SHRINKING))]
        if rng.random() < JUMP_SHARE:
            gamma = 1.0
        for k in range(size):
            step = difference[k]
            if circular[k]:
                step = (step + 0.5) % 1.0 - 0.5  # the short way round
            moved = state[i, k] + block[k] * (gamma * step + _ROUNDING * rng.standard_normal())
            proposal[i, k] = _fold(moved, circular[k])
    return proposal, correction


@njit(cache=True)
def _fold(unit, circular):
    """Bring a coordinate back into unit space: mirrored at the bounds, or around the circle.

    Both keep the probability of a step equal to that of the step back.
    """
    return unit % 1.0 if circular else 1.0 - abs(1.0 - unit % 2.0)


@njit(cache=True)
def _three(n, rng):
    """Return three different numbers below ``n``."""
    first = rng.integers(0, n)
    second = rng.integers(0, n - 1)
    second += second >= first
    third = rng.integers(0, n - 2)
    third += third >= min(first, second)
    third += third >= max(first, second)
    return first, second, third


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
