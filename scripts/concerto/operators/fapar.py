"""Fraction of photosynthetically active radiation that the canopy absorbs, a mean over the day."""

from __future__ import annotations

import math

from casadi import cos, exp, fmax, sin

from concerto.models.components._sun import day_length, declination

OUTPUTS = ("lai",)
PARAMETERS = ()
DRIVERS = ()
UNIT = "1"

PROJECTION = 0.5  # spherical leaf angles: the same from every direction (Ross 1981)
CLUMPING = 0.7  # between needleleaf forest and grassland (He et al. 2012)
LOWEST = 0.05  # cosine of the zenith angle, 3 degrees above the horizon
# Gauss-Legendre from noon to sunset: share of the half day, weight
_HOURS = (
    (0.5 - math.sqrt(0.15), 5.0 / 18.0),
    (0.5, 8.0 / 18.0),
    (0.5 + math.sqrt(0.15), 5.0 / 18.0),
)


def observe(o, p, w):
    """Return fAPAR of leaves that are black in the visible, with all light from the sun.

    The gap fraction of a canopy under a sun at the zenith angle z is exp(-G C LAI / cos z), with
    the leaves' projection G and clumping C (Nilson 1971, Agric. Meteorol. 8, 25; clumping of He et
    al. 2012, Remote Sens. Environ. 119, 118). It is averaged from sunrise to sunset with the weight
    of the light on level ground, cos z. Three hours of the day do, within 0.01 of the integral.
    Near the horizon, and in the polar night, the sun counts as 3 degrees high.
    """
    gap, light = 0.0, 0.0
    for weight, cosine in _sun(w):
        gap = gap + weight * cosine * exp(-(PROJECTION * CLUMPING / cosine) * o.lai)
        light = light + weight * cosine
    return 1.0 - gap / light


def _sun(w):
    """Return (weight, cosine of the zenith angle) of hours from noon to sunset."""
    latitude = math.pi / 180.0 * w.latitude
    height = declination(w.day_of_year)
    half_day = math.pi / 24.0 * day_length(w.day_of_year, w.latitude)
    level = sin(latitude) * sin(height)
    swing = cos(latitude) * cos(height)
    return [(weight, fmax(LOWEST, level + swing * cos(x * half_day))) for x, weight in _HOURS]
