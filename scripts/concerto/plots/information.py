"""What streams of observations take off the errors of what people ask for, in twin experiments."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from concerto.evaluation.information import FREE
from concerto.evaluation.quantities import label
from concerto.plots import style

_ERROR, _SPREAD = "#0072B2", "#E69F00"
_HOW = {"added first": ("o", "#0072B2"), "added last": ("s", "#CC79A7")}


@style.styled
def draw_reduction(table: pd.DataFrame) -> style.Drawing:
    """Draw how much smaller errors and spreads are with each subset of streams than without.

    Parameters
    ----------
    table
        Of :func:`concerto.evaluation.information.error_reduction`.
    """
    shown = table[table.subset != FREE]
    subsets = list(dict.fromkeys(shown.subset))
    title = "Twin experiments: what each set of streams takes off the errors"
    figure, panels = _panels(shown, len(subsets))
    for axes, (quantity, rows) in zip(panels, shown.groupby("quantity", sort=False), strict=True):
        at = _places(rows.subset, subsets)
        for name, colour, marker, shift in (
            ("rmse_reduction", _ERROR, "o", 0.15),
            ("sd_reduction", _SPREAD, "s", -0.15),
        ):
            word = "error of the mean" if name.startswith("rmse") else "stated uncertainty"
            _interval(axes, rows, name, at + shift, colour, marker, word)
        axes.axvline(0.0, color="#555555", linewidth=0.6)
        _label(axes, str(quantity), subsets)
        # Long tails of the spread are cut off, its markers are not.
        least = min(rows.rmse_reduction_low.min(), rows.sd_reduction.min())
        axes.set_xlim(min(-20.0, 1.05 * float(least)), 105.0)
        axes.set_xlabel("Reduction (%)", fontsize=7.5)
    style.head(figure, title)
    style.shared_legend(figure, panels[0])
    count = int(shown.n.max())
    joint = shown[shown.subset == max(subsets, key=lambda name: name.count("+"))]
    best = "; ".join(
        f"{label(row.quantity).replace('_', ' ')} {row.rmse_reduction:.0f} %"
        for row in joint.itertuples()
    )
    return style.Drawing(
        figure,
        title,
        f"Root mean square error of the posterior mean over {count} truths, and root mean square "
        "of its stated standard deviation, both as the reduction against the free run under the "
        "prior, with the central 90 % of a bootstrap over truths. Where both agree, stated "
        f"uncertainty is as large as the error. With all streams errors fall by: {best}.",
        f"Dots with intervals for {len(subsets)} sets of streams; with all streams: {best}.",
    )


@style.styled
def draw_values(table: pd.DataFrame) -> style.Drawing:
    """Draw what each stream is worth alone, and on top of all others.

    Parameters
    ----------
    table
        Of :func:`concerto.evaluation.information.stream_values`.
    """
    streams = list(dict.fromkeys(table.stream))
    title = "Twin experiments: what each stream is worth"
    figure, panels = _panels(table, len(streams))
    for axes, (quantity, rows) in zip(panels, table.groupby("quantity", sort=False), strict=True):
        for k, (how, part) in enumerate(rows.groupby("how", sort=False)):
            marker, colour = _HOW[str(how)]
            at = _places(part.stream, streams) + 0.15 - 0.3 * k
            _interval(axes, part, "sd_gain_percent", at, colour, marker, str(how))
        axes.axvline(0.0, color="#555555", linewidth=0.6)
        _label(axes, str(quantity), streams)
        axes.set_xlabel("Fall of uncertainty (% of prior)", fontsize=7.5)
    style.head(figure, title)
    style.shared_legend(figure, panels[0])
    last = table[table.how == "added last"]
    most = last.loc[last.groupby("quantity", sort=False).sd_gain_percent.idxmax()]
    named = "; ".join(
        f"{label(row.quantity).replace('_', ' ')}: {label(row.stream)}" for row in most.itertuples()
    )
    return style.Drawing(
        figure,
        title,
        "Fall of the stated standard deviation in per cent of the free run's, when a stream is the "
        "first to be assimilated and when it is the last, on top of all others; with the central "
        "90 % of a bootstrap over truths. A stream that is worth much first and little last tells "
        f"what others tell too. Missed most, were it absent: {named}.",
        f"Dots with intervals for {len(streams)} streams. Missed most: {named}.",
    )


def _panels(table: pd.DataFrame, rows: int) -> tuple[Figure, np.ndarray]:
    count = table.quantity.nunique()
    figure = style.new_figure(1.6 + 0.28 * rows)
    return figure, figure.subplots(1, count, sharey=True, squeeze=False)[0]


def _places(names: pd.Series, order: list[str]) -> np.ndarray:
    return np.array([len(order) - 1.0 - order.index(name) for name in names])


def _label(axes: Axes, quantity: str, order: list[str]) -> None:
    words = [", ".join(label(name) for name in subset.split("+")) for subset in order]
    axes.set_yticks(np.arange(len(order))[::-1], words, fontsize=7.5)
    axes.set_title(label(quantity).replace("_", " "), fontsize=8.5)
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(axis="y", visible=False)


def _interval(
    axes: Axes,
    rows: pd.DataFrame,
    name: str,
    at: np.ndarray,
    colour: str,
    marker: str,
    word: str,
) -> None:
    axes.hlines(at, rows[f"{name}_low"], rows[f"{name}_high"], color=colour, linewidth=1.2)
    axes.plot(rows[name], at, marker, color=colour, markersize=4, label=word)
