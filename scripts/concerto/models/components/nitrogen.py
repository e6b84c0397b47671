"""Nitrogen in plants and soil, which growth needs and decay sets free.

Nitrogen moves with carbon: each loss of a carbon pool takes the same share of its nitrogen along.
Plants keep a store, filled by uptake from mineral nitrogen and by fixation, the less the fuller it
is, and by what leaves give back before they fall; what is not used dies with the fine roots. Growth
takes from it: at fixed ratios of carbon to nitrogen in roots and
wood, at one that widens as the store empties in leaves. Microbes hold fresh soil carbon to their
own ratio, with mineral nitrogen. After the aims of Thomas et al. (2013, Biogeosciences 10, 3869)
and Meyerholt & Zaehle (2015, New Phytol. 208, 1042). Pools in gN m-2, fluxes in gN m-2 d-1.

Stated neglect: ammonium and nitrate are one; what uptake and fixation cost in carbon; ratios of
roots and wood do not change.
"""

from __future__ import annotations

from casadi import exp, fmax, fmin

from concerto.models.components import six_pools as carbon
from concerto.models.components._stores import lost, taken

DRIVERS: dict[str, str] = {}
POOLS = dict.fromkeys(
    ("n_store", "n_leaf", "n_root", "n_wood", "n_litter", "n_soil", "n_mineral"), "gN m-2"
)
OUTPUTS = dict.fromkeys(
    (
        "nitrogen_uptake", "nitrogen_fixation", "nitrogen_deposition", "nitrogen_mineralisation",
        "nitrogen_immobilisation", "nitrogen_resorption", "nitrogen_loss", "nitrogen_growth",
        "fire_nitrogen", "harvest_nitrogen",
    ),
    "gN m-2 d-1",
) | {"leaf_carbon_nitrogen": "1"}  # fmt: skip
BALANCES = {
    "nitrogen": (
        tuple(POOLS),
        ("nitrogen_deposition", "nitrogen_fixation"),
        ("nitrogen_loss", "fire_nitrogen", "harvest_nitrogen"),
    )
}

# the carbon pool that burns and is cut as a pool of nitrogen does
_LIKE = dict(
    zip(("n_store", "n_leaf", "n_root", "n_wood", "n_litter", "n_soil"), carbon.POOLS, strict=True)
)
_NIL = 1e-100


def start(p):
    """Return the pools at the start: carbon over its ratio."""
    return {
        "n_store": p.initial_nitrogen_store,
        "n_leaf": p.initial_leaf / p.leaf_ratio,
        "n_root": p.initial_root / p.root_ratio,
        "n_wood": p.initial_wood / p.wood_ratio,
        "n_litter": p.initial_litter / p.initial_litter_ratio,
        "n_soil": p.initial_soil / p.soil_ratio,
        "n_mineral": p.initial_mineral_nitrogen,
    }


def capacity(pools, p):
    """Return the factor of photosynthesis: nitrogen in leaves over that of well-supplied ones."""
    return fmin(1.0, p.leaf_ratio * pools.n_leaf / (pools.c_leaf + _NIL))


def growth_share(pools, gpp, rates, p, w):
    """Return the share of the growth that carbon allows for which the store has nitrogen.

    1 - exp(-x) where the store holds x times the demand of the step: the lesser of 1 and x, made
    smooth.
    """
    growth = carbon.allocate(gpp - p.autotrophic_fraction * gpp, p)
    growth["labile_release"] = pools.c_labile * lost(rates[0], w)
    demand = _demand(growth, pools, p) * w.step
    return 1.0 - exp(-pools.n_store / (demand + _NIL))


def advance(pools, f, warmth, p, w):
    """Advance the pools by one step in which the carbon fluxes ``f`` flowed.

    Returns
    -------
    pools, fluxes
        The pools of ``POOLS`` at the end; the values of ``OUTPUTS``.
    """
    grown = _parts(f, pools, p)
    built = sum(grown.values())
    ratio = {
        part: getattr(pools, f"n_{part}") / (getattr(pools, f"c_{part}") + _NIL)
        for part in ("leaf", "root", "wood", "litter", "soil")
    }
    fallen = f["leaf_fall"] * ratio["leaf"]
    resorbed = p.resorption * fallen
    dead_root = f["root_turnover"] * ratio["root"]
    dead_wood = f["wood_turnover"] * ratio["wood"]
    decomposed = f["litter_decomposition"] * ratio["litter"]
    freed_litter = f["litter_respiration"] * ratio["litter"]
    freed_soil = f["soil_respiration"] * ratio["soil"]
    freed = freed_litter + freed_soil

    hunger = fmax(0.0, f["litter_decomposition"] / p.soil_ratio - decomposed)
    mineral = pools.n_mineral + (p.nitrogen_deposition + freed) * w.step
    immobilised = taken(mineral, hunger, w)
    mineral = mineral - immobilised * w.step
    wanted = p.uptake_capacity * pools.c_root * warmth * (1.0 - _fullness(pools, p))
    uptake = taken(mineral, wanted, w)
    mineral = mineral - uptake * w.step
    leached = mineral * lost(p.nitrogen_loss_rate, w)

    fixed = p.nitrogen_fixation_rate * (1.0 - _fullness(pools, p))
    stale = (pools.n_store - built * w.step) * lost(p.root_turnover, w)

    changes = {
        "n_store": uptake + fixed + resorbed - built - stale,
        "n_leaf": grown["leaf"] - fallen,
        "n_root": grown["root"] - dead_root,
        "n_wood": grown["wood"] - dead_wood,
        "n_litter": fallen - resorbed + dead_root + stale - decomposed - freed_litter,
        "n_soil": decomposed + dead_wood + immobilised - freed_soil,
    }
    moved = {_LIKE[name]: getattr(pools, name) + d * w.step for name, d in changes.items()}
    burned, fire = carbon.burn(moved, w)
    cut, harvest = carbon.cut(burned, w)
    after = {name: cut[like] for name, like in _LIKE.items()}
    after["n_mineral"] = mineral - leached * w.step
    return after, {
        "nitrogen_uptake": uptake, "nitrogen_fixation": fixed,
        "nitrogen_deposition": p.nitrogen_deposition, "nitrogen_mineralisation": freed,
        "nitrogen_immobilisation": immobilised, "nitrogen_resorption": resorbed,
        "nitrogen_loss": leached, "nitrogen_growth": built,
        "fire_nitrogen": fire, "harvest_nitrogen": harvest,
        "leaf_carbon_nitrogen": 1.0 / (ratio["leaf"] + _NIL),
    } | after  # fmt: skip


def _fullness(pools, p):
    return pools.n_store / (pools.n_store + p.store_scale)


def _parts(f, pools, p):
    """Return the nitrogen that growth takes into leaves, roots and wood."""
    widened = p.leaf_ratio * (1.0 + (p.leaf_ratio_stretch - 1.0) * (1.0 - _fullness(pools, p)))
    return {
        "leaf": (f["leaf_allocation"] + f["labile_release"]) / widened,
        "root": f["root_allocation"] / p.root_ratio,
        "wood": f["wood_allocation"] / p.wood_ratio,
    }


def _demand(f, pools, p):
    return sum(_parts(f, pools, p).values())
