import dataclasses

import numpy as np
import pytest
from concerto.assimilation.constraints import NAMES
from concerto.assimilation.distributions import Distribution
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Stream
from concerto.assimilation.stream_error import StreamError, inflation, state_covariance
from concerto.errors import ConcertoError
from synthetic_dalec import draw_parameters, make_problem


@pytest.fixture(scope="module")
def problem(dalec2):
    return make_problem(dalec2)


@pytest.fixture(scope="module")
def constrained(dalec2):
    return make_problem(dalec2, NAMES)


@pytest.fixture(scope="module")
def parameters(dalec2):
    return draw_parameters(dalec2, 37, seed=1)


def test_log_likelihood_is_minus_half_the_squares(problem, constrained, parameters):
    for made in (problem, constrained):
        residuals = made.residuals(parameters)
        found = made.log_likelihood(parameters)
        assert found.shape == (37,)
        np.testing.assert_allclose(found, -0.5 * (residuals**2).sum(axis=1), rtol=1e-12)
        assert np.ptp(found) > 1.0


def test_constraints_are_columns_after_the_observations(problem, constrained, parameters):
    n = sum(int(np.isfinite(stream.values).sum()) for stream in problem.streams)
    assert problem.n_observations == constrained.n_observations == n
    plain, more = problem.residuals(parameters), constrained.residuals(parameters)
    assert plain.shape == (37, n)
    assert more.shape[1] > n
    np.testing.assert_array_equal(more[:, :n], plain)
    assert (more[:, n:] != 0.0).any()


def test_one_constraint_switched_off_takes_its_columns_along(constrained, parameters):
    n = constrained.n_observations
    full = constrained.residuals(parameters)[:, n:]
    fewer = dataclasses.replace(constrained, constraint_names=NAMES[:-1])
    np.testing.assert_array_equal(fewer.residuals(parameters)[:, n:], full[:, :-6])


def test_residuals_of_independent_errors_are_misfits_over_their_sd(dalec2, parameters):
    errors = {
        name: StreamError(sd, 1e-3, 0.0, 1e-3, observation_factor=factor)
        for name, sd, factor in (("nee", 0.5, 1.0), ("gpp", 1.0, 2.0), ("lai", 0.3, 0.5))
    }
    problem = make_problem(dalec2, errors=errors)
    predicted = problem.predict(parameters)
    parts = []
    for stream, series in zip(problem.streams, predicted, strict=True):
        assert series.shape == (37, 400)
        error = errors[stream.name]
        sd = np.hypot(error.sd_fast, error.observation_factor * stream.random_sd)
        parts.append((stream.values - series) / sd)
    by_time = np.stack(parts, axis=2).reshape(37, -1)  # streams of a time, then the next time
    expected = by_time[:, np.isfinite(by_time[0])]
    np.testing.assert_allclose(problem.residuals(parameters), expected, rtol=1e-9, atol=1e-12)


def test_predictions_are_runs_of_the_model(dalec2, problem, parameters):
    predicted = problem.predict(parameters)
    runs = dalec2.simulate(parameters, problem.forcing.weather, ("nee", "gpp", "lai"),
                           (), (0, *problem.forcing.anniversaries))  # fmt: skip
    for stream, series in zip(problem.streams, predicted, strict=True):
        np.testing.assert_array_equal(series, runs.series(stream.name))


def test_members_do_not_depend_on_each_other(constrained, parameters):
    every = constrained.log_likelihood(parameters)
    for chosen in ([0], [36], [5, 30, 2], list(range(20))):
        some = constrained.log_likelihood(parameters[chosen])
        np.testing.assert_allclose(some, every[chosen], rtol=1e-12)


def test_runs_that_fail_have_no_density(dalec2, problem, constrained, parameters):
    broken = parameters.copy()
    broken[3, dalec2.parameter_names.index("leaf_life_span")] = (
        0.9  # a leaf life span below a year has no phenology
    )
    broken[20] = np.nan
    for made in (problem, constrained):
        found = made.log_likelihood(broken)
        assert (found[[3, 20]] == -np.inf).all()
        others = np.setdiff1d(np.arange(37), [3, 20])
        np.testing.assert_array_equal(found[others], made.log_likelihood(parameters)[others])


