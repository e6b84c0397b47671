"""Tangent-linear and adjoint of every model: exact, and transposes of each other."""

import numpy as np
import pytest
from concerto.models import Trajectories, write_down
from real_drivers import repeated
from synthetic_dalec import MONTH, draw_parameters, model_named

MODELS = {
    "dalec2": {},
    "dalec_water": {},
    "dalec_cn": {},
    "light_use": {"photosynthesis": "light_use"},
}
CASES = {"daily": (1.0, 400), "monthly": (MONTH, 36)}
FIELDS = ("record", "totals", "snapshots", "pools")
MEMBERS = 20


class Linearised:
    """A model at random parameters under real weather, with all that its runs report."""

    def __init__(self, name: str, case: str) -> None:
        own = MODELS[name]
        self.model = model_named("dalec_water" if own else name, **own)
        step, n = CASES[case]
        self.weather = repeated(self.model, n, step)
        self.parameters = draw_parameters(self.model, MEMBERS, seed=9)
        self.asked = (self.model.outputs, self.model.outputs, (0, n // 2, n - 1))

    def run(self, parameters: np.ndarray, **options) -> Trajectories:
        return self.model.simulate(parameters, self.weather, *self.asked, **options)

    def change(self, directions: np.ndarray) -> Trajectories:
        one_each = directions[:, None]
        return self.model.push_forward(self.parameters, one_each, self.weather, *self.asked)

    def directions(self, seed: int) -> np.ndarray:
        """Random directions, each parameter's part in proportion to its size."""
        rng = np.random.default_rng(seed)
        return self.parameters * rng.normal(size=self.parameters.shape)


# What one model's cases run is compiled once, in the process that has them all.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param((model, case), id=f"{model}-{case}", marks=pytest.mark.xdist_group(model))
        for model in MODELS
        for case in CASES
    ],
)
def linearised(request):
    return Linearised(*request.param)


def test_adjoint_is_the_transpose_of_the_tangent(linearised):
    runs = linearised.run(linearised.parameters, keep_path=True)
    directions = linearised.directions(1)
    changes = linearised.change(directions)
    rng = np.random.default_rng(2)
    weights, products, scale = {}, 0.0, 0.0
    for field in FIELDS:
        change = changes.placement.collect(getattr(changes, field)).reshape(MEMBERS, -1)
        weight = rng.normal(size=change.shape)
        products = products + (weight * change).sum(axis=1)
        scale = max(scale, np.abs(weight * change).max())
        in_lanes = runs.placement.lay_out(weight)
        weights[field] = in_lanes.reshape(getattr(runs, field).shape)
    in_lanes = linearised.model.pull_back(linearised.weather, runs, **weights)
    gradient = runs.placement.collect(in_lanes)
    along = gradient * directions
    assert np.isfinite(gradient).all()
    size = np.maximum(np.abs(along).max(axis=1), scale)
    np.testing.assert_array_less(np.abs(along.sum(axis=1) - products), 1e-12 * size)


def test_taylor_remainder_falls_with_the_square_of_the_step(linearised):
    """Over six decades, for which the runs to compare with have 64 bits of mantissa."""
    directions = linearised.directions(3)
    change = tangent_outputs(linearised, linearised.parameters, directions[:, None])
    start = precise_run(linearised, linearised.parameters)
    steps = np.longdouble(10.0) ** -np.arange(2, 9)
    remainders = []
    for step in steps:
        moved = precise_run(linearised, linearised.parameters + step * directions)
        remainder = np.abs(moved - start - step * change).max(axis=1)
        remainders.append(remainder)
    remainders = np.array(remainders)
    curved = np.all(remainders > 0.0, axis=0)  # not what is nil or linear
    assert curved.mean() > 0.5
    typical = np.median(-np.diff(np.log10(remainders[:, curved]), axis=0), axis=1)
    np.testing.assert_allclose(typical, 2.0, atol=0.1)


def test_each_parameter_against_central_differences(linearised):
    n = len(linearised.model.parameters)
    some = linearised.parameters[:4]
    every = np.repeat(some, n, axis=0)
    directions = every * np.tile(np.eye(n), (4, 1))
    tangent = tangent_outputs(linearised, some, directions.reshape(4, n, n))
    step = np.longdouble(1e-6)
    forward, backward = (
        precise_run(linearised, every + sign * step * directions) for sign in (1.0, -1.0)
    )
    difference = ((forward - backward) / (2.0 * step)).astype(float)
    size = np.abs(forward).astype(float).max(axis=1, keepdims=True)
    assert (np.abs(difference - tangent) <= 1e-7 * size + 1e-9).all()
    matter = np.abs(tangent).max(axis=(1, 2)).reshape(4, n) > 0.0
    assert matter.any(axis=0).all(), "a parameter that changes nothing"


def tangent_outputs(linearised, parameters, directions):
    """Changes of all outputs (member and direction, time, output), from lanes."""
    model = linearised.model
    changes = model.push_forward(parameters, directions, linearised.weather, model.outputs)
    return np.stack([changes.series(name) for name in model.outputs], axis=2)


def precise_run(linearised, parameters):
    """All outputs (member, time, output), by the same formulas on arrays of long doubles."""
    stages = write_down(linearised.model, linearised.weather.daily)
    pools, constants = stages.constants.evaluate(np.asarray(parameters, np.longdouble))
    series = []
    for now in linearised.weather.values[0]:
        pools, outputs = stages.step.evaluate(pools, constants, now[None])
        series.append(outputs)
    return np.stack(series, axis=1)
