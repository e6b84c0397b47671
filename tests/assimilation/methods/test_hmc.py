"""The gradient sampler on targets whose distribution is known exactly."""

import math

import numpy as np
import pytest
from concerto.assimilation.diagnostics import chain_diagnostics
from concerto.assimilation.methods import hmc
from concerto.assimilation.methods.hmc import Metric, Pace, Sampled, sample
from concerto.errors import ConcertoError
from scipy import stats
from synthetic_dalec import make_problem

CHAINS = 16
CORRELATION = np.array(
    [[1.0, 0.95, 0.0, -0.5], [0.95, 1.0, 0.1, -0.5], [0.0, 0.1, 1.0, 0.3], [-0.5, -0.5, 0.3, 1.0]]
)
MEAN, SPREAD = np.array([0.0, 3.0, -1.0, 0.5]), np.array([0.01, 1.0, 20.0, 0.3])
PRECISION = np.linalg.inv(CORRELATION * np.outer(SPREAD, SPREAD))


def normal(x):
    far = (x - MEAN) @ PRECISION
    return -0.5 * np.sum(far * (x - MEAN), axis=1), -far


def banana(x):
    """A standard normal first coordinate, and a second one near the square of it."""
    off = (x[:, 1] - x[:, 0] ** 2) / 0.3
    density = -0.5 * (x[:, 0] ** 2 + off**2)
    return density, np.stack([-x[:, 0] + 2.0 * x[:, 0] * off / 0.3, -off / 0.3], axis=1)


def von_mises(x):
    """A fraction of the circle, most often near its start, which is its end."""
    angle = 2.0 * np.pi * (x[:, 0] - 0.02)
    return 4.0 * np.cos(angle), (-8.0 * np.pi * np.sin(angle))[:, None]


def draw(target, size, *, circular=False, warm_up=300, draws=400, seed=1, scale=1.0):
    rng = np.random.default_rng(seed)
    start = scale * rng.standard_normal((CHAINS, size)) + (MEAN if target is normal else 0.0)
    metric = Metric(np.zeros(size), np.eye(size), np.full(size, circular))
    return sample(target, start, metric, warm_up, draws, rng)


def diagnose(found):
    return chain_diagnostics(found.states, np.zeros(found.states.shape[2], dtype=bool))


def assert_moments(values, mean, sd, ess):
    assert abs(values.mean() - mean) < 4.5 * sd / math.sqrt(ess)
    assert abs(values.std() / sd - 1.0) < 4.5 / math.sqrt(ess)


def test_correlated_normal_of_very_different_widths():
    found = draw(normal, 4)
    checked = diagnose(found)
    assert found.divergences == 0
    assert checked["rhat"].max() < 1.01
    assert checked["ess_bulk"].min() > 1000.0
    draws = found.states.reshape(-1, 4)
    for k in range(4):
        ess = min(checked["ess_bulk"][k], checked["ess_tail"][k])
        assert_moments(draws[:, k], MEAN[k], SPREAD[k], ess)
    np.testing.assert_allclose(np.corrcoef(draws.T), CORRELATION, atol=0.1)


def test_banana():
    found = draw(banana, 2, draws=1500)
    checked = diagnose(found)
    assert checked["rhat"].max() < 1.02
    x, y = found.states.reshape(-1, 2).T
    ess = min(checked["ess_bulk"].min(), checked["ess_tail"].min())
    assert_moments(x, 0.0, 1.0, ess)
    assert_moments((y - x**2) / 0.3, 0.0, 1.0, ess)
    assert abs(y.mean() - 1.0) < 4.5 * math.sqrt(2.09 / ess)


def test_a_fraction_of_the_circle_that_lies_across_its_start():
    found = draw(von_mises, 1, circular=True, scale=0.1)
    turn = found.states.reshape(-1) % 1.0
    angle = 2.0 * np.pi * turn
    resultant = np.exp(1j * angle).mean()
    assert np.angle(resultant) / (2.0 * np.pi) == pytest.approx(0.02, abs=0.01)
    assert abs(resultant) == pytest.approx(stats.vonmises(4.0).expect(np.cos), abs=0.02)
    assert (turn > 0.9).any()
    assert (turn < 0.1).any()
    assert np.ptp(found.states) < 1.5, "states stay on one turn"


def test_same_seed_same_draws():
    first, second, other = (draw(banana, 2, warm_up=40, draws=20, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.states, second.states)
    assert (first.states != other.states).any()


def test_trajectories_keep_their_energy_and_can_be_run_back():
    rng = np.random.default_rng(5)
    x, push = rng.normal(size=(2, CHAINS, 2))
    density, gradient = banana(x)
    start = density - 0.5 * np.sum(push**2, axis=1)
    errors = []
    for steps in (64, 128, 256):
        end, last, ended, slope = hmc._follow(banana, x, push, gradient, 1.0 / steps, steps)
        errors.append(np.abs(ended - 0.5 * np.sum(last**2, axis=1) - start).max())
        back, reverse, _, _ = hmc._follow(banana, end, -last, slope, 1.0 / steps, steps)
        np.testing.assert_allclose(back, x, atol=1e-9)
        np.testing.assert_allclose(-reverse, push, atol=1e-9)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.3)  # of second order
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.3)


