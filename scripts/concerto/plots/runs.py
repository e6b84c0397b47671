"""Several runs beside each other: skill against baselines, and fluxes with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from concerto.evaluation.quantities import label, plain_unit
from concerto.plots import style

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_MARKERS = "osD^vP*X"
_FLUXES = ("gpp", "reco", "nee")
_ROW = 0.24  # inches


@style.styled
def draw(names: Sequence[str], scores: pd.DataFrame, sums: pd.DataFrame) -> style.Drawing:
    """Draw daily skill, and mean fluxes with 90 % intervals, a panel for each unit.

    Parameters
    ----------
    names
        The runs, in the order of the legend.
    scores, sums
        Of :func:`concerto.evaluation.runs.compare_scores` and ``compare_sums``.
    """
    daily = scores[scores.step == "daily"]
    fluxes = sums[sums.variable.isin(_FLUXES) & (sums.kind != "region")]
    panels = [("skill", daily)] if len(daily) else []
    panels += [(unit, rows) for unit, rows in fluxes.groupby("units", sort=False)]
    heights = [1.0 + _ROW * len(_rows(kind, rows)) for kind, rows in panels]
    figure = style.new_figure(0.8 + sum(heights))
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (kind, rows) in zip(axes, panels, strict=True):
        _panel(panel, names, kind, rows)
    title = "Runs compared"
    style.head(figure, title)
    style.shared_legend(figure, axes[0])
    what = [
        "Share of the better baseline's CRPS that a run saves, of withheld daily values (right of "
        "the line: better than climatology and regression)."
    ] * bool(len(daily)) + [
        "Annual fluxes of towers and whole maps with their central 90 % intervals."
    ] * bool(len(fluxes))
    return style.Drawing(
        figure,
        title,
        " ".join(what),
        f"{len(panels)} panels of {', '.join(names)}. " + " ".join(what),
    )


def _rows(kind: str, rows: pd.DataFrame) -> list[tuple[str, ...]]:
    by = ["site", "variable"] if kind == "skill" else ["place", "period", "variable"]
    return list(rows.groupby(by, sort=False).groups)


def _panel(axes: Axes, names: Sequence[str], kind: str, rows: pd.DataFrame) -> None:
    keys = _rows(kind, rows)
    shift = np.linspace(-0.25, 0.25, len(names))
    for k, name in enumerate(names):
        own = rows[rows.run == name]
        look = {"color": _COLOURS[k], "marker": _MARKERS[k], "linestyle": "none", "markersize": 4.5}
        if kind == "skill":
            at = [keys.index(key) for key in zip(own.site, own.variable, strict=True)]
            axes.plot(own.skill, np.array(at) + shift[k], label=name, **look)
        else:
            each = zip(own.place, own.period, own.variable, strict=True)
            at = np.array([keys.index(key) for key in each]) + shift[k]
            axes.hlines(at, own.q05, own.q95, color=_COLOURS[k], linewidth=1.2)
            axes.plot(own["mean"], at, label=name, **look)
    axes.set_yticks(range(len(keys)), [_words(key) for key in keys])
    axes.set_ylim(len(keys) - 0.5, -0.5)
    axes.axvline(0.0, color="#555555", linewidth=0.7)
    axes.set_xlabel(
        "CRPS saved, share of the better baseline's" if kind == "skill" else plain_unit(kind)
    )


def _words(key: tuple[str, ...]) -> str:
    return f"{', '.join(key[:-1])}, {label(key[-1])}"
