"""Forecasts from the newest data: the state at the end of a filter's record, run on.

A filter (:mod:`~concerto.assimilation.methods.letkf`,
:mod:`~concerto.assimilation.methods.particle_filter`) leaves the pools and the model errors of
every member after the last step of its record. Both run on: pools with the member's parameters
under the weather ahead, model errors as the processes that they are, with fresh drivers. What the
last observations said of the model error so fades from a forecast over its e-folding times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Forcing
from concerto.assimilation.state import State
from concerto.assimilation.stream_error import draw_innovations
from concerto.cubes import DAY
from concerto.errors import ConcertoError, InputError
from concerto.models import Model
from concerto.projection.ensemble import process_ensemble, with_totals

MEASURED = "measured"
CLIMATOLOGY = "climatology"
_WEATHER = {
    MEASURED: "the weather that was measured afterwards",
    CLIMATOLOGY: "the weather of the same days of each year before, members in turn",
}
_ORIGIN = ("method", "converged", "verdict", "prior", "model_runs", "seed")


def forecast(
    model: Model,
    parameters: np.ndarray,
    state: State,
    ahead: Forcing,
    streams: Sequence[str],
    statement: ErrorStatement,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return the ensemble of what comes after a state, as float32.

    Parameters
    ----------
    model
        The model.
    parameters
        (member, parameter) in the model's units.
    state
        The state of each member before the first step ahead, with draws of the model errors.
    ahead
        The forcing of the steps ahead, on the steps of the record.
    streams
        Names of the assimilated streams, in the order of ``state`` and of ``statement``.
    statement
        The errors stated for the location.

    Returns
    -------
    dict
        (member, time) by name: observables and pools of the runs; ``<stream>_total`` with model
        error, as in :func:`~concerto.projection.ensemble.with_totals`.

    Raises
    ------
    ConcertoError
        If the state is not one of these members and streams.
    """
    expected = (len(parameters), len(streams))
    if state.fast.shape != expected:
        raise ConcertoError(
            f"forecast: found a state of {state.fast.shape[0]} members and {state.fast.shape[1]} "
            f"streams; expected {expected[0]} and {expected[1]}"
        )
    process = process_ensemble(model, ahead, parameters, state.pools)
    innovations = draw_innovations(statement.correlation, len(parameters), len(ahead.weather), rng)
    errors = {
        name: statement.stream_errors[name].run_on(
            ahead.season, ahead.step, np.stack([state.fast[:, k], state.slow[:, k]]), innovations[k]
        )
        for k, name in enumerate(streams)
    }
    return with_totals(process, errors)


def weather_in_words(weather: str) -> str:
    """Return what drives a forecast: a kind of weather, or a file of it."""
    return _WEATHER.get(weather, f"the weather of {weather}, members in turn if it has several")


def days_ahead(
    site: str, time: pd.DatetimeIndex, start: int, days: int, weather: str
) -> pd.DatetimeIndex:
    """Return the days that a forecast is made of.

    Parameters
    ----------
    site
        Name of the site, for messages.
    time
        The days of the record.
    start
        Number of the first step ahead.
    days
        How many are wanted; under measured weather there are fewer where the record ends before.
    weather
        What drives it.

    Raises
    ------
    InputError
        If the weather is the record's, and that ends with what was assimilated.
    """
    if weather != MEASURED:
        first = time[0] + start * DAY
        return pd.date_range(first, periods=days, freq="D").as_unit(time.unit)
    if start >= len(time):
        raise InputError(
            "configuration", "forecast.sites",
            f"{site}, whose record ends with its training on {time[-1]:%Y-%m-%d}",
            "sites with withheld days after the last assimilated one, or other forecast.weather",
        )  # fmt: skip
    return time[start : start + days]


def same_days(site: str, time: pd.DatetimeIndex, ahead: pd.DatetimeIndex) -> list[np.ndarray]:
    """Return the steps of a daily record on the days ahead, one array (day,) for each year before.

    All are over before the first day ahead; 29 February counts as the day before. A record of less
    than a year before that day, which ends within the days ahead, gives one array: what it still
    has of them, then the same days of its only year.

    Raises
    ------
    InputError
        If there is none.
    """
    end = time.searchsorted(ahead[0])
    found = [
        time[:end].get_indexer(ahead - pd.DateOffset(years=back))
        for back in range(ahead[0].year - time[0].year, 0, -1)
    ]
    found = [steps for steps in found if (steps >= 0).all()]
    if not found and ahead[-1] > time[-1]:
        own = time.get_indexer(ahead)
        steps = np.where(own < 0, time.get_indexer(ahead - pd.DateOffset(years=1)), own)
        found = [steps] if (steps >= 0).all() else []
    if not found:
        raise InputError(
            "configuration", "forecast.weather",
            f"{CLIMATOLOGY} at {site}, whose record begins on {time[0]:%Y-%m-%d}",
            f"a record with the days after {ahead[0]:%d %B} in a year before",
        )  # fmt: skip
    return found


def forecast_under(
    model: Model,
    parameters: np.ndarray,
    state: State,
    ahead: Sequence[Forcing],
    streams: Sequence[str],
    statement: ErrorStatement,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return :func:`forecast` of members that take several forcings of one length in turn."""
    whole: dict[str, np.ndarray] = {}
    for k, forcing in enumerate(ahead):
        own = np.arange(k, len(parameters), len(ahead))
        if not len(own):
            continue
        few = State(state.step, state.pools[own], state.fast[own], state.slow[own])
        found = forecast(model, parameters[own], few, forcing, streams, statement, rng)
        for name, values in found.items():
            shape = (len(parameters), *values.shape[1:])
            whole.setdefault(name, np.empty(shape, values.dtype))[own] = values
    return whole


def on_days(record: xr.Dataset, ahead: pd.DatetimeIndex) -> xr.Dataset:
    """Return the place of a daily record, on days that may be beyond it, with their bounds."""
    bounds = np.stack([ahead.to_numpy(), (ahead + DAY).to_numpy()], axis=1)
    place = record[["location", "lat", "lon"]]
    placed = place.assign_coords(time=("time", ahead, record["time"].attrs))
    return placed.assign(time_bnds=(("time", "bnds"), bounds))


def with_origin(series: xr.Dataset, posterior: xr.Dataset, weather: str) -> xr.Dataset:
    """Return a forecast with what it rests on.

    Parameters
    ----------
    series
        The ensemble, as :func:`~concerto.ensembles.series_dataset` makes it.
    posterior
        The posterior that it goes on from, whose verdict it takes over.
    weather
        What drives it.

    Returns
    -------
    xarray.Dataset
        With the scalar coordinate ``forecast_reference_time``, the time of the state, and the
        attributes of the posterior and ``weather``, in words.
    """
    described = {"standard_name": "forecast_reference_time", "long_name": "time of the state"}
    when = xr.Variable((), posterior["time"].to_numpy(), described)
    kept = {name: posterior.attrs[name] for name in _ORIGIN}
    return series.assign_coords(forecast_reference_time=when).assign_attrs(
        featureType="timeSeries", weather=weather_in_words(weather), **kept
    )