def test_what_has_no_finite_value_is_named(dalec2, constrained, parameters):
    assert constrained.not_finite(parameters) == []
    empty = parameters.copy()
    empty[0, dalec2.parameter_names.index("initial_soil")] = 0.0
    assert constrained.not_finite(empty) == ["pool_growth", "pool_equilibrium"]


def test_runs_are_counted(dalec2, parameters):
    problem = make_problem(dalec2)
    problem.log_likelihood(parameters)
    problem.residuals(parameters[:4])
    problem.predict(parameters[:1])
    assert problem.model_runs == 37 + 4 + 1


def test_closer_runs_are_likelier(dalec2, problem, parameters):
    truth = problem.predict(parameters[:1])
    exact = [
        Stream(s.name, np.where(np.isfinite(s.values), series[0], np.nan), s.random_sd)
        for s, series in zip(problem.streams, truth, strict=True)
    ]
    twin = dataclasses.replace(problem, streams=exact)
    density = twin.log_likelihood(parameters)
    assert density[0] == pytest.approx(0.0, abs=1e-18)
    assert (density[1:] < -1.0).all()


class TestStream:
    def test_gaps_are_fine(self):
        values, sd = np.array([np.nan, 1.0, np.nan]), np.array([np.nan, 0.1, -1.0])
        assert Stream("nee", values, sd).name == "nee"

    def test_no_observation(self):
        with pytest.raises(ConcertoError, match="nee: no observation in the training period"):
            Stream("nee", np.full(3, np.nan), np.ones(3))

    @pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, -9999.0])
    def test_no_positive_error(self, wrong):
        sd = np.array([0.1, wrong, 0.1, wrong])
        message = "gpp: 2 observations have no positive random error, the first at step 1"
        with pytest.raises(ConcertoError, match=message):
            Stream("gpp", np.ones(4), sd)


def soft_points(problem, members, seed):
    unit = np.random.default_rng(seed).uniform(0.02, 0.98, (members, len(problem.model.parameters)))
    return problem.prior.to_soft(unit)


@pytest.mark.parametrize("names", [(), NAMES])
def test_gradient_is_that_of_the_density(dalec2, names):
    problem = make_problem(dalec2, names)
    soft = soft_points(problem, 8, seed=5)
    density, gradient = problem.log_posterior(soft)
    unit = problem.prior.from_soft(soft)
    expected = problem.log_likelihood(problem.prior.to_parameters(unit))
    expected += problem.prior.log_density(unit) + problem.prior.log_slope(soft)
    np.testing.assert_allclose(density, expected, rtol=1e-12)
    direction, h = np.random.default_rng(6).normal(size=soft.shape), 1e-7
    ahead, behind = (problem.log_posterior(soft + s * h * direction)[0] for s in (1.0, -1.0))
    along = np.sum(gradient * direction, axis=1)
    size = np.abs(gradient).max(axis=1)
    np.testing.assert_array_less(np.abs((ahead - behind) / (2.0 * h) - along), 1e-5 * size)


def test_every_component_of_the_gradient(dalec2):
    problem = make_problem(dalec2, NAMES)
    soft = soft_points(problem, 1, seed=6)
    _, gradient = problem.log_posterior(soft)
    h = 1e-6
    moved = [problem.log_posterior(soft + s * h * np.eye(soft.size))[0] for s in (1.0, -1.0)]
    difference = (moved[0] - moved[1]) / (2.0 * h)
    np.testing.assert_allclose(difference, gradient[0], atol=1e-5 * np.abs(gradient).max())


def test_a_failing_run_has_no_density_and_no_gradient(problem):
    soft = soft_points(problem, 3, seed=7)
    soft[1] = np.nan
    density, gradient = problem.log_posterior(soft)
    assert np.isfinite(density[[0, 2]]).all()
    assert density[1] == -np.inf
    assert (gradient[1] == 0.0).all()
    assert (gradient[0] != 0.0).any()


def test_gradients_are_counted_and_are_runs_too(dalec2):
    problem = make_problem(dalec2)
    problem.log_posterior(soft_points(problem, 5, seed=8))
    assert (problem.model_runs, problem.gradients) == (5, 5)


LAWS = ("normal", "laplace", "student_t")


