"""Steady states: the pools that come back to themselves after a cycle of weather.

Stepping a soil of a thousand years to its steady state takes many thousand years of runs. The map
of the pools over one cycle is smooth and its derivative is known exactly, so the way there can be
gone in implicit steps of many cycles, which end as Newton's method: pseudo-transient continuation
(Kelley & Keyes 1998, SIAM J. Numer. Anal. 35, 508). Where several steady states exist, it follows
the pools to the one that plain cycles would reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_SMALL = 1e-6  # gC m-2 or mm: where a pool is as good as empty
_SETTLING = 20  # plain cycles first, in which fast pools come to rest
_LONGER, _SHORTER = 2.0, 0.25  # change of the implicit step after one that was taken, or was not
_SHORTEST = 1e-3  # cycles
_FAR = 0.1  # of a pool: how far one step may shrink it
_WORSE = 2.0  # growth of the residual at which a step is not taken


@dataclass(frozen=True)
class SteadyState:
    """Pools (member, pool) with their ``residual`` (member,).

    The residual is the largest change of a pool over one more cycle, relative to its size (and a
    millionth of its unit); members are ``found`` where it is below what was asked for.
    """

    pools: np.ndarray
    residual: np.ndarray
    found: np.ndarray
    cycles: int


def solve(
    cycle: Callable[[np.ndarray], np.ndarray],
    derivative: Callable[[np.ndarray], np.ndarray],
    pools: np.ndarray,
    tolerance: float,
    most_cycles: int,
) -> SteadyState:
    """Find the fixed point of ``cycle`` that ``pools`` lead to, for every member.

    Parameters
    ----------
    cycle
        (member, pool) at the start -> (member, pool) at the end of a cycle.
    derivative
        (member, pool) -> (member, pool at the end, pool at the start).
    pools
        (member, pool) to start from, none negative.
    tolerance
        Of the residual.
    most_cycles
        After how many cycles to give up.
    """
    for _ in range(_SETTLING):
        pools = cycle(pools)
    end = cycle(pools)
    residual = _residual(pools, end)
    length = np.ones(len(pools))
    done = _SETTLING + 1
    while done < most_cycles and (residual > tolerance).any():
        trial = _implicit_step(pools, end, derivative(pools), length)
        trial_end = cycle(trial)
        trial_residual = _residual(trial, trial_end)
        done += 1
        taken = (trial_residual < _WORSE * residual) & (residual > tolerance)
        length = np.maximum(_SHORTEST, length * np.where(taken, _LONGER, _SHORTER))
        pools = np.where(taken[:, None], trial, pools)
        end = np.where(taken[:, None], trial_end, end)
        residual = np.where(taken, trial_residual, residual)
    return SteadyState(pools, residual, residual <= tolerance, done)


def _residual(pools: np.ndarray, end: np.ndarray) -> np.ndarray:
    size = np.maximum(np.abs(pools), np.abs(end))
    return np.max(np.abs(end - pools) / (size + _SMALL), axis=1)


def _implicit_step(
    pools: np.ndarray, end: np.ndarray, jacobian: np.ndarray, length: np.ndarray
) -> np.ndarray:
    """Return the pools after an implicit step of ``length`` (member,) cycles."""
    n = pools.shape[1]
    matrix = (1.0 + 1.0 / length)[:, None, None] * np.eye(n) - jacobian
    step = (np.linalg.pinv(matrix) @ (end - pools)[:, :, None])[:, :, 0]
    return np.maximum(pools + step, _FAR * np.minimum(pools, end))
