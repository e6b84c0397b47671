"""Files of ensembles: parameters and trajectories of many members at one location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from concerto.assimilation.cells import Cells, Solved
from concerto.assimilation.contributions import Contribution
from concerto.assimilation.distributions import Distribution
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Stream
from concerto.assimilation.state import State
from concerto.cubes import DAY, MONTH, YEAR, Field, Schema, ends, span, write_cube
from concerto.domain import STREAMS
from concerto.errors import InputError
from concerto.maps import STATUS
from concerto.models import Model, Parameter

_SERIES = ("member", "location", "time")
_YEAR = 365.25
_STATE = {
    "state_pools": ("pool", "pools"),
    "state_fast": ("stream", "part of the model error that lasts for days"),
    "state_slow": ("stream", "part of the model error that lasts for months"),
}
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


def cells_dataset(
    cells: Cells, described: Sequence[Parameter], solved: Sequence[Solved]
) -> xr.Dataset:
    """Return the parameters of cells, which may be none, and what became of each cell.

    ``described`` are the parameters that ``solved``, one of each cell, have members of.
    """
    members = len(solved[0].parameters) if solved else 0
    stacked = np.reshape(
        np.stack([one.parameters for one in solved], axis=1) if members else [],
        (members, len(solved), len(described)),
    )
    return xr.Dataset(
        {
            "parameters": (
                ("member", "location", "parameter"),
                stacked,
                {"long_name": "parameters, each in the unit that parameter_units gives"},
            ),
            "status": (
                "location",
                np.array([one.status for one in solved], np.int8),
                status_attributes(),
            ),
            "reason": (
                "location",
                np.array([one.reason for one in solved], dtype=object),
                {"long_name": "verdict of the method, or why the cell has none"},
            ),
        },
        coords={
            **_place(cells.drivers),
            "member": np.arange(members),
            "parameter": [p.name for p in described],
            "parameter_units": ("parameter", [p.unit for p in described]),
        },
    )


def taught_dataset(
    cells: Cells, centres: np.ndarray, spread: np.ndarray, correlation: np.ndarray
) -> xr.Dataset:
    """Return what cells were taught of their parameters: ``centres`` and a common law about them.

    Parameters
    ----------
    cells
        The cells, whose model says what the parameters are.
    centres
        (location, parameter) in the parameters' units.
    spread
        (parameter,) as shares of their ranges, or of those of their logarithms.
    correlation
        (parameter, parameter) of normal scores about the centres.
    """
    described = cells.common_prior.parameters
    return xr.Dataset(
        {
            "centre": (
                ("location", "parameter"),
                centres,
                {"long_name": "parameters as other places teach them, see parameter_units"},
            ),
            "spread": (
                "parameter",
                spread,
                {
                    "long_name": "standard deviation of places about what is taught of them, as a "
                    "share of the range, of logarithms where the prior is of these",
                    "units": "1",
                },
            ),
            "correlation": (
                ("parameter", "other"),
                correlation,
                {"long_name": "correlation of parameters about what is taught", "units": "1"},
            ),
        },
        coords={
            **_place(cells.drivers),
            "parameter": [p.name for p in described],
            "other": [p.name for p in described],
            "parameter_units": ("parameter", [p.unit for p in described]),
        },
    )


def status_attributes() -> dict[str, object]:
    """Return the attributes of a variable that says what became of cells, as CF has flags."""
    return {
        "long_name": "what became of the cell",
        "flag_values": np.arange(len(STATUS), dtype=np.int8),
        "flag_meanings": " ".join(STATUS),
    }


def state_dataset(model: Model, streams: Sequence[str], state: State, time: pd.Index) -> xr.Dataset:
    """Return the state of each member as it stands in the file of a posterior.

    ``state_pools`` (member, pool), ``state_fast`` and ``state_slow`` (member, stream); the scalar
    ``time`` is the start of the step that they are before, on or right after the axis ``time``.
    """
    dataset = xr.Dataset(
        {
            name: (
                ("member", axis),
                getattr(state, name.removeprefix("state_")),
                {"long_name": f"{said} after the last assimilated step, in {axis}_units"},
            )
            for name, (axis, said) in _STATE.items()
        },
        coords={
            "pool": list(model.pools),
            "pool_units": ("pool", [model.output_units[pool] for pool in model.pools]),
            "stream": list(streams),
            "stream_units": ("stream", [STREAMS[stream].units for stream in streams]),
            "time": _with_end(time)[state.step],
        },
    )
    dataset["time"].attrs = {"standard_name": "time", "long_name": "time of the state"}
    return dataset


def read_state(
    posterior: xr.Dataset, model: Model, streams: Sequence[str], time: pd.Index, file: object
) -> State:
    """Return the state that :func:`state_dataset` put into a posterior.

    Parameters
    ----------
    posterior
        The file's content.
    model, streams, time
        The model, the assimilated streams and the steps of the record, for which it must be.
    file
        The file, for messages.

    Raises
    ------
    InputError
        If there is no state, or it is one of another model, of other streams or of no time of the
        record.
    """
    absent = next((name for name in _STATE if name not in posterior), None)
    if absent:
        raise InputError(
            file, absent, "no such variable", "a state to go on from, which a filter leaves"
        )
    for axis, expected in (("pool", list(model.pools)), ("stream", list(streams))):
        found = list(posterior[axis].to_numpy().astype(str))
        if found != expected:
            raise InputError(file, axis, ", ".join(found), ", ".join(expected))
    when = pd.Timestamp(posterior["time"].to_numpy()[()])
    steps = np.flatnonzero(_with_end(time) == when)
    if not len(steps):
        raise InputError(file, "time", f"{when:%Y-%m-%d}", f"one of {span(time)}, or their end")
    parts = {
        name.removeprefix("state_"): posterior[name].transpose("member", axis).to_numpy()
        for name, (axis, _) in _STATE.items()
    }
    return State(int(steps[0]), **{name: part.astype(float) for name, part in parts.items()})


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
    variables = {
        name: (_SERIES, values[:, None, :], _described(name)) for name, values in series.items()
    }
    for name, error in random_errors.items():
        described = {"long_name": f"factor of the stated random errors of {name}", "units": "1"}
        variables[f"{name}_random_factor"] = ("member", error.factor, described | asdict(error.law))
    for stream in streams:
        seen = np.isfinite(stream.values).astype(np.int8)
        variables[f"{stream.name}_training"] = (("location", "time"), seen[None, :])
    members = len(next(iter(series.values())))
    numbered = xr.Variable("member", np.arange(members), {"long_name": "number of the member"})
    coords = {**_place(observations), "member": numbered}
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
    schema = Schema("an ensemble", fields, (DAY, MONTH, YEAR) if "time" in dataset.dims else ())
    write_cube(dataset, path, schema, title=title, source=source, history=history)


def _described(name: str) -> dict[str, str]:
    """Return the attributes of an ensemble of an observable, with or without error, or a pool."""
    plain = name.removesuffix("_total")
    if plain not in STREAMS:
        return {"units": "g m-2", "long_name": f"pool {name}", "comment": "at the end of the step"}
    attributes = STREAMS[plain].attributes()
    error = ", with model error" if name != plain else ""
    return attributes | {"long_name": attributes["long_name"] + error}


def _with_end(time: pd.Index) -> pd.Index:
    """Return the starts of steps, then the end of the last."""
    return time.append(ends(time)[-1:])


def _place(cube: xr.Dataset) -> dict:
    return {name: cube[name] for name in ("location", "lat", "lon")}
