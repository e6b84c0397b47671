"""How much land of each cell of a map lies in each region, under each cover, managed or not.

Areas are exact on the ellipsoid (:func:`concerto.prepare.grids.area_inside`). A cell's land is
shared out by them: what is in no polygon is a region of its own, so that the parts of a cell add up
to its land, and those of all regions to the land of the map. Within a cell each cover is spread
evenly, so that a region has as much of a cover as it has of the cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from concerto.domain import IGBP
from concerto.errors import InputError
from concerto.prepare.classes import NONE, WATER
from concerto.prepare.grids import (
    Cells,
    area_inside,
    box_area,
    polygon_area,
    polygon_cells,
    turned,
)
from concerto.prepare.land import read_layer

OUTSIDE = "outside all polygons"
"""Name of the region of land that is in no polygon."""
LARGEST_SLIVER = 1e-6
"""Share of the smaller of two polygons up to which they may overlap: digitised twice, not twice."""
_ROUNDING = 1e-9  # of a cell's land


def read_regions(file: Path, column: str) -> Cells:
    """Read the polygons of regions and check that they are apart.

    Parameters
    ----------
    file
        Any vector format; its reference system must be known.
    column
        Attribute that names the regions.

    Raises
    ------
    InputError
        If the file cannot be read or has no reference system or names, a geometry is no valid
        polygon, or two overlap by more than :data:`LARGEST_SLIVER` of the smaller.
    """
    try:
        regions = polygon_cells(read_layer(file, "polygons of regions"), column)
    except InputError as error:
        if error.file == str(file):
            raise
        field = f"{error.file.removeprefix('polygons').removeprefix(', ')} {error.field}".strip()
        raise InputError(file, field, error.found, error.expected) from error
    if (regions.name == OUTSIDE).any():
        raise InputError(file, column, f"a region {OUTSIDE!r}", "another name")
    check_apart(regions, file)
    return regions


def check_apart(regions: Cells, file: object = "polygons") -> None:
    """Check that no two polygons share more than a sliver.

    Raises
    ------
    InputError
        Names the two that share most, and how much.
    """
    tree = shapely.STRtree(regions.polygons)
    one, other = tree.query(regions.polygons, predicate="intersects")
    one, other = one[one < other], other[one < other]
    if not len(one):
        return
    shared = _polygon_area(shapely.intersection(regions.polygons[one], regions.polygons[other]))
    share = shared / np.minimum(regions.area[one], regions.area[other])
    worst = int(share.argmax())
    if share[worst] > LARGEST_SLIVER:
        names = f"{regions.name[one[worst]]} and {regions.name[other[worst]]}"
        found = f"{names}, which share {shared[worst] * 1e-6:.6g} km2"
        raise InputError(file, "overlap", found, "polygons that do not overlap")


def _polygon_area(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the area (m2) of the polygons of what intersections left, also of lines and points."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    flat = shapely.get_dimensions(parts) == 2
    area = polygon_area(parts[flat]) if flat.any() else np.empty(0)
    return np.bincount(owner[flat], area, minlength=len(geometries))


def shares_of_land(
    boxes: NDArray[np.float64], regions: Cells, land: shapely.Geometry | None = None
) -> NDArray[np.float64]:
    """Return the share of each cell's land in each region and in none, (cell, region + 1).

    Shares of a cell add up to one. A cell without land, by its outline, counts as land throughout.

    Parameters
    ----------
    boxes
        Sides of the cells.
    regions
        Polygons of the regions, apart.
    land
        Outline of land; none where all of a cell is land.
    """
    of_land = box_area(boxes)
    outlined = np.zeros(len(boxes), bool)
    if land is not None:
        inside_land = area_inside(boxes, land)
        outlined = inside_land > _ROUNDING * of_land
        of_land = np.where(outlined, inside_land, of_land)
    shares = np.zeros((len(boxes), len(regions) + 1))
    for number, polygon in enumerate(regions.polygons):
        inside = area_inside(boxes, polygon)
        if (inside[outlined] > 0.0).any():
            on_land = area_inside(boxes, _on_land(polygon, land))
            inside = np.where(outlined, on_land, inside)
        shares[:, number] = inside / of_land
    total = shares.sum(axis=1)
    over = total > 1.0 - _ROUNDING
    shares[over] /= total[over, None]  # slivers and rounding
    shares[shares < _ROUNDING] = 0.0
    shares[:, -1] = np.where(over, 0.0, 1.0 - shares[:, :-1].sum(axis=1))
    return shares


def _on_land(polygon: shapely.Geometry, land: shapely.Geometry) -> shapely.Geometry:
    """Return a polygon's land, in each turn of longitudes that the polygon reaches into."""
    west, _, east, _ = shapely.bounds(polygon)
    turns = range(int(np.floor((west + 180.0) / 360.0)), int(np.floor((east + 180.0) / 360.0)) + 1)
    parts = [shapely.intersection(polygon, turned(land, turn)) for turn in turns]
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def shares_of_cover(land: xr.Dataset) -> xr.DataArray:
    """Return the share of each cell's land under each cover, (cover, location).

    Water and what has no class are left out, and the others scaled to one; where there is nothing
    else the cell is of no class. Without shares the cell's one class is all of it.
    """
    covers = np.array([*(name for name in IGBP if name != WATER), NONE], dtype=object)
    if "land_cover" in land:
        names = land["class"].to_numpy().astype(str)
        known = land["land_cover"].transpose("class", "location").to_numpy().astype(float)
        shares = np.stack([known[names == name].sum(axis=0) for name in covers])
        shares[-1] = 0.0
    else:
        classes = land["igbp"].to_numpy() if "igbp" in land else np.full(land.sizes["location"], "")
        shares = np.array([classes == name for name in covers], dtype=float)
    total = shares.sum(axis=0)
    shares[-1] = total == 0.0
    shares /= np.where(total > 0.0, total, 1.0)
    return xr.DataArray(shares, {"cover": covers}, dims=("cover", "location"))


