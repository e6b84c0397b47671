"""Grids that archives give values on, and the cells that values are wanted for.

Positions are degrees on the WGS84 ellipsoid, areas are square metres on it. An edge of a cell is
a straight line in longitude and latitude, as in GeoJSON (RFC 7946, section 3.1.1): the sides of a
box follow a parallel, not the shortest way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj.exceptions import CRSError

from concerto.domain import location_coordinates
from concerto.errors import InputError

MODIS_SINUSOIDAL = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"
"""Projection of the MODIS land products: geodetic latitudes on a sphere (MODLAND tile grid)."""

GEOGRAPHIC = "EPSG:4326"
SEMI_MAJOR = 6378137.0
"""Semi-major axis of the WGS84 ellipsoid, m."""

FLATTENING = 1 / 298.257223563
SEMI_MINOR = SEMI_MAJOR * (1 - FLATTENING)
ECCENTRICITY = np.sqrt(FLATTENING * (2 - FLATTENING))

_ALIGNED = 1e-6  # share of a step by which an edge may miss a multiple of the resolution
_DECIMALS = 6  # of the degrees in a cell's name: a decimetre
_RIM = 360  # corners of a footprint; the polygon's area is 5e-5 below the circle's
_Geometry = TypeVar("_Geometry", shapely.Geometry, NDArray[np.object_])
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True, eq=False)
class Grid:
    """A rectilinear grid in any projection.

    Parameters
    ----------
    crs
        Coordinate reference system, anything pyproj takes. Coordinates of a geographic one are
        degrees, taken as those of WGS84; longitudes may run beyond 180.
    x, y
        Edges of the columns and rows in their order, one more than there are; they rise or fall
        throughout and need not be evenly spaced.

    Raises
    ------
    InputError
        If the system is unknown or edges are not finite, not monotonic or not on the Earth.
    """

    crs: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            edges = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, edges)
            _check_edges(self._place, name, edges)
        if self.is_geographic:
            self._check_degrees()

    @classmethod
    def of_centres(cls, crs: str, x: ArrayLike, y: ArrayLike) -> Grid:
        """Make the grid whose columns and rows have these centres, two at least of each.

        Edges lie midway between centres and the outermost as far outside. Where that leaves a
        geographic grid less than half a row from a pole, or beyond it, the grid ends at the pole:
        the outermost rows of a Gaussian grid reach it.
        """
        columns, rows = _edges(np.asarray(x, dtype=float)), _edges(np.asarray(y, dtype=float))
        if known_crs(crs).is_geographic:
            rows[[0, -1]] = [_to_pole(rows[0], rows[1]), _to_pole(rows[-1], rows[-2])]
        return cls(crs, columns, rows)

    @cached_property
    def projection(self) -> pyproj.CRS:
        """The coordinate reference system as pyproj knows it."""
        return known_crs(self.crs)

    @property
    def is_geographic(self) -> bool:
        """Whether the coordinates are degrees of longitude and latitude."""
        return self.projection.is_geographic

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.y) - 1, len(self.x) - 1

    def window(self, rows: slice, columns: slice) -> Grid:
        """Return the grid of some of the rows and columns, taken without a stride."""
        first_row, last_row, _ = rows.indices(self.shape[0])
        first_column, last_column, _ = columns.indices(self.shape[1])
        return Grid(
            self.crs, self.x[first_column : last_column + 1], self.y[first_row : last_row + 1]
        )

    @property
    def _place(self) -> str:
        return f"grid in {self.crs}"

    def _check_degrees(self) -> None:
        if self.projection.is_derived:
            raise InputError(self._place, "crs", "a rotated pole", "longitude and latitude as such")
        if np.abs(self.y).max() > 90:
            raise InputError(self._place, "y", np.abs(self.y).max(), "latitudes from -90 to 90")
        if abs(self.x[-1] - self.x[0]) > 360 * (1 + 1e-9):
            raise InputError(self._place, "x", "more than 360 degrees", "each longitude once")


@dataclass(frozen=True, eq=False)
class Slab:
    """What a reader yields: one interval of time in one window of one file.

    Parameters
    ----------
    grid
        Where the values are.
    start, end
        The interval, UTC; the end does not belong to it.
    values
        By our name of the variable, (rows, columns), NaN where masked.
    uncertainty
        One standard error of each value, likewise; variables may be absent.
    """

    grid: Grid
    start: np.datetime64
    end: np.datetime64
    values: Mapping[str, NDArray]
    uncertainty: Mapping[str, NDArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in (*self.values.items(), *self.uncertainty.items()):
            if values.shape != self.grid.shape:
                raise InputError("slab", name, f"shape {values.shape}", f"{self.grid.shape}")


@dataclass(frozen=True, eq=False)
class Cells:
    """Where values are wanted: boxes, polygons or footprints.

    Parameters
    ----------
    name
        Identifiers, each once.
    lat, lon
        Centres, degrees; longitudes from -180 to below 180.
    area
        Areas, m2.
    polygons
        Outlines in EPSG:4326, with longitudes that run on across the antimeridian.
    boxes
        West, south, east and north of each where all cells are boxes, (cells, 4); else None.
    land_fraction
        Share of each cell's area that is land, where it is known.
    """

    name: NDArray[np.str_]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    area: NDArray[np.float64]
    polygons: NDArray[np.object_]
    boxes: NDArray[np.float64] | None = None
    land_fraction: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        names, counts = np.unique(self.name, return_counts=True)
        if (counts > 1).any():
            raise InputError("cells", "name", f"{names[counts > 1][0]} twice", "each name once")

    def __len__(self) -> int:
        return len(self.name)

    def coordinates(self) -> dict[str, tuple[str, NDArray, dict[str, str]]]:
        """Return their coordinates along ``location``, with CF attributes."""
        return location_coordinates(self.name.astype(object), self.lat, self.lon)

    def select(self, which: ArrayLike | slice) -> Cells:
        """Return the cells that an index, mask or slice picks."""
        parts = {
            name: None if values is None else values[which] for name, values in vars(self).items()
        }
        return Cells(**parts)


def known_crs(crs: object) -> pyproj.CRS:
    """Return what pyproj knows of a coordinate reference system.

    Raises
    ------
    InputError
        If it knows none of that name.
    """
    try:
        return pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        expected = "a coordinate reference system, such as EPSG:32632"
        raise InputError("grid", "crs", repr(crs), expected) from error


def box_cells(
    west: float,
    south: float,
    east: float,
    north: float,
    resolution: float,
    land: gpd.GeoDataFrame | gpd.GeoSeries | shapely.Geometry | None = None,
) -> Cells:
    """Divide a box into cells of equal width and height, row by row from south-west.

    Parameters
    ----------
    west, south, east, north
        Sides of the box, degrees, each a multiple of the resolution; a box whose west is greater
        than its east lies across the antimeridian.
    resolution
        Width and height of a cell, degrees.
    land
        Outlines of land, without a reference system in EPSG:4326: cells without land are left
        out, the others have their share of land.

    Raises
    ------
    InputError
        If the box is empty or beyond the Earth, the resolution does not divide it, or no cell has
        land.
    """
    place = f"box {west} {south} {east} {north}"
    if west > east:
        east += 360.0
    if not (-90 <= south < north <= 90 and west < east <= west + 360):
        expected = "south below north, west before east, at most once around the Earth"
        raise InputError(place, "sides", "an empty or impossible box", expected)
    columns = _multiples(place, ("west", west), ("east", east), resolution)
    rows = _multiples(place, ("south", south), ("north", north), resolution)
    corners = np.meshgrid(columns[:-1], rows[:-1]), np.meshgrid(columns[1:], rows[1:])
    boxes = np.column_stack([part.ravel() for corner in corners for part in corner])
    share = None
    if land is not None:
        share = _land_share(boxes, _outline_of(land))
        if not (share > 0).any():
            raise InputError(place, "land", "no cell with land", "a box on land")
        boxes, share = boxes[share > 0], share[share > 0]
    return _from_boxes(boxes, resolution, share)


def centred_cells(
    name: Sequence[str],
    lat: ArrayLike,
    lon: ArrayLike,
    resolution: float,
    land: gpd.GeoDataFrame | gpd.GeoSeries | shapely.Geometry,
) -> Cells:
    """Make cells of equal width and height around centres, each with its share of land.

    Parameters
    ----------
    name
        Names.
    lat, lon
        Centres, degrees.
    resolution
        Width and height of a cell, degrees.
    land
        Outlines of land, as for :func:`box_cells`; cells may have none.
    """
    lat, lon, half = np.asarray(lat, dtype=float), np.asarray(lon, dtype=float), resolution / 2
    boxes = np.column_stack([lon - half, lat - half, lon + half, lat + half])
    cells = _from_boxes(boxes, resolution, _land_share(boxes, _outline_of(land)))
    return replace(cells, name=np.asarray(name, dtype=str))


def polygon_cells(frame: gpd.GeoDataFrame, name_column: str) -> Cells:
    """Make a cell of each row of a table of polygons.

    Parameters
    ----------
    frame
        Polygons in any known reference system; corners are converted to EPSG:4326. Parts of one
        that lie on either side of the antimeridian are joined there.
    name_column
        Column that names the cells.

    Raises
    ------
    InputError
        If there is no row, no reference system or no such column, a name is missing or there
        twice, or a geometry is no valid polygon.
    """
    place = "polygons"
    if not len(frame):
        raise InputError(place, "rows", "none", "one polygon at least")
    if frame.crs is None:
        raise InputError(place, "crs", "none", "a known coordinate reference system")
    if name_column not in frame or frame[name_column].isna().any():
        raise InputError(place, name_column, "no such column or no value", "a name in each row")
    names = frame[name_column].to_numpy().astype(str)
    for name, geometry in zip(names, frame.geometry, strict=True):
        _check_polygon(f"{place}, {name}", geometry)
    outlines = frame.geometry.to_crs(GEOGRAPHIC)
    polygons = np.array([_joined(outline) for outline in outlines], dtype=object)
    for name, polygon in zip(names, polygons, strict=True):
        _check_polygon(f"{place}, {name}", polygon)
    centres = shapely.centroid(polygons)
    lon, lat = shapely.get_x(centres), shapely.get_y(centres)
    return Cells(names, lat, _wrapped(lon), polygon_area(polygons), polygons)


def footprint_cells(
    lat: ArrayLike, lon: ArrayLike, radius: ArrayLike, name: Sequence[str] | None = None
) -> Cells:
    """Make circular cells, all points of whose rim are equally far from the centre.

    Rims are found along geodesics of the WGS84 ellipsoid, which is a circle in the azimuthal
    equidistant projection around the centre; they may hold a pole or cross the antimeridian.

    Parameters
    ----------
    lat, lon
        Centres, degrees.
    radius
        Radius of all or of each, m.
    name
        Names; the positions where there are none.

    Raises
    ------
    InputError
        If a position is not on the Earth or a radius not between nothing and 5000 km.
    """
    lat, lon, radius = (
        np.array(values, dtype=np.float64)
        for values in np.broadcast_arrays(*map(np.atleast_1d, (lat, lon, radius)))
    )
    for field_name, values, low, high in (
        ("lat", lat, -90, 90),
        ("lon", lon, -360, 360),
        ("radius", radius, 1e-3, 5e6),
    ):
        if not ((values >= low) & (values <= high)).all():
            raise InputError("footprints", field_name, values, f"{low} to {high}")
    polygons = np.array([_circle(*point) for point in zip(lat, lon, radius, strict=True)], object)
    names = np.array(name) if name is not None else _names(lat, lon, _DECIMALS)
    return Cells(names, lat, _wrapped(lon), polygon_area(polygons), polygons)


def zone_area(south: ArrayLike, north: ArrayLike) -> NDArray[np.float64]:
    """Return the area between two latitudes per radian of longitude, m2, on the WGS84 ellipsoid.

    The difference of Snyder's q (1987, Map Projections - a Working Manual, USGS Professional
    Paper 1395, equation 3-12) between two latitudes in degrees, times the squared semi-major axis
    over two, written so that close latitudes lose no digits: the difference of sines as a product
    and that of inverse hyperbolic tangents as one. Negative where ``north`` lies further south.
    """
    low, high = np.radians(south), np.radians(north)
    s, t = np.sin(low), np.sin(high)
    step = 2 * np.cos((high + low) / 2) * np.sin(np.radians(np.subtract(north, south)) / 2)
    e2 = ECCENTRICITY**2
    rational = step * (1 + e2 * s * t) / ((1 - e2 * s * s) * (1 - e2 * t * t))
    hyperbolic = np.arctanh(ECCENTRICITY * step / (1 - e2 * s * t)) / ECCENTRICITY
    return np.asarray(SEMI_MINOR**2 / 2 * (rational + hyperbolic))


def box_area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the areas of boxes of west, south, east and north (boxes, 4) in degrees, m2."""
    return zone_area(boxes[:, 1], boxes[:, 3]) * np.radians(boxes[:, 2] - boxes[:, 0])


