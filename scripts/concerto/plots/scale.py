"""How the cost of a cell and the memory of a job change with the size of a map."""

from __future__ import annotations

import pandas as pd

from concerto.evaluation.scale import LEAST, WITHIN
from concerto.plots import style

_TITLE = "What a cell costs in maps of different sizes, on synthetic cells"
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")


@style.styled
def draw(table: pd.DataFrame, linear: pd.DataFrame) -> style.Drawing:
    """Draw cells per core-second and peak memory against cells.

    Parameters
    ----------
    table, linear
        Rows of :func:`concerto.evaluation.scale.map_row`, and what
        :func:`concerto.evaluation.scale.linearity` makes of them.
    """
    figure = style.new_figure(3.4)
    speed, memory = figure.subplots(1, 2)
    by_size = table.sort_values("cells", kind="stable")
    for colour, (task, maps) in zip(_COLOURS, by_size.groupby("task", sort=False), strict=False):
        large = maps[maps["cells"] >= LEAST]
        for axes, column in ((speed, "cells_per_core_second"), (memory, "peak_mb")):
            axes.plot(maps["cells"], maps[column], color=colour, label=task)
            for whole, fill in ((True, colour), (False, "white")):
                some = maps[maps["measured"] == whole]
                axes.plot(some["cells"], some[column], "o", color=colour, markerfacecolor=fill)
        if len(large):
            middle = large["cells_per_core_second"].median()
            span = [large["cells"].min(), large["cells"].max()]
            half = 1.0 + 0.5 * WITHIN
            speed.fill_between(span, middle / half, middle * half, color=colour, alpha=0.12, lw=0)
    speed.set(xscale="log", yscale="log", xlabel="Cells", ylabel="Cells per core-second")
    memory.set(xscale="log", xlabel="Cells", ylabel="Memory of a job at most (MB)")
    memory.set_ylim(0, 1.1 * table["peak_mb"].max())
    style.head(figure, _TITLE)
    style.shared_legend(figure, speed)
    return style.Drawing(
        figure,
        _TITLE,
        "Synthetic weather and observations by month. Start of the jobs included; in the smallest "
        "map kernels may be compiled. Filled: all tiles were worked on; open: some of them, in "
        f"proportion. Shaded: {100 * WITHIN:.0f} % around the median of maps of {LEAST:,} cells "
        "and more, within which cost is linear.",
        "; ".join(
            f"{row.task}, {row.cells} cells: {row.cells_per_core_second:.3g} cells per "
            f"core-second, {row.peak_mb:.0f} MB"
            for row in table.itertuples()
        )
        + "; "
        + "; ".join(
            f"{row.task}: cost of a cell differs by {100 * row.spread:.0f} %"
            for row in linear.itertuples()
            if row.spread == row.spread
        ),
    )
