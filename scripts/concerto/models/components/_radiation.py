"""The sun's path, and what sunlit leaves, shaded leaves and soil take of radiation.

De Pury & Farquhar (1997, Plant Cell Environ. 20, 537) for the two classes of leaves; Wang & Leuning
(1998, Agric. For. Meteorol. 91, 89) for the soil below and for longwave radiation. Leaf angles are
spherical; clumping lowers all extinction coefficients alike (Chen et al. 2005, Remote Sens.
Environ. 97, 447). Radiation in W m-2 of ground, areas in m2 m-2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from casadi import cos, exp, fabs, fmax, fmin, if_else, log, sin, sqrt

from concerto.models.components._air import SOLAR_CONSTANT

_DAWN = 0.001  # sine of an elevation below which there is next to no beam
_LOWEST_SINE = 0.05  # of the elevation that a beam's path through leaves is reckoned with
_BEAM = 0.5  # projected area of spherical leaves
_DIFFUSE = 0.78  # extinction of light from all of the sky (de Pury & Farquhar 1997, table 2)


def sine_of_elevation(day_of_year, latitude, solar_offset):
    """Return the sine of the sun's elevation, negative by night.

    Declination as in :mod:`concerto.models.components._sun`; equation of time of Spencer (1971,
    Search 2, 172).

    Parameters
    ----------
    day_of_year
        Local standard time, 0.5 at noon of 1 January.
    latitude
        Degrees north.
    solar_offset
        Mean solar time minus local standard time, h: longitude / 15 degrees - offset from UTC.
    """
    declination = -math.radians(23.4) * cos(2.0 * math.pi * (day_of_year + 10.0) / 365.0)
    season = 2.0 * math.pi * day_of_year / 365.0
    ahead = 0.000075 + 0.001868 * cos(season) - 0.032077 * sin(season)
    ahead -= 0.014615 * cos(2.0 * season) + 0.04089 * sin(2.0 * season)
    time = day_of_year + solar_offset / 24.0 + ahead / (2.0 * math.pi)
    phi = latitude * (math.pi / 180.0)
    return sin(phi) * sin(declination) - cos(phi) * cos(declination) * cos(2.0 * math.pi * time)


def diffuse_fraction(shortwave, sine, day_of_year):
    """Return the share of shortwave radiation that comes from the whole sky.

    Erbs et al. (1982, Solar Energy 28, 293), from the clearness of the air. What is more than the
    sun could send from where it stands, as at dawn, is diffuse.
    """
    above = SOLAR_CONSTANT * (1.0 + 0.033 * cos(2.0 * math.pi * day_of_year / 365.0))
    clearness = shortwave / (above * fmax(_DAWN, sine))
    k = fmin(1.0, clearness)
    middle = 0.9511 + k * (-0.1604 + k * (4.388 + k * (-16.638 + k * 12.336)))
    share = if_else(k <= 0.22, 1.0 - 0.09 * k, if_else(k <= 0.8, middle, 0.165))
    return 1.0 - (1.0 - share) / fmax(1.0, clearness)


def within(extinction, depth):
    """Return the integral of exp(-extinction * x) over x from 0 to the depth."""
    return (1.0 - exp(-extinction * depth)) / extinction


def _from_both_sides(first, second, depth):
    """Return the integral of exp(-first * x - second * (depth - x)) over x from 0 to the depth."""
    difference = second - first
    alike = fabs(difference) < 1e-6
    apart = (exp(-first * depth) - exp(-second * depth)) / if_else(alike, 1.0, difference)
    return if_else(alike, depth * exp(-first * depth), apart)


@dataclass(frozen=True)
class Canopy:
    """Leaves below a sun.

    Parameters
    ----------
    lai, sunlit
        Area of all leaves, and of those that the beam meets.
    beam, diffuse
        Extinction of the beam and of diffuse light by a unit of leaf area.
    """

    lai: Any
    sunlit: Any
    beam: Any
    diffuse: Any


def canopy(lai, sine, clumping):
    """Return the canopy under a sun whose elevation has this sine."""
    beam = clumping * (_BEAM / fmax(_LOWEST_SINE, sine))
    return Canopy(lai, within(beam, lai), beam, clumping * _DIFFUSE)


def absorb(leaves, beam, diffuse, scattering, soil_reflectance, clumping):
    """Return what sunlit leaves, shaded leaves and soil absorb of one band of the spectrum.

    De Pury & Farquhar (1997), with the reflectance of a canopy for a beam of Goudriaan & van Laar
    (1994, Modelling Potential Crop Growth Processes), its integral over a sky of even brightness
    for diffuse light, and that of canopy and soil together of Wang & Leuning (1998, appendix B).
    What is not absorbed is reflected.

    Parameters
    ----------
    leaves
        The canopy.
    beam, diffuse
        Radiation above it.
    scattering
        Share of what meets a leaf that it reflects or lets through.
    soil_reflectance
        Of the soil.
    clumping
        Clumping index.
    """
    blackness = sqrt(1.0 - scattering)
    horizontal = (1.0 - blackness) / (1.0 + blackness)
    b = _BEAM * clumping
    sky = 2.0 * clumping * (1.0 - b * log((1.0 + b) / b))
    parts = (
        (beam, leaves.beam, horizontal * 2.0 * leaves.beam / (1.0 + leaves.beam)),
        (diffuse, leaves.diffuse, horizontal * sky),
    )
    total = sunlit = soil = 0.0
    for light, extinction, deep in parts:
        k = blackness * extinction
        passed = exp(-k * leaves.lai)
        kept = light * (1.0 - deep - (soil_reflectance - deep) * passed * passed)
        total += kept * (1.0 - passed)
        soil += kept * passed
        sunlit += kept * k * within(k + leaves.beam, leaves.lai)
    # in the beam itself sunlit leaves absorb it unscattered, on top of what was scattered to them
    first = leaves.sunlit - within(2.0 * leaves.beam, leaves.lai)
    sunlit += beam * (1.0 - scattering) * leaves.beam * first
    sunlit = fmin(sunlit, total)  # the scattered part can be below zero under a low sun
    return sunlit, total - sunlit, soil


def views(leaves):
    """Return the shares of sky and of soil that sunlit and shaded leaves see, and the gap.

    As in Wang & Leuning (1998, appendix B), but leaves and soil are black to longwave radiation.
    What leaves of the two classes radiate to each other is left out.

    Returns
    -------
    sky, soil
        Pairs (sunlit, shaded): the share of the plane above or below that the class covers.
    gap
        Share of the sky that the soil sees; with either pair it adds up to one.
    """
    k = leaves.diffuse
    gap = exp(-k * leaves.lai)
    sky = k * within(k + leaves.beam, leaves.lai)
    soil = k * _from_both_sides(leaves.beam, k, leaves.lai)
    return (sky, 1.0 - gap - sky), (soil, 1.0 - gap - soil), gap
