"""How far a first guess of a flux is off at a tower, learnt from what the tower measured.

The error of a first guess at a tower is a Gaussian process in time (Rasmussen & Williams 2006,
Gaussian Processes for Machine Learning, chapter 2), a sum of independent parts:

- ``constant``: always the same;
- ``season``: the same in each year;
- ``rotation``: a season that comes again every other year, as where crops alternate;
- ``wandering``: a season that changes from year to year;
- ``drift``: a level that changes with time;
- ``scale``: in proportion to the first guess;
- ``contrast``: in proportion to what two guesses differ by;
- ``weather``: a smooth function of what is told of the month;
- noise, ``floor`` and ``relative`` to the size of the flux, that no two months share.

How large each part is, and over which distances it falls, is shared by all towers of a kind: these
hyperparameters maximise the density of all that they measured, under wide priors, by exact
derivatives. A tower of which nothing is known has an error of mean zero and all parts' variance.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

log = logging.getLogger(__name__)

_VARIANCES = {
    "constant": 0.1, "season": 0.3, "rotation": 0.05, "wandering": 0.1, "drift": 0.1,
    "scale": 0.02, "contrast": 0.02, "weather": 0.3, "floor": 0.1, "relative": 0.05,
}  # fmt: skip
"""Of each part where the search begins, as shares of the variance of first guesses' errors."""
_LENGTHS = {
    "season_length": 1.0,
    "rotation_length": 1.0,
    "wandering_years": 3.0,
    "drift_years": 1.0,
}
_WEATHER_LENGTH = 1.5
_SPREAD = 2.0
"""Standard deviation of the logarithm of each hyperparameter before anything is known."""
_FARTHEST = 4.0 * _SPREAD
"""How far a logarithm may go: noise of nothing would leave covariances that have no inverse."""


@dataclass(frozen=True)
class Guess:
    """A first guess of a flux at all towers, and what its errors are related by.

    Parameters
    ----------
    flux
        The first guess (location, time).
    contrast
        What two guesses differ by (location, time).
    size
        Size of the flux (location, time), to which noise is relative.
    told
        What errors depend on smoothly (location, time, feature), about one in size.
    years
        Time of each month in years (time,).
    """

    flux: np.ndarray
    contrast: np.ndarray
    size: np.ndarray
    told: np.ndarray
    years: np.ndarray

    def scaled(self, unit: float) -> Guess:
        """Return the same in another unit of the flux."""
        flux, contrast, size = (part / unit for part in (self.flux, self.contrast, self.size))
        return Guess(flux, contrast, size, self.told, self.years)


@dataclass(frozen=True)
class Pairs:
    """All pairs of months ``first`` and ``second`` (numbers) of one tower."""

    guess: Guess
    tower: int
    first: np.ndarray
    second: np.ndarray

    def _product(self, values: np.ndarray) -> np.ndarray:
        return np.outer(values[self.tower, self.first], values[self.tower, self.second])

    @cached_property
    def scale(self) -> np.ndarray:
        """Products of first guesses."""
        return self._product(self.guess.flux)

    @cached_property
    def contrast(self) -> np.ndarray:
        """Products of the guesses' differences."""
        return self._product(self.guess.contrast)

    @cached_property
    def apart(self) -> np.ndarray:
        """Years from one to the other."""
        years = self.guess.years
        return np.abs(years[self.first][:, None] - years[self.second])

    @cached_property
    def of_year(self) -> np.ndarray:
        """Squared distance on a circle of a year."""
        return 2.0 * np.sin(np.pi * self.apart) ** 2

    @cached_property
    def of_two_years(self) -> np.ndarray:
        """Squared distance on a circle of two years."""
        return 2.0 * np.sin(0.5 * np.pi * self.apart) ** 2

    @cached_property
    def told(self) -> np.ndarray:
        """Squared distances of what is told (feature, first, second)."""
        told = self.guess.told[self.tower].T
        return (told[:, self.first, None] - told[:, None, self.second]) ** 2

    @cached_property
    def same(self) -> np.ndarray:
        """One where it is the same month."""
        return (self.first[:, None] == self.second).astype(float)

    @cached_property
    def sized(self) -> np.ndarray:
        """The squared size of the flux where it is the same month."""
        return self.same * self.guess.size[self.tower, self.first][:, None] ** 2


