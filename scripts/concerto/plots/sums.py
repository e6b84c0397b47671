"""How many truths the intervals of sums over regions hold, with coherent members and without."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import NullFormatter, ScalarFormatter

from concerto.evaluation.quantities import label
from concerto.evaluation.sum_coverage import ARRANGEMENTS, LEVEL, NOMINAL, binomial_range
from concerto.plots import style

_LOOKS = {"coherent": ("o", "#0072B2"), "independent": ("s", "#D55E00")}
_COLUMNS = 3


@style.styled
def draw(coverage: pd.DataFrame) -> style.Drawing:
    """Draw the share of truths that intervals hold, over the number of cells, by variable.

    Parameters
    ----------
    coverage
        Of :func:`concerto.evaluation.sum_coverage.sum_coverage`.
    """
    shown = coverage[coverage.year == coverage.year.max()]
    variables = list(dict.fromkeys(shown.variable))
    truths = int(shown.truths.max())
    figure = style.new_figure(2.4 * -(-len(variables) // _COLUMNS) + 0.6)
    panels = figure.subplots(
        -(-len(variables) // _COLUMNS), _COLUMNS, sharex=True, sharey=True, squeeze=False
    ).ravel()
    for axes, variable in zip(panels, variables, strict=False):
        for nominal in NOMINAL:
            axes.axhspan(*binomial_range(nominal, truths), color="#E6E6E6", linewidth=0)
            axes.axhline(nominal / 100.0, color="#555555", linewidth=0.6)
        for arrangement in ARRANGEMENTS:
            rows = shown[(shown.variable == variable) & (shown.arrangement == arrangement)]
            marker, colour = _LOOKS[arrangement]
            for nominal, face in zip(NOMINAL, ("white", colour), strict=True):
                axes.plot(
                    rows.cells, rows[f"held_{nominal}"], marker, color=colour, markersize=4.5,
                    markerfacecolor=face, label=f"{arrangement} members, {nominal} %",
                )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("Cells in the region")
        axes.set_ylabel("Share of truths held")
        axes.label_outer()
        axes.set_ylim(-0.03, 1.03)
        axes.set_title(label(variable).replace("_", " "))
    for axes in panels[len(variables) :]:
        axes.remove()
    title = "Twin experiment of a map: do sums over regions hold the truth?"
    style.head(figure, title)
    style.shared_legend(figure, panels[0])
    whole = shown[shown.kind == "all"].groupby("arrangement").held_90.mean()
    said = "; ".join(
        f"{arrangement}: {100.0 * whole[arrangement]:.0f} %" for arrangement in ARRANGEMENTS
    )
    return style.Drawing(
        figure,
        title,
        f"Share of {truths} truths whose annual flux or pool lies within the central 50 % and 90 % "
        "of the members' sums, for each region of the map. Coherent members are one draw in all "
        "cells; independent ones are the same draws, shuffled in each cell by itself. Grey: where "
        f"the share of a right interval lies with {1.0 - LEVEL:.0%} probability. Of the whole map, "
        f"90 % intervals hold in the mean over variables: {said}.",
        f"Shares of truths by number of cells, in {len(variables)} panels. Whole map, 90 % "
        f"intervals: {said}.",
    )
