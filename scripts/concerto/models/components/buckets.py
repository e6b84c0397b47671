"""Water and energy of a snow pack, two soil layers and groundwater, at steps of a day or more.

Snow melts by degree-days. Rain is caught by leaves, the rest enters a surface layer that dries by
evaporation and leaks to the root zone, which plants drink from and which feeds groundwater.
Transpiration is Penman-Monteith (Monteith 1965) with a canopy conductance that photosynthesis asks
for (Medlyn et al. 2011); the ground evaporates by Priestley & Taylor (1972). Stores are in mm,
water fluxes in mm d-1, energy fluxes in W m-2.

Stated neglect: frozen soil, capillary rise, the heat stored in soil and canopy between steps, the
albedo of snow, condensation.
"""

from __future__ import annotations

from casadi import exp, fmax, fmin, sqrt

from concerto.models.components import _air as air
from concerto.models.components._stores import lost, taken

DRIVERS = {
    "tasmin": "degC",
    "tasmax": "degC",
    "rsds": "MJ m-2 d-1",
    "vpd": "Pa",
    "pr": "mm d-1",
    "co2": "ppm",
}
POOLS = dict.fromkeys(("w_snow", "w_surface", "w_root", "w_ground"), "mm")
OUTPUTS = (
    dict.fromkeys(
        (
            "et", "transpiration", "ground_evaporation", "interception", "sublimation",
            "snowfall", "snow_melt", "runoff", "surface_runoff", "base_flow", "drainage",
            "precipitation",
        ),
        "mm d-1",
    )
    | dict.fromkeys(("net_radiation", "latent_heat", "sensible_heat", "melt_heat"), "W m-2")
    | {
        "canopy_conductance": "m s-1",
        "skin_temperature": "degC",
        "soil_moisture_surface": "1",
        "soil_moisture_root": "1",
        "water_storage": "mm",
    }
)  # fmt: skip
BALANCES = {
    "water": (tuple(POOLS), ("precipitation",), ("et", "runoff")),
    "energy": ((), ("net_radiation",), ("latent_heat", "sensible_heat", "melt_heat")),
}

SURFACE_DEPTH = 100.0  # mm of soil that satellites see and that dries first
EXTINCTION = 0.5  # of radiation by leaves (Monsi & Saeki 1953)
_PRIESTLEY_TAYLOR = 1.26
_SNOW_COVER = 10.0  # mm of snow that cover half of the ground
_SNOW_RANGE = 1.0  # K over which rain turns into snow
_MOLAR_MASS = 12.011  # gC mol-1
_NIL = 1e-30


def start(p):
    """Return the stores at the start."""
    return {name: getattr(p, name.replace("w_", "initial_") + "_water") for name in POOLS}


def stress(pools, p):
    """Return the factor of photosynthesis, 1 where the root zone is wet and 0 where it is dry.

    At the critical wetness itself the derivative is that of the wet side.
    """
    return fmin(1.0, pools.w_root / (p.critical_wetness * p.root_capacity))


def moisture(pools, p):
    """Return the factor of litter and soil decay, 1 where the surface layer is full."""
    wetness = fmin(1.0, pools.w_surface / p.surface_capacity)
    return 1.0 - p.moisture_sensitivity * (1.0 - wetness)