def test_metric_has_the_covariance_of_its_states():
    rng = np.random.default_rng(6)
    states = rng.multivariate_normal(MEAN, np.linalg.inv(PRECISION), 20_000)
    metric = Metric.of(states, np.zeros(4, dtype=bool))
    white = metric.whiten(states)
    np.testing.assert_allclose(np.cov(white.T), np.eye(4), atol=0.12)
    np.testing.assert_allclose(metric.mean + white @ metric.root.T, states, atol=1e-9)


def test_metric_of_states_on_several_turns():
    near = np.random.default_rng(7).normal(0.98, 0.02, (5000, 1))
    turns = near + np.arange(5000)[:, None] % 3
    metric = Metric.of(turns, np.array([True]))
    assert metric.root[0, 0] == pytest.approx(0.02, rel=0.1)
    assert np.ptp(metric.wrap(turns)) < 0.5


def test_step_is_learned_until_acceptance_is_as_wanted():
    found = draw(normal, 4, warm_up=600)
    assert found.acceptance.mean() == pytest.approx(hmc.ACCEPTANCE, abs=0.1)


def test_length_of_trajectories_is_about_a_quarter_turn_of_a_normal():
    pace = Pace()
    rng = np.random.default_rng(8)
    pace.restart()
    metric = Metric(np.zeros(3), np.eye(3), np.zeros(3, dtype=bool))
    isotropic = lambda x: (-0.5 * np.sum(x * x, axis=1), -x)  # noqa: E731
    states = rng.standard_normal((64, 3))
    hmc.run(isotropic, states, metric, pace, 400, rng, learn=True)
    assert 0.8 < pace.length < 3.0


def test_a_chain_that_does_not_move_begins_anew_from_one_that_does():
    states = np.arange(4.0)[:, None, None] * np.ones((4, 10, 2))
    found = Sampled(states, np.zeros((4, 10)), np.array([0.8, 0.0, 0.7, 0.1]), 0)
    last, kept = hmc.restart_stuck(found, np.random.default_rng(1))
    assert set(last[[1, 3], 0]) <= {0.0, 2.0}
    assert (last[[0, 2], 0] == [0.0, 2.0]).all()
    assert set(kept[:, 0]) == {0.0, 2.0}
    assert len(kept) == 2 * 5


def test_a_metric_of_one_state_is_that_of_no_knowledge():
    metric = Metric.of(np.array([[0.2, 0.9, 0.5]]), np.array([False, True, False]))
    assert np.isfinite(metric.root).all()
    np.testing.assert_allclose(metric.mean, [0.2, 0.9 - 1.0, 0.5])
    assert (np.diag(metric.root) > 0.0).all()


def test_where_the_density_ends_trajectories_are_not_accepted():
    def half(x):
        inside = x[:, 0] > 0.0
        density = np.where(inside, -0.5 * np.sum(x * x, axis=1), -np.inf)
        return density, np.where(inside[:, None], -x, 0.0)

    rng = np.random.default_rng(9)
    start = np.abs(rng.standard_normal((CHAINS, 1)))
    metric = Metric(np.zeros(1), np.eye(1), np.zeros(1, dtype=bool))
    sampled = sample(half, start, metric, 300, 1500, rng)
    assert 0 < sampled.divergences < 0.5 * CHAINS * 1500
    found = sampled.states.reshape(-1)
    assert found.min() > 0.0
    assert found.mean() == pytest.approx(math.sqrt(2.0 / math.pi), abs=0.05)


def test_a_density_that_is_nil_at_the_start():
    with pytest.raises(ConcertoError, match="a run of the model fails at the start"):
        draw(lambda x: (np.full(len(x), -np.inf), 0.0 * x), 2)


class TestOnAModel:
    @pytest.fixture(scope="class")
    @classmethod
    def posterior(cls, dalec2):
        problem = make_problem(dalec2, days=120)
        budget = {"chains": 6, "warm_up": 30, "draws": 12}
        return problem, hmc.assimilate(problem, budget, np.random.default_rng(1))

    def test_draws_are_in_the_order_of_their_chains(self, posterior):
        problem, found = posterior
        assert found.unit.shape == (72, len(problem.model.parameters))
        np.testing.assert_array_equal(found.chain, np.repeat(np.arange(6), 12))
        assert ((found.unit >= 0.0) & (found.unit <= 1.0)).all()

    def test_density_is_that_of_the_draws(self, posterior):
        problem, found = posterior
        expected = problem.log_likelihood(problem.prior.to_parameters(found.unit))
        expected += problem.prior.log_density(found.unit)
        np.testing.assert_allclose(found.log_density, expected, rtol=1e-6, atol=1e-6)

    def test_so_short_a_run_says_that_it_did_not_converge(self, posterior):
        _, found = posterior
        assert not found.converged
        assert "R-hat" in found.verdict
        assert "diverged (at most 1 % wanted)" in found.verdict
        assert found.diagnostics.keys() == {"divergences", "acceptance"}
        assert found.history["log_density"].shape == (12,)

    def test_too_few_chains(self, dalec2):
        problem = make_problem(dalec2, days=120)
        budget = {"chains": 3, "warm_up": 10, "draws": 10}
        with pytest.raises(ConcertoError, match="hmc: found 3 chains; expected at least 4"):
            hmc.assimilate(problem, budget, np.random.default_rng(1))