@dataclass(frozen=True)
class Hyperparameters:
    """Logarithms of the parts' variances and lengths, and the unit that they are in."""

    names: tuple[str, ...]
    logs: np.ndarray
    unit: float

    @classmethod
    def start(cls, features: int, unit: float) -> Hyperparameters:
        """Return those that the search begins with."""
        told = {f"weather_length_{k}": _WEATHER_LENGTH for k in range(features)}
        values = {**_VARIANCES, **_LENGTHS, **told}
        return cls(tuple(values), np.log(list(values.values())), unit)

    def parts(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """Return the covariance (first, second) of each part, in squared units."""
        value = dict(zip(self.names, np.exp(self.logs), strict=True))
        season = np.exp(-pairs.of_year / value["season_length"] ** 2)
        lengths = np.array([value[name] for name in self._told])
        near = np.tensordot(lengths**-2.0, pairs.told, axes=1)
        shapes = {
            "constant": np.ones(pairs.apart.shape),
            "season": season,
            "rotation": season * np.exp(-pairs.of_two_years / value["rotation_length"] ** 2),
            "wandering": season * np.exp(-pairs.apart / value["wandering_years"]),
            "drift": np.exp(-pairs.apart / value["drift_years"]),
            "scale": pairs.scale,
            "contrast": pairs.contrast,
            "weather": np.exp(-0.5 * near),
            "floor": pairs.same,
            "relative": pairs.sized,
        }
        return {name: value[name] * shape for name, shape in shapes.items()}

    def slopes(self, pairs: Pairs, parts: dict[str, np.ndarray]) -> Iterable[np.ndarray]:
        """Yield the derivative of the covariance by each logarithm, from its parts."""
        value = dict(zip(self.names, np.exp(self.logs), strict=True))
        seasons = parts["season"] + parts["rotation"] + parts["wandering"]
        yield from parts.values()
        yield 2.0 * seasons * pairs.of_year / value["season_length"] ** 2
        yield 2.0 * parts["rotation"] * pairs.of_two_years / value["rotation_length"] ** 2
        yield parts["wandering"] * pairs.apart / value["wandering_years"]
        yield parts["drift"] * pairs.apart / value["drift_years"]
        for name, squares in zip(self._told, pairs.told, strict=True):
            yield parts["weather"] * squares / value[name] ** 2

    @property
    def _told(self) -> tuple[str, ...]:
        return self.names[len(_VARIANCES) + len(_LENGTHS) :]


def fit(guess: Guess, error: np.ndarray, towers: Sequence[int], most: int = 60) -> Hyperparameters:
    """Return the hyperparameters that some towers share.

    Parameters
    ----------
    guess
        The first guess.
    error
        What was measured less the first guess (location, time), NaN where nothing was.
    towers
        Numbers of the towers; those with nothing measured teach nothing.
    most
        Steps of the search.
    """
    measured = [np.flatnonzero(np.isfinite(error[tower])) for tower in towers]
    values = np.concatenate(
        [error[tower, own] for tower, own in zip(towers, measured, strict=True)]
    )
    unit = float(values.std())
    scaled = guess.scaled(unit)
    start = Hyperparameters.start(guess.told.shape[-1], unit)
    taught = [
        (Pairs(scaled, tower, own, own), error[tower, own] / unit)
        for tower, own in zip(towers, measured, strict=True)
        if len(own)
    ]

    def cost(logs: np.ndarray) -> tuple[float, np.ndarray]:
        away = (logs - start.logs) / _SPREAD
        tried = Hyperparameters(start.names, logs, unit)
        total, slope = 0.5 * float(away @ away), away / _SPREAD
        for pairs, seen in taught:
            own, pull = _density(tried, pairs, seen)
            total, slope = total + own, slope + pull
        return total, slope

    bounds = np.stack([start.logs - _FARTHEST, start.logs + _FARTHEST], axis=1)
    best = minimize(
        cost, start.logs, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": most}
    )
    log.info("%d towers: %s after %d steps", len(taught), best.message, best.nit)
    return Hyperparameters(start.names, best.x, unit)


def _density(tried: Hyperparameters, pairs: Pairs, seen: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the negative log density of what a tower saw, but for a constant, and its slope."""
    parts = tried.parts(pairs)
    factor = cho_factor(sum(parts.values()), lower=True)
    inverse = cho_solve(factor, np.eye(len(seen)))
    weights = inverse @ seen
    pull = 0.5 * (inverse - np.outer(weights, weights))
    cost = 0.5 * float(seen @ weights) + float(np.log(np.diag(factor[0])).sum())
    return cost, np.array([np.vdot(pull, slope) for slope in tried.slopes(pairs, parts)])


def predict(
    known: Hyperparameters, guess: Guess, error: np.ndarray, towers: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of errors of some towers in all months, (tower, time) each.

    The variance has the noise of a measured value. Of a tower with nothing measured the mean is 0.

    Parameters
    ----------
    known
        Hyperparameters of these towers' kind.
    guess, error, towers
        As for :func:`fit`.
    """
    scaled, months = guess.scaled(known.unit), np.arange(len(guess.years))
    mean, variance = (np.zeros((len(towers), len(months))) for _ in range(2))
    for k, tower in enumerate(towers):
        own = np.flatnonzero(np.isfinite(error[tower]))
        variance[k] = np.diag(sum(known.parts(Pairs(scaled, tower, months, months)).values()))
        if not len(own):
            continue
        factor = cho_factor(sum(known.parts(Pairs(scaled, tower, own, own)).values()))
        parts = known.parts(Pairs(scaled, tower, months, own))
        shared = sum(part for name, part in parts.items() if name not in ("floor", "relative"))
        mean[k] = known.unit * (shared @ cho_solve(factor, error[tower, own] / known.unit))
        variance[k] -= np.sum(shared * cho_solve(factor, shared.T).T, axis=1)
    return mean, variance * known.unit**2
