"""What posteriors cost by each method, and how far they are from a long chain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from concerto.evaluation.quantities import predictor_label
from concerto.plots import style

_COLUMNS = (
    ("cpu_seconds", "CPU time (s)", "{:.3g}"),
    ("ess_rate", "Effective draws of the worst\nparameter for a CPU second", "{:.2g}"),
    ("energy_distance", "Energy distance from a\nlong chain (sd)", "{:.2f}"),
)


@style.styled
def draw(table: pd.DataFrame, case: str) -> style.Drawing:
    """Draw costs and distances of methods.

    Parameters
    ----------
    table
        One row for each method, with the columns of :func:`concerto.evaluation.cases.tabulate`.
    case
        Whose posteriors they are.
    """
    table = table.assign(ess_rate=table.ess / table.cpu_seconds)
    title = f"{case}: what a posterior costs, and how far it is from a long chain"
    place = np.arange(len(table))[::-1]
    figure = style.new_figure(1.1 + 0.36 * len(table))
    panels = figure.subplots(1, len(_COLUMNS), sharey=True)
    colours = [style.colour(method) for method in table.method]
    for axes, (column, name, written) in zip(panels, _COLUMNS, strict=True):
        values = table[column].to_numpy(dtype=float)
        axes.barh(place, np.nan_to_num(values), height=0.6, color=colours)
        for y, value in zip(place, values, strict=True):
            text = written.format(value) if np.isfinite(value) else "no chains"
            axes.annotate(f" {text}", (np.nan_to_num(value), y), va="center", fontsize=7.5)
        axes.set_xlabel(name)
        axes.margins(x=0.18)
        axes.grid(axis="y", visible=False)
    panels[0].set_xscale("symlog", linthresh=1.0)
    panels[1].set_xscale("symlog", linthresh=0.1)
    names = [
        f"{predictor_label(row.method)}\n{_verdict(row.converged, row.sites)}"
        for row in table.itertuples()
    ]
    panels[0].set_yticks(place, names, fontsize=8)
    style.head(figure, title)
    return style.Drawing(
        figure,
        title,
        f"{_whose(int(table.sites.max()))} by each method on the machine of this run, search of "
        "the start included. Effective draws are those of the parameter with the fewest; "
        "ensembles and normal approximations have no chains to count them in. The distance "
        "compares all parameters "
        "with the published posterior, in its standard deviations; between two samples of a "
        "thousand draws of the same density it is about 0.1.",
        "; ".join(
            f"{predictor_label(row.method)}: {row.cpu_seconds:.3g} CPU seconds, distance "
            f"{row.energy_distance:.2f}"
            for row in table.itertuples()
        ),
    )


def _verdict(converged: int, sites: int) -> str:
    if sites == 1:
        return "converged" if converged else "not converged"
    return f"{converged} of {sites} converged"


def _whose(sites: int) -> str:
    return "One posterior" if sites == 1 else f"Medians over the posteriors of {sites} places"
