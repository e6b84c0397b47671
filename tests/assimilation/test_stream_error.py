"""The errors of streams against dense covariance matrices, written out from their definition."""

import math

import numpy as np
import pytest
from concerto.assimilation.stream_error import (
    StreamError,
    Whitener,
    draw_innovations,
    fit_stream_error,
    state_covariance,
    stream_filter,
)
from concerto.models.kernels.lanes import LANES, Placement
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

ERROR = StreamError(1.3, 4.0, 0.7, 60.0, 0.4, -0.2, 1.6)
N = 90


def season_of(n, step=1.0):
    return (0.2 + step * np.arange(n) / 365.25) % 1.0


def model_covariance(error, season, step):
    """scale_i scale_j (sd_f^2 e^(-|dt|/tau_f) + sd_s^2 e^(-|dt|/tau_s))."""
    angle = 2.0 * math.pi * season
    scale = np.exp(error.cosine * np.cos(angle) + error.sine * np.sin(angle))
    apart = step * np.abs(np.subtract.outer(np.arange(season.size), np.arange(season.size)))
    fast = error.sd_fast**2 * np.exp(-apart / error.tau_fast)
    slow = error.sd_slow**2 * np.exp(-apart / error.tau_slow)
    return np.outer(scale, scale) * (fast + slow)


def observations(seed, gap=0.4, n=N):
    """Standard deviations, NaN where there is no observation, and misfits."""
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.1, 1.0, n)
    sd[rng.random(n) < gap] = np.nan
    return sd, rng.normal(0.0, 2.0, n)


def observed(whitener, misfits):
    """What is observed of misfits (stream, tile, time, lane): (tile, observation, lane)."""
    return misfits[whitener.stream, :, whitener.time].transpose(1, 0, 2)


def whiten(filters, correlation, misfits):
    """Whitened values of misfits (stream, time)."""
    lanes = np.repeat(np.array(misfits)[:, None, :, None], LANES, axis=3)
    whitener = Whitener(filters, correlation)
    return whitener.apply(observed(whitener, lanes))[0, :, 0]


def log_likelihood(filtered, misfit):
    white = whiten([filtered], np.eye(1), [misfit])
    return filtered.log_determinant - 0.5 * white @ white - 0.5 * white.size * math.log(2 * math.pi)


ERRORS = {
    "both": ERROR,
    "fast alone": StreamError(0.8, 3.0, 0.0, 100.0, 0.3, 0.1),
    "slow alone": StreamError(0.0, 3.0, 0.9, 100.0),
    "independent": StreamError(0.5, 1e-3, 0.0, 1e-3),
    "same time scales": StreamError(0.5, 20.0, 0.5, 20.0, observation_factor=0.3),
}


@pytest.mark.parametrize("gap", [0.0, 0.4, 0.95])
@pytest.mark.parametrize("step", [1.0, 8.0])
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_likelihood_is_that_of_the_dense_covariance(error, step, gap):
    sd, misfit = observations(1, gap)
    season, seen = season_of(N, step), np.isfinite(sd)
    dense = model_covariance(error, season, step)[np.ix_(seen, seen)]
    dense += np.diag((error.observation_factor * sd[seen]) ** 2)
    expected = multivariate_normal(cov=dense).logpdf(misfit[seen])
    filtered = stream_filter(error, sd, season, step)
    assert filtered.valid.sum() == seen.sum()
    assert log_likelihood(filtered, misfit) == pytest.approx(expected, rel=1e-9)


def test_whitening_is_triangular_and_turns_the_covariance_into_the_identity():
    sd, _ = observations(2)
    season, seen = season_of(N), np.isfinite(sd)
    dense = model_covariance(ERROR, season, 1.0)[np.ix_(seen, seen)]
    dense += np.diag((ERROR.observation_factor * sd[seen]) ** 2)
    filtered = stream_filter(ERROR, sd, season, 1.0)
    place = Placement(seen.sum())
    unit_vectors = place.lay_out(np.eye(seen.sum()))
    white = Whitener([filtered], np.eye(1)).apply(unit_vectors)
    operator = place.collect(white).T
    assert operator.shape == (seen.sum(), seen.sum())
    np.testing.assert_allclose(np.triu(operator, 1), 0.0, atol=1e-14)
    np.testing.assert_allclose(operator @ dense @ operator.T, np.eye(seen.sum()), atol=1e-10)


def test_values_without_observation_do_not_matter():
    sd, misfit = observations(3)
    filtered = stream_filter(ERROR, sd, season_of(N), 1.0)
    other = np.where(np.isfinite(sd), misfit, np.nan)
    np.testing.assert_array_equal(
        whiten([filtered], np.eye(1), [other]), whiten([filtered], np.eye(1), [misfit])
    )


