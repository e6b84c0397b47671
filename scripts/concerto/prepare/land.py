"""Static properties of a location: height, land cover class, country."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import shapely
import xarray as xr
from shapely.geometry import Point

from concerto.domain import IGBP, Location
from concerto.errors import InputError
from concerto.maps import MapGrid
from concerto.prepare.grids import Cells, box_cells, footprint_cells, polygon_cells

log = logging.getLogger(__name__)

_METRES_PER_DEGREE = 111_195.0
_FARTHEST_M = 50_000.0
_COUNTED_DEG = 0.25


def country_of(location: Location, borders: Path) -> str:
    """Return the name of the country in which a location lies.

    Where coarse borders leave a location outside of all countries, the nearest one within 50 km
    counts, and the log says so.

    Parameters
    ----------
    location
        The place.
    borders
        Polygons in geographic coordinates with the attribute ``name`` (any vector format).

    Raises
    ------
    InputError
        If the file cannot be read or has no ``name``, or no country is near.
    """
    return country_among(location, read_borders(borders), borders)


def country_among(
    location: Location, countries: geopandas.GeoDataFrame, borders: object = "country borders"
) -> str:
    """Return the name of the country in which a location lies, as :func:`country_of` does.

    Parameters
    ----------
    location
        The place.
    countries
        As :func:`read_borders` returns them.
    borders
        Where they come from, for messages.
    """
    point = Point(location.longitude, location.latitude)
    inside = countries[countries.contains(point)]
    if len(inside):
        return str(inside["name"].iloc[0])
    # Longitudes shrink by the cosine of the latitude, so that the nearest is the nearest in metres.
    shrink = [np.cos(np.deg2rad(location.latitude)), 0, 0, 1, 0, 0]
    distance = (
        countries.geometry.set_crs(None, allow_override=True)
        .affine_transform(shrink)
        .distance(Point(location.longitude * shrink[0], location.latitude))
        * _METRES_PER_DEGREE
    )
    nearest = distance.idxmin()
    if distance[nearest] > _FARTHEST_M:
        found = f"no country within {_FARTHEST_M / 1000:g} km"
        raise InputError(borders, location.name, found, "a location on land")
    log.warning(
        "%s lies outside of all countries' borders; the nearest is taken: %s, %.1f km away",
        location.name,
        countries["name"][nearest],
        distance[nearest] / 1000,
    )
    return str(countries["name"][nearest])


def read_borders(borders: Path) -> geopandas.GeoDataFrame:
    """Read countries' outlines and names.

    Raises
    ------
    InputError
        If the file cannot be read or has no ``name``.
    """
    countries = read_layer(borders, "country borders")
    if "name" not in countries.columns:
        raise InputError(borders, "name", "no such attribute", "the countries' names")
    return countries


def share_of_land(grid: MapGrid, countries: geopandas.GeoDataFrame) -> float:
    """Return the share of a grid's cells that have their middle in a country.

    Of cells smaller than a quarter of a degree only some are looked at, evenly among all.
    """
    every = max(1, int(_COUNTED_DEG / grid.resolution_deg))
    lat, lon = (centres[every // 2 :: every] for centres in (grid.latitudes(), grid.longitudes()))
    lon, lat = np.meshgrid((lon + 180.0) % 360.0 - 180.0, lat)
    land = countries.union_all()
    shapely.prepare(land)
    return float(shapely.contains_xy(land, lon, lat).mean())


def cells_of(
    name: str,
    place: Mapping[str, Any],
    countries: geopandas.GeoDataFrame,
    outlines: Path | None = None,
) -> Cells:
    """Return the cells of an area that have land, its polygons, or the circle around a site.

    Parameters
    ----------
    name, place
        The place's name and its entry in the configuration.
    countries
        As :func:`read_borders` returns them.
    outlines
        The layer of an area's polygons, if it has some.

    Raises
    ------
    InputError
        If the resolution does not divide the area's box, it has no land, or no polygon is in it.
    """
    if "polygons" in place:
        return _polygons_of(place, outlines)
    if "box" in place:
        return box_cells(**place["box"], resolution=place["resolution_deg"], land=countries)
    return footprint_cells(place["latitude"], place["longitude"], place["footprint_m"], name=[name])


def _polygons_of(place: Mapping[str, Any], outlines: Path) -> Cells:
    """Return the polygons of a layer that are wholly in an area's box."""
    frame = read_layer(outlines, "polygons")
    west, south, east, north = (place["box"][side] for side in ("west", "south", "east", "north"))
    bounds = frame.geometry.to_crs("EPSG:4326").bounds
    inside = (bounds.minx >= west) & (bounds.maxx <= east)
    inside &= (bounds.miny >= south) & (bounds.maxy <= north)
    log.info("%s: %d of %d polygons are in the box", outlines.name, inside.sum(), len(inside))
    return polygon_cells(frame[inside], place["polygons"]["column"])


def read_layer(file: Path, what: str) -> geopandas.GeoDataFrame:
    """Read a layer of any vector format; ``what`` is expected in it.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return geopandas.GeoDataFrame(pyogrio.read_dataframe(file))
    except pyogrio.errors.DataSourceError as error:
        raise InputError(file, "file", f"unreadable ({error})", what) from error


def countries_of(cells: Cells, countries: geopandas.GeoDataFrame) -> np.ndarray:
    """Return the name of the country that has most of each cell's land (cell,), as texts."""
    pieces = geopandas.GeoDataFrame({"cell": np.arange(len(cells))}, geometry=cells.polygons)
    outlines = countries[["name", "geometry"]].set_crs(None, allow_override=True)
    shared = geopandas.overlay(pieces, outlines, how="intersection", keep_geom_type=True)
    largest = shared.assign(size=shared.area).sort_values("size").groupby("cell")["name"].last()
    return largest.reindex(np.arange(len(cells)), fill_value="none").to_numpy(dtype=object)


def land_properties(location: Location, borders: Path) -> xr.Dataset:
    """Return height (m), IGBP class and country of a location, each without dimension."""
    height = {
        "units": "m",
        "standard_name": "surface_altitude",
        "long_name": "height above mean sea level",
    }
    land_cover = {"long_name": "IGBP land cover class", "meaning": IGBP[location.igbp]}
    return xr.Dataset(
        {
            "elevation": ((), float(location.elevation_m), height),
            "igbp": ((), location.igbp, land_cover),
            "country": ((), country_of(location, borders), {"long_name": "country"}),
        }
    )