def polygon_area(polygons: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the areas of polygons in EPSG:4326, m2.

    The line integral of the area south of each edge, by Gauss and Legendre's rule of sixteen
    points: exact to rounding for edges that are straight in longitude and latitude.
    """
    oriented = shapely.orient_polygons(polygons)
    rings, ring_owner = _rings(oriented)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    same = point_ring[1:] == point_ring[:-1]
    begin, end = points[:-1][same], points[1:][same]
    heights = np.zeros(len(begin))
    for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
        latitude = begin[:, 1] + (end[:, 1] - begin[:, 1]) * (1 + node) / 2
        heights += weight / 2 * zone_area(0.0, latitude)
    # A ring that runs anticlockwise has what is inside to the north of its eastward edges.
    parts = -heights * np.radians(end[:, 0] - begin[:, 0])
    owner = ring_owner[point_ring[:-1][same]]
    return np.bincount(owner, parts, minlength=len(polygons))


def area_inside(boxes: NDArray[np.float64], outline: shapely.Geometry) -> NDArray[np.float64]:
    """Return the area of each box that is inside an outline, m2, exact to rounding.

    Parameters
    ----------
    boxes
        West, south, east and north of each, degrees, (boxes, 4).
    outline
        A polygon or several in EPSG:4326, in whatever turn of longitudes, such as beyond 180.
    """
    shared = np.zeros(len(boxes))
    if outline.is_empty:
        return shared
    west, _, east, _ = shapely.bounds(outline)
    for turn in range(
        int(np.floor((boxes[:, 0].min() - east) / 360)),
        int(np.ceil((boxes[:, 2].max() - west) / 360)) + 1,
    ):
        shared += _shared_area(boxes, turned(outline, turn))
    return shared


def turned(geometry: _Geometry, turns: int) -> _Geometry:
    """Return geometries with whole turns of 360 degrees added to their longitudes."""
    return shapely.transform(geometry, lambda corners: np.add(corners, (360.0 * turns, 0.0)))


def _rings(polygons: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    parts, part_owner = shapely.get_parts(polygons, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    return rings, part_owner[ring_part]


def _check_edges(place: str, name: str, edges: NDArray[np.float64]) -> None:
    steps = np.diff(edges)
    if edges.ndim != 1 or not len(steps) or not np.isfinite(edges).all():
        raise InputError(place, name, "too few or no numbers", "finite edges of one cell at least")
    if not ((steps > 0).all() or (steps < 0).all()):
        raise InputError(place, name, "edges that turn back", "edges that rise or fall throughout")


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    if centres.ndim != 1 or len(centres) < 2:
        raise InputError("grid", "centres", f"shape {centres.shape}", "two centres at least")
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def _to_pole(outer: float, inner: float) -> float:
    pole = np.copysign(90.0, outer - inner)
    return pole if abs(outer - inner) / 2 > (pole - outer) * np.sign(pole) else outer


def _multiples(
    place: str, low: tuple[str, float], high: tuple[str, float], resolution: float
) -> NDArray[np.float64]:
    """Return the multiples of the resolution between two sides that have to be such."""
    if not 0 < resolution <= 180:
        raise InputError(place, "resolution", resolution, "above 0 and at most 180 degrees")
    steps = [side / resolution for _, side in (low, high)]
    for (name, side), step in zip((low, high), steps, strict=True):
        if abs(step - round(step)) > _ALIGNED:
            raise InputError(place, name, side, f"a multiple of the resolution {resolution}")
    counts = np.arange(round(steps[0]), round(steps[1]) + 1)
    per_degree = 1 / resolution
    if abs(per_degree - round(per_degree)) < _ALIGNED:
        return counts / round(per_degree)
    return counts * resolution


def _from_boxes(
    boxes: NDArray[np.float64], resolution: float, land: NDArray[np.float64] | None
) -> Cells:
    west, south, east, north = boxes.T
    lat, lon = (south + north) / 2, _wrapped((west + east) / 2)
    area = zone_area(south, north) * np.radians(east - west)
    return Cells(
        _names(lat, lon, _decimals(resolution / 2)),
        lat,
        lon,
        area,
        shapely.box(*boxes.T),
        boxes,
        land,
    )


def _land_share(boxes: NDArray[np.float64], land: shapely.Geometry) -> NDArray[np.float64]:
    """Return the share of each box's area that is land, whatever turn the longitudes are in."""
    return np.minimum(area_inside(boxes, land) / box_area(boxes), 1.0)


def _shared_area(boxes: NDArray[np.float64], land: shapely.Geometry) -> NDArray[np.float64]:
    """Return the area of land in each box, m2.

    Land is halved until a piece lies in few boxes, so that no box is cut with a whole continent.
    """
    area = np.zeros(len(boxes))
    pieces = [(np.arange(len(boxes)), land)]
    while pieces:
        which, piece = pieces.pop()
        west, south, east, north = shapely.bounds(piece)
        b = boxes[which]
        near = (b[:, 0] < east) & (b[:, 2] > west) & (b[:, 1] < north) & (b[:, 3] > south)
        which = which[near]
        if not len(which):
            continue
        if len(which) <= 16 or shapely.get_num_coordinates(piece) <= 16:
            cut = shapely.intersection(shapely.box(*boxes[which].T), piece)
            area[which] += polygon_area(np.array([_polygonal(part) for part in cut], dtype=object))
        else:
            pieces += [(which, half) for half in _halves(piece, boxes[which])]
    return area


def _halves(piece: shapely.Geometry, boxes: NDArray[np.float64]) -> list[shapely.Geometry]:
    """Cut land along a border of boxes, across the longer side of what these cover."""
    west, south, _, _ = boxes.min(axis=0)
    _, _, east, north = boxes.max(axis=0)
    if east - west >= north - south:
        cut = np.sort(boxes[:, 0])[len(boxes) // 2]
        sides = shapely.box(west, south, cut, north), shapely.box(cut, south, east, north)
    else:
        cut = np.sort(boxes[:, 1])[len(boxes) // 2]
        sides = shapely.box(west, south, east, cut), shapely.box(west, cut, east, north)
    return [half for half in shapely.intersection(piece, sides) if not half.is_empty]


def _outline_of(land: gpd.GeoDataFrame | gpd.GeoSeries | shapely.Geometry) -> shapely.Geometry:
    if isinstance(land, shapely.Geometry):
        return land
    outlines = land.geometry if land.crs is None else land.geometry.to_crs(GEOGRAPHIC)
    return shapely.union_all(outlines.to_numpy())


def _polygonal(geometry: shapely.Geometry) -> shapely.Geometry:
    """Return the polygons of what an intersection left, without lines and points."""
    if isinstance(geometry, shapely.Polygon | shapely.MultiPolygon):
        return geometry
    parts = shapely.get_parts(geometry)
    return shapely.MultiPolygon([part for part in parts if isinstance(part, shapely.Polygon)])


def _check_polygon(place: str, geometry: shapely.Geometry | None) -> None:
    if not isinstance(geometry, shapely.Polygon | shapely.MultiPolygon) or geometry.is_empty:
        found = "nothing" if geometry is None else geometry.geom_type
        raise InputError(place, "geometry", found, "a polygon that is not empty")
    if not geometry.is_valid:
        raise InputError(place, "geometry", shapely.is_valid_reason(geometry), "a valid polygon")
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise InputError(place, "geometry", "corners without a position", "finite coordinates")


def _joined(outline: shapely.Geometry) -> shapely.Geometry:
    """Return a polygon with its parts side by side, turned around the Earth where they are not."""
    parts = shapely.get_parts(outline)
    if len(parts) == 1:
        return outline
    bounds = shapely.bounds(parts)
    order = np.argsort(bounds[:, 0])
    reach = np.maximum.accumulate(bounds[order, 2])
    gaps = bounds[order, 0][1:] - reach[:-1]
    outer = bounds[order[0], 0] + 360 - reach[-1]
    if gaps.max() <= outer:
        return outline
    first = order[: gaps.argmax() + 1]
    parts[first] = turned(parts[first], 1)
    return shapely.union_all(parts)


def _circle(lat: float, lon: float, radius: float) -> shapely.Polygon:
    one = np.ones(_RIM)
    azimuth = np.arange(_RIM) * (-360.0 / _RIM)  # anticlockwise
    x, y, _ = pyproj.Geod(ellps="WGS84").fwd(lon * one, lat * one, azimuth, radius * one)
    x = np.unwrap(x, period=360)
    x += 360 * np.round((lon - x.mean()) / 360)
    turns = np.round((x[-1] - x[0]) / 360)
    if turns:  # the rim goes around a pole, which closes the outline
        pole = np.copysign(90.0, lat)
        last = x[0] + 360 * turns
        x, y = np.append(x, [last, last, x[0]]), np.append(y, [y[0], pole, pole])
    return shapely.Polygon(np.column_stack([x, y]))


def _wrapped(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    return (np.asarray(lon) + 180) % 360 - 180


def _names(lat: NDArray, lon: NDArray, decimals: int) -> NDArray[np.str_]:
    lon = _wrapped(lon)
    return np.array(
        [
            f"{abs(y):.{decimals}f}{'N' if y >= 0 else 'S'}_"
            f"{abs(x):.{decimals}f}{'E' if x >= 0 else 'W'}"
            for y, x in zip(lat, lon, strict=True)
        ]
    )


def _decimals(number: float) -> int:
    """Return how many decimals a number has, as far as names show them."""
    return len(f"{number:.{_DECIMALS}f}".rstrip("0").partition(".")[2])
