"""The canopy model at a tower: its weather from the tower's record, and its runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from concerto import units
from concerto.assimilation.prior import Prior
from concerto.cubes import calendar
from concerto.errors import ConcertoError, InputError
from concerto.models import Model, Weather

BY_DAY = ("gpp", "le", "sif")
"""What is told of days."""
_STEPS = 48  # of a day


def weather_of(record: xr.Dataset, model: Model, elevation: float, file: str) -> Weather:
    """Return the weather of a tower's record, ``elevation`` m above the sea, for a model.

    Raises
    ------
    InputError
        If a driver is missing, has gaps, or a unit that does not convert to the model's.
    """
    times = record.indexes["time"]
    step, day_of_year, days_in_year = calendar(times)
    offset = float(record["lon"].item()) / 15.0 - float(record.attrs["utc_offset_hours"])
    drivers = {"solar_offset": np.full(len(times), offset)}
    for name in model.drivers.keys() - drivers:
        drivers[name] = _complete(record, name, model.drivers[name], file)
    latitude = float(record["lat"].item())
    return model.prepare_weather(drivers, day_of_year, days_in_year, step, latitude, elevation)


def _complete(record: xr.Dataset, name: str, unit: str, file: str) -> np.ndarray:
    if name not in record:
        raise InputError(file, name, "no such variable", f"a driver in {unit}")
    values = record[name].isel(location=0).to_numpy().astype(float)
    gaps = ~np.isfinite(values)
    if gaps.any():
        first = record.indexes["time"][np.argmax(gaps)]
        raise InputError(file, name, f"{gaps.sum()} gaps, the first at {first}", "no gap")
    return units.convert(values, record[name].attrs["units"], unit, file=file, field=name)


def draw_with(
    model: Model, fixed: Mapping[str, float], members: int, rng: np.random.Generator
) -> np.ndarray:
    """Return draws (member, parameter) of a model's prior, but for parameters that are known.

    Raises
    ------
    ConcertoError
        If one of ``fixed`` is no parameter of the model.
    """
    prior = Prior(model.parameters)
    parameters = prior.parameters_of(prior.draw(members, rng))
    for name, value in fixed.items():
        if name not in model.parameter_names:
            raise ConcertoError(f"{model.name}: has no parameter {name}")
        parameters[:, model.parameter_names.index(name)] = value
    return parameters


def run(model: Model, weather: Weather, parameters: np.ndarray, record: xr.Dataset) -> xr.Dataset:
    """Return the outputs of one run for each row of parameters, (member, location, time) each."""
    runs = model.simulate(parameters, weather, tuple(model.code.OUTPUTS))
    dims = ("member", "location", "time")
    variables = {
        name: (dims, runs.series(name)[:, None], {"units": unit.replace("gC", "g")})
        for name, unit in model.code.OUTPUTS.items()
    }
    coords = {name: record[name] for name in ("location", "lat", "lon", "time")}
    return xr.Dataset(variables, coords={**coords, "member": np.arange(len(parameters))}).assign(
        time_bnds=record["time_bnds"]
    )


def days_of(weather: Weather) -> dict[str, slice]:
    """Return where :func:`daily` has the whole days of each output."""
    days = len(weather) // _STEPS
    return {key: slice(k * days, (k + 1) * days) for k, key in enumerate(BY_DAY)}


def by_day(steps: np.ndarray) -> np.ndarray:
    """Return whether any step (step,) of each whole day has what ``steps`` says."""
    return steps[: len(steps) // _STEPS * _STEPS].reshape(-1, _STEPS).any(axis=1)


def daily(model: Model, weather: Weather, parameters: np.ndarray) -> np.ndarray:
    """Return daily means (member, output and day) of :data:`BY_DAY`, one output after another."""
    runs = model.simulate(parameters, weather, BY_DAY)
    days = len(weather) // _STEPS
    means = [
        runs.series(key)[:, : _STEPS * days].reshape(len(parameters), days, _STEPS).mean(axis=-1)
        for key in BY_DAY
    ]
    return np.hstack(means)
