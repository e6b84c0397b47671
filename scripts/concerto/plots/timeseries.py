"""Predictions through time, with their bands and the observations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from concerto.evaluation.grouping import group_days
from concerto.evaluation.predictive import (
    Stream,
    observed_variables,
    read_stream,
    total_ensemble,
)
from concerto.evaluation.quantities import QUANTITIES, predictor_label
from concerto.plots import style

# A record longer than this is shown by months, with some of its days beside.
LONG_RECORD_DAYS = 800
ZOOM_DAYS = 120
# Months with fewer observed days have no point: their mean is not that of the month.
POINT_DAYS = 10
# What is observed on fewer days than this share (LAI) has no monthly means: its values are shown.
SPARSE = 0.3


@style.styled
def draw(
    *,
    site: str,
    observations: xr.Dataset,
    projection: xr.Dataset,
    method: str,
    converged: bool,
) -> style.Drawing:
    """Draw each observed variable that the model predicts.

    Parameters
    ----------
    site, method, converged
        What to say in the title.
    observations, projection
        The site's observations and the method's ensemble.
    """
    variables = [v for v in observed_variables(observations) if f"{v}_total" in projection]
    streams = {v: read_stream(observations, projection, v) for v in variables}
    times = next(iter(streams.values())).times
    long = len(times) > LONG_RECORD_DAYS
    figure = style.new_figure(0.9 + 2.0 * len(variables))
    grid = figure.subplots(
        len(variables), 2 if long else 1, squeeze=False, sharex="col",
        width_ratios=[2.1, 1] if long else None,
    )  # fmt: skip
    zoom = _zoom(streams[variables[0]])
    for row, (variable, stream) in zip(grid, streams.items(), strict=True):
        total = total_ensemble(projection, variable)
        row[0].set_ylabel(QUANTITIES[variable].axis)
        if long:
            _months(row[0], stream, total, style.colour(method))
            _days(row[1], stream, total, style.colour(method), zoom)
        else:
            _days(row[0], stream, total, style.colour(method), slice(None))
    for axes in grid[-1]:
        style.date_axis(axes)
        axes.set_xlabel("Date")
    first = "Monthly means" if long else "Daily values"
    grid[0, 0].set_title(first)
    if long:
        days = times[zoom]
        grid[0, 1].set_title(f"Days, {days[0]:%d %b} to {days[-1]:%d %b %Y}")
    name = predictor_label(method)
    title = f"{site}: {name} against what the tower measured"
    style.head(figure, title, converged)
    style.shared_legend(figure, grid[0, -1])
    shown = (
        f"monthly means (points for months with {POINT_DAYS} observed days or more) and, right, "
        f"{ZOOM_DAYS} of the days"
        if long
        else "daily values"
    )
    caption = (
        f"Prediction of {name} at {site}: {shown}. Bands hold 50 % and 90 % of the ensemble with "
        "parameter uncertainty and model error, without error of measurement. Dark points were "
        "assimilated; orange ones were withheld and played no part in the calibration."
    )
    labels = ", ".join(QUANTITIES[v].label for v in variables)
    return style.Drawing(
        figure,
        title,
        caption + style.warning_text(converged),
        f"Time series of {labels} at {site} from {times[0]:%B %Y} to {times[-1]:%B %Y}: "
        "predicted median with bands, and observed points.",
    )


def _zoom(stream: Stream) -> slice:
    """Choose the days to show: nearly the most withheld values, and of those the liveliest."""
    window = min(ZOOM_DAYS, len(stream.times))
    withheld = pd.Series(stream.withheld).rolling(window).sum()
    lively = pd.Series(stream.value).rolling(window, min_periods=2).std()
    candidates = lively.where(withheld >= 0.9 * withheld.max())
    end = int(np.nanargmax(candidates.to_numpy())) + 1 if candidates.notna().any() else window
    return slice(end - window, end)


def _months(axes: Axes, stream: Stream, total: np.ndarray, band: str) -> None:
    every = group_days(stream.times, np.ones(len(stream.times), bool), "monthly", 1)
    half = pd.Timedelta(days=15)
    style.bands(axes, every.labels + half, every.mean(total), band)
    for days, tint, text in (
        (stream.assimilated, style.ASSIMILATED, "assimilated"),
        (stream.withheld, style.WITHHELD, "withheld"),
    ):
        if np.isfinite(stream.value).mean() < SPARSE:
            x, values = stream.times[days], stream.value[days]
        else:
            months = group_days(stream.times, days, "monthly", POINT_DAYS)
            x, values = months.labels + half, months.mean(stream.value)
        if len(x):
            axes.plot(
                x, values, "o", markersize=3.2, color=tint,
                markeredgecolor="white", markeredgewidth=0.3, label=text,
            )  # fmt: skip


def _days(axes: Axes, stream: Stream, total: np.ndarray, band: str, window: slice) -> None:
    style.bands(axes, stream.times[window], total[:, window], band)
    points(axes, stream, window)


def points(axes: Axes, stream: Stream, window: slice) -> None:
    """Draw the observed days of a window of the record, assimilated and withheld ones."""
    times = stream.times[window]
    for days, tint, text in (
        (stream.assimilated, style.ASSIMILATED, "assimilated"),
        (stream.withheld, style.WITHHELD, "withheld"),
    ):
        chosen = days[window]
        axes.plot(
            times[chosen], stream.value[window][chosen], "o", markersize=2.4, color=tint,
            markeredgecolor="none", alpha=0.9, label=text,
        )  # fmt: skip
