"""Which members of a weighted ensemble go on."""

from __future__ import annotations

import numpy as np


def systematic(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` numbers of members, in increasing order, in proportion to their weights.

    Systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1): each member is taken as
    often as expected, rounded up or down.

    Parameters
    ----------
    weights
        (member,) logarithms of weights, up to a constant.
    """
    ends = np.cumsum(np.exp(weights - weights.max()))
    points = (rng.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(ends, points * ends[-1]), len(weights) - 1)
