"""Posteriors with a known answer, in place of a model and its observations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Forcing
from concerto.assimilation.state import State
from concerto.assimilation.stream_error import StreamError, Whitener, stream_filter
from concerto.models import Parameter, Weather
from concerto.models.kernels.lanes import Placement

_H = 1e-5


def unit_box(*kinds: str) -> Prior:
    """A flat prior from 0 to 1, so that parameters are their own place in unit space."""
    return Prior(
        [Parameter(f"x{k}", "1", 0.0, 1.0, kind, "made up", "here") for k, kind in enumerate(kinds)]
    )


class Target:
    """What the methods use of a problem, with the residuals given as a function of parameters."""

    def __init__(self, prior: Prior, residuals: Callable[[np.ndarray], np.ndarray]) -> None:
        self.prior = prior
        self.residuals = residuals
        self.n_observations = residuals(np.full((1, len(prior.parameters)), 0.5)).shape[1]

    inflated = ()

    @property
    def of_constraints(self) -> slice:
        return slice(self.n_observations, None)

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum(self.residuals(parameters) ** 2, axis=1)

    def log_constraints(self, parameters: np.ndarray) -> np.ndarray:
        return self.log_likelihood(parameters)

    def log_constraints_before_run(self, parameters: np.ndarray) -> np.ndarray:
        return np.zeros(len(parameters))

    def linearise(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By central differences, so fine that no test can tell."""
        members, size = z.shape
        still, steps = np.zeros((1, size)), _H * np.eye(size)
        moved = z[:, None] + np.concatenate([still, steps, -steps])
        residuals = self.residuals(self.prior.parameters_of(moved.reshape(-1, size)))
        residuals = residuals.reshape(members, 1 + 2 * size, -1)
        here, ahead, behind = np.split(residuals, [1, 1 + size], axis=1)
        return here[:, 0], (ahead - behind).transpose(0, 2, 1) / (2.0 * _H)

    def final_state(self, parameters: np.ndarray, rng: np.random.Generator) -> None:
        """Of nothing: there is no model that runs on."""

    def not_finite(self, parameters: np.ndarray) -> list[str]:
        finite = np.isfinite(self.residuals(parameters)).all()
        return [] if finite else ["residuals"]


