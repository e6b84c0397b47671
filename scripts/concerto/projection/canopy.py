"""The canopy model at a tower: its weather from the tower's record, its runs, their scores."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from concerto import units
from concerto.assimilation.prior import Prior
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.scores import score
from concerto.models import Model, Weather

OBSERVED = MappingProxyType(
    {"gpp": "gpp", "nee": "nee", "le": "le", "h": "h", "rn": "net_radiation"}
)
"""The output of the model that each stream of a record is compared with."""
COLUMNS = ("stream", "units", "n", "bias", "rmse", "r2", "nse", "crps", "coverage50", "coverage90")


def weather_of(record: xr.Dataset, model: Model, elevation: float, file: str) -> Weather:
    """Return the weather of a tower's record, ``elevation`` m above the sea, for a model.

    Raises
    ------
    InputError
        If a driver is missing, has gaps, or a unit that does not convert to the model's.
    """
    times = record.indexes["time"]
    step = float((times[1] - times[0]) / pd.Timedelta(days=1))
    middle = times + pd.Timedelta(days=step / 2)
    midnight = middle.normalize()
    day_of_year = (middle.dayofyear - 1 + (middle - midnight) / pd.Timedelta(days=1)).to_numpy()
    offset = float(record["lon"].item()) / 15.0 - float(record.attrs["utc_offset_hours"])
    drivers = {"solar_offset": np.full(len(times), offset)}
    for name in model.drivers.keys() - drivers:
        drivers[name] = _complete(record, name, model.drivers[name], file)
    days_in_year = np.where(middle.is_leap_year, 366, 365)
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


def measured(record: xr.Dataset, stream: str) -> np.ndarray:
    """Return a stream's values (time), NaN where it was not measured but filled."""
    values = record[stream].isel(location=0).to_numpy().astype(float)
    flag = f"{stream}_measured"
    seen = record[flag].isel(location=0).to_numpy() == 1 if flag in record else True
    return np.where(seen, values, np.nan)


def score_runs(record: xr.Dataset, runs: xr.Dataset) -> pd.DataFrame:
    """Score the mean of the runs, and the runs as an ensemble, on measured steps.

    Returns
    -------
    pandas.DataFrame
        One row for each stream of ``OBSERVED`` that the record has, with ``COLUMNS``.
    """
    rows = []
    for stream, output in OBSERVED.items():
        if stream in record:
            observed = measured(record, stream)
            seen = np.isfinite(observed)
            members = runs[output].isel(location=0).to_numpy()[:, seen]
            found = score(observed[seen], members.mean(axis=0), members)
            rows.append({"stream": stream, "units": record[stream].attrs["units"], **found})
    return pd.DataFrame(rows, columns=list(COLUMNS))
