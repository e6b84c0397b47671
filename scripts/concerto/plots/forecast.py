"""A forecast as a fan, beside the observations that it did not see, and its scores by week."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from concerto.evaluation.predictive import (
    Stream,
    members_of,
    observed_variables,
    read_stream,
    total_ensemble,
)
from concerto.evaluation.quantities import (
    ALL_WEEKS,
    FORECAST,
    QUANTITIES,
    WEEK,
    WEEK_DAYS,
    plain_unit,
    predictor_label,
)
from concerto.plots import style, timeseries

BEFORE_DAYS = 45  # shown of what was assimilated
CLIMATOLOGY = "climatology"


@style.styled
def draw(
    *,
    site: str,
    observations: xr.Dataset,
    forecast: xr.Dataset,
    projection: xr.Dataset,
    baselines: xr.Dataset,
    scores: pd.DataFrame,
    method: str,
) -> style.Drawing:
    """Draw each observed variable that the model predicts: the fan, and the CRPS of each week.

    Parameters
    ----------
    site
        Name of the site.
    observations, projection, baselines
        Of the whole record: what was observed, the ensemble of the published ``method``, and the
        baselines.
    forecast
        The ensemble ahead, with the method and the verdict that it rests on.
    scores
        Of :func:`concerto.evaluation.forecasts.score_forecast`.
    """
    ahead = forecast.indexes["time"]
    streams = {
        v: read_stream(observations, projection, v)
        for v in observed_variables(observations)
        if f"{v}_total" in forecast
    }
    figure = style.new_figure(0.9 + 2.0 * len(streams))
    grid = figure.subplots(len(streams), 2, squeeze=False, sharex="col", width_ratios=[2.1, 1])
    for (left, right), (variable, stream) in zip(grid, streams.items(), strict=True):
        left.set_ylabel(QUANTITIES[variable].axis)
        others = {
            method: total_ensemble(projection, variable),
            CLIMATOLOGY: members_of(baselines, f"{variable}_{CLIMATOLOGY}"),
        }
        _fan(left, stream, ahead, total_ensemble(forecast, variable), others)
        _scores(right, scores[scores.variable == variable])
        right.set_ylabel(f"CRPS ({plain_unit(QUANTITIES[variable].unit)})")
    style.date_axis(grid[-1, 0])
    grid[-1, 0].set_xlabel("Date")
    grid[-1, 1].set_xlabel("Week ahead")
    grid[-1, 1].xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[-1, 1].set_xlim(0.5, -(-len(ahead) // WEEK_DAYS) + 0.5)
    grid[0, 0].set_title("Daily values")
    grid[0, 1].set_title("Error by lead time")
    filter_name, converged = forecast.attrs["method"], forecast.attrs["converged"] == "yes"
    title = (
        f"{site}: {len(ahead)} days from {ahead[0]:%d %B %Y} on, "
        f"forecast from the state of {predictor_label(filter_name)}"
    )
    style.head(figure, title, converged)
    style.shared_legend(figure, *grid[0])
    figure.align_ylabels(grid[:, 0])
    figure.align_ylabels(grid[:, 1])
    caption = (
        f"Forecast of {site} from the pools and model errors that {predictor_label(filter_name)} "
        f"found at the end of assimilation (dashed line), under {forecast.attrs['weather']}. "
        "Bands hold 50 % and 90 % of the ensemble with parameter uncertainty and model "
        "error, without error of measurement. Orange points were withheld. Lines without a band: "
        f"means of the projection by {predictor_label(method)}, run from the start of the record, "
        "and of the climatology of training days. Right: CRPS of each week ahead, with error of "
        f"measurement. Verdict on {predictor_label(filter_name)}: "
        f"converged: {forecast.attrs['converged']}; {forecast.attrs['verdict']}."
    )
    labels = ", ".join(QUANTITIES[v].label for v in streams)
    return style.Drawing(
        figure,
        title,
        caption + style.warning_text(converged),
        f"Fan chart of {labels} at {site} over {len(ahead)} days after the last assimilated one, "
        "with observed points, and the CRPS of each predictor by week.",
    )


def _fan(
    axes: Axes,
    stream: Stream,
    ahead: pd.DatetimeIndex,
    total: np.ndarray,
    others: dict[str, np.ndarray],
) -> None:
    """Draw a forecast (member, day), the means of others (member, time), and the observations."""
    start = stream.times.searchsorted(ahead[0])
    stop = stream.times.searchsorted(ahead[-1], side="right")
    style.bands(axes, ahead, total, style.colour(FORECAST))
    for name, members in others.items() if stop > start else ():
        axes.plot(
            stream.times[start:stop], members[:, start:stop].mean(axis=0),
            color=style.colour(name), linewidth=1.0, label=predictor_label(name),
        )  # fmt: skip
    axes.axvline(
        ahead[0], color=style.OBSERVED, linewidth=0.9, linestyle="--", label="end of assimilation"
    )
    timeseries.points(axes, stream, slice(max(start - BEFORE_DAYS, 0), stop))


def _scores(axes: Axes, scores: pd.DataFrame) -> None:
    """Draw the CRPS of each predictor by week."""
    weeks = scores[scores.step != ALL_WEEKS]
    if weeks.empty:
        axes.text(0.5, 0.5, "nothing observed ahead", transform=axes.transAxes, ha="center")
        axes.set_axis_off()
    for name, rows in weeks.groupby("predictor", sort=False):
        number = rows.step.str.removeprefix(WEEK).astype(int)
        axes.plot(
            number, rows.crps, color=style.colour(name), marker=style.MARKERS.get(name, "v"),
            markersize=3.2, linewidth=1.0, label=predictor_label(name),
        )  # fmt: skip
    axes.set_ylim(bottom=0)
