"""Fluxes of a tower from what is usual there, and from what all towers teach of departures from it.

How far a month is from what its tower has in other years depends on how far its weather and its
leaves are from theirs, alike at many towers: trees learn it from the taught months of all towers,
the tower's own among them. What is usual at a taught month is the mean of the other years, so that
no month is told of itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

from concerto.learning.climatology import monthly_climatology, of_other_years
from concerto.learning.features import Features, season
from concerto.learning.upscaling import Blend, weights

log = logging.getLogger(__name__)

_UNUSUAL = (
    "tas", "rsds", "vpd", "pr", "lai", "tas, mean of 3 months", "pr, mean of 3 months",
    "pr, mean of 12 months",
)  # fmt: skip
"""Features whose departure from their own season is told."""
_MANY = 6  # years, beyond which it does not matter how many there are


def from_the_usual(
    measured: Mapping[str, np.ndarray],
    flux: str,
    process: Mapping[str, np.ndarray],
    unseen: np.ndarray,
    features: Features,
    seed: int,
) -> np.ndarray:
    """Return a flux (location, time), NaN where no other year says what is usual.

    Parameters
    ----------
    measured
        What is taught of each flux (location, time), NaN where nothing is known.
    flux
        The one that is asked for.
    process
        Fluxes as a process model has them that was told as much (location, time).
    unseen
        The flux as the towers of other folds teach it (location, time).
    features
        What is told of each month.
    seed
        Of the learners' draws.
    """
    usual, years = of_other_years(measured[flux])
    told = _told(measured, process, unseen, features)
    driven = np.isfinite(features["tas"])
    taught = np.isfinite(measured[flux] + usual) & driven
    found = np.full(usual.shape, np.nan)
    if not taught.any():
        log.warning("%s: no month has another year of its kind; no departures are learnt", flux)
        return found
    departure = (measured[flux] - usual)[taught]
    weight = weights(np.isfinite(measured[flux]))[taught]
    asked = (years > 0) & driven
    learner = _Cautious(seed, trees=300, rounds=300).fit(told[taught], departure, weight)
    around = np.where(np.isfinite(measured[flux]), usual, monthly_climatology(measured[flux]))
    found[asked] = around[asked] + learner.predict(told[asked])
    log.info("departures of %s: taught by %d months", flux, taught.sum())
    return found


def _told(
    measured: Mapping[str, np.ndarray],
    process: Mapping[str, np.ndarray],
    unseen: np.ndarray,
    features: Features,
) -> np.ndarray:
    """Return what is told of each month (location, time, feature), NaN where unknown."""
    besides = [away(features[name]) for name in _UNUSUAL]
    besides += [away(modelled) for modelled in (*process.values(), unseen)]
    besides += process.values()
    for known in measured.values():
        usual, years = of_other_years(known)
        besides += [usual, np.minimum(years, _MANY).astype(float)]
    return np.concatenate([features.values, np.stack(besides, axis=-1)], axis=-1)


def away(values: np.ndarray) -> np.ndarray:
    """Return departures of values (location, time) from their own season."""
    return values - season(values)


class _Cautious(Blend):
    """A blend that follows what it is taught less closely: departures are noisier than fluxes."""

    def _learners(self) -> list[ExtraTreesRegressor | HistGradientBoostingRegressor]:
        return [
            ExtraTreesRegressor(
                self.trees, min_samples_leaf=5, max_features=0.4, random_state=self.seed
            ),
            HistGradientBoostingRegressor(
                learning_rate=0.03, max_iter=self.rounds, max_leaf_nodes=16, min_samples_leaf=40,
                l2_regularization=10.0, max_features=0.3, random_state=self.seed,
            ),
        ]  # fmt: skip
