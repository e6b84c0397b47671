"""Towers of a network in figures and tables: names and colours, and the scores of each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from concerto.networks import FLUXES, KNOWN, NEW

PREDICTORS = {
    "climatology": ("monthly climatology", "#E69F00"),
    "by_cover": ("process model, parameters by land cover", "#CC79A7"),
    "by_traits": ("process model, parameters by traits", "#D55E00"),
    "process": ("process model", "#56B4E9"),
    "learned": ("learned from other towers", "#009E73"),
    "combined": ("combined", "#0072B2"),
}
"""Name and colour of each predictor, in the order of figures and tables."""
SETTINGS = {KNOWN: "known towers, later months", NEW: "towers with no flux of their own"}
"""What predictions are judged on."""
BASELINE, BEST = "climatology", "combined"


def read_scores(path: Path) -> pd.DataFrame:
    """Read the table of the rule score_towers; names are text even if they look like a number."""
    return pd.read_csv(path, converters={"name": str})


def pooled(scores: pd.DataFrame, name: str = "pooled") -> pd.DataFrame:
    """Return the scores of all months of all towers, or with ``median`` of the median tower.

    Rows are by ``(setting, flux, predictor)``.
    """
    rows = scores[(scores["group"] == "all") & (scores["name"] == name)]
    return rows.set_index(["setting", "flux", "predictor"]).sort_index()


def predictors_in(scores: pd.DataFrame, setting: str) -> list[str]:
    """Return the predictors that are judged in a setting, in the order of figures."""
    there = set(scores.loc[scores["setting"] == setting, "predictor"])
    return [name for name in PREDICTORS if name in there]


def by_tower(scores: pd.DataFrame, flux: str, metric: str) -> pd.DataFrame:
    """Return a score of each known tower (row) by each predictor (column)."""
    rows = scores[
        (scores["setting"] == KNOWN) & (scores["flux"] == flux) & (scores["group"] == "tower")
    ]
    return rows.pivot_table(index="name", columns="predictor", values=metric)


def fluxes_in(scores: pd.DataFrame) -> list[str]:
    """Return the fluxes of a table of scores, in the order of figures."""
    return [flux for flux in FLUXES if flux in set(scores["flux"])]
