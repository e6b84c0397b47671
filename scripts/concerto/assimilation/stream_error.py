"""The errors of a stream: what separates the best run of a model from what is observed.

The misfit of one stream is ``scale(t) (fast(t) + slow(t)) + factor e(t)``: ``e`` is the
observation's own random error, independent from day to day, as its source states it, and
``factor`` corrects that statement. The rest is model error: ``fast`` and ``slow`` are first-order
autoregressive processes (weather the model answers wrongly; seasons and years it gets wrong), and
``scale`` is a yearly cycle, since fluxes are wrong in proportion to how large they are. The Kalman
filter of this two-state process (Harvey 1989, Forecasting, Structural Time Series Models, section
3.4) turns correlated misfits into independent standard normal ones, at a cost linear in time; its
gains depend on the variances alone, so they are computed once and serve every run of the model.

The standardised innovations follow the normal law or one with heavier tails, and all errors of a
stream together may be larger or smaller than stated by an ``inflation`` that is inferred with the
model's parameters.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numba import njit
from scipy.optimize import minimize

from concerto.assimilation.distributions import INFLATION, NORMAL, Distribution
from concerto.models import Parameter
from concerto.models.kernels.elementary import FASTMATH
from concerto.models.kernels.lanes import LANES

_TAU_FAST = 5.0  # d: synoptic weather
_TAU_SLOW = 120.0  # d: a season
_TAU_FACTOR = 2.0  # one prior standard deviation of either time scale

_REST_SD = 0.5  # prior of the yearly cycle of log scale and of the log of the factor


@dataclass(frozen=True)
class StreamError:
    """The errors of one stream; standard deviations in the unit of the stream.

    ``cosine`` and ``sine`` are the yearly cycle of log ``scale``; e-folding times in days;
    ``observation_factor`` multiplies the stated random errors of the observations. Standardised
    innovations follow ``distribution``, Student's law with ``degrees_of_freedom``; ``inflated``
    says that the stated errors hold up to an unknown factor.
    """

    sd_fast: float
    tau_fast: float
    sd_slow: float
    tau_slow: float
    cosine: float = 0.0
    sine: float = 0.0
    observation_factor: float = 1.0
    distribution: str = "normal"
    degrees_of_freedom: float = 4.0
    inflated: bool = False

    @property
    def law(self) -> Distribution:
        """The law of the standardised innovations."""
        return Distribution(self.distribution, self.degrees_of_freedom)

    def scale(self, season: np.ndarray) -> np.ndarray:
        """Return the yearly cycle (time,) at ``season``, the fraction of the year in [0, 1)."""
        angle = 2.0 * math.pi * season
        return np.exp(self.cosine * np.cos(angle) + self.sine * np.sin(angle))

    def persistence(self, step: float) -> tuple[float, float]:
        """Return the autocorrelation of ``fast`` and ``slow`` over ``step`` days."""
        return math.exp(-step / self.tau_fast), math.exp(-step / self.tau_slow)

    def to_dict(self) -> dict[str, float]:
        """Return the fields as a mapping that :class:`StreamError` takes back."""
        return asdict(self)

    def draw(self, season: np.ndarray, step: float, innovations: np.ndarray) -> np.ndarray:
        """Return model errors (member, time) made from standard normal ``innovations``.

        Parameters
        ----------
        season
            (time,) fraction of the year.
        step
            Days between times.
        innovations
            (2, member, time): those of ``fast`` and of ``slow``.
        """
        spread = np.array([self.sd_fast, self.sd_slow])
        return self.run_on(season, step, spread[:, None] * innovations[:, :, 0], innovations)

    def run_on(
        self, season: np.ndarray, step: float, states: np.ndarray, innovations: np.ndarray
    ) -> np.ndarray:
        """Return model errors (member, time) that start from known ``fast`` and ``slow``.

        Parameters
        ----------
        season, step, innovations
            As in :meth:`draw`; the innovations of the first time are not used.
        states
            (2, member) ``fast`` and ``slow`` at the first time.
        """
        fast, slow = self.persistence(step)
        errors = _autoregressive(states[0], self.sd_fast * innovations[0], fast)
        errors += _autoregressive(states[1], self.sd_slow * innovations[1], slow)
        return errors * self.scale(season)


@dataclass(frozen=True)
class StreamFilter:
    """The Kalman filter of one stream's misfit, with its gains ready; all arrays (time,).

    ``sd`` is the standard deviation of an innovation; ``covariance`` (time, 3) that of the states
    ``fast`` and ``slow`` after each time's observation: fast, cross, slow.
    """

    error: StreamError
    step: float
    valid: np.ndarray
    scale: np.ndarray
    gain_fast: np.ndarray
    gain_slow: np.ndarray
    sd: np.ndarray
    covariance: np.ndarray

    @property
    def log_determinant(self) -> float:
        """Logarithm of the Jacobian of whitening."""
        return -float(np.sum(np.log(self.sd[self.valid])))

    def effective_number(self, observation_sd: np.ndarray) -> float:
        """Return s'C^-1 s of the errors' standard deviations s and covariance C.

        ``observation_sd`` (time,) as :func:`stream_filter` has it.
        """
        error = self.error
        model = self.scale * math.hypot(error.sd_fast, error.sd_slow)
        sd = np.hypot(model, error.observation_factor * np.where(self.valid, observation_sd, 0.0))
        return float(np.sum(_whiten_one(self, sd[self.valid]) ** 2))

    def expect(self, misfit: np.ndarray) -> np.ndarray:
        """Return the model error expected at every time, given all misfits (member, time).

        The fixed-interval smoother of Rauch, Tung & Striebel (1965, AIAA J. 3, 1445).
        """
        fast, slow = self.error.persistence(self.step)
        back = _smoother_gains(self.covariance, self.error, fast, slow)
        out = np.empty_like(misfit)
        _smooth(
            misfit, self.valid, self.scale, self.gain_fast, self.gain_slow, fast, slow, back, out
        )
        return out


class Whitener:
    """Turns misfits of all streams into independent standard normal values.

    Each stream by its filter; then, at times that streams share, by the inverse Cholesky factor of
    the correlation of their innovations. Misfits are those of the observations alone, which run
    through the streams of a time, then to the next time, as whitened ones do.

    Parameters
    ----------
    filters
        The filter of each stream.
    correlation
        (stream, stream) of innovations at the same time.
    """

    def __init__(self, filters: Sequence[StreamFilter], correlation: np.ndarray) -> None:
        self._see(np.stack([f.valid for f in filters]))
        self._laws = [(k, f.error.law) for k, f in enumerate(filters)]
        self._parts = (
            np.stack([f.scale for f in filters]),
            np.stack([f.gain_fast for f in filters]),
            np.stack([f.gain_slow for f in filters]),
            1.0 / np.stack([f.sd for f in filters]),
            # of every lane, in the order of the states
            np.repeat(np.array([f.error.persistence(f.step) for f in filters]).T, LANES),
            _mixing(self.valid, correlation),
        )

    def _see(self, valid: np.ndarray) -> None:
        self.valid = valid
        self.time, self.stream = np.nonzero(valid.T)

    @property
    def n_observations(self) -> int:
        """Number of observations of all streams together."""
        return len(self.stream)

    def between(self, start: int, stop: int) -> Whitener:
        """Return the whitener of the times from ``start`` on, before ``stop``."""
        part = copy.copy(self)
        *of_streams, persistence, mixing = self._parts
        valid, *of_streams = (
            np.ascontiguousarray(values[:, start:stop]) for values in (self.valid, *of_streams)
        )
        part._see(valid)
        part._parts = (*of_streams, persistence, mixing[start:stop])
        return part

    def misfit(self, values: np.ndarray, record: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Return observation minus model over the inflation of its stream.

        Parameters
        ----------
        values
            (observation,) what was observed.
        record
            (tile, time, stream, LANES) what the model shows of every stream at every time.
        factors
            (tile, stream, LANES) inflations of the errors, 1 for errors as they are stated.

        Returns
        -------
        numpy.ndarray
            (tile, observation, LANES).
        """
        misfit = np.empty((len(record), self.n_observations, LANES))
        _misfit(values, record, factors, self.time, self.stream, misfit)
        return misfit

    def change(
        self,
        record: np.ndarray,
        misfit: np.ndarray,
        per_factor: np.ndarray,
        factors: np.ndarray,
        members: np.ndarray,
    ) -> np.ndarray:
        """Return how misfits change along directions, whose changes the tiles hold.

        Parameters
        ----------
        record
            (tile, time, stream, LANES) changes of what the model shows.
        misfit, per_factor
            (member, observation) what :meth:`misfit` returned, and (member, stream) one over the
            inflations.
        factors
            (tile, stream, LANES) changes of inflations over the inflations.
        members
            (tile,) whose directions a tile holds.

        Returns
        -------
        numpy.ndarray
            (tile, observation, LANES).
        """
        change = np.empty((len(record), self.n_observations, LANES))
        _change(record, misfit, per_factor, factors, members, self.time, self.stream, change)
        return change

    def pull_back_misfit(
        self, weights: np.ndarray, misfit: np.ndarray, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Apply the transposed derivative of :meth:`misfit`.

        Parameters
        ----------
        weights
            (tile, observation, LANES) of misfits.
        misfit, factors
            What :meth:`misfit` returned, and what it was given.

        Returns
        -------
        record, factors
            (tile, time, stream, LANES), 0 where there is no observation, and (tile, stream, LANES):
            weights of those arguments of :meth:`misfit`.
        """
        streams, times = self.valid.shape
        to_record = np.zeros((len(misfit), times, streams, LANES))
        to_factors = np.zeros(factors.shape)
        _pull_back_misfit(weights, misfit, factors, self.time, self.stream, to_record, to_factors)
        return to_record, to_factors

    def apply(
        self,
        misfit: np.ndarray,
        states: np.ndarray | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Whiten misfits.

        Parameters
        ----------
        misfit
            (tile, observation, LANES).
        states
            (tile, 2 * stream, LANES) what is expected of every stream's ``fast``, then of every
            ``slow``, at the first time; overwritten by what is expected at the time after the last.
            None for nothing known, which is zeros.
        out
            Where to write, (tile, observation or more, LANES); anew if left out.

        Returns
        -------
        numpy.ndarray
            (tile, observation, LANES), or ``out``.
        """
        white = np.empty(misfit.shape) if out is None else out
        if states is None:
            states = np.zeros((len(misfit), 2 * len(self.valid), LANES))
        _whiten(misfit, self.valid, *self._parts, states, white)
        return white

    def colour(self, white: np.ndarray) -> np.ndarray:
        """Undo :meth:`apply`: turn independent values into misfits that are related as stated.

        Both (tile, observation, LANES); standard normal values give draws of the errors.
        """
        misfit = np.empty(white.shape)
        _colour(white, self.valid, *self._parts, misfit)
        return misfit

    def residual(self, white: np.ndarray) -> np.ndarray:
        """Return the residuals of whitened misfits, both (tile, observation, LANES).

        Half their squares are minus the log-likelihood under each stream's law of errors.
        """
        return self._by_law(white, Distribution.residual)

    def pull(self, white: np.ndarray) -> np.ndarray:
        """Return the derivative of minus the log-likelihood by the whitened misfits."""
        return self._by_law(white, Distribution.pull)

    def slope(self, white: np.ndarray) -> np.ndarray:
        """Return the derivative of :meth:`residual`."""
        return self._by_law(white, Distribution.slope)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return whitened misfits (observation,) as each stream's law of errors has them."""
        white = np.empty(self.n_observations)
        for k, law in self._laws:
            own = self.stream == k
            white[own] = law.draw((int(own.sum()),), rng)
        return white

    def _by_law(self, white: np.ndarray, transform: Callable) -> np.ndarray:
        if all(law.name == NORMAL.name for _, law in self._laws):
            return transform(NORMAL, white)
        out = np.empty_like(white)
        for k, law in self._laws:
            out[:, self.stream == k] = transform(law, white[:, self.stream == k])
        return out

    def pull_back(self, white: np.ndarray) -> np.ndarray:
        """Apply the transpose of whitening.

        To weights of whitened misfits; returns those of misfits, both (tile, observation, LANES).
        """
        weights = np.empty(white.shape)
        _pull_back(white, self.valid, *self._parts, weights)
        return weights


def draw_innovations(
    correlation: np.ndarray, members: int, times: int, rng: np.random.Generator
) -> np.ndarray:
    """Return (stream, 2, member, time) standard normal drivers of ``fast`` and ``slow``.

    Those of different streams are correlated by ``correlation`` (stream, stream).
    """
    shape = (len(correlation), 2, members, times)
    factor = np.linalg.cholesky(correlation)
    return np.einsum("ij,jkmt->ikmt", factor, rng.standard_normal(shape))


def state_covariance(filters: Sequence[StreamFilter], correlation: np.ndarray) -> np.ndarray:
    """Return how uncertain the model errors are at the time after the last.

    Of the difference between ``fast`` and ``slow`` and what the filters expect of them, given all
    observations, for streams whose drivers are correlated. Each stream is filtered by itself, so
    its own covariance is that of its filter; that of two streams is shut by the gains of both.

    Returns
    -------
    numpy.ndarray
        (2 * stream, 2 * stream) of every stream's ``fast``, then of every ``slow``.
    """
    n = len(filters)
    persistence = np.array([f.error.persistence(f.step) for f in filters]).T.ravel()
    spread = np.array([(f.error.sd_fast, f.error.sd_slow) for f in filters]).T.ravel()
    stationary = np.kron(np.eye(2), correlation) * np.outer(spread, spread)
    share = np.sqrt(1.0 - persistence * persistence)
    fresh, carried = np.outer(share, share) * stationary, np.outer(persistence, persistence)
    gains = np.stack([[f.gain_fast * f.scale for f in filters],
                      [f.gain_slow * f.scale for f in filters]])  # fmt: skip
    covariance = stationary
    for gain_fast, gain_slow in np.moveaxis(gains, 2, 0):
        to_fast, to_slow = np.diag(gain_fast), np.diag(gain_slow)
        kept = np.eye(2 * n) - np.block([[to_fast, to_fast], [to_slow, to_slow]])
        covariance = carried * (kept @ covariance @ kept.T) + fresh
    for k, f in enumerate(filters):
        own = np.ix_([k, n + k], [k, n + k])
        covariance[own] = carried[own] * f.covariance[-1][[[0, 1], [1, 2]]] + fresh[own]
    return covariance


def stream_filter(
    error: StreamError, observation_sd: np.ndarray, season: np.ndarray, step: float
) -> StreamFilter:
    """Prepare the filter of a stream.

    Parameters
    ----------
    error
        The stream's errors.
    observation_sd
        (time,) random error of each observation; NaN where there is none.
    season
        (time,) fraction of the year.
    step
        Days between times.
    """
    valid = np.isfinite(observation_sd)
    scale = error.scale(season)
    fast, slow = error.persistence(step)
    gains = _filter_gains(
        np.where(valid, error.observation_factor * observation_sd, 0.0) ** 2, valid, scale,
        error.sd_fast**2, error.sd_slow**2, fast, slow,
    )  # fmt: skip
    return StreamFilter(error, step, valid, scale, *gains)


def fit_stream_error(
    misfit: np.ndarray,
    observation_sd: np.ndarray,
    season: np.ndarray,
    step: float,
    law: Distribution = NORMAL,
) -> StreamError:
    """Estimate the errors that make a run's misfit most likely.

    Maximum a posteriori with the filter's exact likelihood. Priors are weak and log-normal: the
    standard deviations around half of the misfit's own (a factor of e), the e-folding times around
    5 and 120 days (a factor of 2), the factor of the observations' errors around 1 (a factor of
    1.6); the yearly cycle is normal around none (0.5).

    Parameters
    ----------
    misfit
        (time,) observation minus model of a well-fitting run; values without observation are not
        used.
    observation_sd, season, step
        As in :func:`stream_filter`.
    law
        Of the standardised innovations.
    """
    valid = np.isfinite(observation_sd)
    spread = max(float(np.std(misfit[valid])), 1e-6)
    center = np.array(
        [math.log(0.5 * spread), math.log(_TAU_FAST), math.log(0.5 * spread), math.log(_TAU_SLOW)]
    )
    width = np.array([1.0, math.log(_TAU_FACTOR), 1.0, math.log(_TAU_FACTOR)])
    observed = misfit[valid]

    def loss(x: np.ndarray) -> float:
        filtered = stream_filter(_from_vector(x, law), observation_sd, season, step)
        squares = 2.0 * float(law.loss(_whiten_one(filtered, observed)).sum())
        prior = np.sum(((x[:4] - center) / width) ** 2) + np.sum((x[4:] / _REST_SD) ** 2)
        return 0.5 * (squares + float(prior)) - filtered.log_determinant

    start = np.concatenate([center, np.zeros(3)])
    fit = minimize(loss, start, method="L-BFGS-B")
    return _from_vector(fit.x, law)


def inflation(stream: str) -> Parameter:
    """Return the unknown factor of all errors of a stream.

    Log-normal around one: the stated errors are believed to within a factor of 1.5.
    """
    return Parameter(
        name=f"{INFLATION}{stream}",
        unit="1",
        min=0.5,
        max=4.0,
        prior="log-normal",
        description=f"factor of the stated errors of {stream}, of model and observation together",
        source="own choice",
        median=1.0,
        factor=1.5,
    )


def _whiten_one(filtered: StreamFilter, misfit: np.ndarray) -> np.ndarray:
    """Return the whitened misfits (observation,) of one run and one stream."""
    lanes = np.repeat(misfit[None, :, None], LANES, axis=2)
    return Whitener([filtered], np.eye(1)).apply(lanes)[0, :, 0]


def _from_vector(x: np.ndarray, law: Distribution) -> StreamError:
    return StreamError(
        *(float(value) for value in np.exp(x[:4])), float(x[4]), float(x[5]), math.exp(x[6]),
        law.name, law.degrees_of_freedom,
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _filter_gains(observation_variance, valid, scale, fast_variance, slow_variance, fast, slow):
    """Gains of the two states and the innovation's standard deviation, each (time,).

    Last, the covariance of the two states after each time's observation: fast, cross, slow.
    """
    n = scale.size
    gain_fast = np.zeros(n)
    gain_slow = np.zeros(n)
    sd = np.ones(n)
    covariance = np.empty((n, 3))
    p_ff, p_fs, p_ss = fast_variance, 0.0, slow_variance
    for t in range(n):
        if valid[t]:
            s = scale[t]
            c_f = s * (p_ff + p_fs)
            c_s = s * (p_fs + p_ss)
            variance = s * (c_f + c_s) + observation_variance[t]
            gain_fast[t] = c_f / variance
            gain_slow[t] = c_s / variance
            sd[t] = math.sqrt(variance)
            p_ff -= gain_fast[t] * c_f
            p_fs -= gain_fast[t] * c_s
            p_ss -= gain_slow[t] * c_s
        covariance[t] = p_ff, p_fs, p_ss
        p_ff = fast * fast * p_ff + (1.0 - fast * fast) * fast_variance
        p_fs = fast * slow * p_fs
        p_ss = slow * slow * p_ss + (1.0 - slow * slow) * slow_variance
    return gain_fast, gain_slow, sd, covariance


def _mixing(valid: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Return (time, stream, stream): the inverse Cholesky factor for the streams of each time."""
    mixing = np.zeros((valid.shape[1], len(valid), len(valid)))
    for pattern in np.unique(valid, axis=1).T:
        streams = np.flatnonzero(pattern)
        times = np.flatnonzero(np.all(valid == pattern[:, None], axis=0))
        factor = np.linalg.inv(np.linalg.cholesky(correlation[np.ix_(streams, streams)]))
        mixing[np.ix_(times, streams, streams)] = factor
    return mixing


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _misfit(values, record, factors, time, stream, misfit):
    for tile in range(len(misfit)):
        for n in range(values.size):
            t, k = time[n], stream[n]
            for lane in range(LANES):
                shown = record[tile, t, k, lane]
                misfit[tile, n, lane] = (values[n] - shown) / factors[tile, k, lane]


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _change(record, misfit, per_factor, factors, members, time, stream, change):
    # what the model shows is taken away from the observations, then divided by the inflation
    for tile in range(len(change)):
        member = members[tile]
        for n in range(time.size):
            t, k = time[n], stream[n]
            per, rest = per_factor[member, k], misfit[member, n]
            for lane in range(LANES):
                shown = record[tile, t, k, lane] * per
                change[tile, n, lane] = -(shown + rest * factors[tile, k, lane])


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _pull_back_misfit(weights, misfit, factors, time, stream, to_record, to_factors):
    for tile in range(len(misfit)):
        for n in range(time.size):
            t, k = time[n], stream[n]
            for lane in range(LANES):
                change = -weights[tile, n, lane] / factors[tile, k, lane]
                to_record[tile, t, k, lane] = change
                to_factors[tile, k, lane] += change * misfit[tile, n, lane]


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _whiten(misfit, valid, scale, gain_fast, gain_slow, per_sd, persistence, mixing, states, white):
    # flat buffers and a known number of lanes let LLVM vectorise the inner loops
    streams, times = valid.shape
    slow_at = streams * LANES
    innovations = np.empty(slow_at)
    held = np.empty(2 * slow_at)
    for tile in range(len(white)):
        known = states[tile].ravel()
        held[:] = known
        n = 0
        for t in range(times):
            for k in range(streams):
                if valid[k, t]:
                    g_fast, g_slow = gain_fast[k, t], gain_slow[k, t]
                    s, per = scale[k, t], per_sd[k, t]
                    at = k * LANES
                    for lane in range(LANES):
                        innovations[at + lane] = misfit[tile, n, lane]
                    for i in range(at, at + LANES):
                        innovation = innovations[i] - s * (held[i] + held[slow_at + i])
                        innovations[i] = innovation * per
                        held[i] += g_fast * innovation
                        held[slow_at + i] += g_slow * innovation
                    mixed = white[tile, n]
                    mixed[:] = 0.0
                    for other in range(k + 1):
                        weight = mixing[t, k, other]
                        if weight != 0.0:
                            for lane in range(LANES):
                                mixed[lane] += weight * innovations[other * LANES + lane]
                    n += 1
            for i in range(held.size):
                held[i] *= persistence[i]
        known[:] = held


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _colour(white, valid, scale, gain_fast, gain_slow, per_sd, persistence, mixing, misfit):
    """Run the inverse of ``_whiten``: its filter, told the innovations in place of the misfits."""
    streams, times = valid.shape
    slow_at = streams * LANES
    innovations = np.empty(slow_at)
    held = np.empty(2 * slow_at)
    rest = np.empty(LANES)
    for tile in range(len(white)):
        held[:] = 0.0
        n = 0
        for t in range(times):
            for k in range(streams):
                if valid[k, t]:
                    g_fast, g_slow = gain_fast[k, t], gain_slow[k, t]
                    s, per = scale[k, t], per_sd[k, t]
                    for lane in range(LANES):
                        rest[lane] = white[tile, n, lane]
                    for other in range(k):
                        weight = mixing[t, k, other]
                        if weight != 0.0:
                            for lane in range(LANES):
                                rest[lane] -= weight * innovations[other * LANES + lane]
                    for lane in range(LANES):
                        i = k * LANES + lane
                        innovations[i] = rest[lane] / mixing[t, k, k]
                        innovation = innovations[i] / per
                        misfit[tile, n, lane] = innovation + s * (held[i] + held[slow_at + i])
                        held[i] += g_fast * innovation
                        held[slow_at + i] += g_slow * innovation
                    n += 1
            for i in range(held.size):
                held[i] *= persistence[i]


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _pull_back(white, valid, scale, gain_fast, gain_slow, per_sd, persistence, mixing, weights):
    """Run the transpose of ``_whiten``, backwards in time."""
    streams, times = valid.shape
    slow_at = streams * LANES
    to_held = np.empty(2 * slow_at)
    mixed = np.zeros(slow_at)
    for tile in range(len(white)):
        to_held[:] = 0.0
        n = white.shape[1]
        for t in range(times - 1, -1, -1):
            for i in range(to_held.size):
                to_held[i] *= persistence[i]
            for k in range(streams - 1, -1, -1):
                if valid[k, t]:
                    n -= 1
                    for other in range(k + 1):
                        weight = mixing[t, k, other]
                        if weight != 0.0:
                            for lane in range(LANES):
                                mixed[other * LANES + lane] += weight * white[tile, n, lane]
                    g_fast, g_slow = gain_fast[k, t], gain_slow[k, t]
                    s, per = scale[k, t], per_sd[k, t]
                    for lane in range(LANES):
                        i = k * LANES + lane
                        weight = (
                            mixed[i] * per + g_fast * to_held[i] + g_slow * to_held[slow_at + i]
                        )
                        weights[tile, n, lane] = weight
                        to_held[i] -= s * weight
                        to_held[slow_at + i] -= s * weight
                        mixed[i] = 0.0


def _smoother_gains(
    covariance: np.ndarray, error: StreamError, fast: float, slow: float
) -> np.ndarray:
    """Return (time, 2, 2): how the smoothed states at a time follow those at the next."""
    persistence = np.array([fast, slow])
    filtered = covariance[:, [[0, 1], [1, 2]]]
    fresh = np.diag((1.0 - persistence**2) * np.array([error.sd_fast, error.sd_slow]) ** 2)
    predicted = persistence[:, None] * filtered * persistence + fresh
    return (filtered * persistence) @ np.linalg.pinv(predicted, hermitian=True)


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth(misfit, valid, scale, gain_fast, gain_slow, fast, slow, back, out):
    members, times = misfit.shape
    states = np.empty((times, 2))
    for member in range(members):
        x_fast, x_slow = 0.0, 0.0
        for t in range(times):
            if t > 0:
                x_fast, x_slow = fast * x_fast, slow * x_slow
            if valid[t]:
                innovation = misfit[member, t] - scale[t] * (x_fast + x_slow)
                x_fast += gain_fast[t] * innovation
                x_slow += gain_slow[t] * innovation
            states[t] = x_fast, x_slow
        out[member, times - 1] = scale[times - 1] * (x_fast + x_slow)
        for t in range(times - 2, -1, -1):
            d_fast = x_fast - fast * states[t, 0]
            d_slow = x_slow - slow * states[t, 1]
            x_fast = states[t, 0] + back[t, 0, 0] * d_fast + back[t, 0, 1] * d_slow
            x_slow = states[t, 1] + back[t, 1, 0] * d_fast + back[t, 1, 1] * d_slow
            out[member, t] = scale[t] * (x_fast + x_slow)


@njit(cache=True, error_model="numpy")
def _autoregressive(first, innovations, persistence):
    """First-order autoregressive series from ``first`` (member,) on, (member, time)."""
    series = np.empty_like(innovations)
    fresh = math.sqrt(1.0 - persistence * persistence)
    for member in range(innovations.shape[0]):
        value = first[member]
        series[member, 0] = value
        for t in range(1, innovations.shape[1]):
            value = persistence * value + fresh * innovations[member, t]
            series[member, t] = value
    return series
