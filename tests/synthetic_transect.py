"""A made-up file of grid cells, in the layout of the transect's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.config import read_source
from concerto.domain import Location
from concerto.prepare.checks import cosine_of_zenith

LATITUDES = (-10.25, 0.25, 15.75, 36.25, 60.75)
DESERT, SEA = 2, 3
LONGITUDE = 24.25
DAYS = 24
SPEC = read_source("transect_2000")["tables"]["transect_2000.nc"]


def make_transect(
    hours_late: float = 0.0, latitudes: Sequence[float] = LATITUDES, days: int = DAYS
) -> xr.Dataset:
    """Hourly weather of cells: the third is a desert without fAPAR, the fourth is sea."""
    ds = make_cells(latitudes, days, hours_late)
    ds["fapar"][:, DESERT] = 0.0
    ds["fapar"][3 * 24 : 4 * 24, 4] = 0.0
    return without_weather(ds, SEA)


def without_weather(ds: xr.Dataset, row: int) -> xr.Dataset:
    """Make a row of cells sea."""
    for name in ("temp", "patm", "vpd", "ppfd"):
        ds[name][:, row] = np.nan
    return ds


def make_cells(latitudes: Sequence[float], days: int, hours_late: float = 0.0) -> xr.Dataset:
    """Hourly weather and daily fAPAR from the first of 2000, at random but for the sun."""
    rng = np.random.default_rng(5)
    time = pd.date_range("2000-01-01", periods=24 * days, freq="h")
    shape = (len(time), len(latitudes), 1)
    middle = time + pd.Timedelta(hours=0.5 - hours_late)
    sun = np.stack(
        [
            np.maximum(0.0, cosine_of_zenith(middle, Location("c", lat, LONGITUDE, 0, "BSV", 0)))
            for lat in latitudes
        ],
        axis=1,
    )
    daily = rng.uniform(0.1, 0.8, (days, len(latitudes), 1))
    columns = {
        "temp": 15.0 + 8.0 * sun[:, :, None] + rng.normal(0.0, 1.0, shape),
        "patm": rng.uniform(9e4, 1e5, shape),
        "vpd": rng.uniform(100.0, 2000.0, shape),
        "co2": np.full(shape, 368.5),
        "fapar": np.repeat(daily, 24, axis=0),
        "ppfd": 2000.0 * sun[:, :, None] * rng.uniform(0.7, 1.0, shape),
    }
    return xr.Dataset(
        {name: (("time", "lat", "lon"), values) for name, values in columns.items()},
        coords={"time": time, "lat": list(latitudes), "lon": [LONGITUDE]},
    )


def write_transect(ds: xr.Dataset, folder: Path) -> Path:
    path = folder / "transect_2000.nc"
    ds.to_netcdf(path)
    return path
