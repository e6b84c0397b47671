"""Predictions of towers' fluxes against what was withheld, beside a baseline.

Each predictor's intervals are made in the same way: its errors by its stated spread, in the shape
that these ratios have at the towers of other folds, so that no interval is judged on what made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.points import point_scores
from concerto.evaluation.reliability import coverage_of_ranks
from concerto.learning.calibration import crossed_shapes, stated_spread
from concerto.learning.climatology import monthly_climatology
from concerto.networks import KNOWN, LEAST_VALUES, NEW
from concerto.splits import last_values

METRICS = ("nse", "rmse", "bias", "crps", "coverage50", "coverage90", "width90")
COLUMNS = ("setting", "flux", "predictor", "group", "name", "towers", "n", *METRICS)


@dataclass(frozen=True)
class Predictor:
    """A prediction: its ``mean`` and stated ``sd`` (location, time)."""

    mean: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True)
class Judged:
    """A predictor against what it was not told.

    Parameters
    ----------
    predictor
        Its mean and stated spread.
    observed
        (location, time), NaN but where it was withheld.
    quantiles
        Of errors over the stated spread, at even shares (location, share).
    least
        What no value of the flux is below.
    rank
        Share of the distribution that lies below what was observed (location, time).
    """

    predictor: Predictor
    observed: np.ndarray
    quantiles: np.ndarray
    least: float
    rank: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean prediction (location, time)."""
        return self.predictor.mean

    def members(self, where: np.ndarray) -> np.ndarray:
        """Return quantiles of the predictions (share, value) ``where`` (location, time) is True."""
        tower, _ = np.nonzero(where)
        spread = self.predictor.sd[where] * self.quantiles[tower].T
        return np.maximum(self.mean[where] + spread, self.least)


def with_spread(mean: np.ndarray, observed: np.ndarray, size: np.ndarray) -> Predictor:
    """Return a predictor that states no spread with one that its errors lead to."""
    floor, share = stated_spread(observed - mean, size)
    return Predictor(mean, np.hypot(floor, share * size))


def judge(predictor: Predictor, observed: np.ndarray, folds: np.ndarray, least: float) -> Judged:
    """Return a predictor with the distributions that it makes, beside what was withheld.

    Parameters
    ----------
    predictor
        Mean and spread.
    observed
        What it was not told (location, time), NaN elsewhere.
    folds
        Fold of each tower (location,).
    least
        What no value of the flux is below; minus infinity where there is no such thing.
    """
    ratios = (observed - predictor.mean) / predictor.sd
    shapes = crossed_shapes(ratios, folds)
    quantiles = np.stack([shapes[int(fold)].quantiles for fold in folds])
    rank = np.stack([shapes[int(fold)].share(own) for fold, own in zip(folds, ratios, strict=True)])
    rank[~np.isfinite(ratios)] = np.nan
    return Judged(predictor, observed, quantiles, least, rank)


def score(judged: Judged, some: np.ndarray) -> dict[str, float]:
    """Return the scores of a predictor at some towers (location,) True, all months together.

    ``nse`` is that of Nash and Sutcliffe (1970), of values of all these towers; ``crps`` that of
    quantiles at even shares, ``width90`` the mean width of intervals of 90 %.
    """
    # Imported here, where it is needed: it loads numba, which every figure would wait for.
    from scoringrules import crps_ensemble

    where = np.isfinite(judged.observed + judged.mean) & some[:, None]
    observed, members, rank = judged.observed[where], judged.members(where), judged.rank[where]
    low, high = (np.quantile(members, p, axis=0, method="hazen") for p in (0.05, 0.95))
    crps = crps_ensemble(observed, members, m_axis=0, estimator="qd", backend="numpy")
    return {
        "towers": int(where.any(axis=1).sum()),
        **point_scores(observed, judged.mean[where]),
        "crps": float(np.mean(crps)),
        "coverage50": coverage_of_ranks(rank, 0.5),
        "coverage90": coverage_of_ranks(rank, 0.9),
        "width90": float(np.mean(high - low)),
    }


def withheld(values: np.ndarray, share: float) -> np.ndarray:
    """Return what of each tower's values (location, time) the inner trial withholds, else NaN."""
    last = np.stack([last_values(own, share) for own in values])
    return np.where(last, values, np.nan)


def predictors_of(
    flux: np.ndarray,
    share: float,
    inner: xr.Dataset,
    every: xr.Dataset,
    untold: Mapping[str, np.ndarray],
) -> dict[str, tuple[np.ndarray, dict[str, Predictor]]]:
    """Return what was withheld (location, time) in each setting, and the predictors to judge on it.

    Parameters
    ----------
    flux
        Measured (location, time).
    share
        Share of a tower's values that the inner trial withholds.
    inner, every
        What was learnt in the inner trial and from all, see
        :class:`concerto.learning.towers.Learned`.
    untold
        The flux as process models have it that were told none (location, time), by name.
    """
    later = withheld(flux, share)
    taught = np.where(np.isfinite(later), np.nan, flux)
    size = np.abs(inner["unseen"].to_numpy())
    mean = {"climatology": monthly_climatology(taught), "process": inner["process"].to_numpy()}
    known = {name: with_spread(own, later, size) for name, own in mean.items()}
    known["learned"] = Predictor(inner["unseen"].to_numpy(), inner["unseen_sd"].to_numpy())
    known["combined"] = Predictor(inner["mean"].to_numpy(), inner["sd"].to_numpy())
    new_size = np.abs(every["unseen"].to_numpy())
    new = {name: with_spread(own, flux, new_size) for name, own in untold.items()} | {
        "learned": Predictor(every["unseen"].to_numpy(), every["unseen_sd"].to_numpy()),
    }
    return {KNOWN: (later, known), NEW: (flux, new)}


def score_table(
    judged: Mapping[str, Judged], names: np.ndarray, classes: np.ndarray
) -> pd.DataFrame:
    """Return scores of predictors of a flux: over all towers, by class of land, and by tower.

    Columns :data:`COLUMNS` from ``predictor`` on; ``group`` is ``all``, ``class`` or ``tower``. A
    row ``median`` of the group ``all`` has the medians over towers with at least
    :data:`~concerto.networks.LEAST_VALUES` values.
    """
    rows = []
    for predictor, own in judged.items():
        by_tower = []
        for group, name, some in _groups(own, names, classes):
            row = {"predictor": predictor, "group": group, "name": name}
            rows.append(row | score(own, some))
            if group == "tower" and rows[-1]["n"] >= LEAST_VALUES:
                by_tower.append(rows[-1])
        medians = pd.DataFrame(by_tower, columns=list(METRICS)).median()
        count = {"towers": len(by_tower), "n": sum(row["n"] for row in by_tower)}
        row = {"predictor": predictor, "group": "all", "name": "median"}
        rows.append(row | count | medians.to_dict())
    return pd.DataFrame(rows)


def _groups(
    judged: Judged, names: np.ndarray, classes: np.ndarray
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield what towers are grouped by, the name of a group, and which belong to it."""
    seen = np.isfinite(judged.observed + judged.mean).any(axis=1)
    yield "all", "pooled", seen
    for name in sorted({*classes[seen]}):
        yield "class", name, seen & (classes == name)
    for k in np.flatnonzero(seen):
        yield "tower", str(names[k]), np.arange(len(names)) == k
