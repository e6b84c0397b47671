"""A canopy through the day: sunlit leaves, shaded leaves and the soil surface, each in balance.

Radiation of :mod:`concerto.models.components._radiation`, leaves of
:mod:`concerto.models.components._leaf`. Leaf area is given. Simple on purpose, and to be known:

- turbulence does not depend on stability; each class of leaves has its share of it by leaf area;
- the soil is one slab that exchanges heat with nothing below; it does not freeze and there is no
  snow; its surface evaporates through a constant resistance, however wet it is;
- no leaf is wet, and no drought closes stomata but that of the air.

Carbon in gC m-2 d-1, NEE positive to the atmosphere; energy in W m-2, heat positive away from the
surface, ground heat positive into the soil. Meant for steps of an hour or less.
"""

from __future__ import annotations

from types import SimpleNamespace

from casadi import exp, fmax, log, sqrt

from concerto.models.components import _air as air
from concerto.models.components import _leaf as leaves
from concerto.models.components import _radiation as radiation
from concerto.units import MOLAR_MASS_CARBON

POOLS = {"soil_temperature": "degC"}
OUTPUTS = {
    "gpp": "gC m-2 d-1",
    "reco": "gC m-2 d-1",
    "nee": "gC m-2 d-1",
    "net_radiation": "W m-2",
    "le": "W m-2",
    "h": "W m-2",
    "ground_heat": "W m-2",
    "sunlit_temperature": "degC",
    "shaded_temperature": "degC",
    "lst": "degC",
    "sif": "mW m-2 nm-1 sr-1",
    "apar": "umol m-2 s-1",
    "canopy_conductance": "mol m-2 s-1",
    "lai": "1",
}
DRIVERS = {
    "tas": "degC",
    "vpd": "Pa",
    "rsds": "W m-2",
    "rlds": "W m-2",
    "ps": "Pa",
    "wind": "m s-1",
    "co2": "ppm",
    "lai": "1",
    "solar_offset": "h",
}

_GRAMS = MOLAR_MASS_CARBON * 1e-6 * air.SECONDS  # gC m-2 d-1 in a umol m-2 s-1
_PHOTONS = 4.57  # umol J-1 of sunlight from 400 to 700 nm (McCree 1972)
_PAR_SHARE = 0.45  # of shortwave radiation (Meek et al. 1984)
_PAR_SCATTERING = 0.15  # de Pury & Farquhar (1997), table 2
_SOIL_REFLECTANCE = 0.10, 0.20  # PAR, NIR, of moist soil (Oleson et al. 2013)
_LEAST_LAI = 0.01  # below, the canopy is as if it had so much
_LEAST_GUST = 0.5  # m s-1
_MIXED_LAYER = 1000.0  # m (Beljaars 1995)
_HEATING_SHARE = 0.3  # of shortwave radiation, that warms the air
_GRAVITY = 9.81  # m s-2
_HEAT_LAYER, _VAPOUR_LAYER = 0.378, 0.206  # mol m-2 s-1 of a 1 m leaf at 1 m s-1
_LEAF_SHARE = 0.72  # of a leaf's width: its characteristic dimension (Campbell & Norman 1998)
_UNDER_CANOPY = 0.004  # exchange between soil and air, in u* (Zeng et al. 2005)
_VON_KARMAN, _VISCOSITY, _SOIL_ROUGHNESS = 0.4, 1.5e-5, 0.01  # 1, m2 s-1, m


def start(p):
    """Return the pools at the start."""
    return {"soil_temperature": p.initial_soil_temperature}


