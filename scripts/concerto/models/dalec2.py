"""DALEC2: six carbon pools, canopy photosynthesis by the Aggregated Canopy Model.

Sources: Williams et al. (1997, Ecol. Appl. 7, 882) for ACM; Williams et al. (2005, Glob. Change
Biol. 11, 89) for DALEC; Bloom & Williams (2015, Biogeosciences 12, 1299), with the phenology of
their appendix, and Bloom et al. (2016, PNAS 113, 1285) for DALEC2 with fire.

Pools in gC m-2, fluxes in gC m-2 d-1, NEE and NBE positive to the atmosphere. The scalar functions
here know nothing of lanes; :mod:`concerto.models.kernels.lanes` places them.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
from numba import njit

from concerto.models.kernels.elementary import FASTMATH, exp, log

POOLS = ("c_labile", "c_leaf", "c_root", "c_wood", "c_litter", "c_soil")
OUTPUTS = (
    "gpp", "reco", "nee", "nbe", "lai",
    "autotrophic_respiration", "litter_respiration", "soil_respiration", "fire_emission",
    "labile_allocation", "leaf_allocation", "root_allocation", "wood_allocation",
    "labile_release", "leaf_fall", "root_turnover", "wood_turnover", "litter_decomposition",
    *POOLS,
)  # fmt: skip
OUTPUT_UNITS = dict.fromkeys(OUTPUTS, "gC m-2 d-1") | dict.fromkeys(POOLS, "gC m-2") | {"lai": "1"}
DRIVERS = {
    "tasmin": "degC",
    "tasmax": "degC",
    "rsds": "MJ m-2 d-1",
    "co2": "ppm",
    "burned_area_fraction": "d-1",
}
INFLOWS = {
    "c_labile": ("labile_allocation",),
    "c_leaf": ("leaf_allocation", "labile_release"),
    "c_root": ("root_allocation",),
    "c_wood": ("wood_allocation",),
    "c_litter": ("leaf_fall", "root_turnover"),
    "c_soil": ("litter_decomposition", "wood_turnover"),
}
"""Outputs that fill each pool; what empties it is the remainder of its balance."""

# ACM (Williams et al. 1997, table 2; values of Bloom & Williams 2015)
_WATER_POTENTIAL = 2.0  # MPa, soil minus minimum leaf water potential
_HYDRAULIC_RESISTANCE = 1.0
_ACM_THETA = 4.22273  # ppm
_ACM_K = 208.868  # ppm
_LABILE_LIFE_SPAN = 1.001  # yr: the labile pool is all released once a year
_YEAR = 365.25  # d
_PHASE = _YEAR / math.pi  # d: sin(t / _PHASE)**2 has a period of one year
_FALL_OFFSET = (
    2.359978471e-5, 3.32730053021e-4, 9.01865258885e-4, -5.437736864888e-3,
    -2.0836027517787e-2, 0.126972018064287, -0.188459767342504,
)  # fmt: skip
_TINY = 1e-300  # keeps 0/0 of a leafless night at 0

# fire (Bloom et al. 2016): share of a burned pool that is combusted; of the rest, half survives
_COMBUSTED = dict(zip(POOLS, (0.1, 0.9, 0.1, 0.1, 0.5, 0.01), strict=True))
_RESILIENCE = 0.5

Constants = namedtuple(
    "Constants",
    "litter_decomposition respired leaf_share root_share labile_share wood_turnover root_turnover "
    "litter_respiration soil_respiration temperature_sensitivity canopy_efficiency leaf_area "
    "release_peak release_sin release_cos fall_peak fall_sin fall_cos",
)
Weather = namedtuple(
    "Weather",
    "step per_step temperature light co2 conductance canopy_demand day_factor "
    "season_sin season_cos burned",
)


def prepare_weather(drivers: dict[str, np.ndarray], day_of_year, days_in_year, step, latitude):
    """Compute everything in a step that depends on the weather and the calendar alone.

    Parameters
    ----------
    drivers
        The variables of ``DRIVERS``, each (time,), in the units given there.
    day_of_year
        (time,) day of year at mid-step, 0.5 for the noon of 1 January.
    days_in_year
        (time,) 365 or 366: the season is a phase of the calendar year and does not drift.
    step
        Length of a step, d.
    latitude
        Degrees north.

    Returns
    -------
    numpy.ndarray
        (time, len(Weather._fields)).
    """
    range_half = 0.5 * (drivers["tasmax"] - drivers["tasmin"])
    conductance = _WATER_POTENTIAL**0.789798 / (0.37836 * _HYDRAULIC_RESISTANCE + range_half)
    season = day_of_year / days_in_year * _YEAR / _PHASE
    day_factor = 0.0156935 * day_length(day_of_year, latitude) + 0.0453194
    columns = Weather(
        step=np.full(len(day_of_year), float(step)),
        per_step=np.full(len(day_of_year), 1.0 / step),
        temperature=0.5 * (drivers["tasmin"] + drivers["tasmax"]),
        light=drivers["rsds"],
        co2=drivers["co2"],
        conductance=conductance,
        canopy_demand=np.exp(0.011136 * drivers["tasmax"]) / conductance,
        day_factor=day_factor,
        season_sin=np.sin(season),
        season_cos=np.cos(season),
        burned=drivers["burned_area_fraction"] * step,
    )
    return np.ascontiguousarray(np.stack(columns, axis=1))


def day_length(day_of_year, latitude):
    """Return the hours between sunrise and sunset: 0 in the polar night, 24 in the polar day."""
    declination = -math.radians(23.4) * np.cos(2.0 * math.pi * (day_of_year + 10.0) / 365.0)
    cosine = -math.tan(math.radians(latitude)) * np.tan(declination)
    return 24.0 / math.pi * np.arccos(np.clip(cosine, -1.0, 1.0))


def prepare_parameters(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split parameters into initial pools and the constants of the step.

    Parameters
    ----------
    parameters
        (member, 23) in the order and units of ``config/models/dalec2.yaml``.

    Returns
    -------
    pools, constants
        (member, 6) gC m-2 and (member, len(Constants._fields)).
    """
    (
        litter_decomposition, respired, leaf_share, root_share, labile_share, life_span,
        wood_turnover, root_turnover, litter_respiration, soil_respiration, sensitivity,
        efficiency, release_day, release_period, fall_day, fall_period, leaf_carbon, *pools,
    ) = parameters.T  # fmt: skip
    release = _phenology(np.full_like(life_span, _LABILE_LIFE_SPAN), release_day, release_period)
    fall = _phenology(life_span, fall_day, fall_period)
    constants = Constants(
        litter_decomposition, respired, leaf_share, root_share, labile_share, wood_turnover,
        root_turnover, litter_respiration, soil_respiration, sensitivity, efficiency,
        1.0 / leaf_carbon, *release, *fall,
    )  # fmt: skip
    return np.stack(pools, axis=1), np.stack(constants, axis=1)


