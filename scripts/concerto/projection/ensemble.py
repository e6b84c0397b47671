"""Run an ensemble of parameters over a whole record and add the model error.

What is left of process uncertainty alone (parameters and initial pools) keeps the plain name of a
variable; ``<name>_total`` adds a draw of the model error to every member. Both keep carbon closed:
RECO with model error is the sum of GPP and NEE with theirs. Near assimilated observations the model
error is known from their misfit; far from them it is as uncertain as it ever is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import xarray as xr

from concerto.assimilation.distributions import INFLATION
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Forcing, Stream
from concerto.assimilation.stream_error import draw_innovations, stream_filter
from concerto.domain import STREAMS
from concerto.ensembles import RandomError
from concerto.models import Model

_Draws = TypeVar("_Draws", xr.Dataset, xr.DataArray)
_BATCH = 128  # members simulated at once: bounds the memory


def process_ensemble(
    model: Model, drive: Forcing, parameters: np.ndarray, pools: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return observables and pools, (member, time) each, of every row of ``parameters``.

    The runs start from ``pools`` (member, pool), or from the initial ones among the parameters.
    """
    names = tuple(name for name in STREAMS if name in model.outputs) + model.pools
    start = model.initial_pools(parameters, drive.weather) if pools is None else pools
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for first in range(0, len(parameters), _BATCH):
        some = slice(first, first + _BATCH)
        runs = model.resume(start[some], parameters[some], drive.weather, names)
        for name in names:
            parts[name].append(runs.series(name))
    return {name: np.concatenate(series).astype(np.float32) for name, series in parts.items()}


def error_ensemble(
    statement: ErrorStatement,
    drive: Forcing,
    streams: Sequence[Stream],
    process: Mapping[str, np.ndarray],
    inflations: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Draw the model error of each stream, given what was assimilated.

    Conditioning by kriging (Matheron's rule; Chilès & Delfiner 2012, Geostatistics, section 7.3):
    a free draw, plus what the smoother makes of the difference between the misfits seen and those
    that the draw, with a draw of the observations' errors, would have shown. Free draws of
    different streams are correlated as their innovations are. Free draws are normal
    whatever the law of the errors; draws of the observations' errors follow it.

    Parameters
    ----------
    statement
        The errors stated for the location.
    drive, streams
        Its forcing over the whole record, and the assimilated observations, (time,).
    process
        (member, time) what each member of the process ensemble says of each stream.
    inflations
        (member,) factor of all errors of streams whose errors were stated up to a factor.

    Returns
    -------
    dict
        (member, time) draws for each stream.
    """
    members, times = process[streams[0].name].shape
    innovations = draw_innovations(statement.correlation, members, times, rng)
    errors = {}
    for k, stream in enumerate(streams):
        error = statement.stream_errors[stream.name]
        seen = np.isfinite(stream.values)
        sd = np.where(seen, stream.random_sd, np.nan)
        factor = np.asarray(inflations.get(stream.name, 1.0))[..., None]
        free = factor * error.draw(drive.season, drive.step, innovations[k])
        random = factor * error.observation_factor * np.where(seen, sd, 0.0)
        noise = random * error.law.draw(free.shape, rng)
        misfit = np.where(seen, stream.values, 0.0) - process[stream.name]
        surplus = np.where(seen, misfit - free - noise, 0.0)
        errors[stream.name] = free + stream_filter(error, sd, drive.season, drive.step).expect(
            surplus
        )
    return errors


def some_members(draws: _Draws, members: int, rng: np.random.Generator) -> _Draws:
    """Return at most ``members`` of the draws along ``member``, at random, without replacement."""
    size = draws.sizes["member"]
    return draws.isel(member=np.sort(rng.choice(size, min(members, size), replace=False)))


def inflations_of(parameters: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the inflations (member,) among parameters (member, parameter), by their stream."""
    names = (str(name) for name in parameters["parameter"].to_numpy())
    return {
        name.removeprefix(INFLATION): parameters.sel(parameter=name).to_numpy()
        for name in names
        if name.startswith(INFLATION)
    }


def with_totals(
    process: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the process ensemble with, for each stream with an error, its ``_total``.

    RECO and NBE take theirs from GPP and NEE.
    """
    totals = {name: process[name] + error for name, error in errors.items()}
    if {"gpp", "nee"} <= totals.keys():
        totals["reco"] = totals["gpp"] + totals["nee"]
    if "nee" in totals and "nbe" in process:  # fire has no model error of its own
        totals.setdefault("nbe", totals["nee"] + (process["nbe"] - process["nee"]))
    return dict(process) | {
        f"{name}_total": values.astype(np.float32) for name, values in totals.items()
    }


def random_errors(
    statement: ErrorStatement,
    inflations: Mapping[str, np.ndarray],
    series: Mapping[str, np.ndarray],
) -> dict[str, RandomError]:
    """Return how random errors of observations of each variable with a total differ from stated.

    RECO that was not assimilated takes NEE's: its random error is that of the NEE it derives from.
    """
    members = len(next(iter(series.values())))
    errors = {
        name: RandomError(
            error.observation_factor * inflations.get(name, np.ones(members)), error.law
        )
        for name, error in statement.stream_errors.items()
    }
    if "reco_total" in series and "nee" in errors:
        errors.setdefault("reco", errors["nee"])
    return errors
