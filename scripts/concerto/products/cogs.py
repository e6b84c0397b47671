"""Key layers of a map as Cloud Optimized GeoTIFF, one file a layer and year."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.transform import Affine
from rasterio.windows import Window

from concerto.prepare.grids import GEOGRAPHIC
from concerto.whole import whole_directory

STATUS, NO_STATUS = "status", 255
BLOCK = 512
"""Cells on a side of a block, which is read and written at once; larger maps have overviews."""
_CARRIED = (
    "title",
    "source",
    "references",
    "inputs",
    "licences_of_inputs",
    "configuration_sha256",
    "software",
    "run_id",
)


LAYERS = tuple(
    f"{name}_{kind}" for name in ("gpp", "nee", "lai", "live_biomass") for kind in ("mean", "sd")
)
"""Variables of a map of years that become layers."""


def write_layers(map_file: Path, folder: Path) -> None:
    """Write the key layers of a map into a folder, all of them or none.

    ``VARIABLE_YEAR.tif`` of each of :data:`LAYERS` and each year, with the days of the year that
    the map has in the file; ``status.tif``. North is up, longitudes run on across 180; where there
    is no value there is NaN, and 255 in ``status.tif``.

    Parameters
    ----------
    map_file
        The map of years, as :func:`concerto.products.gridded.write_map` writes it.
    folder
        The folder to write.
    """
    with (
        xr.open_dataset(map_file, engine="netcdf4", cache=False) as ds,
        whole_directory(folder) as part,
    ):
        for k, year in enumerate(ds["time"].dt.year.to_numpy()):
            for name in LAYERS:
                _write(ds.isel(time=slice(k, k + 1)), name, part / f"{name}_{year}.tif")
        _write(ds, STATUS, part / f"{STATUS}.tif")


def _write(ds: xr.Dataset, name: str, path: Path) -> None:
    variable = ds[name]
    attrs, flagged = variable.attrs, name == STATUS
    words, period = _words(ds, variable)
    plain = path.with_suffix(".plain")
    form = {
        "driver": "GTiff",
        "height": ds.sizes["lat"],
        "width": ds.sizes["lon"],
        "count": 1,
        "dtype": "uint8" if flagged else "float32",
        "nodata": NO_STATUS if flagged else np.nan,
        "crs": GEOGRAPHIC,
        "transform": _transform(ds),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "BIGTIFF": "IF_SAFER",
    }
    with rasterio.open(plain, "w", **form) as file:
        for window in _windows(file.height, file.width):
            file.write(_values(variable, window).astype(form["dtype"]), 1, window=window)
        file.descriptions = (words,)
        file.units = (attrs.get("units", ""),)
        file.update_tags(**{key: ds.attrs[key] for key in _CARRIED if key in ds.attrs})
        file.update_tags(history=f"{ds.attrs['history']}; write_layers: {words}")
        file.update_tags(variable=name, period=period)
        if flagged:
            file.update_tags(flags=_flags(attrs))
    rasterio.shutil.copy(
        plain,
        path,
        driver="COG",
        COMPRESS="DEFLATE",
        PREDICTOR="YES",
        BLOCKSIZE=BLOCK,
        OVERVIEW_RESAMPLING="MODE" if flagged else "AVERAGE",
        STATISTICS="NO" if flagged else "YES",
    )
    plain.unlink()


def _words(ds: xr.Dataset, variable: xr.DataArray) -> tuple[str, str]:
    """Return what a layer is, and the period that it is of."""
    bounds = ds["time_bnds"].to_numpy().astype("datetime64[D]")
    days = bounds[0, 0], bounds[-1, 1] - np.timedelta64(1, "D")
    said = str(variable.attrs["long_name"])
    if "time" in variable.dims:
        said = f"{said}, {days[0]} to {days[1]}"
    return said, f"{days[0]}/{days[1]}"


def _flags(attrs: dict) -> str:
    pairs = zip(np.atleast_1d(attrs["flag_values"]), attrs["flag_meanings"].split(), strict=True)
    return ", ".join(f"{value} {meaning}" for value, meaning in pairs)


def _transform(ds: xr.Dataset) -> Affine:
    west, east = ds["lon_bnds"].to_numpy()[[0, -1], [0, 1]]
    south, north = ds["lat_bnds"].to_numpy()[[0, -1], [0, 1]]
    width, height = ds.sizes["lon"], ds.sizes["lat"]
    return Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)


def _windows(height: int, width: int) -> Iterator[Window]:
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            yield Window(left, top, min(BLOCK, width - left), min(BLOCK, height - top))


def _values(variable: xr.DataArray, window: Window) -> np.ndarray:
    """Return a layer's values in a window, from the north on (row, column)."""
    north = variable.sizes["lat"] - window.row_off
    rows = slice(north - window.height, north)
    columns = slice(window.col_off, window.col_off + window.width)
    part = variable.squeeze("time") if "time" in variable.dims else variable.fillna(NO_STATUS)
    return part.isel(lat=rows, lon=columns).to_numpy()[::-1]
