"""Solar-induced chlorophyll fluorescence, from leaf scale to space in one factor.

A model with a canopy that fluoresces has an output of this name, which then stands in its place.
"""

from __future__ import annotations

OUTPUTS = ("gpp",)
PARAMETERS = ("sif_slope",)
DRIVERS: dict[str, str] = {}
UNIT = "mW m-2 nm-1 sr-1"


def observe(o, p, w):
    """Return SIF = slope x GPP (Frankenberg et al. 2011, Geophys. Res. Lett. 38, L17706).

    Across biomes the two are close to proportional over days and longer, with no intercept (Li et
    al. 2018, Glob. Change Biol. 24, 3990; Turner et al. 2020, Biogeosciences 17, 405). The slope
    belongs to wavelength and hour of a product, so it is estimated with the rest.
    """
    return p.sif_slope * o.gpp