def test_lanes_and_tiles_are_whitened_alike():
    rng = np.random.default_rng(4)
    sds = [observations(k)[0] for k in (5, 6)]
    filters = [stream_filter(ERROR, sd, season_of(N), 1.0) for sd in sds]
    correlation = np.array([[1.0, 0.6], [0.6, 1.0]])
    misfits = rng.normal(size=(2, 3, N, LANES))
    whitener = Whitener(filters, correlation)
    white = whitener.apply(observed(whitener, misfits))
    assert white.shape == (3, whitener.n_observations, LANES)
    assert whitener.n_observations == sum(np.isfinite(sd).sum() for sd in sds)
    for tile, lane in ((0, 0), (2, LANES - 1), (1, 7)):
        alone = whiten(filters, correlation, misfits[:, tile, :, lane])
        np.testing.assert_allclose(white[tile, :, lane], alone, rtol=1e-13)


def test_correlated_streams_equal_the_dense_covariance_when_days_are_independent():
    rng = np.random.default_rng(7)
    n, streams = 40, 3
    factor = np.tril(rng.normal(size=(3, 3))) + 2.0 * np.eye(3)
    correlation = factor @ factor.T
    correlation /= np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    errors = [StreamError(sd, 1e-3, 0.0, 1e-3, 0.3, 0.1) for sd in (0.5, 1.0, 2.0)]
    sds = np.stack([observations(k, 0.4, n)[0] for k in (8, 9, 10)])
    season = season_of(n)
    filters = [stream_filter(e, sd, season, 1.0) for e, sd in zip(errors, sds, strict=True)]
    misfits = rng.normal(size=(streams, n))
    white = whiten(filters, correlation, misfits)

    total, determinants = 0.0, 0.0
    for t in range(n):
        seen = np.flatnonzero(np.isfinite(sds[:, t]))
        spread = np.array(
            [np.hypot(errors[k].sd_fast * errors[k].scale(season[[t]])[0], sds[k, t]) for k in seen]
        )
        dense = correlation[np.ix_(seen, seen)] * np.outer(spread, spread)
        if seen.size:
            total += multivariate_normal(cov=dense).logpdf(misfits[seen, t])
            determinants -= 0.5 * np.linalg.slogdet(correlation[np.ix_(seen, seen)])[1]
    determinants += sum(f.log_determinant for f in filters)
    found = determinants - 0.5 * white @ white - 0.5 * white.size * math.log(2 * math.pi)
    assert found == pytest.approx(total, rel=1e-10)


def test_whitened_values_run_through_the_streams_of_a_time():
    sds = np.array([[1.0, np.nan, 1.0], [1.0, 1.0, np.nan]])
    quiet = StreamError(0.0, 1e-3, 0.0, 1e-3)
    filters = [stream_filter(quiet, sd, season_of(3), 1.0) for sd in sds]
    misfits = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    np.testing.assert_allclose(whiten(filters, np.eye(2), misfits), [1.0, 10.0, 20.0, 3.0])


@pytest.mark.parametrize("gap", [0.0, 0.5, 0.95])
def test_smoother_is_the_kriging_mean(gap):
    sd, _ = observations(11, gap)
    season, seen = season_of(N), np.isfinite(sd)
    misfits = np.random.default_rng(12).normal(size=(4, N))
    covariance = model_covariance(ERROR, season, 1.0)
    dense = covariance[np.ix_(seen, seen)] + np.diag((ERROR.observation_factor * sd[seen]) ** 2)
    expected = (covariance[:, seen] @ np.linalg.solve(dense, misfits[:, seen].T)).T
    found = stream_filter(ERROR, sd, season, 1.0).expect(misfits)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("name", ["fast alone", "slow alone", "independent"])
