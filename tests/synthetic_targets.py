"""Posteriors with a known answer, in place of a model and its observations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from concerto.assimilation.prior import Prior
from concerto.models import Parameter

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

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum(self.residuals(parameters) ** 2, axis=1)

    def log_constraints(self, parameters: np.ndarray) -> np.ndarray:
        return self.log_likelihood(parameters)

    def log_constraints_before_run(self, parameters: np.ndarray) -> np.ndarray:
        return np.zeros(len(parameters))

    def linearise(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By central differences, so fine that no test can tell."""
        moved = z + np.concatenate(
            [np.zeros((1, z.size)), _H * np.eye(z.size), -_H * np.eye(z.size)]
        )
        residuals = self.residuals(self.prior.parameters_of(moved))
        here, ahead, behind = np.split(residuals, [1, 1 + z.size])
        return here[0], (ahead - behind).T / (2.0 * _H)

    def not_finite(self, parameters: np.ndarray) -> list[str]:
        finite = np.isfinite(self.residuals(parameters)).all()
        return [] if finite else ["residuals"]


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
