"""Monthly leaf area of places from their land cover and weather, judged on places and on years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from sklearn.base import clone

from concerto.errors import ConcertoError
from concerto.learning.calibration import Shape, stated_spread
from concerto.learning.climatology import of_other_folds
from concerto.learning.features import Features, place_features
from concerto.learning.partitions import Fold
from concerto.learning.reconstruction import COVERS, covers_of
from concerto.learning.upscaling import Blend, weights

EXTINCTION = 0.5
"""Of light by leaves, per unit of leaf area, for leaves of all angles (Monsi & Saeki 1953, in
English in Annals of Botany 95, 549, 2005)."""
_MOST_FAPAR = 0.98


@dataclass(frozen=True)
class JudgedLeaves:
    """Leaves (place, time) that had no part in the teaching, their spread and ranks."""

    mean: np.ndarray
    sd: np.ndarray
    rank: np.ndarray


def leaf_stream(observations: xr.Dataset) -> str:
    """Return the stream that tells of leaves: ``lai``, or ``fapar`` where there is none.

    Raises
    ------
    ConcertoError
        If there is neither.
    """
    for name in ("lai", "fapar"):
        if name in observations and np.isfinite(observations[name].to_numpy()).any():
            return name
    raise ConcertoError("observations: found neither lai nor fapar; expected one, to learn from")


def leaf_features(drivers: xr.Dataset, land: xr.Dataset) -> Features:
    """Return what is told of each month: weather, its past, the sun, and the covers of the land.

    Raises
    ------
    ConcertoError
        If the land has neither fractions of cover nor a class.
    """
    weather = place_features(drivers, xr.Dataset(), xr.Dataset(), [])
    cover = cover_fractions(land)
    told = dict(zip(weather.names, np.moveaxis(weather.values, -1, 0), strict=True))
    shape = told[weather.names[0]].shape
    for name, fraction in zip(COVERS, cover.T, strict=True):
        told[f"cover, {name}"] = np.broadcast_to(fraction[:, None], shape)
    return Features.of(told)


def cover_fractions(land: xr.Dataset) -> np.ndarray:
    """Return fractions (location, cover), or one where only the class of a place is known."""
    if "land_cover" in land:
        shares = land["land_cover"].transpose("class", "location").to_numpy().astype(float)
        return covers_of(shares, land["class"].to_numpy())[0]
    if "igbp" not in land:
        raise ConcertoError("land: found neither land_cover nor igbp; expected one of them")
    classes = sorted({kind for of in COVERS.values() for kind in of})
    igbp = land["igbp"].to_numpy().astype(str)
    return covers_of(np.array([igbp == kind for kind in classes], float), classes)[0]


def with_cover(features: Features, cover: np.ndarray) -> Features:
    """Return features of the same months with other fractions (location, cover)."""
    values = features.values.copy()
    for name, fraction in zip(COVERS, cover.T, strict=True):
        values[..., features.names.index(f"cover, {name}")] = fraction[:, None]
    return Features(features.names, values)


def learn_leaves(
    features: Features, leaves: np.ndarray, taught: np.ndarray, learner: Blend
) -> Blend:
    """Return what months ``taught`` (place, time) teach of leaves (place, time)."""
    known = np.isfinite(leaves) & taught
    if not known.any() or np.ptp(leaves[known]) == 0.0:
        raise ConcertoError(
            f"leaves: found {known.sum()} months, none unlike another; expected some that differ"
        )
    weight = weights(np.isfinite(leaves))
    return clone(learner).fit(features.values[known], leaves[known], weight[known])


def foretell_leaves(learner: Blend, features: Features, most: float = np.inf) -> np.ndarray:
    """Return leaves (place, time), from none to ``most``."""
    told = features.values
    found = learner.predict(told.reshape(-1, told.shape[-1])).reshape(told.shape[:2])
    return np.clip(found, 0.0, most)


def leaf_area(values: np.ndarray, stream: str) -> np.ndarray:
    """Return the leaf area index; of fAPAR that of a canopy by Beer's law."""
    if stream == "lai":
        return values
    return -np.log1p(-np.minimum(values, _MOST_FAPAR)) / EXTINCTION


