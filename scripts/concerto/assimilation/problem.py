"""The problem every method solves: a model, a prior, observations with errors, constraints.

All of it is one vector of residuals that are independent and standard normal if the statement of
errors is right: whitened misfits of each stream, then constraints. The log-likelihood is
-1/2 |residuals|², up to a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from concerto import plugins
from concerto.assimilation import constraints
from concerto.assimilation.model_error import ModelError, Whitener, whitener
from concerto.assimilation.prior import Prior
from concerto.errors import ConcertoError
from concerto.models import Model, Trajectories
from concerto.models.kernels.lanes import from_lanes


@dataclass(frozen=True)
class Forcing:
    """What drives a location: the model's weather and the calendar.

    ``weather`` (time, variable) of the model's ``prepare_weather``; ``season`` (time,) fraction of
    the year; ``step`` days; ``anniversaries`` the steps at which a year since the start is over.
    """

    weather: np.ndarray
    season: np.ndarray
    step: float
    anniversaries: tuple[int, ...]
    mean_temperature: float


@dataclass(frozen=True)
class Stream:
    """One kind of observation: values and random errors (time,), NaN where there is none."""

    name: str
    values: np.ndarray
    random_sd: np.ndarray

    def __post_init__(self) -> None:
        seen = np.isfinite(self.values)
        if not seen.any():
            raise ConcertoError(f"{self.name}: no observation in the training period")
        wrong = seen & ~(np.isfinite(self.random_sd) & (self.random_sd > 0.0))
        if wrong.any():
            raise ConcertoError(
                f"{self.name}: {wrong.sum()} observations have no positive random error, "
                f"the first at step {int(np.argmax(wrong))}"
            )


@dataclass
class Problem:
    """Prior, model and observations of one location, ready for any number of members at once."""

    model: Model
    prior: Prior
    forcing: Forcing
    streams: Sequence[Stream]
    model_errors: Mapping[str, ModelError]
    innovation_correlation: np.ndarray
    constraint_names: Sequence[str]
    model_runs: int = 0
    _whiteners: list[Whitener] = field(init=False, repr=False)
    _mixers: list[tuple[list[tuple[int, np.ndarray]], np.ndarray]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._operators = [plugins.load("operators", stream.name) for stream in self.streams]
        self._outputs = tuple(
            dict.fromkeys(name for operator in self._operators for name in operator.OUTPUTS)
        )
        self._summed = constraints.needs(self.model) if self.constraint_names else ()
        self._whiteners = [
            whitener(
                self.model_errors[stream.name],
                np.where(np.isfinite(stream.values), stream.random_sd, np.nan),
                self.forcing.season,
                self.forcing.step,
            )
            for stream in self.streams
        ]
        self._mixers = _mixers([w.valid for w in self._whiteners], self.innovation_correlation)

    @property
    def n_observations(self) -> int:
        """Number of observations of all streams together."""
        return sum(int(w.valid.sum()) for w in self._whiteners)

    def predict(self, parameters: np.ndarray) -> list[np.ndarray]:
        """Return what each stream would have shown at every step, (member, time) each."""
        observed = self._observe(self._simulate(parameters))
        return [from_lanes(series, len(parameters)) for series in observed]

    def innovations(self, parameters: np.ndarray) -> list[np.ndarray]:
        """Return the whitened misfits of each stream, (member, valid time) each, not yet mixed."""
        white = self._whiten(self._simulate(parameters))
        return [from_lanes(stream, len(parameters)) for stream in white]

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member, residual): whitened misfits of all streams, then constraints."""
        trajectories = self._simulate(parameters)
        misfits = [
            from_lanes(stream, len(parameters)) for stream in self._mix(self._whiten(trajectories))
        ]
        return np.concatenate([*misfits, self._constraints(parameters, trajectories)], axis=1)

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member,) log-likelihood with constraints, up to a constant; -inf for failures."""
        trajectories = self._simulate(parameters)
        terms = self._constraints(parameters, trajectories)
        total = np.einsum("mk,mk->m", terms, terms)
        for white in self._mix(self._whiten(trajectories)):
            total += np.einsum("tnl,tnl->tl", white, white).reshape(-1)[: len(parameters)]
        return np.where(np.isfinite(total), -0.5 * total, -np.inf)

    def _simulate(self, parameters: np.ndarray) -> Trajectories:
        self.model_runs += len(parameters)
        dates = (0, *self.forcing.anniversaries)
        return self.model.simulate(
            parameters, self.forcing.weather, self._outputs, self._summed, dates
        )

    def _observe(self, trajectories: Trajectories) -> list[np.ndarray]:
        columns = {name: trajectories.record[:, :, k] for k, name in enumerate(trajectories.names)}
        return [
            operator.observe(*(columns[name] for name in operator.OUTPUTS))
            for operator in self._operators
        ]

    def _whiten(self, trajectories: Trajectories) -> list[np.ndarray]:
        return [
            filtered.apply(stream.values[None, :, None] - series)
            for stream, filtered, series in zip(
                self.streams, self._whiteners, self._observe(trajectories), strict=True
            )
        ]

    def _mix(self, white: list[np.ndarray]) -> list[np.ndarray]:
        """Remove the correlation between streams at the times that they share."""
        mixed = [stream.copy() for stream in white]
        for members, matrix in self._mixers:
            for row, (stream, rows) in enumerate(members):
                mixed[stream][:, rows] = sum(
                    matrix[row, column] * white[other][:, other_rows]
                    for column, (other, other_rows) in enumerate(members[: row + 1])
                )
        return mixed

    def _constraints(self, parameters: np.ndarray, trajectories: Trajectories) -> np.ndarray:
        if not self.constraint_names:
            return np.empty((len(parameters), 0))
        run = constraints.Run(
            self.model,
            parameters,
            trajectories,
            self.forcing.step,
            len(self.forcing.weather),
            self.forcing.mean_temperature,
        )
        with np.errstate(all="ignore"):  # a run that fails shows as NaN, which its callers count
            return constraints.residuals(self.constraint_names, run)


def _mixers(valid: list[np.ndarray], correlation: np.ndarray):
    """For each combination of streams seen together: their rows, and the inverse Cholesky factor.

    Rows count each stream's own valid times. Applied to innovations with the given correlation,
    the matrix makes them independent.
    """
    seen = np.stack(valid)
    rows = np.cumsum(seen, axis=1) - 1
    mixers = []
    for pattern in np.unique(seen, axis=1).T:
        streams = np.flatnonzero(pattern)
        if streams.size < 2:
            continue
        times = np.all(seen == pattern[:, None], axis=0)
        factor = np.linalg.cholesky(correlation[np.ix_(streams, streams)])
        members = [(int(stream), rows[stream, times]) for stream in streams]
        mixers.append((members, np.linalg.inv(factor)))
    return mixers