def step(pools, p, w, parts):
    """Advance the soil by one step and report the fluxes during it.

    Parameters
    ----------
    pools, p, w
        Pools, parameters (``config/models/canopy.yaml``) and drivers, as attributes. Leaves and
        soil exchange radiation at the soil temperature of the step's start.
    parts
        Not used: the model has no exchangeable components.

    Returns
    -------
    pools, outputs
        The pools at the end of the step; the values of ``OUTPUTS``. Leaf temperatures are those of
        sunlit and shaded leaves; ``lst`` is that of a black surface that radiates as much upwards;
        ``canopy_conductance`` is that of stomata and cuticles for water vapour.
    """
    now = _conditions(w)
    cover = radiation.canopy(now.lai, now.sine, p.clumping)
    scene = _illuminate(cover, now, p)
    warmth = leaves.radiated(pools.soil_temperature)
    classes = _classes(cover, scene, warmth, now, p)
    temperatures, gases = zip(*(leaves.settle(leaf, now, p) for leaf in classes), strict=True)
    heats = [
        leaves.heat_exchange(leaf, gas.vapour, temperature, now)
        for leaf, gas, temperature in zip(classes, gases, temperatures, strict=True)
    ]
    emitted = [leaves.radiated(t) for t in temperatures]
    soil = _soil(pools.soil_temperature, warmth, scene, emitted, now, p)
    respired = sum(gas.respiration for gas in gases)
    gross = sum(gas.gross for gas in gases)
    below = p.soil_respiration_10 * _lloyd_taylor(pools.soil_temperature)
    upward = scene.gap * warmth + sum(
        share * light for share, light in zip(scene.sky, emitted, strict=True)
    )
    fluorescence = sum(
        leaves.fluorescence(gas.used, leaf.light, temperature, p.vcmax25)
        for leaf, gas, temperature in zip(classes, gases, temperatures, strict=True)
    )
    after = {"soil_temperature": soil.temperature}
    return after, after | {
        "gpp": _GRAMS * gross,
        "reco": _GRAMS * (respired + below),
        "nee": _GRAMS * (respired + below - gross),
        "net_radiation": soil.net_radiation + sum(heat.net_radiation for heat in heats),
        "le": soil.latent + sum(heat.latent for heat in heats),
        "h": soil.sensible + sum(heat.sensible for heat in heats),
        "ground_heat": soil.ground_heat,
        "sunlit_temperature": temperatures[0],
        "shaded_temperature": temperatures[1],
        "lst": sqrt(sqrt(upward / air.STEFAN_BOLTZMANN)) - air.CELSIUS,
        "sif": fluorescence,
        "apar": sum(leaf.light for leaf in classes),
        "canopy_conductance": sum(gas.conductance for gas in gases),
        "lai": w.lai,
    }


def _conditions(w):
    """Return the drivers with what follows from them alone."""
    sine = radiation.sine_of_elevation(w.day_of_year, w.latitude, w.solar_offset)
    diffuse = radiation.diffuse_fraction(w.rsds, sine, w.day_of_year)
    vaporisation = air.vaporisation(w.tas) * leaves.MOLAR_MASS_WATER
    return SimpleNamespace(
        tas=w.tas, ps=w.ps, co2=w.co2, lai=fmax(_LEAST_LAI, w.lai), step=w.step, sine=sine,
        beam=(1.0 - diffuse) * w.rsds, diffuse=diffuse * w.rsds, rlds=w.rlds,
        vapour_pressure=fmax(0.0, air.saturation(w.tas) - w.vpd),
        vaporisation=vaporisation,
        wind=_wind(w),
        molar_density=w.ps / (air.GAS_CONSTANT * (w.tas + air.CELSIUS)),
    )  # fmt: skip


def _wind(w):
    """Return the wind with the gusts of a sunny day, which carry heat and vapour when it is calm.

    Beljaars (1995, Q. J. R. Meteorol. Soc. 121, 255), with a share of the sunshine as heat.
    """
    warming = _HEATING_SHARE * w.rsds / (air.HEAT_CAPACITY * air.density(w.ps, w.tas))
    cubed = _GRAVITY / (w.tas + air.CELSIUS) * _MIXED_LAYER * fmax(0.0, warming)
    gust = 1.2 * cubed ** (1.0 / 3.0) + _LEAST_GUST
    return sqrt(w.wind * w.wind + gust * gust)


