"""Baselines that any model should beat: the season's mean and a line through the weather."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.evaluation.predictive import (
    TOTAL,
    Stream,
    observed_variables,
    one_location,
    read_stream,
)
from concerto.seeds import generator

log = logging.getLogger(__name__)

YEAR_DAYS = 365.25
WINDOW_DAYS = 15
BLOCK_DAYS = 30
LAG_DAYS = 30
# Fewer values leave a line with five coefficients nothing to err about.
MINIMUM_FIT = 30
PREDICTORS = ("rsds", "tas", "vpd")


@dataclass(frozen=True)
class Fit:
    """A baseline's prediction (time) and the errors it makes on training days (training day).

    ``note`` says what a reader of the scores should know; empty if nothing.
    """

    prediction: np.ndarray
    residuals: np.ndarray
    note: str = ""


def climatology(stream: Stream, window_days: float = WINDOW_DAYS) -> Fit:
    """Predict the mean of the training values of the season.

    The mean of the training values of any year whose day of the year lies within the window on
    either side, where 31 December is next to 1 January. Where there is none the window is widened
    by its own length until there is one, and the note counts the days on which that was so.

    The residual of a training day is that of a climatology without the values around it, as far as
    withheld days are from training days in this split (median): else a climatology of few values
    would meet its own training data with errors of nearly nothing.
    """
    day = stream.times.dayofyear.to_numpy(dtype=float)
    own = np.flatnonzero(stream.assimilated)
    values = stream.value[own]
    season = np.abs(day[:, None] - day[own])
    season = np.minimum(season, YEAR_DAYS - season)
    prediction, widened = _window_mean(season, values, window_days)
    apart = np.abs(own[:, None] - own) > _gap_days(stream)
    apart |= ~apart.any(axis=1, keepdims=True) & ~np.eye(len(own), dtype=bool)
    if len(own) > 1:
        without, _ = _window_mean(np.where(apart, season[own], np.inf), values, window_days)
    else:
        without = np.zeros(1)
    note = (
        f"climatology: on {widened} days no training value lies within {window_days:g} days of the "
        "day of the year, so the window is wider there"
        if widened
        else ""
    )
    return Fit(prediction, values - without, note)


def _gap_days(stream: Stream) -> float:
    """Return how far withheld days are from the nearest training day (median).

    At most half a year: values farther away are another season's or another year's anyway.
    """
    own, withheld = np.flatnonzero(stream.assimilated), np.flatnonzero(stream.withheld)
    if not len(withheld):
        return 0.0
    gap = np.median(np.abs(withheld[:, None] - own).min(axis=1))
    return min(float(gap), YEAR_DAYS / 2)


def _window_mean(
    distance: np.ndarray, values: np.ndarray, window_days: float
) -> tuple[np.ndarray, int]:
    """Average values (value) within a window of each row (row, value); count the widened rows."""
    nearest = distance.min(axis=1)
    reach = window_days * np.maximum(np.ceil(nearest / window_days), 1)
    near = distance <= reach[:, None]
    return near @ values / near.sum(axis=1), int((reach > window_days).sum())


def weather(drivers: xr.Dataset, lag_days: int = LAG_DAYS) -> np.ndarray:
    """Return the regression's predictors (time, 4).

    Shortwave radiation (W m-2), air temperature (degC), vapour pressure deficit (hPa), and the
    mean temperature (degC) of the days up to and including this one (at the record's start: of
    the days there are), which stands for the season's state. As the linear benchmarks of PLUMBER
    (Best et al. 2015, J. Hydrometeorol. 16, 1425), with the deficit for relative humidity.

    Raises
    ------
    InputError
        If the weather has a gap.
    """
    drivers = one_location(drivers)
    columns = []
    for name in PREDICTORS:
        values = drivers[name].to_numpy().astype(float)
        if not np.isfinite(values).all():
            raise InputError(
                "drivers", name, f"{(~np.isfinite(values)).sum()} missing days", "none missing"
            )
        columns.append(values)
    temperature = pd.Series(columns[PREDICTORS.index("tas")])
    columns.append(temperature.rolling(lag_days, min_periods=1).mean().to_numpy())
    return np.column_stack(columns)


def regression(stream: Stream, predictors: np.ndarray) -> Fit:
    """Predict by ordinary least squares on the weather, fitted on the training values."""
    from sklearn.linear_model import LinearRegression

    own = stream.assimilated
    model = LinearRegression().fit(predictors[own], stream.value[own])
    slopes = ", ".join(f"{c:.4g}" for c in model.coef_)
    log.info("%s: regression on weather: slopes %s", stream.name, slopes)
    prediction = model.predict(predictors)
    return Fit(prediction, stream.value[own] - prediction[own])


def block_bootstrap(
    residuals: np.ndarray,
    length: int,
    members: int,
    rng: np.random.Generator,
    block: int = BLOCK_DAYS,
) -> np.ndarray:
    """Draw series (member, length) from residuals by the circular block bootstrap.

    Blocks of consecutive residuals start anywhere, run round the end to the beginning, and are
    laid end to end (Politis & Romano 1992), so errors keep their persistence from day to day.
    Residuals are consecutive in order of observation: days without one do not count.
    """
    block = min(block, len(residuals))
    blocks = -(-length // block)
    # The first block starts at a random place inside itself, else all members break together.
    start = rng.integers(len(residuals), size=(members, blocks + 1, 1))
    index = (start + np.arange(block)) % len(residuals)
    series = residuals[index].reshape(members, -1)
    offset = rng.integers(block, size=(members, 1))
    return np.take_along_axis(series, offset + np.arange(length), axis=1)


def fit_baselines(
    drivers: xr.Dataset, observations: xr.Dataset, flags: xr.Dataset, members: int, seed: int
) -> xr.Dataset:
    """Fit both baselines to each observed variable that the model predicts with an error model.

    Parameters
    ----------
    drivers, observations
        Cubes of one site.
    flags
        An ensemble file of the site: training flags, and which variables are predicted.
    members, seed
        Size and seed of the predictive ensembles.

    Returns
    -------
    xarray.Dataset
        ``S_climatology`` and ``S_regression`` (member, location, time), float32, unit of S: the
        prediction plus block-bootstrapped training residuals, so ensembles of measured values.
        A variable with fewer than :data:`MINIMUM_FIT` training values has no regression. What a
        reader of the scores should know is in the attribute ``note``.

    Raises
    ------
    InputError
        If a variable has no training value, or the weather has a gap.
    """
    predictors = weather(drivers)
    variables = {}
    for variable in observed_variables(observations):
        if f"{variable}{TOTAL}" not in flags:
            log.info("%s: not predicted by the model, so no baseline", variable)
            continue
        stream = read_stream(observations, flags, variable)
        n = int(stream.assimilated.sum())
        if not n:
            raise InputError("training data", variable, "no value", "at least one")
        fits = {"climatology": climatology(stream)}
        if n >= MINIMUM_FIT:
            fits["regression"] = regression(stream, predictors)
        else:
            log.warning("%s: %d training values are too few for a regression", variable, n)
        for name, fit in fits.items():
            rng = generator(seed, name, variable)
            errors = block_bootstrap(fit.residuals, len(fit.prediction), members, rng)
            attrs = {
                "units": observations[variable].attrs["units"],
                "long_name": f"{variable} predicted by {name}, ensemble of measured values",
            }
            if fit.note:
                log.warning("%s: %s", variable, fit.note)
                attrs["note"] = fit.note
            variables[f"{variable}_{name}"] = xr.Variable(
                ("member", "location", "time"),
                (fit.prediction + errors)[:, None, :].astype("float32"),
                attrs,
            )
    coords = {name: observations[name] for name in ("time", "location")}
    coords["member"] = ("member", np.arange(members), {"long_name": "ensemble member"})
    return xr.Dataset(variables, coords=coords)
