"""A method that infers no inflation, where errors are stated up to a factor."""

import dataclasses

import numpy as np
import pytest
from concerto.assimilation.methods import letkf
from concerto.assimilation.prior import Prior
from concerto.assimilation.stream_error import inflation
from synthetic_dalec import make_problem

BUDGET = {"members": 100, "window_days": 60, "passes": 4, "relaxation": 0.0}


@pytest.fixture(scope="module")
def pair(dalec2):
    """A problem, and the same with inflated errors of two streams."""
    plain = make_problem(dalec2, days=120)
    errors = {
        name: dataclasses.replace(error, inflated=name != "gpp")
        for name, error in plain.stream_errors.items()
    }
    prior = Prior((*dalec2.parameters, inflation("nee"), inflation("lai")))
    return plain, dataclasses.replace(plain, prior=prior, stream_errors=errors)


def test_inflations_stay_at_one(pair, caplog):
    plain, inflated = pair
    expected = letkf.assimilate(plain, BUDGET, np.random.default_rng(1))
    found = letkf.assimilate(inflated, BUDGET, np.random.default_rng(1))
    np.testing.assert_allclose(found.unit[:, :-2], expected.unit, rtol=1e-14)
    parameters = inflated.prior.to_parameters(found.unit)
    np.testing.assert_allclose(parameters[:, -2:], 1.0, rtol=1e-12)
    assert len(found.rhat) == len(found.ess_bulk) == parameters.shape[1]
    assert inflated.model_runs == plain.model_runs > 0
    assert "errors of nee, lai are taken as stated" in caplog.text


def test_a_problem_as_stated_has_the_same_likelihood(pair):
    plain, inflated = pair
    drawn = plain.prior.parameters_of(plain.prior.draw(5, np.random.default_rng(2)))
    found = inflated.as_stated()
    np.testing.assert_array_equal(found.log_likelihood(drawn), plain.log_likelihood(drawn))
    assert (plain.inflated, inflated.inflated) == ((), ("nee", "lai"))
