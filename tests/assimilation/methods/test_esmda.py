"""The ensemble smoother where its answer is exact: linear residuals, normal unknowns."""

import numpy as np
import pytest
from concerto.assimilation.methods import esmda
from concerto.errors import ConcertoError
from synthetic_targets import Normal, Target

BUDGET = {"members": 600, "steps": 8, "most_steps": 40}
SIZE, N = 4, 30


def linear(seed=1, error_sd=1.0, stated_sd=1.0):
    """Observations of a linear function of the truth; residuals over the stated error."""
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(N, SIZE)) * np.array([1.0, 0.5, 0.2, 0.05])
    observed = design @ rng.normal(size=SIZE) + error_sd * rng.standard_normal(N)
    return design / stated_sd, observed / stated_sd


def problem(design, observed):
    return Target(Normal(design.shape[1]), lambda z: z @ design.T - observed)


def exact(design, observed):
    precision = np.eye(design.shape[1]) + design.T @ design
    return np.linalg.solve(precision, design.T @ observed), np.linalg.inv(precision)


def run(target, seed=2, **changes):
    return esmda.assimilate(target, BUDGET | changes, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("steps", "localised"), [(1, False), (2, False), (16, False), (1, True), (16, True)]
)
def test_linear_normal_posterior_is_exact(steps, localised):
    design, observed = linear()
    mean, covariance = exact(design, observed)
    posterior = run(problem(design, observed), steps=steps, localisation=localised)
    assert posterior.converged, posterior.verdict
    spread = np.sqrt(np.diag(covariance))
    assert (spread[:2] < 0.5).all()  # the data say something of the first, little of the last
    np.testing.assert_allclose((posterior.unit.mean(axis=0) - mean) / spread, 0.0, atol=0.15)
    scale = np.outer(spread, spread)
    np.testing.assert_allclose(np.cov(posterior.unit.T) / scale, covariance / scale, atol=0.2)


def test_density_comes_along():
    design, observed = linear()
    target = problem(design, observed)
    posterior = run(target)
    expected = target.log_likelihood(posterior.unit) - 0.5 * np.sum(posterior.unit**2, axis=1)
    np.testing.assert_allclose(posterior.log_density, expected)
    assert (posterior.chain == 0).all()
    assert np.isnan(posterior.rhat).all()
    assert posterior.rhat.shape == posterior.ess_bulk.shape == (SIZE,)
    assert posterior.history["mismatch"][-1] < posterior.history["mismatch"][0]


def test_mismatch_is_of_observations_alone():
    design, observed = linear()
    target = problem(design, observed)
    target.n_observations = N - 10  # the last ten residuals are constraints
    smoothed = esmda.smooth(target, BUDGET, np.random.default_rng(3))
    residuals = target.residuals(smoothed.z)
    assert smoothed.mismatch[-1] == pytest.approx(np.mean(residuals[:, :-10] ** 2))
    assert smoothed.assimilated == pytest.approx(1.0)


def test_update_with_a_few_members_stays_in_their_span():
    rng = np.random.default_rng(4)
    z = rng.normal(size=(3, 6))
    new = esmda.update(z, rng.normal(size=(3, 50)), 1.0, rng)
    anomalies = z - z.mean(axis=0)
    outside = (new - z.mean(axis=0)) - (new - z.mean(axis=0)) @ np.linalg.pinv(
        anomalies
    ) @ anomalies
    np.testing.assert_allclose(outside, 0.0, atol=1e-12)


@pytest.mark.parametrize("localised", [False, True])
def test_uninformative_residuals_change_nothing(localised):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(50, 3))
    new = esmda.update(z, np.full((50, 8), 7.0), 2.0, rng, dummies=9, localised=localised)
    np.testing.assert_allclose(new, z, atol=1e-12)


MANY, FEW = 30, 60  # unknowns that nothing depends on; members


