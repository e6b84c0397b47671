"""Twin experiments: truths and observations have the stated law, and intervals hold the truth.

For the latter a year of daily NEE, GPP and LAI is simulated with model error and observation error
as stated, and the posterior's 90 % intervals are held against the truth.
"""

import logging
import re
from dataclasses import replace

import numpy as np
import pytest
from concerto import plugins
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Forcing, Problem, Stream
from concerto.assimilation.stream_error import StreamError, inflation
from concerto.assimilation.twin import (
    draw_truths,
    observe,
    temper_truths,
    with_only,
    with_stream,
)
from concerto.errors import ConcertoError
from scipy.stats import chi2, ks_2samp, kstest, norm
from synthetic_dalec import make_problem, model_named
from synthetic_targets import Normal, Target

DRAWS = 5
BUDGETS = {
    "demcz": {"chains": 4, "generations": 40000, "thin": 20},
    "hmc": {"chains": 16, "warm_up": 250, "draws": 120},
}
DAYS = 365
IDENTIFIABLE = 0.5  # posterior over prior standard deviation, in unit space
ERRORS = {
    "nee": StreamError(0.4, 5.0, 0.2, 100.0),
    "gpp": StreamError(0.5, 5.0, 0.2, 100.0),
    "lai": StreamError(0.1, 10.0, 0.1, 100.0),
}
OBSERVED_EVERY = {"nee": 1, "gpp": 1, "lai": 8}
OBSERVATION_SD = {"nee": 0.5, "gpp": 0.5, "lai": 0.3}


def weather(model, rng):
    day = np.arange(DAYS) + 0.5
    season = -np.cos(2.0 * np.pi * (day - 20.0) / DAYS)
    noise = np.convolve(rng.standard_normal(DAYS + 9), np.full(10, 10**-0.5), "valid")
    warmth = 9.0 + 8.0 * season + 3.0 * noise
    drivers = {
        "tasmin": warmth - 5.0,
        "tasmax": warmth + 5.0,
        "rsds": np.maximum(0.5, 10.0 + 8.0 * season + 3.0 * rng.standard_normal(DAYS)),
        "co2": np.full(DAYS, 400.0),
        "burned_area_fraction": np.zeros(DAYS),
        "harvested_area_fraction": np.zeros(DAYS),
    }
    rows = model.prepare_weather(drivers, day, np.full(DAYS, DAYS), 1.0, 50.0, 300.0)
    return Forcing(rows, day / DAYS, 1.0, (), float(warmth.mean()))


def twin(model, prior, seed):
    """Return the truth in unit space and the problem that its observations pose."""
    rng = np.random.default_rng([2008, seed])
    drive = weather(model, rng)
    seen = {name: np.arange(DAYS) % every == 0 for name, every in OBSERVED_EVERY.items()}
    streams = [
        Stream(name, np.where(seen[name], 0.0, np.nan), np.full(DAYS, OBSERVATION_SD[name]))
        for name in ERRORS
    ]
    problem = Problem(model, prior, drive, streams, ERRORS, np.eye(3), ())
    truth = draw_truths(problem, 1, rng)
    return prior.to_unit(truth)[0], observe(problem, truth[0], rng)


def covered(prior, truth, unit):
    """Return whether each identifiable parameter's 90 % interval holds the truth."""
    distance = unit - truth
    distance[:, prior.circular] = (distance[:, prior.circular] + 0.5) % 1.0 - 0.5
    low, high = np.quantile(distance, [0.05, 0.95], axis=0)
    drawn = prior.parameters_of(prior.draw(2000, np.random.default_rng(0)))
    before = prior.to_unit(drawn).std(axis=0)
    identifiable = distance.std(axis=0) < IDENTIFIABLE * before
    return ((low <= 0.0) & (high >= 0.0))[identifiable]


@pytest.mark.slow
@pytest.mark.parametrize("method", BUDGETS)
def test_intervals_hold_the_truth(method):
    model = model_named("dalec2")
    prior = Prior(model.parameters)
    held = []
    for seed in range(DRAWS):
        truth, problem = twin(model, prior, seed)
        rng = np.random.default_rng(seed)
        posterior = plugins.load("assimilation.methods", method).assimilate(
            problem, BUDGETS[method], rng
        )
        held.append(covered(prior, truth, posterior.unit))
    assert sum(map(len, held)) >= 3 * DRAWS, "too few identifiable parameters to judge"
    assert np.concatenate(held).mean() >= 0.8


