"""Transitions: areas that exist, carbon that closes, land that keeps what it holds."""

import numpy as np
import pytest
from concerto.errors import ConcertoError, InputError
from concerto.landuse.areas import area_factors, areas_of, available
from concerto.landuse.covers import POOLS, Clearing, Cover, Rules, read_rules
from concerto.landuse.run import FLUXES, Land, advance, total
from concerto.landuse.transfer import move
from hypothesis import given, settings
from hypothesis import strategies as st

COVERS = (
    Cover("present"),
    Cover("field", cleared=True, yield_share=0.3),
    Cover("planted", regrows=True),
)
NAMES = [cover.name for cover in COVERS]
YEARS = (2001, 2002)


def areas(states, transitions):
    return areas_of(np.array(states, float), np.array(transitions, float), YEARS, NAMES, ["a"], "f")


def only(old, new, share):
    step = np.zeros((1, 3, 3))
    step[0, old, new] = share
    return step


def test_areas_follow_from_gross_transitions():
    both = only(0, 1, 0.3) + only(1, 0, 0.1)
    found = areas([[0.8, 0.2, 0.0]], [both, only(0, 2, 0.6)])
    np.testing.assert_allclose(found[1, 0], [0.6, 0.4, 0.0])
    np.testing.assert_allclose(found[2, 0], [0.0, 0.4, 0.6], atol=1e-15)


@pytest.mark.parametrize(
    ("states", "transitions", "said"),
    [
        (
            [[0.8, 0.2, 0.0]], [only(0, 1, 0.1), only(0, 2, 0.75)],
            "f: transitions of 2002 at a: found 0.75 of the cell leaving present; "
            "expected no more than the 0.7 that there are",
        ),
        (
            [[0.8, 0.2, 0.0]], [only(0, 1, 0.1), only(1, 2, -0.1)],
            "f: transitions of 2002 at a, field to planted: found -0.1; "
            "expected a share of the cell from 0 to 1",
        ),
        (
            [[0.8, 0.2, 0.0]], [only(0, 1, np.nan), only(1, 2, 0.1)],
            "f: transitions of 2001 at a, present to field: found nan; expected a share",
        ),
        ([[1.2, -0.2, 0.0]], [only(0, 1, 0.1)] * 2, "states, field at a: found -0.2; expected a"),
        ([[0.8, 0.1, 0.0]], [only(0, 1, 0.1)] * 2, "states at a: found 0.9 of the cell"),
        ([[1.0, 0.0, 0.0]], [only(0, 0, 0.1)] * 2, "present to present: found 0.1"),
    ],
)  # fmt: skip
def test_impossible_areas_are_named(states, transitions, said):
    with pytest.raises(InputError) as raised:
        areas(states, transitions)
    assert said in str(raised.value)


def test_transitions_are_cut_to_the_land_that_there_is():
    moved = only(0, 1, 0.6) + only(0, 2, 0.2)
    shares = np.array([[0.4, 0.6, 0.0]])
    cut = available(moved, shares)
    np.testing.assert_allclose(cut[0, 0], [0.0, 0.3, 0.1])
    fits = only(1, 2, 0.3)
    np.testing.assert_array_equal(available(fits, shares), fits)


def test_factors_of_areas_have_the_mean_and_spread_asked_for():
    factors = area_factors(200_000, 0.3, np.random.default_rng(3))
    assert factors.mean() == pytest.approx(1.0, abs=0.003)
    assert factors.std() == pytest.approx(0.3, abs=0.005)


shares_of_wood = st.tuples(*[st.floats(0.0, 1.0)] * 5).map(
    lambda x: tuple(part / max(sum(x), 1.0) for part in x[:4])
)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), wood=shares_of_wood, sown=st.floats(0.0, 1.0))
def test_carbon_closes_across_any_transition(seed, wood, sown):
    rng = np.random.default_rng(seed)
    clearing = Clearing(burned=wood[0], products=wood[1:], sown=sown)
    shares = rng.dirichlet(np.ones(3), (4, 5)) * (rng.random((4, 5, 3)) < 0.7)
    pools = rng.lognormal(5.0, 3.0, (4, 5, 3, 6))
    wanted = rng.uniform(0.0, 0.6, (4, 5, 3, 3)) * (1.0 - np.eye(3)) * shares.max()
    moved = available(wanted, shares)
    found = move(shares, pools, np.ones(shares.shape), moved, Rules(COVERS, clearing))
    before = (shares * pools.sum(axis=-1)).sum(axis=-1)
    after = (found.shares * found.pools.sum(axis=-1)).sum(axis=-1)
    out = found.burned + found.slash + found.products.sum(axis=-1)
    np.testing.assert_allclose(after + out, before, rtol=1e-12)
    np.testing.assert_allclose(found.shares.sum(axis=-1), shares.sum(axis=-1), rtol=1e-12)
    assert min(found.pools.min(), found.shares.min(), found.slash.min()) >= -1e-9


