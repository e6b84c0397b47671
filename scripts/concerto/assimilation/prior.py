"""Priors, and the two spaces in which methods work.

``unit``: each parameter between 0 and 1, linear in the parameter or, for logarithmic priors, in its
logarithm; a day of the year is a fraction of the circle. Products that the data determine are
straight ridges here, which suits samplers.

``z``: unbounded, with a standard normal prior, which suits methods that add and average members. A
bounded parameter sits at the normal probability of its ``z``; a day of the year is the direction of
two components of ``z``, so that 31 December and 1 January are neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from concerto.errors import InputError
from concerto.models import Parameter

KINDS = ("uniform", "log-uniform", "log-normal", "circular")


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
        If a range is empty, a kind is unknown, or a logarithmic prior reaches zero.
    """

    def __init__(self, parameters: Sequence[Parameter], origin: str = "prior") -> None:
        for parameter in parameters:
            _check(parameter, origin)
        self.parameters = tuple(parameters)
        self.circular = np.array([parameter.prior == "circular" for parameter in parameters])
        self.size = len(parameters) + int(self.circular.sum())
        self._logarithmic = np.array([p.prior.startswith("log") for p in parameters])
        bounds = np.array([(parameter.min, parameter.max) for parameter in parameters])
        low, high = np.where(self._logarithmic, np.log(np.maximum(bounds.T, 1e-300)), bounds.T)
        self._low, self._width = low, high - low
        normal = [parameter.prior == "log-normal" for parameter in parameters]
        self._center = np.array([math.log(p.median) if p.median else 0.0 for p in parameters])
        self._spread = np.array(
            [math.log(p.factor) if n else math.inf for p, n in zip(parameters, normal, strict=True)]
        )

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Return (member, size) draws of ``z``."""
        return rng.standard_normal((members, self.size))

    def to_unit(self, z: np.ndarray) -> np.ndarray:
        """Return (member, parameter) in the unit space of ``z`` (member, size)."""
        unit = np.empty((len(z), len(self.parameters)))
        column = 0
        for k, parameter in enumerate(self.parameters):
            if parameter.prior == "circular":
                unit[:, k] = np.arctan2(z[:, column + 1], z[:, column]) / (2.0 * math.pi) % 1.0
                column += 2
            else:
                unit[:, k] = _unit_quantile(parameter, ndtr(z[:, column]))
                column += 1
        return unit

    def to_parameters(self, unit: np.ndarray) -> np.ndarray:
        """Return the parameters (member, parameter), in their units, of a point in unit space."""
        linear = self._low + unit * self._width
        return np.where(self._logarithmic, np.exp(linear), linear)

    def log_density(self, unit: np.ndarray) -> np.ndarray:
        """Return (member,) log prior density in unit space up to a constant; -inf outside."""
        inside = ((unit >= 0.0) & (unit <= 1.0)).all(axis=1)
        normal = (self._low + unit * self._width - self._center) / self._spread
        return np.where(inside, -0.5 * np.sum(normal * normal, axis=1), -np.inf)


def _unit_quantile(parameter: Parameter, probability: np.ndarray) -> np.ndarray:
    if parameter.prior != "log-normal":
        return probability
    low, high, center = (math.log(x) for x in (parameter.min, parameter.max, parameter.median))
    spread = math.log(parameter.factor)
    below, above = ndtr((low - center) / spread), ndtr((high - center) / spread)
    value = center + spread * ndtri(below + probability * (above - below))
    return np.clip((value - low) / (high - low), 0.0, 1.0)  # round-off at the cut-offs


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
    if parameter.prior == "log-normal" and not (
        parameter.median and parameter.median > 0.0 and parameter.factor and parameter.factor > 1.0
    ):
        raise InputError(
            origin,
            parameter.name,
            f"median {parameter.median}, factor {parameter.factor}",
            "a median above 0 and a factor above 1 for log-normal",
        )
