"""Priors, and the three spaces in which methods work.

``unit``: each parameter between 0 and 1, linear in the parameter or, for logarithmic priors, in the
logarithm of its distance from its ``origin``, mostly 0; a day of the year is a fraction of the
circle. Products that the data determine are straight ridges here, which suits samplers.

``soft``: unit space with soft ends, which suits samplers that follow the gradient. It is unbounded;
inside it is unit space itself, so that straight ridges stay straight, and an end is approached
exponentially. A fraction of the circle may run on past 1.

``z``: unbounded, with a standard normal prior, which suits methods that add and average members. A
bounded parameter sits at the normal probability of its ``z``; a day of the year is the direction of
two components of ``z``, so that 31 December and 1 January are neighbours.

A normal and a log-normal prior are a normal score, of the parameter or of its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numba import njit
from scipy.special import ndtr, ndtri

from concerto.errors import InputError
from concerto.models import Parameter

_SOFTNESS = 0.05  # of the range: how far from its ends the soft space bends
_HALF = math.exp(-0.5 / _SOFTNESS)  # what is left of an end in the middle of the soft space
_WHOLE = 1.0 - _HALF * _HALF
_EDGE = 1e-6  # of the range: what lies closer to an end is taken to lie there
_INSIDE = 0.02  # of the range: the centre of what a place is told is no closer to an end
_FARTHEST = 4.0  # standard deviations of a normal prior from its range
KINDS = ("uniform", "log-uniform", "normal", "log-normal", "circular")


class Prior:
    """The joint prior of a model's parameters, independent of each other.

    Parameters
    ----------
    parameters
        The parameters, in the order of the model's parameter vector.
    origin
        Where they come from, for messages.

    Raises
    ------
    InputError
        If a range is empty or far from a normal prior's center, a kind is unknown, or a logarithmic
        prior reaches zero.
    """

    def __init__(self, parameters: Sequence[Parameter], origin: str = "prior") -> None:
        for parameter in parameters:
            _check(parameter, origin)
        self.parameters = tuple(parameters)
        self.origin = origin
        self.circular = np.array([parameter.prior == "circular" for parameter in parameters])
        self.size = len(parameters) + int(self.circular.sum())
        self._logarithmic = np.array([p.prior.startswith("log") for p in parameters])
        self._origin = np.array(
            [p.origin if p.prior.startswith("log") else 0.0 for p in parameters]
        )
        low, high = (
            self._linear(np.array([getattr(p, b) for p in parameters], dtype=float))
            for b in ("min", "max")
        )
        self._low, self._width = low, high - low
        self._center, self._spread = np.array([_score_scale(p) for p in parameters]).T
        self._column = np.cumsum(1 + self.circular) - (1 + self.circular)  # the first in ``z``
        self._ends = np.array([(p.min, p.max) for p in parameters], dtype=float).T
        plain = self._plain(self._ends)
        self._start, self._per_share = plain[0], plain[1] - plain[0]
        self._normal = np.isfinite(self._spread)
        below, above = ndtr((plain - self._center) / self._spread)[:, self._normal]
        self._below, self._within = below, above - below
        self._laws = self._logarithmic, self._origin, self._width, self._center, self._spread

    def columns(self, parameters: Sequence[int]) -> np.ndarray:
        """Return the columns of ``z`` that some of the parameters have, in their order."""
        ends = self._column + 1 + self.circular
        return np.concatenate([np.arange(self._column[k], ends[k]) for k in parameters])

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Return (member, size) draws of ``z``."""
        return rng.standard_normal((members, self.size))

    def parameters_of(self, z: np.ndarray) -> np.ndarray:
        """Return the parameters (member, parameter), in their units, of ``z`` (member, size)."""
        share = ndtr(z[:, self._column])
        first = self._column[self.circular]
        share[:, self.circular] = np.arctan2(z[:, first + 1], z[:, first]) / (2.0 * math.pi) % 1.0
        parameters = self._start + share * self._per_share
        normal = self._normal
        scores = ndtri(self._below + share[:, normal] * self._within)
        parameters[:, normal] = self._center[normal] + self._spread[normal] * scores
        np.exp(parameters, out=parameters, where=self._logarithmic)
        return np.clip(parameters, *self._ends)  # round-off at the bounds

    def z_of(self, parameters: np.ndarray) -> np.ndarray:
        """Return a ``z`` (member, size) of parameters (member, parameter) in their units.

        Of those that a day of the year has, that at a distance of one from the origin.
        """
        plain = self._plain(parameters)
        share = (plain - self._start) / self._per_share
        normal = self._normal
        scores = (plain[:, normal] - self._center[normal]) / self._spread[normal]
        share[:, normal] = (ndtr(scores) - self._below) / self._within
        z = np.empty((len(parameters), self.size))
        z[:, self._column] = ndtri(np.clip(share, _EDGE, 1.0 - _EDGE))
        first, angle = self._column[self.circular], 2.0 * math.pi * share[:, self.circular]
        z[:, first], z[:, first + 1] = np.cos(angle), np.sin(angle)
        return z

    def slopes(self, z: np.ndarray) -> np.ndarray:
        """Return (member, parameter, size), how parameters change with ``z`` (member, size).

        A day of the year has no slope where both of its components are 0; 0 is returned there.
        """
        slopes = np.zeros((len(z), len(self.parameters), self.size))
        each, column, values = np.arange(len(self.parameters)), self._column, self.parameters_of(z)
        per_share = np.tile(self._per_share, (len(z), 1))
        density = np.exp(-0.5 * z[:, column] ** 2) / math.sqrt(2.0 * math.pi)
        normal = self._normal
        plain = self._plain(values)
        score = (plain[:, normal] - self._center[normal]) / self._spread[normal]
        peak = math.sqrt(2.0 * math.pi) * self._spread[normal] * self._within
        per_share[:, normal] = peak * np.exp(0.5 * score**2)
        slopes[:, each, column] = per_share * density * np.where(self._logarithmic, values, 1.0)
        around, first = each[self.circular], column[self.circular]
        a, b = z[:, first], z[:, first + 1]
        square = np.maximum(a * a + b * b, np.finfo(float).tiny)
        per_angle = self._per_share[self.circular] / (2.0 * math.pi)
        slopes[:, around, first] = -per_angle * b / square
        slopes[:, around, first + 1] = per_angle * a / square
        return slopes

    def to_unit(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member, parameter) in unit space."""
        return np.clip((self._linear(parameters) - self._low) / self._width, 0.0, 1.0)

    def to_parameters(self, unit: np.ndarray) -> np.ndarray:
        """Return the parameters (member, parameter), in their units, of a point in unit space."""
        parameters = unit * self._width
        parameters += self._low
        np.exp(parameters, out=parameters, where=self._logarithmic)
        parameters += self._origin
        return parameters

    def log_density(self, unit: np.ndarray) -> np.ndarray:
        """Return (member,) log prior density in unit space up to a constant; -inf outside."""
        inside = ((unit >= 0.0) & (unit <= 1.0)).all(axis=1)
        density = np.empty(len(unit))
        _density(self.to_parameters(np.clip(unit, 0.0, 1.0)), *self._laws, density)
        return np.where(inside, density, -np.inf)

    def from_soft(self, soft: np.ndarray) -> np.ndarray:
        """Return the point in unit space of one in soft space, both (member, parameter)."""
        unit = np.empty(soft.shape)
        _from_soft(soft, self.circular, unit)
        return unit

    def to_soft(self, unit: np.ndarray) -> np.ndarray:
        """Return the point in soft space of one in unit space; the ends themselves move inside."""
        inside = np.clip(unit, _EDGE, 1.0 - _EDGE)
        up, down = np.expm1(inside / _SOFTNESS), -np.expm1((inside - 1.0) / _SOFTNESS)
        return np.where(self.circular, unit, _SOFTNESS * (np.log(up) - np.log(down)))

    def log_slope(self, soft: np.ndarray) -> np.ndarray:
        """Return (member,) the logarithm of the change of unit space with soft space."""
        total = np.empty(len(soft))
        _log_slope(soft, self.circular, total)
        return total

    def soft_density(
        self, soft: np.ndarray, parameters: np.ndarray, slopes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the log prior density in soft space, and the gradient of it and of what follows.

        Parameters
        ----------
        soft, parameters
            (member, parameter) the same point in soft space and in the parameters' units.
        slopes
            (member, parameter) gradient of something with respect to the parameters.

        Returns
        -------
        density, gradient
            (member,) up to a constant; (member, parameter) with respect to ``soft``, of the sum of
            the density and the something.
        """
        density, gradient = np.empty(len(soft)), np.empty(soft.shape)
        _soft_density(soft, parameters, slopes, self.circular, *self._laws, density, gradient)
        return density, gradient

    def _plain(self, parameters: np.ndarray) -> np.ndarray:
        """Return parameters, or their logarithms where the prior is of these."""
        return np.log(parameters, out=parameters.copy(), where=self._logarithmic)

    def _linear(self, parameters: np.ndarray) -> np.ndarray:
        shifted = np.where(self._logarithmic, parameters - self._origin, 1.0)
        return np.where(self._logarithmic, np.log(shifted), parameters)


