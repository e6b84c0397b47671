"""How unlike what was taught a place is, and where a prediction extrapolates.

The dissimilarity index and the area of applicability of Meyer & Pebesma (2021), Methods in Ecology
and Evolution 12, 1620-1633: features are standardised (equation 1) and weighted by their importance
(2); a place's index is its distance from the nearest that taught, over the mean distance of
those from each other (equations 3 to 5). The area of applicability ends where the
index is greater than that of almost all that taught is, each seen from other folds: at
the upper whisker of a box plot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

INSIDE, OUTSIDE, NEVER_SEEN, UNKNOWN = range(4)
STATUS = ("inside", "extrapolated", "class_never_seen", "unknown")
"""What is said of a prediction, by its number."""
_MOST_PAIRED = 1500
"""Rows, evenly among all, whose distances from each other are averaged."""


@dataclass(frozen=True)
class Dissimilarity:
    """What an index is made of: each feature's ``centre`` and ``scale`` (weight included).

    ``usual`` is the mean distance of those that taught; ``threshold`` the greatest index in the
    area of applicability; ``taught`` (row, feature) what taught, scaled.
    """

    centre: np.ndarray
    scale: np.ndarray
    taught: np.ndarray
    usual: float
    threshold: float

    @classmethod
    def of(cls, features: np.ndarray, folds: np.ndarray, importance: np.ndarray) -> Dissimilarity:
        """Return the index that rows of features make.

        Parameters
        ----------
        features
            (row, feature), NaN where unknown: taken for the mean.
        folds
            Fold of each row (row,): rows of one are not compared with each other.
        importance
            Of each feature (feature,); those below zero count for nothing.
        """
        centre, spread = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
        weight = np.maximum(importance, 0.0)
        weight = weight if weight.any() else np.ones_like(weight)
        scale = np.where(spread > 0.0, weight / np.where(spread > 0.0, spread, 1.0), 0.0)
        taught = _scaled(features, centre, scale)
        usual = float(pdist(taught[:: -(-len(taught) // _MOST_PAIRED)]).mean())
        usual = usual if usual > 0.0 else 1.0
        index = np.empty(len(taught))
        for fold in np.unique(folds):
            own = folds == fold
            index[own] = cKDTree(taught[~own]).query(taught[own])[0] / usual
        return cls(centre, scale, taught, usual, whisker(index))

    def index(self, features: np.ndarray) -> np.ndarray:
        """Return the index (row,) of rows of features (row, feature)."""
        tree = cKDTree(self.taught)
        return tree.query(_scaled(features, self.centre, self.scale))[0] / self.usual


def whisker(values: np.ndarray) -> float:
    """Return the greatest value within 1.5 times the interquartile range of the third quartile."""
    first, third = np.quantile(values, [0.25, 0.75])
    return float(values[values <= third + 1.5 * (third - first)].max())


def _scaled(features: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(features), features - centre, 0.0) * scale
