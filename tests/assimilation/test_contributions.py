"""What streams contribute, where it is known in closed form."""

import numpy as np
import pytest
from concerto.assimilation.constraints import NAMES
from concerto.assimilation.contributions import contributions
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.stream_error import StreamError
from synthetic_dalec import ERRORS, draw_parameters, make_problem


def posterior_of(problem, members=40):
    drawn = problem.prior.parameters_of(problem.prior.draw(members, np.random.default_rng(3)))
    unknown = np.full(drawn.shape[1], np.nan)
    return Posterior(
        unit=problem.prior.to_unit(drawn),
        log_density=problem.log_likelihood(drawn),
        chain=np.zeros(members, dtype=np.int32),
        converged=True,
        verdict="",
        rhat=unknown,
        ess_bulk=unknown,
        ess_tail=unknown,
    )


@pytest.mark.parametrize("names", [(), NAMES], ids=["free", "constrained"])
def test_they_share_out_the_unknowns(dalec2, names):
    problem = make_problem(dalec2, names)
    streams, rest = contributions(problem, posterior_of(problem))
    total = sum(part.signal for part in streams.values()) + sum(rest.values())
    assert total == pytest.approx(len(dalec2.parameters), rel=1e-9)
    assert list(streams) == ["nee", "gpp", "lai"]
    assert all(part.signal > 0.5 for part in streams.values())
    assert (rest["constraints"] > 0.1) == bool(names)


def test_worthless_observations_leave_everything_to_the_prior(dalec2):
    vague = {name: StreamError(1e6, 5.0, 0.0, 100.0) for name in ERRORS}
    problem = make_problem(dalec2, errors=vague)
    streams, rest = contributions(problem, posterior_of(problem))
    assert rest["prior"] == pytest.approx(len(dalec2.parameters), abs=1e-3)
    assert all(part.mean_square < 1e-6 for part in streams.values())


def test_numbers_and_misfits_are_those_of_the_streams(dalec2):
    problem = make_problem(dalec2)
    posterior = posterior_of(problem, 128)
    streams, _ = contributions(problem, posterior)
    expected = problem.mean_squares(problem.prior.to_parameters(posterior.unit))
    for stream in problem.streams:
        found = streams[stream.name]
        assert found.observations == np.isfinite(stream.values).sum()
        assert found.mean_square == pytest.approx(expected[stream.name].mean())


class TestEffectiveNumber:
    def test_independent_observations_count_fully(self, dalec2):
        errors = {name: StreamError(0.5, 1e-3, 0.0, 1e-3) for name in ERRORS}
        problem = make_problem(dalec2, errors=errors)
        for k, stream in enumerate(problem.streams):
            n = np.isfinite(stream.values).sum()
            assert problem.effective_observations(k) == pytest.approx(n, rel=1e-6)

    def test_correlated_ones_as_the_dense_covariance_says(self, dalec2):
        problem = make_problem(dalec2)
        for k, stream in enumerate(problem.streams):
            error, seen = ERRORS[stream.name], np.isfinite(stream.values)
            days = np.flatnonzero(seen)
            apart = np.abs(np.subtract.outer(days, days))
            scale = error.scale(problem.forcing.season)[seen]
            covariance = np.outer(scale, scale) * (
                error.sd_fast**2 * np.exp(-apart / error.tau_fast)
                + error.sd_slow**2 * np.exp(-apart / error.tau_slow)
            )
            covariance += np.diag((error.observation_factor * stream.random_sd[seen]) ** 2)
            sd = np.sqrt(np.diag(covariance))
            expected = sd @ np.linalg.solve(covariance, sd)
            assert problem.effective_observations(k) == pytest.approx(expected, rel=1e-9)
            assert expected < 0.9 * len(days)


def test_z_of_parameters_leads_back(dalec2):
    prior = make_problem(dalec2).prior
    drawn = draw_parameters(dalec2, 50, seed=5)
    np.testing.assert_allclose(prior.parameters_of(prior.z_of(drawn)), drawn, rtol=1e-9)