def told(prior: Prior, centre: np.ndarray, spread: np.ndarray) -> Prior:
    """Return the prior of a place that was told about its parameters.

    A normal one about its centre on the scale of the parameter's own prior, the logarithm for
    logarithmic ones, cut off at the same ends; that of a day of the year half a turn from its
    centre, so that it may run on past the new year. It has one column of ``z``, no longer two:
    :func:`columns_told` has which, :func:`around` brings its values home.

    Parameters
    ----------
    prior
        What all places have.
    centre
        Parameters (parameter,) in their units; those at an end move inside.
    spread
        Standard deviations (parameter,) in unit space.
    """
    unit = prior.to_unit(centre[None])
    inside = prior.to_parameters(np.clip(unit, _INSIDE, 1.0 - _INSIDE))[0]
    inside[prior.circular] = centre[prior.circular]
    parameters = [_told(*each) for each in zip(prior.parameters, inside, spread, strict=True)]
    return Prior(parameters, prior.origin)


def columns_told(prior: Prior, own: Prior) -> np.ndarray:
    """Return the columns of ``z`` of a ``prior`` that stand for those of a place's ``own``.

    Of a day of the year that was told, the first of two. The place may have fewer parameters.
    """
    names = [parameter.name for parameter in prior.parameters]
    found = []
    for parameter, circular in zip(own.parameters, own.circular, strict=True):
        columns = prior.columns([names.index(parameter.name)])
        found.append(columns if circular else columns[:1])
    return np.concatenate(found)


