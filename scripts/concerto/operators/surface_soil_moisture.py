"""Surface soil moisture: the share of water in the volume of the top soil, as microwaves see it."""

from __future__ import annotations

OUTPUTS = ("soil_moisture_surface",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "m3 m-3"


def observe(o, p, w):
    """Return the water content of the model's surface layer, of its own depth, as it is."""
    return o.soil_moisture_surface
