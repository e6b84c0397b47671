"""4DEnVar where its answer is exact, linear residuals; on a circle, and on a real model."""

import dataclasses

import numpy as np
import pytest
from concerto.assimilation.methods import fourdenvar
from concerto.assimilation.mode import ends
from concerto.assimilation.scores import Scores
from concerto.assimilation.start import informed
from concerto.errors import ConcertoError
from synthetic_dalec import make_problem
from synthetic_targets import Normal, Target, unit_box

BUDGET = {"members": 200, "most_iterations": 20}
SIZE, N = 4, 30


def linear(error_sd=1.0, stated_sd=1.0):
    rng = np.random.default_rng(1)
    design = rng.normal(size=(N, SIZE)) * 0.3 ** np.arange(SIZE)
    observed = design @ rng.normal(size=SIZE) + error_sd * rng.standard_normal(N)
    return design / stated_sd, observed / stated_sd


def problem(design, observed):
    return Target(Normal(design.shape[1]), lambda z: z @ design.T - observed)


def run(target, seed=2, **changes):
    return fourdenvar.assimilate(target, BUDGET | changes, np.random.default_rng(seed))


@pytest.mark.parametrize("members", [16, 200])
def test_linear_normal_posterior_is_exact(members):
    design, observed = linear()
    target = problem(design, observed)
    precision = np.eye(SIZE) + design.T @ design
    posterior = run(target, members=members)
    assert posterior.converged, posterior.verdict
    assert posterior.unit.shape == (members, SIZE)
    mean = np.linalg.solve(precision, design.T @ observed)
    np.testing.assert_allclose(posterior.unit.mean(axis=0), mean, atol=1e-9)
    np.testing.assert_allclose(np.cov(posterior.unit.T), np.linalg.inv(precision), atol=1e-9)
    # of round-off, which differs from processor to processor, in slopes by differences of members
    assert posterior.diagnostics["last_step"] < 1e-7
    assert posterior.diagnostics["nonlinearity"] < 1e-7
    assert len(posterior.history["step"]) == 2  # there, and to see that it is
    expected = target.log_likelihood(posterior.unit) - 0.5 * np.sum(posterior.unit**2, axis=1)
    np.testing.assert_allclose(posterior.log_density, expected)


def test_perturbations_are_balanced():
    made = fourdenvar.balanced(50, 7, np.random.default_rng(3))
    np.testing.assert_allclose(made.mean(axis=0), 0.0, atol=1e-13)
    np.testing.assert_allclose(np.cov(made.T), np.eye(7), atol=1e-12)


def test_a_nonlinear_problem_ends_at_its_mode():
    times = np.linspace(0.0, 2.0, 20)
    observed = np.exp(0.3) * np.exp(-0.5 * times) - 0.4 * times

    def residuals(z):
        a, b = np.exp(0.5 * z[:, 0]), z[:, 1]
        shown = a[:, None] * np.exp(-0.5 * times) + b[:, None] * times
        return (shown - observed) / 0.05

    target = Target(Normal(2), residuals)
    (end,) = ends(Scores(target), np.zeros((1, 2)), 100, 1e-12)
    posterior = run(target)
    covariance = np.linalg.inv(end.curvature)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((posterior.unit.mean(axis=0) - end.scores) / sd, 0.0, atol=0.1)
    np.testing.assert_allclose(np.cov(posterior.unit.T), covariance, rtol=0.05)


@pytest.mark.parametrize("day", [0.0, 0.99, 0.5])
def test_a_day_of_the_year_around_the_new_year(day):
    def residuals(x):
        turn = 2.0 * np.pi * (x[:, 1] - day)
        return np.stack([np.cos(turn) - 1.0, np.sin(turn)], axis=1) / 0.1

    posterior = run(Target(unit_box("uniform", "circular"), residuals), members=400)
    away = 2.0 * np.pi * ((posterior.unit[:, 1] - day + 0.5) % 1.0 - 0.5)
    assert away.mean() == pytest.approx(0.0, abs=0.01)
    assert away.std() == pytest.approx(0.1, rel=0.02)
    assert posterior.unit[:, 0].std() == pytest.approx(12**-0.5, rel=0.1)
    assert posterior.diagnostics["last_step"] < fourdenvar.STEP