def around(prior: Prior, parameters: np.ndarray) -> np.ndarray:
    """Return parameters (member, parameter) with days of the year within the range of a prior."""
    low, high = (np.array([getattr(p, end) for p in prior.parameters]) for end in ("min", "max"))
    home = low + (parameters - low) % (high - low)
    return np.where(prior.circular, home, parameters)


def _told(parameter: Parameter, centre: float, spread: float) -> Parameter:
    low, high = parameter.min, parameter.max
    if parameter.prior == "circular":
        half = 0.5 * (high - low)
        ends = {"min": float(centre) - half, "max": float(centre) + half}
        return replace(
            parameter, prior="normal", mean=float(centre), sd=spread * 2.0 * half, **ends
        )
    if not parameter.prior.startswith("log"):
        return replace(parameter, prior="normal", mean=float(centre), sd=spread * (high - low))
    width = math.log((high - parameter.origin) / (low - parameter.origin))
    logarithm = spread * width * (centre - parameter.origin) / centre
    return replace(parameter, prior="log-normal", median=float(centre), factor=math.exp(logarithm))


@njit(forceinline=True, error_model="numpy")
def _unit_law(value, logarithmic, origin, width, center, spread):
    """Log density of a parameter in unit space, its slope there, and the parameter's own."""
    if not logarithmic:
        score = (value - center) / spread
        return -0.5 * score * score, -width * score / spread, width
    # the prior is a density of ln x, and unit space is linear in ln(x - origin)
    share = origin / value
    score = (math.log(value) - center) / spread
    slope = width * (share - (1.0 - share) * score / spread)
    return math.log1p(-share) - 0.5 * score * score, slope, width * (value - origin)


@njit(forceinline=True, error_model="numpy")
def _soft_law(soft, circular):
    """Logarithm of the slope of unit space in soft space, its own slope, and the slope itself."""
    if circular:
        return 0.0, 0.0, 1.0
    out = abs(soft - 0.5) / _SOFTNESS
    fading = math.exp(-out)
    ends = (1.0 + _HALF * fading) * (_HALF + fading)  # the farther, then the nearer
    bend = _HALF * (1.0 - fading * fading) / (ends * _SOFTNESS)
    slope = _WHOLE / ends
    return math.log(slope) - out, math.copysign(bend, 0.5 - soft), slope * fading


