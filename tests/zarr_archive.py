"""Zarr stores like those of real archives, but small."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import xarray as xr


def write_era5(folder: Path, zarr_format: int = 2, shards: bool = False) -> Path:
    """Write two months of hours on 10 degrees: latitudes descend, longitudes go from 0 to 350.

    Temperature ``t2m`` is packed as int16, rain ``tp`` is float32 with NaN at some places.
    """
    times = np.arange(
        np.datetime64("2003-06-01"), np.datetime64("2003-08-01"), np.timedelta64(1, "h")
    )
    data = _grid(
        "time", times.astype("datetime64[ns]"), np.arange(90, -91, -10.0), np.arange(0, 360, 10.0)
    )
    rng = np.random.default_rng(1)
    shape = tuple(data.sizes.values())
    data["t2m"] = (
        list(data.sizes),
        280 + 20 * rng.standard_normal(shape),
        {"units": "K", "long_name": "2 metre temperature"},
    )
    rain = rng.gamma(0.2, 1e-3, shape).astype("f4")
    rain[:, 5, ::7] = np.nan
    data["tp"] = list(data.sizes), rain, {"units": "m"}
    data.attrs = {"institution": "ECMWF"}
    packed = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768}
    encoding = {"t2m": packed, "tp": {"dtype": "f4", "_FillValue": np.float32(np.nan)}}
    for one in encoding.values():
        one["chunks"] = (240, 7, 12)
        if shards:
            one["shards"] = (480, 7, 36)
    encoding["time"] = {
        "units": "hours since 1900-01-01",
        "calendar": "proleptic_gregorian",
        "dtype": "i4",
    }
    return _write(data, folder, encoding, zarr_format)


def write_terraclimate(folder: Path) -> Path:
    """Write three years of months on 2 degrees, packed; a chunk is a year of an eighth."""
    times = np.arange("2001-01", "2004-01", dtype="datetime64[M]").astype("datetime64[ns]")
    data = _grid("time", times, np.arange(89, -90, -2.0), np.arange(-179, 180, 2.0), ("lat", "lon"))
    values = np.random.default_rng(2).gamma(2, 30, tuple(data.sizes.values()))
    data["ppt"] = list(data.sizes), values, {"units": "mm", "grid_mapping": "crs"}
    data["crs"] = xr.Variable(
        ("crs",), np.array([3], "i2"), {"grid_mapping_name": "latitude_longitude"}
    )
    packed = {"dtype": "i4", "scale_factor": 0.1, "add_offset": 0.0, "_FillValue": -2147483648}
    time = {"units": "days since 1900-01-01", "dtype": "i4"}
    return _write(data, folder, {"ppt": packed | {"chunks": (12, 45, 90)}, "time": time}, 2)


def write_cmip6(folder: Path, calendar: str = "noleap") -> Path:
    """Write four years of days of a climate model: latitudes ascend, instants are at noon."""
    times = xr.date_range(
        "2001-01-01 12:00", "2004-12-30 12:00", freq="D", calendar=calendar, use_cftime=True
    )
    latitudes = np.linspace(-87.5, 87.5, 36)
    data = _grid("time", times, latitudes, np.arange(2.5, 360, 5.0), ("lat", "lon"))
    values = np.random.default_rng(3).gamma(1, 3e-5, tuple(data.sizes.values())).astype("f4")
    data["pr"] = list(data.sizes), values, {"units": "kg m-2 s-1", "cell_methods": "time: mean"}
    numbers = np.arange(times.size, dtype=float)
    data["time_bnds"] = ("time", "bnds"), np.stack([numbers, numbers + 1], axis=1)
    data["time"].attrs["bounds"] = "time_bnds"
    data["time"].encoding = {"units": "days since 2001-01-01", "calendar": calendar, "dtype": "f8"}
    fill = {"dtype": "f4", "_FillValue": np.float32(1e20), "missing_value": np.float32(1e20)}
    return _write(data, folder, {"pr": fill | {"chunks": (600, 36, 72)}}, 2)


def _grid(
    name: str,
    times: np.ndarray,
    latitudes: np.ndarray,
    longitudes: np.ndarray,
    names: tuple[str, str] = ("latitude", "longitude"),
) -> xr.Dataset:
    return xr.Dataset(
        coords={
            name: times,
            names[0]: (names[0], latitudes, {"units": "degrees_north"}),
            names[1]: (names[1], longitudes, {"units": "degrees_east"}),
        }
    )


def _write(data: xr.Dataset, folder: Path, encoding: dict, zarr_format: int) -> Path:
    with warnings.catch_warnings():
        # Consolidated metadata are no part of format 3 yet.
        warnings.simplefilter("ignore")
        data.to_zarr(folder, encoding=encoding, zarr_format=zarr_format, consolidated=True)
    return folder