def _phenology(life_span, day, period):
    """Peak rate (d-1) and the sine and cosine of the phase, each divided by the pulse's width.

    A yearly pulse of Bloom & Williams (2015, eqs A5-A7): with the season and the pulse's phase as
    angles, rate = peak exp(-(sin(season - phase) / width)^2).
    """
    logarithm = np.log(life_span - 1.0)
    turnover = 0.5 * (np.log(life_span) - logarithm)
    width = period * math.sqrt(2.0) / 2.0
    offset = width * np.polyval(_FALL_OFFSET, logarithm)
    phase = (day - offset) / _PHASE
    peak = 2.0 / math.sqrt(math.pi) * turnover / width
    sharpness = _PHASE / width
    return peak, sharpness * np.sin(phase), sharpness * np.cos(phase)


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def photosynthesis(lai, efficiency, w):
    """Return GPP, gC m-2 d-1, by ACM (Williams et al. 1997, eqs 1-7), foliar nitrogen 1 gN m-2."""
    demand = lai * efficiency * w.canopy_demand
    q = _ACM_THETA - _ACM_K
    level = w.co2 + q - demand
    inside = 0.5 * (level + math.sqrt(level * level - 4.0 * (w.co2 * q - _ACM_THETA * demand)))
    squared = lai * lai
    light = 7.19298 * squared / (squared + 2.1001) * w.light
    supply = w.conductance * (w.co2 - inside)
    return light * supply / (light + supply + _TINY) * w.day_factor


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def pulse(peak, phase_sin, phase_cos, w):
    """Return the rate (d-1) of a yearly pulse at the season of ``w``."""
    distance = w.season_sin * phase_cos - w.season_cos * phase_sin
    return peak * exp(-distance * distance)


