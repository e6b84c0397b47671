"""Scores: coordinates with one unbounded number for each parameter, for methods that seek modes.

They are ``z`` of :class:`~concerto.assimilation.prior.Prior`, but a day of the year is an angle in
place of two components of ``z``. Its prior is flat, where the density of the two is greatest at
their origin, and there they have no direction any more: a descent would end nowhere.
"""

from __future__ import annotations

import numpy as np

from concerto.assimilation.problem import Problem

ANGLE_VARIANCE = 2.0 * np.pi
"""Of a normal density that stands for the flat prior of an angle.

It is as high at its centre as the prior, and wrapped around the circle within a tenth of it.
"""


class Scores:
    """A problem as a sum of squares in the space of scores.

    The cost is half the squared scores, angles left out, and half the squared residuals: minus the
    log posterior density in this space, up to a constant. ``flat`` (parameter, parameter) is the
    precision of a normal density that stands for the flat prior of angles.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.circular = problem.prior.circular
        self._kept = np.stack([np.ones_like(self.circular), self.circular], axis=1)
        self._first = np.cumsum(1 + self.circular) - (1 + self.circular)
        self._prior = np.eye(len(self.circular))[~self.circular]
        self.flat = np.diag(np.where(self.circular, 1.0 / ANGLE_VARIANCE, 0.0))

    def to_z(self, scores: np.ndarray) -> np.ndarray:
        """Return ``z`` (member, size) of scores (member, parameter)."""
        first = np.where(self.circular, np.cos(scores), scores)
        return np.stack([first, np.sin(scores)], axis=2)[:, self._kept]

    def of(self, z: np.ndarray) -> np.ndarray:
        """Return scores (member, parameter) of ``z`` (member, size); angles within half a turn."""
        scores = z[:, self._first]
        first, around = self._first[self.circular], self.circular
        scores[:, around] = np.arctan2(z[:, first + 1], z[:, first])
        return scores

    def at(self, parameters: np.ndarray) -> np.ndarray:
        """Return the scores (member, parameter) of parameters in their units."""
        return self.of(self._problem.prior.z_of(parameters))

    def parameters_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the parameters (member, parameter), in their units."""
        return self._problem.prior.parameters_of(self.to_z(scores))

    def slopes(self, scores: np.ndarray) -> np.ndarray:
        """Return (member, parameter) how each parameter changes with its own score."""
        prior, each = self._problem.prior, np.arange(len(self.circular))
        by_z = prior.slopes(self.to_z(scores))
        first, around = self._first[self.circular], each[self.circular]
        slopes = by_z[:, each, self._first]
        turn = scores[:, around]
        across = by_z[:, around, first + 1]
        slopes[:, around] = np.cos(turn) * across - np.sin(turn) * by_z[:, around, first]
        return slopes

    def linearise(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return residuals (residual,) and their derivative (residual, parameter).

        Those of the problem at scores (parameter,), then the scores that have a normal prior.
        """
        (residuals,), (by_z,) = self._problem.linearise(self.to_z(scores[None]))
        around, first = self.circular, self._first[self.circular]
        by_scores = by_z[:, self._first]
        turn = scores[around]
        by_scores[:, around] = np.cos(turn) * by_z[:, first + 1] - np.sin(turn) * by_z[:, first]
        return (
            np.concatenate([residuals, scores[~self.circular]]),
            np.concatenate([by_scores, self._prior]),
        )

    def cost(self, scores: np.ndarray) -> np.ndarray:
        """Return (member,) half the sum of squares; infinite where the model fails."""
        squares = np.sum(scores[:, ~self.circular] ** 2, axis=1)
        return 0.5 * squares - self._problem.log_likelihood(self.parameters_of(scores))


def short_way(change: np.ndarray, circular: np.ndarray) -> np.ndarray:
    """Return changes of scores (..., parameter) with angles within half a turn."""
    return np.where(circular, (change + np.pi) % (2.0 * np.pi) - np.pi, change)
