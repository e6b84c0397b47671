"""Leaf area index: the one-sided green leaf area over a unit of ground."""

from __future__ import annotations

OUTPUTS = ("lai",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "1"


def observe(o, p, w):
    """Return the model's leaf area index as it is."""
    return o.lai
