"""Curved coordinates: those in which draws from a bent posterior look like a standard normal.

Principal components of the draws, widest first, make a chain of regressions: each component is
normal given those before it, with a mean that is a quadratic function of them and a logarithm of
the standard deviation that is another. That is a triangular (Knothe-Rosenblatt) transport map
(Marzouk, Moselhy, Parno & Spantini 2016, Handbook of Uncertainty Quantification), whose inverse
and volume change are explicit: it straightens a chain of moves, and it is a density to draw from.
What it cannot straighten is a direction that bends, twofold, along a narrower one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.linalg import cholesky, solve_triangular

_REACH = 3.0  # standard deviations: beyond, means and widths stay what they are at this distance
_NARROWEST, _WIDEST = -2.0, 2.0  # logarithm of a width, over that of the principal component
# Draws' worth of belief in no bending and no widening, for each coefficient.
_MEAN_RIDGE, _WIDTH_RIDGE = 0.8, 5.0
_STEPS, _STRIDE = 6, 0.4  # of the iteration of widths and, damped, of means
_OUTLIER, _HEAVIEST = 4.0, 4.0  # standard deviations; weight of a draw over the mean weight
_PRIOR_DRAWS, _PRIOR_VARIANCE = 5.0, 1e-4  # draws' worth of a small variance for each parameter

Target = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def middle(states: np.ndarray) -> np.ndarray:
    """Return the circular means (parameter,) of ``states`` (state, parameter), period 1."""
    return np.angle(np.exp(2j * np.pi * states).mean(axis=0)) / (2.0 * np.pi)


def wrap(states: np.ndarray, center: np.ndarray, circular: np.ndarray) -> np.ndarray:
    """Return the same states, on the turn of each circle that is nearest to ``center``."""
    return np.where(circular, center + (states - center + 0.5) % 1.0 - 0.5, states)


@dataclass(frozen=True)
class Curved:
    """A map between states and coordinates in which they are about standard normal.

    ``mean`` (parameter,); ``root`` (parameter, parameter), whose columns are principal components
    times their widths; ``bend`` and ``widen`` (parameter, feature), the coefficients of a
    component's mean and log width by 1, the components before it and their products;
    ``circular`` (parameter,) where 1 is 0 again.
    """

    mean: np.ndarray
    root: np.ndarray
    bend: np.ndarray
    widen: np.ndarray
    circular: np.ndarray

    @classmethod
    def of(cls, states: np.ndarray, circular: np.ndarray) -> Curved:
        """Return the map that ``states`` (state, parameter) suggest, by penalised likelihood."""
        near = wrap(states, middle(states), circular)
        count, size = near.shape
        mean = near.mean(axis=0)
        trust = count / (count + _PRIOR_DRAWS * size)
        covariance = trust * np.cov(near.T).reshape(size, size)
        covariance += (1.0 - trust) * _PRIOR_VARIANCE * np.eye(size)
        variances, axes = np.linalg.eigh(covariance)
        root = (axes * np.sqrt(variances))[:, ::-1]
        bend, widen = _regress(np.linalg.solve(root, (near - mean).T).T)
        return cls(mean, np.ascontiguousarray(root), bend, widen, circular)

    def wrap(self, states: np.ndarray) -> np.ndarray:
        """Return the same states, on the turn of the circle that is nearest to the mean."""
        return wrap(states, self.mean, self.circular)

    def on_turn(self, states: np.ndarray) -> np.ndarray:
        """Return (state,) whether states are on the turn of each circle nearest to the mean."""
        away = np.where(self.circular, states - self.mean, 0.0)
        return (np.abs(away) <= 0.5).all(axis=1)

    def place(self, x: np.ndarray) -> np.ndarray:
        """Return the states (state, parameter) at coordinates ``x``."""
        return self.follow(x)[0]

    def follow(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the states at coordinates ``x`` and the log change of volume (state,) there."""
        components, _, widths = _forward(x, self.bend, self.widen)
        return self._leave(components), self._volume(widths)

    def whiten(self, states: np.ndarray) -> np.ndarray:
        """Return the coordinates of ``states`` (state, parameter)."""
        return self.trace(states)[0]

    def trace(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coordinates of ``states`` and the log change of volume (state,) there."""
        components = np.linalg.solve(self.root, (states - self.mean).T).T
        features = _features(components)
        widths = np.clip(features @ self.widen.T, _NARROWEST, _WIDEST)
        return (components - features @ self.bend.T) * np.exp(-widths), self._volume(widths)

    def target(self, target: Target) -> Target:
        """Return the log density of the coordinates where ``target`` is that of the states.

        It is nil beyond the turn of a circle that is nearest to the mean.
        """

        def straightened(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            components, features, widths = _forward(x, self.bend, self.widen)
            states = self._leave(components)
            density, gradient = target(states)
            slope = _pull_back(
                x, components, features, widths, gradient @ self.root, self.bend, self.widen
            )
            density = np.where(self.on_turn(states), density, -np.inf)
            return density + self._volume(widths), slope

        return straightened

    def _leave(self, components: np.ndarray) -> np.ndarray:
        return self.mean + components @ self.root.T

    def _volume(self, widths: np.ndarray) -> np.ndarray:
        return widths.sum(axis=1) + np.linalg.slogdet(self.root)[1]


@njit(cache=True)
def _count(k):
    """Return how many features ``k`` components have: 1, each, and each pair's product."""
    return 1 + k + k * (k + 1) // 2


def _features(components: np.ndarray) -> np.ndarray:
    """Return the features (state, feature), so ordered that the first components' come first."""
    count, size = components.shape
    near = np.clip(components, -_REACH, _REACH)
    features = np.ones((count, _count(size)))
    for k in range(size):
        first = _count(k)
        features[:, first] = near[:, k]
        features[:, first + 1 : first + k + 2] = near[:, : k + 1] * near[:, k : k + 1]
    return features


def _regress(components: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``bend`` and ``widen``: Newton's method for widths, damped scoring for means.

    The features of the first components are the first columns of all, so that one Cholesky factor
    of the Gram matrix, cut short, serves the regressions of all components.
    """
    size = components.shape[1]
    features = _features(components)[:, : _count(size - 1)]
    columns = np.arange(features.shape[1])
    allowed = columns < np.array([_count(k) for k in range(size)])[:, None]
    ridge = np.where(columns > 0, columns.size, 1e-6)
    gram = features.T @ features
    for_means = cholesky(gram + _MEAN_RIDGE * np.diag(ridge), lower=True)
    for_widths = cholesky(2.0 * (gram + _WIDTH_RIDGE * np.diag(ridge)), lower=True)
    bend = _solve(for_means, (components.T @ features) * allowed)
    rest = components - features @ bend.T
    widen = np.zeros_like(bend)
    widen[:, 0] = 0.5 * np.log(np.maximum(np.mean(rest**2, axis=0), 1e-8))
    for _ in range(_STEPS):
        widths = np.clip(features @ widen.T, _NARROWEST, _WIDEST)
        excess = np.minimum((rest * np.exp(-widths)) ** 2, _OUTLIER**2) - 1.0
        pull = 2.0 * _WIDTH_RIDGE * ridge * widen * (columns > 0)
        widen = widen + _solve(for_widths, (excess.T @ features) * allowed - pull)
        weights = np.exp(-2.0 * np.clip(features @ widen.T, _NARROWEST, _WIDEST))
        weights = np.minimum(weights / weights.mean(axis=0), _HEAVIEST)
        slope = ((weights * rest).T @ features) * allowed - _MEAN_RIDGE * ridge * bend
        bend = bend + _STRIDE * _solve(for_means, slope)
        rest = components - features @ bend.T
    scores = rest * np.exp(-np.clip(features @ widen.T, _NARROWEST, _WIDEST))
    widen[:, 0] += 0.5 * np.log(np.mean(scores**2, axis=0))
    unused = ((0, 0), (0, _count(size) - features.shape[1]))
    return np.pad(bend, unused), np.pad(widen, unused)


def _solve(factor: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Solve for each row of ``sides`` with as much of the Cholesky factor as is its own."""
    solved = np.zeros_like(sides)
    for k, side in enumerate(sides):
        n = _count(k)
        lower = factor[:n, :n]
        half = solve_triangular(lower, side[:n], lower=True, check_finite=False)
        solved[k, :n] = solve_triangular(lower, half, lower=True, trans=1, check_finite=False)
    return solved


@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _forward(x, bend, widen):
    """Return components, their features and log widths at coordinates ``x`` (state, parameter)."""
    count, size = x.shape
    components, widths = np.empty((count, size)), np.empty((count, size))
    features = np.empty((count, bend.shape[1]))
    for i in range(count):
        row = features[i]
        row[0] = 1.0
        for k in range(size):
            n = _count(k)
            mean, width = 0.0, 0.0
            for q in range(n):
                mean += bend[k, q] * row[q]
                width += widen[k, q] * row[q]
            widths[i, k] = min(max(width, _NARROWEST), _WIDEST)
            components[i, k] = mean + math.exp(widths[i, k]) * x[i, k]
            near = min(max(components[i, k], -_REACH), _REACH)
            row[n] = near
            for j in range(k):
                row[n + 1 + j] = row[_count(j)] * near
            row[n + 1 + k] = near * near
    return components, features, widths


@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _pull_back(x, components, features, widths, gradient, bend, widen):
    """Return the gradient by ``x`` of something of the components plus the sum of the widths.

    ``gradient`` (state, parameter) is that something's, by the components.
    """
    count, size = x.shape
    result = np.empty((count, size))
    by_feature, by_near = np.empty(bend.shape[1]), np.empty(size)
    for i in range(count):
        by_feature[:] = 0.0
        by_near[:] = 0.0
        for k in range(size - 1, -1, -1):
            n = _count(k)
            near = features[i, n]
            inner = by_near[k] + by_feature[n] + 2.0 * near * by_feature[n + 1 + k]
            for j in range(k):
                inner += by_feature[n + 1 + j] * features[i, _count(j)]
                by_near[j] += by_feature[n + 1 + j] * near
            by_component = gradient[i, k]
            if abs(components[i, k]) < _REACH:
                by_component += inner
            scale = math.exp(widths[i, k])
            result[i, k] = by_component * scale
            by_width = 0.0
            if _NARROWEST < widths[i, k] < _WIDEST:
                by_width = by_component * scale * x[i, k] + 1.0
            for q in range(n):
                by_feature[q] += by_component * bend[k, q] + by_width * widen[k, q]
    return result
