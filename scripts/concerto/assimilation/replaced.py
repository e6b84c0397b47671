"""The problem of a model that something else may stand in for, its errors known together.

What stands in for a model is wrong by something that has days in common; its error on runs that
taught nothing is a covariance of all outputs, which is added to that of the observations. It has
what methods that need no derivative ask of :class:`concerto.assimilation.problem.Problem`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from concerto.assimilation.prior import Prior
from concerto.errors import ConcertoError
from concerto.models import Parameter


def prior_within(parameters: Sequence[Parameter], low: np.ndarray, high: np.ndarray) -> Prior:
    """Return the prior of parameters, cut off at a box's sides (parameter,); none can leave it.

    Parameters whose sides are alike are known, and have no prior.
    """
    ends = zip(parameters, low, high, strict=True)
    cut = [replace(p, min=float(a), max=float(b)) for p, a, b in ends if b > a]
    return Prior(cut, "prior in the trained region")


@dataclass
class ReplacedProblem:
    """Prior, observations and whatever says what parameters lead to.

    Parameters
    ----------
    prior
        Of the parameters that are free.
    run
        Returns (member, output) of free parameters (member, parameter).
    values
        (output,) observations, NaN where there is none.
    random_sd
        (output,) standard deviation of errors that observations have each for itself.
    errors
        (run, output) of what stands in for the model, of runs that taught it nothing; none of the
        model itself.

    Raises
    ------
    ConcertoError
        If an observation has no positive error.
    """

    prior: Prior
    run: Callable[[np.ndarray], np.ndarray]
    values: np.ndarray
    random_sd: np.ndarray
    errors: np.ndarray | None = None
    model_runs: int = 0
    _seen: np.ndarray = field(init=False, repr=False)
    _root: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._seen = np.flatnonzero(np.isfinite(self.values))
        own = self.random_sd[self._seen]
        if not (own.size and (own > 0.0).all()):
            raise ConcertoError(
                f"observations: found {own.size}, {np.sum(~(own > 0.0))} of them without a "
                "positive error; expected some, and none of these"
            )
        covariance = np.diag(own**2)
        if self.errors is not None:
            some = self.errors[:, self._seen]
            covariance += some.T @ some / len(some)
        self._root = cholesky(covariance, lower=True)

    @property
    def n_observations(self) -> int:
        """Number of observations."""
        return self._seen.size

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        """Return whitened misfits (member, observation), standard normal if errors are as said."""
        self.model_runs += len(parameters)
        misfit = self.values[self._seen] - self.run(parameters)[:, self._seen]
        return solve_triangular(self._root, misfit.T, lower=True).T

    def log_likelihood(self, parameters: np.ndarray) -> np.ndarray:
        """Return (member,) the log-likelihood, up to a constant."""
        return -0.5 * np.sum(self.residuals(parameters) ** 2, axis=1)

    def not_finite(self, parameters: np.ndarray) -> list[str]:
        """Return a name if a run of parameters is not finite."""
        return [] if np.isfinite(self.run(parameters)).all() else ["outputs"]
