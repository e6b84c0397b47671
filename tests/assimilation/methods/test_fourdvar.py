"""4D-Var where its answer is known: linear residuals, two modes, a circle; and on a real model."""

import numpy as np
import pytest
from concerto.assimilation.methods import fourdvar
from concerto.assimilation.mode import End
from concerto.assimilation.normals import Normals, check
from concerto.assimilation.scores import Scores
from concerto.errors import ConcertoError
from scipy.stats import vonmises
from synthetic_targets import Normal, Target, unit_box

BUDGET = {"starts": 8, "members": 4000, "most_iterations": 100}


def run(target, seed=2, **changes):
    return fourdvar.assimilate(target, BUDGET | changes, np.random.default_rng(seed))


def linear(size=4):
    rng = np.random.default_rng(1)
    design = rng.normal(size=(30, size)) * 0.3 ** np.arange(size)
    observed = design @ rng.normal(size=size) + rng.standard_normal(30)
    precision = np.eye(size) + design.T @ design
    mean, covariance = np.linalg.solve(precision, design.T @ observed), np.linalg.inv(precision)
    return Target(Normal(size), lambda z: z @ design.T - observed), mean, covariance


def test_linear_normal_posterior_is_exact():
    target, mean, covariance = linear()
    posterior = run(target)
    assert posterior.converged, posterior.verdict
    spread, n = np.sqrt(np.diag(covariance)), len(posterior.unit)
    np.testing.assert_allclose((posterior.unit.mean(axis=0) - mean) / spread, 0.0, atol=4 / n**0.5)
    found = np.cov(posterior.unit.T) / np.outer(spread, spread)
    expected = covariance / np.outer(spread, spread)
    np.testing.assert_allclose(found, expected, atol=4 * (2 / n) ** 0.5)
    assert posterior.diagnostics["modes"] == 1.0
    assert posterior.diagnostics["gradient_norm"] < 0.02
    assert posterior.diagnostics["share_of_starts"] == 1.0
    assert posterior.diagnostics["nonlinearity"] < 1e-3
    assert posterior.diagnostics["importance_ess"] == pytest.approx(n, rel=1e-3)
    expected = target.log_likelihood(posterior.unit) - 0.5 * np.sum(posterior.unit**2, axis=1)
    np.testing.assert_allclose(posterior.log_density, expected)


LOW, HIGH = -1.0, 2.0


def two_valleys(z):
    """No residual at two places, and a wider valley at the upper one; the prior weighs both."""
    return 20.0 * (z - LOW) * (z - HIGH) * np.exp(-0.231 * z)


def test_two_modes_have_their_weights():
    grid = np.linspace(-6.0, 9.0, 200_001)
    density = np.exp(-0.5 * grid**2 - 0.5 * two_valleys(grid) ** 2)
    upper = grid > 0.5 * (LOW + HIGH)
    expected = density[upper].sum() / density.sum()
    assert 0.2 < expected < 0.4  # a third of the mass, where the cost alone would tell a fifth
    posterior = run(Target(Normal(1), two_valleys), starts=32)
    assert posterior.diagnostics["modes"] == 2.0
    assert posterior.converged, posterior.verdict
    found = posterior.unit[:, 0] > 0.5 * (LOW + HIGH)
    assert found.mean() == pytest.approx(expected, abs=4 * (0.25 / len(found)) ** 0.5 + 0.005)
    for side, place in ((found, upper), (~found, ~upper)):
        mean = np.average(grid[place], weights=density[place])
        sd = np.sqrt(np.average((grid[place] - mean) ** 2, weights=density[place]))
        n = side.sum()
        assert posterior.unit[side].mean() == pytest.approx(mean, abs=(4 / n**0.5 + 0.1) * sd)
        assert posterior.unit[side].std() == pytest.approx(sd, rel=4 / (2 * n) ** 0.5 + 0.05)


def test_a_mode_without_weight_is_left_out():
    posterior = run(Target(Normal(1), lambda z: np.hypot(5.0 * (z**2 - 4.0), 2.0 * (z + 2.0))))
    assert posterior.diagnostics["modes"] == 1.0
    assert posterior.diagnostics["share_of_starts"] < 1.0
    assert (posterior.unit < 0.0).all()


