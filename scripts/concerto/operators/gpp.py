"""Gross primary productivity: a flux tower's partitioned uptake."""

from __future__ import annotations

OUTPUTS = ("gpp",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "gC m-2 d-1"


def observe(o, p, w):
    """Return the model's flux as it is: model and record hold the same quantity."""
    return o.gpp
