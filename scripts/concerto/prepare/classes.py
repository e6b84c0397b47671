"""Classes of land cover and of climate in cells, from maps whose pixels have codes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from concerto.domain import LAND
from concerto.errors import InputError
from concerto.prepare.fields import aggregate_fields
from concerto.prepare.grids import Cells
from concerto.prepare.streams import MaskCount

NONE = "none"
"""Name of the share of a cell where a map has no code."""
WATER = "WAT"
NAMES = {
    "igbp": "IGBP land cover class with the largest share",
    "koppen": "climate zone of Köppen and Geiger with the largest share",
}
"""What maps may be of."""
MAPS = {"igbp": "igbp.nc", "koppen": "koppen.nc"}
"""Members of the source `land_classes`, by what they are of."""
_ROUNDING = 1e-9  # of a cell's area


def class_shares(file: Path, legend: Mapping, cells: Cells) -> xr.DataArray:
    """Return the share of each cell's area under each class of a map (class, location).

    The classes are those of the legend in its order, then :data:`NONE` for the area without a
    code; the shares of a cell add up to one.

    Parameters
    ----------
    file
        The map, a NetCDF file of codes on a grid that does not change in time.
    legend
        ``band``, the variable with the codes, and the codes of each of ``classes``.
    cells
        Where shares are wanted.

    Raises
    ------
    InputError
        As the reader; if no cell has a code, or some cell has a code that the legend lacks.
    """
    spec = {"reader": "netcdf", "request": "all", "grid": {}, "variables": {"share": legend}}
    found, _ = aggregate_fields([file], spec, {file.name: {}}, cells)
    of_codes, covered = (found[name][0].to_numpy() for name in ("share", "share_covered"))
    unknown = of_codes[-1] > 0.0
    if unknown.any():
        where = f"codes of no class in {unknown.sum()} cells, such as {cells.name[unknown][0]}"
        raise InputError(file, legend["band"], where, "a class of each code, in the source's file")
    covered = np.where(covered > 1.0 - _ROUNDING, 1.0, covered)
    shares = np.where(covered > 0.0, of_codes[:-1], 0.0) * covered
    names = np.array([*legend["classes"], NONE], dtype=object)
    return xr.DataArray(
        np.vstack([shares, 1.0 - covered]), {"class": names}, dims=("class", "location")
    )


def largest_class(shares: xr.DataArray) -> np.ndarray:
    """Return the class with the largest share of each cell (location,), no text where none has any.

    Water counts only where there is nothing else but :data:`NONE`: land at a coast is no water. Of
    equal shares the first class counts.
    """
    names = shares["class"].to_numpy()
    last = np.isin(names, (NONE, WATER))
    land, water = shares.to_numpy()[~last], shares.to_numpy()[names == WATER].sum(axis=0)
    wet = np.where(water > 0.0, WATER, "")
    return np.where((land > 0.0).any(axis=0), names[~last][land.argmax(axis=0)], wet).astype(object)


def land_classes(
    folder: Path,
    maps: Mapping[str, str],
    source: Mapping,
    cells: Cells,
    count: MaskCount,
) -> xr.Dataset:
    """Return the classes of cells: ``igbp`` with the shares ``land_cover``, and ``koppen``.

    Parameters
    ----------
    folder
        The folder of the source's members.
    maps
        The member of each of :data:`NAMES` that is wanted.
    source
        The source's own file, whose ``tables`` have the members' legends.
    cells
        Where classes are wanted.
    count
        Where cells without a class are counted.

    Raises
    ------
    InputError
        As :func:`class_shares`; or if the source's file has no legend of a member.
    """
    out = xr.Dataset()
    for name, member in maps.items():
        legend = source.get("tables", {}).get(member, {})
        if "classes" not in legend:
            raise InputError(folder / member, "classes", "no legend", "one, in the source's file")
        shares = class_shares(folder / member, legend, cells)
        without = shares.sel({"class": NONE}).to_numpy()
        count.add(name, "cell", "no class", without == 1.0)
        count.add(name, "cell", "no class in a part", (without > 0.0) & (without < 1.0))
        attrs = {"source": source["title"]}
        if name == "igbp":
            out["land_cover"] = shares.assign_attrs(LAND["land_cover"].attributes() | attrs)
            attrs["comment"] = "Water only where there is nothing else."
        out[name] = ("location", largest_class(shares), attrs | {"long_name": NAMES[name]})
    return out
