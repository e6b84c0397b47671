"""Grids of HDF-EOS files, of which a text in the file says where their cells are.

The text is `StructMetadata.0`: in HDF-EOS5 files a variable of the group `HDFEOS INFORMATION`, in
what OPeNDAP makes of HDF-EOS2 files a global attribute. Its corners are the outer ones of the
corner cells (HDF-EOS Library User's Guide, volume 2, function GDcreate).
"""

from __future__ import annotations

import re
from pathlib import Path

import netCDF4
import numpy as np
import pyproj
from numpy.typing import NDArray

from concerto.errors import InputError

_PLACES = ("HDFEOS INFORMATION/StructMetadata.0", "HDFEOS_INFORMATION/StructMetadata.0")
_ATTRIBUTES = ("StructMetadata.0", "StructMetadata_0")
_GRID = re.compile(r"GROUP=GRID_\d+\s(.*?)END_GROUP=GRID_\d+", re.DOTALL)
_ENTRY = re.compile(r"^\s*(\w+)=(.+?)\s*$", re.MULTILINE)
Described = tuple[pyproj.CRS, NDArray[np.float64], NDArray[np.float64]]
"""Projection, edges of columns and edges of rows, from north to south."""


def described(data: netCDF4.Dataset, band: netCDF4.Variable, path: Path) -> Described | None:
    """Return the grid that the file's metadata describe for a band, None where they do not.

    Parameters
    ----------
    data, path
        The file, and its place for messages.
    band
        One of its variables; one of its groups has the grid's name where there are several grids.

    Raises
    ------
    InputError
        If the metadata are not understood, are of no grid of the band or of another size, or the
        grid is not in the sinusoidal projection.
    """
    text = _text(data)
    found = [dict(_ENTRY.findall(block)) for block in _GRID.findall(text)]
    grids = {entries.get("GridName", "").strip('"'): entries for entries in found}
    if not grids:
        return None
    groups = band.group().path.split("/")
    names = [name for name in grids if name in groups] or list(grids)
    if len(names) > 1:
        expected = "one in a group of its grid's name"
        raise InputError(path, band.name, f"grids {', '.join(names)}", expected)
    crs, x, y = _grid(grids[names[0]], path)
    if band.shape[-2:] != (len(y) - 1, len(x) - 1):
        expected = f"rows and columns last, {len(y) - 1} x {len(x) - 1}"
        raise InputError(path, band.name, f"shape {band.shape}", expected)
    return crs, x, y


def _text(data: netCDF4.Dataset) -> str:
    """Return the text that describes a file's grids, empty where it has none."""
    for name in _ATTRIBUTES:
        if name in data.ncattrs():
            return str(data.getncattr(name))
    for place in _PLACES:
        group, _, name = place.partition("/")
        if group in data.groups and name in data.groups[group].variables:
            value = np.atleast_1d(data.groups[group].variables[name][...])
            parts = [part.decode() if isinstance(part, bytes) else str(part) for part in value]
            return "".join(parts)
    return ""


def _grid(entries: dict[str, str], path: Path) -> Described:
    projection = entries.get("Projection", "none")
    if not projection.endswith("GCTP_SNSOID"):
        raise InputError(path, "StructMetadata", f"projection {projection}", "GCTP_SNSOID")
    origin = entries.get("GridOrigin", "HDFE_GD_UL")
    if not origin.endswith("HDFE_GD_UL"):
        raise InputError(path, "StructMetadata", f"GridOrigin {origin}", "HDFE_GD_UL")
    try:
        columns, rows = int(entries["XDim"]), int(entries["YDim"])
        west, north = _pair(entries["UpperLeftPointMtrs"])
        east, south = _pair(entries["LowerRightMtrs"])
        radius = float(entries["ProjParams"].strip("()").split(",")[0])
    except (KeyError, ValueError) as error:
        expected = "size, corners and parameters of a grid"
        raise InputError(path, "StructMetadata", f"not understood ({error})", expected) from None
    crs = pyproj.CRS.from_proj4(f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={radius} +units=m +no_defs")
    return crs, np.linspace(west, east, columns + 1), np.linspace(north, south, rows + 1)


def _pair(text: str) -> tuple[float, float]:
    x, y = text.strip("()").split(",")
    return float(x), float(y)
