"""Randomised maximum likelihood: exact where residuals are linear, at best fits elsewhere."""

import dataclasses

import numpy as np
import pytest
from concerto.assimilation.methods import rml
from concerto.assimilation.problem import Stream
from concerto.assimilation.settling import Start
from concerto.errors import ConcertoError
from synthetic_dalec import make_problem, model_named
from synthetic_targets import Constrained, Normal, Target, unit_box

BUDGET = {"members": 400, "steps": 4, "most_iterations": 10, "rounds": 10}
SIZE, N = 4, 30


def linear():
    rng = np.random.default_rng(1)
    design = rng.normal(size=(N, SIZE)) * 0.3 ** np.arange(SIZE)
    return design, design @ rng.normal(size=SIZE) + rng.standard_normal(N)


def problem(design, observed):
    return Target(Normal(design.shape[1]), lambda z: z @ design.T - observed)


def run(target, seed=2, start=None, **changes):
    return rml.assimilate(target, BUDGET | changes, np.random.default_rng(seed), start)


def test_linear_normal_posterior_is_exact():
    design, observed = linear()
    precision = np.eye(SIZE) + design.T @ design
    mean, covariance = np.linalg.solve(precision, design.T @ observed), np.linalg.inv(precision)
    posterior = run(problem(design, observed))
    assert posterior.converged, posterior.verdict
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((posterior.unit.mean(axis=0) - mean) / spread, 0.0, atol=0.15)
    scale = np.outer(spread, spread)
    np.testing.assert_allclose(np.cov(posterior.unit.T) / scale, covariance / scale, atol=0.2)


def test_constraints_count_once_however_members_came_under_them():
    design, observed = linear()
    rows, wanted = np.eye(2, SIZE) / 0.5, np.array([1.0, -0.5]) / 0.5
    target = Constrained(
        Normal(SIZE), lambda z: z @ design.T - observed, lambda z: z @ rows.T - wanted
    )
    precision = np.eye(SIZE) + design.T @ design + rows.T @ rows
    mean = np.linalg.solve(precision, design.T @ observed + rows.T @ wanted)
    spread = np.sqrt(np.diag(np.linalg.inv(precision)))
    for settling in ({}, {"settling": 100}):
        posterior = run(target, **settling)
        np.testing.assert_allclose((posterior.unit.mean(axis=0) - mean) / spread, 0.0, atol=0.2)
        np.testing.assert_allclose(posterior.unit.std(axis=0) / spread, 1.0, atol=0.15)


def test_each_member_is_the_solution_of_its_own_equations():
    """Of linear residuals the best fit has a closed form, member by member."""
    design, observed = linear()
    target = problem(design, observed)
    rng = np.random.default_rng(3)
    origin, errors = rng.standard_normal((50, SIZE)), rng.standard_normal((50, N))
    task, start = rml.Task(target, origin, errors), np.zeros((50, SIZE))
    z, cost = rml.descend(task, start, task.cost(start), 30)
    precision = np.eye(SIZE) + design.T @ design
    exact = np.linalg.solve(precision, (origin + (observed + errors) @ design).T).T
    np.testing.assert_allclose(z, exact, atol=0.05)
    apart = exact @ design.T - observed - errors
    least = 0.5 * (np.sum(apart**2, axis=1) + np.sum((exact - origin) ** 2, axis=1))
    np.testing.assert_allclose(cost, least, rtol=1e-3)


def test_members_start_from_what_they_are_given():
    """A member is drawn to its own start where nothing is observed."""
    design, observed = np.zeros((N, SIZE)), np.zeros(N)
    start = np.random.default_rng(4).standard_normal((400, SIZE))
    given = Start(start, np.random.default_rng(5))
    posterior = run(problem(design, observed), start=given)
    np.testing.assert_allclose(posterior.unit, start, atol=0.05)


def two_valleys(z):
    """Around -1 and 1, of which the first is far above the other."""
    x = z[:, :1]
    return np.concatenate([np.repeat(3.0 * (x**2 - 1.0), N, axis=1), 12.0 * (x < 0.0)], axis=1)


def test_members_leave_a_poor_valley():
    posterior = run(Target(Normal(1), two_valleys))
    assert posterior.history["envious"][0] > 0.0
    assert posterior.history["envious"][-1] == 0.0
    np.testing.assert_allclose(posterior.unit, 1.0, atol=0.2)


def test_a_member_knows_its_cost_where_others_ended():
    rng = np.random.default_rng(7)
    target, z = Target(Normal(1), two_valleys), np.array([[-1.0], [1.0], [-0.9]])
    task = rml.Task(target, rng.standard_normal((3, 1)), rng.standard_normal((3, N + 1)))
    best, cost = task.best_of(z)
    np.testing.assert_array_equal(best, 1)
    np.testing.assert_allclose(cost, task.cost(z[best]), rtol=1e-12)


def test_without_rounds_left_the_verdict_says_so():
    posterior = run(Target(Normal(1), two_valleys), rounds=1)
    assert not posterior.converged
    assert "would be better off" in posterior.verdict


@pytest.mark.parametrize("day", [0.0, 0.97])
def test_a_day_of_the_year_around_the_new_year(day):
    def residuals(x):
        turn = 2.0 * np.pi * (x[:, 0] - day)
        return np.stack([np.cos(turn) - 1.0, np.sin(turn)], axis=1) / 0.1

    posterior = run(Target(unit_box("circular"), residuals))
    off = (posterior.unit[:, 0] - day + 0.5) % 1.0 - 0.5
    assert abs(off.mean()) < 0.005
    assert off.std() == pytest.approx(0.1 / (2.0 * np.pi), rel=0.2)


def test_too_few_members_are_refused():
    design, observed = linear()
    with pytest.raises(ConcertoError, match="10 members for 4 unknowns"):
        run(problem(design, observed), members=10)


def twin():
    """DALEC2 observed with the errors that are stated."""
    known = make_problem(model_named("dalec2"))
    rng = np.random.default_rng(6)
    truth = known.prior.parameters_of(0.5 * known.prior.draw(1, rng))
    errors = known.draw_errors(truth[0], rng)
    streams = [
        Stream(stream.name, shown[0] + error, stream.random_sd)
        for stream, shown, error in zip(known.streams, known.predict(truth), errors, strict=True)
    ]
    return dataclasses.replace(known, streams=streams)


def test_members_fit_a_real_model_as_errors_lead_to_expect():
    posterior = run(twin(), members=300)
    assert posterior.converged, posterior.verdict
    assert posterior.diagnostics["mean_squared_misfit"] == pytest.approx(1.0, abs=0.2)
    np.testing.assert_array_equal(run(twin(), members=300).unit, posterior.unit)
