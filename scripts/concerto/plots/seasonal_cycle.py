"""The mean seasonal cycle on withheld days: observed, calibrated, uncalibrated, baselines."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from concerto.evaluation.grouping import group_calendar_months
from concerto.evaluation.predictive import (
    members_of,
    observed_variables,
    one_location,
    read_stream,
    total_ensemble,
)
from concerto.evaluation.quantities import BASELINES, QUANTITIES, predictor_label
from concerto.plots import style

MONTHS = "JFMAMJJASOND"


@style.styled
def draw(
    *,
    site: str,
    observations: xr.Dataset,
    projection: xr.Dataset,
    prior: xr.Dataset,
    baselines: xr.Dataset,
    method: str,
    converged: bool,
) -> style.Drawing:
    """Draw the mean of each month of the year over the withheld days with an observation."""
    streams = {
        v: read_stream(observations, projection, v)
        for v in observed_variables(observations)
        if f"{v}_total" in projection
    }
    seasons = {
        v: months
        for v, stream in streams.items()
        if len((months := group_calendar_months(stream.times, stream.withheld)).labels)
    }
    left_out = [QUANTITIES[v].label for v in streams if v not in seasons]
    variables = list(seasons)
    figure = style.new_figure(3.9 if len(variables) <= 3 else 6.6)
    columns = min(3, len(variables))
    rows = -(-len(variables) // columns)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(variables) :]:
        axes.remove()
    for axes, variable in zip(panels, variables, strict=False):
        stream, months = streams[variable], seasons[variable]
        x = months.labels.to_numpy()
        for name, text, members in (
            ("prior", "before calibration", members_of(prior, variable)),
            (method, predictor_label(method), total_ensemble(projection, variable)),
        ):
            _band(axes, x, months.mean(members), style.colour(name), text)
        for baseline in BASELINES:
            if f"{variable}_{baseline}" not in baselines:
                continue
            values = one_location(baselines)[f"{variable}_{baseline}"].mean("member").to_numpy()
            axes.plot(
                x, months.mean(values), "o--", markersize=3, linewidth=1.2,
                color=style.colour(baseline), label=predictor_label(baseline),
            )  # fmt: skip
        axes.plot(
            x, months.mean(stream.value), "o-", markersize=3.5,
            color=style.OBSERVED, linewidth=1.0, label="observed",
        )  # fmt: skip
        axes.set_xticks(range(1, 13), MONTHS)
        axes.set_xlim(0.6, 12.4)
        axes.set_xlabel("Month")
        axes.set_ylabel(QUANTITIES[variable].axis)
        axes.set_title(QUANTITIES[variable].label)
    title = f"{site}: the mean season on days the calibration never saw"
    style.head(figure, title, converged)
    style.shared_legend(figure, panels[0])
    caption = (
        "Mean of each month of the year over withheld days with an observation, the same days for "
        "all lines; months without a marker have too few. Shaded: the central 90 % of "
        f"that mean under {predictor_label(method)}, with "
        "model error and without error of measurement, and under the prior, parameters alone."
    )
    return style.Drawing(
        figure,
        title,
        caption + style.left_out_text(left_out) + style.warning_text(converged),
        f"Monthly means of {', '.join(QUANTITIES[v].label for v in variables)} at {site}: "
        "observed, before and after calibration, and two baselines.",
    )


def _band(axes: Axes, x: np.ndarray, members: np.ndarray, tint: str, text: str) -> None:
    low, high = np.quantile(members, [0.05, 0.95], axis=0)
    axes.fill_between(x, low, high, color=tint, alpha=0.22, linewidth=0)
    axes.plot(x, members.mean(axis=0), "o-", markersize=3, color=tint, linewidth=1.6, label=text)
