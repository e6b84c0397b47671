"""Decay that rises exponentially with temperature (Bloom & Williams 2015, eq. A12)."""

from __future__ import annotations

from casadi import exp

DRIVERS = {"tasmin": "degC", "tasmax": "degC"}


def warmth(p, w):
    """Return the factor of decay rates, 1 at a mean temperature of 0 degC."""
    return exp(p.temperature_sensitivity * (0.5 * (w.tasmin + w.tasmax)))
