"""Drivers of locations from a climate model's own variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from concerto.domain import DRIVERS
from concerto.errors import InputError
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import completed, in_units_of_cubes
from concerto.readers._cmip6 import read_cmip6


def model_drivers(files: Sequence[Path], record: xr.Dataset) -> xr.Dataset:
    """Return the drivers (location, time) that files of CMIP6 have at the locations of a record.

    Humidity becomes vapour pressure deficit as it does with fields of weather.

    Parameters
    ----------
    files
        Of :func:`concerto.readers._cmip6.read_cmip6`.
    record
        Cube with ``location``, ``lat``, ``lon``.

    Raises
    ------
    InputError
        If there is no temperature, or units do not convert.
    """
    raw = read_cmip6(files, record["lat"].to_numpy(), record["lon"].to_numpy())
    if "tas" not in raw and not {"tasmin", "tasmax"} <= {*raw.data_vars}:
        raise InputError(files[0].parent, "variables", ", ".join(raw.data_vars), "tas besides")
    weather = {
        str(name): in_units_of_cubes(
            values.to_numpy().T, values.attrs["units"], str(name), file=files[0].parent
        ).T
        for name, values in raw.data_vars.items()
    }
    drivers = completed(
        weather, instant=False, level="model", count=MaskCount(), file=files[0].parent
    )
    return xr.Dataset(
        {
            name: (("location", "time"), values)
            for name, values in drivers.items()
            if name in DRIVERS
        },
        coords={**{name: record[name] for name in ("location", "lat", "lon")}, "time": raw["time"]},
    )