def test_soil_and_litter_move_with_the_land_and_wood_is_shared_out():
    pools = np.zeros((1, 1, 3, 6))
    pools[0, 0, 0] = [10.0, 20.0, 30.0, 1000.0, 50.0, 4000.0]
    pools[0, 0, 1] = [1.0, 2.0, 3.0, 0.0, 5.0, 2000.0]
    shares = np.array([[[0.75, 0.25, 0.0]]])
    rules = Rules(COVERS, Clearing(burned=0.1, products=(0.4, 0.2, 0.1), sown=0.5))
    found = move(shares, pools, np.full((1, 1, 3), 8.0), only(0, 1, 0.25)[:, None], rules)
    field = found.pools[0, 0, 1]
    assert found.shares[0, 0].tolist() == [0.5, 0.5, 0.0]
    np.testing.assert_array_equal(found.pools[0, 0, 0], pools[0, 0, 0])
    assert field[POOLS.index("c_soil")] == pytest.approx(3000.0)
    assert field[POOLS.index("c_wood")] == 0.0
    assert field[POOLS.index("c_leaf")] == pytest.approx((2.0 + 10.0) / 2)
    assert field[POOLS.index("c_litter")] == pytest.approx((5.0 + 50.0 + 0.9 * 30.0) / 2)
    np.testing.assert_allclose(found.products[0, 0], [100.0, 50.0, 25.0])
    assert found.slash[0, 0] == pytest.approx(0.2 * 250.0)
    assert found.burned[0, 0] == pytest.approx(0.1 * 0.25 * (1000.0 + 30.0))
    np.testing.assert_allclose(found.age[0, 0], [8.0, 4.0, 0.0])


def test_vegetation_stays_where_land_is_planted():
    pools = np.zeros((1, 1, 3, 6))
    pools[0, 0, 1] = [1.0, 2.0, 3.0, 4.0, 5.0, 2000.0]
    shares = np.array([[[0.0, 1.0, 0.0]]])
    found = move(shares, pools, np.ones((1, 1, 3)), only(1, 2, 0.5)[:, None], Rules(COVERS))
    np.testing.assert_array_equal(found.pools[0, 0, 2], pools[0, 0, 1])
    assert found.burned[0, 0] == found.slash[0, 0] == found.products.sum() == 0.0


def decaying(_year, cover, pools):
    """A year in which each pool loses a tenth and what grows is 100 gC m-2 of leaves."""
    after = 0.9 * pools
    lost = (pools - after).sum(axis=-1)
    growth = 100.0 * (cover != 1)
    after[..., 1] += growth
    wood = 0.01 * after[..., 3]
    after[..., 3] -= wood
    none = np.zeros(lost.shape)
    gpp = none + growth
    return after, {"gpp": gpp, "npp": gpp, "nee": lost - gpp, "fire": none, "harvest": wood}


def test_a_run_closes_and_stays_the_same_when_cut_in_two():
    rng = np.random.default_rng(11)
    rules = Rules(COVERS, Clearing(burned=0.2, products=(0.2, 0.2, 0.1)))
    steps = rng.uniform(0.0, 0.02, (40, 3, 3, 3)) * (1.0 - np.eye(3))
    start = Land.undivided(np.array([[0.6, 0.4, 0.0]] * 3), rng.lognormal(6.0, 1.0, (3, 4, 6)))
    factors = area_factors(4, 0.5, rng)

    def run(land, years):
        found = []
        for year in years:
            land, fluxes = advance(land, decaying, steps[year], rules, factors)
            assert set(fluxes) == set(FLUXES)
            found.append(fluxes)
        return land, found

    end, fluxes = run(start, range(40))
    gained = sum(year["nbp"] for year in fluxes)
    np.testing.assert_allclose(total(end) - total(start), gained, rtol=1e-9)
    middle, _ = run(start, range(17))
    again, _ = run(middle, range(17, 40))
    for name in ("shares", "pools", "age", "slash", "products"):
        np.testing.assert_array_equal(getattr(again, name), getattr(end, name))
    assert end.year == 40


def test_no_cell_sees_what_its_neighbours_do():
    rng = np.random.default_rng(12)
    steps = rng.uniform(0.0, 0.02, (5, 6, 3, 3)) * (1.0 - np.eye(3))
    shares, pools = rng.dirichlet(np.ones(3), 6), rng.lognormal(6.0, 1.0, (6, 4, 6))

    def nbp(cells):
        land, found = Land.undivided(shares[cells], pools[cells]), []
        for year in range(5):
            land, fluxes = advance(land, decaying, steps[year, cells], Rules(COVERS))
            found.append(fluxes["nbp"])
        return np.array(found)

    whole = nbp(slice(None))
    np.testing.assert_array_equal(whole, np.concatenate([nbp(slice(2)), nbp(slice(2, 6))], axis=1))


def test_shares_that_are_too_much_are_refused():
    with pytest.raises(ConcertoError, match="no more than 1 together"):
        Clearing(burned=0.5, products=(0.4, 0.2, 0.1))
    with pytest.raises(ConcertoError, match="expected shares of 1"):
        Clearing(harvested=(0.4, 0.2, 0.1))
    with pytest.raises(ConcertoError, match="expected years above 0"):
        Clearing(slash_years=0.0)


def test_covers_are_read_and_a_parameter_that_is_none_is_named():
    entry = {
        "covers": {"present": {}, "field": {"cleared": True, "parameters": {"root": 1.0}}},
        "clearing": {"products": [0.1, 0.2, 0.3]},
    }
    rules = read_rules(entry, ["root"])
    assert rules.names == ["present", "field"]
    assert rules.clearing.products == (0.1, 0.2, 0.3)
    assert rules.number("field", "here") == 1
    with pytest.raises(InputError, match=r"here: found 'meadow'; expected one of present, field"):
        rules.number("meadow", "here")
    with pytest.raises(InputError, match=r"covers.field.parameters: found 'root'; expected one of"):
        read_rules(entry, ["leaf"])
