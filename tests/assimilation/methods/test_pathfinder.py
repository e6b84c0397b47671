"""Posteriors whose moments are known, and one of a model, by curved importance sampling."""

import math

import numpy as np
import pytest
from concerto.assimilation.curved import Curved
from concerto.assimilation.methods import pathfinder
from concerto.assimilation.methods.pathfinder import Normals, climb, covered
from concerto.errors import ConcertoError
from synthetic_dalec import make_problem
from synthetic_targets import Density

BUDGET = {"paths": 8, "particles": 128, "rounds": 8, "draws": 8000, "members": 1000}
WIDTHS = np.array([1e-3, 0.03, 1.0, 5.0])
MEAN = np.array([0.3, -1.0, 2.0, 0.0])


def narrow_and_wide(x):
    score = (x - MEAN) / WIDTHS
    return -0.5 * np.sum(score**2, axis=1), -score / WIDTHS


def banana(x):
    """Bent along its wider axis, which is the bend that the coordinates know."""
    off = (x[:, 1] - 0.5 * x[:, 0] ** 2) / 0.3
    slope = np.stack([-x[:, 0] + x[:, 0] * off / 0.3, -off / 0.3], axis=1)
    return -0.5 * x[:, 0] ** 2 - 0.5 * off**2, slope


def two_modes(x):
    """Three parts of four at -1, one at 1, 0.4 wide."""
    left, right = (-0.5 * np.sum((x - c) ** 2, axis=1) / 0.16 for c in (-1.0, 1.0))
    left, right = left + math.log(0.75), right + math.log(0.25)
    total = np.logaddexp(left, right)
    share = np.exp(left - total)[:, None]
    return total, -(share * (x + 1.0) + (1.0 - share) * (x - 1.0)) / 0.16


def sampled(target, size, seed=1, **budget):
    problem = Density(size, target)
    return pathfinder.assimilate(problem, BUDGET | budget, np.random.default_rng(seed))


def assert_mean(values, mean, sd, ess):
    assert abs(values.mean() - mean) < 4.5 * sd / math.sqrt(ess)


def independent(found):
    """Resampling adds its own error to that of the weights."""
    return 1.0 / (1.0 / found.diagnostics["effective_sample_size"] + 1.0 / len(found.unit))


def test_normal_of_very_different_widths():
    found = sampled(narrow_and_wide, 4)
    assert found.converged, found.verdict
    for k in range(4):
        assert_mean(found.unit[:, k], MEAN[k], WIDTHS[k], independent(found))
        assert found.unit[:, k].std() == pytest.approx(WIDTHS[k], rel=4.5 / math.sqrt(1400))
    np.testing.assert_allclose(found.log_density, narrow_and_wide(found.unit)[0])


def test_banana():
    found = sampled(banana, 2)
    assert found.converged, found.verdict
    x, y = found.unit.T
    ess = independent(found)
    assert_mean(x, 0.0, 1.0, ess)
    assert_mean(x**2, 1.0, math.sqrt(2.0), ess)
    assert_mean((y - 0.5 * x**2) / 0.3, 0.0, 1.0, ess)


def test_two_modes_have_their_shares():
    found = sampled(two_modes, 1)
    assert found.converged, found.verdict
    right = found.unit[:, 0] > 0.0
    share = 0.25 + 0.5 * math.erfc(2.5 / math.sqrt(2.0)) / 2.0  # what reaches over from the left
    assert_mean(right, share, 0.44, independent(found))


def test_too_few_draws_are_not_enough():
    found = sampled(banana, 2, draws=300)
    assert not found.converged
    assert "above 400 wanted" in found.verdict


def test_a_bad_proposal_is_told_by_its_k_hat():
    narrow = Curved(np.zeros(5), 0.3 * np.eye(5), *np.zeros((2, 5, 21)), np.zeros(5, dtype=bool))
    problem = Density(5, lambda x: (-0.5 * np.sum(x**2, axis=1), -x))
    rng = np.random.default_rng(2)
    sample = pathfinder._draw(problem, narrow, 4000, rng)
    found = pathfinder._posterior(problem, sample, 1.0, 100, rng)
    assert found.diagnostics["k_hat"] > 0.7
    assert not found.converged


