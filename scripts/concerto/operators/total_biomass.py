"""All living biomass, above and below ground, as carbon: what some maps and inventories add up."""

from __future__ import annotations

OUTPUTS = ("c_labile", "c_leaf", "c_root", "c_wood")
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "kgC m-2"
KILOGRAM = 1000.0  # g


def observe(o, p, w):
    """Return the sum of all that lives: labile carbon, leaves, roots and wood."""
    return (o.c_labile + o.c_leaf + o.c_root + o.c_wood) / KILOGRAM
