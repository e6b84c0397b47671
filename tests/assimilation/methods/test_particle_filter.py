"""The particle filter on targets whose distribution is known, and on a model."""

import numpy as np
import pytest
from concerto.assimilation.methods import hmc, particle_filter
from concerto.assimilation.methods.particle_filter import (
    Reference,
    effective_number,
    largest_share,
)
from concerto.assimilation.resampling import systematic
from concerto.errors import ConcertoError
from scipy import stats
from synthetic_dalec import make_problem
from synthetic_targets import Normal, Target

BUDGET = {"populations": 4, "members": 1000, "windows": 5, "moves": 20}
SIZE, N = 4, 30


def run(target, seed=2, **changes):
    return particle_filter.assimilate(target, BUDGET | changes, np.random.default_rng(seed))


def linear(constraints=0, seed=1):
    """Residuals of a linear function, the last of which are constraints."""
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(N, SIZE)) * np.array([2.0, 0.5, 0.2, 0.05])
    observed = design @ rng.normal(size=SIZE) + rng.standard_normal(N)
    target = Target(Normal(SIZE), lambda z: z @ design.T - observed)
    target.n_observations = N - constraints
    precision = np.eye(SIZE) + design.T @ design
    return target, np.linalg.solve(precision, design.T @ observed), np.linalg.inv(precision)


@pytest.mark.parametrize("windows", [1, 5, 20])
@pytest.mark.parametrize("constraints", [0, 6])
def test_linear_normal_posterior_is_exact(windows, constraints):
    target, mean, covariance = linear(constraints)
    posterior = run(target, windows=windows)
    assert posterior.rhat.max() < 1.02, posterior.verdict
    spread = np.sqrt(np.diag(covariance))
    error = 4.5 / np.sqrt(posterior.ess_bulk)
    assert (np.abs(posterior.unit.mean(axis=0) - mean) < error * spread).all()
    scale = np.outer(spread, spread)
    found = np.cov(posterior.unit.T)
    np.testing.assert_allclose(found / scale, covariance / scale, atol=1.5 * error.max())
    assert posterior.unit.shape == (4000, SIZE)
    np.testing.assert_array_equal(posterior.chain, np.repeat(np.arange(4), 1000))


def test_evidence_is_the_integral_of_the_likelihood():
    target, _, _ = linear()
    posterior = run(target)
    observed = -target.residuals(np.zeros((1, SIZE)))[0]
    design = target.residuals(np.eye(SIZE)).T + observed[:, None]
    dense = stats.multivariate_normal(cov=np.eye(N) + design @ design.T)
    expected = dense.logpdf(observed) + 0.5 * N * np.log(2.0 * np.pi)
    named = posterior.diagnostics
    assert abs(named["log_evidence"] - expected) < 0.3
    assert named["log_evidence_sd"] < 0.6
    expected = target.log_likelihood(posterior.unit) - 0.5 * np.sum(posterior.unit**2, axis=1)
    np.testing.assert_allclose(posterior.log_density, expected, rtol=1e-10)


def test_both_modes_are_kept_with_their_weights():
    """Two modes near +-2, seen well enough to be far apart, of which a tilt prefers one."""

    def residuals(z):
        ring = np.repeat((z[:, :1] ** 2 - 4.0) / 1.0, 4, axis=1)
        return np.hstack([ring, (z[:, :1] - 10.0) / 8.0, z[:, 1:] - 1.0])

    x = np.linspace(-5.0, 5.0, 20001)
    density = np.exp(
        -0.5 * (x**2 + np.sum(residuals(np.stack([x, x], axis=1))[:, :-1] ** 2, axis=1))
    )
    right = density[x > 0.0].sum() / density.sum()
    assert 0.55 < right < 0.75
    posterior = run(Target(Normal(2), residuals), windows=3, members=2000)
    assert posterior.rhat.max() < 1.02, posterior.verdict
    assert (posterior.unit[:, 0] > 0.0).mean() == pytest.approx(right, abs=0.04)
    modes = posterior.unit[posterior.unit[:, 0] > 0.0, 0]
    around = np.average(x, weights=np.where(x > 0.0, density, 0.0))
    assert modes.mean() == pytest.approx(around, abs=0.03)


def test_failing_runs_lose_their_weight_and_are_counted():
    target, _, _ = linear()
    sound = target.residuals

    def residuals(z):
        out = sound(z)
        out[z[:, 3] > 0.5, 7] = np.nan
        return out

    target.residuals = residuals
    posterior = run(target)
    assert (posterior.unit[:, 3] <= 0.5).all()
    assert posterior.diagnostics["failed_runs"] > 1000
    cut = stats.truncnorm(-np.inf, 0.5)  # the data say hardly anything of the last unknown
    assert posterior.unit[:, 3].mean() == pytest.approx(cut.mean(), abs=0.15)


def test_if_all_runs_fail_it_says_where():
    target = Target(Normal(SIZE), lambda z: np.full((len(z), N), np.nan))
    with pytest.raises(ConcertoError, match=r"all 1000 runs .* no finite result for residuals"):
        run(target)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"populations": 1}, "found 1 populations; expected at least 2"),
        ({"members": 20}, "found 20 members for 4 unknowns; expected at least 40"),
        ({"moves": 30}, "found 1000 members and 30 moves; expected at least 2 moves"),
        ({"windows": 31}, "found 31 windows for 30 observations; expected at least 1"),
        ({"windows": 0}, "found 0 windows for 30 observations"),
    ],
)
def test_budgets_that_cannot_work(changes, said):
    with pytest.raises(ConcertoError, match=f"particle_filter: {said}"):
        run(linear()[0], **changes)


