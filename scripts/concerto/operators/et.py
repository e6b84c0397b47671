"""Evapotranspiration: all water vapour that leaves soil, leaves and snow."""

from __future__ import annotations

OUTPUTS = ("et",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "mm d-1"


def observe(o, p, w):
    """Return the model's flux as it is: model and record hold the same quantity."""
    return o.et
