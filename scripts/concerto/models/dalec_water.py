"""DALEC2 coupled to the water and the energy of its place.

The carbon of :mod:`concerto.models.dalec2`; photosynthesis falls as the root zone dries, decay as
the surface does, and transpiration is what photosynthesis costs. After Bloom et al. (2020,
Biogeosciences 17, 6393) in its aims; the water is that of the component.
"""

from __future__ import annotations

OUTPUTS = {"lai": "1", "water_stress": "1"}


def step(pools, p, w, parts):
    """Advance the pools by one step; arguments and results as in :func:`dalec2.step`."""
    lai = pools.c_leaf / p.leaf_mass
    stress = parts.water.stress(pools, p)
    gpp = stress * parts.photosynthesis.gpp(lai, p, w)
    decay = parts.decay.warmth(p, w) * parts.water.moisture(pools, p)
    after, fluxes = parts.carbon.advance(pools, gpp, parts.phenology.rates(p, w), decay, p, w)
    stores, water = parts.water.advance(pools, lai, gpp, p, w)
    return after | stores, fluxes | water | {"lai": lai, "water_stress": stress}
