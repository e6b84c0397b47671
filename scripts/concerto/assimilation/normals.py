"""Mixtures of normal densities in place of a posterior, and how far they are from it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from concerto.assimilation.scores import Scores, short_way

NONLINEARITY_MAX = 1.0  # error of the log density, root mean square over the draws


@dataclass(frozen=True)
class Normals:
    """A mixture of normal densities in the space of scores, with angles wrapped around the circle.

    ``means`` (mode, parameter), ``precisions`` (mode, parameter, parameter), ``weights`` (mode,)
    that add up to one, ``circular`` (parameter,).
    """

    means: np.ndarray
    precisions: np.ndarray
    weights: np.ndarray
    circular: np.ndarray

    def draw(self, members: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return scores (member, parameter) and the mode (member,) of each."""
        mode = rng.choice(len(self.weights), members, p=self.weights)
        noise = rng.standard_normal((members, self.means.shape[1]))
        roots = np.linalg.cholesky(self.precisions)[mode]
        moved = np.linalg.solve(roots.transpose(0, 2, 1), noise[:, :, None])[:, :, 0]
        return self.means[mode] + moved, mode

    def log_density(self, scores: np.ndarray) -> np.ndarray:
        """Return (member,) the log density of scores, with the turns next to theirs."""
        turns = [(-2.0 * np.pi, 0.0, 2.0 * np.pi) if around else (0.0,) for around in self.circular]
        parts = []
        for mean, precision, weight in zip(self.means, self.precisions, self.weights, strict=True):
            away = short_way(scores - mean, self.circular)
            peak = math.log(weight) + 0.5 * np.linalg.slogdet(precision / (2.0 * np.pi))[1]
            parts += [
                peak - 0.5 * _square(away + turn, precision) for turn in itertools.product(*turns)
            ]
        return logsumexp(parts, axis=0)


@dataclass(frozen=True)
class Check:
    """How a mixture differs from the posterior where its draws are.

    Attributes
    ----------
    cost
        (member,) the cost of each draw; infinite where the model fails.
    nonlinearity
        Root of the mean square of the change of the log density from a mode to a draw, that of the
        mixture less that of the posterior; 0 if they are the same.
    mean, sd
        Mean and standard deviation of the same.
    ess
        Effective sample size of the draws weighted by the ratio of the densities.
    """

    cost: np.ndarray
    nonlinearity: float
    mean: float
    sd: float
    ess: float

    @property
    def failed(self) -> int:
        """Number of draws where the model fails."""
        return int((~np.isfinite(self.cost)).sum())


def check(
    scores: Scores, normals: Normals, costs: np.ndarray, draws: np.ndarray, mode: np.ndarray
) -> Check:
    """Return how ``normals``, with modes of ``costs`` (mode,), differ from the posterior.

    ``draws`` (member, parameter) and ``mode`` (member,) are what they gave.
    """
    cost = scores.cost(draws)
    sound = np.isfinite(cost)
    weights = -(cost + normals.log_density(draws))[sound]
    over = -weights - (costs + normals.log_density(normals.means))[mode[sound]]
    if not sound.any():
        return Check(cost, math.inf, math.nan, math.nan, 0.0)
    ess = math.exp(2.0 * logsumexp(weights) - logsumexp(2.0 * weights))
    root = math.sqrt(float(np.mean(over**2)))
    return Check(cost, root, float(over.mean()), float(over.std()), ess)


def _square(away: np.ndarray, precision: np.ndarray) -> np.ndarray:
    return np.einsum("...i,...ij,...j->...", away, precision, away)
