"""Vegetation optical depth: how much leaves and wood dim the microwaves of the soil, at nadir."""

from __future__ import annotations

OUTPUTS = ("lai", "c_wood")
PARAMETERS = ("leaf_opacity", "wood_opacity")
DRIVERS: dict[str, str] = {}
UNIT = "1"
KILOGRAM = 1000.0  # g


def observe(o, p, w):
    """Return VOD = leaf opacity x LAI + wood opacity x wood carbon.

    Optical depth is proportional to the water in plants (Jackson & Schmugge 1991, Remote Sens.
    Environ. 36, 203), here a fixed content of leaves and of wood: in leaves by their area (Wigneron
    et al. 2007, Remote Sens. Environ. 107, 639), in wood by its mass, in which the L band is linear
    within a class of land cover, with a slope for each (Rodriguez-Fernandez et al. 2018,
    Biogeosciences 15, 4627). Shorter waves saturate in dense forest and want another operator; so
    does water stress.
    """
    return p.leaf_opacity * o.lai + p.wood_opacity / KILOGRAM * o.c_wood
