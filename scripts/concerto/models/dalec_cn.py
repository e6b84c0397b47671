"""DALEC2 coupled to the nitrogen of plants and soil.

The carbon of :mod:`concerto.models.dalec2`; leaves poor in nitrogen photosynthesise less, and
growth waits for nitrogen.
"""

from __future__ import annotations

OUTPUTS = {"lai": "1", "nitrogen_capacity": "1", "growth_share": "1"}


def step(pools, p, w, parts):
    """Advance the pools by one step; arguments and results as in :func:`dalec2.step`.

    The further role is ``nitrogen``.
    """
    lai = pools.c_leaf / p.leaf_mass
    capacity = parts.nitrogen.capacity(pools, p)
    gpp = capacity * parts.photosynthesis.gpp(lai, p, w)
    rates, warmth = parts.phenology.rates(p, w), parts.decay.warmth(p, w)
    share = parts.nitrogen.growth_share(pools, gpp, rates, p, w)
    after, fluxes = parts.carbon.advance(pools, gpp, rates, warmth, p, w, share)
    stores, nitrogen = parts.nitrogen.advance(pools, fluxes, warmth, p, w)
    own = {"lai": lai, "nitrogen_capacity": capacity, "growth_share": share}
    return after | stores, fluxes | nitrogen | own
