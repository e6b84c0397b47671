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
    by_year = known.reshape(len(known), -1, YEAR)
    there = np.isfinite(by_year)
    values = np.where(there, by_year, 0.0)
    total = values.sum(axis=1, keepdims=True) - values
    years = there.sum(axis=1, keepdims=True) - there
    mean = np.where(years > 0, total / np.maximum(years, 1), np.nan)
    return mean.reshape(known.shape), years.reshape(known.shape)