def managed_share(
    settings: Mapping[str, Any], covers: NDArray, locations: NDArray, file: Path | None = None
) -> NDArray[np.float64]:
    """Return the share of land that is managed (cover, location).

    Parameters
    ----------
    settings
        ``classes``, the share of covers that are not wholly managed; may be none.
    covers, locations
        Names.
    file
        CSV with the columns ``location, fraction``: the share of each cell, times which that of
        its covers counts. Cells that it does not name are wholly managed.

    Raises
    ------
    InputError
        If the file names a cell that the map does not have, or one twice, or a share is not from
        0 to 1.
    """
    of_cover = settings.get("classes", {})
    share = np.array([float(of_cover.get(name, 1.0)) for name in covers])[:, None]
    share = np.repeat(share, len(locations), axis=1)
    if file is None:
        return share
    table = pd.read_csv(file, dtype={"location": str})
    for column in ("location", "fraction"):
        if column not in table:
            raise InputError(file, column, "no such column", "location, fraction")
    for row in table.itertuples():
        where = f"row {row.Index + 1}"
        if row.location not in locations:
            expected = f"one of the map's {len(locations)} cells, such as {locations[0]}"
            raise InputError(file, f"location, {where}", row.location, expected)
        if not 0.0 <= row.fraction <= 1.0:
            raise InputError(file, f"fraction, {where}", row.fraction, "a share from 0 to 1")
    if table.location.duplicated().any():
        name = table.location[table.location.duplicated()].iloc[0]
        raise InputError(file, "location", f"{name} twice", "each cell once")
    fraction = table.set_index("location")["fraction"].reindex(locations, fill_value=1.0)
    return share * fraction.to_numpy(dtype=float)


def weigh(
    land: xr.Dataset,
    boxes: NDArray[np.float64],
    regions: Cells,
    outlines: gpd.GeoDataFrame | None,
    managed: NDArray[np.float64],
) -> xr.Dataset:
    """Return the parts of cells: how much land of a cell is in a region, under a cover, managed.

    Parameters
    ----------
    land
        The cube of the map's cells.
    boxes
        Their sides.
    regions
        Polygons, apart.
    outlines
        Outlines of land that the cells' ``land_fraction`` is of; none where they have none.
    managed
        Share that is managed, (cover, location), of :func:`shares_of_cover`'s covers.

    Returns
    -------
    xarray.Dataset
        Along ``part``: number of the cell's ``location``, ``region``, ``cover``, whether
        ``managed``, ``area`` (m2). Along ``region_name``: ``polygon_area`` (m2), all of the
        region; where it has land in cells of the map ``land_area``, all of its land, and
        ``map_area``, that in these cells; ``outline`` (WKT).
    """
    clip = None if outlines is None else shapely.union_all(outlines.geometry.to_numpy())
    in_region = shares_of_land(boxes, regions, clip)
    met = (in_region[:, :-1] > 0.0).any(axis=0)
    covers = shares_of_cover(land)
    size = land["cell_area"].to_numpy().astype(float)
    if "land_fraction" in land:
        size = size * land["land_fraction"].to_numpy().astype(float)
    names = np.array([*regions.name, OUTSIDE], dtype=object)
    parts = []
    cell, region = np.nonzero(in_region > 0.0)
    meeting = in_region[cell, region] * size[cell]
    for is_managed, of_kind in ((True, managed), (False, 1.0 - managed)):
        area = (covers.to_numpy() * of_kind)[:, cell] * meeting  # cover, cell and region that meet
        cover, pair = np.nonzero(area > 0.0)
        parts.append(
            pd.DataFrame(
                {
                    "location": land["location"].to_numpy()[cell[pair]].astype(str),
                    "region": names[region[pair]],
                    "cover": covers["cover"].to_numpy()[cover],
                    "managed": is_managed,
                    "area": area[cover, pair],
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    return xr.Dataset(
        {
            **{
                name: ("part", table[name].to_numpy(dtype=object))
                for name in ("location", "region", "cover")
            },
            "managed": ("part", table["managed"].to_numpy().astype("i1")),
            "area": ("part", table["area"].to_numpy(), {"units": "m2"}),
            "polygon_area": ("region_name", np.append(regions.area, np.nan), {"units": "m2"}),
            "map_area": ("region_name", in_region.T @ size, {"units": "m2"}),
            "land_area": ("region_name", _land_areas(regions, met, clip), {"units": "m2"}),
            "outline": ("region_name", _outlines(regions, met)),
        },
        coords={"region_name": names},
    )


def _outlines(regions: Cells, met: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the outlines of the regions that have land in the map, empty text for others."""
    texts = np.full(len(regions) + 1, "", dtype=object)
    texts[:-1][met] = shapely.to_wkt(regions.polygons[met], rounding_precision=6)
    return texts


def _land_areas(
    regions: Cells, met: NDArray[np.bool_], land: shapely.Geometry | None
) -> NDArray[np.float64]:
    """Return the area of land of the regions that have some in the map, m2; of others nothing."""
    areas = np.full(len(regions) + 1, np.nan)
    outlines = regions.polygons[met]
    if land is not None:
        outlines = np.array([_on_land(polygon, land) for polygon in outlines], dtype=object)
    areas[:-1][met] = _polygon_area(outlines)
    return areas
