"""How much of each pixel of a grid lies in each cell, as area on the WGS84 ellipsoid.

Boxes on a geographic grid share a product of an overlap in longitude and one in latitude: closed
form, exact to rounding. Other outlines are laid onto the grid in a plane where its pixels are
rectangles: the projection of the grid, or longitude and the area south of a latitude (a
cylindrical equal-area projection of the ellipsoid) for a geographic grid. What is straight in
longitude and latitude bends there, so each edge is halved until the middle of each piece is
within :data:`TOLERANCE` of a pixel of the true line. The area that such an outline shares with
each pixel is then exact: Green's theorem turns it into a sum over the pieces of the edges in each
pixel and, for pixels to their left, over the rows that they cross. Cells that share an edge share
its pieces, so that what one loses the other gains to the last digit. So do windows of a projected
grid: edges are cut first where they cross whole degrees, and outlines clipped there too.

Pixels of a projected grid are weighed by the true area of a square metre of the projection at
their centre, from the projection's own factors (Snyder 1987, USGS Professional Paper 1395,
section 4) and the ratio of the ellipsoids' curvatures where it is not of WGS84, such as the sphere
of the MODIS land products. Both are found at nodes 5 km apart, whose places do not depend on the
window, and linear in between: within 2e-7 for UTM; over a window of more than 2500 km nodes are
farther apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from numba import njit
from numpy.typing import NDArray

from concerto.errors import InputError
from concerto.prepare.grids import (
    ECCENTRICITY,
    GEOGRAPHIC,
    SEMI_MAJOR,
    SEMI_MINOR,
    Cells,
    Grid,
    turned,
    zone_area,
)

TOLERANCE = 1e-4
"""How far a bent edge may be from the straight pieces that stand for it, in pixels."""

_SLIVER = 1e-12  # share of a pixel below which an overlap is rounding, not area
_BATCH = 4096  # cells whose outlines are held at once
_STRIP = 1 << 20  # pixels of one cell's outline that are held at once
_NODE_STEP = 5e3  # m between nodes of the lattice
_MOST_NODES = 512  # of the lattice in each direction
_SEAM = 180 - 1e-10  # degrees from the central meridian, 0.01 mm short of where sides change
_MOST_HALVINGS = 30  # of a piece, each of which straightens it fourfold
_FIRST_PIECE = 1.0  # degrees: edges are cut at its multiples before they are halved


@dataclass(frozen=True, eq=False)
class Overlap:
    """The pixels that each cell meets, in compressed rows: cells one after the other.

    About 20 bytes a pixel and cell that meet; windows of a large grid keep it small.

    Parameters
    ----------
    shape
        Rows and columns of the grid.
    start
        Where each cell's pixels begin, (cells + 1).
    pixel
        Row times the number of columns plus column, ascending in each cell.
    area
        Area that the pixel and the cell share, m2.
    east, north
        Where the pixel's centre is from the cell's, m, in the plane that touches the cell there.
    pixel_area
        Mean area of the whole pixels that a cell meets, weighted by what it shares, m2, (cells).
    """

    shape: tuple[int, int]
    start: NDArray[np.int64]
    pixel: NDArray[np.int32]
    area: NDArray[np.float64]
    east: NDArray[np.float32]
    north: NDArray[np.float32]
    pixel_area: NDArray[np.float64]

    @property
    def cell(self) -> NDArray[np.int64]:
        """Number of the cell of each overlap."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    @property
    def row(self) -> NDArray[np.int32]:
        """Row of the pixel of each overlap."""
        return self.pixel // self.shape[1]

    @property
    def column(self) -> NDArray[np.int32]:
        """Column of the pixel of each overlap."""
        return self.pixel % self.shape[1]


