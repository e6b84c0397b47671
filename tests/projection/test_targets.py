"""Targets against sums over the whole series of the same runs."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Forcing, Problem, Stream
from concerto.assimilation.stream_error import StreamError
from concerto.errors import ConcertoError
from concerto.models import Weather
from concerto.projection.ensemble import process_ensemble
from concerto.projection.targets import LIVE, UNITS, targets
from synthetic_dalec import draw_parameters, make_problem, model_named


@pytest.mark.parametrize("name", ["dalec2", "dalec_cn"])
def test_targets_are_means_and_ends_of_series(name):
    problem = make_problem(model_named(name))
    parameters = draw_parameters(problem.model, 20, 1)
    found = targets(problem, parameters)
    series = process_ensemble(problem.model, problem.forcing, parameters)
    assert found.keys() == UNITS.keys()
    carbon = sum(
        series[f"c_{pool}"] for pool in ("labile", "leaf", "root", "wood", "litter", "soil")
    )
    close = {"rtol": 2e-5}  # series are kept in single precision
    scale = 365.25 * np.abs(series["nee"]).mean(axis=1)
    np.testing.assert_allclose(
        found["annual_nee"] / scale, 365.25 * series["nee"].mean(axis=1) / scale, atol=2e-5
    )
    np.testing.assert_allclose(found["annual_gpp"], 365.25 * series["gpp"].mean(axis=1), **close)
    np.testing.assert_allclose(found["mean_lai"], series["lai"].mean(axis=1), **close)
    np.testing.assert_allclose(
        found["live_biomass"], sum(series[pool][:, -1] for pool in LIVE), **close
    )
    np.testing.assert_allclose(
        found["residence_time"], carbon.mean(axis=1) / (365.25 * series["gpp"].mean(axis=1)),
        **close,
    )  # fmt: skip
    assert (found["residence_time"] > 0.0).all()


def test_a_model_without_pools_is_named():
    model = model_named("pmodel")
    weather = Weather(np.zeros((1, 3, 1)), True)
    errors = {"gpp": StreamError(1.0, 5.0, 0.1, 50.0)}
    problem = Problem(
        model, Prior(model.parameters), Forcing(weather, np.zeros(3), 1.0, (), 10.0),
        [Stream("gpp", np.ones(3), np.ones(3))], errors, np.eye(1), (),
    )  # fmt: skip
    with pytest.raises(ConcertoError, match=r"found no nee, .* in pmodel; expected a model of"):
        targets(problem, np.zeros((1, len(model.parameters))))
