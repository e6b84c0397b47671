"""Daily cubes of many grid cells from their hourly record: the cells are the locations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import DAY, with_bounds
from concerto.domain import DISTURBANCES, LAND, REQUIRED_DRIVERS, Location
from concerto.prepare.checks import check_clock
from concerto.prepare.daily import daily_drivers, daily_observations
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import standard_elevation
from concerto.readers.transect import read_grid, record

log = logging.getLogger(__name__)

RESOLUTION = 0.5
"""Width and height of a cell, degrees."""
UNDISTURBED = dict.fromkeys(DISTURBANCES, 0.0)


def daily_cells(
    path: Path, spec: Mapping, quality: Mapping[str, float]
) -> tuple[xr.Dataset, xr.Dataset, xr.DataArray, pd.DataFrame]:
    """Return drivers, observations, heights and what was masked, of all cells with weather.

    Days are those of the file's own clock. Nothing is disturbed. Of what the file has not, such
    as rain, the drivers have no value, nor on days on which a cell has a gap.

    Parameters
    ----------
    path
        The file.
    spec
        Its declaration, as for :mod:`concerto.readers.table`.
    quality
        The configuration's ``quality``.

    Returns
    -------
    drivers, observations
        Along ``location`` and ``time``, as the schemas of daily cubes want them.
    elevation
        Height (location,), m, at which the standard atmosphere has the record's mean pressure; none
        where a value of it is missing.
    masking
        ``variable, level, reason, masked, total``, of all cells together.

    Raises
    ------
    InputError
        As the reader; or if the clock is not the one declared, by the course of radiation.
    """
    grid = read_grid(path, spec)
    offset = float(spec["time"]["utc_offset_hours"])
    # there the sun is high in every month, and all cells have the same clock
    nearest = int(np.abs(grid["lat"].to_numpy()).argmin())
    check_clock(
        record(grid.isel(location=nearest), path, spec),
        Location("cell", *_place(grid, nearest), 0.0, "BSV", offset),
    )
    count, parts, pressures = MaskCount(), [], []
    for k in range(grid.sizes["location"]):
        cell = record(grid.isel(location=k), path, spec)
        parts.append(
            (
                daily_drivers(cell, UNDISTURBED, count, may_lack=REQUIRED_DRIVERS),
                daily_observations(cell, quality, count),
            )
        )
        pressures.append(cell["ps"].mean(skipna=False).item())
    log.info("%d cells; %d have no weather", len(parts), grid.attrs["left_out"])
    drivers, observations = (_joined([part[k] for part in parts], grid, offset) for k in (0, 1))
    masked = count.table().groupby(["variable", "level", "reason"], sort=False, as_index=False)
    return drivers, observations, _elevation(np.array(pressures)), masked.sum()


def cell_name(latitude: float, longitude: float) -> str:
    """Return the identifier of a cell, such as ``34.25S 24.25E``."""
    north, east = "N" if latitude >= 0.0 else "S", "E" if longitude >= 0.0 else "W"
    return f"{abs(latitude):g}{north} {abs(longitude):g}{east}"


def _place(grid: xr.Dataset, k: int) -> tuple[float, float]:
    return grid["lat"][k].item(), grid["lon"][k].item()


def _elevation(pressure: np.ndarray) -> xr.DataArray:
    comment = (
        "Height at which the standard atmosphere (Allen et al. 1998, FAO Irrigation and Drainage "
        "Paper 56, equation 7) has the mean air pressure of the record; the weather's own "
        "deviation from that atmosphere is some 80 m for 10 hPa."
    )
    attrs = LAND["elevation"].attributes() | {"comment": comment}
    return xr.DataArray(standard_elevation(pressure), dims="location", attrs=attrs)


def _joined(cells: list[xr.Dataset], grid: xr.Dataset, offset: float) -> xr.Dataset:
    """Return daily datasets of cells along ``location``, with their places and time bounds."""
    out = xr.concat(cells, "location", combine_attrs="override")
    names = [cell_name(*_place(grid, k)) for k in range(len(cells))]
    out = out.assign_coords(
        location=("location", names, {"long_name": "cell identifier", "cf_role": "timeseries_id"})
    )
    for name, full, unit in (
        ("lat", "latitude", "degrees_north"),
        ("lon", "longitude", "degrees_east"),
    ):
        attributes = {"standard_name": full, "long_name": f"{full} of the middle", "units": unit}
        out = out.assign_coords({name: ("location", grid[name].to_numpy(), attributes)})
    out = with_bounds(out, DAY, offset)
    return out.assign_attrs(featureType="timeSeries", utc_offset_hours=offset)