@njit(cache=True, nogil=True, error_model="numpy")
def _from_soft(soft, circular, unit):
    members, parameters = soft.shape
    for m in range(members):
        for k in range(parameters):
            if circular[k]:
                unit[m, k] = soft[m, k] % 1.0
            else:
                # from the nearer end, for both are alike
                fading = math.exp(-abs(soft[m, k] - 0.5) / _SOFTNESS)
                rise = _WHOLE * fading / (_HALF * (1.0 + _HALF * fading))
                within = _SOFTNESS * math.log1p(rise)
                unit[m, k] = within if soft[m, k] < 0.5 else 1.0 - within


@njit(cache=True, nogil=True, error_model="numpy")
def _log_slope(soft, circular, total):
    members, parameters = soft.shape
    total[:] = 0.0
    for m in range(members):
        for k in range(parameters):
            total[m] += _soft_law(soft[m, k], circular[k])[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _density(values, logarithmic, origin, width, center, spread, density):
    members, parameters = values.shape
    density[:] = 0.0
    for m in range(members):
        for k in range(parameters):
            density[m] += _unit_law(
                values[m, k], logarithmic[k], origin[k], width[k], center[k], spread[k]
            )[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _soft_density(
    soft, values, slopes, circular, logarithmic, origin, width, center, spread, density, gradient
):
    members, parameters = soft.shape
    density[:] = 0.0
    for m in range(members):
        for k in range(parameters):
            prior, to_prior, per_unit = _unit_law(
                values[m, k], logarithmic[k], origin[k], width[k], center[k], spread[k]
            )
            softness, to_softness, per_soft = _soft_law(soft[m, k], circular[k])
            density[m] += prior + softness
            gradient[m, k] = (slopes[m, k] * per_unit + to_prior) * per_soft + to_softness


def _score_scale(parameter: Parameter) -> tuple[float, float]:
    """Return mean and standard deviation of a normal prior, on its own scale; 0, inf for others."""
    if parameter.prior == "log-normal":
        return math.log(parameter.median), math.log(parameter.factor)
    return (parameter.mean, parameter.sd) if parameter.prior == "normal" else (0.0, math.inf)


def _check(parameter: Parameter, origin: str) -> None:
    if parameter.prior not in KINDS:
        raise InputError(
            origin, f"{parameter.name}.prior", parameter.prior, f"one of {', '.join(KINDS)}"
        )
    if not parameter.min < parameter.max:
        raise InputError(
            origin, parameter.name, f"min {parameter.min}, max {parameter.max}", "min < max"
        )
    if parameter.prior.startswith("log") and parameter.min <= 0.0:
        raise InputError(
            origin, f"{parameter.name}.min", parameter.min, f"a value above 0 for {parameter.prior}"
        )
    if parameter.prior.startswith("log") and not parameter.origin < parameter.min:
        raise InputError(
            origin, f"{parameter.name}.origin", parameter.origin, f"a value below {parameter.min}"
        )
    if parameter.prior == "log-normal" and not (
        parameter.median and parameter.median > 0.0 and parameter.factor and parameter.factor > 1.0
    ):
        raise InputError(
            origin,
            parameter.name,
            f"median {parameter.median}, factor {parameter.factor}",
            "a median above 0 and a factor above 1 for log-normal",
        )
    if parameter.prior == "normal" and not (
        parameter.mean is not None and parameter.sd and parameter.sd > 0.0
    ):
        raise InputError(
            origin,
            parameter.name,
            f"mean {parameter.mean}, sd {parameter.sd}",
            "a mean and an sd above 0 for normal",
        )
    _check_center(parameter, origin)


def _check_center(parameter: Parameter, origin: str) -> None:
    """Refuse a normal prior that has next to nothing of its probability in its range."""
    mean, sd = _score_scale(parameter)
    ends = (parameter.min, parameter.max)
    low, high = map(math.log, ends) if parameter.prior == "log-normal" else ends
    if max(low - mean, mean - high) > _FARTHEST * sd:
        center = "median" if parameter.prior == "log-normal" else "mean"
        raise InputError(
            origin,
            f"{parameter.name}.{center}",
            getattr(parameter, center),
            f"a value within {_FARTHEST:g} standard deviations of "
            f"{parameter.min} to {parameter.max}",
        )
