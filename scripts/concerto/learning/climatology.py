"""What is usual at a tower in each calendar month."""

from __future__ import annotations

import numpy as np

from concerto.learning.features import YEAR


def monthly_climatology(known: np.ndarray) -> np.ndarray:
    """Return the mean of each calendar month's known values (location, time), repeated by year.

    Months of a tower that have none lie on a line between those around them that have, on a circle
    of a year; a tower without any value has the mean of all towers.
    """
    out = np.empty(known.shape)
    overall = np.nanmean(known)
    for own, values in zip(out, known, strict=True):
        by_month = values.reshape(-1, YEAR)
        count = np.isfinite(by_month).sum(axis=0)
        seen = np.flatnonzero(count)
        if not len(seen):
            own[:] = overall
            continue
        mean = np.nansum(by_month, axis=0)[seen] / count[seen]
        around = np.concatenate([seen - YEAR, seen, seen + YEAR])
        season = np.interp(np.arange(YEAR), around, np.tile(mean, 3))
        own[:] = np.tile(season, len(values) // YEAR)
    return out


def of_other_years(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each calendar month over the other years, and over how many.

    Parameters
    ----------
    known
        (location, time), NaN where nothing is known; whole years of months.

    Returns
    -------
    mean, years
        (location, time) both; the mean is NaN where there is no other year.
    """
    return of_other_folds(known, np.arange(known.shape[1]) // YEAR)


def of_other_folds(known: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each calendar month over what is of other folds, and of how many values.

    As :func:`of_other_years`, with the ``fold`` (time,) of each month in place of its year.
    """
    mean, count = np.full(known.shape, np.nan), np.zeros(known.shape, int)
    month = np.arange(known.shape[1]) % YEAR
    for number in np.unique(fold):
        for which in range(YEAR):
            taught = known[:, (fold != number) & (month == which)]
            own = (fold == number) & (month == which)
            there = np.isfinite(taught).sum(axis=1)
            with np.errstate(invalid="ignore"):
                usual = np.where(there > 0, np.nansum(taught, axis=1) / there, np.nan)
            mean[:, own], count[:, own] = usual[:, None], there[:, None]
    return mean, count
