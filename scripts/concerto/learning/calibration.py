"""From a prediction and its standard deviation to intervals that hold what they say.

Errors of predictions that were made without the values that they are of are divided by their
stated standard deviations. The quantiles of these ratios take the place of those of a normal
distribution, whose shape real errors do not have (split conformal prediction with normalised
residuals: Lei et al. 2018, Journal of the American Statistical Association 113, 1094).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from concerto.errors import ConcertoError

_FARTHEST = 60.0
_LEVELS = (np.arange(200) + 0.5) / 200


@dataclass(frozen=True)
class Shape:
    """Quantiles of errors over their stated standard deviation, at :data:`_LEVELS`, and their size.

    ``factor`` is the root of the mean square of the ratios.
    """

    quantiles: np.ndarray
    factor: float

    @classmethod
    def of(cls, ratios: np.ndarray) -> Shape:
        """Return the shape of ratios (any shape); those that are not finite say nothing.

        Raises
        ------
        ConcertoError
            If none is finite.
        """
        known = ratios[np.isfinite(ratios)]
        if not len(known):
            raise ConcertoError("no withheld value has a prediction: the intervals rest on none")
        return cls(np.quantile(known, _LEVELS, method="hazen"), float(np.sqrt(np.mean(known**2))))

    def at(self, share: float) -> float:
        """Return the quantile of a share."""
        return float(np.interp(share, _LEVELS, self.quantiles))

    def share(self, ratios: np.ndarray) -> np.ndarray:
        """Return the share of the distribution that lies below each ratio."""
        return np.interp(ratios, self.quantiles, _LEVELS, left=0.0, right=1.0)


def stated_spread(error: np.ndarray, size: np.ndarray) -> tuple[float, float]:
    """Return the floor and the share of the size that errors' standard deviations are made of.

    Their squares add up to the variance of an error; of all that errors leave open these two
    numbers are the likeliest, under a normal law.

    Parameters
    ----------
    error
        Errors (any shape), NaN where unknown.
    size
        Of the flux that they are of, in the same unit.
    """
    known = np.isfinite(error)
    squares, sizes = error[known] ** 2, size[known] ** 2
    unit = squares.mean()

    def cost(logs: np.ndarray) -> float:
        if np.abs(logs).max() > _FARTHEST:  # neither part is ever that small, or that large
            return np.inf
        variance = np.exp(logs[0]) * unit + np.exp(logs[1]) * sizes
        return float(np.sum(np.log(variance) + squares / variance))

    found = minimize(cost, np.log([0.3, 0.1]), method="Nelder-Mead").x
    floor, share = np.sqrt(np.exp(found))
    return float(floor * np.sqrt(unit)), float(share)


@dataclass(frozen=True)
class Errors:
    """What errors of predictions are like.

    The ``floor`` and the ``share`` of the size that their spread is made of
    (:func:`stated_spread`), and the ``shape`` of errors over it.
    """

    floor: float
    share: float
    shape: Shape

    @classmethod
    def of(cls, error: np.ndarray, size: np.ndarray) -> Errors:
        """Return what errors (any shape), NaN where unknown, of predictions of a size are like."""
        floor, share = stated_spread(error, size)
        return cls(floor, share, Shape.of(error / np.hypot(floor, share * size)))

    def spread(self, size: np.ndarray) -> np.ndarray:
        """Return the stated standard deviation of predictions of a size."""
        return np.hypot(self.floor, self.share * size)

    def away(self, share: float, size: np.ndarray) -> np.ndarray:
        """Return how far the quantile of a share is from predictions of a size."""
        return self.shape.at(share) * self.spread(size)

    def rank(self, error: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Return the share of the stated distribution that lies below what was measured."""
        return self.shape.share(error / self.spread(size))


def crossed_shapes(ratios: np.ndarray, folds: np.ndarray) -> dict[int, Shape]:
    """Return for each fold the shape of the ratios (location, ...) of all other folds' places."""
    return {int(fold): Shape.of(ratios[folds != fold]) for fold in np.unique(folds)}
