"""Covers that the kernel steps: no transition is no land use, and carbon closes."""

import numpy as np
import pytest
from concerto.errors import ConcertoError
from concerto.landuse.covers import Cover, Rules
from concerto.landuse.growth import SUMMED, Kernel, check_model, pools_of_land
from concerto.landuse.run import Land, advance, total
from synthetic_dalec import (
    MONTH,
    draw_parameters,
    make_drivers,
    model_named,
    monthly_calendar,
)

YEARS, MEMBERS, CELLS = 12, 16, 2
COVERS = (
    Cover("present"),
    Cover("field", {"root_allocation": 1.0}, cleared=True, yield_share=0.3),
    Cover("planted", regrows=True),
)


@pytest.fixture(scope="module")
def weather(dalec2):
    from concerto.models import side_by_side

    months = YEARS * 12
    return side_by_side(
        [
            dalec2.prepare_weather(
                make_drivers(months, np.random.default_rng(k), fire=1e-4, harvest=1e-4),
                *monthly_calendar(months), MONTH, 50.0, 300.0,
            )
            for k in range(CELLS)
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def parameters(dalec2):
    return draw_parameters(dalec2, CELLS * MEMBERS, 5).reshape(CELLS, MEMBERS, -1)


def kernel(dalec2, parameters, weather, covers=COVERS):
    steps = 12 * np.arange(YEARS + 1)
    return Kernel(dalec2, parameters, Rules(covers), [weather] * len(covers), steps, MONTH)


def started(dalec2, parameters, weather):
    flat = parameters.reshape(-1, parameters.shape[-1])
    pools = pools_of_land(dalec2, dalec2.initial_pools(flat, weather))
    shares = np.array([[1.0, 0.0, 0.0]] * CELLS)
    return Land.undivided(shares, pools.reshape(CELLS, MEMBERS, -1)), flat


def test_no_transition_is_no_land_use_to_the_last_bit(dalec2, parameters, weather):
    land, flat = started(dalec2, parameters, weather)
    whole = dalec2.simulate(flat, weather, ("nee", "fire_emission"), SUMMED)
    growth, nee = kernel(dalec2, parameters, weather), []
    for _ in range(YEARS):
        land, fluxes = advance(land, growth, np.zeros((CELLS, 3, 3)), Rules(COVERS))
        nee.append(fluxes["nee"])
    expected = pools_of_land(dalec2, whole.final_pools).reshape(CELLS, MEMBERS, -1)
    np.testing.assert_array_equal(land.pools[:, :, 0], expected)
    assert not land.pools[:, :, 1:].any()
    by_year = whole.series("nee").reshape(CELLS, MEMBERS, YEARS, 12).sum(axis=-1) * MONTH
    np.testing.assert_allclose(np.moveaxis(nee, 0, -1), by_year, rtol=1e-10, atol=1e-9)


def test_carbon_closes_over_a_run_with_all_that_happens(dalec2, parameters, weather):
    land, _ = started(dalec2, parameters, weather)
    growth, rules = kernel(dalec2, parameters, weather), Rules(COVERS)
    step = np.zeros((CELLS, 3, 3))
    step[:, 0, 1], step[:, 1, 2], step[:, 2, 0] = 0.05, 0.02, 0.01
    for year in range(YEARS):
        before = total(land)
        moved = step * (year != 0) if year < 2 else step
        moved = np.minimum(moved, land.shares.min(axis=1)[:, :, None] / 3.0)
        land, fluxes = advance(land, growth, moved, rules)
        np.testing.assert_allclose(total(land) - before, fluxes["nbp"], rtol=1e-9, atol=1e-7)
    assert (land.shares > 0.0).all()
    np.testing.assert_allclose(land.shares.sum(axis=-1), 1.0, rtol=1e-12)
    # no wood grows on a field
    assert (land.pools[:, :, 1, 3] < 1e-9).all()
    assert (land.pools[:, :, 2, 3] > 0.0).all()


def test_a_yield_is_what_was_asked_for_where_plants_have_it(dalec2, parameters, weather):
    land, _ = started(dalec2, parameters, weather)
    step = np.zeros((CELLS, 3, 3))
    step[:, 0, 1] = 1.0
    rules = Rules(COVERS)
    growth = kernel(dalec2, parameters, weather)
    land, fluxes = advance(land, growth, step, rules)
    again = advance(started(dalec2, parameters, weather)[0], growth, step,
                    Rules((COVERS[0], Cover("field", cleared=True), COVERS[2])))  # fmt: skip
    assert (fluxes["harvest"] > again[1]["harvest"]).all()
    np.testing.assert_allclose(total(land), total(again[0]), rtol=1e-12)


def test_models_with_other_pools_are_refused(dalec2):
    check_model(dalec2)
    check_model(model_named("dalec_water"))
    with pytest.raises(ConcertoError, match="expected the carbon pools c_labile"):
        check_model(model_named("dalec_cn"))
    with pytest.raises(ConcertoError, match="found a model pmodel"):
        check_model(model_named("pmodel"))
