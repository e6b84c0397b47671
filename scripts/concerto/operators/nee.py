"""Net ecosystem exchange, positive to the atmosphere: what a flux tower measures, without fire."""

from __future__ import annotations

OUTPUTS = ("nee",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "gC m-2 d-1"


def observe(o, p, w):
    """Return the model's flux as it is: model and record hold the same quantity."""
    return o.nee
