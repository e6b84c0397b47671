"""Means over the same days of a month or a year, for observations and predictions alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# A mean of fewer days says more about which days they were than about the month or year.
MINIMUM_DAYS = {"daily": 1, "monthly": 5, "annual": 30}
_PERIODS = {"daily": "D", "monthly": "M", "annual": "Y"}
STEPS = tuple(MINIMUM_DAYS)


@dataclass(frozen=True)
class Grouping:
    """Which days are averaged into which value.

    Parameters
    ----------
    weights
        Weight of each day in each group (group, time).
    labels
        Each group's first day, or month of the year.
    days
        How many days each group has.
    """

    weights: np.ndarray
    labels: pd.Index
    days: np.ndarray

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average (..., time) over the days of each group to (..., group)."""
        used = self.weights.any(axis=0)
        return values[..., used] @ self.weights[:, used].T


def group_days(
    times: pd.DatetimeIndex, chosen: np.ndarray, step: str, minimum_days: int | None = None
) -> Grouping:
    """Group chosen days by day, month or year; a group with too few days is left out.

    Parameters
    ----------
    times, chosen
        Days and which of them count (time, bool).
    step
        daily, monthly or annual.
    minimum_days
        Days that a group needs; the step's own minimum by default.
    """
    codes, periods = pd.factorize(times.to_period(_PERIODS[step]))
    minimum = MINIMUM_DAYS[step] if minimum_days is None else minimum_days
    return _group(codes, pd.PeriodIndex(periods).to_timestamp(), chosen, minimum)


def group_calendar_months(times: pd.DatetimeIndex, chosen: np.ndarray) -> Grouping:
    """Group chosen days by month of the year, all years together; groups are labelled 1 to 12."""
    codes = times.month.to_numpy() - 1
    return _group(codes, pd.RangeIndex(1, 13), chosen, MINIMUM_DAYS["monthly"])


def _group(codes: np.ndarray, labels: pd.Index, chosen: np.ndarray, minimum: int) -> Grouping:
    days = np.bincount(codes[chosen], minlength=len(labels))
    kept = np.flatnonzero(days >= max(minimum, 1))
    weights = (codes == kept[:, None]) & chosen
    return Grouping(weights / days[kept, None], labels[kept], days[kept])
