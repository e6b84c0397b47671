"""Where observations are missing: by stream and location, by month of the year, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import is_monthly
from concerto.domain import STREAMS

LOCATIONS = ("stream", "location", "steps", "valid", "valid_fraction", "longest_gap")
SEASONS = ("stream", "location", "month", "steps", "valid", "valid_fraction")
_MOST_REASONS = 4


@dataclass(frozen=True)
class Gaps:
    """What there is and what is missing, as tables.

    Parameters
    ----------
    locations
        One row a stream and location, with the columns of :data:`LOCATIONS`; the gap in steps.
    seasons
        One row a stream, location and month of the year that the record has, with the columns of
        :data:`SEASONS`.
    reasons
        One row a stream, level and reason: ``stream, level, reason, masked, total, fraction``;
        the first level is that of native values.
    step
        Word for a step: ``day`` or ``month``.
    """

    locations: pd.DataFrame
    seasons: pd.DataFrame
    reasons: pd.DataFrame
    step: str


def find_gaps(observations: xr.Dataset, masking: pd.DataFrame) -> Gaps:
    """Return the gaps of all streams of a cube.

    Parameters
    ----------
    observations
        Streams along ``location`` and ``time``.
    masking
        What was masked on the way, with the columns of
        :meth:`concerto.prepare.streams.MaskCount.table`; rows of the same stream, level and reason
        are added up.
    """
    times = observations.indexes["time"]
    streams = {
        name: np.isfinite(observations[name].transpose("location", "time").to_numpy())
        for name in STREAMS
        if name in observations
    }
    names = observations["location"].to_numpy()
    return Gaps(
        _table(LOCATIONS, [_by_location(*stream, names) for stream in streams.items()]),
        _table(SEASONS, [_by_month(*stream, names, times) for stream in streams.items()]),
        _by_reason(masking, list(streams)),
        "month" if is_monthly(times) else "day",
    )


def _table(columns: tuple[str, ...], parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def _by_location(stream: str, valid: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    steps = valid.shape[1]
    columns = (stream, names, steps, valid.sum(axis=1), valid.mean(axis=1), longest_gap(valid))
    return pd.DataFrame(dict(zip(LOCATIONS, columns, strict=True)))


def longest_gap(valid: np.ndarray) -> np.ndarray:
    """Return the length of the longest run of steps without a value (location,).

    Parameters
    ----------
    valid
        Whether there is a value (location, time).
    """
    run = np.zeros(len(valid), int)
    longest = run.copy()
    for there in valid.T:
        run = np.where(there, 0, run + 1)
        longest = np.maximum(longest, run)
    return longest


def _by_month(
    stream: str, valid: np.ndarray, names: np.ndarray, times: pd.DatetimeIndex
) -> pd.DataFrame:
    months = np.unique(times.month)
    found = np.stack([valid[:, times.month == month].sum(axis=1) for month in months], axis=1)
    steps = np.array([(times.month == month).sum() for month in months])
    columns = (
        stream, np.repeat(names, len(months)), np.tile(months, len(names)),
        np.tile(steps, len(names)), found.ravel(), (found / steps).ravel(),
    )  # fmt: skip
    return pd.DataFrame(dict(zip(SEASONS, columns, strict=True)))


def _by_reason(masking: pd.DataFrame, streams: list[str]) -> pd.DataFrame:
    rows = masking[masking["variable"].isin(streams)].rename(columns={"variable": "stream"})
    keys = ["stream", "level", "reason"]
    sums = rows.groupby(keys, sort=False, as_index=False)[["masked", "total"]].sum()
    return sums.assign(fraction=sums["masked"] / sums["total"])


def summary(gaps: Gaps) -> list[str]:
    """Return one line a stream: what there is at the median location, and what was masked.

    Shares under each level are of all values of that level, the four largest reasons of each.
    """
    return [
        f"{stream}: {_extent(rows, gaps.step)}{_masked(gaps.reasons, stream)}"
        for stream, rows in gaps.locations.groupby("stream", sort=False)
    ]


def _extent(rows: pd.DataFrame, step: str) -> str:
    steps, valid = int(rows["steps"].iloc[0]), float(rows["valid"].median())
    at, gap = "", float(rows["longest_gap"].median())
    if len(rows) > 1:
        at = " at the median location"
    text = f"{valid:g} of {_many(steps, step)}{at} ({100 * valid / steps:.0f} %)"
    text += f", longest gap {_many(gap, step)}"
    without = int((rows["valid"] == 0).sum())
    if without and len(rows) > 1:
        text += f"; nothing at {without} of {len(rows)} locations"
    return text


def _many(number: float, word: str) -> str:
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"


def _masked(reasons: pd.DataFrame, stream: str) -> str:
    rows = reasons[(reasons["stream"] == stream) & (reasons["masked"] > 0)]
    texts = []
    for level, part in rows.groupby("level", sort=False):
        largest = part.nlargest(_MOST_REASONS, "fraction")
        shares = [
            f"{_percent(row.fraction)} {row.reason}" for row in largest.itertuples(index=False)
        ]
        texts.append(f"masked ({level}): {', '.join(shares)}")
    return "".join(f"; {text}" for text in texts)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %" if fraction >= 0.005 else "<1 %"
