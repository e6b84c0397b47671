"""Shares of land cover of cells from climate, soil, topography and coarse states of land use.

Fractions are what randomised trees with several targets predict (Geurts, Ernst & Wehenkel 2006,
Machine Learning 63, 3-42): means of fractions that were seen, so that none is below zero and
those of a cell add up to one, whatever the cell. States of land use are those of LUH2 (Hurtt et
al. 2020, Geoscientific Model Development 13, 5425) in little: forest, crop, urban and all other
land, as shares of blocks that are coarser than the cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor

from concerto.domain import FORESTS
from concerto.errors import ConcertoError
from concerto.learning.calibration import Shape, stated_spread
from concerto.learning.partitions import Fold

COVERS = {
    "ENF": ("ENF",), "EBF": ("EBF",), "DNF": ("DNF",), "DBF": ("DBF",), "MF": ("MF",),
    "shrub": ("CSH", "OSH"), "savanna": ("WSA", "SAV"), "grass": ("GRA",), "wetland": ("WET",),
    "crop": ("CRO", "CVM"), "urban": ("URB",), "snow": ("SNO",), "bare": ("BSV",),
}  # fmt: skip
"""Classes of the International Geosphere-Biosphere Programme that count as one cover."""
STATES = {
    "forest": FORESTS,
    "crop": ("crop",),
    "urban": ("urban",),
    "other": ("shrub", "savanna", "grass", "wetland", "snow", "bare"),
}
"""Covers that each state of land use may have."""
USED = ("crop", "urban")
"""States that people make; the others give way."""
PIXEL = 0.04
"""Of a cell's area: fractions are counted in pixels, and no better known."""
_ROUND_OFF = 1e-6
_PLACE = 3  # decimals of degrees


class CoverLearner(RegressorMixin, BaseEstimator):
    """Fractions of land cover, which add up to one, as scikit-learn's estimators are used.

    Parameters
    ----------
    seed
        Of the learner's draws.
    trees
        Number of randomised trees.
    """

    def __init__(self, seed: int = 0, trees: int = 60) -> None:
        self.seed, self.trees = seed, trees

    def fit(self, features: np.ndarray, fractions: np.ndarray) -> CoverLearner:
        """Learn from features (row, feature), NaN where unknown, and fractions (row, cover).

        Raises
        ------
        ConcertoError
            If fractions are below zero or do not add up to one, or all rows are alike.
        """
        check_fractions(fractions)
        if np.ptp(fractions, axis=0).max() == 0.0:
            raise ConcertoError(
                f"fractions: found the same in all {len(fractions)} rows; expected some that "
                "differ, to learn from"
            )
        self.trees_ = ExtraTreesRegressor(
            self.trees, min_samples_leaf=3, max_features=0.5, random_state=self.seed
        ).fit(features, fractions)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return fractions (row, cover)."""
        found = self.trees_.predict(features)
        return found / found.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class JudgedCover:
    """Fractions (row, cover) of rows that taught nothing, and their intervals of 90 %."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def check_fractions(fractions: np.ndarray) -> None:
    """Raise where fractions (row, cover) are none.

    Raises
    ------
    ConcertoError
        If one is missing or below zero, or those of a row do not add up to one.
    """
    total = fractions.sum(axis=1)
    wrong = ~(np.abs(total - 1.0) < _ROUND_OFF) | (fractions < -_ROUND_OFF).any(axis=1)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise ConcertoError(
            f"fractions: found {total[k]:g} as the sum of row {k}, {wrong.sum()} rows in all; "
            "expected one, and none below zero"
        )


def covers_of(
    shares: np.ndarray, classes: Sequence[str], covers: Mapping[str, Sequence[str]] = COVERS
) -> tuple[np.ndarray, np.ndarray]:
    """Return fractions (row, cover) of the land, and the share of land (row,) that has a class.

    Parameters
    ----------
    shares
        Of each class (class, row); what is of no cover, such as water, is left out.
    classes
        Names of the classes.
    covers
        Classes of each cover.

    Raises
    ------
    ConcertoError
        If no class is of any cover.
    """
    names = np.asarray(classes).astype(str)
    known = [np.isin(names, of) for of in covers.values()]
    if not np.any(known):
        raise ConcertoError(
            f"land cover: found classes {', '.join(names)}; expected some of "
            f"{', '.join(kind for of in covers.values() for kind in of)}"
        )
    found = np.stack([shares[which].sum(axis=0) for which in known], axis=-1)
    land = found.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return found / land[:, None], land


def states_of(fractions: np.ndarray, covers: Sequence[str] = tuple(COVERS)) -> np.ndarray:
    """Return the states of land use (row, state) of fractions (row, cover)."""
    return np.stack(
        [fractions[:, np.isin(covers, list(of))].sum(axis=1) for of in STATES.values()], axis=-1
    )


def blocks_of(lat: np.ndarray, lon: np.ndarray, degrees: float) -> np.ndarray:
    """Return the number (row,) of the block of so many degrees that each place is in."""
    north, east = (np.floor(axis / degrees).astype(int) for axis in (lat, lon))
    return np.unique(np.stack([north, east], axis=-1), axis=0, return_inverse=True)[1].ravel()


