"""Errors of first guesses, against derivatives, another implementation, and a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.learning.tower_error import Guess, Hyperparameters, Pairs, _density, fit, predict
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, WhiteKernel

MONTHS = 96
YEARS = 2001.0 + (np.arange(MONTHS) + 0.5) / 12.0
NOISE = ("floor", "relative")


def make_guess(towers: int, seed: int = 3) -> Guess:
    rng = np.random.default_rng(seed)
    shape = (towers, MONTHS)
    return Guess(
        flux=rng.normal(2.0, 1.0, shape),
        contrast=rng.normal(0.0, 0.5, shape),
        size=rng.uniform(0.5, 3.0, shape),
        told=rng.standard_normal((*shape, 2)),
        years=YEARS,
    )


def with_parts(start: Hyperparameters, **variances: float) -> Hyperparameters:
    """Return hyperparameters of which all other variances are nothing."""
    values = dict(zip(start.names, np.exp(start.logs), strict=True))
    parts = list(values)[:10]
    values |= {name: variances.get(name, 1e-12) for name in parts}
    values |= {name: value for name, value in variances.items() if name not in parts}
    return Hyperparameters(start.names, np.log(list(values.values())), start.unit)


def test_slopes_are_those_of_the_density():
    guess = make_guess(1)
    own = np.array([0, 1, 2, 5, 11, 12, 13, 30, 47, 90])
    pairs = Pairs(guess, 0, own, own)
    seen = np.random.default_rng(1).standard_normal(len(own))
    start = Hyperparameters.start(2, 1.0)
    for seed in range(3):
        logs = start.logs + 0.5 * np.random.default_rng(seed).standard_normal(len(start.logs))

        def at(logs: np.ndarray, what: int):
            return _density(Hyperparameters(start.names, logs, 1.0), pairs, seen)[what]

        error = check_grad(lambda x: at(x, 0), lambda x: at(x, 1), logs)
        assert error < 1e-5 * np.abs(at(logs, 1)).max()


@pytest.mark.parametrize("part", ["season", "weather", "constant"])
def test_predictions_are_those_of_another_implementation(part):
    guess = make_guess(1)
    own = np.flatnonzero(np.arange(MONTHS) % 3 == 0)
    error = np.full((1, MONTHS), np.nan)
    error[0, own] = np.random.default_rng(2).standard_normal(len(own))
    known = with_parts(Hyperparameters.start(2, 1.0), **{part: 0.8, "floor": 0.2})
    value = dict(zip(known.names, np.exp(known.logs), strict=True))
    kernel, inputs = {
        # its distance on the circle is half of ours, squared
        "season": (ExpSineSquared(value["season_length"], 1.0), YEARS[:, None]),
        "weather": (RBF([value["weather_length_0"], value["weather_length_1"]]), guess.told[0]),
        "constant": (ConstantKernel(1.0), YEARS[:, None]),
    }[part]
    other = GaussianProcessRegressor(
        ConstantKernel(0.8) * kernel + WhiteKernel(0.2), alpha=0.0, optimizer=None
    ).fit(inputs[own], error[0, own])
    mean, sd = other.predict(inputs, return_std=True)
    found, variance = predict(known, guess, error, [0])
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(variance[0], sd**2, atol=1e-6)


def drawn(guess: Guess, truth: Hyperparameters, towers: int, seed: int) -> np.ndarray:
    """Return errors (location, time) that follow the law of ``truth``."""
    rng, months = np.random.default_rng(seed), np.arange(MONTHS)
    errors = []
    for tower in range(towers):
        parts = truth.parts(Pairs(guess.scaled(truth.unit), tower, months, months))
        lower = np.linalg.cholesky(sum(parts.values()) + 1e-10 * np.eye(MONTHS))
        errors.append(truth.unit * lower @ rng.standard_normal(MONTHS))
    return np.array(errors)


def test_intervals_hold_what_was_not_measured():
    towers = 20
    guess = make_guess(towers)
    start = Hyperparameters.start(2, 2.0)
    truth = with_parts(start, season=0.5, scale=0.05, weather=0.2, drift=0.1, relative=0.02)
    errors = drawn(guess, truth, towers, 5)
    measured = errors.copy()
    measured[:, 48:] = np.nan
    known = fit(guess, measured, range(towers), most=30)
    mean, variance = predict(known, guess, measured, range(towers))
    ratios = ((errors - mean) / np.sqrt(variance))[:, 48:]
    assert 0.85 < np.mean(np.abs(ratios) < 1.645) < 0.95
    assert 0.42 < np.mean(np.abs(ratios) < 0.6745) < 0.58
    # what is learnt of the error takes most of it away, as the truth itself would
    best, _ = predict(truth, guess, measured, range(towers))
    left, least = (np.mean((errors - guess_of)[:, 48:] ** 2) for guess_of in (mean, best))
    assert left < 1.05 * least < 0.7 * np.mean(errors[:, 48:] ** 2)


def test_seasons_that_alternate_are_told_apart():
    """Where every other year is alike, the year before the last says more than the last."""
    guess = make_guess(1)
    season = np.sin(2.0 * np.pi * YEARS) * np.where(np.floor(YEARS) % 2 == 0, 3.0, 0.5)
    measured = np.where(np.arange(MONTHS) < 48, season, np.nan)[None]
    known = with_parts(Hyperparameters.start(2, 1.0), season=1.0, rotation=5.0, floor=0.01)
    mean, _ = predict(known, guess, measured, [0])
    np.testing.assert_allclose(mean[0, 48:], season[48:], atol=0.3)


def test_a_tower_without_measurements_has_all_the_variance():
    guess = make_guess(2)
    measured = np.full((2, MONTHS), np.nan)
    measured[0, :24] = 1.0
    known = with_parts(Hyperparameters.start(2, 3.0), constant=1.0, floor=0.5)
    mean, variance = predict(known, guess, measured, [0, 1])
    assert (mean[1] == 0.0).all()
    np.testing.assert_allclose(variance[1], 9.0 * 1.5, rtol=1e-6)
    assert (variance[0] < variance[1]).all()


def test_records_without_noise_have_hyperparameters():
    """Each year the same, to the last digit: all but a little noise would explain it."""
    guess = make_guess(3)
    measured = np.tile(np.sin(2.0 * np.pi * YEARS), (3, 1))
    measured[:, 72:] = np.nan
    known = fit(guess, measured, range(3))
    mean, variance = predict(known, guess, measured, range(3))
    np.testing.assert_allclose(
        mean[:, 72:], np.tile(np.sin(2.0 * np.pi * YEARS[72:]), (3, 1)), atol=0.1
    )
    assert (variance > 0.0).all()