def with_errors(problem, law, inflated):
    """The problem with one law for all errors, and with streams inflated."""
    errors = {
        name: dataclasses.replace(error, distribution=law, inflated=name in inflated)
        for name, error in problem.stream_errors.items()
    }
    factors = [inflation(stream.name) for stream in problem.streams if stream.name in inflated]
    prior = Prior((*problem.model.parameters, *factors))
    return dataclasses.replace(problem, prior=prior, stream_errors=errors)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("inflated", [(), ("nee", "lai")], ids=["stated", "inflated"])
class TestErrors:
    @pytest.fixture
    def made(self, constrained, law, inflated):
        return with_errors(constrained, law, inflated)

    @pytest.fixture
    def drawn(self, made):
        return made.prior.parameters_of(made.prior.draw(16, np.random.default_rng(4)))

    def test_likelihood_is_that_of_the_law_with_scaled_errors(self, made, drawn, law, inflated):
        """Up to the same constant for all members: of innovations of misfits that are scaled."""
        factors = dict(zip(inflated, drawn[:, len(made.model.parameters) :].T, strict=True))
        stated = with_errors(made, law, ())
        own = drawn[:, : len(made.model.parameters)]
        expected = -0.5 * (stated.residuals(own)[:, made.n_observations :] ** 2).sum(axis=1)
        for member, parameters in enumerate(own):
            streams, errors = [], {}
            for stream in made.streams:
                s = factors[stream.name][member] if stream.name in factors else 1.0
                error = made.stream_errors[stream.name]
                errors[stream.name] = dataclasses.replace(
                    error, sd_fast=s * error.sd_fast, sd_slow=s * error.sd_slow, inflated=False
                )
                streams.append(dataclasses.replace(stream, random_sd=s * stream.random_sd))
                expected[member] -= np.isfinite(stream.values).sum() * np.log(s)
            scaled = dataclasses.replace(stated, streams=streams, stream_errors=errors)
            expected[member] -= Distribution(law).loss(scaled.innovations(parameters[None])).sum()
        found = made.log_likelihood(drawn)
        np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-9, atol=1e-6)

    def test_gradient_is_the_finite_difference(self, made, drawn):
        soft = made.prior.to_soft(made.prior.to_unit(drawn))
        _, gradient = made.log_posterior(soft)
        size = 1.0 + np.abs(gradient).max(axis=1)
        for k, step in enumerate(1e-6 * np.eye(soft.shape[1])):
            (ahead, _), (behind, _) = (made.log_posterior(soft + s * step) for s in (1.0, -1.0))
            difference = (ahead - behind) / 2e-6
            assert (np.abs(difference - gradient[:, k]) < 1e-6 * size).all()


def test_mean_squares_of_streams(problem, parameters):
    found = problem.mean_squares(parameters)
    counts = {s.name: np.isfinite(s.values).sum() for s in problem.streams}
    total = sum(counts[name] * squares for name, squares in found.items())
    np.testing.assert_allclose(total, -2.0 * problem.log_likelihood(parameters), rtol=1e-12)


def test_prior_that_does_not_fit_the_statement(problem):
    errors = {
        name: dataclasses.replace(error, inflated=name == "gpp")
        for name, error in problem.stream_errors.items()
    }
    with pytest.raises(ConcertoError, match=r"expected .*, inflation_gpp$"):
        dataclasses.replace(problem, stream_errors=errors)


def test_failures_are_counted(dalec2):
    problem = make_problem(dalec2)
    drawn = draw_parameters(dalec2, 20, seed=2)
    drawn[3] = np.nan
    assert np.isneginf(problem.log_likelihood(drawn)[3])
    assert problem.failures == 1


def test_observations_that_no_run_comes_near(problem, parameters):
    stream, sd = problem.streams[0], 0.4
    predicted = problem.predict(parameters)[0]
    low, high = predicted.min(), predicted.max()
    values = np.full(stream.values.shape, np.nan)
    near, far = [low - 3.9 * sd, 0.5 * (low + high), high + 3.9 * sd], [low - 4.1 * sd, 1e6]
    values[:5] = [*near, *far]
    streams = [Stream("nee", values, np.full(values.shape, sd)), *problem.streams[1:]]
    found = dataclasses.replace(problem, streams=streams).out_of_reach(parameters)
    assert found["nee"] == len(far)


