"""Key layers of a map as Cloud Optimized GeoTIFF, one file a layer and year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.transform import Affine
from rasterio.windows import Window

from concerto.prepare.grids import GEOGRAPHIC
from concerto.whole import whole_directory

MEAN, BOUND, END = "mean", "bound", "end"
NO_STATUS = 255
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
)


@dataclass(frozen=True)
class Summary:
    """A variable of the map over the months of a year: which, and its mean or its last value.

    The mean of the standard deviations of months is not that of their mean, but never less
    (Minkowski's inequality): ``bound``.
    """

    variable: str
    over: str


SUMMARIES = (
    Summary("gpp_mean", MEAN),
    Summary("gpp_sd", BOUND),
    Summary("nee_mean", MEAN),
    Summary("nee_sd", BOUND),
    Summary("lai_mean", MEAN),
    Summary("lai_sd", BOUND),
    Summary("live_biomass_mean", END),
    Summary("live_biomass_sd", END),
)


def write_layers(map_file: Path, folder: Path) -> None:
    """Write the key layers of a map into a folder, all of them or none.

    ``VARIABLE_YEAR.tif`` of each of :data:`SUMMARIES` and each year that the map has months of, the
    months named in the file; ``status.tif``. North is up, longitudes run on across 180; where there
    is no value there is NaN, and 255 in ``status.tif``.

    Parameters
    ----------
    map_file
        The map, as :func:`concerto.products.gridded.write_map` writes it.
    folder
        The folder to write.
    """
    with (
        xr.open_dataset(map_file, engine="netcdf4", cache=False) as ds,
        whole_directory(folder) as part,
    ):
        years = ds["time"].dt.year.to_numpy()
        for year in np.unique(years):
            months = ds.isel(time=np.flatnonzero(years == year))
            for summary in SUMMARIES:
                target = part / f"{summary.variable}_{year}.tif"
                _write(months, summary.variable, summary.over, target)
        _write(ds, "status", None, part / "status.tif")


def _write(ds: xr.Dataset, name: str, over: str | None, path: Path) -> None:
    variable = ds[name]
    attrs = variable.attrs
    words, period = _words(ds, str(attrs["long_name"]), over)
    plain = path.with_suffix(".plain")
    form = {
        "driver": "GTiff",
        "height": ds.sizes["lat"],
        "width": ds.sizes["lon"],
        "count": 1,
        "dtype": "float32" if over else "uint8",
        "nodata": np.nan if over else NO_STATUS,
        "crs": GEOGRAPHIC,
        "transform": _transform(ds),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "BIGTIFF": "IF_SAFER",
    }
    with rasterio.open(plain, "w", **form) as file:
        for window in _windows(file.height, file.width):
            file.write(_values(ds, variable, over, window).astype(form["dtype"]), 1, window=window)
        file.descriptions = (words,)
        file.units = (attrs.get("units", ""),)
        file.update_tags(**{key: ds.attrs[key] for key in _CARRIED if key in ds.attrs})
        file.update_tags(history=f"{ds.attrs['history']}; write_layers: {words}")
        file.update_tags(variable=name, period=period)
        if "flag_meanings" in attrs:
            file.update_tags(flags=_flags(attrs))
    rasterio.shutil.copy(
        plain,
        path,
        driver="COG",
        COMPRESS="DEFLATE",
        PREDICTOR="YES",
        BLOCKSIZE=BLOCK,
        OVERVIEW_RESAMPLING="AVERAGE" if over else "MODE",
        STATISTICS="YES" if over else "NO",
    )
    plain.unlink()


def _words(ds: xr.Dataset, long_name: str, over: str | None) -> tuple[str, str]:
    """Return what a layer is, and the period that it is of."""
    bounds = ds["time_bnds"].to_numpy().astype("datetime64[D]")
    days = bounds[0, 0], bounds[-1, 1] - np.timedelta64(1, "D")
    period = f"{days[0]}/{days[1]}"
    spanned = f"{days[0]} to {days[1]}"
    return {
        MEAN: f"{long_name}, mean of {spanned}",
        BOUND: f"{long_name}, mean of the months of {spanned}; that of the mean is at most this",
        END: f"{long_name}, at the end of {days[1]}",
        None: long_name,
    }[over], period


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


def _values(ds: xr.Dataset, variable: xr.DataArray, over: str | None, window: Window) -> np.ndarray:
    """Return a layer's values in a window, from the north on (row, column)."""
    north = ds.sizes["lat"] - window.row_off
    rows = slice(north - window.height, north)
    columns = slice(window.col_off, window.col_off + window.width)
    part = variable.isel(lat=rows, lon=columns)
    if over is None:
        values = part.fillna(NO_STATUS).to_numpy()
    elif over == END:
        values = part.isel(time=-1).to_numpy()
    else:
        lengths = np.diff(ds["time_bnds"].to_numpy(), axis=1)[:, 0] / np.timedelta64(1, "D")
        values = np.tensordot(lengths / lengths.sum(), part.to_numpy().astype(np.float64), axes=1)
    return values[::-1]
