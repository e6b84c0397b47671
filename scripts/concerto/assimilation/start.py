"""Where Markov chains start: close to modes, with an ensemble wider than the posterior beside."""

from __future__ import annotations

import numpy as np

from concerto.assimilation.methods import esmda
from concerto.assimilation.mode import descend
from concerto.assimilation.problem import Problem

MEMBERS_PER_UNKNOWN = 10
INFORMATION = 0.1  # of the observations: errors as if larger by the root of ten
DESCENTS = 8
_SCATTER = 0.05  # of the way from a mode to a member of the ensemble


def informed(problem: Problem, rng: np.random.Generator, members: int = 1) -> np.ndarray:
    """Return ``z`` (member, size) of an ensemble that has seen a tenth of the information.

    By :mod:`~concerto.assimilation.methods.esmda`, without dummies, as no start has to have the
    spread of a posterior; at least ``members``, more if it needs them.
    """
    members = max(MEMBERS_PER_UNKNOWN * problem.prior.size, members)
    budget = {"members": members, "steps": 4, "most_steps": 60, "dummies": 0}
    return esmda.smooth(problem, budget, rng, INFORMATION).z


def begin(problem: Problem, chains: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return an ensemble and a state for each chain, in unit space.

    The ensemble (member, parameter) has seen a tenth of the information; the states (chain,
    parameter) are close to the best modes that descents from it reach, half as many as descents.
    """
    prior = problem.prior
    ensemble = informed(problem, rng, chains)
    modes = descend(problem, ensemble[:DESCENTS])[: DESCENTS // 2]
    # a step back towards the ensemble, for chains that start at one mode must not start as one
    modes = modes[np.arange(chains) % len(modes)]
    states = modes + _SCATTER * (ensemble[-chains:] - modes)
    return tuple(prior.to_unit(prior.parameters_of(z)) for z in (ensemble, states))