def test_smoother_of_an_error_of_one_kind(name):
    error = ERRORS[name]
    sd, misfit = observations(13)
    season, seen = season_of(N), np.isfinite(sd)
    covariance = model_covariance(error, season, 1.0)
    dense = covariance[np.ix_(seen, seen)] + np.diag(sd[seen] ** 2)
    expected = covariance[:, seen] @ np.linalg.solve(dense, misfit[seen])
    found = stream_filter(error, sd, season, 1.0).expect(misfit[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_draws_have_the_stated_covariance():
    n, members = 30, 60_000
    season = season_of(n, 8.0)
    innovations = np.random.default_rng(14).standard_normal((2, members, n))
    draws = ERROR.draw(season, 8.0, innovations)
    expected = model_covariance(ERROR, season, 8.0)
    variance = np.diag(expected)
    # standard error of a sample covariance
    error = np.sqrt((expected**2 + np.outer(variance, variance)) / members)
    assert (np.abs(np.cov(draws.T) - expected) < 5.0 * error).all()
    assert (np.abs(draws.mean(axis=0)) < 5.0 * np.sqrt(variance / members)).all()


def test_scale_is_one_yearly_cycle():
    season = np.linspace(0.0, 1.0, 13)
    scale = StreamError(1.0, 5.0, 1.0, 50.0, cosine=0.5).scale(season)
    assert scale[0] == pytest.approx(math.exp(0.5))
    assert scale[6] == pytest.approx(math.exp(-0.5))
    assert scale[12] == pytest.approx(scale[0])
    assert StreamError(1.0, 5.0, 1.0, 50.0, sine=0.5).scale(season)[3] == pytest.approx(
        math.exp(0.5)
    )
    np.testing.assert_array_equal(StreamError(1.0, 5.0, 1.0, 50.0).scale(season), 1.0)


@given(st.lists(st.floats(0.1, 100.0), min_size=4, max_size=4), st.floats(-1.0, 1.0))
def test_round_trip_through_a_mapping(numbers, cycle):
    error = StreamError(*numbers, cycle, -cycle, 1.2)
    assert StreamError(**error.to_dict()) == error


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 0.9))
def test_whitened_draws_are_standard_normal(seed, gap):
    rng = np.random.default_rng(seed)
    n = 3000
    season = season_of(n)
    sd = rng.uniform(0.2, 1.0, n)
    sd[rng.random(n) < gap] = np.nan
    misfit = ERROR.draw(season, 1.0, rng.standard_normal((2, 1, n)))[0]
    misfit += ERROR.observation_factor * np.nan_to_num(sd) * rng.standard_normal(n)
    white = whiten([stream_filter(ERROR, sd, season, 1.0)], np.eye(1), [misfit])
    count = white.size
    assert abs(white.mean()) < 5.5 / math.sqrt(count)
    assert abs((white**2).mean() - 1.0) < 5.5 * math.sqrt(2.0 / count)
    assert abs((white[1:] * white[:-1]).mean()) < 5.5 / math.sqrt(count)


def simulate_misfit(error, years, seed):
    rng = np.random.default_rng(seed)
    n = 365 * years
    season = (np.arange(n) + 0.5) / 365.0 % 1.0
    sd = rng.uniform(0.2, 1.5, n)
    sd[rng.random(n) < 0.2] = np.nan
    noise = error.observation_factor * np.nan_to_num(sd) * rng.standard_normal(n)
    return error.draw(season, 1.0, rng.standard_normal((2, 1, n)))[0] + noise, sd, season


def test_fit_recovers_known_errors():
    true = StreamError(1.0, 4.0, 0.6, 100.0, 0.5, -0.3, 1.5)
    misfit, sd, season = simulate_misfit(true, 30, seed=15)
    misfit[~np.isfinite(sd)] = np.nan
    found = fit_stream_error(misfit, sd, season, 1.0)
    assert found.sd_fast == pytest.approx(true.sd_fast, rel=0.1)
    assert found.tau_fast == pytest.approx(true.tau_fast, rel=0.25)
    assert found.sd_slow == pytest.approx(true.sd_slow, rel=0.2)
    assert found.tau_slow == pytest.approx(true.tau_slow, rel=0.5)
    assert found.cosine == pytest.approx(true.cosine, abs=0.07)
    assert found.sine == pytest.approx(true.sine, abs=0.07)
    assert found.observation_factor == pytest.approx(true.observation_factor, rel=0.1)


def test_fit_is_more_likely_than_the_truth():
    true = StreamError(0.8, 6.0, 0.4, 150.0, -0.3, 0.2, 0.8)
    misfit, sd, season = simulate_misfit(true, 6, seed=16)
    found = fit_stream_error(misfit, sd, season, 1.0)
    likelihood = [
        log_likelihood(stream_filter(error, sd, season, 1.0), misfit) for error in (found, true)
    ]
    # the weak priors may cost a little of the gain
    assert likelihood[0] > likelihood[1] - 1.0


def test_fit_of_independent_misfits_finds_little_memory():
    rng = np.random.default_rng(17)
    n = 2000
    sd = np.full(n, 0.5)
    found = fit_stream_error(0.5 * rng.standard_normal(n), sd, season_of(n), 1.0)
    assert found.sd_slow < 0.15
    white = np.hypot(found.sd_fast, found.observation_factor * 0.5)
    assert white == pytest.approx(0.5, rel=0.1)