class TestCovered:
    @staticmethod
    def weights(center, rng):
        """Of two modes far apart against a proposal of the left one, and of both."""
        x = center + rng.standard_normal(len(center))
        both = np.logaddexp(-0.5 * (x + 9.0) ** 2, -0.5 * (x - 9.0) ** 2) - math.log(2.0)
        return both + 0.5 * (x + 9.0) ** 2

    def test_half_of_the_ground(self):
        rng = np.random.default_rng(3)
        at_particles = self.weights(np.repeat([-9.0, 9.0], 2000), rng)
        of_draws = self.weights(np.full(4000, -9.0), rng)
        assert np.ptp(of_draws) < 1e-6  # nothing that a k-hat could see
        assert covered(of_draws, at_particles) == pytest.approx(0.5, abs=0.05)

    def test_all_of_it(self):
        rng = np.random.default_rng(4)
        draws, particles = 1.3 * rng.standard_normal(4000), rng.standard_normal(1000)
        of_draws, at_particles = (-0.5 * x**2 + 0.5 * (x / 1.3) ** 2 for x in (draws, particles))
        assert covered(of_draws, at_particles) == pytest.approx(1.0, abs=0.05)


def test_paths_on_a_normal_end_at_its_mode():
    precision = np.array([[4.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 100.0]])
    mode = np.array([0.2, -0.4, 0.1])

    def target(x):
        slope = -(x - mode) @ precision
        return 0.5 * np.sum((x - mode) * slope, axis=1), slope

    normals = climb(target, np.random.default_rng(5).standard_normal((6, 3)))
    np.testing.assert_allclose(normals.means[-6:], np.tile(mode, (6, 1)), atol=1e-4)


def test_estimates_agree_with_the_last_step_and_wait_where_there_is_none():
    """The secant condition: the inverse takes the change of gradient to the step."""
    rng = np.random.default_rng(6)
    moved = rng.standard_normal((3, 4))
    fell = moved * [1.0, 4.0, 9.0, 0.5]
    inverse = np.tile(0.1 * np.eye(4), (3, 1, 1))
    pathfinder._update(inverse, np.ones(3, bool), np.array([True, True, False]), moved, fell)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", inverse, fell)[:2], moved[:2], atol=1e-12)
    np.testing.assert_allclose(inverse, inverse.transpose(0, 2, 1), atol=1e-12)
    assert (np.linalg.eigvalsh(inverse) > 0.0).all()
    np.testing.assert_array_equal(inverse[2], 0.1 * np.eye(4))


def test_log_density_of_normals():
    normals = Normals(np.array([[1.0, 0.0]]), np.array([[[2.0, 0.0], [1.0, 0.5]]]))
    covariance = normals.roots[0] @ normals.roots[0].T
    away = np.array([2.0, 3.0]) - normals.means[0]
    expected = -0.5 * away @ np.linalg.solve(covariance, away)
    expected -= 0.5 * np.log(np.linalg.det(covariance)) + math.log(2.0 * math.pi)
    assert normals.log_densities(np.array([[2.0, 3.0]]))[0, 0] == pytest.approx(expected)


def test_same_seed_same_draws():
    first, second, other = (sampled(banana, 2, seed, rounds=1, draws=500) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.unit, second.unit)
    assert (first.unit != other.unit).any()


def test_too_few_particles():
    with pytest.raises(ConcertoError, match="found 63 particles; expected at least 64"):
        sampled(banana, 2, particles=63)


def test_runs_that_fail_everywhere_are_named():
    with pytest.raises(ConcertoError, match="every path ends in failing runs of density"):
        sampled(lambda x: (np.full(len(x), -np.inf), np.zeros_like(x)), 2)


def test_on_a_model_density_is_that_of_the_draws_and_a_short_run_says_so(dalec2):
    problem = make_problem(dalec2, days=120)
    budget = {"paths": 4, "particles": 64, "rounds": 1, "draws": 500, "members": 100}
    found = pathfinder.assimilate(problem, budget, np.random.default_rng(1))
    assert ((found.unit >= 0.0) & (found.unit <= 1.0)).all()
    expected = problem.log_likelihood(problem.prior.to_parameters(found.unit))
    expected += problem.prior.log_density(found.unit)
    np.testing.assert_allclose(found.log_density, expected, rtol=1e-6, atol=1e-6)
    assert found.unit.shape == (100, len(problem.model.parameters))
    assert not found.converged
    assert {"k_hat", "effective_sample_size", "covered"} <= set(found.diagnostics)
