"""Several runs beside each other: their verdicts, scores against baselines, and sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from concerto.errors import ConcertoError
from concerto.evaluation.quantities import BASELINES

SCORE_COLUMNS = (
    "run", "site", "variable", "step", "method", "n", "bias", "rmse", "nse", "crps", "coverage90",
    "skill", "comparable",
)  # fmt: skip
SUM_COLUMNS = (
    "run", "kind", "place", "period", "variable", "units", "mean", "sd", "q05", "q95", "apart",
)  # fmt: skip
_SAME = ["site", "variable", "step"]


@dataclass(frozen=True)
class Run:
    """What one run has to be compared by.

    Attributes
    ----------
    scores
        Of each tower, as :func:`concerto.evaluation.scores.score_site` gives them.
    methods
        The published method of each tower.
    verdicts
        For each tower ``converged`` (yes or no) and ``verdict``.
    sums
        ``kind`` (tower, map or region), ``place, period, variable, units, mean, sd, q05, q95``.
    """

    scores: pd.DataFrame
    methods: Mapping[str, str]
    verdicts: Mapping[str, tuple[str, str]]
    sums: pd.DataFrame


def compare_scores(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Return the scores of each run's published methods, with :data:`SCORE_COLUMNS`.

    ``skill`` is one less the CRPS over that of the run's better baseline; ``comparable`` says
    whether all runs that have the row were held against as many values.

    """
    rows = pd.concat(
        [_published(run).assign(run=name) for name, run in runs.items()], ignore_index=True
    )
    counts = rows.groupby(_SAME)["n"].transform("nunique")
    return rows.assign(comparable=counts == 1)[list(SCORE_COLUMNS)]


def _published(run: Run) -> pd.DataFrame:
    scores = run.scores
    own = scores[scores.predictor == scores.site.map(run.methods)]
    best = scores[scores.predictor.isin(BASELINES)].groupby(_SAME)["crps"].min()
    found = own.join(best.rename("baseline"), on=_SAME).rename(columns={"predictor": "method"})
    return found.assign(skill=1.0 - found.crps / found.baseline)


def compare_sums(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Return the sums that at least two runs have, with :data:`SUM_COLUMNS`.

    ``apart`` is how far a run's mean is from the first run's that has the sum, in standard
    deviations of the difference as if the runs had nothing in common; 0 for the first itself.

    Raises
    ------
    ConcertoError
        If a sum has other units in another run.
    """
    rows = pd.concat([run.sums.assign(run=name) for name, run in runs.items()], ignore_index=True)
    same = ["place", "period", "variable"]
    for key, group in rows.groupby(same):
        units = sorted(set(group.units))
        if len(units) > 1:
            raise ConcertoError(
                f"{', '.join(map(str, key))}: found the units {', '.join(units)}; expected one"
            )
    rows = rows[rows.groupby(same)["run"].transform("nunique") > 1]
    first = rows.groupby(same)[["mean", "sd"]].transform("first")
    spread = np.hypot(rows["sd"], first["sd"])
    apart = np.where(spread > 0.0, (rows["mean"] - first["mean"]) / spread.where(spread > 0.0), 0.0)
    return rows.assign(apart=apart)[list(SUM_COLUMNS)]


def shared_places(runs: Mapping[str, Run]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the places of two runs or more, and by run those that no other has.

    Raises
    ------
    ConcertoError
        If no place is in two runs.
    """
    places = {name: set(run.sums.place) for name, run in runs.items()}
    every = sorted(set.union(*places.values()))
    shared = [place for place in every if sum(place in of for of in places.values()) > 1]
    if not shared:
        found = "; ".join(f"{name}: {', '.join(sorted(of))}" for name, of in places.items())
        raise ConcertoError(f"compare_runs: found the places {found}; expected one in two runs")
    alone = {name: sorted(of - set(shared)) for name, of in places.items()}
    return shared, {name: of for name, of in alone.items() if of}
