"""Fluxes of towers that have none of their own, from those of all others.

The mean of two learners: extremely randomised trees (Geurts, Ernst & Wehenkel 2006, Machine
Learning 63, 3-42) and boosted ones (Friedman 2001, Annals of Statistics 29, 1189-1232). Towers are
dealt to folds; each fold is predicted by what the others teach, so that a prediction never rests on
the tower's own fluxes. A month of a tower with many counts for less than one of a tower with few,
since they are alike.
"""

from __future__ import annotations

import logging

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

log = logging.getLogger(__name__)

_LEAST_MONTHS = 6.0
"""A tower with fewer months counts for no more by the month."""


def weights(known: np.ndarray) -> np.ndarray:
    """Return how much months (location, time) count, by the number that a tower has."""
    months = np.maximum(known.sum(axis=1), _LEAST_MONTHS)
    return np.broadcast_to(1.0 / np.sqrt(months)[:, None], known.shape)


def predict_unseen(
    features: np.ndarray, flux: np.ndarray, folds: np.ndarray, seed: int
) -> np.ndarray:
    """Return the flux (location, time) of each tower as the towers of other folds teach it.

    Parameters
    ----------
    features
        (location, time, feature), NaN where unknown.
    flux
        What is taught (location, time), NaN where nothing is known.
    folds
        Fold of each tower (location,).
    seed
        Of the learners' draws.
    """
    known = np.isfinite(flux)
    weight = weights(known)
    found = np.empty(flux.shape)
    for fold in np.unique(folds):
        own = folds == fold
        taught = known & ~own[:, None]
        told = features[own].reshape(-1, features.shape[-1])
        learner = Blend(seed).fit(features[taught], flux[taught], weight[taught])
        found[own] = learner.predict(told).reshape(-1, flux.shape[1])
        log.info("fold %d: taught by %d months of other towers", fold, taught.sum())
    return found


class Blend(RegressorMixin, BaseEstimator):
    """The mean of randomised and of boosted trees, as scikit-learn's estimators are used.

    Parameters
    ----------
    seed
        Of the learners' draws.
    trees, rounds
        Number of randomised trees, and of boosted ones.
    """

    def __init__(self, seed: int = 0, trees: int = 200, rounds: int = 300) -> None:
        self.seed, self.trees, self.rounds = seed, trees, rounds

    def fit(
        self, features: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> Blend:
        """Learn from rows of features (row, feature), NaN where unknown, and targets (row,)."""
        self.learners_ = [
            learner.fit(features, target, sample_weight=sample_weight)
            for learner in self._learners()
        ]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the targets (row,) of rows of features (row, feature)."""
        return np.mean([learner.predict(features) for learner in self.learners_], axis=0)

    def _learners(self) -> list[ExtraTreesRegressor | HistGradientBoostingRegressor]:
        return [
            ExtraTreesRegressor(
                self.trees, min_samples_leaf=4, max_features=0.4, random_state=self.seed
            ),
            HistGradientBoostingRegressor(
                learning_rate=0.05, max_iter=self.rounds, max_leaf_nodes=24, min_samples_leaf=40,
                l2_regularization=5.0, max_features=0.3, random_state=self.seed,
            ),
        ]  # fmt: skip
