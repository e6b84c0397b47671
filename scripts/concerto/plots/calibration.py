"""Whether a method's posteriors hold known truths as often as they promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import binom

from concerto.evaluation.calibration import LEVEL, band, ecdf, verdict
from concerto.evaluation.quantities import label, predictor_label
from concerto.plots import style

COLUMNS = 6
BINS = 20
_BAND = "#DDDDDD"
_PROMISE = f"{100 * (1 - LEVEL):g} %"

Panel = Callable[[Axes, np.ndarray], None]


@style.styled
def draw_ecdf(
    *,
    site: str,
    method: str,
    ranks: Mapping[str, np.ndarray],
    draws: int,
    converged: bool,
) -> style.Drawing:
    """Draw for each quantity how its ranks' distribution function differs from a uniform one.

    Parameters
    ----------
    site, method, converged
        What to say in the title; ``converged`` if all posteriors are.
    ranks
        For each quantity the ranks (truth,) from 0 to ``draws``.
    draws
        Number of draws each truth is ranked among.
    """

    def panel(axes: Axes, values: np.ndarray) -> None:
        bounds = band(len(values), draws)
        x = np.concatenate([[0.0], bounds.share, [1.0]])
        low, high, found = (
            np.pad(part - bounds.share, 1)
            for part in (bounds.low, bounds.high, ecdf(values, draws))
        )
        axes.fill_between(x, low, high, color=_BAND, linewidth=0, label=f"{_PROMISE} band")
        axes.axhline(0.0, color="#555555", linewidth=0.6)
        axes.plot(
            x, found, color=style.colour(method), linewidth=1.2, label=predictor_label(method)
        )

    caption = (
        "Distribution function of the rank of a known truth among draws of its posterior, minus "
        f"that of a method whose uncertainty is true; such a method stays inside the grey band "
        f"all along with a probability of {_PROMISE}. A line above zero on the left and below it "
        "on the right means intervals too narrow, the reverse too wide; one that is above zero "
        "throughout means posteriors too high, below zero too low."
    )
    return _draw(
        f"{site}, {predictor_label(method)}: is the stated uncertainty true?",
        ranks, draws, converged, panel, "Difference of distribution functions (1)", caption,
    )  # fmt: skip


@style.styled
def draw_histograms(
    *,
    site: str,
    method: str,
    ranks: Mapping[str, np.ndarray],
    draws: int,
    converged: bool,
) -> style.Drawing:
    """Draw for each quantity the histogram of its ranks; parameters as of :func:`draw_ecdf`."""
    parts = np.array_split(np.arange(draws + 1), min(BINS, draws + 1))
    edges = np.array([*(part[0] for part in parts), draws + 1]) / (draws + 1)
    shares = np.diff(edges)

    def panel(axes: Axes, values: np.ndarray) -> None:
        expected = len(values) * shares
        low, high = (
            binom.ppf(at, len(values), shares) / expected for at in (LEVEL / 2, 1 - LEVEL / 2)
        )
        found = np.histogram((values + 0.5) / (draws + 1), edges)[0] / expected
        axes.stairs(
            high, edges, baseline=low, fill=True, color=_BAND, linewidth=0,
            label=f"{_PROMISE} of each bar",
        )  # fmt: skip
        axes.axhline(1.0, color="#555555", linewidth=0.6)
        axes.stairs(
            found, edges, baseline=None, color=style.colour(method), linewidth=1.2,
            label=predictor_label(method),
        )  # fmt: skip

    caption = (
        "Histogram of the rank of a known truth among draws of its posterior, over what is "
        f"expected of a method whose uncertainty is true; each bar of such a method is in the grey "
        f"band with a probability of {_PROMISE}. A U shape means intervals too narrow, a hump too "
        "wide; a rise to the right means posteriors too low, to the left too high."
    )
    return _draw(
        f"{site}, {predictor_label(method)}: where truths fall in their posteriors",
        ranks, draws, converged, panel, "Truths over expected (1)", caption,
    )  # fmt: skip


def _draw(
    title: str,
    ranks: Mapping[str, np.ndarray],
    draws: int,
    converged: bool,
    panel: Panel,
    ordinate: str,
    caption: str,
) -> style.Drawing:
    table = verdict(ranks, draws)
    columns = min(COLUMNS, len(table))
    rows = -(-len(table) // columns)
    figure = style.new_figure(1.3 + 1.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    panels = grid.ravel()
    for axes in panels[len(table) :]:
        axes.remove()
    for axes, row in zip(panels, table.itertuples(), strict=False):
        panel(axes, np.asarray(ranks[row.quantity]))
        _name(axes, row)
        axes.set_xlim(0.0, 1.0)
        axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        axes.tick_params(labelsize=6.5)
    for axes in panels[max(0, len(table) - columns) : len(table)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("Rank of truth (share)", fontsize=7)
    figure.supylabel(ordinate, fontsize=8.5)
    style.head(figure, title, converged)
    style.shared_legend(figure, panels[0])
    return style.Drawing(
        figure,
        title,
        f"{caption} {_outcome(table, draws)}{style.warning_text(converged)}",
        f"Small panels for {len(table)} quantities; {_outcome(table, draws)}",
    )


def _name(axes: Axes, row: tuple) -> None:
    """Say above a panel which quantity it is, and in red if its ranks are not uniform."""
    axes.set_title(
        label(row.quantity).replace("_", " "), fontsize=7, fontweight="normal",
        color="black" if row.passed else style.WARNING,
    )  # fmt: skip
    if not row.passed:
        axes.annotate(
            "fails", (1, 1), xycoords="axes fraction", xytext=(-2, -2),
            textcoords="offset points", ha="right", va="top", fontsize=7, fontweight="bold",
            color=style.WARNING,
        )  # fmt: skip


def _outcome(table: pd.DataFrame, draws: int) -> str:
    """Return the outcome in a sentence."""
    truths = int(table.n.max())
    failed = table[~table.passed]
    said = (
        f"{len(table) - len(failed)} of {len(table)} quantities pass, with {truths} truths ranked "
        f"among {draws} draws each, at a level of {100 * LEVEL:g} % for all of them together"
    )
    named = [f"{row.quantity.replace('_', ' ')} ({row.finding})" for row in failed.itertuples()]
    return f"{said}; those that fail: {', '.join(named)}." if named else f"{said}."
