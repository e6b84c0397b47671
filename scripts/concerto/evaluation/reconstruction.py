"""Scores of reconstructed land cover and leaves, beside what is known without learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from concerto.evaluation.points import point_scores
from concerto.evaluation.reliability import coverage_of_ranks
from concerto.learning.reconstruction import misallocated

COLUMNS = ("held_out", "predictor", "name", "n", "error", "bias", "nse", "coverage90")


def cover_scores(
    held_out: str,
    truth: np.ndarray,
    predictors: Mapping[str, np.ndarray],
    inside: np.ndarray,
    covers: Sequence[str],
) -> pd.DataFrame:
    """Return scores of fractions, with :data:`COLUMNS`.

    ``error`` of ``all`` is the mean share of land under another cover than it is; that of a cover
    is the root mean square error of its fraction.

    Parameters
    ----------
    held_out
        What taught nothing: ``regions`` or ``years``.
    truth
        (row, cover).
    predictors
        Fractions (row, cover) by predictor, the learner's first; NaN rows are not scored.
    inside
        Whether what is lies in the learner's intervals of 90 % (row, cover).
    covers
        Names.
    """
    rows = []
    for number, (predictor, said) in enumerate(predictors.items()):
        known = np.isfinite(said).all(axis=1) & np.isfinite(truth).all(axis=1)
        if not known.any():
            continue
        held = inside[known]
        share = float(held.mean()) if number == 0 else np.nan
        wrong = float(misallocated(said[known], truth[known]).mean())
        efficiency = _efficiency(said[known], truth[known])
        rows.append((held_out, predictor, "all", int(known.sum()), wrong, 0.0, efficiency, share))
        for k, cover in enumerate(covers):
            own = point_scores(truth[known, k], said[known, k])
            share = float(held[:, k].mean()) if number == 0 else np.nan
            rows.append(_row(held_out, predictor, cover, own, share))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def leaf_scores(
    held_out: str,
    truth: np.ndarray,
    predictors: Mapping[str, np.ndarray],
    rank: np.ndarray,
    kinds: np.ndarray,
) -> pd.DataFrame:
    """Return scores of leaves, with :data:`COLUMNS`: ``error`` is the root mean square error.

    Parameters
    ----------
    held_out, predictors
        As for :func:`cover_scores`, each (place, time).
    rank
        Of what is in the learner's distribution (place, time).
    truth
        (place, time), NaN where nothing is known.
    kinds
        Main climate of each place (place,).
    """
    rows = []
    every = np.logical_and.reduce([np.isfinite(said) for said in predictors.values()])
    known = every & np.isfinite(truth)
    for number, (predictor, said) in enumerate(predictors.items()):
        for name in ("all", *np.unique(kinds.astype(str))):
            where = known if name == "all" else known & (kinds.astype(str) == name)[:, None]
            if where.sum() < 2:
                continue
            own = point_scores(truth[where], said[where])
            share = coverage_of_ranks(rank[where], 0.9) if number == 0 else np.nan
            rows.append(_row(held_out, predictor, name, own, share))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    held_out: str, predictor: str, name: str, scores: Mapping[str, float], share: float
) -> tuple:
    return (
        held_out, predictor, name, scores["n"], scores["rmse"], scores["bias"], scores["nse"], share
    )  # fmt: skip


def _efficiency(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the Nash-Sutcliffe efficiency, of several columns together."""
    spread = np.sum((truth - truth.mean(axis=0)) ** 2)
    return float(1.0 - np.sum((said - truth) ** 2) / spread) if spread > 0.0 else np.nan
