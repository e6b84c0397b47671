"""A polynomial in a model's parameters that stands in for the model, where it was taught.

Outputs are reduced to principal components, and these are polynomials of the third degree in the
parameters, or their logarithms, as scikit-learn fits them. Runs of the model that teach are
chosen in rounds, where the emulators that parts of the runs teach disagree the most (query by
committee: Seung, Opper & Sompolinsky 1992, doi:10.1145/130385.130417). Its error on runs that
taught nothing is a part of what it says: model error for who uses it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import qmc
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from concerto.errors import ConcertoError
from concerto.learning.folds import deal

log = logging.getLogger(__name__)

Run = Callable[[np.ndarray], np.ndarray]
"""Returns the outputs (member, output) of parameters (member, parameter)."""
COMMITTEE = 4
RAISE, COUNT = "raise", "count"


class OutsideRegion(ConcertoError):
    """Parameters that nothing was taught of."""


@dataclass(frozen=True)
class Region:
    """The box in which an emulator may be used.

    Parameters
    ----------
    names
        Of the parameters.
    low, high
        Its sides (parameter,); a parameter that is known has both alike.
    logs
        Whether a parameter counts by its logarithm (parameter,).
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    logs: np.ndarray

    @property
    def free(self) -> np.ndarray:
        """Whether a parameter may differ (parameter,)."""
        return self.high > self.low

    def unit(self, parameters: np.ndarray) -> np.ndarray:
        """Return free parameters (member, free) from -1 to 1 in the box."""
        low, high = self._sides()
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(self.logs, np.log(parameters), parameters)[:, self.free]
        return 2.0 * (values - low) / (high - low) - 1.0

    def parameters(self, unit: np.ndarray) -> np.ndarray:
        """Return parameters (member, parameter) of what :meth:`unit` returns."""
        low, high = self._sides()
        values = low + 0.5 * (unit + 1.0) * (high - low)
        values = np.where(self.logs[self.free], np.exp(values), values)
        return np.clip(self.with_known(values), self.low, self.high)

    def with_known(self, free: np.ndarray) -> np.ndarray:
        """Return parameters (member, parameter) of free ones (member, free)."""
        out = np.tile(self.low, (len(free), 1))
        out[:, self.free] = free
        return out

    def holds(self, parameters: np.ndarray) -> np.ndarray:
        """Return whether each value (member, parameter) is in the box."""
        slack = 1e-9 * np.maximum(np.abs(self.low), np.abs(self.high))
        return (parameters >= self.low - slack) & (parameters <= self.high + slack)

    def _sides(self) -> tuple[np.ndarray, np.ndarray]:
        ends = np.stack([self.low, self.high])
        ends = np.where(self.logs, np.log(np.where(self.logs, ends, 1.0)), ends)[:, self.free]
        return ends[0], ends[1]


