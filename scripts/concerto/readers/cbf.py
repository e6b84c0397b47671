"""CARDAMOM binary files (.cbf): monthly drivers and observations of one place.

Little-endian float64; -9999 is missing. Values 0 to 99 are a header: format, latitude of the middle
of the cell of the drivers, number of steps, of drivers, of observations, and settings of CARDAMOM;
100 to 299 are priors of CARDAMOM, which are not read. From 300 on there are for each step its
drivers, then its observations (Bloom et al. 2020, Biogeosciences 17, 6393; files of CARDAMOM 2.2).

Steps are a twelfth of a year, here taken as calendar months. The net exchange of biomes (NBE) of a
tower is its NEE. Temperature is the mean of its lowest and highest. Observations have no errors:
the source's own file states them under ``tables: {FILE: {start: FIRST MONTH, errors: {STREAM:
{relative: R, minimum: M}}}}``, M in the unit of the cubes, the larger of the two.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import MONTH
from concerto.errors import InputError
from concerto.readers import _common

log = logging.getLogger(__name__)

FORMAT = 1005
HEADER_VALUES = 300
BYTES = 8
DRIVERS = (
    "days", "temperature, lowest", "temperature, highest", "shortwave radiation", "CO2",
    "day of year", "burned fraction", "vapour pressure deficit", "precipitation",
)  # fmt: skip
OBSERVATIONS = ("GPP", "LAI", "NBE", "ABGB", "ET")
"""The first that there may be; what follows is not read."""
MEANINGS = {
    "tasmin": ("temperature, lowest", "degC"),
    "tasmax": ("temperature, highest", "degC"),
    "rsds": ("shortwave radiation", "MJ m-2 d-1"),
    "co2": ("CO2", "ppm"),
    "vpd": ("vapour pressure deficit", "hPa"),
    "pr": ("precipitation", "mm d-1"),
    "gpp": ("GPP", "gC m-2 d-1"),
    "lai": ("LAI", "m2 m-2"),
    "nee": ("NBE", "gC m-2 d-1"),
    "total_biomass": ("ABGB", "gC m-2"),
    "et": ("ET", "mm d-1"),
}
STREAMS = ("nee", "gpp", "et", "lai", "total_biomass")
_FARTHEST_DEGREES = 0.5
_STEP_DAYS = 365.25 / 12.0
_MOST_DAYS_OFF = 2.0


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read one record; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file.
    site
        The site's configuration (``latitude``).
    spec
        ``start``, the first month as a date, and ``errors`` of each stream.

    Raises
    ------
    InputError
        If the file is absent, of another size or format than its header says, of another latitude
        than the site, not of months since ``start``, or a stream has no error stated.
    """
    for key in ("start", "errors"):
        if key not in spec:
            raise InputError(path, key, "nothing", "a declaration in the source's `tables`")
    columns = _columns(path, site)
    starts = _starts(columns, path, pd.Timestamp(spec["start"]))
    columns["burned fraction"] /= starts.days_in_month.to_numpy()
    variables = {
        name: _common.variable(columns[column], name, unit, path, column)
        for name, (column, unit) in MEANINGS.items()
    }
    variables["burned_area_fraction"] = _common.variable(
        columns["burned fraction"], "burned_area_fraction", "d-1", path, "burned fraction"
    )
    variables["tas"] = _common.variable(
        (columns["temperature, lowest"] + columns["temperature, highest"]) / 2.0,
        "tas", "degC", path, "mean of lowest and highest temperature",
    )  # fmt: skip
    for name in STREAMS:
        variables[f"{name}_random"] = _error(variables[name], name, spec["errors"], path)
    seen = {name: int(np.isfinite(variables[name]).sum()) for name in STREAMS}
    log.info("%s: %d months, of which have values: %s", path.name, len(starts), seen)
    return xr.Dataset(variables, {"time": starts.as_unit("s").to_numpy()}, attrs={"step": "month"})


def _columns(path: Path, site: Mapping) -> dict[str, np.ndarray]:
    """Return drivers and observations by name, (step,) each, NaN where missing."""
    values = _values(path)
    n_steps, n_drivers, n_observations = (
        _whole(values[k], path, name)
        for k, name in ((2, "number of steps"), (3, "number of drivers"), (4, "number of streams"))
    )
    _expect(path, "format", values[0], FORMAT)
    _expect(path, "number of drivers", n_drivers, len(DRIVERS))
    if n_observations < len(OBSERVATIONS):
        raise InputError(path, "number of streams", n_observations, f"at least {len(OBSERVATIONS)}")
    wide = n_drivers + n_observations
    _expect(path, "size in bytes", BYTES * len(values), BYTES * (HEADER_VALUES + n_steps * wide))
    if abs(values[1] - site["latitude"]) > _FARTHEST_DEGREES:
        raise InputError(
            path, "latitude", f"{values[1]:g} degrees north",
            f"the site's {site['latitude']:g}, but for {_FARTHEST_DEGREES:g}",
        )  # fmt: skip
    table = values[HEADER_VALUES:].reshape(n_steps, wide)
    table = np.where(table == _common.MISSING, np.nan, table)
    for k in range(len(DRIVERS) + len(OBSERVATIONS), wide):
        if (found := np.isfinite(table[:, k]).sum()) > 0:
            log.warning("%s: %d values of stream %d are not read", path.name, found, k - n_drivers)
    names = (*DRIVERS, *OBSERVATIONS)
    return {name: table[:, k].copy() for k, name in enumerate(names)}


def _values(path: Path) -> np.ndarray:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "file", "nothing", "a CARDAMOM binary file") from None
    if len(content) < BYTES * HEADER_VALUES or len(content) % BYTES:
        expected = f"whole numbers of {BYTES} bytes, at least {HEADER_VALUES}"
        raise InputError(path, "size in bytes", len(content), expected)
    return np.frombuffer(content, "<f8").astype(float)


def _whole(value: float, path: Path, field: str) -> int:
    if not (value == round(value, 0) and value > 0):
        raise InputError(path, field, f"{value:g}", "a whole number above 0")
    return int(value)


def _expect(path: Path, field: str, found: float, expected: int) -> None:
    if found != expected:
        raise InputError(path, field, f"{found:g}", expected)


def _starts(columns: Mapping[str, np.ndarray], path: Path, start: pd.Timestamp) -> pd.DatetimeIndex:
    """Return the months of the steps, whose stamps are in the middle of twelfths of a year."""
    days = columns["days"]
    expected = _STEP_DAYS * (np.arange(len(days)) + 0.5)
    wrong = ~(np.abs(days - expected) < _MOST_DAYS_OFF)
    if wrong.any():
        k = int(np.argmax(wrong))
        found = f"day {days[k]:g} since {start:%Y-%m-%d} at step {k + 1}"
        raise InputError(path, "days", found, f"day {expected[k]:.1f}, the middle of a month")
    return pd.date_range(start, periods=len(days), freq=MONTH)


def _error(values: xr.DataArray, name: str, errors: Mapping, path: Path) -> xr.DataArray:
    if name not in errors:
        raise InputError(path, name, "no error", "one under `errors` in its declaration")
    return _common.stated_error(values, name, errors[name])
