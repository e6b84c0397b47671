"""One replicate of simulation-based calibration."""

import numpy as np
import pytest
from concerto.assimilation.posterior import Posterior
from concerto.evaluation.replicates import replicate
from concerto.projection.targets import UNITS
from synthetic_dalec import draw_parameters, make_problem

DRAWS = 9


@pytest.fixture(scope="module")
def problem(dalec2):
    return make_problem(dalec2, days=120)


def prior_alone(ess, rhat=1.0):
    """A method that does not look at observations and claims to have ``ess`` draws in turn.

    Its chains agree with each other from the second time on; at the first their R-hat is ``rhat``.
    """
    left, apart = iter(ess), iter([rhat, 1.0, 1.0])

    def assimilate(problem, budget, rng):
        unit = problem.prior.to_unit(
            problem.prior.parameters_of(problem.prior.draw(int(budget["members"]), rng))
        )
        problem.log_likelihood(problem.prior.to_parameters(unit[:3]))
        effective = np.full(unit.shape[1], next(left))
        return Posterior(
            unit, np.zeros(len(unit)), np.zeros(len(unit), dtype=np.int32), False, "",
            np.full(unit.shape[1], next(apart)), effective, effective,
        )  # fmt: skip

    return assimilate


def run(problem, truth, ess, budgets, seed=1, rhat=1.0):
    rng = np.random.default_rng(seed)
    return replicate(problem, truth, prior_alone(ess, rhat), budgets, DRAWS, rng)


def test_every_parameter_and_target_has_a_rank(problem, dalec2):
    truth = draw_parameters(dalec2, 1, seed=3)[0]
    found = run(problem, truth, [50.0], [{"members": 50}])
    assert list(found.ranks) == [*dalec2.parameter_names, *UNITS]
    assert all(0 <= rank <= DRAWS for rank in found.ranks.values())
    assert (found.tries, found.effective, found.converged) == (1, 50.0, False)
    assert found.model_runs == 3
    assert found.cpu_seconds > 0.0


def test_a_truth_beyond_all_draws_has_the_first_or_the_last_rank(problem, dalec2):
    truth = np.array([(p.min, p.max)[k % 2] for k, p in enumerate(dalec2.parameters)])
    ranks = run(problem, truth, [50.0], [{"members": 50}]).ranks
    for k, parameter in enumerate(dalec2.parameters):
        if parameter.prior != "circular":
            assert ranks[parameter.name] == (0, DRAWS)[k % 2]


@pytest.mark.parametrize(
    ("ess", "tries", "effective"), [([5.0, 20.0, 30.0], 2, 20.0), ([5.0, 6.0, 7.0], 3, 7.0)]
)
def test_the_next_budget_is_tried_where_draws_are_too_few(problem, dalec2, ess, tries, effective):
    truth = draw_parameters(dalec2, 1, seed=4)[0]
    budgets = [{"members": 20}, {"members": 30}, {"members": 40}]
    found = run(problem, truth, ess, budgets)
    assert (found.tries, found.effective) == (tries, effective)
    assert found.model_runs == 3 * tries


@pytest.mark.parametrize(("rhat", "tries"), [(1.29, 1), (1.31, 2), (np.nan, 1)])
def test_the_next_budget_is_tried_where_chains_are_apart(problem, dalec2, rhat, tries):
    truth = draw_parameters(dalec2, 1, seed=4)[0]
    found = run(problem, truth, [50.0, 50.0], [{"members": 20}, {"members": 30}], rhat=rhat)
    assert found.tries == tries


def test_ranks_of_the_prior_under_the_prior_are_uniform(problem, dalec2):
    """A posterior that is the prior is right where observations are not looked at."""
    truths = draw_parameters(dalec2, 60, seed=5)
    places = [
        list(run(problem, truth, [50.0], [{"members": DRAWS}], seed).ranks.values())
        for seed, truth in enumerate(truths)
    ]
    mean = np.mean(places)
    assert mean == pytest.approx(0.5 * DRAWS, abs=5.0 * DRAWS / np.sqrt(12.0 * 60))
