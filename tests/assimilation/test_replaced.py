"""What stands in for a model finds what the model finds, and what it is wrong by widens that."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.assimilation.methods import esmda
from concerto.assimilation.replaced import ReplacedProblem, prior_within
from concerto.errors import ConcertoError
from concerto.learning.emulator import OutsideRegion, Region, active_design, fit_emulator
from concerto.models import Parameter

BUDGET = {"members": 600, "steps": 6, "most_steps": 30}
DAYS = np.linspace(0.0, 2.0 * np.pi, 60)


def parameter(name: str, low: float, high: float) -> Parameter:
    return Parameter(
        name=name, unit="1", min=low, max=high, prior="uniform", description=name, source="none"
    )


PARAMETERS = [parameter("height", 0.0, 8.0), parameter("known", 0.0, 4.0), parameter("lag", -2, 2)]
REGION = Region(
    ("height", "known", "lag"), np.array([1.0, 2.0, -1.0]), np.array([6.0, 2.0, 1.0]),
    np.zeros(3, bool),
)  # fmt: skip


def season(parameters: np.ndarray) -> np.ndarray:
    height, known, lag = parameters.T[..., None]
    return known + height * np.cos(DAYS - lag)


def full(free: np.ndarray) -> np.ndarray:
    return np.column_stack([free[:, 0], np.full(len(free), 2.0), free[:, 1]])


@pytest.fixture(scope="module")
def emulator():
    def sizes(outputs):
        return np.full(outputs.shape[1], np.abs(outputs).mean())

    rng = np.random.default_rng(1)
    inputs, outputs, _ = active_design(REGION, season, sizes, 240, 1, 60, rng)
    tested = rng.uniform(-1.0, 1.0, (100, 2))
    return fit_emulator(
        REGION, inputs, outputs, sizes(outputs), (tested, season(REGION.parameters(tested)))
    )


def solve(run, values, errors=None):
    prior = prior_within(PARAMETERS, REGION.low, REGION.high)
    problem = ReplacedProblem(prior, run, values, np.full(DAYS.size, 0.5), errors)
    found = esmda.assimilate(problem, BUDGET, np.random.default_rng(2))
    assert problem.model_runs > BUDGET["members"]
    return found, prior.to_parameters(found.unit)


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(4)
    seen = season(np.array([[4.0, 2.0, 0.3]]))[0] + 0.5 * rng.standard_normal(DAYS.size)
    return np.where(np.arange(DAYS.size) % 5 == 0, np.nan, seen)


def test_posteriors_through_both_are_alike(emulator, values):
    by_model, exact = solve(lambda free: season(full(free)), values)
    by_emulator, found = solve(lambda free: emulator.predict(full(free)), values, emulator.errors)
    assert by_model.converged
    assert by_emulator.converged
    spread = exact.std(axis=0)
    assert (np.abs(found.mean(axis=0) - exact.mean(axis=0)) < 0.2 * spread).all()
    np.testing.assert_allclose(found.std(axis=0), spread, rtol=0.15)
    assert (np.abs(exact.mean(axis=0) - [4.0, 0.3]) < 4.0 * spread).all()


def test_no_member_leaves_the_region(emulator, values):
    """The truth is outside: whatever is tried on the way there is inside, or it would raise."""
    far = season(np.array([[9.0, 2.0, 0.3]]))[0]
    _, found = solve(lambda free: emulator.predict(full(free)), far, emulator.errors)
    assert REGION.holds(full(found)).all()
    with pytest.raises(OutsideRegion, match="height: found 9"):
        emulator.predict(np.array([[9.0, 2.0, 0.3]]))


def test_misfits_are_whitened_by_both_errors():
    rng = np.random.default_rng(5)
    errors = rng.normal(size=(40, 1)) * np.ones(4) + 0.1 * rng.normal(size=(40, 4))
    sd, values = np.array([0.5, 1.0, 2.0, 1.0]), np.array([1.0, -2.0, np.nan, 0.5])
    prior = prior_within(PARAMETERS[:1], np.array([1.0]), np.array([6.0]))
    problem = ReplacedProblem(prior, lambda free: np.tile(free, 4), values, sd, errors)
    seen = np.array([0, 1, 3])
    covariance = np.diag(sd[seen] ** 2) + errors[:, seen].T @ errors[:, seen] / 40
    misfit = values[seen] - 3.0
    expected = -0.5 * misfit @ np.linalg.solve(covariance, misfit)
    assert problem.n_observations == 3
    np.testing.assert_allclose(problem.log_likelihood(np.array([[3.0]])), [expected])


def test_observations_without_errors_are_refused():
    prior = prior_within(PARAMETERS, REGION.low, REGION.high)
    for values, sd in ((np.full(3, np.nan), np.ones(3)), (np.ones(3), np.array([1.0, 0.0, 1.0]))):
        with pytest.raises(ConcertoError, match="observations: found"):
            ReplacedProblem(prior, lambda free: free, values, sd)
