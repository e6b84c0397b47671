"""DALEC2: six carbon pools and a canopy.

Sources: Williams et al. (2005, Glob. Change Biol. 11, 89) for DALEC; Bloom & Williams (2015,
Biogeosciences 12, 1299) and Bloom et al. (2016, PNAS 113, 1285) for DALEC2 with fire. Pools in
gC m-2, fluxes in gC m-2 d-1, NEE and NBE positive to the atmosphere.
"""

from __future__ import annotations

OUTPUTS = {"lai": "1"}


def step(pools, p, w, parts):
    """Advance the pools by one step.

    Parameters
    ----------
    pools, p, w
        Pools, parameters and drivers, as attributes.
    parts
        The component in each role: ``carbon``, ``photosynthesis``, ``phenology``, ``decay``.

    Returns
    -------
    pools, outputs
        The pools at the end of the step; the values of ``OUTPUTS``. LAI is that at its start.
    """
    lai = pools.c_leaf / p.leaf_mass
    gpp = parts.photosynthesis.gpp(lai, p, w)
    after, fluxes = parts.carbon.advance(
        pools, gpp, parts.phenology.rates(p, w), parts.decay.warmth(p, w), p, w
    )
    return after, fluxes | {"lai": lai}
