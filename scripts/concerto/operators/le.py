"""Latent heat flux: the energy of evapotranspiration, as a flux tower measures it."""

from __future__ import annotations

OUTPUTS = ("latent_heat",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "W m-2"


def observe(o, p, w):
    """Return the model's flux as it is: model and record hold the same quantity."""
    return o.latent_heat