def advance(pools, lai, gpp, p, w):
    """Advance the stores by one step.

    Parameters
    ----------
    pools
        Stores at the start.
    lai, gpp
        Leaf area index; photosynthesis (gC m-2 d-1) that the leaves open for.

    Returns
    -------
    stores, fluxes
        The stores of ``POOLS`` at the end; the values of ``OUTPUTS``.
    """
    temperature = 0.5 * (w.tasmin + w.tasmax)
    heat = air.vaporisation(temperature)
    open_sky = exp(-EXTINCTION * lai)  # share of radiation that leaves let through
    net = _net_radiation(p, w)
    conductance, wanted = _transpiration(gpp, net * (1.0 - open_sky), temperature, p, w)
    ground = _ground_evaporation(net * open_sky, temperature, p, w)

    frozen = 1.0 / (1.0 + exp((temperature - p.snow_temperature) / (0.25 * _SNOW_RANGE)))
    snowfall = w.pr * frozen
    rain = w.pr - snowfall
    intercepted = p.interception_share * (1.0 - open_sky) * rain

    snow = pools.w_snow + snowfall * w.step
    snowy = snow / (snow + _SNOW_COVER)
    sublimed = taken(snow, ground * snowy * heat / (heat + air.FUSION), w)
    snow = snow - sublimed * w.step
    melt = taken(snow, p.melt_rate * fmax(0.0, temperature), w)
    snow = snow - melt * w.step

    arriving = rain - intercepted + melt
    wetness = fmin(1.0, pools.w_root / p.root_capacity)
    overland = arriving * (wetness * wetness)
    surface = pools.w_surface + (arriving - overland) * w.step
    dampness = fmin(1.0, pools.w_surface / p.surface_capacity)
    evaporated = taken(surface, ground * (1.0 - snowy) * dampness, w)
    surface = surface - evaporated * w.step
    leak = _drained(surface, p.surface_drainage, p.surface_capacity, w)
    surface = surface - leak * w.step

    root = pools.w_root + leak * w.step
    transpired = taken(root, wanted, w)
    root = root - transpired * w.step
    drainage = _drained(root, p.root_drainage, p.root_capacity, w)
    root = root - drainage * w.step

    filled = pools.w_ground + drainage * w.step
    base = filled * lost(p.base_flow, w)
    stores = {
        "w_snow": snow,
        "w_surface": surface,
        "w_root": root,
        "w_ground": filled - base * w.step,
    }

    liquid = intercepted + evaporated + transpired
    per_second = 1.0 / air.SECONDS
    latent = (heat * liquid + (heat + air.FUSION) * sublimed) * per_second
    melting = air.FUSION * melt * per_second
    sensible = net - latent - melting
    capacity = air.HEAT_CAPACITY * air.density(air.pressure(w.elevation), temperature)
    return stores, stores | {
        "et": liquid + sublimed, "transpiration": transpired, "ground_evaporation": evaporated,
        "interception": intercepted, "sublimation": sublimed, "precipitation": w.pr,
        "snowfall": snowfall, "snow_melt": melt, "runoff": overland + base,
        "surface_runoff": overland, "base_flow": base, "drainage": drainage,
        "net_radiation": net, "latent_heat": latent, "sensible_heat": sensible,
        "melt_heat": melting, "canopy_conductance": conductance,
        "skin_temperature": temperature + sensible / (capacity * p.aerodynamic_conductance),
        "soil_moisture_surface": surface / SURFACE_DEPTH,
        "soil_moisture_root": root * p.porosity / p.root_capacity,
        "water_storage": snow + surface + root + stores["w_ground"],
    }  # fmt: skip


def _net_radiation(p, w):
    """Return the radiation that the surface keeps, W m-2 (Allen et al. 1998, eqs 37-40)."""
    shortwave = w.rsds * (1e6 / air.SECONDS)
    clear = (0.75 + 2e-5 * w.elevation) * air.top_of_atmosphere(w.day_of_year, w.latitude)
    vapour = air.saturation(0.5 * (w.tasmin + w.tasmax)) - w.vpd
    longwave = air.net_longwave(w.tasmin, w.tasmax, shortwave, vapour, clear)
    return (1.0 - p.albedo) * shortwave - longwave


def _transpiration(gpp, net, temperature, p, w):
    """Return the canopy conductance (m s-1) and the transpiration (mm d-1) that leaves ask for.

    Penman-Monteith (Monteith 1965) with the stomata of Medlyn et al. (2011, Glob. Change Biol. 17,
    2134), eq. 11 without its intercept: gc = 1.6 (1 + g1 / sqrt(D)) A / ca. Both are so written
    that neither air without deficit nor leaves without photosynthesis divide by zero.
    """
    air_pressure = air.pressure(w.elevation)
    volume = air.GAS_CONSTANT * (temperature + air.CELSIUS) / air_pressure  # m3 mol-1
    root = sqrt(fmax(0.0, w.vpd) / 1000.0)  # kPa**0.5
    assimilation = gpp * (1.0 / (_MOLAR_MASS * air.SECONDS))  # mol m-2 s-1
    opening = assimilation * (1.6 * volume * (p.stomatal_slope + root))
    closing = w.co2 * 1e-6 * root
    slope, gamma = air.saturation_slope(temperature), air.psychrometric(air_pressure, temperature)
    drying = air.density(air_pressure, temperature) * air.HEAT_CAPACITY * w.vpd
    available = slope * net + drying * p.aerodynamic_conductance
    asked = (
        available
        * opening
        / ((slope + gamma) * opening + gamma * p.aerodynamic_conductance * closing + _NIL)
    )
    per_day = air.SECONDS / air.vaporisation(temperature)
    return opening / (closing + 1e-3 * w.co2 * 1e-6), fmax(0.0, asked) * per_day


def _ground_evaporation(net, temperature, p, w):
    """Return what wet ground would evaporate, mm d-1 (Priestley & Taylor 1972, eq. 5)."""
    slope = air.saturation_slope(temperature)
    gamma = air.psychrometric(air.pressure(w.elevation), temperature)
    equilibrium = slope / (slope + gamma) * (air.SECONDS / air.vaporisation(temperature))
    return p.ground_evaporation_share * _PRIESTLEY_TAYLOR * equilibrium * fmax(0.0, net)


def _drained(store, scale, capacity, w):
    """Return what drains (mm d-1): d store/dt = -store**2 / scale, and all above the capacity."""
    slow = store * store / (scale + store * w.step)
    return slow + fmax(0.0, store - slow * w.step - capacity) / w.step
