"""A site's cubes from cubes that are there already: one of their locations, at days or months."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import xarray as xr

from concerto.cubes import DRIVERS_DAILY, OBSERVATIONS_DAILY, read_cube
from concerto.domain import Location
from concerto.errors import InputError
from concerto.prepare.monthly import monthly_drivers, monthly_observations
from concerto.prepare.streams import MaskCount

log = logging.getLogger(__name__)

FARTHEST_DEGREES = 0.5


def derived_site(
    location: Location, step: str, drivers_file: Path, observations_file: Path, count: MaskCount
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return drivers and observations of the location nearest to a site, along ``time``.

    Parameters
    ----------
    location
        The site.
    step
        ``day``, as the cubes are, or ``month``.
    drivers_file, observations_file
        Daily cubes of one location or more.
    count
        Where masked values are counted.

    Raises
    ------
    InputError
        If the nearest location is farther than half a degree, the clock of the cubes is not the
        site's, or there is no whole month.
    """
    drivers = _nearest(read_cube(drivers_file, DRIVERS_DAILY), location, drivers_file)
    observed = _nearest(
        read_cube(observations_file, OBSERVATIONS_DAILY), location, observations_file
    )
    if step == "month":
        return (
            monthly_drivers(drivers, count, drivers_file),
            monthly_observations(observed, count, observations_file),
        )
    for ds in (drivers, observed):
        for name, variable in ds.data_vars.items():
            if "operator" in variable.attrs or ds is drivers:
                count.add(name, "daily", "missing in the cubes", ~np.isfinite(variable.to_numpy()))
    return drivers, observed


def _nearest(cube: xr.Dataset, location: Location, file: Path) -> xr.Dataset:
    """Return what a cube has at the location nearest to a site, without its place."""
    offset = cube.attrs["utc_offset_hours"]
    if offset != location.utc_offset_hours:
        raise InputError(
            file, "utc_offset_hours", f"{offset:+g} h",
            f"{location.utc_offset_hours:+g} h, as {location.name} has",
        )  # fmt: skip
    distance = _degrees(cube, location)
    k = int(distance.argmin())
    if distance[k] > FARTHEST_DEGREES:
        raise InputError(
            file, "location",
            f"{cube['location'][k].item()} as the nearest, {distance[k]:.2f} degrees from "
            f"{location.name}",
            f"one within {FARTHEST_DEGREES:g} degrees",
        )  # fmt: skip
    log.info(
        "%s: %s is the nearest to %s, %.2f degrees away",
        file.name, cube["location"][k].item(), location.name, distance[k],
    )  # fmt: skip
    return cube.drop_vars("time_bnds").isel(location=k, drop=True).astype("float64")


def _degrees(cube: xr.Dataset, location: Location) -> np.ndarray:
    """Return the distances (location,) from a site along great circles, degrees."""
    north, east = (np.deg2rad(cube[name].to_numpy()) for name in ("lat", "lon"))
    here = np.deg2rad([location.latitude, location.longitude])
    half = (
        np.sin((north - here[0]) / 2.0) ** 2
        + np.cos(north) * np.cos(here[0]) * np.sin((east - here[1]) / 2.0) ** 2
    )
    return np.rad2deg(2.0 * np.arcsin(np.sqrt(half)))
