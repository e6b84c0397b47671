"""Fluxes of cells from those of towers: learnt, calibrated and judged on towers never seen.

A cell is told what towers were told, but for what its cubes do not have. How wrong predictions are
is measured at towers that taught nothing, of the same climates and of climates that taught nothing
(:mod:`~concerto.learning.partitions`). The largest part of an error is a place's own and does not
average out: ``shared`` is that part of the variance.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone

from concerto.errors import ConcertoError
from concerto.learning.calibration import Errors
from concerto.learning.dissimilarity import (
    INSIDE,
    NEVER_SEEN,
    OUTSIDE,
    UNKNOWN,
    Dissimilarity,
)
from concerto.learning.features import Features
from concerto.learning.partitions import Fold
from concerto.learning.upscaling import Blend, weights

log = logging.getLogger(__name__)

GROUPS = {
    "temperature": r"tas",
    "radiation and season": r"rsds|sun|length of day|latitude",
    "dryness of the air": r"vpd",
    "rain": r"pr(,|$)",
    "CO2": r"co2",
    "leaves": r"lai",
    "biomass": r"total biomass",
    "class of land": r"",
}
"""Features that tell alike, by what their names begin with; the last has all others."""
SHARES = (0.25, 0.5, 0.75)
"""Of towers that teach, for the learning curve."""


@dataclass(frozen=True)
class Judged:
    """Predictions (place, time) of places by what others taught, NaN where no fold judged them.

    ``sd`` is their stated spread, ``rank`` the share of the predicted distribution below what was
    measured, ``dissimilarity`` the index and ``limit`` the greatest one in the area of
    applicability.
    """

    mean: np.ndarray
    sd: np.ndarray
    rank: np.ndarray
    dissimilarity: np.ndarray
    limit: np.ndarray


@dataclass(frozen=True)
class FluxModel:
    """What predicts a flux of cells: learners, what errors are like, and what they know.

    ``near`` are errors at places that taught nothing, of climates that taught; ``far`` those at
    places of climates that taught nothing, by which months are judged that are not inside the area
    of applicability. ``shared`` is the part of the variance of ``near`` that is a place's own.
    """

    flux: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    learner: Blend
    near: Errors
    far: Errors
    shared: float
    dissimilarity: Dissimilarity

    def spread(self, mean: np.ndarray, status: np.ndarray) -> np.ndarray:
        """Return the stated standard deviation of predictions with a status."""
        return np.where(status == INSIDE, self.near.spread(mean), self.far.spread(mean))

    def quantile(self, share: float, mean: np.ndarray, status: np.ndarray) -> np.ndarray:
        """Return the quantile of a share of the stated distribution."""
        near, far = (errors.away(share, mean) for errors in (self.near, self.far))
        return mean + np.where(status == INSIDE, near, far)

    def predict(
        self, features: Features, igbp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the flux, the dissimilarity index and the status (location, time each).

        Parameters
        ----------
        features
            With all of :attr:`names`.
        igbp
            Class of each location's land (location,).
        """
        told = features.only(self.names).values
        shape = told.shape[:2]
        known = np.isfinite(told).all(axis=-1)
        mean, index = np.full(shape, np.nan), np.full(shape, np.nan)
        if known.any():
            mean[known] = self.learner.predict(told[known])
            index[known] = self.dissimilarity.index(told[known])
        new = ~np.isin(igbp, self.kinds)[:, None]
        status = np.where(index > self.dissimilarity.threshold, OUTSIDE, INSIDE)
        status = np.where(new, NEVER_SEEN, status) if self.kinds else status
        return mean, index, np.where(known, status, UNKNOWN)