_BURN = tuple(_COMBUSTED[pool] for pool in POOLS)
_KILL = tuple((1.0 - combusted) * (1.0 - _RESILIENCE) for combusted in _BURN)


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def burn(pools, burned):
    """Burn a fraction of the ground (Bloom et al. 2016).

    Returns the pools and the emission, gC m-2. Killed labile, leaf and root carbon becomes litter;
    killed wood and litter becomes soil carbon; soil carbon that is not combusted stays.
    """
    labile, leaf, root, wood, litter, soil = pools
    emission = burned * (
        _BURN[0] * labile + _BURN[1] * leaf + _BURN[2] * root
        + _BURN[3] * wood + _BURN[4] * litter + _BURN[5] * soil
    )  # fmt: skip
    dead_labile = burned * _KILL[0] * labile
    dead_leaf = burned * _KILL[1] * leaf
    dead_root = burned * _KILL[2] * root
    dead_wood = burned * _KILL[3] * wood
    dead_litter = burned * _KILL[4] * litter
    return (
        labile - burned * _BURN[0] * labile - dead_labile,
        leaf - burned * _BURN[1] * leaf - dead_leaf,
        root - burned * _BURN[2] * root - dead_root,
        wood - burned * _BURN[3] * wood - dead_wood,
        litter - burned * _BURN[4] * litter + dead_labile + dead_leaf + dead_root - dead_litter,
        soil - burned * _BURN[5] * soil + dead_wood + dead_litter,
    ), emission


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def _lost_daily(rate, w):
    return rate


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def _lost(rate, w):
    """Return the mean loss (d-1) over a step of a pool that loses ``rate`` every day."""
    return (1.0 - exp(w.step * log(1.0 - rate))) * w.per_step


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def _lost_both_daily(first, second, w):
    return first, second


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def _lost_both(first, second, w):
    """Return the mean losses (d-1) over a step of a pool that loses two rates every day.

    The reference takes each loss as if the other were not there, which over a warm month can empty
    litter below zero; here they share what is lost in proportion.
    """
    together = first + second
    share = _lost(together, w) / together
    return first * share, second * share


def _make_step(lost, lost_both):
    @njit(inline="always", fastmath=FASTMATH, error_model="numpy")
    def step(pools, constants, weather):
        """Advance the six pools by one step.

        Parameters
        ----------
        pools
            (c_labile, c_leaf, c_root, c_wood, c_litter, c_soil), gC m-2.
        constants, weather
            One row of :func:`prepare_parameters` and of :func:`prepare_weather`.

        Returns
        -------
        pools, outputs
            The pools at the end of the step; the values of ``OUTPUTS``. LAI is that at its start.
        """
        labile, leaf, root, wood, litter, soil = pools
        p = Constants(*constants)
        w = Weather(*weather)
        dt = w.step

        lai = leaf * p.leaf_area
        gpp = photosynthesis(lai, p.canopy_efficiency, w)
        autotrophic = p.respired * gpp
        growth = gpp - autotrophic
        to_leaf = p.leaf_share * growth
        to_labile = p.labile_share * (growth - to_leaf)
        to_root = p.root_share * (growth - to_leaf - to_labile)
        to_wood = growth - to_leaf - to_labile - to_root

        warmth = exp(p.temperature_sensitivity * w.temperature)
        release = labile * lost(pulse(p.release_peak, p.release_sin, p.release_cos, w), w)
        fall = leaf * lost(pulse(p.fall_peak, p.fall_sin, p.fall_cos, w), w)
        root_loss = root * lost(p.root_turnover, w)
        wood_loss = wood * lost(p.wood_turnover, w)
        respired_rate, decomposed_rate = lost_both(
            p.litter_respiration * warmth, p.litter_decomposition * warmth, w
        )
        litter_respired = litter * respired_rate
        decomposed = litter * decomposed_rate
        soil_respired = soil * lost(p.soil_respiration * warmth, w)

        labile += (to_labile - release) * dt
        leaf += (to_leaf + release - fall) * dt
        root += (to_root - root_loss) * dt
        wood += (to_wood - wood_loss) * dt
        litter += (fall + root_loss - litter_respired - decomposed) * dt
        soil += (decomposed + wood_loss - soil_respired) * dt
        (labile, leaf, root, wood, litter, soil), burned = burn(
            (labile, leaf, root, wood, litter, soil), w.burned
        )
        fire = burned * w.per_step

        reco = autotrophic + litter_respired + soil_respired
        nee = reco - gpp
        return (labile, leaf, root, wood, litter, soil), (
            gpp, reco, nee, nee + fire, lai,
            autotrophic, litter_respired, soil_respired, fire,
            to_labile, to_leaf, to_root, to_wood,
            release, fall, root_loss, wood_loss, decomposed,
            labile, leaf, root, wood, litter, soil,
        )  # fmt: skip

    return step


step = _make_step(_lost, _lost_both)
daily_step = _make_step(_lost_daily, _lost_both_daily)
"""The step for a length of one day, where the loss over a step is the daily rate itself."""
