"""Phenology by two yearly pulses, of labile release and of leaf fall.

Bloom & Williams (2015, Biogeosciences 12, 1299), eqs A5-A7. The season is a phase of the calendar
year, so that pulses do not drift.
"""

from __future__ import annotations

import math

from casadi import cos, exp, log, sin

DRIVERS: dict[str, str] = {}

_LABILE_LIFE_SPAN = 1.001  # yr: the labile pool is all released once a year
_YEAR = 365.25  # d
_PHASE = _YEAR / math.pi  # d: sin(t / _PHASE)**2 has a period of one year
_OFFSET = (
    2.359978471e-5, 3.32730053021e-4, 9.01865258885e-4, -5.437736864888e-3,
    -2.0836027517787e-2, 0.126972018064287, -0.188459767342504,
)  # fmt: skip


def rates(p, w):
    """Return the daily rates (d-1) of labile release and of leaf fall."""
    return (
        _pulse(_LABILE_LIFE_SPAN, p.release_day, p.release_period, w),
        _pulse(p.leaf_life_span, p.fall_day, p.fall_period, w),
    )


def _pulse(life_span, day, period, w):
    logarithm = log(life_span - 1.0)
    turnover = 0.5 * (log(life_span) - logarithm)
    width = period * (math.sqrt(2.0) / 2.0)
    offset = 0.0
    for coefficient in _OFFSET:
        offset = offset * logarithm + coefficient
    phase = (day - width * offset) / _PHASE
    sharpness = _PHASE / width
    season = w.year_fraction * (_YEAR / _PHASE)
    # sin(season - phase) / width, so written that no sine is left in the step
    distance = sin(season) * (sharpness * cos(phase)) - cos(season) * (sharpness * sin(phase))
    return (2.0 / math.sqrt(math.pi) * turnover / width) * exp(-(distance * distance))