VARIATIONAL = {
    "fourdvar": {"starts": 8, "members": 500, "most_iterations": 100},
    "fourdenvar": {"members": 200, "most_iterations": 20},
}


def narrowed(parameter, share):
    """A parameter of which the middle ``share`` of the range is left, but for days of the year."""
    if parameter.prior == "circular":
        return parameter
    there, back = (np.asarray,) * 2 if parameter.prior == "uniform" else (np.log, np.exp)
    low, high = there(parameter.min), there(parameter.max)
    middle, half = 0.5 * (low + high), 0.5 * share * (high - low)
    return replace(parameter, min=float(back(middle - half)), max=float(back(middle + half)))


@pytest.mark.parametrize("method", VARIATIONAL)
def test_normal_intervals_hold_the_truth_where_the_prior_is_narrow(method):
    """Normal densities suit a posterior that is not too curved: a tenth of the ranges."""
    model = model_named("dalec2")
    prior = Prior([narrowed(parameter, 0.1) for parameter in model.parameters])
    held = []
    for seed in range(6):
        truth, problem = twin(model, prior, seed)
        posterior = plugins.load("assimilation.methods", method).assimilate(
            problem, VARIATIONAL[method], np.random.default_rng(seed)
        )
        held.append(covered(prior, truth, posterior.unit))
    assert sum(map(len, held)) >= 12, "too few identifiable parameters to judge"
    assert np.concatenate(held).mean() >= 0.75


def test_a_posterior_close_to_normal_is_called_so():
    """And the same with the whole ranges is not."""
    model = model_named("dalec2")
    for share, wanted in ((0.02, True), (1.0, False)):
        prior = Prior([narrowed(parameter, share) for parameter in model.parameters])
        _, problem = twin(model, prior, 1)
        posterior = plugins.load("assimilation.methods", "fourdvar").assimilate(
            problem, VARIATIONAL["fourdvar"], np.random.default_rng(1)
        )
        assert posterior.converged == wanted, posterior.verdict
        assert ("use hmc" in posterior.verdict) != wanted


SIGNIFICANCE = 1e-4  # of tests of draws against their law
CENTER, WIDTH = 0.8, 0.5


def normal_target(size):
    """A standard normal prior, with each unknown said to be near ``CENTER``."""
    return Target(Normal(size), lambda x: (x - CENTER) / WIDTH)


def normal_posterior():
    """Mean and standard deviation of each unknown, and the share that rejection accepts."""
    spread = WIDTH / np.sqrt(1.0 + WIDTH**2)
    share = spread * np.exp(-0.5 * CENTER**2 / (1.0 + WIDTH**2))
    return CENTER / (1.0 + WIDTH**2), spread, share


@pytest.mark.parametrize("draw", [draw_truths, temper_truths])
def test_truths_have_the_law_of_prior_and_constraints(draw):
    target = normal_target(4)
    mean, spread, _ = normal_posterior()
    truths = draw(target, 4000, np.random.default_rng(1))
    assert truths.shape == (4000, 4)
    for unknown in truths.T:
        assert kstest((unknown - mean) / spread, norm.cdf).pvalue > SIGNIFICANCE
    off_diagonal = np.corrcoef(truths.T)[np.triu_indices(4, 1)]
    assert (np.abs(off_diagonal) < 5.0 / np.sqrt(4000)).all()


def said(caplog, pattern):
    return float(re.findall(pattern, caplog.text)[-1])


def test_acceptance_is_told(caplog):
    caplog.set_level(logging.INFO)
    share = normal_posterior()[2] ** 4
    draw_truths(normal_target(4), 4000, np.random.default_rng(2))
    draws = said(caplog, r"of (\d+) draws")
    noise = np.sqrt(share / draws)
    assert said(caplog, r"prior, ([\d.e-]+);") == pytest.approx(
        share, abs=5.0 * noise + 0.01 * share
    )
    temper_truths(normal_target(4), 4000, np.random.default_rng(2))
    assert said(caplog, r"would accept ([\d.e-]+)") == pytest.approx(share, rel=0.2)


