"""Tangent-linear and adjoint of every model: exact, and transposes of each other."""

import numpy as np
import pytest
from concerto.models import Trajectories, write_down
from synthetic_dalec import (
    MONTH,
    daily_calendar,
    draw_parameters,
    make_drivers,
    model_named,
    monthly_calendar,
)

MODELS = ("dalec2",)
CASES = {
    "daily": (1.0, daily_calendar("2015-01-01", 400)),
    "monthly": (MONTH, monthly_calendar(36)),
}
FIELDS = ("record", "totals", "snapshots", "pools")
MEMBERS = 20


class Linearised:
    """A model at random parameters under random weather, with all that its runs report."""

    def __init__(self, name: str, case: str) -> None:
        self.model = model_named(name)
        step, calendar = CASES[case]
        n = len(calendar[0])
        drivers = make_drivers(n, np.random.default_rng(8), fire=0.1 / step, harvest=0.1 / step)
        self.weather = self.model.prepare_weather(drivers, *calendar, step, 50.0, 300.0)
        self.parameters = draw_parameters(self.model, MEMBERS, seed=9)
        self.asked = (self.model.outputs, self.model.outputs, (0, n // 2, n - 1))

    def run(self, parameters: np.ndarray, **options) -> Trajectories:
        return self.model.simulate(parameters, self.weather, *self.asked, **options)

    def change(self, directions: np.ndarray) -> Trajectories:
        return self.model.push_forward(self.parameters, directions, self.weather, *self.asked)

    def directions(self, seed: int) -> np.ndarray:
        """Random directions, each parameter's part in proportion to its size."""
        rng = np.random.default_rng(seed)
        return self.parameters * rng.normal(size=self.parameters.shape)


@pytest.fixture(scope="module", params=[(m, c) for m in MODELS for c in CASES], ids="-".join)
def linearised(request):
    return Linearised(*request.param)


def test_adjoint_is_the_transpose_of_the_tangent(linearised):
    runs = linearised.run(linearised.parameters, keep_path=True)
    directions = linearised.directions(1)
    changes = linearised.change(directions)
    rng = np.random.default_rng(2)
    weights, products = {}, 0.0
    for field in FIELDS:
        change = getattr(changes, field)
        weights[field] = rng.normal(size=change.shape)
        lanes = np.moveaxis(weights[field] * change, -1, 1)
        products += lanes.reshape(*lanes.shape[:2], -1).sum(axis=2).reshape(-1)[:MEMBERS]
        scale = np.abs(lanes).max()
    gradient = linearised.model.pull_back(
        linearised.parameters, linearised.weather, runs, **weights
    )
    along = gradient * directions
    assert np.isfinite(gradient).all()
    size = np.maximum(np.abs(along).max(axis=1), scale)
    np.testing.assert_array_less(np.abs(along.sum(axis=1) - products), 1e-12 * size)


def test_taylor_remainder_falls_with_the_square_of_the_step(linearised):
    """Over six decades, for which the runs to compare with have 64 bits of mantissa."""
    directions = linearised.directions(3)
    change = tangent_outputs(linearised, linearised.parameters, directions)
    start = precise_run(linearised, linearised.parameters)
    steps = np.longdouble(10.0) ** -np.arange(2, 9)
    remainders = []
    for step in steps:
        moved = precise_run(linearised, linearised.parameters + step * directions)
        remainder = np.abs(moved - start - step * change).max(axis=1)
        remainders.append(remainder / np.abs(start).max(axis=1))
    orders = -np.diff(np.log10(remainders), axis=0)
    typical = np.median(orders, axis=(1, 2))
    np.testing.assert_allclose(typical, 2.0, atol=0.1)


def test_each_parameter_against_central_differences(linearised):
    n = len(linearised.model.parameters)
    every = np.repeat(linearised.parameters[:1], n, axis=0)
    directions = np.diag(linearised.parameters[0])
    tangent = tangent_outputs(linearised, every, directions)
    step = np.longdouble(1e-6)
    forward, backward = (
        precise_run(linearised, every + sign * step * directions) for sign in (1.0, -1.0)
    )
    difference = ((forward - backward) / (2.0 * step)).astype(float)
    size = np.abs(forward).astype(float).max(axis=1, keepdims=True)
    assert (np.abs(difference - tangent) <= 1e-7 * size).all()
    assert (np.abs(tangent).max(axis=(1, 2)) > 0.0).all(), "a parameter that changes nothing"


def tangent_outputs(linearised, parameters, directions):
    """Changes of all outputs (member, time, output), from lanes."""
    model = linearised.model
    changes = model.push_forward(parameters, directions, linearised.weather, model.outputs)
    return np.stack([changes.series(name) for name in model.outputs], axis=2)


def precise_run(linearised, parameters):
    """All outputs (member, time, output), by the same formulas on arrays of long doubles."""
    stages = write_down(linearised.model, linearised.weather.daily)
    pools, constants = stages.constants.evaluate(np.asarray(parameters, np.longdouble))
    series = []
    for now in linearised.weather.values:
        pools, outputs = stages.step.evaluate(pools, constants, now[None])
        series.append(outputs)
    return np.stack(series, axis=1)
