"""A bookkeeping case with published densities and pools, against its closed form.

Carbon densities are those of the bookkeeping model BLUE (Hansis et al. 2015, Global Biogeochem.
Cycles 29, 1230) and of the data of Houghton & Hackler (2001, ORNL/CDIAC-131): vegetation of
secondary deciduous forest 100 and of cropland 5 MgC ha-1, soil of temperate deciduous forest 127
and of cropland 101 MgC ha-1, of which clearing a hectare releases 121 MgC in the end. Products are
those of McGuire et al. (2001, Global Biogeochem. Cycles 15, 183, table 3), needleleaf: 60 % in a
year, 30 % in ten, 10 % in a hundred years. Responses are exponential, as BLUE's are; the times of
soil and regrowth are round numbers of this test.
"""

import numpy as np
import pytest
from concerto.landuse.covers import Clearing, Cover, Rules
from concerto.landuse.run import Land, advance, total

HECTARE = 100.0  # gC m-2 in 1 MgC ha-1
FOREST, CROP = 0, 1
VEGETATION, SOIL = (100.0, 5.0), (127.0, 101.0)  # MgC ha-1
RELEASED = 121.0  # MgC ha-1, forest to cropland
SOIL_YEARS, REGROWTH_YEARS = (50.0, 20.0), (30.0, 1.0)
PRODUCTS = (0.6, 0.3, 0.1)
RULES = Rules(
    (Cover("forest", regrows=True), Cover("crop", cleared=True)),
    Clearing(burned=0.0, products=PRODUCTS, sown=0.0),
)


def respond(_year, cover, pools):
    """A year of response: vegetation, as wood, and soil relax to the densities of the cover."""
    after = pools.copy()
    for pool, target, years in (
        (3, VEGETATION[cover], REGROWTH_YEARS[cover]),
        (5, SOIL[cover], SOIL_YEARS[cover]),
    ):
        goal = HECTARE * target
        after[..., pool] = goal + (pools[..., pool] - goal) * np.exp(-1.0 / years)
    taken = (after - pools).sum(axis=-1)
    none = np.zeros(taken.shape)
    return after, {"gpp": none, "npp": none, "nee": -taken, "fire": none, "harvest": none}


def forest():
    pools = np.zeros((1, 1, 6))
    pools[0, 0, [3, 5]] = HECTARE * VEGETATION[FOREST], HECTARE * SOIL[FOREST]
    return Land.undivided(np.array([[1.0, 0.0]]), pools)


def run(land, pulses, years):
    """Return the land, and the carbon that land and products have lost after each year (year,)."""
    before, lost = total(land), []
    for year in range(years):
        step = np.zeros((1, 2, 2))
        for when, old, new, share in pulses:
            step[0, old, new] += share * (when == year)
        land, _ = advance(land, respond, step, RULES)
        lost.append((before - total(land)).item() / HECTARE)
    return land, np.array(lost)


def closed_form(years):
    """What a hectare has released (MgC ha-1) so many years after it was cleared for crops."""
    burnt = sum(
        share * VEGETATION[FOREST] * (1.0 - np.exp(-years / life))
        for share, life in zip(PRODUCTS, (1.0, 10.0, 100.0), strict=True)
    )
    crop = VEGETATION[CROP] * (1.0 - np.exp(-years / REGROWTH_YEARS[CROP]))
    soil = (SOIL[FOREST] - SOIL[CROP]) * (1.0 - np.exp(-years / SOIL_YEARS[CROP]))
    return burnt + soil - crop


def test_clearing_a_hectare_follows_the_response_curves():
    _, lost = run(forest(), [(0, FOREST, CROP, 1.0)], 1500)
    years = np.arange(1.0, 1501.0)
    np.testing.assert_allclose(lost, closed_form(years), rtol=1e-9)
    assert lost[-1] == pytest.approx(RELEASED, rel=1e-5)
    # most of the release is early, as all bookkeeping has it
    assert 0.6 < lost[9] / RELEASED < 0.8


def test_abandoned_land_takes_it_all_back():
    _, lost = run(forest(), [(0, FOREST, CROP, 1.0), (400, CROP, FOREST, 1.0)], 2500)
    assert lost[399] == pytest.approx(RELEASED, rel=0.01)
    assert lost[-1] == pytest.approx(0.0, abs=1e-6)
    early = lost[400:431] - lost[399]
    grown = (VEGETATION[FOREST] - VEGETATION[CROP]) * (1.0 - np.exp(-31.0 / REGROWTH_YEARS[FOREST]))
    assert -early[-1] == pytest.approx(grown, rel=0.2)  # and soil and the last products besides


def test_many_small_clearings_add_up():
    _, at_once = run(forest(), [(0, FOREST, CROP, 0.3)], 60)
    _, spread = run(forest(), [(year, FOREST, CROP, 0.1) for year in (0, 20, 40)], 60)
    later = np.concatenate([[0.0] * 20, at_once]) / 3.0, np.concatenate([[0.0] * 40, at_once]) / 3.0
    expected = at_once / 3.0 + later[0][:60] + later[1][:60]
    np.testing.assert_allclose(spread, expected, rtol=1e-9)


def test_gross_fluxes_are_those_of_the_curves():
    step = np.zeros((1, 2, 2))
    step[0, FOREST, CROP] = 1.0
    land, fluxes = advance(forest(), respond, step, RULES)
    decay = HECTARE * sum(
        share * VEGETATION[FOREST] * (1.0 - np.exp(-1.0 / life))
        for share, life in zip(PRODUCTS, (1.0, 10.0, 100.0), strict=True)
    )
    soil = HECTARE * (SOIL[FOREST] - SOIL[CROP]) * (1.0 - np.exp(-1.0 / SOIL_YEARS[CROP]))
    assert fluxes["product_decay"].item() == pytest.approx(decay)
    assert fluxes["soil_legacy"].item() == pytest.approx(soil)
    assert fluxes["gross_source"].item() == pytest.approx(decay + soil)
    assert fluxes["regrowth_sink"].item() == 0.0
    land, fluxes = advance(land, respond, step.swapaxes(1, 2), RULES)
    assert fluxes["regrowth_sink"].item() > 0.0