def test_pull_back_is_the_transpose_of_whitening():
    """Of two streams with gaps, whose innovations are correlated."""
    rng = np.random.default_rng(21)
    sds = [observations(k)[0] for k in (7, 8)]
    filters = [stream_filter(ERROR, sd, season_of(N), 1.0) for sd in sds]
    whitener = Whitener(filters, np.array([[1.0, -0.7], [-0.7, 1.0]]))
    misfit = rng.normal(size=(3, whitener.n_observations, LANES))
    white = whitener.apply(misfit)
    weights = rng.normal(size=white.shape)
    back = whitener.pull_back(weights)
    one = np.einsum("tnl,tnl->tl", weights, white)
    other = np.einsum("tnl,tnl->tl", back, misfit)
    np.testing.assert_allclose(other, one, rtol=1e-11)


def test_misfits_are_those_of_what_is_observed_and_have_a_transpose():
    """Of three streams with gaps and inflations, around runs that change with their inflations."""
    _, whitener = three_streams(N, CORRELATION)
    rng = np.random.default_rng(28)
    values, record = rng.normal(size=whitener.n_observations), rng.normal(size=(2, N, 3, LANES))
    factors = rng.uniform(0.5, 2.0, (2, 3, LANES))
    misfit = whitener.misfit(values, record, factors)
    every = np.full((N, 3), np.nan)
    every[whitener.valid.T] = values
    expected = ((every[..., None] - record) / factors[:, None])[:, whitener.valid.T]
    np.testing.assert_allclose(misfit, expected, rtol=1e-14)
    weights = rng.normal(size=misfit.shape)
    to_record, to_factors = whitener.pull_back_misfit(weights, misfit, factors)
    assert (to_record[:, ~whitener.valid.T] == 0.0).all()
    h, change, growth = 1e-6, rng.normal(size=record.shape), rng.normal(size=factors.shape)
    ahead, behind = (
        whitener.misfit(values, record + s * h * change, factors + s * h * growth)
        for s in (1.0, -1.0)
    )
    along = np.einsum("tnl,tnl->tl", weights, ahead - behind) / (2.0 * h)
    found = np.einsum("tnkl,tnkl->tl", to_record, change)
    found += np.einsum("tkl,tkl->tl", to_factors, growth)
    np.testing.assert_allclose(found, along, atol=1e-7 * np.abs(along).max())


def three_streams(n, correlation):
    """Filters of streams with gaps and different errors, and a covariance of their innovations."""
    sds = [observations(k, gap, n)[0] for k, gap in ((31, 0.1), (32, 0.5), (33, 0.9))]
    errors = [ERROR, ERRORS["fast alone"], ERRORS["slow alone"]]
    filters = [stream_filter(e, sd, season_of(n), 1.0) for e, sd in zip(errors, sds, strict=True)]
    return filters, Whitener(filters, correlation)


CORRELATION = np.array([[1.0, -0.7, 0.3], [-0.7, 1.0, 0.1], [0.3, 0.1, 1.0]])


def test_colouring_undoes_whitening():
    """Of three streams with gaps, whose innovations are correlated; both ways round."""
    _, whitener = three_streams(N, CORRELATION)
    rng = np.random.default_rng(22)
    white = rng.standard_normal((3, whitener.n_observations, LANES))
    misfit = whitener.colour(white)
    np.testing.assert_allclose(whitener.apply(misfit), white, atol=1e-12)
    other = rng.normal(0.0, 2.0, misfit.shape)
    np.testing.assert_allclose(whitener.colour(whitener.apply(other)), other, atol=1e-12)


def test_coloured_noise_has_the_stated_covariance():
    """That of the autoregressive errors and the observation's own, written out."""
    n, tiles = 25, 3000
    filters, whitener = three_streams(n, np.eye(3))
    draws = tiles * LANES
    white = np.random.default_rng(23).standard_normal((tiles, whitener.n_observations, LANES))
    coloured = whitener.colour(white)
    for k, filtered in enumerate(filters):
        error, seen = filtered.error, filtered.valid
        sd = observations(31 + k, (0.1, 0.5, 0.9)[k], n)[0][seen]
        expected = model_covariance(error, season_of(n), 1.0)[np.ix_(seen, seen)]
        expected += np.diag((error.observation_factor * sd) ** 2)
        found = coloured[:, whitener.stream == k].transpose(0, 2, 1).reshape(draws, -1)
        variance = np.diag(expected)
        noise = np.sqrt((expected**2 + np.outer(variance, variance)) / draws)
        assert (np.abs(np.cov(found.T) - expected) < 5.0 * noise).all()
        assert (np.abs(found.mean(axis=0)) < 5.0 * np.sqrt(variance / draws)).all()


