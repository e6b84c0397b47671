"""Innovations of a filter: what new observations say against what it expected of them.

If all errors are as stated, an innovation over its expected standard deviation is standard normal,
independent of all before it.
"""

from __future__ import annotations

import math

import numpy as np

ACCEPTED = (0.5, 2.0)  # of the mean squared standardised innovation


def chi_square(residuals: np.ndarray) -> float:
    """Return the sum of the squared standardised innovations of new observations.

    The innovation is the mean of the members' residuals; its expected covariance is theirs around
    it and the identity, the covariance of the residuals of the right run.

    Parameters
    ----------
    residuals
        (member, observation) whitened misfits, of members that have not seen the observations.
    """
    mean = residuals.mean(axis=0)
    scale = 1.0 / math.sqrt(len(residuals) - 1)
    _, sizes, right = np.linalg.svd((residuals - mean) * scale, full_matrices=False)
    along = right @ mean
    return float(mean @ mean - np.sum(along * along * (1.0 - 1.0 / (1.0 + sizes * sizes))))


class Innovations:
    """The innovation statistic of a record, window by window."""

    def __init__(self) -> None:
        self._sums: list[float] = []
        self._counts: list[int] = []

    def add(self, total: float, count: int) -> None:
        """Add a window: its sum of squared standardised innovations, of how many."""
        if count:
            self._sums.append(total)
            self._counts.append(count)

    @property
    def series(self) -> np.ndarray:
        """(window,) mean squared standardised innovation of the windows with observations."""
        return np.array(self._sums) / np.array(self._counts)

    @property
    def diagnostics(self) -> dict[str, float]:
        """Mean squared standardised innovation of all, of the later half, and its sampling sd."""
        half = int(np.searchsorted(np.cumsum(self._counts), 0.5 * sum(self._counts)))
        return {
            "innovation": sum(self._sums) / sum(self._counts),
            "innovation_late": sum(self._sums[half:]) / sum(self._counts[half:]),
            "innovation_sd": math.sqrt(2.0 / sum(self._counts)),
        }

    @property
    def accepted(self) -> bool:
        """Whether both means are as the stated errors lead to expect, within a factor of two."""
        low, high = ACCEPTED
        found = self.diagnostics
        return all(low <= found[name] <= high for name in ("innovation", "innovation_late"))

    def __str__(self) -> str:
        found = self.diagnostics
        low, high = ACCEPTED
        return (
            f"mean squared innovation {found['innovation']:.3g}, "
            f"{found['innovation_late']:.3g} in the later half "
            f"(expected 1 +- {found['innovation_sd']:.2g}, accepted {low:g} to {high:g})"
        )
