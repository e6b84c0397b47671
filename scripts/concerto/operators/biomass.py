"""Above-ground biomass, as carbon: what lidar, radar and inventories map."""

from __future__ import annotations

OUTPUTS = ("c_leaf", "c_wood")
PARAMETERS = ("above_ground_share",)
DRIVERS: dict[str, str] = {}
UNIT = "kgC m-2"
KILOGRAM = 1000.0  # g


def observe(o, p, w):
    """Return leaves and the part of wood that is no coarse root.

    Labile carbon and what grows below ground are left out. 1 kg m-2 is 10 Mg ha-1; a map of dry
    matter times its carbon fraction, 0.47 (IPCC 2006, Guidelines, vol. 4, table 4.3), is one of
    carbon.
    """
    return (p.above_ground_share * o.c_wood + o.c_leaf) / KILOGRAM