def test_coloured_innovations_of_a_time_are_correlated_as_stated():
    """At the first time, when the filters know nothing yet, misfits are innovations."""
    quiet = [StreamError(sd, 5.0, 0.1, 50.0) for sd in (0.5, 1.0, 2.0)]
    filters = [stream_filter(e, np.full(3, 0.3), season_of(3), 1.0) for e in quiet]
    whitener = Whitener(filters, CORRELATION)
    draws = 3000 * LANES
    white = np.random.default_rng(24).standard_normal((3000, whitener.n_observations, LANES))
    first = whitener.colour(white)[:, :3].transpose(1, 0, 2).reshape(3, draws)
    noise = (1.0 - CORRELATION**2) / math.sqrt(draws)
    assert (np.abs(np.corrcoef(first) - CORRELATION) <= 5.0 * noise + 1e-12).all()


def test_whitening_can_be_cut_and_resumed():
    rng = np.random.default_rng(21)
    sds = [observations(k)[0] for k in (22, 23)]
    filters = [stream_filter(ERROR, sd, season_of(N), 1.0) for sd in sds]
    whitener = Whitener(filters, np.array([[1.0, 0.6], [0.6, 1.0]]))
    misfits = rng.normal(size=(2, 3, N, LANES))
    states, parts = np.zeros((3, 4, LANES)), []
    for start, stop in ((0, 1), (1, 40), (40, 40), (40, N)):
        part = whitener.between(start, stop)
        parts.append(part.apply(observed(part, misfits[:, :, start:stop]), states))
    whole = whitener.apply(observed(whitener, misfits))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_states_after_the_end_are_as_uncertain_as_their_errors_show():
    """Errors of two streams with correlated drivers, filtered: what the filters miss of them."""
    members, correlation = 40_000, np.array([[1.0, -0.7], [-0.7, 1.0]])
    rng = np.random.default_rng(24)
    errors = (ERROR, StreamError(0.8, 6.0, 0.5, 30.0))
    season = season_of(30)
    sds = [observations(k, n=30)[0] for k in (25, 26)]
    filters = [stream_filter(e, sd, season, 1.0) for e, sd in zip(errors, sds, strict=True)]
    driven = draw_innovations(correlation, members, 31, rng)
    paths, misfits = [], []
    for k, error in enumerate(errors):
        states = []
        for spread, tau, fresh in (
            (error.sd_fast, error.tau_fast, driven[k, 0]),
            (error.sd_slow, error.tau_slow, driven[k, 1]),
        ):
            path, keep = [fresh[:, 0]], math.exp(-1.0 / tau)
            for t in range(1, 31):
                path.append(keep * path[-1] + math.sqrt(1.0 - keep**2) * fresh[:, t])
            states.append(spread * np.array(path))
        paths.append(states)
        noise = error.observation_factor * np.nan_to_num(sds[k]) * rng.normal(size=(members, 30))
        misfits.append((states[0] + states[1])[:30].T * error.scale(season) + noise)
    place = Placement(members)
    known = np.zeros((place.tiles, 4, LANES))
    whitener = Whitener(filters, correlation)
    whitener.apply(observed(whitener, np.stack([place.lay_out(m) for m in misfits])), known)
    expected = place.collect(known)
    truth = np.stack([paths[k][part][-1] for part in (0, 1) for k in (0, 1)], axis=1)
    covariance = state_covariance(filters, correlation)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    found = np.cov((truth - expected).T)
    np.testing.assert_allclose(found / scale, covariance / scale, atol=5.0 * math.sqrt(2 / members))
    assert abs(covariance[0, 1] / scale[0, 1]) > 0.2


def test_errors_run_on_from_where_they_are():
    rng = np.random.default_rng(27)
    season = season_of(60)
    innovations = rng.standard_normal((2, 5, 60))
    whole = ERROR.draw(season, 1.0, innovations)
    start = np.array([[ERROR.sd_fast], [ERROR.sd_slow]]) * innovations[:, :, 0]
    for t in range(1, 41):
        for k, keep in enumerate(ERROR.persistence(1.0)):
            sd = (ERROR.sd_fast, ERROR.sd_slow)[k]
            start[k] = keep * start[k] + math.sqrt(1.0 - keep**2) * sd * innovations[k, :, t]
    later = ERROR.run_on(season[40:], 1.0, start, innovations[:, :, 40:])
    np.testing.assert_allclose(later, whole[:, 40:], rtol=1e-10)