def _illuminate(cover, now, p):
    """Return the absorbed shortwave radiation of each class and of the soil, and their views."""
    bands = (
        (_PAR_SHARE, _PAR_SCATTERING, _SOIL_REFLECTANCE[0]),
        (1.0 - _PAR_SHARE, p.nir_scattering, _SOIL_REFLECTANCE[1]),
    )
    par, nir = (
        radiation.absorb(
            cover, share * now.beam, share * now.diffuse, scattering, reflectance, p.clumping
        )
        for share, scattering, reflectance in bands
    )
    sky, soil, gap = radiation.views(cover)
    return SimpleNamespace(
        light=[_PHOTONS * part for part in par[:2]],
        shortwave=[visible + infrared for visible, infrared in zip(par, nir, strict=True)],
        sky=sky, soil=soil, gap=gap,
    )  # fmt: skip


def _classes(cover, scene, warmth, now, p):
    """Return the sunlit and the shaded leaves.

    Capacity falls with depth as in Lloyd et al. (2010, Biogeosciences 7, 1833). The wind among
    leaves is the friction velocity; boundary layers of both sides for heat and of one for vapour
    are those of Campbell & Norman (1998, chapter 7) in turbulent air.
    """
    decline = exp(0.00963 * p.vcmax25 - 2.43)
    friction = p.friction_ratio * now.wind
    above = now.molar_density * p.friction_ratio * friction / now.lai
    layer = sqrt(friction / (_LEAF_SHARE * p.leaf_width))
    heat, vapour = (
        size * layer * above / (size * layer + above) for size in (_HEAT_LAYER, _VAPOUR_LAYER)
    )
    sunlit = radiation.within(decline + cover.beam, now.lai)
    areas = (cover.sunlit, now.lai - cover.sunlit)
    capacities = (sunlit, radiation.within(decline, now.lai) - sunlit)
    return [
        leaves.Leaf(
            area=area, vcmax25=p.vcmax25 * capacity, light=light,
            absorbed=shortwave + sky * now.rlds + soil * warmth, seen=sky + soil,
            heat=area * heat, vapour=area * vapour,
        )
        for area, capacity, light, shortwave, sky, soil in zip(
            areas, capacities, scene.light, scene.shortwave[:2], scene.sky, scene.soil, strict=True
        )
    ]  # fmt: skip


def _soil(temperature, warmth, scene, emitted, now, p):
    """Return the fluxes at the soil surface and its temperature at the end of the step.

    The slab keeps what the surface gains. Turbulent fluxes, linear in temperature around that of
    the start, are those at the end of the step, so that no step is too long for them. The air
    below leaves is as in Zeng et al. (2005, J. Climate 18, 1989).
    """
    friction = p.friction_ratio * now.wind
    reynolds = _SOIL_ROUGHNESS / _VISCOSITY * friction
    bare = _VON_KARMAN / 0.13 * exp(-0.45 * log(reynolds))
    air_exchange = _UNDER_CANOPY + (bare - _UNDER_CANOPY) * exp(-now.lai)
    heat = now.molar_density * friction / (1.0 / air_exchange + 1.0 / p.friction_ratio)
    vapour = heat * p.soil_conductance / (heat + p.soil_conductance)
    sensible_slope = leaves.MOLAR_HEAT_CAPACITY * heat
    latent_scale = now.vaporisation * vapour / now.ps
    latent_slope = latent_scale * air.saturation_slope(temperature)
    net_radiation = scene.shortwave[2] + scene.gap * (now.rlds - warmth)
    net_radiation += sum(
        share * (light - warmth) for share, light in zip(scene.soil, emitted, strict=True)
    )
    sensible = sensible_slope * (temperature - now.tas)
    latent = latent_scale * (air.saturation(temperature) - now.vapour_pressure)
    storage = p.soil_heat_capacity / (now.step * air.SECONDS)
    change = (net_radiation - sensible - latent) / (storage + sensible_slope + latent_slope)
    return SimpleNamespace(
        temperature=temperature + change,
        net_radiation=net_radiation,
        sensible=sensible + sensible_slope * change,
        latent=latent + latent_slope * change,
        ground_heat=storage * change,
    )


def _lloyd_taylor(temperature):
    """Return respiration relative to that at 10 degC (Lloyd & Taylor 1994, Funct. Ecol. 8, 315)."""
    kelvin = fmax(240.0, temperature + air.CELSIUS)
    return exp(308.56 * (1.0 / 56.02 - 1.0 / (kelvin - 227.13)))
