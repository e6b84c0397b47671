"""Model error: what separates the best run of a model from the truth, as a process in time.

The misfit of one stream is ``scale(t) (fast(t) + slow(t)) + e(t)``: ``e`` is the observation's own
random error, independent from day to day; ``fast`` and ``slow`` are first-order autoregressive
processes (weather the model answers wrongly; seasons and years it gets wrong), and ``scale`` is a
yearly cycle, since fluxes are wrong in proportion to how large they are. The Kalman filter of this
two-state process (Harvey 1989, Forecasting, Structural Time Series Models, section 3.4) turns
correlated misfits into independent standard normal ones, at a cost linear in time; its gains depend
on the variances alone, so they are computed once and serve every run of the model.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numba import njit
from scipy.optimize import minimize

from concerto.models.kernels.elementary import FASTMATH

_YEAR = 365.25
_TAU_FAST = 5.0  # d: synoptic weather
_TAU_SLOW = 120.0  # d: a season
_TAU_FACTOR = 2.0  # one prior standard deviation of either time scale
_AMPLITUDE_SD = 0.5  # prior of the yearly cycle of log scale


@dataclass(frozen=True)
class ModelError:
    """The model error of one stream; standard deviations in the unit of the stream.

    ``cosine`` and ``sine`` are the yearly cycle of log ``scale``; e-folding times in days.
    """

    sd_fast: float
    tau_fast: float
    sd_slow: float
    tau_slow: float
    cosine: float = 0.0
    sine: float = 0.0

    def scale(self, season: np.ndarray) -> np.ndarray:
        """Return the yearly cycle (time,) at ``season``, the fraction of the year in [0, 1)."""
        angle = 2.0 * math.pi * season
        return np.exp(self.cosine * np.cos(angle) + self.sine * np.sin(angle))

    def persistence(self, step: float) -> tuple[float, float]:
        """Return the autocorrelation of ``fast`` and ``slow`` over ``step`` days."""
        return math.exp(-step / self.tau_fast), math.exp(-step / self.tau_slow)

    def to_dict(self) -> dict[str, float]:
        """Return the fields as a mapping that :class:`ModelError` takes back."""
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
        fast, slow = self.persistence(step)
        errors = self.sd_fast * _autoregressive(innovations[0], fast)
        errors += self.sd_slow * _autoregressive(innovations[1], slow)
        return errors * self.scale(season)


@dataclass(frozen=True)
class Whitener:
    """The Kalman filter of one stream's misfit, with its gains ready.

    ``apply`` maps misfits to values that are independent and standard normal if the model error
    and the observation errors are as stated; ``log_determinant`` is the logarithm of the Jacobian.
    """

    valid: np.ndarray
    scale: np.ndarray
    gain_fast: np.ndarray
    gain_slow: np.ndarray
    sd: np.ndarray
    covariance: np.ndarray
    error: ModelError
    step: float

    @property
    def log_determinant(self) -> float:
        """Minus the sum of the logarithms of the innovations' standard deviations."""
        return -float(np.sum(np.log(self.sd[self.valid])))

    def apply(self, misfit: np.ndarray) -> np.ndarray:
        """Whiten misfits (tile, time, lane); returns (tile, valid time, lane)."""
        out = np.empty((misfit.shape[0], int(self.valid.sum()), misfit.shape[2]))
        _whiten(
            misfit, self.valid, self.scale, self.gain_fast, self.gain_slow, 1.0 / self.sd,
            *self.error.persistence(self.step), out,
        )  # fmt: skip
        return out

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


def whitener(
    error: ModelError, observation_sd: np.ndarray, season: np.ndarray, step: float
) -> Whitener:
    """Prepare the filter of a stream.

    Parameters
    ----------
    error
        The stream's model error.
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
        np.where(valid, observation_sd, 0.0) ** 2, valid, scale,
        error.sd_fast**2, error.sd_slow**2, fast, slow,
    )  # fmt: skip
    return Whitener(valid, scale, *gains, error, step)


def fit_model_error(
    misfit: np.ndarray, observation_sd: np.ndarray, season: np.ndarray, step: float
) -> ModelError:
    """Estimate the model error that makes a run's misfit most likely.

    Maximum a posteriori with the filter's exact likelihood. Priors are weak and log-normal: the
    standard deviations around half of the misfit's own (a factor of e), the e-folding times around
    5 and 120 days (a factor of 2); the yearly cycle is normal around none (0.5).

    Parameters
    ----------
    misfit
        (time,) observation minus model of a well-fitting run; values without observation are not
        used.
    observation_sd, season, step
        As in :func:`whitener`.
    """
    valid = np.isfinite(observation_sd)
    spread = max(float(np.std(misfit[valid])), 1e-6)
    center = np.array(
        [math.log(0.5 * spread), math.log(_TAU_FAST), math.log(0.5 * spread), math.log(_TAU_SLOW)]
    )
    width = np.array([1.0, math.log(_TAU_FACTOR), 1.0, math.log(_TAU_FACTOR)])
    lanes = np.where(valid, misfit, 0.0)[None, :, None]

    def loss(x: np.ndarray) -> float:
        error = _from_vector(x)
        filtered = whitener(error, observation_sd, season, step)
        white = filtered.apply(lanes)
        prior = np.sum(((x[:4] - center) / width) ** 2) + np.sum((x[4:] / _AMPLITUDE_SD) ** 2)
        return 0.5 * float(np.sum(white**2) + prior) - filtered.log_determinant

    start = np.concatenate([center, [0.0, 0.0]])
    fit = minimize(loss, start, method="L-BFGS-B")
    return _from_vector(fit.x)


def _from_vector(x: np.ndarray) -> ModelError:
    return ModelError(*(float(value) for value in np.exp(x[:4])), float(x[4]), float(x[5]))


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


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _whiten(misfit, valid, scale, gain_fast, gain_slow, per_sd, fast, slow, out):
    tiles, times, lanes = misfit.shape
    for tile in range(tiles):
        state_fast = np.zeros(lanes)
        state_slow = np.zeros(lanes)
        n = 0
        for t in range(times):
            if valid[t]:
                for lane in range(lanes):
                    expected = scale[t] * (state_fast[lane] + state_slow[lane])
                    innovation = misfit[tile, t, lane] - expected
                    out[tile, n, lane] = innovation * per_sd[t]
                    state_fast[lane] = fast * (state_fast[lane] + gain_fast[t] * innovation)
                    state_slow[lane] = slow * (state_slow[lane] + gain_slow[t] * innovation)
                n += 1
            else:
                for lane in range(lanes):
                    state_fast[lane] *= fast
                    state_slow[lane] *= slow


def _smoother_gains(
    covariance: np.ndarray, error: ModelError, fast: float, slow: float
) -> np.ndarray:
    """Return (time, 2, 2): how the smoothed states at a time follow those at the next."""
    persistence = np.array([fast, slow])
    filtered = covariance[:, [[0, 1], [1, 2]]]
    fresh = np.diag((1.0 - persistence**2) * np.array([error.sd_fast, error.sd_slow]) ** 2)
    predicted = persistence[:, None] * filtered * persistence + fresh
    return (filtered * persistence) @ np.linalg.inv(predicted)


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
def _autoregressive(innovations, persistence):
    """Stationary first-order autoregressive series of unit variance, (member, time)."""
    series = np.empty_like(innovations)
    fresh = math.sqrt(1.0 - persistence * persistence)
    for member in range(innovations.shape[0]):
        value = innovations[member, 0]
        series[member, 0] = value
        for t in range(1, innovations.shape[1]):
            value = persistence * value + fresh * innovations[member, t]
            series[member, t] = value
    return series
