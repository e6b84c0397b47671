"""Modes of a posterior: the best runs, by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import least_squares

from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import Scores

_EVALUATIONS = 60
_CHANGE = 1e-8


@dataclass(frozen=True)
class End:
    """Where a descent ended.

    ``scores`` (parameter,) of :class:`~concerto.assimilation.scores.Scores`, the ``cost`` and its
    ``gradient`` (parameter,) there, and the ``curvature`` (parameter, parameter) of Gauss and
    Newton, J'J with the derivative J of the residuals and of the prior.
    """

    scores: np.ndarray
    cost: float
    gradient: np.ndarray
    curvature: np.ndarray


def descend(problem: Problem, starts: np.ndarray) -> np.ndarray:
    """Go down to the nearest mode from each of ``starts``.

    Parameters
    ----------
    problem
        The problem, of n residuals and ``problem.prior.size`` unknowns.
    starts
        (start, size) points from which to descend.

    Returns
    -------
    numpy.ndarray
        (start, size) where the descents ended, the best first.
    """
    scores = Scores(problem)
    reached = ends(scores, scores.of(starts), _EVALUATIONS, _CHANGE)
    return scores.to_z(np.stack([end.scores for end in reached]))


def ends(
    scores: Scores, starts: np.ndarray, most: int, change: float, gradient: float = 0.0
) -> list[End]:
    """Return where descents from each of ``starts`` (start, parameter) end, the best first.

    Minimises the sum of squares with the trust-region method of scipy and the exact derivative,
    until the cost or the scores change by less than the share ``change``, or the largest component
    of the gradient is below ``gradient``, or after ``most`` evaluations.
    """
    found = [_descend(scores, start, most, change, gradient) for start in starts]
    return sorted(found, key=lambda end: end.cost)


def _descend(scores: Scores, start: np.ndarray, most: int, change: float, gradient: float) -> End:
    @lru_cache(maxsize=1)
    def known(at: bytes) -> tuple[np.ndarray, np.ndarray]:
        # the derivative is wanted next wherever the residuals are, but for the steps not taken
        return scores.linearise(np.frombuffer(at))

    end = least_squares(
        lambda at: known(at.tobytes())[0],
        start,
        jac=lambda at: known(at.tobytes())[1],
        max_nfev=most, ftol=change, xtol=change, gtol=gradient or None,
    )  # fmt: skip
    return End(end.x, end.cost, end.grad, end.jac.T @ end.jac)
