import numpy as np
import pytest
from concerto.assimilation.mode import descend
from synthetic_targets import Normal, Target


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
