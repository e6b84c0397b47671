"""Steady states: fixed points of a year, as long stepping finds them."""

from dataclasses import replace

import numpy as np
import pytest
from concerto.models.kernels.steady import solve
from real_drivers import vielsalm
from synthetic_dalec import MONTH, draw_parameters, model_named


def test_linear_map_has_its_closed_form():
    rng = np.random.default_rng(1)
    matrix = 0.2 * rng.random((5, 4, 4)) + np.diag([0.0, 0.1, 0.2, 0.19])
    inflow = rng.uniform(1.0, 5.0, (5, 4))
    expected = np.stack(
        [np.linalg.solve(np.eye(4) - a, b) for a, b in zip(matrix, inflow, strict=True)]
    )
    state = solve(
        lambda x: np.einsum("mij,mj->mi", matrix, x) + inflow, lambda x: matrix,
        np.ones((5, 4)), 1e-12, 70,
    )  # fmt: skip
    assert state.found.all()
    assert state.cycles <= 70
    np.testing.assert_allclose(state.pools, expected, rtol=1e-10)


def test_where_there_is_none_it_is_not_found():
    state = solve(
        lambda x: 2.0 * x + 1.0, lambda x: np.full((3, 1, 1), 2.0), np.ones((3, 1)), 1e-9, 80
    )
    assert not state.found.any()
    assert (state.residual > 1e-9).all()


@pytest.fixture(scope="module", params=["dalec2", "dalec_water", "dalec_cn"])
def case(request):
    """A model whose place is neither burnt nor cut, and a year of its weather in months."""
    model = model_named(request.param)
    drivers, _ = vielsalm()
    calm = {name: np.zeros(12) for name in model.drivers if name.endswith("area_fraction")}
    days = np.linspace(0, len(drivers["tas"]) - 1, 12).astype(int)
    chosen = {name: drivers[name][days] for name in model.drivers} | calm
    middle = (np.arange(12) + 0.5) * MONTH
    weather = model.prepare_weather(chosen, middle, np.full(12, 365.25), MONTH, 50.3, 493.0)
    return model, weather, draw_parameters(model, 30, seed=21)


def test_it_stays_where_it_is(case):
    model, year, parameters = case
    state = model.steady_state(parameters, year)
    assert state.found.mean() > 0.9
    assert (state.residual[state.found] <= 1e-8).all()
    assert (state.pools >= 0.0).all()


def test_long_stepping_ends_there(case):
    """With wood and soil fast enough for five thousand years of steps to bring them to rest."""
    model, year, parameters = case
    for name, rate in {"soil_respiration": 1e-3, "wood_turnover": 5e-4}.items():
        parameters[:, model.parameter_names.index(name)] = rate
    state = model.steady_state(parameters, year)
    years = replace(year, values=np.tile(year.values, (5000, 1)))
    dates = (len(years) - len(year),)
    runs = model.simulate(parameters, years, model.outputs[:1], (), dates)
    before = runs.placement.collect(runs.snapshots)[:, 0]
    after = runs.placement.collect(runs.pools)
    at_rest = (np.abs(after - before) <= 1e-8 * after + 1e-12).all(axis=1) & state.found
    assert at_rest.sum() >= 10
    same = np.isclose(state.pools[at_rest], after[at_rest], rtol=1e-4, atol=1e-6).all(axis=1)
    assert same.mean() > 0.9, "another steady state, such as that without leaves, is rare"
