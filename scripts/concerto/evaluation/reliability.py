"""Whether predictive intervals hold as many values as they say."""

from __future__ import annotations

import numpy as np


def coverage(observed: np.ndarray, members: np.ndarray, nominal: float) -> float:
    """Return the share of values (n) inside the central interval of an ensemble (member, n)."""
    low, high = np.quantile(members, [(1 - nominal) / 2, (1 + nominal) / 2], axis=0)
    return float(np.mean((observed >= low) & (observed <= high)))


def coverage_of_ranks(ranks: np.ndarray, nominal: float) -> float:
    """Return the share of values whose rank (n) in their distribution is in the central interval.

    ``ranks`` are shares of the distributions below the values.
    """
    return float(np.mean(np.abs(ranks - 0.5) <= nominal / 2))


def probability_transform(observed: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return where each value falls in its predictive ensemble, between 0 and 1.

    The share of members below it, with ties counted half: uniform if the predictive distribution
    is right.
    """
    below = (members < observed).mean(axis=0)
    equal = (members == observed).mean(axis=0)
    return below + equal / 2
