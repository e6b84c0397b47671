"""CARDAMOM's input files (.cbf, .cbf.nc): monthly drivers and observations of one place.

Their layout is that of :mod:`concerto.readers._cardamom`; what is for CARDAMOM alone, such as
priors of its parameters, is not used. Steps are a twelfth of a year, here taken as calendar months
(Bloom et al. 2020, Biogeosciences 17, 6393; files of CARDAMOM 2.2). The net exchange of biomes
(NBE) of a tower is its NEE. Temperature is the mean of its lowest and highest.

The source's own file says what a file does not, under ``tables: {FILE: {start: FIRST MONTH, errors:
{STREAM: {relative: R, minimum: M}}}}``: the month from which time counts where it has no units, and
errors of streams, M in the unit of the cubes, the larger of the two. Errors that it states prevail
over those that are in the file.
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
from concerto.readers._cardamom import DRIVERS, STREAMS, Cbf, read_cbf, read_cbf_nc

log = logging.getLogger(__name__)

WEATHER = {
    "tasmin": "T2M_MIN",
    "tasmax": "T2M_MAX",
    "rsds": "SSRD",
    "co2": "CO2",
    "vpd": "VPD",
    "pr": "TOTAL_PREC",
}
OBSERVED = {"nee": "NBE", "gpp": "GPP", "et": "ET", "lai": "LAI", "total_biomass": "ABGB"}
_FARTHEST_DEGREES = 0.5
_STEP_DAYS = 365.25 / 12.0
_MOST_DAYS_OFF = 2.0


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read one record; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file, of NetCDF if its name ends so.
    site
        The site's configuration (``latitude``).
    spec
        ``start``, the first month as a date, and ``errors`` of each stream, where the file does
        not say them.

    Raises
    ------
    InputError
        As the reader of the format; or if the file is of another latitude than the site, not of
        months, has no first month, or a stream has no error stated.
    """
    cbf = read_cbf_nc(path) if path.suffix == ".nc" else read_cbf(path)
    if not abs(cbf.latitude - site["latitude"]) <= _FARTHEST_DEGREES:
        raise InputError(
            path, "latitude", f"{cbf.latitude:g} degrees north",
            f"the site's {site['latitude']:g}, but for {_FARTHEST_DEGREES:g}",
        )  # fmt: skip
    starts = _starts(cbf, path, spec)
    variables = {
        name: _common.variable(cbf.drivers[given], name, DRIVERS[given][1], path, given)
        for name, given in WEATHER.items()
    }
    burned = cbf.drivers["BURNED_AREA"] / starts.days_in_month.to_numpy()
    variables["burned_area_fraction"] = _common.variable(
        burned, "burned_area_fraction", "d-1", path, "BURNED_AREA"
    )
    mean = (cbf.drivers["T2M_MIN"] + cbf.drivers["T2M_MAX"]) / 2.0
    variables["tas"] = _common.variable(mean, "tas", "degC", path, "mean of T2M_MIN and T2M_MAX")
    errors = spec.get("errors", {})
    for name, given in OBSERVED.items():
        if given in cbf.observations:
            values = _common.variable(cbf.observations[given], name, STREAMS[given], path, given)
            variables[name] = values
            variables[f"{name}_random"] = _error(values, name, errors, cbf, path)
    for given in (given for given in cbf.observations if given not in OBSERVED.values()):
        if (found := np.isfinite(cbf.observations[given]).sum()) > 0:
            log.warning("%s: %d values of %s are not read", path.name, found, given)
    seen = {name: int(np.isfinite(variables[name]).sum()) for name in OBSERVED if name in variables}
    log.info("%s: %d months, of which have values: %s", path.name, len(starts), seen)
    return xr.Dataset(variables, {"time": starts.as_unit("s").to_numpy()}, attrs={"step": "month"})


def _starts(cbf: Cbf, path: Path, spec: Mapping) -> pd.DatetimeIndex:
    """Return the months of the steps, whose stamps are in the middle of twelfths of a year."""
    if cbf.epoch is None and "start" not in spec:
        raise InputError(path, "start", "nothing", "a declaration in the source's `tables`")
    start = pd.Timestamp(spec["start"]) if cbf.epoch is None else cbf.epoch
    days = cbf.drivers["time"]
    first = max(round(days[0] / _STEP_DAYS - 0.5), 0)
    expected = _STEP_DAYS * (first + np.arange(len(days)) + 0.5)
    wrong = ~(np.abs(days - expected) < _MOST_DAYS_OFF)
    if wrong.any() or start.day != 1:
        k = int(np.argmax(wrong))
        found = f"day {days[k]:g} since {start:%Y-%m-%d} at step {k + 1}"
        raise InputError(path, "days", found, f"day {expected[k]:.1f}, the middle of a month")
    return pd.date_range(start + first * MONTH, periods=len(days), freq="MS")


def _error(values: xr.DataArray, name: str, errors: Mapping, cbf: Cbf, path: Path) -> xr.DataArray:
    if name in errors:
        return _common.stated_error(values, name, errors[name])
    given = OBSERVED[name]
    own = cbf.sd(given)
    if own is None:
        raise InputError(path, name, "no error", "one under `errors` in its declaration")
    return _common.companion(
        own, name, STREAMS[given], path, given, meaning="standard deviation of the random error"
    )
