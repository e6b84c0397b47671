"""Land surface temperature: that of what radiates to the sky, leaves and soil together."""

from __future__ import annotations

OUTPUTS = ("skin_temperature",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "degC"


def observe(o, p, w):
    """Return the model's skin temperature as it is: the same time of day is up to who uses it."""
    return o.skin_temperature
