"""How fast models run, and what their derivatives cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from concerto.plots import style

_WAYS = {
    "lanes": ("in lanes", "#0072B2"),
    "scalar": ("one run at a time, C library", "#E69F00"),
    "arrays": ("NumPy over members", "#8C8C8C"),
}
_TITLE = "What a step of each model costs"


@style.styled
def draw(table: pd.DataFrame) -> style.Drawing:
    """Draw times of a step in several ways, and of derivatives as multiples of a run.

    Parameters
    ----------
    table
        One row for each model and length of steps, with the columns of
        :func:`concerto.speed.measure` and ``peak_flops``.
    """
    labels = [f"{row.model}, {row.step}" for row in table.itertuples()]
    place = np.arange(len(table))[::-1]
    figure = style.new_figure(1.2 + 0.62 * len(table))
    times, ratios = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
    for k, (way, (label, colour)) in enumerate(_WAYS.items()):
        at = place + 0.27 * (1 - k)
        times.barh(at, table[way], height=0.25, color=colour, label=label)
        for y, value in zip(at, table[way], strict=True):
            times.annotate(f" {value:.0f}", (value, y), va="center", fontsize=7.5, color="#444444")
    times.set(xscale="log", yticks=place, yticklabels=labels)
    times.set_xlabel("Time for a step of one member (ns)")
    times.set_title("A step")
    times.margins(x=0.12)
    times.grid(axis="y", visible=False)

    adjoint = (table["with_path"] + table["adjoint"]) / table["lanes"]
    jacobian = table["jacobian"] / table["scalar"]
    for values, marker, colour, label in (
        (adjoint, "o", "#009E73", "gradient by the adjoint, in runs in lanes"),
        (jacobian, "s", "#CC79A7", "all derivatives, in single runs"),
    ):
        ratios.plot(values, place, marker, color=colour, label=label, markersize=6)
        for y, value in zip(place, values, strict=True):
            ratios.annotate(f"  {value:.1f}", (value, y), va="center", fontsize=7.5)
    ratios.set_xlim(0, 1.2 * max(adjoint.max(), jacobian.max()))
    ratios.set_title("Derivatives")
    ratios.set_xlabel("Cost as a multiple of a run")
    ratios.grid(axis="y", visible=False)
    style.head(figure, _TITLE)
    for axes, columns in ((times, 3), (ratios, 1)):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=columns, fontsize=7.5)
    share = table["flops"] / table["peak_flops"]
    return style.Drawing(
        figure,
        _TITLE,
        "Shortest of many repetitions on the machine of this run. Left: nanoseconds for one step "
        "of one member, for steps of a day and of a month. Right: what a gradient by the adjoint "
        "costs in runs of the model, and all derivatives of one run in single runs. In lanes the "
        f"models reach {100 * share.min():.0f} to {100 * share.max():.0f} % of the core's peak.",
        "; ".join(
            f"{label}: {row.lanes:.1f} ns in lanes, {row.scalar:.0f} ns one at a time"
            for label, row in zip(labels, table.itertuples(), strict=True)
        ),
    )
