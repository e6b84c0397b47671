"""Twin experiments: the truth is known, and the stated intervals must hold it.

Parameters are drawn from the prior, a year of daily NEE, GPP and LAI is simulated with model error
and observation error as stated, and the posterior's 90 % intervals are held against the truth.
"""

import numpy as np
import pytest
from concerto import plugins
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Forcing, Problem, Stream
from concerto.assimilation.stream_error import StreamError
from concerto.projection.ensemble import process_ensemble
from synthetic_dalec import model_named

DRAWS = {"demcz": 20, "hmc": 8}
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
    truth = prior.parameters_of(prior.draw(1, rng))
    clean = process_ensemble(model, drive, truth)
    streams = []
    for name, error in ERRORS.items():
        values = (
            clean[name][0] + error.draw(drive.season, 1.0, rng.standard_normal((2, 1, DAYS)))[0]
        )
        values = values + OBSERVATION_SD[name] * rng.standard_normal(DAYS)
        values[np.arange(DAYS) % OBSERVED_EVERY[name] > 0] = np.nan
        streams.append(Stream(name, values, np.full(DAYS, OBSERVATION_SD[name])))
    return prior.to_unit(truth)[0], Problem(model, prior, drive, streams, ERRORS, np.eye(3), ())


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
    for seed in range(DRAWS[method]):
        truth, problem = twin(model, prior, seed)
        rng = np.random.default_rng(seed)
        posterior = plugins.load("assimilation.methods", method).assimilate(
            problem, BUDGETS[method], rng
        )
        held.append(covered(prior, truth, posterior.unit))
    assert sum(map(len, held)) >= 3 * DRAWS[method], "too few identifiable parameters to judge"
    assert np.concatenate(held).mean() >= 0.8
