"""The P-model: photosynthesis of C3 leaves that make the best of light, water and enzymes.

A leaf keeps the CO2 inside it at which water and carboxylation together cost least (Prentice et al.
2014, Ecol. Lett. 17, 82). It holds as much Rubisco as its light can use, and electron transport
until more would cost more than it brings (Wang et al. 2017, Nature Plants 3, 734). Stocker et al.
(2020, Geosci. Model Dev. 13, 1545) put it together, with their constants here; this is their setup
BRC, in which quantum yield depends on temperature and soil moisture has no effect.

Where the theory ends:

- Frost. Quantum yield was measured from 10 to 40 degC and is extrapolated as a parabola. Nothing
  happens at 0 degC; there is no photosynthesis below -13.3 degC, where the parabola reaches zero.
- Heat, drought and low CO2. Where the limit ``m_j`` that CO2 sets to the use of light is below the
  cost of electron transport, the optimum has no solution: no capacity pays, and all rates are zero.
- Saturated air. The CO2 inside approaches that outside with the square root of the vapour pressure
  deficit; a deficit below zero counts as zero.
- Water below -25 degC has the viscosity of -25 degC. No photosynthesis depends on it.

Temperatures in degC, pressures in Pa.
"""

from __future__ import annotations

from typing import NamedTuple

from casadi import SX, exp, fmax, if_else, sqrt

from concerto.models.components._air import CELSIUS, pressure
from concerto.units import MOLAR_MASS_CARBON

DRIVERS = {"tas": "degC", "vpd": "Pa", "rsds": "MJ m-2 d-1", "co2": "ppm"}

PHOTONS = 2.04
"""Photosynthetic photons in sunlight: mol MJ-1, or umol J-1, of shortwave (Meek et al. 1984)."""
EXTINCTION = 0.5  # of light by a unit of leaf area: spherical leaf angles, sun overhead
COST_RATIO = 146.0  # of carboxylation to transpiration, at 25 degC (beta of Stocker et al. 2020)
TRANSPORT_COST = 0.41  # of electron transport, mol mol-1 (c* of Wang et al. 2017)
DIFFUSIVITY_RATIO = 1.6  # of water vapour to CO2 in air

_GAS_CONSTANT = 8.3145  # J mol-1 K-1, as in Stocker et al.
_STANDARD_TEMPERATURE = 25.0
_STANDARD_PRESSURE = 101325.0
_OXYGEN = 0.209476  # mol mol-1
_COLDEST_WATER = -25.0  # the density of water has a pole at -45 degC


class Leaf(NamedTuple):
    """An optimal leaf.

    ``chi`` is the ratio of CO2 inside to outside, ``ci`` that inside in Pa. The rates are those for
    one mole of absorbed light at a ``quantum_yield`` of 1: ``assimilation`` and the capacities of
    ``carboxylation`` (Vcmax) and ``transport`` of electrons (Jmax), mol mol-1.
    """

    chi: SX
    ci: SX
    assimilation: SX
    carboxylation: SX
    transport: SX


def gpp(lai, p, w):
    """Return GPP, gC m-2 d-1, of leaves of which there are ``lai`` m2 over a m2 of ground.

    They absorb as one big leaf by Beer's law (Monsi & Saeki 1953).
    """
    absorbed = PHOTONS * w.rsds * (1.0 - exp(-EXTINCTION * lai))
    leaf = optimal_leaf(w.tas, w.vpd, w.co2, pressure(w.elevation))
    return light_use_efficiency(leaf, p.quantum_yield) * absorbed


def light_use_efficiency(leaf, quantum_yield):
    """Return the carbon that a leaf assimilates with a mole of absorbed light, gC mol-1."""
    return quantum_yield * leaf.assimilation * MOLAR_MASS_CARBON


def optimal_leaf(temperature, vpd, co2, air_pressure):
    """Return the leaf that is optimal in air of a vapour pressure deficit (Pa) and CO2 (ppm)."""
    compensation = compensation_point(temperature, air_pressure)
    michaelis = michaelis_constant(temperature, air_pressure)
    outside = 1e-6 * co2 * air_pressure
    chi = optimal_chi(
        michaelis, compensation, relative_viscosity(temperature, air_pressure), outside, vpd
    )
    ci = chi * outside
    m_j = light_limit(ci, compensation)
    used, built = transport_limits(m_j)
    efficiency = temperature_yield(temperature)
    assimilation = efficiency * m_j * used
    capacity = assimilation / rubisco_limit(ci, compensation, michaelis)
    return Leaf(chi, ci, assimilation, capacity, 4.0 * efficiency * built)


def optimal_chi(michaelis, compensation, viscosity_ratio, outside, vpd):
    """Return the optimal ratio of CO2 inside a leaf to that outside (Prentice et al. 2014, eq. 8).

    Parameters
    ----------
    michaelis, compensation, outside, vpd
        Michaelis constant of Rubisco, compensation point, CO2 outside, vapour pressure deficit, Pa.
    viscosity_ratio
        Viscosity of water relative to 25 degC.
    """
    xi = sqrt(COST_RATIO * (michaelis + compensation) / (DIFFUSIVITY_RATIO * viscosity_ratio))
    dryness = sqrt(fmax(0.0, vpd))
    return 1.0 - (1.0 - compensation / outside) * dryness / (xi + dryness)


