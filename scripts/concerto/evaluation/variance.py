"""How much of an outcome's variance comes from what: analysis of variance over a full crossing.

Every value of each factor is combined with every value of all others, so that the sum of squares
splits into what factors do by themselves and what they do together, without a remainder (Hawkins &
Sutton 2009, Bull. Am. Meteorol. Soc. 90, 1095, for the use; Saltelli et al. 2008 for the indices).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

INTERACTIONS = "interactions"


def variance_shares(outcome: np.ndarray, factors: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the variance of an outcome by factor, and that of all their interactions.

    Parameters
    ----------
    outcome
        (*factors, ...) with an axis for each factor, and others behind, such as years.
    factors
        Names of the first axes.

    Returns
    -------
    dict
        (...) variance by factor (first order) and ``interactions``; they sum to the variance of the
        outcome over all combinations. A factor with one value has none.
    """
    axes = tuple(range(len(factors)))
    mean = outcome.mean(axis=axes)
    whole = outcome.var(axis=axes)
    found = {}
    for k, name in enumerate(factors):
        others = tuple(axis for axis in axes if axis != k)
        found[name] = ((outcome.mean(axis=others) - mean) ** 2).mean(axis=0)
    found[INTERACTIONS] = np.maximum(whole - sum(found.values()), 0.0)
    return found
