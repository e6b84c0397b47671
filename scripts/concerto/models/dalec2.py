"""DALEC2: six carbon pools and a canopy.

Sources: Williams et al. (2005, Glob. Change Biol. 11, 89) for DALEC; Bloom & Williams (2015,
Biogeosciences 12, 1299) and Bloom et al. (2016, PNAS 113, 1285) for DALEC2 with fire. Pools in
gC m-2, fluxes in gC m-2 d-1, NEE and NBE positive to the atmosphere.
"""

from __future__ import annotations

from concerto.models.components import _carbon as carbon

POOLS = carbon.POOLS
OUTPUTS = carbon.FLUXES | {"lai": "1"} | POOLS
DRIVERS = carbon.DISTURBANCE
INFLOWS = carbon.INFLOWS
BALANCES = {
    "carbon": (tuple(POOLS), ("gpp",), ("reco", "fire_emission", "harvest")),
}
"""For each conserved quantity: the pools that hold it, what flows in and what flows out."""


def start(p):
    """Return the pools at the start."""
    return {name: getattr(p, name.replace("c_", "initial_")) for name in POOLS}


def step(pools, p, w, parts):
    """Advance the pools by one step.

    Parameters
    ----------
    pools, p, w
        Pools, parameters (``config/models/dalec2.yaml``, ``components/*.yaml``) and drivers, as
        attributes.
    parts
        The component in each role: ``photosynthesis``, ``phenology``, ``decay``.

    Returns
    -------
    pools, outputs
        The pools at the end of the step; the values of ``OUTPUTS``. LAI is that at its start.
    """
    lai = pools.c_leaf / p.leaf_mass
    gpp = parts.photosynthesis.gpp(lai, p, w)
    autotrophic = p.autotrophic_fraction * gpp
    fluxes = carbon.allocate(gpp - autotrophic, p)
    fluxes |= carbon.turn_over(pools, *parts.phenology.rates(p, w), parts.decay.warmth(p, w), p, w)
    pools, fire = carbon.burn(carbon.move(pools, fluxes, w), w)
    pools, harvest = carbon.cut(pools, w)
    reco = autotrophic + fluxes["litter_respiration"] + fluxes["soil_respiration"]
    return pools, fluxes | pools | {
        "gpp": gpp, "autotrophic_respiration": autotrophic, "lai": lai,
        "reco": reco, "nee": reco - gpp, "nbe": reco - gpp + fire,
        "fire_emission": fire, "harvest": harvest,
    }  # fmt: skip