class Constrained(Target):
    """A target of observations and, beside them, constraints."""

    def __init__(
        self,
        prior: Prior,
        observations: Callable[[np.ndarray], np.ndarray],
        constraints: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        super().__init__(prior, observations)
        self.constraints = constraints
        self.residuals = lambda x: np.concatenate([observations(x), constraints(x)], axis=1)

    def log_constraints(self, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum(self.constraints(parameters) ** 2, axis=1)


class Normal:
    """Unbounded unknowns with a standard normal prior, as a stand-in for a prior."""

    circular: np.ndarray

    def __init__(self, size: int) -> None:
        self.size = size
        self.circular = np.zeros(size, dtype=bool)
        self.parameters = range(size)

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((members, self.size))

    def parameters_of(self, z: np.ndarray) -> np.ndarray:
        return z

    def to_unit(self, parameters: np.ndarray) -> np.ndarray:
        return parameters

    def to_parameters(self, unit: np.ndarray) -> np.ndarray:
        return unit

    def log_density(self, unit: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum(unit**2, axis=1)

    def to_soft(self, unit: np.ndarray) -> np.ndarray:
        return unit

    def from_soft(self, soft: np.ndarray) -> np.ndarray:
        return soft

    def log_slope(self, soft: np.ndarray) -> np.ndarray:
        return np.zeros(len(soft))


class LinearTwin:
    """What filters use of a problem, of a model that is linear in the logarithms of its pools.

    ``pools`` of them start at exp(20 + their share of ``z``), ``growth`` carries the logarithms
    over a step and ``z`` adds to them; streams see combinations of logarithms and ``z``, with the
    errors of :class:`StreamError`. All is one normal distribution, whose covariance the tests
    write out.
    """

    LEVEL = 20.0  # far above the offset at which a filter's logarithm bends

    def __init__(
        self,
        size: int,
        pools: int,
        errors: Sequence[StreamError],
        sd: np.ndarray,
        seed: int,
        constraints: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.prior = Normal(size)
        self.n_streams, self.n_steps = sd.shape
        self.errors, self.sd = errors, sd
        season = (0.1 + np.arange(self.n_steps) / 365.25) % 1.0
        weather = Weather(np.zeros((1, self.n_steps, 1)), True)
        self.forcing = Forcing(weather, season, 1.0, (), 10.0)
        self.growth = 0.9 * np.linalg.qr(rng.normal(size=(pools, pools)))[0]
        self.first, self.drive = rng.normal(size=(2, pools, size)) * 0.3
        self.seen_pools = rng.normal(size=(self.n_streams, pools))
        self.seen_z = rng.normal(size=(self.n_streams, size))
        self.wanted = rng.normal(size=(constraints, size))
        self.filters = [stream_filter(error, sd[k], season, 1.0) for k, error in enumerate(errors)]
        self.whitener = Whitener(self.filters, np.eye(self.n_streams))
        self.n_observations = self.whitener.n_observations
        truth = self.prior.draw(1, rng)
        self.values = np.stack(
            [
                series[0]
                + error.draw(season, 1.0, rng.standard_normal((2, 1, self.n_steps)))[0]
                + error.observation_factor
                * np.nan_to_num(sd[k])
                * rng.standard_normal(self.n_steps)
                for k, (series, error) in enumerate(zip(self.seen(truth), errors, strict=True))
            ]
        )

    inflated = ()

    def logs(self, z: np.ndarray) -> np.ndarray:
        """Logarithms of the pools less the level, before every step and at the end."""
        series = [z @ self.first.T]
        for _ in range(self.n_steps):
            series.append(series[-1] @ self.growth.T + z @ self.drive.T)
        return np.stack(series)

    def seen(self, z: np.ndarray) -> np.ndarray:
        """What streams show, (stream, member, time)."""
        return (
            np.einsum("sp,tmp->smt", self.seen_pools, self.logs(z)[:-1])
            + (self.seen_z @ z.T)[:, :, None]
        )

    def start(self, z: np.ndarray) -> State:
        unknown = np.zeros((len(z), self.n_streams))
        return State(0, np.exp(self.LEVEL + z @ self.first.T), unknown, unknown)

    def advance(self, state: State, z: np.ndarray, stop: int) -> tuple[np.ndarray, State]:
        logs, series = np.log(state.pools) - self.LEVEL, []
        for _ in range(state.step, stop):
            series.append(logs @ self.seen_pools.T + z @ self.seen_z.T)
            logs = logs @ self.growth.T + z @ self.drive.T
        place = Placement(len(z))
        misfit = self.values[:, state.step : stop].T[:, None] - np.stack(series)
        known = place.lay_out(np.hstack([state.fast, state.slow]))
        whitener = self.whitener.between(state.step, stop)
        seen = misfit[whitener.time, :, whitener.stream].T
        white = whitener.apply(place.lay_out(seen), known)
        fast, slow = np.hsplit(place.collect(known), 2)
        return place.collect(white), State(stop, np.exp(self.LEVEL + logs), fast, slow)

    def with_drawn_errors(self, state: State, rng: np.random.Generator) -> State:
        return state

    def residuals(self, z: np.ndarray) -> np.ndarray:
        white = self.advance(self.start(z), z, self.n_steps)[0]
        return np.hstack([white, z @ self.wanted.T - 1.0])

    def log_likelihood(self, z: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum(self.residuals(z) ** 2, axis=1)

    def not_finite(self, z: np.ndarray) -> list[str]:
        return [] if np.isfinite(self.residuals(z)).all() else ["residuals"]


class Density:
    """What the methods that follow a gradient use of a problem, with its posterior as a function.

    ``log_posterior`` returns (member,) and its gradient (member, parameter) of unbounded unknowns;
    starts are drawn from a standard normal.
    """

    def __init__(self, size: int, log_posterior: Callable) -> None:
        self.prior = Normal(size)
        self.log_posterior = log_posterior

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        return self.log_posterior(parameters)[0] - self.prior.log_density(parameters)

    def not_finite(self, parameters: np.ndarray) -> list[str]:
        return [] if np.isfinite(self.log_posterior(parameters)[0]).all() else ["density"]
