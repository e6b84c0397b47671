"""The ensemble filter against the exact posterior of linear, normal problems, and on a model."""

import numpy as np
import pytest
from concerto.assimilation.methods import letkf
from concerto.assimilation.stream_error import StreamError, state_covariance
from concerto.errors import ConcertoError
from synthetic_dalec import make_problem
from synthetic_targets import LinearTwin

BUDGET = {"members": 40, "window_days": 8, "passes": 1, "relaxation": 0.0}
ERRORS = (
    StreamError(0.5, 4.0, 0.4, 60.0, 0.3, -0.2, 1.5),
    StreamError(0.8, 3.0, 0.3, 40.0, observation_factor=0.7),
)
STEPS, SIZE, POOLS = 60, 5, 3


def errors_sd(seed=3, gap=0.3):
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.2, 0.6, (len(ERRORS), STEPS))
    sd[rng.random(sd.shape) < gap] = np.nan
    sd[:, 16:24] = np.nan  # a window that nobody saw
    return sd


def twin(constraints=0, **changes):
    return LinearTwin(SIZE, POOLS, ERRORS, errors_sd(**changes), seed=1, constraints=constraints)


def exact(problem):
    """Mean and covariance of z, final logarithms of pools, and fast and slow after the end.

    All observations at once: z and the paths of the model errors are one normal vector.
    """
    n, streams = problem.n_steps, problem.n_streams
    size = problem.prior.size
    times = np.arange(n + 1)
    blocks = [np.eye(size)]
    for error in problem.errors:
        for sd, tau in ((error.sd_fast, error.tau_fast), (error.sd_slow, error.tau_slow)):
            apart = np.abs(np.subtract.outer(times, times))
            blocks.append(sd**2 * np.exp(-apart / tau))
    total = sum(len(block) for block in blocks)
    prior = np.zeros((total, total))
    at = np.cumsum([0, *map(len, blocks)])
    for k, block in enumerate(blocks):
        prior[at[k] : at[k + 1], at[k] : at[k + 1]] = block
    unit = problem.seen(np.eye(size))
    design, observed, noise = [], [], []
    for k, error in enumerate(problem.errors):
        scale = error.scale(problem.forcing.season)
        for t in np.flatnonzero(np.isfinite(problem.sd[k])):
            row = np.zeros(total)
            row[:size] = unit[k, :, t]
            row[at[1 + 2 * k] + t] = row[at[2 + 2 * k] + t] = scale[t]
            design.append(row)
            observed.append(problem.values[k, t])
            noise.append((error.observation_factor * problem.sd[k, t]) ** 2)
    for wish in problem.wanted:
        design.append(np.concatenate([wish, np.zeros(total - size)]))
        observed.append(1.0)
        noise.append(1.0)
    design = np.array(design)
    dense = design @ prior @ design.T + np.diag(noise)
    gain = np.linalg.solve(dense, design @ prior).T
    mean, covariance = gain @ np.array(observed), prior - gain @ design @ prior
    pick = np.zeros((size + problem.growth.shape[0] + 2 * streams, total))
    pick[:size, :size] = np.eye(size)
    pick[size : -2 * streams, :size] = problem.logs(np.eye(size))[-1].T
    for k in range(streams):
        pick[-2 * streams + k, at[1 + 2 * k] + n] = 1.0
        pick[-streams + k, at[2 + 2 * k] + n] = 1.0
    return pick @ mean, pick @ covariance @ pick.T


def vector(problem, posterior):
    state = posterior.final
    logs = np.log(state.pools) - problem.LEVEL
    return np.hstack([posterior.unit, logs, state.fast, state.slow])


@pytest.mark.parametrize("passes", [1, 6])
@pytest.mark.parametrize("window_days", [1, 7, 60])
@pytest.mark.parametrize("constraints", [0, 2])
def test_linear_normal_filter_is_exact(window_days, passes, constraints):
    """All windows one after the other give what all observations at once give."""
    problem = twin(constraints)
    mean, covariance = exact(problem)
    budget = BUDGET | {"window_days": window_days, "passes": passes}
    posterior = letkf.assimilate(problem, budget, np.random.default_rng(2))
    found = vector(problem, posterior)
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((found.mean(axis=0) - mean) / spread, 0.0, atol=1e-6)
    expected = covariance.copy()
    # members carry what is expected of the model errors; around it they are alike in all of them
    around = state_covariance(problem.filters, np.eye(problem.n_streams))
    expected[-len(around) :, -len(around) :] -= around
    scale = np.outer(spread, spread)
    np.testing.assert_allclose(np.cov(found.T) / scale, expected / scale, atol=1e-6)


