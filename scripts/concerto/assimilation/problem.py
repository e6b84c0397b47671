"""The problem every method solves: a model, a prior, observations with errors, constraints.

All of it is one vector of residuals that are independent and standard normal if the statement of
errors is right: whitened misfits of each stream, then constraints. The log-likelihood is
-1/2 |residuals|², up to a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from concerto.assimilation.constraints import Constraints
from concerto.assimilation.prior import Prior
from concerto.assimilation.stream_error import StreamError, Whitener, stream_filter
from concerto.errors import ConcertoError
from concerto.models import Model, Trajectories, Weather


@dataclass(frozen=True)
class Forcing:
    """What drives a location: the model's weather and the calendar.

    ``weather`` of the model's ``prepare_weather``; ``season`` (time,) fraction of
    the year; ``step`` days; ``anniversaries`` the steps at which a year since the start is over.
    """

    weather: Weather
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
    stream_errors: Mapping[str, StreamError]
    innovation_correlation: np.ndarray
    constraint_names: Sequence[str]
    model_runs: int = 0
    gradients: int = 0
    _whitener: Whitener = field(init=False, repr=False)
    _constraints: Constraints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for stream in self.streams:
            self.model.check_observable(stream.name)
        self._outputs = tuple(stream.name for stream in self.streams)
        self._constraints = Constraints(
            self.model,
            self.constraint_names,
            self.forcing.step,
            len(self.forcing.weather),
            self.forcing.mean_temperature,
        )
        filters = [
            stream_filter(
                self.stream_errors[stream.name],
                np.where(np.isfinite(stream.values), stream.random_sd, np.nan),
                self.forcing.season,
                self.forcing.step,
            )
            for stream in self.streams
        ]
        self._whitener = Whitener(filters, self.innovation_correlation)
        self._values = np.stack([stream.values for stream in self.streams])

    @property
    def n_observations(self) -> int:
        """Number of observations of all streams together."""
        return self._whitener.n_observations

    def predict(self, parameters: np.ndarray) -> list[np.ndarray]:
        """Return what each stream would have shown at every step, (member, time) each."""
        runs = self._simulate(parameters)
        return [runs.series(name) for name in self._outputs]

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member, residual): whitened misfits of all streams, then constraints."""
        runs = self._simulate(parameters)
        return runs.placement.collect(np.concatenate(self._residuals(runs), axis=1))

    def not_finite(self, parameters: np.ndarray) -> list[str]:
        """Return the names of the streams and constraints that some run gives no finite value."""
        runs = self._simulate(parameters)
        parts = {
            stream.name: misfit[:, np.isfinite(stream.values)]
            for stream, misfit in zip(self.streams, self._misfit(runs), strict=True)
        } | self._constraints.named(runs)
        return [name for name, part in parts.items() if not np.isfinite(part).all()]

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member,) log-likelihood with constraints, up to a constant; -inf for failures."""
        runs = self._simulate(parameters)
        total = runs.placement.collect(_squares(self._residuals(runs)))
        return np.where(np.isfinite(total), -0.5 * total, -np.inf)

    def log_posterior(self, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log posterior density in soft space, and its gradient.

        By the adjoint of the model: the gradient costs a few runs, whatever its size.

        Parameters
        ----------
        soft
            (member, parameter) in the soft space of :class:`~concerto.assimilation.prior.Prior`.

        Returns
        -------
        density, gradient
            (member,) up to a constant, -inf where the model fails; (member, parameter), 0 there.
        """
        parameters = self.prior.to_parameters(self.prior.from_soft(soft))
        likelihood, slopes = self._likelihood_gradient(parameters)
        density, gradient = self.prior.soft_density(soft, parameters, slopes)
        density = likelihood + density
        sound = np.isfinite(density) & np.isfinite(gradient).all(axis=1)
        return np.where(sound, density, -np.inf), np.where(sound[:, None], gradient, 0.0)

    def _likelihood_gradient(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-likelihood (member,), and its gradient by the parameters."""
        runs = self._simulate(parameters, keep_path=True)
        self.gradients += len(parameters)
        white = self._whitener.apply(self._misfit(runs))
        terms, to_parameters, *to_runs = self._constraints.slopes(runs)
        slopes = to_parameters + self.model.pull_back(
            self.forcing.weather, runs, self._whitener.pull_back(white), *to_runs
        )
        collect = runs.placement.collect
        return -0.5 * collect(_squares((white, terms))), collect(slopes)

    def _residuals(self, runs: Trajectories) -> tuple[np.ndarray, np.ndarray]:
        """Return whitened misfits and constraints, (tile, residual, lane) each."""
        return self._whitener.apply(self._misfit(runs)), self._constraints.residuals(runs)

    def _simulate(self, parameters: np.ndarray, *, keep_path: bool = False) -> Trajectories:
        self.model_runs += len(parameters)
        dates = (0, *self.forcing.anniversaries)
        return self.model.simulate(
            parameters, self.forcing.weather, self._outputs, self._constraints.summed, dates,
            keep_path=keep_path,
        )  # fmt: skip

    def _misfit(self, trajectories: Trajectories) -> np.ndarray:
        """Return observation minus model, (stream, tile, time, lane)."""
        tiles, times, _, lanes = trajectories.record.shape
        misfit = np.empty((len(self.streams), tiles, times, lanes))
        for k, values in enumerate(self._values):
            np.subtract(values[None, :, None], trajectories.record[:, :, k], out=misfit[k])
        return misfit


def _squares(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum (tile, lane) of the squares of residuals (tile, residual, lane)."""
    return sum(np.einsum("tnl,tnl->tl", part, part) for part in parts)
