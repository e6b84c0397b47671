"""Whether intervals hold as many withheld values as they promise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from concerto.evaluation.predictive import (
    one_location,
    predictions,
    read_stream,
    withheld_streams,
)
from concerto.evaluation.quantities import QUANTITIES, predictor_label
from concerto.evaluation.reliability import coverage, probability_transform
from concerto.plots import style

NOMINAL = np.linspace(0.05, 0.95, 19)
BINS = 10


@style.styled
def draw(
    *,
    site: str,
    observations: xr.Dataset,
    projections: dict[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
    converged: bool,
) -> style.Drawing:
    """Draw empirical against nominal coverage, and where values fall in their ensembles.

    ``projections`` and ``seed`` as for the scores, so that both show the same ensembles.
    """
    flags = next(iter(projections.values()))
    variables, without = withheld_streams(observations, flags)
    baselines = one_location(baselines)
    figure = style.new_figure(5.9, width=max(2.7 * len(variables), 6.4))
    grid = figure.subplots(2, len(variables), squeeze=False, sharey="row")
    for column, variable in zip(grid.T, variables, strict=True):
        stream = read_stream(observations, flags, variable)
        days = stream.withheld
        found, _ = predictions(stream, projections, baselines, seed)
        column[0].plot([0, 100], [0, 100], "--", color="#555555", linewidth=0.9, label="ideal")
        column[1].axhline(1, linestyle="--", color="#555555", linewidth=0.9)
        for name, prediction in found.items():
            observed, members = stream.value[days], prediction.members[:, days]
            empirical = [coverage(observed, members, nominal) for nominal in NOMINAL]
            column[0].plot(
                100 * NOMINAL, 100 * np.array(empirical), color=style.colour(name), markevery=3,
                marker=style.MARKERS.get(name, "v"), markersize=3.5, label=predictor_label(name),
            )  # fmt: skip
            density, edges = np.histogram(
                probability_transform(observed, members), BINS, (0, 1), density=True
            )
            column[1].stairs(density, edges, baseline=None, color=style.colour(name), linewidth=1.4)
        column[0].set(xlim=(0, 100), ylim=(0, 100), xlabel="Promised: width of interval (%)")
        column[0].set_title(f"{QUANTITIES[variable].label}: {int(days.sum())} withheld days")
        column[1].set(xlim=(0, 1), xlabel="Share of members below the value (1)")
    grid[0, 0].set_ylabel("Kept: values inside (%)")
    grid[1, 0].set_ylabel("Density of values (1)")
    grid[1, 0].set_ylim(bottom=0)
    title = f"{site}: do the intervals hold what they promise?"
    style.head(figure, title, converged)
    style.shared_legend(figure, grid[0, 0])
    caption = (
        "Daily withheld values. Top: share of values inside the central interval against its "
        "width; below the dashed line intervals are too narrow, above it too wide. Bottom: where "
        "values fall in their ensemble; flat is right, a U shape is too narrow, a hump too wide, "
        "a slope is bias."
    )
    return style.Drawing(
        figure,
        title,
        caption
        + style.left_out_text([QUANTITIES[v].label for v in without])
        + style.warning_text(converged),
        f"Reliability curves and histograms of the probability transform for "
        f"{', '.join(QUANTITIES[v].label for v in variables)} at {site}.",
    )