def test_innovations_are_as_the_errors_lead_to_expect():
    posterior = letkf.assimilate(twin(), BUDGET, np.random.default_rng(2))
    assert posterior.converged, posterior.verdict
    named = posterior.diagnostics
    assert abs(named["innovation"] - 1.0) < 4.5 * named["innovation_sd"]
    assert posterior.history["innovation"].size == STEPS // 8  # of 8 windows one saw nothing
    assert named["smallest_spread"] < 1.0


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_errors_stated_wrongly_show_in_the_innovations(factor):
    problem = twin()
    shown = problem.seen(np.zeros((1, SIZE)))[:, 0]
    problem.values = shown + factor * (problem.values - shown)
    posterior = letkf.assimilate(problem, BUDGET, np.random.default_rng(2))
    assert not posterior.converged
    assert "accepted 0.5 to 2" in posterior.verdict


def test_a_collapsed_ensemble_is_not_trusted():
    problem = twin()
    problem.wanted = np.full((1, SIZE), 1e4)  # a constraint that leaves one direction no room
    posterior = letkf.assimilate(problem, BUDGET, np.random.default_rng(2))
    assert not posterior.converged
    assert "the ensemble collapsed" in posterior.verdict
    assert posterior.diagnostics["smallest_spread"] < letkf.COLLAPSE


def test_relaxation_gives_spread_back():
    rng = np.random.default_rng(1)
    z = rng.normal(3.0, 0.5, (50, 2))
    wider = letkf._relax(z, np.array([1.0, 1.0]), 0.25)
    np.testing.assert_allclose(wider.std(axis=0), 0.75 * z.std(axis=0) + 0.25)
    np.testing.assert_allclose(wider.mean(axis=0), z.mean(axis=0))
    np.testing.assert_allclose(letkf._relax(z, np.array([1.0, 1.0]), 0.0), z)


def test_too_small_an_ensemble():
    with pytest.raises(
        ConcertoError, match="found 19 members for 5 unknowns; expected at least 20"
    ):
        letkf.assimilate(twin(), BUDGET | {"members": 19}, np.random.default_rng(1))


def test_failing_runs_are_an_error():
    problem = twin()
    advance = problem.advance

    def failing(state, z, stop):
        residuals, after = advance(state, z, stop)
        residuals[:3] = np.nan
        return residuals, after

    problem.advance = failing
    with pytest.raises(ConcertoError, match="3 of 40 runs of the model from step 0 on gave no"):
        letkf.assimilate(problem, BUDGET, np.random.default_rng(1))


def test_negative_pools_are_an_error():
    problem = twin()
    advance = problem.advance

    def cold(state, z, stop):
        residuals, after = advance(state, z, stop)
        after.pools[0, 0] = -4.0
        return residuals, after

    problem.advance = cold
    with pytest.raises(ConcertoError, match="found a pool of -4 before step 8; expected none"):
        letkf.assimilate(problem, BUDGET, np.random.default_rng(1))


class TestOnAModel:
    @pytest.fixture(scope="class")
    @classmethod
    def found(cls, dalec2):
        problem = make_problem(dalec2, ("turnover_order", "leaf_wood_order"), days=80)
        budget = BUDGET | {"members": 150, "passes": 10}
        return problem, letkf.assimilate(problem, budget, np.random.default_rng(1))

    def test_state_holds_at_the_end_of_the_record(self, found):
        problem, posterior = found
        assert posterior.final.step == 80
        assert posterior.final.pools.shape == (150, len(problem.model.pools))
        assert (posterior.final.pools > 0.0).all()
        assert ((posterior.unit >= 0.0) & (posterior.unit <= 1.0)).all()

    def test_observations_are_fitted_better_than_by_the_prior(self, found):
        problem, posterior = found
        drawn = problem.prior.parameters_of(problem.prior.draw(150, np.random.default_rng(2)))
        before = problem.log_likelihood(drawn) + problem.prior.log_density(
            problem.prior.to_unit(drawn)
        )
        assert np.median(posterior.log_density) > np.median(before) + 100.0

    def test_same_seed_same_ensemble(self, found):
        problem, posterior = found
        budget = BUDGET | {"members": 150, "passes": 10}
        again = letkf.assimilate(problem, budget, np.random.default_rng(1))
        np.testing.assert_array_equal(again.unit, posterior.unit)
        np.testing.assert_array_equal(again.final.fast, posterior.final.fast)
