"""Observations, their withheld part, and the predictive ensemble of a measured value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.assimilation.distributions import NORMAL, Distribution
from concerto.cubes import span
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.quantities import BASELINES, label
from concerto.seeds import generator

UNCERTAINTY = "_uncertainty"
SYSTEMATIC = "_systematic"
TRAINING = "_training"
TOTAL = "_total"
RANDOM_FACTOR = "_random_factor"


@dataclass(frozen=True)
class Stream:
    """One observed variable at one location.

    Parameters
    ----------
    name
        Name of the variable.
    times
        Start of each day.
    value
        Observed value (time), NaN where there is none; unit as in the cube.
    random, systematic
        Standard deviations (time) of the part of the error that is independent from day to day
        and of the part that is the same on all days (u* threshold); same unit.
    training
        Days (time, bool) whose value was given to the assimilation.
    """

    name: str
    times: pd.DatetimeIndex
    value: np.ndarray
    random: np.ndarray
    systematic: np.ndarray
    training: np.ndarray

    @property
    def assimilated(self) -> np.ndarray:
        """Days (time, bool) with a value that was assimilated."""
        return np.isfinite(self.value) & self.training

    @property
    def withheld(self) -> np.ndarray:
        """Days (time, bool) with a value that the assimilation never saw."""
        return np.isfinite(self.value) & ~self.training


def one_location(data: xr.Dataset) -> xr.Dataset:
    """Return the data of the only location.

    Raises
    ------
    ConcertoError
        If there is more than one: scores and figures are those of one tower.
    """
    if data.sizes.get("location", 1) != 1:
        raise ConcertoError(f"one location expected, found {data.sizes['location']}")
    return data.isel(location=0) if "location" in data.dims else data


def observed_variables(observations: xr.Dataset) -> list[str]:
    """Return the observed variables: those that have an uncertainty."""
    return [str(v) for v in observations.data_vars if f"{v}{UNCERTAINTY}" in observations]


def training_days(flags: xr.Dataset, variable: str) -> np.ndarray:
    """Return the days (time, bool) whose value of a variable is training data.

    A variable that was not assimilated itself (RECO) is a sibling of those that were, derived from
    the same half-hours, so its days count as training wherever anything was assimilated.
    """
    flags = one_location(flags)
    own = f"{variable}{TRAINING}"
    names = [own] if own in flags else [v for v in flags.data_vars if str(v).endswith(TRAINING)]
    if not names:
        raise ConcertoError(f"no training flags: neither {own} nor another variable's")
    return np.any([flags[name].to_numpy() == 1 for name in names], axis=0)


def read_stream(observations: xr.Dataset, flags: xr.Dataset, variable: str) -> Stream:
    """Return one observed variable with its uncertainty and training days.

    Parameters
    ----------
    observations
        Cube with the variable and its ``_uncertainty`` (and ``_systematic`` where it has one).
    flags
        Any ensemble file of the site: it carries the training flags.

    Raises
    ------
    InputError
        If the days differ, or a value comes without a positive uncertainty.
    """
    observations = one_location(observations)
    times = pd.DatetimeIndex(observations["time"].to_numpy())
    other = pd.DatetimeIndex(flags["time"].to_numpy())
    if not times.equals(other):
        raise InputError("training flags", "time", span(other), f"the observations' {span(times)}")
    value = observations[variable].to_numpy().astype(float)
    combined = observations[f"{variable}{UNCERTAINTY}"].to_numpy().astype(float)
    here = np.isfinite(value)
    bad = here & ~(combined > 0)
    if bad.any():
        raise InputError(
            "observations",
            f"{variable}{UNCERTAINTY}",
            f"{combined[bad][0]} on {times[bad][0]:%Y-%m-%d} ({bad.sum()} days)",
            "a positive uncertainty for each value",
        )
    name = f"{variable}{SYSTEMATIC}"
    systematic = np.zeros(len(times))
    if name in observations:
        systematic = np.minimum(
            np.nan_to_num(observations[name].to_numpy().astype(float)), combined
        )
    random = np.sqrt(np.where(here, combined**2 - systematic**2, 0.0))
    return Stream(
        variable,
        times,
        value,
        random,
        np.where(here, systematic, 0.0),
        training_days(flags, variable),
    )


def withheld_streams(
    observations: xr.Dataset, projection: xr.Dataset
) -> tuple[list[str], list[str]]:
    """Return the predicted variables with withheld values, and those without."""
    with_some, without = [], []
    for name in observed_variables(observations):
        if f"{name}_total" in projection:
            withheld = read_stream(observations, projection, name).withheld
            (with_some if withheld.any() else without).append(name)
    return with_some, without


def total_ensemble(projection: xr.Dataset, variable: str) -> np.ndarray | None:
    """Return the ensemble (member, time) with process and model error; None if there is none."""
    name = f"{variable}{TOTAL}"
    return members_of(projection, name) if name in projection else None


def members_of(ensembles: xr.Dataset, name: str) -> np.ndarray:
    """Return one variable of a file of ensembles (member, time)."""
    return one_location(ensembles)[name].transpose("member", "time").to_numpy().astype(float)


def measured_ensemble(
    total: np.ndarray,
    stream: Stream,
    seed: int,
    factor: np.ndarray | float = 1.0,
    law: Distribution = NORMAL,
) -> np.ndarray:
    """Return what an instrument would read (member, time): the prediction plus its own error.

    The error is the random one, drawn for each day by its ``law``, times ``factor`` (member,), the
    correction that the training data asked for. The systematic part (u* threshold) is not added:
    withheld values share it with the training values that the prediction rests on.
    """
    rng = generator(seed, "observation error", stream.name)
    return total + np.multiply.outer(factor, stream.random) * law.draw(total.shape, rng)


@dataclass(frozen=True)
class Prediction:
    """A predictor's ensemble of measured values (member, time) and its centre (time)."""

    central: np.ndarray
    members: np.ndarray


def _random_error(
    projection: xr.Dataset, stream: Stream
) -> tuple[np.ndarray | float, Distribution]:
    """Return the factor of a stream's random errors and their law, as a projection has them."""
    name = f"{stream.name}{RANDOM_FACTOR}"
    if name not in projection:
        return 1.0, NORMAL
    found = projection[name]
    return found.to_numpy(), Distribution(
        found.attrs["name"], float(found.attrs["degrees_of_freedom"])
    )


def predictions(
    stream: Stream,
    projections: dict[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
) -> tuple[dict[str, Prediction], dict[str, str]]:
    """Return what each predictor says of a stream, and for those that say nothing, why.

    A baseline's ensemble was made with residuals against measured values, so it contains the
    error of measurement already; a model's gets it here.
    """
    found: dict[str, Prediction] = {}
    absent: dict[str, str] = {}
    for method, projection in projections.items():
        total = total_ensemble(projection, stream.name)
        if total is None:
            absent[method] = f"the model has no {label(stream.name)} with an error model"
        else:
            measured = measured_ensemble(total, stream, seed, *_random_error(projection, stream))
            found[method] = Prediction(total.mean(axis=0), measured)
    for baseline in BASELINES:
        name = f"{stream.name}_{baseline}"
        if name in baselines:
            members = members_of(baselines, name)
            found[baseline] = Prediction(members.mean(axis=0), members)
        else:
            absent[baseline] = (
                "no such baseline: not predicted by the model, or too few training values"
            )
    return found, absent
