"""Modes of a posterior: the best runs, by least squares."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from concerto.assimilation.problem import Problem

_DIFFERENCE = 1e-4  # step of the forward differences, in prior standard deviations
_EVALUATIONS = 60


def descend(problem: Problem, starts: np.ndarray) -> np.ndarray:
    """Go down to the nearest mode from each of ``starts``.

    Minimises |z|^2 + |residuals|^2 with the trust-region method of scipy; the Jacobian is by
    forward differences, all directions side by side in lanes.

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
    ends = [
        least_squares(
            lambda z: _residuals(problem, z[None])[0],
            start,
            jac=lambda z: _jacobian(problem, z),
            max_nfev=_EVALUATIONS,
        )
        for start in starts
    ]
    ends.sort(key=lambda end: end.cost)
    return np.stack([end.x for end in ends])


def _residuals(problem: Problem, z: np.ndarray) -> np.ndarray:
    return np.concatenate([problem.residuals(problem.prior.parameters_of(z)), z], axis=1)


def _jacobian(problem: Problem, z: np.ndarray) -> np.ndarray:
    moved = np.concatenate([z[None], z + _DIFFERENCE * np.eye(z.size)])
    residuals = _residuals(problem, moved)
    return (residuals[1:] - residuals[0]).T / _DIFFERENCE
