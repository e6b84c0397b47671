"""Ensembles under the constraints have their law, and remain maps."""

import numpy as np
import pytest
from concerto.assimilation.settling import Start, settle
from concerto.assimilation.twin import draw_truths
from scipy.stats import ks_2samp, kstest, norm
from synthetic_dalec import make_problem, model_named
from synthetic_targets import Normal, Target

MEMBERS, SIZE = 3000, 3
CENTER, WIDTH = 1.5, 0.5


def drawn(seed, members=MEMBERS, size=SIZE):
    return np.random.default_rng(seed).standard_normal((members, size))


def start(z, seed=9):
    return Start(z, np.random.default_rng(seed))


def test_members_have_the_law_of_prior_and_constraints():
    target = Target(Normal(SIZE), lambda x: (x - CENTER) / WIDTH)
    z = settle(target, start(drawn(1)), 200)
    mean, spread = CENTER / (1.0 + WIDTH**2), WIDTH / np.sqrt(1.0 + WIDTH**2)
    for unknown in z.T:
        assert kstest((unknown - mean) / spread, norm.cdf).pvalue > 1e-3


def test_half_of_the_prior_is_ruled_out_and_the_rest_kept():
    target = Target(Normal(1), lambda x: np.where(x > 0.0, 0.0, 1e3))
    z = settle(target, start(drawn(2, size=1)), 200)
    assert (z > 0.0).all()
    assert kstest(z[:, 0], lambda x: 2.0 * norm.cdf(x) - 1.0).pvalue > 1e-3


def test_cells_that_hang_together_still_do():
    shared, own = drawn(3), drawn(4)
    cells = [shared, np.sqrt(0.7) * shared + np.sqrt(0.3) * own]
    free = Target(Normal(SIZE), lambda x: 0.0 * x)
    moved = [settle(free, start(z), 50) for z in cells]
    for unknown in range(SIZE):
        found = np.corrcoef(moved[0][:, unknown], moved[1][:, unknown])[0, 1]
        assert found == pytest.approx(np.sqrt(0.7), abs=0.03)
        assert abs(np.corrcoef(moved[0][:, unknown], shared[:, unknown])[0, 1]) < 0.2


def test_like_cells_move_alike():
    target = Target(Normal(SIZE), lambda x: (x - CENTER) / WIDTH)
    z = drawn(5)
    np.testing.assert_array_equal(settle(target, start(z), 30), settle(target, start(z), 30))
    # neighbours whose constraints differ a little remain one map
    other = Target(Normal(SIZE), lambda x: (x - CENTER - 0.1) / WIDTH)
    first, second = settle(target, start(z), 100), settle(other, start(z), 100)
    assert np.corrcoef(first[:, 0], second[:, 0])[0, 1] > 0.8


def test_a_model_runs_only_where_constraints_on_parameters_allow_it():
    """The law is that of truths drawn by rejection, parameter by parameter."""
    constraints = ("turnover_order", "leaf_area")
    problem = make_problem(model_named("dalec2"), constraints, days=120)
    truths = draw_truths(problem, 1500, np.random.default_rng(6))
    before = problem.model_runs
    z = settle(problem, start(drawn(7, 1000, problem.prior.size)), 250)
    assert problem.model_runs - before < 250 * 1000
    for settled, known in zip(problem.prior.parameters_of(z).T, truths.T, strict=True):
        assert ks_2samp(settled, known).pvalue > 1e-4