@pytest.mark.parametrize("day", [0.0, 0.99, 0.5])
def test_a_day_of_the_year_around_the_new_year(day):
    """A von Mises density: cos and sin of the angle, each seen with the same error."""
    error = 0.1

    def residuals(x):
        turn = 2.0 * np.pi * (x[:, 1] - day)
        return np.stack([np.cos(turn) - 1.0, np.sin(turn)], axis=1) / error

    posterior = run(Target(unit_box("uniform", "circular"), residuals))
    assert posterior.converged, posterior.verdict
    assert posterior.diagnostics["modes"] == 1.0
    away = 2.0 * np.pi * ((posterior.unit[:, 1] - day + 0.5) % 1.0 - 0.5)
    n, sd = len(away), vonmises.std(1.0 / error**2)
    assert away.mean() == pytest.approx(0.0, abs=4 * sd / n**0.5)
    assert away.std() == pytest.approx(sd, rel=4 / (2 * n) ** 0.5 + 0.01)
    assert posterior.unit[:, 0].std() == pytest.approx(12**-0.5, rel=4 / n**0.5)


def test_opposite_sides_of_a_circle_are_two_modes():
    def residuals(x):
        return np.sin(2.0 * np.pi * x[:, 1:]) / 0.1

    posterior = run(Target(unit_box("uniform", "circular"), residuals))
    assert posterior.diagnostics["modes"] == 2.0
    near = np.abs((posterior.unit[:, 1] + 0.25) % 1.0 - 0.25) < 0.2
    assert near.mean() == pytest.approx(0.5, abs=4 * (0.25 / len(near)) ** 0.5)


def test_an_angle_that_nothing_tells_is_anywhere():
    target = Target(unit_box("uniform", "circular"), lambda x: (x[:, :1] - 0.5) / 0.1)
    posterior = run(target)
    shares = np.histogram(posterior.unit[:, 1], 8, (0.0, 1.0))[0] / len(posterior.unit)
    np.testing.assert_allclose(shares, 1 / 8, rtol=0.09 + 4 * (8 / len(posterior.unit)) ** 0.5)
    assert posterior.diagnostics["modes"] == 1.0
    assert posterior.diagnostics["nonlinearity"] < 0.2  # flat, but for a tenth


def test_a_curved_posterior_is_sent_to_hmc():
    def banana(z):
        return np.stack([z[:, 0], 20.0 * (z[:, 1] - z[:, 0] ** 2)], axis=1)

    posterior = run(Target(Normal(2), banana))
    assert not posterior.converged
    assert posterior.verdict.startswith("the posterior is not close to normal, use hmc")
    assert posterior.diagnostics["nonlinearity"] > 10.0
    assert posterior.diagnostics["importance_ess"] < 0.2 * len(posterior.unit)


def test_a_descent_cut_short_is_said():
    target = Target(Normal(1), lambda z: np.concatenate([np.exp(z) - 9.0, 0.0 * z], axis=1))
    posterior = run(target, most_iterations=1)
    assert not posterior.converged
    assert posterior.diagnostics["gradient_norm"] > fourdvar.GRADIENT


def test_draws_that_fail_are_left_out_and_counted():
    def residuals(z):
        return np.where(np.abs(z) < 2.6, 0.1 * z, np.nan)

    posterior = run(Target(Normal(1), residuals))
    failed = posterior.diagnostics["failed_draws"]
    assert 10 < failed < 80  # 0.96 % of 4000
    assert len(posterior.unit) == 4000 - failed
    assert np.abs(posterior.unit).max() < 2.6
    assert not posterior.converged
    assert f"{failed:.0f} of 4000 draws failed" in posterior.verdict


def test_a_start_that_fails_names_what_failed():
    with pytest.raises(
        ConcertoError, match="runs of the model gave no finite result for residuals"
    ):
        run(Target(Normal(1), lambda z: np.where(z < 0.5, z, np.nan)))


def test_same_seed_gives_the_same_draws():
    target, _, _ = linear()
    first, second = run(target, 6, members=50), run(target, 6, members=50)
    np.testing.assert_array_equal(first.unit, second.unit)
    assert (run(target, 7, members=50).unit != first.unit).any()


def end(scores, cost, gradient=0.0):
    scores = np.array(scores)
    return End(scores, cost, np.full(len(scores), gradient), np.diag([100.0, 1e4]))


