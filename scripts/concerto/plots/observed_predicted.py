"""Predicted against observed values on withheld days and months."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.grouping import group_days
from concerto.evaluation.predictive import read_stream, total_ensemble, withheld_streams
from concerto.evaluation.quantities import QUANTITIES, predictor_label
from concerto.plots import style

STEPS = ("daily", "monthly")


@style.styled
def draw(
    *,
    site: str,
    observations: xr.Dataset,
    projection: xr.Dataset,
    scores: pd.DataFrame,
    method: str,
    converged: bool,
) -> style.Drawing:
    """Draw the ensemble mean against each withheld value, with the scores written in."""
    variables, without = withheld_streams(observations, projection)
    figure = style.new_figure(6.0, width=max(2.6 * len(variables), 6.4) + 0.4)
    grid = figure.subplots(2, len(variables), squeeze=False)
    for column, variable in zip(grid.T, variables, strict=True):
        stream = read_stream(observations, projection, variable)
        total = total_ensemble(projection, variable)
        for axes, step in zip(column, STEPS, strict=True):
            days = group_days(stream.times, stream.withheld, step)
            observed, members = days.mean(stream.value), days.mean(total)
            _panel(axes, observed, members, step, style.colour(method))
            _write_scores(axes, scores, variable, step, method)
            axes.set_xlabel(f"Observed {QUANTITIES[variable].axis}")
            axes.set_ylabel(f"Predicted {QUANTITIES[variable].label}")
            axes.set_title(f"{QUANTITIES[variable].label}, {step}")
    title = f"{site}: withheld values against {predictor_label(method)}"
    style.head(figure, title, converged)
    caption = (
        "Ensemble mean against withheld observations, by day and by month (means over the withheld "
        "days of a month with five or more). Bars span the central 90 % of the prediction, without "
        "error of measurement; on the dashed line the two are equal."
    )
    return style.Drawing(
        figure,
        title,
        caption
        + style.left_out_text([QUANTITIES[v].label for v in without])
        + style.warning_text(converged),
        f"Scatter of predicted against observed {', '.join(QUANTITIES[v].label for v in variables)}"
        f" at {site} around the line of equality.",
    )


def _panel(axes, observed: np.ndarray, members: np.ndarray, step: str, tint: str) -> None:
    if not len(observed):
        axes.text(0.5, 0.5, "too few withheld days", transform=axes.transAxes, ha="center")
        return
    mean = members.mean(axis=0)
    low, high = np.quantile(members, [0.05, 0.95], axis=0)
    daily = step == "daily"
    axes.errorbar(
        observed, mean, yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)], fmt="none",
        ecolor=tint, elinewidth=0.5 if daily else 0.9, alpha=0.12 if daily else 0.5,
    )  # fmt: skip
    axes.plot(
        observed, mean, "o", color=tint, markersize=2.2 if daily else 4, markeredgewidth=0,
        alpha=0.55 if daily else 0.95,
    )  # fmt: skip
    edge = [min(observed.min(), low.min()), max(observed.max(), high.max())]
    margin = 0.04 * (edge[1] - edge[0])
    limits = (edge[0] - margin, edge[1] + margin)
    axes.plot(limits, limits, "--", color="#555555", linewidth=0.9)
    axes.set(xlim=limits, ylim=limits, aspect="equal")


def _write_scores(axes, scores: pd.DataFrame, variable: str, step: str, method: str) -> None:
    row = scores[
        (scores.variable == variable) & (scores.step == step) & (scores.predictor == method)
    ]
    if row.empty:
        return
    score = row.iloc[0]
    squared = "n/a" if np.isnan(score.r2) else f"{score.r2:.2f}"
    axes.text(
        0.03, 0.97, f"n {score.n:.0f}\nR² {squared}\nRMSE {score.rmse:.2f}\nbias {score.bias:+.2f}",
        transform=axes.transAxes, va="top", fontsize=7.5, linespacing=1.3,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip
