"""The season that places of a kind have: a baseline that whatever is learnt must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concerto.learning.features import YEAR
from concerto.learning.partitions import Fold


def season_of_kind(
    values: np.ndarray,
    kinds: np.ndarray,
    latitude: np.ndarray,
    months: np.ndarray,
    folds: Sequence[Fold],
) -> np.ndarray:
    """Return the baseline (place, time): the mean season of the teachers of the same kind.

    South of the equator seasons are half a year later. Where no teacher of the kind has values, it
    is the season of all of them.

    Parameters
    ----------
    values
        (place, time), NaN where nothing was measured.
    kinds, latitude
        Of places (place,), such as their class of land.
    months
        Calendar months (time,), 1 to 12.
    folds
        Who teaches and who judges.
    """
    shift = np.where(latitude < 0.0, YEAR // 2, 0)[:, None]
    season = (months[None] - 1 + shift) % YEAR
    out = np.full(values.shape, np.nan)
    for fold in folds:
        for kind in np.unique(kinds[fold.test]):
            alike = fold.teachers[kinds[fold.teachers] == kind]
            alike = alike if np.isfinite(values[alike]).any() else fold.teachers
            known = np.isfinite(values[alike])
            count = np.bincount(season[alike][known], minlength=YEAR)
            total = np.bincount(season[alike][known], values[alike][known], minlength=YEAR)
            with np.errstate(invalid="ignore"):
                usual = np.where(count > 0, total / count, values[alike][known].mean())
            own = fold.test[kinds[fold.test] == kind]
            out[own] = usual[season[own]]
    return out
