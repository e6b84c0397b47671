"""Files of ensembles: parameters and trajectories of many members at one location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr

from concerto.assimilation.contributions import Contribution
from concerto.assimilation.distributions import Distribution
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Stream
from concerto.cubes import DAY, Field, Schema, write_cube
from concerto.domain import STREAMS
from concerto.models import Model, Parameter

_SERIES = ("member", "location", "time")
_YEAR = 365.25
_DIAGNOSTICS = {
    "rhat": "rank-normalised split R-hat",
    "ess_bulk": "effective sample size of the bulk",
    "ess_tail": "effective sample size of the tails",
}


@dataclass(frozen=True)
class RandomError:
    """How the random errors of observations differ from their statement.

    ``factor`` (member,) of their standard deviation; ``law`` they follow.
    """

    factor: np.ndarray
    law: Distribution


def parameter_dataset(
    described: Sequence[Parameter], parameters: np.ndarray, observations: xr.Dataset
) -> xr.Dataset:
    """Return ``parameters`` (member, parameter) of a location with their names, units and ranges.

    ``parameter_period`` is the length of the circle that a parameter lives on, NaN for others.
    """
    values = (
        ("member", "location", "parameter"),
        parameters[:, None, :],
        {"long_name": "parameters, each in the unit that parameter_units gives"},
    )
    return xr.Dataset(
        {"parameters": values},
        coords={
            **_place(observations),
            "member": np.arange(len(parameters)),
            "parameter": [p.name for p in described],
            "parameter_units": ("parameter", [p.unit for p in described]),
            "parameter_description": ("parameter", [p.description for p in described]),
            "parameter_min": ("parameter", [p.min for p in described]),
            "parameter_max": ("parameter", [p.max for p in described]),
            "parameter_period": (
                "parameter",
                [_YEAR if p.prior == "circular" else np.nan for p in described],
            ),
        },
    )


def posterior_dataset(prior: Prior, posterior: Posterior, observations: xr.Dataset) -> xr.Dataset:
    """Return a posterior, its parameters in their units, as the file that holds it."""
    diagnostics = {
        name: ("parameter", getattr(posterior, name), {"long_name": described})
        for name, described in _DIAGNOSTICS.items()
    }
    density = {"long_name": "logarithm of the posterior density, up to a constant"}
    parameters = prior.to_parameters(posterior.unit)
    return parameter_dataset(prior.parameters, parameters, observations).assign(
        log_density=(("member", "location"), posterior.log_density[:, None], density),
        chain=("member", posterior.chain, {"long_name": "number of the Markov chain"}),
        **diagnostics,
    )


def contribution_dataset(
    streams: Mapping[str, Contribution], rest: Mapping[str, float]
) -> xr.Dataset:
    """Return what each stream had to say, with ``signal_constraints`` and ``signal_prior``."""
    described = {
        "observations": "number of assimilated observations",
        "effective": "number of independent observations that would say as much of a shared error",
        "mean_square": "mean squared standardised misfit over the posterior",
        "signal": "degrees of freedom for signal",
    }
    dataset = xr.Dataset(coords={"stream": list(streams)})
    for name, long_name in described.items():
        values = [float(getattr(stream, name)) for stream in streams.values()]
        dataset[f"stream_{name}"] = ("stream", values, {"long_name": long_name, "units": "1"})
    for name, value in rest.items():
        attributes = {"long_name": f"degrees of freedom determined by the {name}", "units": "1"}
        dataset[f"signal_{name}"] = ((), value, attributes)
    return dataset


def series_dataset(
    model: Model,
    series: Mapping[str, np.ndarray],
    streams: Sequence[Stream],
    observations: xr.Dataset,
    random_errors: Mapping[str, RandomError] = MappingProxyType({}),
) -> xr.Dataset:
    """Return ensembles (member, time) of observables and pools, with the training flags.

    ``<stream>_training`` (location, time) is 1 where an observation was assimilated.
    ``<stream>_random_factor`` (member) corrects the stated random errors of observations; its
    attributes name their law.
    """
    units = {name: STREAMS[name].units for name in STREAMS} | dict.fromkeys(model.pools, "g m-2")
    variables = {
        name: (_SERIES, values[:, None, :], {"units": units[name.removesuffix("_total")]})
        for name, values in series.items()
    }
    for name, error in random_errors.items():
        described = {"long_name": f"factor of the stated random errors of {name}", "units": "1"}
        variables[f"{name}_random_factor"] = ("member", error.factor, described | asdict(error.law))
    for stream in streams:
        seen = np.isfinite(stream.values).astype(np.int8)
        variables[f"{stream.name}_training"] = (("location", "time"), seen[None, :])
    members = len(next(iter(series.values())))
    coords = {**_place(observations), "member": np.arange(members)}
    return xr.Dataset(variables, coords={**coords, "time": observations["time"]}).assign(
        time_bnds=observations["time_bnds"]
    )


def write_ensemble(
    dataset: xr.Dataset, path: str | Path, *, title: str, source: str, history: str
) -> None:
    """Write an ensemble, whole or not at all."""
    fields = {
        str(name): Field(variable.attrs.get("units"), tuple(map(str, variable.dims)))
        for name, variable in dataset.data_vars.items()
    }
    schema = Schema("an ensemble", fields, (DAY,) if "time" in dataset.dims else ())
    write_cube(dataset, path, schema, title=title, source=source, history=history)


def _place(observations: xr.Dataset) -> dict:
    return {name: observations[name] for name in ("location", "lat", "lon")}
