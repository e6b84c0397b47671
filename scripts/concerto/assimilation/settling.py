"""An ensemble of the prior brought under the constraints, as whole maps move together.

An ensemble from the prior alone has nearly no member that the constraints allow. A method that
weighs constraints as it does observations pushes members onto the walls of what is allowed, and
leaves them there; those of the prior times the constraints are spread over all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concerto.assimilation.problem import Problem

_STEPS = (1.0, 0.5, 0.25)  # shares of what is new that a move takes
_BLOCK_SHARE = 0.2  # of the unknowns that a move changes


@dataclass(frozen=True)
class Start:
    """An ensemble to start from, in which a member is the same draw in all cells of a map.

    Attributes
    ----------
    z
        (member, size) independent draws of the prior in its space of that name, standard normal.
    rng
        Source of what else the cells have in common; in the same state for all of them.
    """

    z: np.ndarray
    rng: np.random.Generator


def settle(problem: Problem, start: Start, moves: int) -> np.ndarray:
    """Return members moved to the prior times the constraints.

    Each is the state of a Markov chain after ``moves`` proposals of preconditioned Crank and
    Nicolson, which leave the prior's law as it is and are accepted by the constraints alone (Cotter
    et al. 2013, Statistical Science 28, 424). What is new in a proposal are unknowns of two
    other members' first draws, mixed so that they are standard normal again, and all chance is in
    who these are and in when a step is taken. With the
    same generator in all cells of a map, cells with like constraints therefore move alike, and
    those with the same make the same moves: member k remains one map.

    Parameters
    ----------
    problem
        Its observations are not used.
    start
        The members, and the source of all randomness.
    moves
        Number of proposals that each member gets; the model runs for those that the constraints on
        parameters allow.

    Returns
    -------
    numpy.ndarray
        (member, size).
    """
    first, rng = start.z, start.rng
    z = first.copy()
    members = np.arange(len(z))
    density = problem.log_constraints(problem.prior.parameters_of(z))
    for _ in range(moves):
        step = rng.choice(_STEPS, (len(z), 1))
        others = _mixed(first, rng)
        block = rng.random(z.shape) < _BLOCK_SHARE
        least = density - rng.standard_exponential(len(z))
        trial = np.where(block, np.sqrt(1.0 - step**2) * z + step * others, z)
        parameters = problem.prior.parameters_of(trial)
        # the density of all constraints is at most that of some
        open_ = members[problem.log_constraints_before_run(parameters) > least]
        reached = problem.log_constraints(parameters[open_])
        better = reached > least[open_]
        taken = open_[better]
        z[taken], density[taken] = trial[taken], reached[better]
    return z


def _mixed(first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return standard normal (member, size): of each unknown, two members' draws with any sign."""
    columns = np.arange(first.shape[1])
    one, other = (
        first[rng.integers(len(first), size=first.shape), columns]
        * rng.choice((-1.0, 1.0), first.shape)
        for _ in range(2)
    )
    return (one + other) / np.sqrt(2.0)