def judge_places(
    features: Features, leaves: np.ndarray, folds: Sequence[Fold], learner: Blend
) -> JudgedLeaves:
    """Return leaves of each fold's places as others teach them; inner groups calibrate."""
    out = JudgedLeaves(*(np.full(leaves.shape, np.nan) for _ in range(3)))
    for fold in folds:
        apart = [
            _rows(leaves.shape, fold.teachers[fold.inner == group])
            for group in np.unique(fold.inner)
        ]
        _judge(out, features, leaves, apart, _rows(leaves.shape, fold.test), learner)
    return out


def judge_years(
    features: Features, leaves: np.ndarray, years: np.ndarray, folds: int, learner: Blend
) -> tuple[JudgedLeaves, np.ndarray]:
    """Return leaves of years that taught nothing, and the fold (time,) of each month, -1 if none.

    What is learnt is by how much leaves differ from what is usual in the month at the place in
    other years. Folds are of successive years: few of those held out have a neighbour that taught.

    Raises
    ------
    ConcertoError
        If there are fewer than three years for each fold to teach, calibrate and judge.
    """
    known = years_known(leaves, years)
    if len(known) < max(3, folds):
        raise ConcertoError(
            f"years: found {len(known)}; expected at least {max(3, folds)}, for some to judge what "
            "others teach"
        )
    fold_of = np.arange(len(known)) * folds // len(known)
    fold = np.full(len(years), -1)
    fold[np.isin(years, known)] = fold_of[np.searchsorted(known, years[np.isin(years, known)])]
    out = JudgedLeaves(*(np.full(leaves.shape, np.nan) for _ in range(3)))
    for number in range(folds):
        test, apart = (
            np.broadcast_to(fold == which, leaves.shape) for which in (number, (number + 1) % folds)
        )
        _judge(out, features, leaves, [apart], test, learner, years)
    return out, fold


def years_known(leaves: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Return the years in which leaves (place, time) are known somewhere."""
    return np.unique(years[np.isfinite(leaves).any(axis=0)])


def _rows(shape: tuple[int, int], places: np.ndarray) -> np.ndarray:
    out = np.zeros(shape, bool)
    out[places] = True
    return out


def _judge(
    out: JudgedLeaves,
    features: Features,
    leaves: np.ndarray,
    apart: Sequence[np.ndarray],
    test: np.ndarray,
    learner: Blend,
    years: np.ndarray | None = None,
) -> None:
    """Fill in what all but the ``test`` (place, time) teach of it.

    Each of ``apart`` (place, time) is foretold by what is neither in it nor in the test: these
    errors are those that intervals are made of. With ``years`` (time,), departures are learnt from
    the same months of other years.
    """

    def foretold(unknown: np.ndarray) -> np.ndarray:
        known = np.where(unknown, np.nan, leaves)
        usual = 0.0 if years is None else same_months(known, years)
        taught = learn_leaves(features, known - usual, ~unknown, learner)
        told = features.values.reshape(-1, features.values.shape[-1])
        return np.maximum(usual + taught.predict(told).reshape(leaves.shape), 0.0)

    errors, sizes = [], []
    for group in apart:
        inner = foretold(group | test)
        errors.append(leaves[group] - inner[group])
        sizes.append(inner[group])
    error, size = np.concatenate(errors), np.concatenate(sizes)
    floor, share = stated_spread(error, size)
    shape = Shape.of(error / np.hypot(floor, share * size))
    mean = foretold(test)
    sd = np.hypot(floor, share * mean)
    for target, values in zip(
        (out.mean, out.sd, out.rank), (mean, sd, shape.share((leaves - mean) / sd)), strict=True
    ):
        target[test] = values[test]


def same_months(leaves: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return persistence (place, time): the mean of the same month of all years of other folds."""
    return of_other_folds(leaves, fold)[0]
