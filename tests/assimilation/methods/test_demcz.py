"""The sampler on targets whose distribution is known exactly or by numerical integration."""

import numpy as np
import pytest
from concerto.assimilation.methods import demcz
from concerto.errors import ConcertoError
from scipy import stats
from synthetic_targets import Target, unit_box

LONG = {"chains": 4, "generations": 12_000, "thin": 10}
EASY = LONG | {"generations": 3000, "thin": 5}
SHORT = {"chains": 4, "generations": 300, "thin": 5}
KINDS = {  # each kind of proposal alone
    "snooker": {"SNOOKER_SHARE": 1.0},
    "parallel": {"SNOOKER_SHARE": 0.0, "BLOCK_SHARE": 0.0},
    "blocks": {"SNOOKER_SHARE": 0.0, "BLOCK_SHARE": 1.0},
    "jumps": {"SNOOKER_SHARE": 0.0, "JUMP_SHARE": 1.0},
}


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    """One kind of proposal alone, by the Python that the compiled function is made from.

    The compiled one has the shares in it as constants, and must not be compiled with others.
    """
    monkeypatch.setattr(demcz, "_propose", demcz._propose.py_func)
    monkeypatch.setattr(demcz, "_AHEAD", 1)  # slow as it is, it makes no proposal for nothing
    for name, value in KINDS[request.param].items():
        monkeypatch.setattr(demcz, name, value)
    return request.param


def sample(target, budget, seed=1):
    return demcz.assimilate(target, budget, np.random.default_rng(seed))


def spread_out(posterior):
    """Every so many draws of each chain that they are all but independent."""
    chains = posterior.chain.max() + 1
    draws = posterior.unit.reshape(chains, -1, posterior.unit.shape[1])
    every = int(np.ceil(2.0 * len(posterior.unit) / posterior.ess_bulk.min()))
    return draws[:, ::every].reshape(-1, draws.shape[2])


def assert_mean(values, expected, posterior, k):
    error = values.std() / np.sqrt(min(posterior.ess_bulk[k], posterior.ess_tail[k]))
    assert abs(values.mean() - expected) < 4.5 * error


CENTER = np.array([0.5, 0.45, 0.6, 0.55])
SPREAD = np.array([0.08, 0.02, 0.05, 0.1])
CORRELATION = np.array(
    [[1.0, 0.95, 0.0, -0.5], [0.95, 1.0, 0.1, -0.5], [0.0, 0.1, 1.0, 0.3], [-0.5, -0.5, 0.3, 1.0]]
)


def test_correlated_normal():
    covariance = CORRELATION * np.outer(SPREAD, SPREAD)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    target = Target(unit_box(*["uniform"] * 4), lambda x: (x - CENTER) @ whiten.T)
    posterior = sample(target, LONG)
    assert posterior.converged, posterior.verdict
    for k in range(4):
        assert_mean(posterior.unit[:, k], CENTER[k], posterior, k)
    found = np.cov(posterior.unit.T)
    np.testing.assert_allclose(found / np.outer(SPREAD, SPREAD), CORRELATION, atol=0.12)
    # the density that comes along is that of the draws
    np.testing.assert_allclose(posterior.log_density, target.log_likelihood(posterior.unit))


def banana(x):
    """A ridge that bends down at either side, and leans on the lower bound of the second."""
    a = (x[:, 0] - 0.5) / 0.18
    b = (x[:, 1] - 0.35 + 2.0 * (x[:, 0] - 0.5) ** 2) / 0.06
    return np.stack([a, b], axis=1)


BANANA = Target(unit_box("uniform", "uniform"), banana)


def banana_moments():
    """Mean and covariance within the box, by integration on a grid."""
    axis = (np.arange(800) + 0.5) / 800
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    weight = np.exp(-0.5 * np.sum(banana(grid) ** 2, axis=1))
    return np.average(grid, axis=0, weights=weight), np.cov(grid.T, aweights=weight)


def assert_banana(posterior):
    mean, covariance = banana_moments()
    assert posterior.rhat.max() < 1.1
    for k in range(2):
        assert_mean(posterior.unit[:, k], mean[k], posterior, k)
    found = np.cov(posterior.unit.T)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    sampling = 4.5 / np.sqrt(min(posterior.ess_bulk.min(), posterior.ess_tail.min()))
    np.testing.assert_allclose(found / scale, covariance / scale, atol=sampling)


def test_curved_target():
    posterior = sample(BANANA, LONG, seed=2)
    assert posterior.converged, posterior.verdict
    assert_banana(posterior)


def test_curved_target_by_each_kind_of_proposal(kind):
    assert_banana(sample(BANANA, EASY, seed=2))


def assert_even(posterior):
    assert posterior.unit.min() >= 0.0
    assert posterior.unit.max() <= 1.0
    draws = spread_out(posterior)
    assert len(draws) > 50
    for k in range(3):
        assert stats.kstest(draws[:, k], "uniform").pvalue > 0.001
    edge = 0.02  # reflection and wrapping neither pile up nor thin out at the bounds
    share = (np.minimum(posterior.unit, 1.0 - posterior.unit) < edge).mean(axis=0)
    error = np.sqrt(2 * edge * (1 - 2 * edge) / posterior.ess_tail.min())
    assert (np.abs(share - 2 * edge) < 4.5 * error).all()


EMPTY = Target(unit_box("uniform", "circular", "uniform"), lambda x: 1e-6 * x)


def test_empty_box_is_filled_evenly():
    assert_even(sample(EMPTY, EASY, seed=3))


def test_empty_box_is_filled_evenly_by_each_kind_of_proposal(kind):
    assert_even(sample(EMPTY, EASY, seed=3))


