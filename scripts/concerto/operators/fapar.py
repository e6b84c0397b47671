"""Fraction of photosynthetically active radiation that the canopy absorbs, a mean over the day."""

from __future__ import annotations

import math

from casadi import cos, exp, fmax, if_else, sin

from concerto.models.components._air import SECONDS, top_of_atmosphere
from concerto.models.components._sun import day_length, declination

OUTPUTS = ("lai",)
PARAMETERS = ()
DRIVERS = {"rsds": "MJ m-2 d-1"}
UNIT = "1"

PROJECTION = 0.5  # spherical leaf angles: the same from every direction (Ross 1981)
CLUMPING = 0.7  # between needleleaf forest and grassland (He et al. 2012)
_LOWEST = 0.05  # cosine of the zenith angle of a sun 3 degrees high
# (weight, share of the half day from noon): Gauss-Legendre
_HOURS = (
    (5.0 / 18.0, 0.5 - math.sqrt(0.15)),
    (8.0 / 18.0, 0.5),
    (5.0 / 18.0, 0.5 + math.sqrt(0.15)),
)
# cosines of the zenith angle in a sky that is equally bright, which are its light on level ground
_SKY = (0.5 - math.sqrt(3.0) / 6.0, 0.5 + math.sqrt(3.0) / 6.0)


def observe(o, p, w):
    """Return fAPAR of leaves that scatter no light, over a ground that reflects none.

    Of light from the zenith angle z the share exp(-G C LAI / cos z) passes, with the leaves'
    projection G and clumping C (Nilson 1971, Agric. Meteorol. 8, 25; clumping of He et al. 2012,
    Remote Sens. Environ. 119, 118). The rest is averaged over all light of the day that reaches
    level ground, from sun and sky.
    """
    depth = PROJECTION * CLUMPING * o.lai
    return 1.0 - sum(share * exp(-depth / cosine) for share, cosine in _light(w))


def _light(w):
    """Return whence the day's light comes: (share, cosine of the zenith angle) of directions.

    Three for the sun and two for the sky give fAPAR within about 0.01 of the integral.
    """
    latitude, height = math.pi / 180.0 * w.latitude, declination(w.day_of_year)
    half_day = math.pi / 24.0 * day_length(w.day_of_year, w.latitude)
    level, swing = sin(latitude) * sin(height), cos(latitude) * cos(height)
    cosines = [fmax(_LOWEST, level + swing * cos(hour * half_day)) for _, hour in _HOURS]
    sun = [weight * cosine for (weight, _), cosine in zip(_HOURS, cosines, strict=True)]
    diffuse = _diffuse_share(w)
    direct = (1.0 - diffuse) / sum(sun)
    return [
        *((direct * light, cosine) for light, cosine in zip(sun, cosines, strict=True)),
        *((diffuse * cosine, cosine) for cosine in _SKY),
    ]


def _diffuse_share(w):
    """Return the share of a day's light that comes from the sky (Spitters et al. 1986, eq. 2).

    Agric. For. Meteorol. 38, 217; from the clearness of the air. In the polar night it is 1.
    """
    most = SECONDS / 1e6 * top_of_atmosphere(w.day_of_year, w.latitude)  # MJ m-2 d-1
    clearness = w.rsds / fmax(0.1, most)
    hazy = 1.0 - 2.3 * fmax(0.0, clearness - 0.07) ** 2
    return if_else(clearness < 0.35, hazy, fmax(0.23, 1.33 - 1.46 * clearness))