def common_names(towers: Features, cells: Features) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the features that both have, and for each that cells have not, why it is left out."""
    absent = [name for name in towers.names if name not in cells.names]
    nowhere = [
        name for name in towers.names if name in cells.names and not np.isfinite(cells[name]).any()
    ]
    left_out = dict.fromkeys(absent, "not in the map's cubes")
    left_out |= dict.fromkeys(nowhere, "no value in the map's cubes")
    return tuple(name for name in towers.names if name not in left_out), left_out


def group_of(name: str) -> str:
    """Return the group of a feature."""
    return next(group for group, begin in GROUPS.items() if re.match(begin, name))


def check_target(flux: str, values: np.ndarray) -> None:
    """Raise where a target says nothing.

    Raises
    ------
    ConcertoError
        If it is the same everywhere, or known nowhere.
    """
    known = values[np.isfinite(values)]
    if not len(known) or np.ptp(known) == 0.0:
        found = f"{known[0]:g} in all {len(known)} months" if len(known) else "no value"
        raise ConcertoError(f"{flux}: found {found}; expected values that differ, to learn from")


def learn(features: Features, flux: np.ndarray, places: np.ndarray, learner: Blend) -> Blend:
    """Return a new learner, taught by the months (place, time) of some places."""
    known = np.zeros(flux.shape, bool)
    known[places] = np.isfinite(flux[places])
    weight = weights(np.isfinite(flux))
    return clone(learner).fit(features.values[known], flux[known], weight[known])


def foretell(learner: Blend, features: Features, places: np.ndarray) -> np.ndarray:
    """Return the flux (place, time) of some places."""
    told = features.values[places]
    return learner.predict(told.reshape(-1, told.shape[-1])).reshape(told.shape[:2])


def importance(
    learner: Blend,
    features: Features,
    flux: np.ndarray,
    places: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return by how much the mean square error grows at some places if a group is shuffled.

    Breiman (2001), Machine Learning 45, 5-32, section 10; features of a group are shuffled
    together, for one of them could stand in for another.
    """
    known = np.isfinite(flux[places])
    told, truth = features.values[places][known], flux[places][known]
    error = np.mean((learner.predict(told) - truth) ** 2)
    grown = {}
    for group in dict.fromkeys(map(group_of, features.names)):
        columns = [k for k, name in enumerate(features.names) if group_of(name) == group]
        mixed = told.copy()
        mixed[:, columns] = told[rng.permutation(len(told))][:, columns]
        grown[group] = float(np.mean((learner.predict(mixed) - truth) ** 2) - error)
    return grown


def by_feature(features: Features, grown: Mapping[str, float]) -> np.ndarray:
    """Return weights (feature,) of which each group has as much of a squared distance as it told.

    A group's weight is dealt evenly to its features' squares.
    """
    groups = [group_of(name) for name in features.names]
    return np.array([max(grown[group], 0.0) / np.sqrt(groups.count(group)) for group in groups])


def shared_variance(ratios: np.ndarray) -> float:
    """Return which share of the variance of ratios (place, time) is a place's own, 0 to 1.

    The intraclass correlation, by analysis of variance with places of unequal numbers of values
    (Donner 1986, International Statistical Review 54, 67-82, equation 2.3).
    """
    own = [row[np.isfinite(row)] for row in ratios]
    own = [row for row in own if len(row)]
    counts = np.array([len(row) for row in own])
    total, places = counts.sum(), len(own)
    if places < 2 or total == places:
        return 1.0
    means = np.array([row.mean() for row in own])
    grand = np.concatenate(own).mean()
    between = np.sum(counts * (means - grand) ** 2) / (places - 1)
    within = sum(np.sum((row - m) ** 2) for row, m in zip(own, means, strict=True))
    within /= total - places
    usual = (total - np.sum(counts**2) / total) / (places - 1)
    return float(np.clip((between - within) / (between + (usual - 1.0) * within), 0.0, 1.0))


def judge(
    features: Features, flux: np.ndarray, folds: Sequence[Fold], learner: Blend
) -> tuple[Judged, pd.DataFrame]:
    """Return the predictions of each fold's test, and how much each group of features told.

    The spread and the shape of errors are those of the inner groups of the teachers; the test has
    no part in them.

    Parameters
    ----------
    features
        Of all places.
    flux
        What was measured (place, time), NaN where nothing was.
    folds
        Who teaches and who judges.
    learner
        Not taught yet; its seed is that of all draws.

    Returns
    -------
    judged, table
        ``table`` has the columns ``fold, group, grown``: the growth of the mean square error.
    """
    rng = np.random.default_rng(learner.seed)
    out = Judged(*(np.full(flux.shape, np.nan) for _ in range(5)))
    rows = []
    for fold in folds:
        inner, told_inside = _inner(features, flux, fold, learner, rng)
        errors = Errors.of(flux[fold.teachers] - inner, inner)
        taught = learn(features, flux, fold.teachers, learner)
        grown = importance(taught, features, flux, fold.test, rng)
        rows += [(fold.name, group, value) for group, value in grown.items()]
        apart = _dissimilarity(features, flux, fold, by_feature(features, told_inside))
        mean = foretell(taught, features, fold.test)
        out.mean[fold.test], out.sd[fold.test] = mean, errors.spread(mean)
        out.rank[fold.test] = errors.rank(flux[fold.test] - mean, mean)
        told = features.values[fold.test]
        out.dissimilarity[fold.test] = apart.index(told.reshape(-1, told.shape[-1])).reshape(
            mean.shape
        )
        out.limit[fold.test] = apart.threshold
        log.info("%s: %d places judge what %d teach", fold.name, len(fold.test), len(fold.teachers))
    return out, pd.DataFrame(rows, columns=["fold", "group", "grown"])