def overlap(grid: Grid, cells: Cells) -> Overlap:
    """Find the area that each cell shares with each pixel of a grid.

    Cells that do not meet the grid have no pixels; longitudes match whatever turn of 360 degrees
    they are in. What a cell shares with a pixel does not depend on the window of the grid, but for
    rounding, with two exceptions: windows of a projected grid of more than 2500 km (2e-7 and more),
    and other outlines than boxes on a geographic grid, which are bent to :data:`TOLERANCE` of the
    window's median pixel, whose area changes with its latitudes.

    Raises
    ------
    InputError
        If the grid has more pixels than 32 bits count, a cell near it has no coordinates in its
        projection, or a pixel that a cell meets has its centre beyond the projection's rim.
    """
    if grid.shape[0] * grid.shape[1] >= 2**31:
        raise InputError(f"grid in {grid.crs}", "pixels", "2**31 or more", "a smaller window")
    plane = _Plane(grid)
    if grid.is_geographic and cells.boxes is not None:
        start, pixel, area = _overlaps_of_boxes(plane, cells.boxes)
    else:
        start, pixel, area = _overlaps_of_outlines(plane, cells.polygons)
    sizes = np.diff(plane.x), np.diff(plane.y)
    east, north, pixel_area = _place(
        start, pixel, area, sizes, plane.centres, plane.lattice, _bases(cells)
    )
    if not np.isfinite(area).all():
        found = "pixels whose centre is beyond the rim of the projection"
        raise InputError(f"grid in {grid.crs}", "pixels", found, "a window within the rim")
    return Overlap(grid.shape, start, pixel, area, east, north, pixel_area)


class _Plane:
    """The plane in which a grid's pixels are rectangles and outlines are laid on them.

    ``x`` and ``y`` are edges that rise with column and row: the sign of a falling axis is turned.
    ``lattice`` holds, at nodes that reach from edge to edge, the geocentric position (m) and the
    area (m2) of a unit of the plane; ``centres`` are where the middles of columns and rows are
    among the nodes. ``near`` is west, south, east and north of all that may touch the grid,
    degrees.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._turn = np.array([np.sign(np.diff(edges[:2]))[0] for edges in (grid.x, grid.y)])
        heights = zone_area(0.0, grid.y) if grid.is_geographic else grid.y
        self.x, self.y = grid.x * self._turn[0], heights * self._turn[1]
        self.pixel = np.array([np.median(np.diff(self.x)), np.median(np.diff(self.y))])
        if grid.is_geographic:
            nodes, lon, lat, density = _degrees_lattice(grid)
            self.near = (grid.x.min(), grid.y.min(), grid.x.max(), grid.y.max())
        else:
            nodes, lon, lat, density = _projected_lattice(grid)
            self._transformer = _transformer(grid)
            self.near = self._bounds(lon, lat)
        self.lattice = np.concatenate([_geocentric(lon, lat), density[None]])
        self.centres = tuple(
            np.interp((edges[1:] + edges[:-1]) / 2, along, np.arange(len(along)))
            for edges, along in zip((grid.x, grid.y), nodes, strict=True)
        )

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where longitudes and latitudes are in the plane, (points, 2)."""
        if self.grid.is_geographic:
            return np.column_stack([points[:, 0], zone_area(0.0, points[:, 1])]) * self._turn
        placed = np.column_stack(self._transformer.transform(points[:, 0], points[:, 1]))
        if not np.isfinite(placed).all():
            raise InputError(
                "cells", "outlines", f"no coordinates in {self.grid.crs}", "cells within its reach"
            )
        return placed * self._turn

    def parts(self, polygons: NDArray[np.object_]) -> tuple[NDArray, NDArray[np.int64]]:
        """Return the parts of polygons near the grid, in its turn of longitudes, and whose."""
        west, south, east, north = self.near
        bounds = shapely.bounds(polygons)
        level = (bounds[:, 1] < north) & (bounds[:, 3] > south)
        parts, owners = [], []
        lowest = int(np.ceil((west - bounds[:, 2].max()) / 360))
        highest = int(np.floor((east - bounds[:, 0].min()) / 360))
        for turn in range(lowest, highest + 1):
            meets = level & (bounds[:, 0] + 360 * turn < east) & (bounds[:, 2] + 360 * turn > west)
            owner = np.flatnonzero(meets)
            part = turned(polygons[owner], turn)
            if not self.grid.is_geographic:
                part = _clipped(part, self.near)
            parts.append(part)
            owners.append(owner)
        if not parts:
            return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
        return np.concatenate(parts), np.concatenate(owners)

    def _bounds(self, lon: NDArray, lat: NDArray) -> tuple[float, float, float, float]:
        """Return the bounds of a lattice and a margin for what is between its nodes.

        They are where edges are cut, so that what is clipped there has the same pieces. Within a
        piece's length of a pole all longitudes may be near.
        """
        if not np.isfinite(lon).any():
            raise InputError(f"grid in {self.grid.crs}", "x, y", "no place on Earth", "a window")
        centre = _central_meridian(self.grid.projection)
        west, east = _reach(centre + (lon - centre + 180) % 360 - 180)
        south, north = _reach(lat)
        if south <= -90.0 or north >= 90.0:
            west, east = -np.inf, np.inf
        west, east = max(west, centre - _SEAM), min(east, centre + _SEAM)
        return west, max(south, -90.0), east, min(north, 90.0)


