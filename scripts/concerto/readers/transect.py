"""Hourly weather and fAPAR of grid cells, in a NetCDF file that names neither units nor gaps.

The source's own file declares the columns as for the reader ``table``: variables along time,
latitude and longitude. Radiation comes as a flux of photons. Cells without weather are sea or
lakes; one with gaps in it is kept. An fAPAR of exactly 0 is what is filled in where nothing was
retrieved: bare ground, and the northern winter; it counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto import units
from concerto.errors import InputError
from concerto.readers import _common
from concerto.readers.table import declared_variable

PHOTONS = "umol m-2 s-1"
PHOTONS_PER_JOULE = 2.04
"""Photosynthetic photons in sunlight, umol per joule of shortwave radiation (Meek et al. 1984,
Agronomy Journal 76, 939); pyrealm, which made the file, has the same factor."""
LIMITS = {
    "tas": (-90.0, 60.0),
    "ps": (4e4, 1.1e5),
    "vpd": (0.0, 150.0),
    "co2": (250.0, 1000.0),
    "rsds": (0.0, 1500.0),
    "fapar": (0.0, 1.0),
}
"""What values can be in their canonical units; others mean that a unit is not what is declared."""
_DIMENSIONS = {"time", "lat", "lon"}
_WEATHER = ("tas", "rsds", "vpd")


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read the record of one cell; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file.
    site
        The site's configuration: ``latitude`` and ``longitude`` of the cell's middle.
    spec
        The declaration, as for :mod:`concerto.readers.table`.

    Raises
    ------
    InputError
        As :func:`read_grid` and :func:`record`; or if the cell is not there, or has no weather.
    """
    grid = read_grid(path, spec)
    place = (site["latitude"], site["longitude"])
    here = np.flatnonzero((grid["lat"] == place[0]) & (grid["lon"] == place[1]))
    if not here.size:
        found = f"no cell with weather at {place[0]:g} N, {place[1]:g} E"
        raise InputError(path, "lat", found, f"one of {grid.sizes['location']} cells")
    return record(grid.isel(location=int(here[0])), path, spec)


def read_grid(path: Path, spec: Mapping) -> xr.Dataset:
    """Read the columns of all cells with weather as they are in the file.

    Returns
    -------
    xarray.Dataset
        Declared columns along ``location`` and ``time``, with ``lat`` and ``lon`` of each cell;
        from south to north. The attribute ``left_out`` counts the cells without weather.

    Raises
    ------
    InputError
        If the file is absent or unreadable, a column is absent or not along time, latitude and
        longitude, coordinates are not in ascending order, the time axis has a fault, or no cell has
        weather at all times.
    """
    if not Path(path).is_file():
        raise InputError(path, "file", "nothing", "a NetCDF file of grid cells")
    try:
        raw = xr.load_dataset(path, engine="netcdf4")
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(path, "file", f"unreadable ({error})", "a NetCDF file") from error
    columns = {name: declared["column"] for name, declared in spec["variables"].items()}
    for column in columns.values():
        if column not in raw:
            raise InputError(path, column, "no such variable", f"one of {', '.join(raw.data_vars)}")
        if set(raw[column].dims) != _DIMENSIONS:
            raise InputError(path, column, f"dimensions {raw[column].dims}", "time, lat and lon")
    for name in ("lat", "lon"):
        if not (np.diff(raw[name].to_numpy()) > 0.0).all():
            raise InputError(path, name, "values out of order", "each once, in ascending order")
    step = pd.Timedelta(minutes=spec["time"]["step_minutes"])
    _common.check_axis(pd.DatetimeIndex(raw.indexes["time"]), step, path, "time")
    cells = raw[list(columns.values())].stack(location=("lat", "lon"))  # noqa: PD013 (not pandas)
    cells = cells.reset_index("location").transpose("location", "time")
    return _with_weather(cells, [columns[name] for name in _WEATHER if name in columns], path)


def _with_weather(cells: xr.Dataset, columns: list[str], path: Path) -> xr.Dataset:
    missing = np.stack([np.isnan(cells[column].to_numpy()) for column in columns])
    without = missing.all(axis=(0, 2))
    if missing.any(axis=(0, 2)).all():
        raise InputError(path, "location", "no cell with weather", "at least one")
    return cells.isel(location=~without).assign_attrs(left_out=int(without.sum()))


def record(cell: xr.Dataset, path: Path, spec: Mapping) -> xr.Dataset:
    """Return the record of one cell of :func:`read_grid`; see :mod:`concerto.readers`.

    Raises
    ------
    InputError
        If a unit does not convert, or values cannot be in the unit declared.
    """
    step = pd.Timedelta(minutes=spec["time"]["step_minutes"])
    variables: dict[str, xr.DataArray] = {}
    for name, declared in spec["variables"].items():
        column, unit = declared["column"], declared["units"]
        values = cell[column].to_numpy().astype(float)
        if name == "rsds":
            values = units.convert(values, unit, PHOTONS, file=path, field=column)
            values, unit = values / PHOTONS_PER_JOULE, "W m-2"
        if name == "fapar":
            values = np.where(values == 0.0, np.nan, values)
        frame = pd.DataFrame({column: values})
        as_here = {**declared, "units": unit}
        variables |= declared_variable(frame, name, as_here, step, Path(path))
        low, high = LIMITS[name]
        found = variables[name].to_numpy()
        if np.nanmin(found, initial=low) < low or np.nanmax(found, initial=high) > high:
            span = f"{np.nanmin(found):g} to {np.nanmax(found):g} {variables[name].units}"
            raise InputError(path, column, span, f"{low:g} to {high:g}: is the unit as declared?")
    return _common.dataset(variables, pd.DatetimeIndex(cell.indexes["time"]), step)
