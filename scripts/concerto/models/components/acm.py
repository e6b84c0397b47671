"""ACM, the aggregated canopy model of photosynthesis.

Williams et al. (1997, Ecol. Appl. 7, 882), eqs 1-7, with the coefficients of Fox et al. (2009,
Agric. For. Meteorol. 149, 1597) that Bloom & Williams (2015, Biogeosciences 12, 1299) use, and
foliar nitrogen of 1 gN m-2.
"""

from __future__ import annotations

from casadi import exp, sqrt

from concerto.models.components._sun import day_length

DRIVERS = {"tasmin": "degC", "tasmax": "degC", "rsds": "MJ m-2 d-1", "co2": "ppm"}

_WATER_POTENTIAL = 2.0  # MPa, soil minus minimum leaf water potential
_HYDRAULIC_RESISTANCE = 1.0
_THETA = 4.22273  # ppm
_K = 208.868  # ppm
_TINY = 1e-300  # keeps 0/0 of a leafless night at 0


def gpp(lai, p, w):
    """Return GPP, gC m-2 d-1, of leaves of which there are ``lai`` m2 over a m2 of ground."""
    conductance = _WATER_POTENTIAL**0.789798 / (
        0.37836 * _HYDRAULIC_RESISTANCE + 0.5 * (w.tasmax - w.tasmin)
    )
    demand = lai * p.canopy_efficiency * (exp(0.011136 * w.tasmax) / conductance)
    q = _THETA - _K
    level = (w.co2 + q) - demand
    inside = 0.5 * (level + sqrt(level * level - 4.0 * (w.co2 * q - _THETA * demand)))
    squared = lai * lai
    light = 7.19298 * squared / (squared + 2.1001) * w.rsds
    supply = conductance * (w.co2 - inside)
    day_factor = 0.0156935 * day_length(w.day_of_year, w.latitude) + 0.0453194
    return light * supply / (light + supply + _TINY) * day_factor
