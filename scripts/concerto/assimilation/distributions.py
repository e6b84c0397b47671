"""Laws of errors: how likely a standardised misfit is, and with what tails.

All have variance one (Laplace's, with its rounded peak, 1.02), so that a stated standard deviation
means the same under each. A law with
heavy tails lets a few bad observations be bad, where the normal one bends the model towards them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

INFLATION = "inflation_"
"""What the name of a parameter begins with that is a factor of the errors of a stream."""
NAMES = ("normal", "laplace", "student_t")
_ROUNDING = 0.1  # of a standard deviation: half the width of the rounded peak of Laplace's law
_FEWEST = 2.0  # degrees of freedom, at which the variance of Student's law is infinite


@dataclass(frozen=True)
class Distribution:
    """A law of standardised misfits, by one of ``NAMES``.

    ``student_t`` has ``degrees_of_freedom``; the peak of ``laplace`` is rounded, for a density with
    a kink misleads what follows gradients: -ln p = sqrt(2) (sqrt(w² + 0.1²) - 0.1).

    Raises
    ------
    ValueError
        If there is no such law, or its variance is infinite.
    """

    name: str = "normal"
    degrees_of_freedom: float = 4.0

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"distribution: {self.name!r}; expected one of {', '.join(NAMES)}")
        if self.name == "student_t" and not self.degrees_of_freedom > _FEWEST:
            raise ValueError(
                f"student_t: {self.degrees_of_freedom:g} degrees of freedom; expected more than 2"
            )

    def loss(self, white: np.ndarray) -> np.ndarray:
        """Return -ln p of standardised misfits, 0 for a misfit of 0."""
        if self.name == "student_t":
            nu = self.degrees_of_freedom
            return 0.5 * (nu + 1.0) * np.log1p(white * white / (nu - 2.0))
        if self.name == "laplace":
            return math.sqrt(2.0) * (np.hypot(white, _ROUNDING) - _ROUNDING)
        return 0.5 * white * white

    def pull(self, white: np.ndarray) -> np.ndarray:
        """Return the derivative of :meth:`loss`."""
        if self.name == "student_t":
            nu = self.degrees_of_freedom
            return (nu + 1.0) * white / (nu - 2.0 + white * white)
        if self.name == "laplace":
            return math.sqrt(2.0) * white / np.hypot(white, _ROUNDING)
        return white

    def residual(self, white: np.ndarray) -> np.ndarray:
        """Return what has half its square for :meth:`loss`, with the sign of the misfit."""
        if self.name == "normal":
            return white
        return np.copysign(np.sqrt(2.0 * self.loss(white)), white)

    def slope(self, white: np.ndarray) -> np.ndarray:
        """Return the derivative of :meth:`residual`."""
        if self.name == "normal":
            return np.ones_like(white)
        far = np.abs(white) > 1e-6  # nearer, the quotient is one of round-off, and constant
        safe = np.where(far, white, 1e-6)
        return self.pull(safe) / self.residual(safe)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return independent standardised misfits of a shape."""
        if self.name == "student_t":
            nu = self.degrees_of_freedom
            return rng.standard_t(nu, shape) * math.sqrt((nu - 2.0) / nu)
        if self.name == "laplace":
            return self._draw_laplace(shape, rng)
        return rng.standard_normal(shape)

    def _draw_laplace(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        # by rejection: the rounded density over Laplace's own is largest far from the peak
        found = np.empty(0)
        while found.size < math.prod(shape):
            tried = rng.laplace(0.0, math.sqrt(0.5), 2 * math.prod(shape) + 16)
            over = math.sqrt(2.0) * (np.abs(tried) - np.hypot(tried, _ROUNDING))
            found = np.append(found, tried[np.log(rng.random(tried.size)) < over])
        return found[: math.prod(shape)].reshape(shape)


NORMAL = Distribution()
