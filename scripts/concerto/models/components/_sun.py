"""The sun above a place."""

from __future__ import annotations

import math

from casadi import acos, cos, fmax, fmin, tan


def declination(day_of_year):
    """Return the declination (rad), -23.4 degrees on 21 December (Bloom & Williams 2015)."""
    return -math.radians(23.4) * cos(2.0 * math.pi * (day_of_year + 10.0) / 365.0)


def day_length(day_of_year, latitude):
    """Return the hours between sunrise and sunset: 0 in the polar night, 24 in the polar day.

    Parameters
    ----------
    day_of_year
        0.5 at noon of 1 January.
    latitude
        Degrees north.
    """
    cosine = -tan(math.pi / 180.0 * latitude) * tan(declination(day_of_year))
    return 24.0 / math.pi * acos(fmax(-1.0, fmin(1.0, cosine)))
