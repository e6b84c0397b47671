"""Scores of a forecast by lead time, beside predictions that do not start from the newest state."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import DAY
from concerto.evaluation.predictive import (
    Prediction,
    Stream,
    observed_variables,
    predictions,
    read_stream,
)
from concerto.evaluation.quantities import ALL_WEEKS, FORECAST, PERSISTENCE, WEEK, WEEK_DAYS
from concerto.evaluation.scores import COLUMNS, score
from concerto.seeds import generator

_DRAWS = 400  # of the errors of persistence


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
        ``projections``, of each baseline that has one, and of persistence.
    """
    time = forecast.indexes["time"]
    ensembles = {name: ensemble.sel(time=time) for name, ensemble in projections.items()}
    flags = next(iter(ensembles.values()))
    stream = read_stream(observations.sel(time=time), flags, variable)
    found, _ = predictions(stream, {FORECAST: forecast} | ensembles, baselines.sel(time=time), seed)
    past = observations[variable].sel(time=slice(None, time[0] - DAY)).to_numpy().astype(float)
    rng = generator(seed, "persistence", variable)
    return stream, found | persistence(past.ravel(), len(time), rng)


def persistence(past: np.ndarray, days: int, rng: np.random.Generator) -> dict[str, Prediction]:
    """Return the prediction that all stays as it was in the last week, or none.

    Its members are the last week's mean and what was wrong with such a prediction, so many days
    ahead, all through the past; hence they have the spread of persistence and no error to be added.

    Parameters
    ----------
    past
        (time,) what was observed by day until the forecast, NaN where nothing was.
    days
        How many are ahead.
    rng
        Generator of the draws.
    """
    week = pd.Series(past).rolling(WEEK_DAYS, min_periods=1).mean().to_numpy()
    if not len(week) or not np.isfinite(week[-1]):
        return {}
    members = np.full((_DRAWS, days), np.nan)
    for ahead in range(1, days + 1):
        wrong = past[ahead:] - week[:-ahead]
        wrong = wrong[np.isfinite(wrong)]
        if not len(wrong):
            return {}
        members[:, ahead - 1] = week[-1] + rng.choice(wrong, _DRAWS)
    return {PERSISTENCE: Prediction(np.full(days, week[-1]), members)}


def score_forecast(
    site: str,
    observations: xr.Dataset,
    forecast: xr.Dataset,
    projections: dict[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
) -> pd.DataFrame:
    """Score a forecast and the others on the days ahead, week by week and all together.

    Days of the forecast beyond the record count for nothing. Parameters as of :func:`predicted`.
    One row a variable, week and predictor, with the columns of
    :mod:`~concerto.evaluation.scores`, of which ``step`` is the week or all of them; on the
    same days for all. Weeks without an observation have no row.
    """
    rows = []
    known = forecast.indexes["time"].isin(observations.indexes["time"])
    forecast = forecast.isel(time=known)
    for variable in observed_variables(observations) if known.any() else []:
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