def test_hopeless_rejection_says_how_little_it_found():
    target = Target(Normal(2), lambda x: (x - 5.0) / 1e-3)
    with pytest.raises(ConcertoError, match=r"found 0 in 8192 draws of the prior.*expected 3"):
        draw_truths(target, 3, np.random.default_rng(3), most_draws=8000)


def test_narrow_constraints_are_reached_by_steps():
    """Where rejection would take a hundred million draws for each truth."""
    width = 1e-3
    target = Target(Normal(3), lambda x: (x[:, :1] + x[:, 1:] - 1.0) / width)
    truths = temper_truths(target, 2000, np.random.default_rng(4))
    for k in (1, 2):
        assert kstest((truths[:, 0] + truths[:, k] - 1.0) / width, norm.cdf).pvalue > SIGNIFICANCE
    # x and 1 - x twice: the prior's density along the line is normal about 2/3
    assert kstest((truths[:, 0] - 2.0 / 3.0) * np.sqrt(3.0), norm.cdf).pvalue > SIGNIFICANCE


@pytest.mark.parametrize(
    ("target", "particles", "message"),
    [
        (Target(Normal(2), lambda x: np.full((len(x), 1), np.inf)), 64, "no run has a finite"),
        (normal_target(2), 4, "found 4 particles; expected at least 5"),
    ],
)
def test_bad_starts_of_tempering_are_named(target, particles, message):
    with pytest.raises(ConcertoError, match=message), np.errstate(all="ignore"):
        temper_truths(target, 5, np.random.default_rng(5), particles)


def test_populations_that_disagree_are_noticed():
    """Two narrow islands far apart, on which few particles land by chance."""
    target = Target(Normal(6), lambda x: (np.abs(x) - 3.0) / 0.02)
    with pytest.raises(ConcertoError, match=r"found R-hat .* between populations of 40 particles"):
        temper_truths(target, 5, np.random.default_rng(13), 40, moves=1.0)


CONSTRAINTS = (
    "turnover_order", "leaf_wood_order", "root_som_order", "allocation_balance",
    "leaf_root_balance", "pool_bounds",
)  # fmt: skip


@pytest.fixture(scope="module")
def constrained():
    return make_problem(model_named("dalec2"), CONSTRAINTS)


def test_early_constraints_are_the_part_without_runs(constrained):
    drawn = constrained.prior.parameters_of(constrained.prior.draw(50, np.random.default_rng(6)))
    early = constrained.log_constraints_before_run(drawn)
    alone = replace(constrained, constraint_names=CONSTRAINTS[:4])
    np.testing.assert_allclose(early, alone.log_constraints(drawn), rtol=1e-12)
    assert (early < 0.0).any()
    full = constrained.residuals(drawn)[:, constrained.n_observations :]
    np.testing.assert_allclose(
        constrained.log_constraints(drawn), -0.5 * np.sum(full**2, axis=1), rtol=1e-12
    )


def test_rejection_and_tempering_agree_on_a_model(constrained):
    exact = draw_truths(constrained, 1500, np.random.default_rng(7))
    other = temper_truths(constrained, 1500, np.random.default_rng(8), 1500, moves=4.0)
    plain = constrained.prior.parameters_of(constrained.prior.draw(1500, np.random.default_rng(9)))
    p = [ks_2samp(a, b).pvalue for a, b in zip(exact.T, other.T, strict=True)]
    assert min(p) > SIGNIFICANCE
    # the constraints matter, else the test could not fail
    assert min(ks_2samp(a, b).pvalue for a, b in zip(exact.T, plain.T, strict=True)) < 1e-12