def spreads(**options):
    """Share of its variance that each unknown keeps when the first is observed, over many draws."""
    rng, found = np.random.default_rng(9), []
    for _ in range(40):
        z = rng.normal(size=(FEW, 1 + MANY))
        residuals = z[:, :1] + 0.05 * rng.normal(size=(FEW, 20)) * np.arange(20)
        new = esmda.update(z, residuals, 1.0, rng, **options)
        found.append(new.var(axis=0) / z.var(axis=0))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("localised", [False, True])
def test_unknowns_that_nothing_depends_on_keep_their_spread(localised):
    spread = spreads(dummies=50, localised=localised)
    assert spread[0] < 0.15
    np.testing.assert_allclose(spread[1:].mean(), 1.0, atol=0.01)


def test_without_dummies_they_lose_some():
    plain, localised = (spreads(localised=which)[1:].mean() for which in (False, True))
    assert plain < 0.99
    assert plain < localised


def test_localisation_leaves_what_is_chance_alone():
    rng = np.random.default_rng(10)
    z = rng.normal(size=(FEW, 1 + MANY))
    residuals = z[:, :1] + 0.2 * rng.normal(size=(FEW, 20))
    moves = [
        np.sum((esmda.update(z, residuals + 3.0, 1.0, rng, localised=which) - z)[:, 1:] ** 2)
        for which in (False, True)
    ]
    assert moves[1] < 0.5 * moves[0]


def test_localised_ensembles_may_be_smaller():
    target = problem(*linear())
    smoothed = esmda.smooth(
        target, BUDGET | {"members": 16, "localisation": True}, np.random.default_rng(11)
    )
    assert smoothed.z.shape == (16, SIZE)
    with pytest.raises(ConcertoError, match="15 members for 4 unknowns; expected at least 16"):
        run(target, members=15, localisation=True)


def test_a_nonlinear_problem_comes_close():
    truth = np.array([0.6, -0.4])

    def model(z):
        a, b = np.exp(0.5 * z[:, 0]), z[:, 1]
        times = np.linspace(0.0, 2.0, 20)
        return a[:, None] * np.exp(-0.5 * times) + b[:, None] * times

    observed = model(truth[None])[0]
    posterior = run(Target(Normal(2), lambda z: (model(z) - observed) / 0.05), members=400)
    error = posterior.unit.mean(axis=0) - truth
    assert (np.abs(error) < 2.0 * posterior.unit.std(axis=0)).all()
    assert (posterior.unit.std(axis=0) < 0.2).all()


def test_same_seed_gives_the_same_ensemble():
    target = problem(*linear())
    first, second = run(target, 6, members=60), run(target, 6, members=60)
    np.testing.assert_array_equal(first.unit, second.unit)
    assert (run(target, 7, members=60).unit != first.unit).any()


def test_too_small_an_ensemble():
    with pytest.raises(
        ConcertoError, match="esmda: 39 members for 4 unknowns; expected at least 40"
    ):
        run(problem(*linear()), members=39)


def test_runs_that_fail_are_counted():
    design, observed = linear()

    def residuals(z):
        out = z @ design.T - observed
        out[1::20] = np.nan
        out[2::20, 5] = np.inf
        return out

    with pytest.raises(ConcertoError, match="esmda: 10 of 100 runs of the model gave no finite"):
        run(Target(Normal(SIZE), residuals), members=100)


def test_part_of_the_information_is_not_enough():
    posterior = run(problem(*linear()), steps=16, most_steps=8)
    assert not posterior.converged
    assert "only 50 % of the information assimilated" in posterior.verdict


@pytest.mark.parametrize("stated", [0.3, 4.0])
def test_errors_stated_wrongly_show_in_the_mismatch(stated):
    posterior = run(problem(*linear(error_sd=1.0, stated_sd=stated)))
    assert not posterior.converged
    assert "expected 1, accepted 0.5 to 2" in posterior.verdict


def test_a_collapsed_ensemble_is_not_trusted():
    # the observations fix the first unknown ten thousand times better than the prior
    design = np.zeros((20, 2))
    design[:, 0] = 1e4
    observed = np.random.default_rng(8).standard_normal(20)
    posterior = run(problem(design, observed), members=200)
    assert not posterior.converged
    assert "collapsed" in posterior.verdict