def test_too_few_particles_for_a_hard_target_are_not_trusted():
    """A hundred thousandth of the prior holds the posterior; few particles in short chains."""
    scale = 10.0 ** np.arange(8)
    target = Target(Normal(8), lambda z: np.tile((z - 2.0) * scale, (1, 2)))
    posterior = run(target, members=80, moves=2, windows=2)
    assert not posterior.converged
    assert "R-hat" in posterior.verdict


@pytest.mark.parametrize(("stated", "accepted"), [(1.0, True), (0.3, False), (4.0, False)])
def test_errors_stated_wrongly_show_in_the_innovations(stated, accepted):
    target, _, _ = linear()
    right = target.residuals
    target.residuals = lambda z: right(z) / stated
    posterior = run(target)
    low, high = 0.5, 2.0
    assert (low <= posterior.diagnostics["innovation"] <= high) == accepted
    assert accepted or not posterior.converged


def test_same_seed_same_particles():
    target, _, _ = linear()
    first, second, other = (run(target, seed, members=200) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.unit, second.unit)
    assert (first.unit != other.unit).any()


def test_systematic_resampling_takes_each_as_often_as_expected():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(50))
    with np.errstate(divide="ignore"):
        logs = np.log(np.append(weights, 0.0))
    counts = np.zeros(51)
    for _ in range(400):
        drawn = np.bincount(systematic(logs, 80, rng), minlength=51)
        assert (np.abs(drawn[:50] - 80 * weights) < 1.0).all()
        counts += drawn
    assert counts[50] == 0
    np.testing.assert_allclose(counts[:50] / 400, 80 * weights, atol=4.5 * 0.5 / 20)


def test_shares_leave_half_of_the_particles_effective():
    losses = np.random.default_rng(1).uniform(0.0, 100.0, 1000)
    weights = np.full(1000, -np.log(1000))
    share = largest_share(weights, losses, 1.0)
    new = weights - share * losses
    new -= np.log(np.exp(new).sum())
    assert effective_number(new) == pytest.approx(500.0, rel=1e-6)
    assert largest_share(weights, 1e-3 * losses, 0.7) == 0.7
    assert effective_number(weights) == pytest.approx(1000.0)


@pytest.mark.parametrize("step", [0.3, 1.0])
def test_corrected_proposals_leave_a_normal_as_it_is(step):
    """Chains that start in a normal stay in it, from a reference that is another one."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((20_000, 2))
    reference = Reference.of(
        0.3 + rng.standard_normal((500, 2)) @ np.array([[1.5, 0.4], [0.0, 0.7]])
    )
    first = z
    for _ in range(10):
        new, correction = reference.propose(z, step, rng)
        gain = 0.5 * np.sum(z**2 - new**2, axis=1) + correction
        taken = np.log(rng.random(len(z))) < gain
        z = np.where(taken[:, None], new, z)
    assert taken.mean() > 0.3
    assert np.corrcoef(first[:, 0], z[:, 0])[0, 1] < 0.75
    for column in z.T:
        assert stats.kstest(column, "norm").pvalue > 1e-3


class TestOnAModel:
    @pytest.fixture(scope="class")
    @classmethod
    def found(cls, dalec2):
        problem = make_problem(dalec2, ("turnover_order", "leaf_wood_order"), days=60)
        budget = {"populations": 2, "members": 400, "windows": 3, "moves": 20}
        return problem, particle_filter.assimilate(problem, budget, np.random.default_rng(1))

    def test_its_state_is_that_of_its_runs(self, found):
        problem, posterior = found
        parameters = problem.prior.to_parameters(posterior.unit)
        runs = problem.model.simulate(parameters, problem.forcing.weather, ("nee",))
        assert posterior.final.step == 60
        np.testing.assert_allclose(posterior.final.pools, runs.final_pools, rtol=1e-9)
        assert posterior.final.fast.shape == posterior.final.slow.shape == (800, 3)

    def test_density_is_that_of_the_draws(self, found):
        problem, posterior = found
        expected = problem.log_likelihood(problem.prior.to_parameters(posterior.unit))
        expected += problem.prior.log_density(posterior.unit)
        np.testing.assert_allclose(posterior.log_density, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.slow
def test_on_a_model_it_agrees_with_hamiltonian_monte_carlo(dalec2):
    """Means within the sampling error that both methods state of themselves, and spreads alike."""
    problem = make_problem(dalec2, days=60)
    budget = {"populations": 4, "members": 6400, "windows": 3, "moves": 200}
    filtered = particle_filter.assimilate(problem, budget, np.random.default_rng(1))
    budget = {"chains": 16, "warm_up": 200, "draws": 150}
    sampled = hmc.assimilate(problem, budget, np.random.default_rng(1))
    for found in (filtered, sampled):
        assert found.ess_bulk.min() > 100.0, found.verdict
    plain = ~problem.prior.circular
    spread = sampled.unit.std(axis=0)
    error = np.sqrt(1.0 / filtered.ess_bulk + 1.0 / sampled.ess_bulk)
    apart = (filtered.unit.mean(axis=0) - sampled.unit.mean(axis=0)) / spread
    assert (np.abs(apart) < 4.5 * error)[plain].all(), apart / error
    np.testing.assert_allclose((filtered.unit.std(axis=0) / spread)[plain], 1.0, atol=0.2)
