"""The problem every method solves: a model, a prior, observations with errors, constraints.

All of it is one vector of residuals, and the log-likelihood is -1/2 |residuals|², up to a constant:
first whitened misfits of each stream, which are independent and standard normal if errors are
stated as they are (under another law of errors, what has half its square for minus its logarithm);
then constraints; last, for each stream whose errors are known but for a factor s, the price of a
large one, n ln s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from concerto.assimilation.constraints import Constraints
from concerto.assimilation.prior import Prior
from concerto.assimilation.state import State
from concerto.assimilation.stream_error import (
    StreamError,
    StreamFilter,
    Whitener,
    inflation,
    state_covariance,
    stream_filter,
)
from concerto.errors import ConcertoError
from concerto.models import Model, Trajectories, Weather
from concerto.models.kernels.lanes import LANES

_REACH = 4.0  # random errors from the ensemble within which an observation can be explained

_BATCH = 256  # members whose whole runs are held at once: bounds the memory


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

    def between(self, start: int, stop: int) -> Forcing:
        """Return the steps from ``start`` on, before ``stop``, with the record's anniversaries."""
        return replace(
            self,
            weather=self.weather.between(start, stop),
            season=self.season[start:stop],
            anniversaries=tuple(k - start for k in self.anniversaries if start < k < stop),
        )


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
    """Prior, model and observations of one location, ready for any number of members at once.

    The parameters are the model's, then an inflation of the errors of each stream that has one:
    those of ``prior``. Counted are ``model_runs``, ``gradients`` and ``failures``, runs with a
    result that is not finite.
    """

    model: Model
    prior: Prior
    forcing: Forcing
    streams: Sequence[Stream]
    stream_errors: Mapping[str, StreamError]
    innovation_correlation: np.ndarray
    constraint_names: Sequence[str]
    steps_run: int = 0
    gradients: int = 0
    failures: int = 0
    _filters: list[StreamFilter] = field(init=False, repr=False)
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
        self._filters = [
            stream_filter(
                self.stream_errors[stream.name],
                np.where(np.isfinite(stream.values), stream.random_sd, np.nan),
                self.forcing.season,
                self.forcing.step,
            )
            for stream in self.streams
        ]
        self._whitener = Whitener(self._filters, self.innovation_correlation)
        self._values = np.stack([s.values for s in self.streams], axis=1)[self._whitener.valid.T]
        self._inflated = np.flatnonzero([self.stream_errors[s.name].inflated for s in self.streams])
        described = [inflation(self.streams[k].name) for k in self._inflated]
        expected = [*self.model.parameter_names, *(p.name for p in described)]
        found = [p.name for p in self.prior.parameters]
        if found != expected:
            raise ConcertoError(
                f"prior: found the parameters {', '.join(found)}; expected {', '.join(expected)}"
            )
        self._least = np.array([p.min for p in described])[:, None]
        self._counts = self._whitener.valid[self._inflated].sum(axis=1, keepdims=True)

    @property
    def n_observations(self) -> int:
        """Number of observations of all streams together."""
        return self._whitener.n_observations

    @property
    def of_constraints(self) -> slice:
        """Which of the residuals are those of the constraints."""
        return slice(self.n_observations, self.n_observations + self._constraints.size)

    @property
    def inflated(self) -> tuple[str, ...]:
        """Names of the streams whose errors are stated up to a factor."""
        return tuple(self.streams[k].name for k in self._inflated)

    def as_stated(self) -> Problem:
        """Return the problem with all errors as they are stated, of no unknown factor."""
        errors = {
            name: replace(error, inflated=False) for name, error in self.stream_errors.items()
        }
        return replace(
            self, prior=Prior(self.model.parameters, self.prior.origin), stream_errors=errors,
            steps_run=0, gradients=0, failures=0,
        )  # fmt: skip

    @property
    def stream_of_observations(self) -> np.ndarray:
        """Number of the stream (observation,) that each of the first residuals belongs to."""
        return self._whitener.stream

    def effective_observations(self, k: int) -> float:
        """Return how many independent observations would say as much as those of stream ``k``.

        Of an error that they all share, in proportion to their own: s'C^-1 s with the standard
        deviations s of their errors and the covariance C, which is their number if C is diagonal.
        """
        return self._filters[k].effective_number(self.streams[k].random_sd)

    @property
    def model_runs(self) -> int:
        """How often the model was run; parts of the record count as parts of a run."""
        return round(self.steps_run / len(self.forcing.weather))

    def predict(self, parameters: np.ndarray) -> list[np.ndarray]:
        """Return what each stream would have shown at every step, (member, time) each."""
        runs, _ = self._simulate(parameters)
        return [runs.series(name) for name in self._outputs]

    def innovations(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member, observation): standardised misfits, whatever their law.

        They run through the streams of a time, then to the next time.
        """
        runs, factors = self._simulate(parameters)
        return runs.placement.collect(self._whitener.apply(self._misfit(runs, factors)))

    def mean_squares(self, parameters: np.ndarray) -> dict[str, np.ndarray]:
        """Return (member,) for each stream the mean squared innovation: one, if errors are right.

        The reduced chi-square of each stream.
        """
        squares = self.innovations(parameters) ** 2
        return {
            stream.name: squares[:, self._whitener.stream == k].mean(axis=1)
            for k, stream in enumerate(self.streams)
        }

    def out_of_reach(self, parameters: np.ndarray) -> dict[str, int]:
        """Return how many observations of each stream no run of an ensemble comes near.

        Farther than four of its random errors beyond the largest or the smallest that any member
        (member, parameter) has at any time.
        """
        found = {}
        for stream, predicted in zip(self.streams, self.predict(parameters), strict=True):
            reach = _REACH * stream.random_sd
            low, high = np.nanmin(predicted), np.nanmax(predicted)
            with np.errstate(invalid="ignore"):  # where nothing was observed
                beyond = (stream.values > high + reach) | (stream.values < low - reach)
            found[stream.name] = int(beyond.sum())
        return found

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member, residual): those of all streams, constraints and inflations."""
        runs, factors = self._simulate(parameters)
        return runs.placement.collect(self._residuals(runs, factors))

    def not_finite(self, parameters: np.ndarray) -> list[str]:
        """Return the names of the streams and constraints that some run gives no finite value."""
        runs, factors = self._simulate(parameters)
        misfit = self._misfit(runs, factors)
        parts = {
            stream.name: misfit[:, self._whitener.stream == k]
            for k, stream in enumerate(self.streams)
        } | self._constraints.named(runs)
        return [name for name, part in parts.items() if not np.isfinite(part).all()]

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member,) log-likelihood with constraints, up to a constant; -inf for failures."""
        runs, factors = self._simulate(parameters)
        density = -0.5 * runs.placement.collect(_squares(self._residuals(runs, factors)))
        failed = ~np.isfinite(density)
        self.failures += int(failed.sum())
        density[failed] = -np.inf
        return density

    def log_constraints(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member,) log-density of the constraints alone: at most 0, -inf for failures."""
        runs, _ = self._simulate(parameters, outputs=())
        total = runs.placement.collect(_squares(self._constraints.residuals(runs)))
        return np.where(np.isfinite(total), -0.5 * total, -np.inf)

    def log_constraints_before_run(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member,) the part of :meth:`log_constraints` that needs no run of the model."""
        terms = self._constraints.before_run(parameters[:, : len(self.model.parameters)])
        return -0.5 * np.einsum("mk,mk->m", terms, terms)

    def draw_errors(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a draw of what separates observations from the run of a member, (stream, time).

        It has the law that the likelihood states for ``parameters`` (parameter,); NaN where there
        is no observation.
        """
        white = self._whitener.draw(rng)
        lanes = np.repeat(white[None, :, None], LANES, axis=2)
        errors = np.full(self._whitener.valid.shape, np.nan)
        errors.T[self._whitener.valid.T] = self._whitener.colour(lanes)[0, :, 0]
        errors[self._inflated] *= parameters[len(self.model.parameters) :, None]
        return errors

    def linearise(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the residuals of runs and their exact derivatives.

        By the tangent of the model: a direction costs about as much as a run.

        Parameters
        ----------
        z
            (member, size) in the space of :class:`~concerto.assimilation.prior.Prior` of that name.

        Returns
        -------
        residuals, jacobian
            (member, residual) as :meth:`residuals` gives them; (member, residual, size).
        """
        own = len(self.model.parameters)
        parameters = self.prior.parameters_of(z)
        directions = self.prior.slopes(z).transpose(0, 2, 1)
        runs, factors = self._simulate(parameters)
        changes = self.model.push_forward(
            parameters[:, :own], directions[:, :, :own], self.forcing.weather, runs.names,
            runs.summed, runs.dates,
        )  # fmt: skip
        self.steps_run += z.size * len(self.forcing.weather)
        misfit = self._misfit(runs, factors)
        white, prices = self._whitener.apply(misfit), self._prices(factors)
        # of runs, in the lanes of their directions
        at = runs.placement.spread_over(changes.placement)
        turned = self._by_stream(directions[:, :, own:].reshape(z.size, -1), 0.0)
        to_factors = changes.placement.lay_out(turned) / at(factors)
        collect = runs.placement.collect
        shift = self._whitener.change(
            changes.record, collect(misfit), 1.0 / collect(factors), to_factors,
            changes.placement.cells,
        )  # fmt: skip
        terms = self._whitener.residual(white), self._constraints.residuals(runs), prices
        residuals = collect(np.concatenate(terms, axis=1))
        n, k = self.n_observations, self._inflated
        slopes = np.empty((len(shift), residuals.shape[1], LANES))
        self._whitener.apply(shift, out=slopes)
        by_law = self._whitener.slope(white)
        if (by_law != 1.0).any():  # of other laws than the normal one
            slopes[:, :n] *= at(by_law)
        slopes[:, n : n + terms[1].shape[1]] = self._constraints.push_forward(runs, changes)
        slopes[:, n + terms[1].shape[1] :] = self._counts / at(prices) * to_factors[:, k]
        return residuals, changes.placement.collect_by_cell(slopes)

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
        density += likelihood
        failed = ~(np.isfinite(density) & np.isfinite(gradient).all(axis=1))
        self.failures += int(failed.sum())
        density[failed], gradient[failed] = -np.inf, 0.0
        return density, gradient

    def likelihood_slopes(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-likelihood (member,) with constraints, and its gradient, by the adjoint.

        Both are of ``parameters`` (member, parameter), in whose units the gradient is. -inf where
        the model fails, and 0 there.
        """
        likelihood, slopes = self._likelihood_gradient(parameters)
        failed = ~(np.isfinite(likelihood) & np.isfinite(slopes).all(axis=1))
        self.failures += int(failed.sum())
        likelihood[failed], slopes[failed] = -np.inf, 0.0
        return likelihood, slopes

    def start(self, parameters: np.ndarray) -> State:
        """Return the state before the first step, of which no model error is known."""
        unknown = np.zeros((len(parameters), len(self.streams)))
        pools = self.model.initial_pools(parameters, self.forcing.weather)
        return State(0, pools, unknown, unknown)

    def advance(self, state: State, parameters: np.ndarray, stop: int) -> tuple[np.ndarray, State]:
        """Run from a state to the step ``stop``.

        Parameters
        ----------
        state
            Where the members stand, with the model errors that are expected of them.
        parameters
            (member, parameter), none of them an inflation.

        Returns
        -------
        residuals, state
            (member, observation) residuals of the observations on the way, which from the start
            to the end are the first ``n_observations`` columns of :meth:`residuals`; the state
            before ``stop``.
        """
        self.steps_run += len(parameters) * (stop - state.step)
        weather = self.forcing.weather.between(state.step, stop)
        runs = self.model.resume(state.pools, parameters, weather, self._outputs)
        place = runs.placement
        errors = place.lay_out(np.hstack([state.fast, state.slow]))
        whitener = self._whitener.between(state.step, stop)
        seen = slice(*np.searchsorted(self._whitener.time, (state.step, stop)))
        factors = place.lay_out(self._by_stream(parameters[:, len(self.model.parameters) :], 1.0))
        misfit = whitener.misfit(self._values[seen], runs.record, factors)
        white = whitener.residual(whitener.apply(misfit, errors))
        fast, slow = np.hsplit(place.collect(errors), 2)
        return place.collect(white), State(stop, runs.final_pools, fast, slow)

    def with_drawn_errors(self, state: State, rng: np.random.Generator) -> State:
        """Return the state after the last step with draws of the model errors.

        Parameters
        ----------
        state
            That to which :meth:`advance` came, with expected model errors.
        """
        covariance = state_covariance(self._filters, self.innovation_correlation)
        around = rng.multivariate_normal(
            np.zeros(len(covariance)), covariance, len(state.pools), method="eigh"
        )
        fast, slow = np.hsplit(around, 2)
        return replace(state, fast=state.fast + fast, slow=state.slow + slow)

    def final_state(self, parameters: np.ndarray, rng: np.random.Generator) -> State:
        """Return the state after the last step of runs from the start, with drawn model errors.

        ``parameters`` is (member, parameter).
        """
        end = len(self.forcing.weather)
        ends = [
            self.advance(self.start(some), some, end)[1]
            for some in np.array_split(parameters, -(-len(parameters) // _BATCH))
        ]
        pools, fast, slow = (
            np.concatenate([getattr(part, name) for part in ends])
            for name in ("pools", "fast", "slow")
        )
        return self.with_drawn_errors(State(end, pools, fast, slow), rng)

    def _likelihood_gradient(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-likelihood (member,), and its gradient by the parameters."""
        runs, factors = self._simulate(parameters, keep_path=True)
        self.gradients += len(parameters)
        misfit = self._misfit(runs, factors)
        white = self._whitener.apply(misfit)
        terms, to_parameters, *to_runs = self._constraints.slopes(runs)
        to_misfit = self._whitener.pull_back(-self._whitener.pull(white))
        to_record, to_factors = self._whitener.pull_back_misfit(to_misfit, misfit, factors)
        slopes = to_parameters + self.model.pull_back(
            self.forcing.weather, runs, to_record, *to_runs
        )
        k = self._inflated
        to_factors = to_factors[:, k] - self._counts / factors[:, k]
        collect = runs.placement.collect
        gradient = collect(np.concatenate([slopes, to_factors], axis=1))
        return -0.5 * collect(_squares(self._joined(white, terms, factors))), gradient

    def _residuals(self, runs: Trajectories, factors: np.ndarray) -> np.ndarray:
        """Return residuals of streams, constraints and inflations, (tile, residual, lane)."""
        white = self._whitener.apply(self._misfit(runs, factors))
        return self._joined(white, self._constraints.residuals(runs), factors)

    def _joined(self, white: np.ndarray, terms: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Return (tile, residual, lane) all residuals: of whitened misfits, then ``terms``."""
        parts = self._whitener.residual(white), terms, self._prices(factors)
        return np.concatenate(parts, axis=1)

    def _prices(self, factors: np.ndarray) -> np.ndarray:
        """Return the residuals whose half squares are n ln s, but for a constant."""
        share = factors[:, self._inflated] / self._least
        return np.sqrt(2.0 * self._counts * np.log(share))

    def _simulate(
        self,
        parameters: np.ndarray,
        *,
        outputs: Sequence[str] | None = None,
        keep_path: bool = False,
    ) -> tuple[Trajectories, np.ndarray]:
        """Return runs, and the inflations of all streams (tile, stream, lane).

        For what the streams see, or for other ``outputs``.
        """
        self.steps_run += len(parameters) * len(self.forcing.weather)
        dates = (0, *self.forcing.anniversaries)
        own = len(self.model.parameters)
        runs = self.model.simulate(
            parameters[:, :own], self.forcing.weather,
            self._outputs if outputs is None else outputs, self._constraints.summed, dates,
            keep_path=keep_path,
        )  # fmt: skip
        return runs, runs.placement.lay_out(self._by_stream(parameters[:, own:], 1.0))

    def _by_stream(self, values: np.ndarray, stated: float) -> np.ndarray:
        """Return (row, stream) of values (row, inflation); ``stated`` for streams without one."""
        every = np.full((len(values), len(self.streams)), stated)
        every[:, self._inflated] = values
        return every

    def _misfit(self, runs: Trajectories, factors: np.ndarray) -> np.ndarray:
        """Return observation minus model over its inflation, (tile, observation, lane)."""
        return self._whitener.misfit(self._values, runs.record, factors)


def _squares(residuals: np.ndarray) -> np.ndarray:
    """Return the sum (tile, lane) of the squares of residuals (tile, residual, lane)."""
    return np.einsum("tnl,tnl->tl", residuals, residuals)