def test_a_loop_cut_short_is_said():
    target = Target(Normal(1), lambda z: np.tile(np.exp(2.0 * z) - 9.0, 5))
    posterior = run(target, most_iterations=1)
    assert not posterior.converged
    assert posterior.diagnostics["last_step"] > fourdenvar.STEP
    assert "after 1 outer loops (below 0.05 wanted)" in posterior.verdict


@pytest.mark.parametrize("stated", [0.3, 4.0])
def test_errors_stated_wrongly_show_in_the_mismatch(stated):
    posterior = run(problem(*linear(error_sd=1.0, stated_sd=stated)))
    assert not posterior.converged
    assert "expected 1, accepted 0.5 to 2" in posterior.verdict
    assert not 0.5 <= posterior.diagnostics["mismatch"] <= 2.0


def test_mismatch_is_of_observations_alone():
    design, observed = linear()
    target = problem(design, observed)
    target.n_observations = N - 10  # the last ten residuals are constraints
    posterior = run(target)
    residuals = target.residuals(posterior.unit)[:, :-10]
    assert posterior.diagnostics["mismatch"] == pytest.approx(np.mean(residuals**2))


def test_a_collapsed_ensemble_is_not_trusted():
    # the observations fix the first unknown ten million times better than the prior
    design = np.zeros((20, 2))
    design[:, 0] = 1e7
    posterior = run(problem(design, np.random.default_rng(8).standard_normal(20)))
    assert not posterior.converged
    assert posterior.diagnostics["smallest_spread"] < fourdenvar.COLLAPSE


@pytest.mark.parametrize("members", [14, 201])
def test_an_ensemble_of_a_wrong_size(members):
    message = f"fourdenvar: {members} members for 4 unknowns; expected an even number, at least 16"
    with pytest.raises(ConcertoError, match=message):
        run(problem(*linear()), members=members)


def test_runs_that_fail_are_counted():
    def residuals(z):
        return np.where(np.abs(z) < 2.6, 0.1 * z, np.nan)

    with pytest.raises(ConcertoError, match=r"fourdenvar: \d+ of 2000 runs .* for residuals"):
        run(Target(Normal(1), residuals), members=2000)


def test_same_seed_gives_the_same_ensemble():
    target = problem(*linear())
    first, second = run(target, 6), run(target, 6)
    np.testing.assert_array_equal(first.unit, second.unit)
    assert (run(target, 7).unit != first.unit).any()


@pytest.mark.parametrize("seed", [7, 8, 10])
def test_on_a_real_model_it_ends_where_descents_do(dalec2, seed):
    """Around what the model shows itself, with errors as stated; all descents end at one mode."""
    made = make_problem(dalec2, days=365)
    truth = made.prior.parameters_of(made.prior.draw(1, np.random.default_rng(seed)))
    rng = np.random.default_rng(5)
    streams = []
    for stream, shown in zip(made.streams, made.predict(truth), strict=True):
        noise = stream.random_sd * rng.standard_normal(len(stream.values))
        values = np.where(np.isfinite(stream.values), shown[0] + noise, np.nan)
        streams.append(dataclasses.replace(stream, values=values))
    twin = dataclasses.replace(made, streams=streams)
    scores = Scores(twin)
    near = scores.of(informed(twin, np.random.default_rng(6))[:4])
    reached = ends(scores, near, 200, 1e-12, 0.01)
    assert reached[-1].cost - reached[0].cost < 0.01
    assert scores.cost(near).min() - reached[0].cost > 20.0
    posterior = run(twin)
    assert posterior.diagnostics["last_step"] < fourdenvar.STEP
    assert posterior.history["cost"][-1] - reached[0].cost < 0.5
