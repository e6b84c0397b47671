"""A class of leaves: photosynthesis, stomata, fluorescence, and the temperature they settle at.

A class is one big leaf: its rates and conductances are sums over its leaves, for a unit of ground.
Carbon in umol m-2 s-1, conductances in mol m-2 s-1, heat in W m-2, pressures in Pa, temperatures in
degC.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import casadi as ca
from casadi import exp, fmax, fmin, log, sqrt

from concerto.models.components import _air as air

MOLAR_MASS_WATER = 0.018015  # kg mol-1
MOLAR_HEAT_CAPACITY = 29.3  # J mol-1 K-1, of air (Campbell & Norman 1998)
COUPLED_STEPS, LAST_STEPS = 3, 5

_OXYGEN = 0.2095  # mole fraction in air
_WATER_TO_CARBON = 1.6  # diffusivity of water vapour over that of CO2
_ELECTRONS = 0.425  # of half the light, less what other pigments take (de Pury & Farquhar 1997)
_LIGHT_CURVATURE = 0.7  # of electron transport (de Pury & Farquhar 1997)
_C3_CURVATURE = 0.98  # Collatz et al. (1991)
_C4_LIGHT = 0.05  # mol CO2 per mol of absorbed photons
_C4_CURVATURES = 0.80, 0.95
_C4_CARBOXYLASE = 20000.0  # initial slope of the response to CO2, in vcmax25
_LEAST_DEFICIT = 50.0  # Pa, that stomata react to
_SHARE_OF_DRY = 0.8  # of the heat that dry leaves lose for a degree: steps are no longer
_TINY = 1e-30


@dataclass(frozen=True)
class Leaf:
    """What one class of leaves is and receives.

    Parameters
    ----------
    area
        m2 of leaves over a m2 of ground.
    vcmax25
        Carboxylation capacity at 25 degC.
    light
        Absorbed photosynthetic light, umol m-2 s-1.
    absorbed
        Absorbed shortwave radiation, and longwave radiation of sky and soil.
    seen
        Sum of the shares of sky and soil that it sees, and radiates to.
    heat, vapour
        Conductances for heat, and for vapour outside the leaves, to the air above.
    """

    area: Any
    vcmax25: Any
    light: Any
    absorbed: Any
    seen: Any
    heat: Any
    vapour: Any


def radiated(temperature):
    """Return what a black surface of this temperature radiates."""
    squared = (temperature + air.CELSIUS) * (temperature + air.CELSIUS)
    return air.STEFAN_BOLTZMANN * (squared * squared)


def radiated_slope(temperature):
    """Return the derivative of :func:`radiated`, W m-2 K-1."""
    kelvin = temperature + air.CELSIUS
    return 4.0 * air.STEFAN_BOLTZMANN * kelvin * kelvin * kelvin


def smaller(first, second, curvature):
    """Return the smaller of two rates, rounded off where they meet (Collatz et al. 1991).

    It is the smaller root x of curvature x2 - (first + second) x + first second = 0.
    """
    total = first + second
    product = first * second
    root = sqrt(fmax(0.0, total * total - 4.0 * curvature * product))
    return 2.0 * product / (total + root + _TINY)


def c3(inside, light, vcmax25, temperature, w, p):
    """Return gross assimilation, respiration and the share of light used for it, of C3 leaves.

    Farquhar et al. (1980, Planta 149, 78) with the kinetics of Bernacchi et al. (2001, Plant Cell
    Environ. 24, 253), and of Bernacchi et al. (2003, Plant Cell Environ. 26, 1419) for electron
    transport. Export of sugars limits nothing here. There is no uptake from less CO2 than the
    compensation point: stomata are shut then, and what leaves release builds up within them.

    Parameters
    ----------
    inside
        CO2 between the cells, Pa.
    """
    distance = 1.0 / 298.15 - 1.0 / (temperature + air.CELSIUS)

    def warmed(energy):
        return exp((energy / air.GAS_CONSTANT) * distance)

    compensation = 42.75e-6 * w.ps * warmed(37830.0)
    oxygen = _OXYGEN * w.ps / (0.2784 * 101325.0)
    michaelis = 404.9e-6 * 101325.0 * warmed(79430.0) * (1.0 + oxygen / warmed(36380.0))
    electrons = _ELECTRONS * light
    transport = smaller(electrons, p.jmax_ratio * vcmax25 * warmed(43540.0), _LIGHT_CURVATURE)
    carboxylation = vcmax25 * warmed(65330.0) / (inside + michaelis)
    yielded = 0.25 / (inside + 2.0 * compensation)
    rate = smaller(carboxylation, transport * yielded, _C3_CURVATURE)
    respiration = p.respiration_ratio * vcmax25 * warmed(46390.0)
    gross = fmax(0.0, inside - compensation) * rate
    return gross, respiration, rate / (electrons * yielded + _TINY)


def c4(inside, light, vcmax25, temperature, w, p):
    """Return the same of C4 leaves.

    Collatz et al. (1992, Aust. J. Plant Physiol. 19, 519) with the coefficients of Oleson et al.
    (2013, Technical Note NCAR/TN-503, chapter 8); respiration is that of C3 leaves at the same
    capacity, without its inhibition by heat.
    """
    warmed = exp((log(2.0) / 10.0) * (temperature - 25.0))
    inhibited = (1.0 + exp(0.3 * (temperature - 40.0))) * (1.0 + exp(0.2 * (15.0 - temperature)))
    by_light = _C4_LIGHT * light
    by_carbon = (_C4_CARBOXYLASE * 1e-6) * vcmax25 * warmed * (inside / w.ps * 1e6)
    first, second = _C4_CURVATURES
    rate = smaller(vcmax25 * warmed / inhibited, by_light, first)
    rate = smaller(rate, by_carbon, second)
    return rate, p.respiration_ratio * vcmax25 * warmed, rate / (by_light + _TINY)


def gas_exchange(leaf, temperature, w, p):
    """Return what a class of leaves exchanges at a leaf temperature, and ``vapour``, the way out.

    Stomata follow Medlyn et al. (2011, Glob. Change Biol. 17, 2134), eq. 11, without a residual
    conductance, under which the ratio of CO2 inside to outside is g1 / (g1 + sqrt(D)) whatever the
    assimilation. They shut where leaves respire more than they assimilate. Water alone leaves
    through the cuticle. The deficit D is that between leaf and air, and CO2 around leaves is that
    of the air: boundary layers are small resistances beside stomata.
    """
    deficit = fmax(_LEAST_DEFICIT, air.saturation(temperature) - w.vapour_pressure)
    dryness = sqrt(deficit / 1000.0)
    inside = w.co2 * 1e-6 * w.ps * p.g1 / (p.g1 + dryness)
    parts = zip(
        c3(inside, leaf.light, leaf.vcmax25, temperature, w, p),
        c4(inside, leaf.light, leaf.vcmax25, temperature, w, p),
        strict=True,
    )
    gross, respiration, used = (a + p.c4_fraction * (b - a) for a, b in parts)
    net = fmax(0.0, gross - respiration)
    stomata = _WATER_TO_CARBON * (1.0 + p.g1 / dryness) * net / w.co2
    conductance = stomata + p.cuticular_conductance * leaf.area
    return SimpleNamespace(
        gross=gross, respiration=respiration, used=used, inside=inside, conductance=conductance,
        vapour=conductance * leaf.vapour / (conductance + leaf.vapour),
    )  # fmt: skip


def heat_exchange(leaf, vapour, temperature, w):
    """Return net radiation, sensible and latent heat of a class of leaves at a temperature.

    Parameters
    ----------
    vapour
        Conductance for vapour from within the leaves to the air.
    """
    gradient = air.saturation(temperature) - w.vapour_pressure
    return SimpleNamespace(
        net_radiation=leaf.absorbed - leaf.seen * radiated(temperature),
        sensible=MOLAR_HEAT_CAPACITY * leaf.heat * (temperature - w.tas),
        latent=w.vaporisation * vapour * gradient / w.ps,
    )


def settle(leaf, w, p):
    """Return the temperature at which leaves lose the heat that they gain, and the gas exchange.

    Newton's method from the temperature of the air, with the exact derivative of the whole: stomata
    change with temperature too. Where they shut in the heat there can be several such
    temperatures, or none near; Newton's method can then not end. Hence its steps are held short, as
    if stomata did not shut, and a last round leaves stomata as they are: then there is one
    temperature, and it is always found.
    """
    x = ca.SX.sym("x")
    dry = MOLAR_HEAT_CAPACITY * leaf.heat + leaf.seen * radiated_slope(w.tas)
    gain = surplus(leaf, gas_exchange(leaf, x, w, p).vapour, x, w)
    temperature = newton(gain, x, w.tas, COUPLED_STEPS, _SHARE_OF_DRY * dry)
    gases = gas_exchange(leaf, temperature, w, p)
    gain = surplus(leaf, gases.vapour, x, w)
    return newton(gain, x, temperature, LAST_STEPS, 0.0), gases


def surplus(leaf, vapour, temperature, w):
    """Return the heat that leaves gain at a temperature."""
    flows = heat_exchange(leaf, vapour, temperature, w)
    return flows.net_radiation - flows.sensible - flows.latent


def newton(value, x, start, steps: int, least):
    """Return where a falling function of x is zero, after some steps of Newton's method.

    Parameters
    ----------
    value, x
        The function's value as a formula of the symbol x.
    start
        First guess.
    least
        How steeply the function counts as falling at least.
    """
    step = value / fmax(least, -ca.jacobian(value, x))
    for _ in range(steps):
        start = start + ca.substitute(step, x, start)
    return start


def fluorescence(used, light, temperature, vcmax25):
    """Return sun-induced fluorescence at 755 nm, mW m-2 nm-1 sr-1, as seen from above.

    Yield of van der Tol et al. (2014, J. Geophys. Res. Biogeosci. 119, 2312) for plants without
    stress, with the least thermal dissipation of the SCOPE model (0.8738); from all leaves to a
    spectrometer as in Lee et al. (2015, Glob. Change Biol. 21, 3469).

    Parameters
    ----------
    used
        Rate of photosynthesis over the rate at which it would be limited by light alone.
    vcmax25
        Of leaves at the top.
    """
    spared = fmin(1.0, fmax(1e-6, 1.0 - used))
    raised = exp(2.83 * log(spared))
    adjustable = 2.48 * (1.0 + 0.114) * raised / (0.114 + raised)
    emitting, photochemical = 0.05, 4.0
    thermal = fmax(0.8738, 0.0301 * temperature + 0.0773)
    best = photochemical / (emitting + thermal + photochemical)
    closed = emitting / (emitting + thermal + adjustable)
    emitted = light * closed * (1.0 - best * (1.0 - spared))
    return emitted / (0.045 * vcmax25 + 7.85)
