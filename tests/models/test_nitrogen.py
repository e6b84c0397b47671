"""Nitrogen: where it is plenty it does not show, where it is scarce growth stops."""

import numpy as np
import pytest
from real_drivers import repeated
from synthetic_dalec import draw_parameters, model_named

DAYS = 400


@pytest.fixture(scope="module")
def model():
    return model_named("dalec_cn")


def simulate(model, members=60, days=DAYS, **changes):
    parameters = draw_parameters(model, members, seed=7)
    for name, value in changes.items():
        parameters[:, model.parameter_names.index(name)] = value
    runs = model.simulate(parameters, repeated(model, days), model.outputs)
    return parameters, {name: runs.series(name) for name in model.outputs}


def test_carbon_is_that_of_dalec2_where_nitrogen_is_plenty(model):
    dalec2 = model_named("dalec2")
    parameters, found = simulate(
        model, initial_nitrogen_store=1e7, leaf_ratio_stretch=1.0, store_scale=1e-9
    )
    place = [model.parameter_names.index(name) for name in dalec2.parameter_names]
    runs = dalec2.simulate(parameters[:, place], repeated(dalec2, DAYS), dalec2.outputs)
    assert found["growth_share"].min() == 1.0
    np.testing.assert_allclose(found["nitrogen_capacity"], 1.0, rtol=1e-9)
    for name in dalec2.outputs:
        np.testing.assert_allclose(found[name], runs.series(name), rtol=1e-7, atol=1e-7)


def test_nothing_grows_without_nitrogen(model):
    _, found = simulate(
        model, initial_nitrogen_store=0.0, uptake_capacity=0.0, nitrogen_fixation_rate=0.0,
        resorption=0.0,
    )  # fmt: skip
    assert found["growth_share"].max() < 1e-9
    np.testing.assert_allclose(found["autotrophic_respiration"], found["gpp"], rtol=1e-9)
    for pool in ("c_leaf", "c_root", "c_wood"):
        assert (np.diff(found[pool], axis=1) <= 1e-9).all()


def test_more_nitrogen_never_means_less_growth(model):
    grown = []
    for deposition in (1e-4, 1e-3, 1e-2):
        _, found = simulate(model, nitrogen_deposition=deposition, days=800)
        growth = found["gpp"] - found["autotrophic_respiration"]
        grown.append(growth.sum(axis=1))
    assert (np.diff(grown, axis=0) >= -1e-9 * grown[0]).all()
    assert np.median(grown[2] / grown[0]) > 1.0 + 1e-6


def test_leaves_widen_their_ratio_within_bounds(model):
    parameters, found = simulate(model)
    low = parameters[:, [model.parameter_names.index("leaf_ratio")]]
    stretch = parameters[:, [model.parameter_names.index("leaf_ratio_stretch")]]
    ratio = found["leaf_carbon_nitrogen"]
    assert (ratio >= low * (1.0 - 1e-6)).all()
    assert (ratio <= low * stretch * (1.0 + 1e-6)).all()


def test_soil_keeps_to_the_ratio_of_microbes_where_mineral_nitrogen_allows(model):
    _, found = simulate(
        model, initial_mineral_nitrogen=1e6, nitrogen_loss_rate=1e-9, initial_litter_ratio=100.0,
        soil_ratio=12.0, wood_turnover=1e-12, initial_wood=1.0, leaf_ratio=40.0, root_ratio=60.0,
        initial_soil=1e4,
    )  # fmt: skip
    np.testing.assert_allclose(found["c_soil"] / found["n_soil"], 12.0, rtol=0.05)
    _, starved = simulate(
        model, initial_mineral_nitrogen=0.0, nitrogen_deposition=0.0, soil_respiration=0.0,
        litter_respiration=0.0, initial_litter_ratio=100.0,
    )  # fmt: skip
    assert starved["nitrogen_immobilisation"].max() == 0.0