class Polynomial(RegressorMixin, BaseEstimator):
    """Principal components of outputs, each a polynomial of inputs, as scikit-learn's estimators.

    Parameters
    ----------
    degree
        Of the polynomial.
    components
        Number of principal components.
    ridge
        Weight of the squares of coefficients.
    """

    def __init__(self, degree: int = 3, components: int = 25, ridge: float = 0.01) -> None:
        self.degree, self.components, self.ridge = degree, components, ridge

    def fit(self, inputs: np.ndarray, outputs: np.ndarray) -> Polynomial:
        """Learn from inputs (run, input), about one in size, and outputs (run, output).

        Raises
        ------
        ConcertoError
            If a value is missing, or outputs are the same in all runs.
        """
        if not (np.isfinite(inputs).all() and np.isfinite(outputs).all()):
            raise ConcertoError("emulator: found runs with missing values; expected none")
        self.scale_ = float(outputs.std(axis=0).max())
        if self.scale_ == 0.0:
            raise ConcertoError(
                f"emulator: found the same outputs in all {len(outputs)} runs; expected some that "
                "differ, to learn from"
            )
        most = min(self.components, *outputs.shape)
        self.reduced_ = PCA(most, svd_solver="full").fit(outputs / self.scale_)
        model = make_pipeline(PolynomialFeatures(self.degree), Ridge(self.ridge))
        self.model_ = model.fit(inputs, self.reduced_.transform(outputs / self.scale_))
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return outputs (run, output)."""
        return self.reduced_.inverse_transform(self.model_.predict(inputs)) * self.scale_


@dataclass
class Emulator:
    """What stands in for a model.

    Parameters
    ----------
    region, model
        Where it may be used, and what was taught.
    scale
        (output,) makes outputs alike in size.
    errors
        (run, output) of runs that taught nothing.
    weather
        (step, driver) under which the model was run; it says nothing of another.
    left
        Number of parameters outside the region that it was asked for.
    """

    region: Region
    model: Polynomial
    scale: np.ndarray
    errors: np.ndarray
    weather: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    left: int = 0

    @property
    def error_sd(self) -> np.ndarray:
        """Root mean square (output,) of the errors where nothing was taught."""
        return np.sqrt(np.mean(self.errors**2, axis=0))

    def check_weather(self, weather: np.ndarray, most: float = 0.0) -> np.ndarray:
        """Return whether steps (step,) have weather that nothing was taught of.

        Parameters
        ----------
        weather
            (step, driver), as :attr:`weather`.
        most
            Share of the steps that may be such.

        Raises
        ------
        OutsideRegion
            If there are more, or another number of steps or drivers.
        """
        if weather.shape != self.weather.shape:
            raise OutsideRegion(
                f"emulator: found weather of {weather.shape} steps and drivers; "
                f"expected that which was taught, {self.weather.shape}"
            )
        other = ~np.isclose(weather, self.weather, rtol=1e-6, atol=1e-9).all(axis=1)
        if other.mean() > most:
            raise OutsideRegion(
                f"emulator: found weather that nothing was taught of in {100 * other.mean():.2g} % "
                f"of the steps; expected at most {100 * most:.2g} %"
            )
        return other

    def predict(self, parameters: np.ndarray, leave: str = RAISE) -> np.ndarray:
        """Return outputs (member, output).

        Parameters
        ----------
        parameters
            (member, parameter).
        leave
            What to do outside of the region: ``raise``, or ``count`` them, say so in the log, and
            return NaN for them.

        Raises
        ------
        OutsideRegion
            If it shall; names the first parameter, its value and its range.
        """
        held = self.region.holds(parameters)
        outside = ~held.all(axis=1)
        if outside.any() and leave == RAISE:
            member, k = np.argwhere(~held)[0]
            raise OutsideRegion(
                f"emulator: {self.region.names[k]}: found {parameters[member, k]:g}, and "
                f"{outside.sum()} of {len(outside)} members outside what was taught; expected "
                f"{self.region.low[k]:g} to {self.region.high[k]:g}"
            )
        out = np.full((len(parameters), len(self.scale)), np.nan)
        if (~outside).any():
            out[~outside] = self.model.predict(self.region.unit(parameters[~outside])) * self.scale
        if outside.any():
            self.left += int(outside.sum())
            log.warning("%d of %d members left the trained region", outside.sum(), len(outside))
        return out


def active_design(
    region: Region,
    run: Run,
    scale: Callable[[np.ndarray], np.ndarray],
    first: int,
    rounds: int,
    more: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the runs that teach: inputs (run, free), outputs (run, output), round (run,).

    Parameters
    ----------
    region
        Where to teach.
    run
        The model.
    scale
        Returns sizes (output,) of outputs (run, output), by which disagreement counts.
    first
        Number of runs of the first round, a Latin hypercube.
    rounds, more
        Number of further rounds, and of runs of each.
    """
    free = int(region.free.sum())
    inputs = 2.0 * qmc.LatinHypercube(free, rng=rng).random(first) - 1.0
    outputs = run(region.parameters(inputs))
    number = np.zeros(first, int)
    for step in range(1, rounds + 1):
        tried = rng.uniform(-1.0, 1.0, (10 * more, free))
        doubt = _disagreement(inputs, outputs / scale(outputs), tried, rng)
        chosen = rng.choice(len(tried), more, replace=False, p=doubt / doubt.sum())
        inputs = np.vstack([inputs, tried[chosen]])
        outputs = np.vstack([outputs, run(region.parameters(tried[chosen]))])
        number = np.append(number, np.full(more, step))
        log.info("round %d: disagreement %.3g of the outputs' size", step, np.sqrt(doubt.mean()))
    return inputs, outputs, number


def _disagreement(
    inputs: np.ndarray, outputs: np.ndarray, tried: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the variance (tried,) among emulators that parts of the runs teach."""
    part = deal(len(inputs), COMMITTEE, rng)
    said = [
        Polynomial(degree=2).fit(inputs[part != k], outputs[part != k]).predict(tried)
        for k in range(COMMITTEE)
    ]
    return np.var(said, axis=0).mean(axis=1)


def fit_emulator(
    region: Region,
    inputs: np.ndarray,
    outputs: np.ndarray,
    scale: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray],
    weather: np.ndarray | None = None,
) -> Emulator:
    """Return the emulator that runs teach, with its error on ``held_out`` inputs and outputs.

    ``weather`` (step, driver) is that of the runs, where it is to be remembered.

    Raises
    ------
    ConcertoError
        If a run that is held out is among those that teach.
    """
    tested, truth = held_out
    both = np.vstack([inputs, tested])
    if len(np.unique(both, axis=0)) < len(both):
        raise ConcertoError(
            "emulator: found a run twice among those that teach and those that judge; expected once"
        )
    model = Polynomial().fit(inputs, outputs / scale)
    error = model.predict(tested) * scale - truth
    known = {} if weather is None else {"weather": weather}
    return Emulator(region, model, scale, error, **known)


def error_table(said: np.ndarray, truth: np.ndarray, parts: Mapping[str, slice]) -> pd.DataFrame:
    """Return errors of parts of the outputs: ``output, relative, relative_mean, worst``.

    ``relative`` is the root mean square error over the mean size; ``relative_mean`` that of the
    mean over all steps of a run; ``worst`` the largest of the latter of any run.
    """
    rows = []
    for name, part in parts.items():
        error = said[:, part] - truth[:, part]
        size = np.abs(truth[:, part]).mean()
        means = error.mean(axis=1) / truth[:, part].mean()
        rows.append(
            (
                name,
                float(np.sqrt(np.mean(error**2)) / size),
                float(np.sqrt(np.mean(means**2))),
                float(np.abs(means).max()),
            )
        )
    return pd.DataFrame(rows, columns=["output", "relative", "relative_mean", "worst"])
