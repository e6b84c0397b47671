"""Physical properties of air and water, and the radiation that a surface keeps.

Allen et al. (1998, FAO Irrigation and Drainage Paper 56) unless said. Temperatures in degC,
pressures in Pa, radiation in W m-2.
"""

from __future__ import annotations

import math

from casadi import acos, cos, exp, fmax, fmin, sin, sqrt, tan

CELSIUS = 273.15
GAS_CONSTANT = 8.314462618  # J mol-1 K-1
STEFAN_BOLTZMANN = 5.670374419e-8  # W m-2 K-4
HEAT_CAPACITY = 1013.0  # J kg-1 K-1, of air at constant pressure
FUSION = 3.337e5  # J kg-1
SOLAR_CONSTANT = 1361.0  # W m-2 (Kopp & Lean 2011)
SECONDS = 86400.0  # in a day
_DRY_AIR = 287.05  # J kg-1 K-1
_MOLAR_RATIO = 0.622  # of water vapour to dry air


def pressure(elevation):
    """Return the mean pressure (Pa) at an elevation (m), eq. 7."""
    return 101325.0 * ((293.0 - 0.0065 * elevation) / 293.0) ** 5.26


def saturation(temperature):
    """Return the saturation vapour pressure (Pa) over water (Alduchov & Eskridge 1996, eq. 21)."""
    return 610.94 * exp(17.625 * temperature / (temperature + 243.04))


def saturation_slope(temperature):
    """Return the derivative of the saturation vapour pressure, Pa K-1."""
    return saturation(temperature) * 17.625 * 243.04 / (temperature + 243.04) ** 2


def vaporisation(temperature):
    """Return the latent heat of vaporisation, J kg-1 (Harrison 1963)."""
    return 2.501e6 - 2361.0 * temperature


def psychrometric(air_pressure, temperature):
    """Return the psychrometric constant, Pa K-1, eq. 8."""
    return HEAT_CAPACITY * air_pressure / (_MOLAR_RATIO * vaporisation(temperature))


def density(air_pressure, temperature):
    """Return the density of dry air, kg m-3."""
    return air_pressure / (_DRY_AIR * (temperature + CELSIUS))


def top_of_atmosphere(day_of_year, latitude):
    """Return the daily mean radiation on a horizontal plane above the air, W m-2, eqs 21-25."""
    season = 2.0 * math.pi * (day_of_year + 0.5) / 365.0
    distance = 1.0 + 0.033 * cos(season)
    declination = 0.409 * sin(season - 1.39)
    phi = latitude * (math.pi / 180.0)
    sunset = acos(fmax(-1.0, fmin(1.0, -tan(phi) * tan(declination))))
    height = sunset * sin(phi) * sin(declination) + cos(phi) * cos(declination) * sin(sunset)
    return SOLAR_CONSTANT / math.pi * distance * height


def net_longwave(tasmin, tasmax, shortwave, vapour, clear_sky):
    """Return the net longwave loss (W m-2), positive upwards, eq. 39.

    Parameters
    ----------
    tasmin, tasmax
        Lowest and highest temperature of the day.
    shortwave, clear_sky
        Radiation received, and what a cloudless sky would give. The ratio is kept within 0.3 and
        1, as in ASCE-EWRI (2005); where there is no sun it is 0.6.
    vapour
        Vapour pressure, Pa.
    """
    ratio = fmax(0.3, fmin(1.0, (shortwave + 0.6) / (clear_sky + 1.0)))
    emitted = STEFAN_BOLTZMANN * ((tasmin + CELSIUS) ** 4 + (tasmax + CELSIUS) ** 4) / 2.0
    return emitted * (0.34 - 0.14 * sqrt(fmax(0.0, vapour) / 1000.0)) * (1.35 * ratio - 0.35)
