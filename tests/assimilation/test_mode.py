import numpy as np
import pytest
from concerto.assimilation.constraints import NAMES
from concerto.assimilation.mode import descend, ends
from concerto.assimilation.scores import Scores
from synthetic_dalec import make_problem
from synthetic_targets import Normal, Target, unit_box


def test_linear_problem_has_its_closed_form():
    rng = np.random.default_rng(1)
    design, observed = rng.normal(size=(30, 5)), rng.normal(size=30)
    target = Target(Normal(5), lambda z: z @ design.T - observed)
    expected = np.linalg.solve(np.eye(5) + design.T @ design, design.T @ observed)
    ends = descend(target, rng.normal(size=(2, 5)))
    np.testing.assert_allclose(ends, np.tile(expected, (2, 1)), atol=1e-5)


def test_prior_holds_what_no_residual_holds():
    target = Target(Normal(3), lambda z: 10.0 * (z[:, :1] - 1.0))
    ends = descend(target, np.full((1, 3), 2.0))
    np.testing.assert_allclose(ends[0], [100.0 / 101.0, 0.0, 0.0], atol=1e-6)


def rosenbrock(z):
    # the valley of Rosenbrock, whose minimum of 0 is at (1, 1), times a thousand against the prior
    return 1e3 * np.stack([1.0 - z[:, 0], 10.0 * (z[:, 1] - z[:, 0] ** 2)], axis=1)


def test_a_curved_valley_is_followed():
    ends = descend(Target(Normal(2), rosenbrock), np.array([[-1.2, 1.0]]))
    np.testing.assert_allclose(ends[0], 1.0, atol=1e-3)


@pytest.mark.parametrize("starts", [[[2.5], [-2.5]], [[-2.5], [2.5]]])
def test_the_best_comes_first(starts):
    def residuals(z):
        # minima near -2 and 2; the one at -2 is the deeper
        return np.stack([5.0 * (z[:, 0] ** 2 - 4.0), 1.0 * (z[:, 0] + 2.0)], axis=1)

    ends = descend(Target(Normal(1), residuals), np.array(starts))
    assert ends[0, 0] < -1.5
    assert ends[1, 0] > 1.5


def test_an_angle_is_found_whatever_its_start():
    """The direction (0.6, 0.8), seen with an error of 0.1; no component of ``z`` is drawn in."""

    def residuals(x):
        turn = 2.0 * np.pi * x[:, 1]
        return np.stack([np.cos(turn) - 0.6, np.sin(turn) - 0.8], axis=1) / 0.1

    target = Target(unit_box("uniform", "circular"), residuals)
    starts = np.random.default_rng(2).normal(size=(6, 3)) * np.array([1.0, 3.0, 3.0])
    np.testing.assert_allclose(descend(target, starts), np.tile([0.0, 0.6, 0.8], (6, 1)), atol=1e-5)


def test_ends_are_where_the_cost_is_level(dalec2):
    problem = make_problem(dalec2, NAMES)
    scores = Scores(problem)
    starts = scores.of(problem.prior.draw(2, np.random.default_rng(3)))
    reached = ends(scores, starts, 200, 1e-12, 0.01)
    for end in reached:
        h = 1e-5 / np.sqrt(np.diag(end.curvature))
        ahead, behind = (scores.cost(end.scores + s * np.diag(h)) for s in (1.0, -1.0))
        np.testing.assert_allclose((ahead - behind) / (2.0 * h), end.gradient, atol=0.02)
        assert end.cost == pytest.approx(scores.cost(end.scores[None])[0], rel=1e-10)
        assert np.abs(end.gradient).max() < 0.01
    assert reached[0].cost <= reached[1].cost < scores.cost(starts).min()


def test_descents_are_counted(dalec2):
    problem = make_problem(dalec2)
    start = problem.prior.draw(1, np.random.default_rng(4))
    ends(Scores(problem), Scores(problem).of(start), 3, 1e-12)
    assert problem.model_runs == 3 * (1 + problem.prior.size)


def test_scores_hold_as_many_numbers_as_parameters():
    prior = unit_box("circular", "uniform", "circular")
    scores = Scores(Target(prior, lambda x: x - 0.5))
    at = np.random.default_rng(5).uniform(-3.0, 3.0, (50, 3))
    np.testing.assert_allclose(scores.of(scores.to_z(at)), at, atol=1e-12)
    parameters = scores.parameters_of(at)
    np.testing.assert_allclose(parameters[:, 0], at[:, 0] / (2.0 * np.pi) % 1.0)
    np.testing.assert_array_equal(parameters, prior.parameters_of(scores.to_z(at)))
    residuals, slopes = scores.linearise(at[0])
    np.testing.assert_allclose(residuals, [*(parameters[0] - 0.5), at[0, 1]])
    normal = np.exp(-0.5 * at[0, 1] ** 2) / np.sqrt(2.0 * np.pi)
    expected = np.diag([0.5 / np.pi, normal, 0.5 / np.pi])
    np.testing.assert_allclose(slopes, [*expected, [0.0, 1.0, 0.0]], atol=1e-8)
    np.testing.assert_allclose(
        scores.cost(at), 0.5 * np.sum((parameters - 0.5) ** 2, axis=1) + 0.5 * at[:, 1] ** 2
    )
