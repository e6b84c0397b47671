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
        for y, value in zip(place[values.notna()], values.dropna(), strict=True):
            ratios.annotate(f"  {value:.1f}", (value, y), va="center", fontsize=7.5)
    ratios.set_xlim(0, 1.2 * max(adjoint.max(), jacobian.max()))
    ratios.set_title("Derivatives")
    ratios.set_xlabel("Cost as a multiple of a run")
    ratios.grid(axis="y", visible=False)
    style.head(figure, _TITLE)
    for axes, columns in ((times, 3), (ratios, 1)):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=columns, fontsize=7.5)
    derived = adjoint.notna()
    without = "" if derived.all() else f"Not of {', '.join(table['model'][~derived])}: too large. "
    share = table["flops"] / table["peak_flops"]
    return style.Drawing(
        figure,
        _TITLE,
        "Shortest of many repetitions on the machine of this run. Left: nanoseconds for one step "
        "of one member. Right: what a gradient by the adjoint costs in runs of the model, and all "
        f"derivatives of one run in single runs. {without}In lanes the "
        f"models reach {100 * share.min():.0f} to {100 * share.max():.0f} % of the core's peak.",
        "; ".join(
            f"{label}: {row.lanes:.1f} ns in lanes, {row.scalar:.0f} ns one at a time"
            for label, row in zip(labels, table.itertuples(), strict=True)
        ),
    )


@style.styled
def draw_cells(table: pd.DataFrame) -> style.Drawing:
    """Draw what many cells take on one thread and on two.

    Parameters
    ----------
    table
        One row for each model, length of steps and number of members, with the columns of
        :func:`concerto.speed.measure_cells`.
    """
    labels = [f"{row.model}, {row.step}, {row.members} a cell" for row in table.itertuples()]
    place = np.arange(len(table))[::-1]
    figure = style.new_figure(1.0 + 0.5 * len(table))
    axes = figure.subplots()
    for column, label, colour, shift in (
        ("one_thread", "one thread", "#E69F00", 0.2),
        ("two_threads", "two threads", "#0072B2", -0.2),
    ):
        axes.barh(place + shift, table[column], height=0.36, color=colour, label=label)
    gain = table["one_thread"] / table["two_threads"]
    for y, value, times in zip(place, table["two_threads"], gain, strict=True):
        axes.annotate(f" {times:.2f} times as fast", (value, y - 0.2), va="center", fontsize=7.5)
    axes.set(yticks=place, yticklabels=labels)
    axes.set_xlabel("Time for a step of one member (ns)")
    axes.grid(axis="y", visible=False)
    cells = table["cells"].iloc[0]
    title = f"{cells:,} cells on one thread and on two"
    style.head(figure, title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=7.5)
    growth = (table["memory"] / table["memory_of_a_fifth"]).max()
    return style.Drawing(
        figure,
        title,
        "Cells with weather of their own, some of them in memory at once. With one parameter set "
        "in a cell the weather has to be read from memory for each run, which two threads share. "
        f"All cells held at most {growth:.2f} times the memory that a fifth of them did.",
        "; ".join(
            f"{label}: {times:.2f} times as fast on two threads"
            for label, times in zip(labels, gain, strict=True)
        ),
    )
