"""Whether intervals of sums over regions hold the sums of truths as often as they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binom

from concerto.errors import ConcertoError
from concerto.evaluation.calibration import verdict

ARRANGEMENTS = ("coherent", "independent")
"""Members that are one draw everywhere; those of each cell in an order of its own."""
NOMINAL = {50: ("q25", "q75"), 90: ("q05", "q95")}
"""Per cent of truths that central intervals promise to hold, and their ends."""
LEVEL = 0.01
_REGION = ("kind", "region", "cells", "variable", "year", "units")


def sum_coverage(placed: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Return how many truths the intervals of each sum hold, and whether their ranks are uniform.

    Parameters
    ----------
    placed
        Of :func:`concerto.evaluation.region_twins.place_sums`, of all truths.
    level
        Probability that any of the sums of an arrangement fails though its intervals are right.

    Returns
    -------
    pandas.DataFrame
        For each arrangement, region, variable and year ``truths``; the shares ``held_50`` and
        ``held_90`` that intervals hold; ``sd_over_error``, the stated standard deviation over the
        error of the mean, both as root mean squares; and the columns of
        :func:`concerto.evaluation.calibration.verdict`.

    Raises
    ------
    ConcertoError
        If there is no sum: no cell of any truth has members.
    """
    if placed.empty:
        raise ConcertoError("sums of truths: found none; expected cells with members")
    parts = []
    for arrangement in ARRANGEMENTS:
        own = placed[placed.arrangement == arrangement]
        # a sum without some of its cells is another one
        own = own[own.cells == own.groupby(["kind", "region"]).cells.transform("max")]
        groups = own.groupby(list(_REGION), sort=False)
        known = {str(number): rows["rank"].to_numpy() for number, (_, rows) in enumerate(groups)}
        judged = verdict(known, int(own.members.iloc[0]), level).drop(columns=["quantity", "n"])
        rows = [dict(zip(_REGION, key, strict=True)) | _held(group) for key, group in groups]
        parts.append(pd.concat([pd.DataFrame(rows), judged], axis=1))
        parts[-1].insert(0, "arrangement", arrangement)
    return pd.concat(parts, ignore_index=True)


def _held(rows: pd.DataFrame) -> dict[str, float]:
    held = {
        f"held_{nominal}": float(((rows.true >= rows[low]) & (rows.true <= rows[high])).mean())
        for nominal, (low, high) in NOMINAL.items()
    }
    error = np.sqrt(np.mean((rows["mean"] - rows.true) ** 2))
    stated = np.sqrt(np.mean(rows.sd**2))
    return {"truths": len(rows), **held, "sd_over_error": float(stated / error)}


def binomial_range(nominal: int, truths: int, level: float = LEVEL) -> tuple[float, float]:
    """Return between which shares of truths a right interval holds, but with probability ``level``.

    ``nominal`` per cent is what it promises.
    """
    ends = binom.ppf([0.5 * level, 1.0 - 0.5 * level], truths, nominal / 100.0) / truths
    return float(ends[0]), float(ends[1])


def several(coverage: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of regions of several cells: of one cell both arrangements are the same."""
    return coverage[coverage.cells > 1]


def summary(coverage: pd.DataFrame) -> pd.DataFrame:
    """Return, by arrangement, kind of region and variable, means over regions of several cells.

    ``regions`` of them, ``passed`` of which have uniform ranks; mean ``held_50``, ``held_90`` and
    ``dispersion``, median ``sd_over_error``.
    """
    groups = several(coverage).groupby(["arrangement", "kind", "variable"], sort=False)
    return groups.agg(
        regions=("region", "size"),
        truths=("truths", "min"),
        held_50=("held_50", "mean"),
        held_90=("held_90", "mean"),
        dispersion=("dispersion", "mean"),
        sd_over_error=("sd_over_error", "median"),
        passed=("passed", "sum"),
    ).reset_index()
