"""Places with weather of their own, side by side in one batch."""

import numpy as np
import pytest
from concerto.models import Weather, side_by_side
from real_drivers import repeated
from synthetic_dalec import draw_parameters, model_named

CELLS, STEPS = 5, 120
OUTPUTS = ("nee", "lai")
FIELDS = ("record", "totals", "snapshots", "pools")


@pytest.fixture(scope="module")
def model():
    return model_named("dalec2")


@pytest.fixture(scope="module")
def weather(model):
    """Vielsalm's summer, spring and so on, each as a cell."""
    year = repeated(model, 365)
    seasons = [Weather(np.roll(year.values, 70 * k, axis=1), year.daily) for k in range(CELLS)]
    return [season.between(0, STEPS) for season in seasons]


@pytest.mark.parametrize("each", [1, 4, 20])
def test_each_cell_runs_as_if_alone(model, weather, each):
    parameters = draw_parameters(model, CELLS * each, seed=1)
    asked = (OUTPUTS, ("gpp",), (0, 50))
    together = model.simulate(parameters, side_by_side(weather), *asked)
    for cell, own in enumerate(weather):
        members = slice(cell * each, (cell + 1) * each)
        alone = model.simulate(parameters[members], own, *asked)
        for field in FIELDS:
            mine, theirs = (
                runs.placement.collect(getattr(runs, field)) for runs in (alone, together)
            )
            np.testing.assert_allclose(theirs[members], mine, rtol=1e-12, err_msg=field)


@pytest.mark.parametrize("each", [1, 20])
def test_number_of_threads_changes_no_bit(model, weather, each):
    parameters = draw_parameters(model, CELLS * each, seed=2)
    directions = np.stack([0.1 * parameters, parameters], axis=1)
    found = []
    for threads in (1, 2, 3):
        shared = {"threads": threads}
        runs = model.simulate(parameters, side_by_side(weather), OUTPUTS, keep_path=True, **shared)
        weights = {field: np.ones_like(getattr(runs, field)) for field in FIELDS}
        gradient = model.pull_back(side_by_side(weather), runs, **weights, **shared)
        changes = model.push_forward(
            parameters, directions, side_by_side(weather), OUTPUTS, **shared
        )
        found.append((runs.record, runs.pools, gradient, changes.record))
    for several in found[1:]:
        for one, many in zip(found[0], several, strict=True):
            np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("each", [1, 20])
def test_gradient_and_change_know_the_weather_of_a_cell(model, weather, each):
    parameters = draw_parameters(model, CELLS * each, seed=3)
    sky = side_by_side(weather)
    runs = model.simulate(parameters, sky, OUTPUTS, keep_path=True)
    weights = {field: np.zeros_like(getattr(runs, field)) for field in FIELDS}
    weights["record"][:] = 1.0
    gradient = runs.placement.collect(model.pull_back(sky, runs, **weights))
    changes = model.push_forward(parameters, parameters[:, None], sky, OUTPUTS)
    along = sum(changes.series(name).sum(axis=1) for name in OUTPUTS)
    np.testing.assert_allclose((gradient * parameters).sum(axis=1), along, rtol=1e-9)


def test_each_cell_has_its_steady_state(model, weather):
    parameters = draw_parameters(model, CELLS, seed=4)
    together = model.steady_state(parameters, side_by_side(weather))
    for cell, own in enumerate(weather):
        alone = model.steady_state(parameters[[cell]], own)
        if alone.found[0] and together.found[cell]:
            np.testing.assert_allclose(together.pools[cell], alone.pools[0], rtol=1e-5, atol=1e-4)
    assert together.found.sum() >= CELLS - 1


def test_members_that_cells_cannot_share_are_refused(model, weather):
    with pytest.raises(ValueError, match="7 members do not share 5 cells evenly"):
        model.simulate(draw_parameters(model, 7, seed=5), side_by_side(weather), OUTPUTS)
