"""Root-zone soil moisture: the share of water in the volume of the soil that roots reach."""

from __future__ import annotations

OUTPUTS = ("soil_moisture_root",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "m3 m-3"


def observe(o, p, w):
    """Return the water content of the model's root zone as it is."""
    return o.soil_moisture_root
