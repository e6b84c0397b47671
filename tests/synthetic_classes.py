"""Made-up maps of classes, in the layout of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from concerto.config import read_source

SOURCE = read_source("land_classes")
LEGENDS = SOURCE["tables"]
FILL = -9999


def code(member: str, name: str) -> int:
    """Return the code of a class in a member of the real source."""
    (found,) = LEGENDS[member]["classes"][name]
    return found


def write_map(path: Path, lat: np.ndarray, lon: np.ndarray, codes: np.ndarray) -> Path:
    """Write codes (lat, lon) under the name that the real file of this name has for them."""
    codes = np.broadcast_to(codes, (len(lat), len(lon))).astype("int16")
    data = xr.Dataset(
        {LEGENDS[path.name]["band"]: (("lat", "lon"), codes, {"_FillValue": np.int16(FILL)})},
        {
            "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )
    data.to_netcdf(path)
    return path
