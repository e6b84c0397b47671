"""Scores of a forecast by lead time, beside predictions that do not start from the newest state."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.predictive import (
    Prediction,
    Stream,
    observed_variables,
    predictions,
    read_stream,
)
from concerto.evaluation.quantities import ALL_WEEKS, FORECAST, WEEK, WEEK_DAYS
from concerto.evaluation.scores import COLUMNS, score


def predicted(
    variable: str,
    observations: xr.Dataset,
    forecast: xr.Dataset,
    projections: dict[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
) -> tuple[Stream, dict[str, Prediction]]:
    """Return what was observed after the last assimilated day, and what each predictor says of it.

    Parameters
    ----------
    variable
        Name of an observed variable.
    observations, projections, baselines
        Of the whole record: the observations, each method's ensemble and the baselines'.
    forecast
        The ensemble of the days ahead.
    seed
        Seed of the errors of measurement.

    Returns
    -------
    stream, found
        (time,) the days of the forecast; the prediction of ``forecast``, of each of
        ``projections`` and of each baseline that has one.
    """
    time = forecast.indexes["time"]
    ensembles = {name: ensemble.sel(time=time) for name, ensemble in projections.items()}
    flags = next(iter(ensembles.values()))
    stream = read_stream(observations.sel(time=time), flags, variable)
    found, _ = predictions(stream, {FORECAST: forecast} | ensembles, baselines.sel(time=time), seed)
    return stream, found


def score_forecast(
    site: str,
    observations: xr.Dataset,
    forecast: xr.Dataset,
    projections: dict[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
) -> pd.DataFrame:
    """Score a forecast and the others on the days ahead, week by week and all together.

    Parameters as of :func:`predicted`. One row a variable, week and predictor, with the columns of
    :mod:`~concerto.evaluation.scores`, of which ``step`` is the week or all of them; on the
    same days for all. Weeks without an observation have no row.
    """
    rows = []
    for variable in observed_variables(observations):
        stream, found = predicted(variable, observations, forecast, projections, baselines, seed)
        if FORECAST not in found:
            continue
        for step, days in _weeks(stream.withheld).items():
            for name, prediction in found.items():
                metrics = score(
                    stream.value[days], prediction.central[days], prediction.members[:, days]
                )
                key = {"site": site, "variable": variable, "step": step, "predictor": name}
                rows.append(key | metrics)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _weeks(days: np.ndarray) -> dict[str, np.ndarray]:
    """Return those of ``days`` (time, bool) in each week that has one, then all, by their names."""
    week = np.arange(len(days)) // WEEK_DAYS
    chosen = {f"{WEEK}{k + 1}": days & (week == k) for k in np.unique(week[days])}
    return chosen | {ALL_WEEKS: days} if chosen else {}