def light_limit(ci, compensation):
    """Return m_j, the share of electrons that CO2 lets assimilate (Wang et al. 2017, eq. 3)."""
    return (ci - compensation) / (ci + 2.0 * compensation)


def rubisco_limit(ci, compensation, michaelis):
    """Return m_c, the share of Rubisco's capacity at work (Stocker et al. 2020, eq. 7)."""
    return (ci - compensation) / (ci + michaelis)


def transport_limits(m_j):
    """Return what the cost of electron transport leaves (Wang et al. 2017, eq. 49).

    Returns
    -------
    used, built
        Factors of assimilation and of the capacity of electron transport: sqrt(1 - r) and
        sqrt(1 / r - 1) with r = (c* / m_j)^(2/3); zero where r would be 1 or more.
    """
    pays = m_j > TRANSPORT_COST
    # any number above the cost where it does not pay keeps derivatives finite there
    ratio = (TRANSPORT_COST / if_else(pays, m_j, 1.0)) ** (2.0 / 3.0)
    used = if_else(pays, sqrt(1.0 - ratio), 0.0)
    return used, used / sqrt(ratio)


def temperature_yield(temperature):
    """Return the quantum yield of photosystem II in light (Bernacchi et al. 2003), never below 0.

    It multiplies the parameter ``quantum_yield``.
    """
    return fmax(0.0, _polynomial(temperature, (0.352, 0.022, -0.00034)))


def compensation_point(temperature, air_pressure):
    """Return the CO2 (Pa) at which photorespiration takes all (Gamma*; Bernacchi et al. 2001)."""
    return 4.332 * air_pressure / _STANDARD_PRESSURE * _arrhenius(temperature, 37830.0)


def michaelis_constant(temperature, air_pressure):
    """Return the effective Michaelis constant (Pa) of Rubisco in air (Bernacchi et al. 2001)."""
    of_co2 = 39.97 * _arrhenius(temperature, 79430.0)
    of_oxygen = 27480.0 * _arrhenius(temperature, 36380.0)
    return of_co2 * (1.0 + _OXYGEN * air_pressure / of_oxygen)


def _arrhenius(temperature, energy):
    """Return a rate relative to 25 degC, from its activation energy in J mol-1."""
    standard = _STANDARD_TEMPERATURE + CELSIUS
    kelvin = temperature + CELSIUS
    return exp(energy * (kelvin - standard) / (_GAS_CONSTANT * standard * kelvin))


# polynomials in temperature, lowest order first, of the equation of state
_LAMBDA = (1788.316, 21.55053, -0.4695911, 3.096363e-3, -7.341182e-6)
_PRESSURE = (5918.499, 58.05267, -1.1253317, 6.6123869e-3, -1.4661625e-5)
_VOLUME = (
    0.6980547, -7.435626e-4, 3.704258e-5, -6.315724e-7, 9.829576e-9,
    -1.197269e-10, 1.005461e-12, -5.437898e-15, 1.69946e-17, -2.295063e-20,
)  # fmt: skip


def water_density(temperature, water_pressure):
    """Return the density of water, kg m-3 (Fisher & Dial 1975, table 5)."""
    bar = 1e-5 * water_pressure
    stiffness = _polynomial(temperature, _PRESSURE) + bar
    volume = _polynomial(temperature, _VOLUME) + _polynomial(temperature, _LAMBDA) / stiffness
    return 1000.0 / volume


# Huber et al. 2009, tables 2 and 3: rows are powers of density, columns of inverse temperature
_DILUTE = (1.67752, 2.20462, 0.6366564, -0.241605)
_DENSE = (
    (0.520094, 0.0850895, -1.08374, -0.289555, 0.0, 0.0),
    (0.222531, 0.999115, 1.88797, 1.26613, 0.0, 0.120573),
    (-0.281378, -0.906851, -0.772479, -0.489837, -0.25704, 0.0),
    (0.161913, 0.257399, 0.0, 0.0, 0.0, 0.0),
    (-0.0325372, 0.0, 0.0, 0.0698452, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.00872102, 0.0),
    (0.0, 0.0, 0.0, -0.00435673, 0.0, -0.000593264),
)


def viscosity(temperature, water_pressure):
    """Return the dynamic viscosity of water, Pa s (Huber et al. 2009, eqs 2, 11, 12)."""
    liquid = fmax(_COLDEST_WATER, temperature)
    inverse = 647.096 / (liquid + CELSIUS)
    density = water_density(liquid, water_pressure) / 322.0
    dilute = 100.0 / (sqrt(inverse) * _polynomial(inverse, _DILUTE))
    rows = [_polynomial(inverse - 1.0, row) for row in _DENSE]
    return 1e-6 * dilute * exp(density * _polynomial(density - 1.0, rows))


def relative_viscosity(temperature, water_pressure):
    """Return the viscosity of water relative to that at 25 degC and 101325 Pa."""
    return viscosity(temperature, water_pressure) / _STANDARD_VISCOSITY


def _polynomial(x, coefficients):
    value = 0.0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


_STANDARD_VISCOSITY = viscosity(_STANDARD_TEMPERATURE, _STANDARD_PRESSURE)