def rows_at(
    lat: np.ndarray, lon: np.ndarray, wanted_lat: np.ndarray, wanted_lon: np.ndarray
) -> np.ndarray:
    """Return the row of each wanted place (place,) among known ones (row,), -1 where there is none.

    Places are the same to a thousandth of a degree.
    """
    known = {
        (round(y, _PLACE), round(x, _PLACE)): k
        for k, (y, x) in enumerate(zip(lat.tolist(), lon.tolist(), strict=True))
    }
    wanted = zip(wanted_lat.tolist(), wanted_lon.tolist(), strict=True)
    return np.array([known.get((round(y, _PLACE), round(x, _PLACE)), -1) for y, x in wanted], int)


def coarse_states(fractions: np.ndarray, land: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return the states (row, state) of each row's block: means by the area of ``land`` (row,)."""
    states = states_of(fractions)
    weight = np.bincount(blocks, land)
    means = [np.bincount(blocks, land * state) / weight for state in states.T]
    return np.stack(means, axis=-1)[blocks]


def states_in(states: np.ndarray, factor: Mapping[str, float]) -> np.ndarray:
    """Return states (row, state) of another year, in which used land is so many times as much.

    What is used is never more than there is; the other states share what is left in proportion.
    """
    names = list(STATES)
    used = np.array([factor.get(name, 1.0) for name in names]) * states
    taken = np.isin(names, USED)
    whole = np.maximum(used[:, taken].sum(axis=1), 1.0)
    out = np.where(taken, used / whole[:, None], states)
    rest = 1.0 - out[:, taken].sum(axis=1)
    free = out[:, ~taken]
    total = free.sum(axis=1, keepdims=True)
    even = np.broadcast_to(np.array([n == "other" for n in names])[~taken], free.shape)
    out[:, ~taken] = rest[:, None] * np.where(total > 0.0, free / np.maximum(total, 1e-300), even)
    return out


def factors(history: Mapping[str, Mapping[float, float]], year: float) -> dict[str, float]:
    """Return how many times as much of each state there is in a year, in between on a line."""
    return {
        state: float(np.interp(year, *zip(*sorted(points.items()), strict=True)))
        for state, points in history.items()
    }


def coarse_product(
    fractions: np.ndarray, states: np.ndarray, climate: np.ndarray, folds: Sequence[Fold]
) -> np.ndarray:
    """Return what coarse states alone say (row, cover): each has the covers it has elsewhere.

    Those of the fold's teachers in the same main climate, or in all where these have none.
    """
    names = list(COVERS)
    out = np.full(fractions.shape, np.nan)
    for fold in folds:
        for kind in np.unique(climate[fold.test]):
            alike = fold.teachers[climate[fold.teachers] == kind]
            own = fold.test[climate[fold.test] == kind]
            everywhere, near = (fractions[rows].sum(axis=0) for rows in (fold.teachers, alike))
            mixed = np.zeros((len(own), len(names)))
            for state, of in zip(states[own].T, STATES.values(), strict=True):
                which = np.isin(names, of)
                mix = near if near[which].sum() > 0.0 else everywhere
                part = mix[which] / mix[which].sum() if mix[which].sum() > 0.0 else 1 / which.sum()
                mixed[:, which] += state[:, None] * part
            out[own] = mixed
    return out


def judge_cover(
    features: np.ndarray, fractions: np.ndarray, folds: Sequence[Fold], seed: int
) -> JudgedCover:
    """Return fractions of each fold's test as its teachers teach them.

    The first inner group of the teachers, predicted by the others, calibrates the spread.
    """
    out = JudgedCover(*(np.full(fractions.shape, np.nan) for _ in range(3)))
    for fold in folds:
        apart = fold.inner == 0
        inner = CoverLearner(seed).fit(
            features[fold.teachers[~apart]], fractions[fold.teachers[~apart]]
        )
        said = inner.predict(features[fold.teachers[apart]])
        error = fractions[fold.teachers[apart]] - said
        learner = CoverLearner(seed).fit(features[fold.teachers], fractions[fold.teachers])
        mean = learner.predict(features[fold.test])
        out.mean[fold.test] = mean
        for k in range(fractions.shape[1]):
            low, high = _interval(error[:, k], said[:, k], mean[:, k])
            out.low[fold.test, k], out.high[fold.test, k] = low, high
    return out


def _interval(
    error: np.ndarray, said: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of intervals of 90 % of a cover, from ``error`` where it was ``said``."""
    if np.sqrt(np.mean(error**2)) < PIXEL:
        floor, share = PIXEL, 0.0
    else:
        floor, share = stated_spread(error, _size(said))
    shape = Shape.of(error / _spread(said, floor, share))
    sd = _spread(mean, floor, share)
    return tuple(np.clip(mean + shape.at(quantile) * sd, 0.0, 1.0) for quantile in (0.05, 0.95))


def within(truth: np.ndarray, judged: JudgedCover) -> np.ndarray:
    """Return whether fractions (row, cover) are in their intervals, but for half a pixel."""
    return (truth >= judged.low - 0.5 * PIXEL) & (truth <= judged.high + 0.5 * PIXEL)


def _size(fractions: np.ndarray) -> np.ndarray:
    """Return the standard deviation of a class that is there with so much probability."""
    return np.sqrt(np.clip(fractions * (1.0 - fractions), 0.0, None))


def _spread(fractions: np.ndarray, floor: float, share: float) -> np.ndarray:
    return np.hypot(floor, share * _size(fractions))


def misallocated(said: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the share of each row's land (row,) under another cover than it is."""
    return 0.5 * np.abs(said - truth).sum(axis=1)