class TestCluster:
    CIRCULAR = np.array([False, True])

    def homes(self, *reached):
        return [len(home) for home in fourdvar.cluster(list(reached), self.CIRCULAR)]

    def test_near_in_the_metric_of_the_mode(self):
        assert self.homes(end([0.0, 0.0], 5.0), end([0.15, 0.01], 5.1)) == [2]
        assert self.homes(end([0.0, 0.0], 5.0), end([0.0, 0.15], 5.1)) == [1, 1]

    def test_around_the_circle(self):
        first, second = end([0.0, 3.14], 5.0), end([0.0, -3.14], 5.0)
        assert self.homes(first, second, end([0.0, -3.13 + 4.0 * np.pi], 5.1)) == [3]

    def test_much_above_is_another(self):
        assert self.homes(end([0.0, 0.0], 5.0), end([0.01, 0.0], 9.0)) == [1, 1]

    def test_one_that_did_not_arrive_is_none_but_the_best(self):
        assert self.homes(end([0.0, 0.0], 5.0), end([3.0, 0.0], 5.1, 1.0)) == [1]
        assert self.homes(end([3.0, 0.0], 5.0, 1.0), end([0.0, 0.0], 5.1)) == [1, 1]


def test_an_angle_that_nothing_tells_weighs_as_its_whole_circle():
    told, untold = np.diag([4.0, 100.0]), np.diag([4.0, 0.0])
    modes = [End(np.zeros(2), 3.0, np.zeros(2), curvature) for curvature in (told, untold)]
    weights = fourdvar.laplace(modes, np.array([False, True])).weights
    assert weights[0] / weights[1] == pytest.approx(
        0.1 * (2.0 * np.pi) ** 0.5 / (2.0 * np.pi), rel=1e-3
    )


class TestNormals:
    CIRCULAR = np.array([False, True])
    PRECISIONS = np.array([[[1.0, 0.4], [0.4, 0.5]], [[4.0, 0.0], [0.0, 9.0]]])
    MIXTURE = Normals(
        np.array([[0.0, 3.0], [1.0, -1.0]]), PRECISIONS, np.array([0.3, 0.7]), CIRCULAR
    )

    def test_its_density_adds_up_to_one_on_the_circle(self):
        a, b = np.linspace(-8.0, 8.0, 401), np.linspace(-np.pi, np.pi, 257)[:-1]
        grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=2).reshape(-1, 2)
        mass = np.exp(self.MIXTURE.log_density(grid)).sum() * (a[1] - a[0]) * (b[1] - b[0])
        assert mass == pytest.approx(1.0, abs=1e-3)

    def test_its_density_is_the_same_a_turn_further(self):
        draws, _ = self.MIXTURE.draw(50, np.random.default_rng(1))
        turned = draws + np.array([0.0, 4.0 * np.pi])
        first, second = (self.MIXTURE.log_density(x) for x in (draws, turned))
        np.testing.assert_allclose(first, second, atol=1e-9)

    def test_draws_have_its_moments(self):
        draws, mode = self.MIXTURE.draw(20_000, np.random.default_rng(2))
        assert (mode == 1).mean() == pytest.approx(0.7, abs=4 * (0.21 / 20_000) ** 0.5)
        for k in range(2):
            chosen = draws[mode == k] - self.MIXTURE.means[k]
            expected, n = np.linalg.inv(self.PRECISIONS[k]), len(chosen)
            sd = np.sqrt(np.diag(expected))
            np.testing.assert_allclose(chosen.mean(axis=0) / sd, 0.0, atol=4 / n**0.5)
            found = np.cov(chosen.T) / np.outer(sd, sd)
            np.testing.assert_allclose(found, expected / np.outer(sd, sd), atol=4 * (2 / n) ** 0.5)

    def test_a_wrong_width_shows_in_the_check(self):
        """A normal of variance 2 for one of variance 1: the weights are normal densities again."""
        target = Target(Normal(1), lambda z: 0.0 * z)
        wide = Normals(np.zeros((1, 1)), np.full((1, 1, 1), 0.5), np.ones(1), np.array([False]))
        draws, mode = wide.draw(40_000, np.random.default_rng(3))
        checked = check(Scores(target), wide, np.zeros(1), draws, mode)
        # the log ratio is z^2 / 4 with z^2 twice a chi-square; weights exp(-z^2 / 4)
        assert checked.mean == pytest.approx(0.5, rel=0.05)
        assert checked.nonlinearity == pytest.approx(0.75**0.5, rel=0.05)
        assert checked.ess == pytest.approx(40_000 * 3**0.5 / 2.0, rel=0.02)
        assert checked.failed == 0