class TestLinearise:
    @pytest.mark.parametrize("law", LAWS)
    @pytest.mark.parametrize("names", [(), NAMES], ids=["free", "constrained"])
    def test_it_is_the_finite_difference(self, dalec2, names, law):
        problem = with_errors(make_problem(dalec2, names), law, ("gpp", "lai"))
        size, h = problem.prior.size, 1e-5
        points = np.random.default_rng(9).normal(size=(4, size))
        for z, residuals, jacobian in zip(points, *problem.linearise(points), strict=True):
            at = np.concatenate([z[None], z + h * np.eye(size), z - h * np.eye(size)])
            found = problem.residuals(problem.prior.parameters_of(at))
            np.testing.assert_allclose(residuals, found[0], rtol=1e-12, atol=1e-12)
            ahead, behind = np.split(found[1:], 2)
            np.testing.assert_allclose(
                jacobian, (ahead - behind).T / (2.0 * h), atol=1e-6 * np.abs(jacobian).max()
            )

    def test_it_is_the_transpose_of_the_adjoint(self, dalec2):
        """The gradient of the likelihood by ``z``: by the adjoint, and by the residuals' slopes."""
        problem = make_problem(dalec2, NAMES)
        prior = problem.prior
        z = np.random.default_rng(10).normal(size=(3, prior.size))
        slopes, h = prior.slopes(z), 1e-6
        soft = prior.to_soft(prior.to_unit(prior.parameters_of(z)))
        _, gradient = problem.log_posterior(soft)
        parameters = prior.parameters_of(z)
        _, of_prior = prior.soft_density(soft, parameters, np.zeros_like(soft))
        ahead, behind = (prior.to_parameters(prior.from_soft(soft + s * h)) for s in (1.0, -1.0))
        per_soft = (ahead - behind) / (2.0 * h)  # a parameter is a function of its own place alone
        expected = np.einsum("mk,mkz->mz", (gradient - of_prior) / per_soft, slopes)
        for k, (residuals, jacobian) in enumerate(zip(*problem.linearise(z), strict=True)):
            size = np.abs(expected[k]).max()
            np.testing.assert_allclose(-jacobian.T @ residuals, expected[k], atol=1e-6 * size)

    def test_its_work_is_counted(self, dalec2):
        problem = make_problem(dalec2)
        problem.linearise(np.ones((1, problem.prior.size)))
        assert problem.model_runs == 1 + problem.prior.size


class TestWindows:
    def test_a_record_in_windows_is_the_whole_record(self, problem, parameters):
        state, columns = problem.start(parameters), []
        for stop in (1, 9, 150, 151, 400):
            residuals, state = problem.advance(state, parameters, stop)
            columns.append(residuals)
            assert state.step == stop
        np.testing.assert_array_equal(np.hstack(columns), problem.residuals(parameters))
        _, whole = problem.advance(problem.start(parameters), parameters, 400)
        for name in ("pools", "fast", "slow"):
            np.testing.assert_array_equal(getattr(state, name), getattr(whole, name))

    def test_windows_count_as_parts_of_a_run(self, dalec2, parameters):
        problem = make_problem(dalec2)
        state = problem.start(parameters)
        for stop in (100, 200, 300):
            _, state = problem.advance(state, parameters, stop)
        assert problem.model_runs == round(0.75 * 37)

    def test_the_final_state_is_that_of_the_runs_with_errors_around_what_is_expected(
        self, problem, parameters
    ):
        many = np.repeat(parameters[:2], 3000, axis=0)  # more than are held at once
        final = problem.final_state(many, np.random.default_rng(1))
        _, expected = problem.advance(problem.start(parameters[:2]), parameters[:2], 400)
        assert final.step == 400
        np.testing.assert_array_equal(final.pools[::3000], expected.pools)
        covariance = state_covariance(problem._filters, problem.innovation_correlation)
        sd = np.sqrt(np.diag(covariance))
        drawn = np.hstack([final.fast, final.slow])
        wanted = np.hstack([expected.fast, expected.slow])
        for k in range(2):
            part = drawn[3000 * k : 3000 * (k + 1)]
            np.testing.assert_allclose(
                (part.mean(axis=0) - wanted[k]) / sd, 0.0, atol=4.5 / np.sqrt(3000)
            )
            np.testing.assert_allclose(
                np.cov(part.T) / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=0.12
            )
