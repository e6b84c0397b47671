"""The six carbon pools of DALEC2, which its relatives share.

Bloom & Williams (2015, Biogeosciences 12, 1299), appendix A; fire of Bloom et al. (2016, PNAS 113,
1285). Pools in gC m-2, fluxes in gC m-2 d-1.
"""

from __future__ import annotations

from concerto.models.components._stores import lost, lost_together

POOLS = dict.fromkeys(("c_labile", "c_leaf", "c_root", "c_wood", "c_litter", "c_soil"), "gC m-2")
OUTPUTS = dict.fromkeys(
    (
        "gpp", "reco", "nee", "nbe",
        "autotrophic_respiration", "litter_respiration", "soil_respiration",
        "fire_emission", "harvest",
        "labile_allocation", "leaf_allocation", "root_allocation", "wood_allocation",
        "labile_release", "leaf_fall", "root_turnover", "wood_turnover", "litter_decomposition",
    ),
    "gC m-2 d-1",
)  # fmt: skip
INFLOWS = {
    "c_labile": ("labile_allocation",),
    "c_leaf": ("leaf_allocation", "labile_release"),
    "c_root": ("root_allocation",),
    "c_wood": ("wood_allocation",),
    "c_litter": ("leaf_fall", "root_turnover"),
    "c_soil": ("litter_decomposition", "wood_turnover"),
}
"""Fluxes that fill each pool; what empties it is the remainder of its balance."""
BALANCES = {"carbon": (tuple(POOLS), ("gpp",), ("reco", "fire_emission", "harvest"))}
"""For each conserved quantity: the pools that hold it, what flows in and what flows out."""
DRIVERS = {"burned_area_fraction": "d-1", "harvested_area_fraction": "d-1"}

# share of a burned pool that is combusted; of the rest, half survives (Bloom et al. 2016)
COMBUSTED = dict(zip(POOLS, (0.1, 0.9, 0.1, 0.1, 0.5, 0.01), strict=True))
RESILIENCE = 0.5


def start(p):
    """Return the pools at the start."""
    return {name: getattr(p, name.replace("c_", "initial_")) for name in POOLS}


def advance(pools, gpp, rates, warmth, p, w, growth_share=1.0):
    """Advance the pools by one step.

    Parameters
    ----------
    pools
        Pools at the start.
    gpp
        Gross primary production, gC m-2 d-1.
    rates
        Daily rates (d-1) of labile release and of leaf fall.
    warmth
        Factor of the decay of litter and soil.
    growth_share
        Share of the growth that carbon allows which takes place. What is not grown from
        photosynthesis is respired, what is not released stays labile.

    Returns
    -------
    pools, fluxes
        The pools at the end; the values of ``OUTPUTS`` and the pools once more.
    """
    growth = growth_share * (gpp - p.autotrophic_fraction * gpp)
    autotrophic = gpp - growth
    fluxes = allocate(growth, p) | turn_over(pools, *rates, warmth, p, w)
    fluxes["labile_release"] = growth_share * fluxes["labile_release"]
    burned, fire = burn(move(pools, fluxes, w), w)
    after, harvest = cut(burned, w)
    reco = autotrophic + fluxes["litter_respiration"] + fluxes["soil_respiration"]
    return after, fluxes | after | {
        "gpp": gpp, "autotrophic_respiration": autotrophic,
        "reco": reco, "nee": reco - gpp, "nbe": reco - gpp + fire,
        "fire_emission": fire, "harvest": harvest,
    }  # fmt: skip


def allocate(growth, p):
    """Share growth (gC m-2 d-1) among leaves, labile carbon, roots and wood (eqs A1-A4)."""
    leaf = p.leaf_allocation * growth
    labile = p.labile_allocation * (growth - leaf)
    root = p.root_allocation * (growth - leaf - labile)
    return {
        "leaf_allocation": leaf,
        "labile_allocation": labile,
        "root_allocation": root,
        "wood_allocation": growth - leaf - labile - root,
    }


def turn_over(pools, released, fallen, warmth, p, w):
    """Return what every pool loses without disturbance (eqs A5-A14), gC m-2 d-1.

    Parameters
    ----------
    released, fallen
        Daily rates (d-1) of labile release and of leaf fall.
    warmth
        Factor of the decay of litter and soil.
    """
    respired, decomposed = lost_together(
        p.litter_respiration * warmth, p.litter_decomposition * warmth, w
    )
    return {
        "labile_release": pools.c_labile * lost(released, w),
        "leaf_fall": pools.c_leaf * lost(fallen, w),
        "root_turnover": pools.c_root * lost(p.root_turnover, w),
        "wood_turnover": pools.c_wood * lost(p.wood_turnover, w),
        "litter_respiration": pools.c_litter * respired,
        "litter_decomposition": pools.c_litter * decomposed,
        "soil_respiration": pools.c_soil * lost(p.soil_respiration * warmth, w),
    }


def move(pools, f, w):
    """Return the pools after a step in which the fluxes ``f`` flowed (eqs A15-A20)."""
    changes = {
        "c_labile": f["labile_allocation"] - f["labile_release"],
        "c_leaf": f["leaf_allocation"] + f["labile_release"] - f["leaf_fall"],
        "c_root": f["root_allocation"] - f["root_turnover"],
        "c_wood": f["wood_allocation"] - f["wood_turnover"],
        "c_litter": f["leaf_fall"] + f["root_turnover"]
        - f["litter_respiration"] - f["litter_decomposition"],
        "c_soil": f["litter_decomposition"] + f["wood_turnover"] - f["soil_respiration"],
    }  # fmt: skip
    return {name: getattr(pools, name) + change * w.step for name, change in changes.items()}


def burn(pools, w):
    """Burn a fraction of the ground (Bloom et al. 2016).

    Returns the pools and the emission, gC m-2 d-1. Killed labile, leaf and root carbon becomes
    litter; killed wood and litter becomes soil carbon; soil carbon that is not combusted stays.
    """
    burned = w.burned_area_fraction * w.step
    emission = w.burned_area_fraction * sum(COMBUSTED[name] * pools[name] for name in POOLS)
    killed = {name: (1.0 - COMBUSTED[name]) * (1.0 - RESILIENCE) for name in POOLS} | {"c_soil": 0}
    dead = {name: burned * killed[name] * pools[name] for name in POOLS}
    left = {name: pools[name] * (1.0 - burned * (COMBUSTED[name] + killed[name])) for name in POOLS}
    left["c_litter"] += dead["c_labile"] + dead["c_leaf"] + dead["c_root"]
    left["c_soil"] += dead["c_wood"] + dead["c_litter"]
    return left, emission


def cut(pools, w):
    """Harvest a fraction of the ground: wood is carried away, all other biomass becomes litter.

    Returns the pools and the carbon carried away, gC m-2 d-1. Carbon carried away is respired
    elsewhere, so it is no part of NBE here.
    """
    felled = w.harvested_area_fraction * w.step
    slash = {name: felled * pools[name] for name in ("c_labile", "c_leaf", "c_root")}
    left = pools | {name: pools[name] * (1.0 - felled) for name in (*slash, "c_wood")}
    left["c_litter"] = pools["c_litter"] + sum(slash.values())
    return left, w.harvested_area_fraction * pools["c_wood"]
