"""Levers: what the configuration says becomes transitions, harvests and fires."""

import numpy as np
import pytest
from concerto.errors import InputError
from concerto.landuse.covers import Cover, Rules
from concerto.landuse.levers import (
    Ground,
    LandUse,
    Management,
    alike,
    disturbed,
    read_land_use,
    transitions_of,
)

RULES = Rules((Cover("present"), Cover("field", cleared=True), Cover("planted", regrows=True)))
GROUND = Ground(["a", "b", "c"], ["X", "X", "Y"], np.array([1e8, 3e8, 2e8]))
PRESENT = np.array([[1.0, 0.0, 0.0]] * 3)


def steps(entry, years, ground=GROUND, states=PRESENT):
    return transitions_of(read_land_use("u", entry, RULES), states, years, ground)


def test_a_share_is_of_the_land_that_the_cover_has():
    found = steps({"transitions": [{"from": "present", "to": "field", "share_per_year": 0.1}]},
                  range(2001, 2004))  # fmt: skip
    np.testing.assert_allclose(found[:, 0, 0, 1], [0.1, 0.09, 0.081])
    assert found.sum() == pytest.approx(3 * 0.271)


def test_clearing_ends_and_planting_begins():
    levers = [
        {"from": "present", "to": "field", "share_per_year": 0.1, "end": 2002},
        {"from": "field", "to": "planted", "share_per_year": 0.5, "start": 2003},
    ]
    found = steps({"transitions": levers}, range(2001, 2005))
    np.testing.assert_allclose(found[:, 0, 0, 1], [0.1, 0.09, 0.0, 0.0])
    np.testing.assert_allclose(found[:, 0, 1, 2], [0.0, 0.0, 0.095, 0.0475])


def test_hectares_of_a_country_are_shared_out_by_what_there_is():
    lever = {"from": "present", "to": "planted", "hectares_per_year": 1000.0, "country": "X"}
    found = steps({"transitions": [lever]}, [2001, 2002])
    areas = found[:, :, 0, 2] * GROUND.areas
    np.testing.assert_allclose(areas.sum(axis=1), 1e7)
    np.testing.assert_allclose(areas[0], [0.25e7, 0.75e7, 0.0])


@pytest.mark.parametrize(
    ("lever", "said"),
    [
        (
            {"hectares_per_year": 50000.0},
            "hectares_per_year, 2002: found 50000 hectares to change; expected no more than the 1",
        ),
        ({"hectares_per_year": 1.0, "country": "Z"}, "country: found 'Z'; expected one of X, Y"),
    ],
)
def test_hectares_that_there_are_not(lever, said):
    entry = {"transitions": [{"from": "present", "to": "planted", **lever}]}
    with pytest.raises(InputError) as raised:
        steps(entry, [2001, 2002])
    assert said in str(raised.value)


def test_towers_have_no_hectares():
    entry = {"transitions": [{"from": "present", "to": "planted", "hectares_per_year": 1.0}]}
    with pytest.raises(InputError, match="found cells whose area is not known"):
        steps(entry, [2001], Ground(["a"], ["X"], np.array([np.nan])), PRESENT[:1])


def test_two_levers_may_not_take_the_same_land():
    levers = [
        {"from": "present", "to": "field", "share_per_year": 0.7},
        {"from": "present", "to": "planted", "share_per_year": 0.7},
    ]
    with pytest.raises(InputError) as raised:
        steps({"transitions": levers}, [2001])
    said = "transitions[1], 2001 at a: found 0.7 of the cell to change; expected no more than the"
    assert said in str(raised.value)


def test_unknown_covers_are_named():
    with pytest.raises(InputError, match=r"transitions\[0\].to: found 'wood'; expected one of pre"):
        steps({"transitions": [{"from": "present", "to": "wood"}]}, [2001])


def test_harvest_and_fire_are_rates_of_the_years_asked_for():
    years = np.repeat([2001, 2002], 2)
    rates = {
        "burned_area_fraction": np.full((1, 4), 1e-4),
        "harvested_area_fraction": np.zeros((1, 4)),
    }
    use = LandUse("u", management=(
        Management(0, harvested_per_year=0.0365, start=2002), Management(0, burned_factor=0.5),
        Management(1, burned_per_year=0.073),
    ))  # fmt: skip
    length = np.full(4, 365.0)
    found = disturbed(use, 0, years, rates, length)
    np.testing.assert_allclose(found["harvested_area_fraction"][0], [0.0, 0.0, 1e-4, 1e-4])
    np.testing.assert_allclose(found["burned_area_fraction"], 5e-5)
    assert rates["burned_area_fraction"][0, 0] == 1e-4
    other = disturbed(use, 1, years, rates, length)
    np.testing.assert_allclose(other["burned_area_fraction"], 2e-4)
    assert alike(use, 4) == [0, 1, 2, 2]