def _reach(nodes: NDArray[np.float64]) -> tuple[float, float]:
    """Return multiples of a piece's length that hold degrees at nodes and what is between these."""
    low, high = np.nanmin(nodes), np.nanmax(nodes)
    margin = (high - low) / 16 + 0.01
    first, last = np.floor((low - margin) / _FIRST_PIECE), np.ceil((high + margin) / _FIRST_PIECE)
    return _FIRST_PIECE * first, _FIRST_PIECE * last


def _transformer(grid: Grid) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(GEOGRAPHIC, grid.projection, always_xy=True)


def _central_meridian(crs: pyproj.CRS) -> float:
    """Return the longitude, degrees, half a turn from which a projection may be cut open."""
    for parameter in crs.coordinate_operation.params if crs.coordinate_operation else ():
        if parameter.name.startswith("Longitude of"):
            return float(np.degrees(parameter.value * parameter.unit_conversion_factor))
    return 0.0


def _nodes(edges: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return multiples of a step, or of twice, four times ... as much, that hold edges."""
    while np.ptp(edges) > (_MOST_NODES - 2) * step:
        step *= 2
    first, last = np.floor(edges.min() / step), np.ceil(edges.max() / step)
    return step * np.arange(first, last + 1)


def _degrees_lattice(grid: Grid) -> tuple[tuple[NDArray, NDArray], NDArray, NDArray, NDArray]:
    """Return nodes of a geographic grid, their longitude, latitude and area of a unit."""
    step = np.degrees(_NODE_STEP / SEMI_MAJOR)
    nodes = _nodes(grid.x, step), _nodes(grid.y, step)
    lon, lat = np.meshgrid(*nodes)
    return nodes, lon, lat, np.full(lon.shape, np.radians(1.0))


def _projected_lattice(grid: Grid) -> tuple[tuple[NDArray, NDArray], NDArray, NDArray, NDArray]:
    """Return nodes of a projected grid, their longitude, latitude and true area of a unit.

    Nodes that are not on the Earth are NaN. Where none of the outermost ones is, as beyond a pole,
    they are on the grid's edge instead.
    """
    step = _NODE_STEP / grid.projection.axis_info[0].unit_conversion_factor
    nodes = _nodes(grid.x, step), _nodes(grid.y, step)
    lon, lat, density = _on_earth(grid, nodes)
    off = False
    for along, edges, lines in zip(nodes, (grid.x, grid.y), (density.T, density), strict=True):
        beyond = [end for end in (0, -1) if np.isnan(lines[end]).all()]
        along[beyond] = np.clip(along[beyond], edges.min(), edges.max())
        off = off or bool(beyond)
    return nodes, *(_on_earth(grid, nodes) if off else (lon, lat, density))


def _on_earth(grid: Grid, nodes: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray, NDArray]:
    """Return longitude, latitude and true area of a unit where nodes are, NaN off the Earth."""
    axis = grid.projection.axis_info[0].unit_conversion_factor
    x, y = np.meshgrid(*nodes)
    lon, lat = _transformer(grid).transform(x, y, direction="INVERSE")
    own = pyproj.Proj(grid.projection)
    factors = own.get_factors(*own(x, y, inverse=True)).areal_scale
    ellipsoid = grid.projection.ellipsoid
    own_minor = ellipsoid.semi_minor_metre
    own_e2 = 1 - (own_minor / ellipsoid.semi_major_metre) ** 2
    true = _curvature(lat, SEMI_MINOR, ECCENTRICITY**2) / _curvature(lat, own_minor, own_e2)
    there = np.isfinite(lon) & np.isfinite(factors)
    density = np.where(there, axis**2 * true / np.where(there, factors, 1.0), np.nan)
    return np.where(there, lon, np.nan), np.where(there, lat, np.nan), density


def _curvature(lat: NDArray, minor: float, e2: float) -> NDArray:
    """Return the product of both radii of curvature, m2 (Snyder 1987, equations 4-18 to 4-20)."""
    sine = np.sin(np.radians(np.where(np.isfinite(lat), lat, 0.0)))
    return (minor / (1 - e2 * sine**2)) ** 2


def _geocentric(lon: NDArray, lat: NDArray) -> NDArray[np.float64]:
    """Return positions on the ellipsoid from the centre of the Earth, m, (3, ...)."""
    lon, lat = np.radians(lon), np.radians(lat)
    normal = SEMI_MAJOR / np.sqrt(1 - (ECCENTRICITY * np.sin(lat)) ** 2)
    return np.stack(
        [
            normal * np.cos(lat) * np.cos(lon),
            normal * np.cos(lat) * np.sin(lon),
            normal * (1 - ECCENTRICITY**2) * np.sin(lat),
        ]
    )


def _bases(cells: Cells) -> NDArray[np.float64]:
    """Return each cell's centre and what is east and north there, (cells, 3, 3)."""
    lon, lat = np.radians(cells.lon), np.radians(cells.lat)
    zero = np.zeros(len(cells))
    east = np.stack([-np.sin(lon), np.cos(lon), zero])
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    stacked = np.stack([_geocentric(cells.lon, cells.lat), east, north])
    return np.ascontiguousarray(stacked.transpose(2, 0, 1))


def _clipped(
    polygons: NDArray[np.object_], near: tuple[float, float, float, float]
) -> NDArray[np.object_]:
    """Return polygons without what is far from the grid, where its projection may have no place."""
    west, south, east, north = near
    bounds = shapely.bounds(polygons)
    beyond = (bounds[:, :2] < (west, south)).any(axis=1) | (bounds[:, 2:] > (east, north)).any(
        axis=1
    )
    polygons[beyond] = shapely.intersection(polygons[beyond], shapely.box(*near))
    return polygons


def _overlaps_of_boxes(
    plane: _Plane, boxes: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    grid = plane.grid
    edges = [np.sort(side) for side in (grid.x, grid.y)]
    reverse = [side[0] > side[-1] for side in (grid.x, grid.y)]
    count = _boxes(
        boxes, *edges, *reverse, np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0)
    )
    start = np.empty(len(boxes) + 1, dtype=np.int64)
    pixel, area = np.empty(count, dtype=np.int32), np.empty(count)
    _boxes(boxes, *edges, *reverse, start, pixel, area)
    return start, pixel, area


def _overlaps_of_outlines(
    plane: _Plane, polygons: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    counts, pixels, areas = [], [], []
    for first in range(0, len(polygons), _BATCH):
        batch = polygons[first : first + _BATCH]
        pieces, owner = _pieces(plane, *plane.parts(batch))
        begin = np.searchsorted(owner, np.arange(len(batch) + 1))
        count, pixel, area = _rasterise(begin, pieces, plane.x, plane.y)
        counts.append(count)
        pixels.append(pixel)
        areas.append(area)
    start = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return start, np.concatenate(pixels), np.concatenate(areas)


def _pieces(
    plane: _Plane, polygons: NDArray[np.object_], owner: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return straight pieces of outlines in the plane, (pieces, 4), by cell, and the cells.

    Outer rings run one way and holes the other, so that the areas they enclose add up.
    """
    parts, of_polygon = shapely.get_parts(shapely.orient_polygons(polygons), return_index=True)
    polygonal = shapely.get_dimensions(parts) == 2  # clipping may leave lines where cells touch
    parts, of_polygon = parts[polygonal], of_polygon[polygonal]
    rings, of_part = shapely.get_rings(parts, return_index=True)
    corners, of_ring = shapely.get_coordinates(rings, return_index=True)
    same = of_ring[1:] == of_ring[:-1]
    edges = np.concatenate([corners[:-1][same], corners[1:][same]], axis=1)
    cell = owner[of_polygon[of_part[of_ring[:-1][same]]]]
    # Halved from the same end by both cells that share it, an edge has the same pieces in both.
    backward = (edges[:, 0] > edges[:, 2]) | (
        (edges[:, 0] == edges[:, 2]) & (edges[:, 1] > edges[:, 3])
    )
    edges[backward] = edges[backward][:, [2, 3, 0, 1]]
    begin, end, which = _cut(edges)
    pieces, which = _halved(plane, begin, end, which)
    pieces[backward[which]] = pieces[backward[which]][:, [2, 3, 0, 1]]
    order = np.argsort(cell[which], kind="stable")
    return pieces[order], cell[which][order]


def _cut(edges: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray[np.int64]]:
    """Cut edges (edges, 4) at multiples of :data:`_FIRST_PIECE` in longitude and latitude.

    Returns where pieces begin and end (pieces, 2) and of which edges they are.
    """
    count = len(edges)
    numbers, shares = [np.arange(count), np.arange(count)], [np.zeros(count), np.ones(count)]
    for axis in (0, 1):
        begin, end = edges[:, axis] / _FIRST_PIECE, edges[:, axis + 2] / _FIRST_PIECE
        first = np.floor(np.minimum(begin, end)) + 1
        number = np.maximum(np.ceil(np.maximum(begin, end)) - first, 0).astype(np.int64)
        which = np.repeat(np.arange(count), number)
        line = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(number) - number, number)
        numbers.append(which)
        shares.append((line - begin[which]) / (end - begin)[which])
    which, share = np.concatenate(numbers), np.concatenate(shares)
    order = np.lexsort([share, which])
    which, share = which[order], share[order]
    points = edges[which, :2] * (1 - share[:, None]) + edges[which, 2:] * share[:, None]
    same = (which[1:] == which[:-1]) & (share[1:] > share[:-1])
    return points[:-1][same], points[1:][same], which[:-1][same]


def _halved(
    plane: _Plane, begin: NDArray[np.float64], end: NDArray[np.float64], which: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Halve pieces until the true middle of each is within the tolerance of its straight one."""
    placed_begin, placed_end = plane.place(begin), plane.place(end)
    done, done_which = [np.empty((0, 4))], [which[:0]]
    for _ in range(_MOST_HALVINGS):
        middle = (begin + end) / 2
        placed = plane.place(middle)
        bent = np.abs(placed - (placed_begin + placed_end) / 2) > TOLERANCE * plane.pixel
        bent = bent.any(axis=1)
        done.append(np.concatenate([placed_begin[~bent], placed_end[~bent]], axis=1))
        done_which.append(which[~bent])
        if not bent.any():
            return np.concatenate(done), np.concatenate(done_which)
        begin, middle, end = begin[bent], middle[bent], end[bent]
        placed_begin, placed, placed_end = placed_begin[bent], placed[bent], placed_end[bent]
        begin, end = np.concatenate([begin, middle]), np.concatenate([middle, end])
        placed_begin, placed_end = (
            np.concatenate([placed_begin, placed]),
            np.concatenate([placed, placed_end]),
        )
        which = np.concatenate([which[bent], which[bent]])
    found = f"an edge that {plane.grid.crs} tears apart"
    raise InputError("cells", "outlines", found, "cells on one side of where it is cut open")


@njit(cache=True)
def _zone(south, north):
    """As :func:`concerto.prepare.grids.zone_area`, for numbers in a kernel."""
    low, high = np.radians(south), np.radians(north)
    s, t = np.sin(low), np.sin(high)
    step = 2 * np.cos((high + low) / 2) * np.sin(np.radians(north - south) / 2)
    e2 = ECCENTRICITY**2
    rational = step * (1 + e2 * s * t) / ((1 - e2 * s * s) * (1 - e2 * t * t))
    hyperbolic = np.arctanh(ECCENTRICITY * step / (1 - e2 * s * t)) / ECCENTRICITY
    return SEMI_MINOR**2 / 2 * (rational + hyperbolic)


@njit(cache=True)
def _boxes(boxes, x, y, reverse_x, reverse_y, start, pixel, area):
    """Write the overlaps of boxes with a geographic grid; without ``start`` only count them.

    ``x`` and ``y`` rise; ``reverse`` says that columns or rows run the other way.
    """
    rows, columns = len(y) - 1, len(x) - 1
    places = np.empty(columns, dtype=np.int64)
    widths = np.empty(columns)
    count = 0
    for cell in range(len(boxes)):
        west, south, east, north = boxes[cell, 0], boxes[cell, 1], boxes[cell, 2], boxes[cell, 3]
        if len(start):
            start[cell] = count
        met = 0
        turn = np.ceil((x[0] - east) / 360) * 360
        while west + turn < x[-1]:
            column = max(np.searchsorted(x, west + turn, side="right") - 1, 0)
            while column < columns and x[column] < east + turn:
                width = min(x[column + 1], east + turn) - max(x[column], west + turn)
                if width > _SLIVER * (x[column + 1] - x[column]):
                    places[met] = column
                    widths[met] = width
                    met += 1
                column += 1
            turn += 360
        first = max(np.searchsorted(y, south, side="right") - 1, 0)
        last = min(np.searchsorted(y, north, side="left"), rows)
        for step in range(last - first):
            row = last - 1 - step if reverse_y else first + step
            low, high = max(y[row], south), min(y[row + 1], north)
            if not met or high - low <= _SLIVER * (y[row + 1] - y[row]):
                continue
            if len(start):
                height = _zone(low, high)
                line = (rows - 1 - row if reverse_y else row) * columns
                for k in range(met):
                    m = met - 1 - k if reverse_x else k
                    column = columns - 1 - places[m] if reverse_x else places[m]
                    pixel[count + k] = line + column
                    area[count + k] = height * widths[m]
            count += met
    if len(start):
        start[len(boxes)] = count
    return count


@njit(cache=True)
def _rasterise(begin, pieces, x, y):
    """Return how many pixels each outline meets, which, and the area of the plane that it shares.

    ``pieces`` (pieces, 4) of outline ``k`` are those from ``begin[k]`` to ``begin[k + 1]``.
    """
    cells = len(begin) - 1
    columns = len(x) - 1
    counts = np.zeros(cells, dtype=np.int64)
    pixel = np.empty(1024, dtype=np.int32)
    area = np.empty(1024)
    total = 0
    for cell in range(cells):
        own = pieces[begin[cell] : begin[cell + 1]]
        if not len(own):
            continue
        first_column, last_column = _range(x, own[:, 0])
        first_row, last_row = _range(y, own[:, 1])
        if first_column >= last_column or first_row >= last_row:
            continue
        sign = _orientation(own)
        strip = max(1, _STRIP // (last_column - first_column))
        before = total
        for top in range(first_row, last_row, strip):
            bottom = min(top + strip, last_row)
            shared = _strip(own, x, y, first_column, last_column, top, bottom)
            if total + shared.size > len(pixel):
                length = max(2 * len(pixel), total + shared.size)
                pixel, area = _longer(pixel, total, length), _longer(area, total, length)
            for row in range(top, bottom):
                for column in range(first_column, last_column):
                    part = sign * shared[row - top, column - first_column]
                    whole = (x[column + 1] - x[column]) * (y[row + 1] - y[row])
                    if part > _SLIVER * whole:
                        pixel[total] = row * columns + column
                        area[total] = part
                        total += 1
        counts[cell] = total - before
    return counts, pixel[:total].copy(), area[:total].copy()


@njit(cache=True)
def _longer(values, count, length):
    longer = np.empty(length, dtype=values.dtype)
    longer[:count] = values[:count]
    return longer


@njit(cache=True)
def _range(edges, places):
    """Return the first interval that places reach into and the one after the last."""
    first = max(np.searchsorted(edges, places.min(), side="right") - 1, 0)
    last = min(np.searchsorted(edges, places.max(), side="left"), len(edges) - 1)
    return first, last


@njit(cache=True)
def _orientation(pieces):
    """Return 1 where the outer ring runs anticlockwise, else -1."""
    x, y = pieces[0, 0], pieces[0, 1]
    twice = 0.0
    for k in range(len(pieces)):
        twice += (pieces[k, 0] - x) * (pieces[k, 3] - y) - (pieces[k, 2] - x) * (pieces[k, 1] - y)
    return 1.0 if twice > 0 else -1.0


@njit(cache=True)
def _strip(pieces, x, y, first_column, last_column, top, bottom):
    """Return the signed area that an outline shares with each pixel of some rows and columns.

    Area is the integral of x dy around the outline. A piece of it takes from its own pixel the
    part on its left, and every pixel further left in its rows whole.
    """
    shape = (bottom - top, last_column - first_column)
    shared, passed = np.zeros(shape), np.zeros(shape)
    for k in range(len(pieces)):
        xa, ya, xb, yb = pieces[k, 0], pieces[k, 1], pieces[k, 2], pieces[k, 3]
        if ya < yb:
            _add_piece(xa, ya, xb, yb, 1.0, x, y, first_column, top, shared, passed)
        elif ya > yb:
            _add_piece(xb, yb, xa, ya, -1.0, x, y, first_column, top, shared, passed)
    for row in range(shape[0]):
        above = 0.0
        for column in range(shape[1] - 1, -1, -1):
            width = x[first_column + column + 1] - x[first_column + column]
            shared[row, column] += above * width
            above += passed[row, column]
    return shared


@njit(cache=True)
def _add_piece(xa, ya, xb, yb, sign, x, y, first_column, top, shared, passed):
    """Add a piece that rises from a to b, row by row."""
    high = min(yb, y[top + shared.shape[0]])
    lower = max(ya, y[top])
    if lower >= high:
        return
    row = max(np.searchsorted(y, lower, side="right") - 1, top)
    left = xa if lower == ya else xa + (xb - xa) * ((lower - ya) / (yb - ya))
    while lower < high:
        upper = min(high, y[row + 1])
        right = xb if upper == yb else xa + (xb - xa) * ((upper - ya) / (yb - ya))
        _add_in_row(
            min(left, right),
            max(left, right),
            sign * (upper - lower),
            x,
            first_column,
            shared[row - top],
            passed[row - top],
        )
        lower, left = upper, right
        row += 1


@njit(cache=True)
def _add_in_row(left, right, rise, x, first_column, shared, passed):
    """Add a piece within one row, from ``left`` to ``right``, that rises by ``rise``."""
    last = first_column + len(shared) - 1
    if left >= x[last + 1]:
        shared[-1] += rise * (x[last + 1] - x[last])
        passed[-1] += rise
        return
    if right <= x[first_column]:
        return
    column = max(np.searchsorted(x, left, side="right") - 1, first_column)
    place = max(left, x[column])
    while True:
        end = min(right, x[column + 1])
        part = rise * ((end - place) / (right - left)) if right > left else rise
        shared[column - first_column] += part * ((place + end) / 2 - x[column])
        passed[column - first_column] += part
        place = end
        if right <= x[column + 1]:
            return
        if column == last:
            part = rise * ((right - place) / (right - left))
            shared[-1] += part * (x[last + 1] - x[last])
            passed[-1] += part
            return
        column += 1


@njit(cache=True)
def _place(start, pixel, area, sizes, centres, lattice, bases):
    """Turn areas of the plane to true ones and find where pixels are from their cells' centres.

    ``sizes`` are the widths of columns and heights of rows in the plane; ``centres`` and
    ``lattice`` (4, rows, columns) are as in :class:`_Plane`; ``bases`` (cells, 3, 3) hold the
    centre and the directions east and north.
    Returns the distances east and north and the mean area of the pixels of each cell.
    """
    widths, heights = sizes
    across, down = centres
    columns = len(widths)
    east = np.empty(len(pixel), dtype=np.float32)
    north = np.empty(len(pixel), dtype=np.float32)
    mean = np.full(len(bases), np.nan)
    point = np.empty(4)
    for cell in range(len(bases)):
        basis = bases[cell]
        weight, weighted = 0.0, 0.0
        for k in range(start[cell], start[cell + 1]):
            row, column = pixel[k] // columns, pixel[k] % columns
            _interpolate(lattice, across[column], down[row], point)
            area[k] *= point[3]
            weight += area[k]
            weighted += area[k] * widths[column] * heights[row] * point[3]
            eastward, northward = 0.0, 0.0
            for axis in range(3):
                eastward += (point[axis] - basis[0, axis]) * basis[1, axis]
                northward += (point[axis] - basis[0, axis]) * basis[2, axis]
            east[k], north[k] = eastward, northward
        if weight > 0:
            mean[cell] = weighted / weight
    return east, north, mean


@njit(cache=True)
def _interpolate(lattice, u, v, point):
    """Write the bilinear value of each field at a place among the nodes."""
    rows, columns = lattice.shape[1], lattice.shape[2]
    i, j = min(int(u), columns - 2), min(int(v), rows - 2)
    u, v = u - i, v - j
    for k in range(len(lattice)):
        above = lattice[k, j, i] * (1 - u) + lattice[k, j, i + 1] * u
        below = lattice[k, j + 1, i] * (1 - u) + lattice[k, j + 1, i + 1] * u
        point[k] = above * (1 - v) + below * v