def test_observations_have_the_errors_that_the_likelihood_states(constrained):
    """At the truth the residuals are independent and standard normal, gaps stay gaps."""
    rng = np.random.default_rng(10)
    truth = draw_truths(constrained, 1, rng)[0]
    white = []
    for _ in range(40):
        observed = observe(constrained, truth, rng)
        white.append(observed.residuals(truth[None])[0, : observed.n_observations])
    for before, after in zip(constrained.streams, observed.streams, strict=True):
        np.testing.assert_array_equal(np.isfinite(after.values), np.isfinite(before.values))
        np.testing.assert_array_equal(after.random_sd, before.random_sd)
    white = np.array(white)
    assert kstest(white.ravel(), norm.cdf).pvalue > SIGNIFICANCE
    assert SIGNIFICANCE < chi2(white.size).cdf(np.sum(white**2)) < 1.0 - SIGNIFICANCE
    lagged = np.mean(white[:, 1:] * white[:, :-1])
    assert abs(lagged) < 4.0 / np.sqrt(white.size)


def test_observing_leaves_the_problem_alone(constrained):
    before = [stream.values.copy() for stream in constrained.streams]
    rng = np.random.default_rng(11)
    truth = constrained.prior.parameters_of(constrained.prior.draw(1, rng))[0]
    one, other = (observe(constrained, truth, np.random.default_rng(k)) for k in (1, 2))
    assert one.model_runs == 0
    for stream, values, a, b in zip(
        constrained.streams, before, one.streams, other.streams, strict=True
    ):
        np.testing.assert_array_equal(stream.values, values)
        assert (a.values != b.values)[np.isfinite(values)].all()
    again = observe(constrained, truth, np.random.default_rng(1))
    np.testing.assert_array_equal(again.streams[0].values, one.streams[0].values)


def test_a_failing_truth_is_named(constrained):
    truth = constrained.prior.parameters_of(np.zeros((1, constrained.prior.size)))[0]
    truth[constrained.model.parameter_names.index("leaf_mass")] = np.nan
    with pytest.raises(ConcertoError, match="no finite nee, gpp, lai"):
        observe(constrained, truth, np.random.default_rng(12))


class TestStreams:
    def test_some_streams_are_the_problem_without_the_others(self, constrained):
        drawn = constrained.prior.parameters_of(constrained.prior.draw(9, np.random.default_rng(1)))
        found = with_only(constrained, {"lai", "gpp"})
        assert [stream.name for stream in found.streams] == ["gpp", "lai"]
        np.testing.assert_array_equal(
            found.innovation_correlation, constrained.innovation_correlation[1:, 1:]
        )
        expected = constrained.mean_squares(drawn)
        for name, squares in found.mean_squares(drawn).items():
            # the first of two correlated streams is whitened by itself
            if name == "gpp":
                continue
            np.testing.assert_allclose(squares, expected[name], rtol=0.2)
        terms = constrained.residuals(drawn)[:, constrained.n_observations :]
        np.testing.assert_array_equal(found.residuals(drawn)[:, found.n_observations :], terms)

    def test_unknown_streams_are_named(self, constrained):
        with pytest.raises(ConcertoError, match="found et; expected some of nee, gpp, lai"):
            with_only(constrained, {"nee", "et"})

    def test_inflations_go_with_their_streams(self, constrained):
        errors = {
            name: replace(error, inflated=name != "nee")
            for name, error in constrained.stream_errors.items()
        }
        factors = [inflation("gpp"), inflation("lai")]
        prior = Prior((*constrained.model.parameters, *factors))
        found = with_only(replace(constrained, prior=prior, stream_errors=errors), {"nee", "lai"})
        assert [p.name for p in found.prior.parameters[-2:]] == [
            constrained.model.parameter_names[-1], "inflation_lai",
        ]  # fmt: skip

    def test_one_more_stream_has_independent_errors_where_it_is_seen(self, constrained):
        every, error = 60, 25.0
        more = with_stream(constrained, "reco", every, error)
        assert more.n_observations == constrained.n_observations + len(
            range(every // 2, len(constrained.forcing.weather), every)
        )
        rng = np.random.default_rng(2)
        truth = more.prior.parameters_of(more.prior.draw(1, rng))[0]
        drawn = [
            observe(more, truth, rng).streams[-1].values - more.predict(truth[None])[-1][0]
            for _ in range(100)
        ]
        seen = np.array(drawn)[:, every // 2 :: every]
        assert np.isfinite(seen).all()
        assert seen.std() == pytest.approx(error, rel=0.1)
