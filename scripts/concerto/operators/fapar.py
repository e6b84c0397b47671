"""Fraction of photosynthetically active radiation that the canopy absorbs."""

from __future__ import annotations

from casadi import exp

OUTPUTS = ("lai",)
PARAMETERS = ()
DRIVERS = ()
UNIT = "1"
EXTINCTION = 0.5  # spherical leaf angles, sun overhead (Monsi & Saeki 1953)


def observe(o, p, w):
    """Return fAPAR = 1 - exp(-0.5 LAI), Beer's law in the canopy (Monsi & Saeki 1953, eq. 1)."""
    return 1.0 - exp(-EXTINCTION * o.lai)
