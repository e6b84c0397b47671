"""Scores of fluxes that other towers taught: by split, climate, class and applicability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.points import point_scores
from concerto.evaluation.reliability import coverage_of_ranks

COLUMNS = (
    "scheme", "group", "name", "towers", "n", "nse", "nse_season", "rmse", "bias",
    "coverage50", "coverage90",
)  # fmt: skip
SCHEMES = {"site": "towers that taught nothing", "climate": "climates that taught nothing"}


def score_table(scheme: str, judged: xr.Dataset) -> pd.DataFrame:
    """Return scores with :data:`COLUMNS`.

    Parameters
    ----------
    scheme
        One of :data:`SCHEMES`.
    judged
        ``SCHEME_NAME`` (location, time) of ``mean, sd, rank, season, dissimilarity, limit``, the
        ``observed`` values, and ``igbp`` and ``climate`` (location,).
    """
    parts = {
        name: judged[f"{scheme}_{name}"].to_numpy()
        for name in ("mean", "rank", "season", "dissimilarity", "limit")
    }
    observed = judged["observed"].to_numpy()
    known = np.isfinite(observed) & np.isfinite(parts["mean"])
    rows = [
        (scheme, group, name, *_scores(observed, parts, where & known))
        for group, name, where in _groups(judged, parts)
        if (where & known).sum() > 1
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _groups(
    judged: xr.Dataset, parts: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, str, np.ndarray]]:
    shape = parts["mean"].shape
    yield "all", "pooled", np.ones(shape, bool)
    inside = parts["dissimilarity"] <= parts["limit"]
    yield "applicability", "inside", inside
    yield "applicability", "extrapolated", ~inside
    for group in ("climate", "igbp"):
        kinds = judged[group].to_numpy().astype(str)
        for kind in sorted({*kinds} - {""}):
            yield group, kind, np.broadcast_to((kinds == kind)[:, None], shape)


def _scores(
    observed: np.ndarray, parts: Mapping[str, np.ndarray], where: np.ndarray
) -> tuple[float, ...]:
    seen, rank = observed[where], parts["rank"][where]
    told = point_scores(seen, parts["mean"][where])
    return (
        int(where.any(axis=1).sum()),
        told["n"],
        told["nse"],
        point_scores(seen, parts["season"][where])["nse"],
        told["rmse"],
        told["bias"],
        coverage_of_ranks(rank, 0.5),
        coverage_of_ranks(rank, 0.9),
    )