def test_mass_at_a_bound_and_across_the_new_year():
    rate, concentration = 8.0, 4.0

    def residuals(x):
        # -1/2 r^2 is -rate x, and concentration cos(angle) up to a constant
        angle = 2.0 * np.pi * x[:, 1]
        return np.stack(
            [np.sqrt(2.0 * rate * x[:, 0]), np.sqrt(2.0 * concentration * (1.0 - np.cos(angle)))],
            axis=1,
        )

    posterior = sample(Target(unit_box("uniform", "circular"), residuals), LONG, seed=4)
    assert posterior.converged, posterior.verdict
    draws = spread_out(posterior)
    assert stats.kstest(draws[:, 0], stats.truncexpon(rate, scale=1.0 / rate).cdf).pvalue > 0.001
    angle = 2.0 * np.pi * draws[:, 1]
    wrapped = (angle + np.pi) % (2.0 * np.pi) - np.pi
    assert stats.kstest(wrapped, stats.vonmises(concentration).cdf).pvalue > 0.001


def test_a_peak_on_a_plain_holds_its_share():
    """Chains leave the plain at once and the peak seldom: how long they stay must be right."""
    spread, share = 0.04, 0.5

    def log_density(x):
        distance = np.sum((x - 0.5) ** 2, axis=1) / spread**2
        peak = share * np.exp(-0.5 * distance) / (2.0 * np.pi * spread**2)
        return np.log(peak + 1.0 - share)

    top = log_density(np.full((1, 2), 0.5))[0]
    target = Target(
        unit_box("uniform", "uniform"), lambda x: np.sqrt(2.0 * (top - log_density(x)))[:, None]
    )
    posterior = sample(target, LONG | {"generations": 30_000}, seed=9)
    radius = 3.0 * spread
    near = np.sum((posterior.unit - 0.5) ** 2, axis=1) < radius**2
    expected = share * (1.0 - np.exp(-4.5)) + (1.0 - share) * np.pi * radius**2
    assert near.mean() == pytest.approx(expected, abs=0.03)


def test_two_modes_are_both_found():
    def residuals(x):
        # a product of two parabolas: minima at 0.25 and 0.75
        return np.stack([60.0 * (x[:, 0] - 0.25) * (x[:, 0] - 0.75), (x[:, 1] - 0.5) / 0.1], axis=1)

    posterior = sample(Target(unit_box("uniform", "uniform"), residuals), LONG, seed=5)
    left = (posterior.unit[:, 0] < 0.5).mean()
    assert 0.35 < left < 0.65


def test_prior_density_counts():
    prior = unit_box("uniform", "uniform")

    class Slanted(type(prior)):
        def log_density(self, unit):
            return super().log_density(unit) - 6.0 * unit[:, 1]

    slanted = Slanted(prior.parameters)
    posterior = sample(Target(slanted, lambda x: 1e-6 * x), EASY, seed=6)
    draws = spread_out(posterior)
    assert stats.kstest(draws[:, 1], stats.truncexpon(6.0, scale=1.0 / 6.0).cdf).pvalue > 0.001
    assert stats.kstest(draws[:, 0], "uniform").pvalue > 0.001


NARROW = Target(unit_box(*["uniform"] * 4), lambda x: (x - CENTER) / SPREAD)


def test_same_seed_gives_the_same_draws():
    first, second = sample(NARROW, SHORT, 7), sample(NARROW, SHORT, 7)
    np.testing.assert_array_equal(first.unit, second.unit)
    np.testing.assert_array_equal(first.log_density, second.log_density)
    assert (sample(NARROW, SHORT, 8).unit != first.unit).any()


def test_draws_are_the_later_part_of_every_chain():
    posterior = sample(NARROW, SHORT)
    kept = SHORT["generations"] // SHORT["thin"]
    chains = [np.count_nonzero(posterior.chain == k) for k in range(4)]
    assert len(set(chains)) == 1
    assert 0.5 * kept <= chains[0] < kept
    assert posterior.unit.shape == (4 * chains[0], 4)
    assert posterior.log_density.shape == (4 * chains[0],)
    assert np.isfinite(posterior.unit).all()
    assert len(posterior.history["log_density"]) == kept


def test_too_short_a_run_says_so():
    posterior = sample(NARROW, SHORT)
    assert not posterior.converged
    assert f"smallest bulk effective sample size {posterior.ess_bulk.min():.0f}" in (
        posterior.verdict
    )
    assert f"largest R-hat {posterior.rhat.max():.4f}" in posterior.verdict


def test_fewer_than_three_chains():
    with pytest.raises(ConcertoError, match="demcz: found 2 chains; expected at least 3"):
        sample(NARROW, SHORT | {"chains": 2})


def test_runs_that_fail_at_the_start():
    broken = Target(NARROW.prior, lambda x: np.where(x > 0.4, np.nan, NARROW.residuals(x)))
    with pytest.raises(
        ConcertoError, match="runs of the model gave no finite result for residuals"
    ):
        sample(broken, SHORT)


def test_failing_runs_are_never_accepted():
    limit = 0.5  # standard deviations above the centre

    class Broken(Target):
        def log_likelihood(self, parameters):
            inside = super().log_likelihood(parameters)
            failed = parameters[:, 0] > CENTER[0] + limit * SPREAD[0]
            return np.where(failed, -np.inf, inside)

    posterior = sample(Broken(NARROW.prior, NARROW.residuals), LONG | {"generations": 4000})
    place = (posterior.unit[:, 0] - CENTER[0]) / SPREAD[0]
    assert place.max() <= limit
    assert np.isfinite(posterior.log_density).all()
    assert place.mean() == pytest.approx(stats.truncnorm(-np.inf, limit).mean(), abs=0.1)
