"""Whether a method beats the baselines, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from concerto.evaluation.quantities import (
    BASELINES,
    QUANTITIES,
    label,
    plain_unit,
    predictor_label,
)

# CRPS that differ by less than this share are called level.
LEVEL = 0.01


@dataclass(frozen=True)
class Judgement:
    """How a method does against one baseline in one variable and step.

    ``outcome`` is one of *beats*, *loses to*, *is level with*, *cannot be compared with* (a single
    value says nothing); ``own`` and ``other`` are the two CRPS.
    """

    variable: str
    step: str
    baseline: str
    outcome: str
    own: float
    other: float

    @property
    def phrase(self) -> str:
        """The outcome in words, with the baseline's number behind it."""
        article = "the " if self.baseline in BASELINES else ""
        return f"{self.outcome} {article}{predictor_label(self.baseline)} ({self.other:.3g})"


def judge(
    scores: pd.DataFrame, method: str, baselines: Sequence[str] = BASELINES
) -> list[Judgement]:
    """Compare a method with each baseline by CRPS, which counts error and honest spread alike."""
    judgements = []
    indexed = scores.set_index("predictor")
    for (variable, step), rows in indexed.groupby(["variable", "step"], sort=False):
        if method not in rows.index:
            continue
        own = rows.loc[method]
        for baseline in (b for b in baselines if b in rows.index):
            other = rows.loc[baseline]
            if own.n < 2:
                outcome = "cannot be compared with"
            elif abs(own.crps - other.crps) <= LEVEL * other.crps:
                outcome = "is level with"
            else:
                outcome = "beats" if own.crps < other.crps else "loses to"
            judgements.append(
                Judgement(str(variable), str(step), baseline, outcome, own.crps, other.crps)
            )
    return judgements


def in_words(scores: pd.DataFrame, method: str, baselines: Sequence[str] = BASELINES) -> list[str]:
    """Return one sentence a variable and step: what the method beats and what it loses to."""
    judgements = judge(scores, method, baselines)
    sentences = []
    for row in scores[scores.predictor == method].itertuples():
        start = f"{label(row.variable)}, {row.step}"
        phrases = [j.phrase for j in judgements if (j.variable, j.step) == (row.variable, row.step)]
        if row.n == 1:
            sentences.append(f"{start}: a single withheld value is no ground for a comparison.")
            continue
        unit = plain_unit(QUANTITIES[row.variable].unit) if row.variable in QUANTITIES else ""
        sentences.append(
            f"{start} ({row.n} withheld values): {predictor_label(method)} (CRPS "
            f"{row.crps:.3g} {unit}) {' and '.join(phrases) or 'has no baseline to compare with'}."
        )
    return sentences


def best_predictor(scores: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the predictor with the lowest CRPS for each (variable, step)."""
    best = scores.loc[scores.groupby(["variable", "step"])["crps"].idxmin()]
    return dict(zip(zip(best.variable, best.step, strict=True), best.predictor, strict=True))