def _inner(
    features: Features, flux: np.ndarray, fold: Fold, learner: Blend, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the flux (teacher, time) of each teacher as those of other inner groups teach it.

    And how much each group of features told there, of which the test has no part.
    """
    found = np.empty((len(fold.teachers), flux.shape[1]))
    told: dict[str, float] = {}
    for group in np.unique(fold.inner):
        own = fold.inner == group
        taught = learn(features, flux, fold.teachers[~own], learner)
        found[own] = foretell(taught, features, fold.teachers[own])
        for name, grown in importance(taught, features, flux, fold.teachers[own], rng).items():
            told[name] = told.get(name, 0.0) + grown
    return found, told


def _dissimilarity(
    features: Features, flux: np.ndarray, fold: Fold, weight: np.ndarray
) -> Dissimilarity:
    known = np.isfinite(flux[fold.teachers])
    groups = np.broadcast_to(fold.inner[:, None], known.shape)
    return Dissimilarity.of(features.values[fold.teachers][known], groups[known], weight)


def finish(
    flux: str,
    features: Features,
    values: np.ndarray,
    judged: Mapping[str, Judged],
    grown: Mapping[str, float],
    groups: np.ndarray,
    kinds: Sequence[str],
    learner: Blend,
) -> FluxModel:
    """Return the model that all places teach, with the errors of those that judged.

    Parameters
    ----------
    flux, values
        Its name, and what was measured (place, time).
    judged
        Of folds by ``site``, and by ``climate`` where there are such.
    grown
        By how much groups of features told in folds by place.
    groups
        Fold of each place (place,).
    kinds
        Classes of land that were taught.
    learner
        Not taught yet.
    """
    places = np.flatnonzero(np.isfinite(values).any(axis=1))
    error = {scheme: values - told.mean for scheme, told in judged.items()}
    like = {scheme: Errors.of(error[scheme], told.mean) for scheme, told in judged.items()}
    ratios = error["site"] / like["site"].spread(judged["site"].mean)
    whole = Fold("all", np.array([], int), places, groups[places])
    return FluxModel(
        flux,
        features.names,
        tuple(kinds),
        learn(features, values, places, learner),
        like["site"],
        like.get("climate", like["site"]),
        shared_variance(ratios),
        _dissimilarity(features, values, whole, by_feature(features, grown)),
    )


def learning_curve(
    features: Features, flux: np.ndarray, folds: Sequence[Fold], learner: Blend
) -> pd.DataFrame:
    """Return the error at places that judge by the share of teachers: ``share, teachers, rmse``."""
    rng, rows = np.random.default_rng(learner.seed), []
    for share in (*SHARES, 1.0):
        squares, count = [], 0
        for fold in folds:
            chosen = rng.permutation(fold.teachers)[: max(round(share * len(fold.teachers)), 2)]
            found = foretell(learn(features, flux, chosen, learner), features, fold.test)
            squares.append(((flux[fold.test] - found) ** 2)[np.isfinite(flux[fold.test])])
            count += len(chosen)
        rmse = float(np.sqrt(np.mean(np.concatenate(squares))))
        rows.append((share, count / len(folds), rmse))
    return pd.DataFrame(rows, columns=["share", "teachers", "rmse"])


def as_observations(
    mean: np.ndarray, sd: np.ndarray, status: np.ndarray, shared: float
) -> dict[str, np.ndarray]:
    """Return a stream (location, time) that may be assimilated: values and their errors.

    Only what does not extrapolate is an observation. Errors of a place's months are correlated by
    ``shared``; assimilation takes random ones for independent. Of n months these have the
    variance of a single one times ``1 + (n - 1) shared``, so that their mean is no better known
    than it is.
    """
    seen = (status == INSIDE) & np.isfinite(mean)
    count = seen.sum(axis=1, keepdims=True)
    random = sd * np.sqrt(1.0 + np.maximum(count - 1, 0) * shared)
    systematic = sd * np.sqrt(shared)
    return {
        "": np.where(seen, mean, np.nan),
        "_random": np.where(seen, random, np.nan),
        "_systematic": np.where(seen, systematic, np.nan),
        "_uncertainty": np.where(seen, sd, np.nan),
        "_measured_fraction": np.where(seen, 1.0, 0.0),
    }
