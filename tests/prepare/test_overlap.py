import exactextract
import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from concerto.errors import InputError
from concerto.prepare.grids import (
    MODIS_SINUSOIDAL,
    Cells,
    Grid,
    box_cells,
    footprint_cells,
    polygon_cells,
    zone_area,
)
from concerto.prepare.overlap import overlap
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import roots_legendre

UTM = "EPSG:32632"
DEGREES = "EPSG:4326"
TILE = 1111950.5196666666  # m, side of a tile of the MODIS grid


def modis(row, column, size, first_x=0.0, first_y=5.5e6):
    """A window of the MODIS grid with pixels of a size, m."""
    return Grid(
        MODIS_SINUSOIDAL,
        first_x + size * np.arange(column + 1),
        first_y - size * np.arange(row + 1),
    )


def gaussian(rows, columns):
    nodes, _ = roots_legendre(rows)
    return Grid.of_centres(
        DEGREES, np.arange(columns) * 360 / columns, np.degrees(np.arcsin(nodes[::-1]))
    )


def outlines(cells):
    """The same cells without the knowledge that they are boxes."""
    return Cells(cells.name, cells.lat, cells.lon, cells.area, cells.polygons)


def by_cell(found, values=None):
    weights = found.area if values is None else found.area * values.ravel()[found.pixel]
    return np.bincount(found.cell, weights, minlength=len(found.start) - 1)


def by_pixel(found):
    return np.bincount(found.pixel, found.area, minlength=found.shape[0] * found.shape[1])


def dense(found, what="area"):
    out = np.zeros((len(found.start) - 1, *found.shape))
    out[found.cell, found.row, found.column] = getattr(found, what)
    return out


def in_equal_area(outline, crs, step):
    """An outline with close corners in a cylindrical equal-area projection of the ellipsoid."""
    transformer = pyproj.Transformer.from_crs(crs, "EPSG:6933", always_xy=True)
    return shapely.transform(
        shapely.segmentize(outline, step), transformer.transform, interleaved=False
    )


def brute_force(grid, cells):
    """Areas from shapely's intersections of every pixel with every cell."""
    x, y = np.meshgrid(grid.x, grid.y)
    pixels = shapely.box(
        np.minimum(x[:-1, :-1], x[1:, 1:]),
        np.minimum(y[:-1, :-1], y[1:, 1:]),
        np.maximum(x[:-1, :-1], x[1:, 1:]),
        np.maximum(y[:-1, :-1], y[1:, 1:]),
    )
    pixels = in_equal_area(pixels, grid.crs, np.abs(np.diff(grid.x)).min() / 30)
    wanted = in_equal_area(cells.polygons, DEGREES, 2e-3)
    return np.array([shapely.area(shapely.intersection(pixels, cell)) for cell in wanted])


@st.composite
def stars(draw, lon, lat, reach):
    """A polygon with straight sides around a centre, with a hole in it or not; degrees."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centre = np.array([lon, lat]) + rng.uniform(-reach, reach, 2)
    angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 12)))
    angle = np.concatenate([angle, [0.0, 2.1, 4.2]])  # the centre is inside
    angle.sort()
    ray = np.column_stack([np.cos(angle), np.sin(angle)])
    rim = centre + ray * rng.uniform(0.3, 1.2, (len(ray), 1)) * reach
    hole = centre + ray * 0.05 * reach
    return shapely.Polygon(rim, [hole] if draw(st.booleans()) else [])


@pytest.mark.parametrize(
    ("grid", "centre"),
    [
        (Grid(UTM, 6e5 + 7e3 * np.arange(9), 5.4e6 - 6e3 * np.arange(8)), (10.7, 48.5)),
        (modis(8, 9, 7e3, first_x=4e6), (55.5, 49.2)),
        (Grid(DEGREES, 10 + 0.1 * np.arange(9), 49 - 0.07 * np.arange(10)), (10.4, 48.7)),
        (Grid(DEGREES, 370.8 - 0.1 * np.arange(9), 48.4 + 0.07 * np.arange(10)), (10.4, 48.7)),
    ],
    ids=["utm", "sinusoidal", "degrees", "degrees turned and reversed"],
)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_areas_agree_with_shapely(grid, centre, data):
    polygon = data.draw(stars(*centre, 0.3))
    cells = polygon_cells(gpd.GeoDataFrame({"id": ["a"]}, geometry=[polygon], crs=DEGREES), "id")
    found = overlap(grid, cells)
    assert len(found.pixel)
    here = Grid(grid.crs, grid.x - 360 * grid.is_geographic * (grid.x[0] > 360), grid.y)
    np.testing.assert_allclose(
        dense(found), brute_force(here, cells), atol=2e-4 * found.pixel_area[0]
    )


def test_shares_of_pixels_agree_with_exactextract():
    grid = Grid(UTM, 6e5 + 1e3 * np.arange(31), 5.4e6 - 1e3 * np.arange(31))
    cells = footprint_cells([48.6, 48.55], [10.5, 10.6], [8e3, 5e3])
    found = overlap(grid, cells)
    source = NumPyRasterSource(np.zeros(grid.shape), grid.x[0], grid.y[-1], grid.x[-1], grid.y[0])
    frame = gpd.GeoDataFrame(geometry=list(cells.polygons), crs=DEGREES)
    frame = frame.set_geometry(frame.geometry.segmentize(1e-4)).to_crs(UTM)
    table = exactextract.exact_extract(source, frame, ["cell_id", "coverage"], output="pandas")
    for cell in range(2):
        own = slice(found.start[cell], found.start[cell + 1])
        np.testing.assert_array_equal(found.pixel[own], table.cell_id[cell])
        share = found.area[own] / found.pixel_area[cell]
        np.testing.assert_allclose(share, table.coverage[cell], atol=2e-4)


@pytest.mark.parametrize(
    "grid",
    [
        Grid(DEGREES, np.linspace(-180, 180, 145), np.linspace(90, -90, 73)),
        Grid(DEGREES, np.linspace(-1.25, 358.75, 145), np.linspace(-90, 90, 73)),
        Grid(DEGREES, np.linspace(180, -180, 100), np.linspace(90, -90, 31)),
        gaussian(48, 96),
    ],
    ids=["falling", "0 to 360", "columns westward", "Gaussian"],
)
@pytest.mark.parametrize("kind", [lambda cells: cells, outlines], ids=["boxes", "outlines"])
def test_cells_of_the_earth_share_out_each_pixel_of_a_geographic_grid(grid, kind):
    found = overlap(grid, kind(box_cells(-180, -90, 180, 90, 7.5)))
    pixels = np.abs(np.outer(zone_area(grid.y[:-1], grid.y[1:]), np.radians(np.diff(grid.x))))
    np.testing.assert_allclose(by_pixel(found), pixels.ravel(), rtol=1e-11)
    values = np.random.default_rng(1).normal(size=grid.shape)
    integral = (np.abs(values) * pixels).sum()
    assert abs(by_cell(found, values).sum() - (values * pixels).sum()) < 1e-12 * integral
    np.testing.assert_allclose(by_cell(found), box_cells(-180, -90, 180, 90, 7.5).area, rtol=1e-11)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_boxes_and_their_outlines_are_the_same_on_any_geographic_grid(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-400, 300) + np.cumsum(rng.uniform(0.5, 9, 12))
    y = rng.uniform(-90, 60) + np.cumsum(rng.uniform(0.1, 2.4, 12))
    grid = Grid(DEGREES, x[:: rng.choice([-1, 1])], y[:: rng.choice([-1, 1])])
    cells = box_cells(-180, -90, 180, 90, 15)
    exact, drawn = overlap(grid, cells), overlap(grid, outlines(cells))
    np.testing.assert_array_equal(exact.start, drawn.start)
    np.testing.assert_array_equal(exact.pixel, drawn.pixel)
    np.testing.assert_allclose(exact.area, drawn.area, rtol=1e-7, atol=1e-3)
    np.testing.assert_array_equal(exact.east, drawn.east)


@pytest.mark.parametrize(
    ("grid", "box", "resolution"),
    [
        (modis(60, 50, 1e4, first_x=1e6), (0, 40, 35, 55), 0.5),
        (modis(40, 40, 5e4, first_x=-18e6, first_y=1e6), (-180, -20, -120, 20), 1),
        (Grid(UTM, 6e5 + 2e3 * np.arange(51), 5.4e6 - 2e3 * np.arange(51)), (5, 45, 15, 50), 0.25),
        (
            Grid("EPSG:6931", 5e4 * np.arange(-30, 31), 5e4 * np.arange(30, -31, -1)),
            (-180, 60, 180, 90),
            2.5,
        ),
    ],
    ids=["sinusoidal", "sinusoidal at the equator", "utm", "around the pole"],
)
def test_cells_that_tile_a_projected_grid_share_out_each_pixel(grid, box, resolution):
    cells = box_cells(*box, resolution)
    found = overlap(grid, cells)
    pixels = by_pixel(found)
    assert (pixels > 0).all()
    # What one cell loses its neighbour gains: a pixel's area does not depend on the cells.
    coarser = by_pixel(overlap(grid, box_cells(*box, 5)))
    np.testing.assert_allclose(coarser, pixels, rtol=1e-11)
    values = np.random.default_rng(1).normal(size=grid.shape).ravel()
    integral = by_cell(found, values.reshape(grid.shape)).sum()
    assert abs(integral - values @ pixels) < 1e-12 * (np.abs(values) @ pixels)
    share = by_cell(found) / cells.area
    assert share.max() < 1 + 1e-4
    rim = (found.row % (grid.shape[0] - 1) == 0) | (found.column % (grid.shape[1] - 1) == 0)
    inside = np.setdiff1d(found.cell, found.cell[rim])
    assert len(inside) > 1
    np.testing.assert_allclose(share[inside], 1, rtol=1e-4)


def test_the_whole_sinusoidal_earth_has_its_area():
    side = 20015109.354
    grid = Grid(MODIS_SINUSOIDAL, np.linspace(-side, side, 361), np.linspace(1, -1, 181) * side / 2)
    cells = box_cells(-180, -90, 180, 90, 7.5)
    share = by_cell(overlap(grid, cells)) / cells.area
    np.testing.assert_allclose(share, 1, rtol=5e-5)


@pytest.mark.parametrize("centre", [0, 10])
def test_cells_where_a_projection_is_cut_open_meet_both_its_ends(centre):
    side = 20015109.354
    x = np.linspace(-side, side, 4001)
    crs = MODIS_SINUSOIDAL.replace("+lon_0=0", f"+lon_0={centre}")
    grid = Grid(crs, x, np.linspace(1.2e6, -1.2e6, 241))
    cells = box_cells(180 + centre - 1, -5, 180 + centre + 1, 5, 1)
    found = overlap(grid, cells)
    np.testing.assert_allclose(by_cell(found) / cells.area, 1, rtol=1e-5)
    assert found.column.min() < 30
    assert found.column.max() > 3970
    # Pixels on both sides are where they are on the ground, not half the Earth apart.
    assert np.abs(found.east).max() < 1.2e5


@pytest.mark.parametrize("kind", [lambda cells: cells, outlines], ids=["boxes", "outlines"])
def test_longitudes_match_in_any_turn(kind):
    y = np.linspace(20, -20, 41)
    cells = kind(box_cells(170, -10, -170, 10, 2.5))
    turned = overlap(Grid(DEGREES, np.arange(165.0, 196.0), y), cells)
    whole = overlap(Grid(DEGREES, np.arange(-180.0, 181.0), y), cells)
    from_zero = overlap(Grid(DEGREES, np.arange(0.0, 361.0), y), cells)
    np.testing.assert_allclose(by_cell(turned), cells.area, rtol=1e-12)
    for other, first in ((whole, -180), (from_zero, 0)):
        column = (other.column + first - 165) % 360
        order = np.lexsort([column, other.row, other.cell])
        np.testing.assert_array_equal(column[order], turned.column)
        np.testing.assert_allclose(other.area[order], turned.area, rtol=1e-12)


def test_falling_latitudes_are_the_same_as_rising_ones():
    x, y = np.arange(0.0, 21.0), np.linspace(40, 50, 33)
    for cells in (box_cells(0, 40, 20, 50, 2.5), footprint_cells([45, 46.1], [5, 9.9], [5e4, 8e4])):
        rising = dense(overlap(Grid(DEGREES, x, y), cells))
        falling = dense(overlap(Grid(DEGREES, x, y[::-1]), cells))
        np.testing.assert_allclose(falling[:, ::-1], rising, rtol=1e-9, atol=1e-3)


@pytest.mark.parametrize(
    "grid",
    [
        Grid("EPSG:3413", 2e4 * np.arange(-20, 21), 2e4 * np.arange(20, -21, -1)),
        Grid("EPSG:6931", 1e4 + 2e4 * np.arange(-20, 21), 2e4 * np.arange(20, -21, -1)),
        Grid(DEGREES, np.arange(0.0, 361.0), np.arange(86.0, 90.01, 0.25)),
    ],
    ids=["stereographic", "equal area", "degrees"],
)
def test_footprints_around_the_pole(grid):
    cells = footprint_cells([90, 89.8, 89], [0, 100, 180], [1e5, 1e5, 6e4])
    found = overlap(grid, cells)
    np.testing.assert_allclose(by_cell(found), cells.area, rtol=5e-5)
    assert np.hypot(found.east, found.north).max() < 1.3e5


@pytest.mark.parametrize(
    ("grid", "cells"),
    [
        (modis(40, 50, 463.3127, first_x=1.2e6), box_cells(16, 49, 17, 49.5, 0.05)),
        (modis(40, 50, 5e3, first_x=1.2e6), box_cells(14.25, 46.5, 21, 50.25, 0.75)),
        (modis(40, 50, 5e3, first_x=1.2e6), footprint_cells([48.5, 48.6], [16.8, 17], [9e4, 4e4])),
        (
            Grid(UTM, 6e5 + 1e3 * np.arange(51), 5.4e6 - 1e3 * np.arange(41)),
            box_cells(10, 48, 11.5, 49, 0.25),
        ),
        (
            Grid("EPSG:3413", 2e4 * np.arange(-25, 26), 2e4 * np.arange(20, -21, -1)),
            box_cells(-180, 80, 180, 90, 2.5),
        ),
        (
            modis(40, 50, 5e3, first_x=-1.7e5, first_y=10007554.677),
            box_cells(-180, 75, 180, 90, 3),
        ),
    ],
    ids=["MODIS", "sinusoidal", "footprints", "utm", "around the pole", "up to the pole"],
)
def test_windows_of_a_projected_grid_add_up_to_the_whole(grid, cells):
    whole = overlap(grid, cells)
    shared, east = dense(whole), dense(whole, "east")
    wanted = np.nanmax(whole.pixel_area)
    assert shared.max() > 0.1 * wanted
    for rows in (slice(0, 13), slice(13, 40)):
        for columns in (slice(0, 31), slice(31, 50)):
            part = overlap(grid.window(rows, columns), cells)
            np.testing.assert_allclose(dense(part), shared[:, rows, columns], atol=1e-9 * wanted)
            both = (dense(part) > 0) & (shared[:, rows, columns] > 0)
            apart = dense(part, "east")[both] - east[:, rows, columns][both]
            np.testing.assert_allclose(apart, 0, atol=0.1)


def test_outlines_of_many_pixels_are_drawn_in_strips():
    grid = Grid(DEGREES, np.linspace(0, 10, 1501), np.linspace(50, 40, 1501))
    cells = box_cells(0, 40, 10, 50, 10)
    drawn, exact = overlap(grid, outlines(cells)), overlap(grid, cells)
    np.testing.assert_array_equal(drawn.pixel, np.arange(1500**2))
    np.testing.assert_allclose(drawn.area, exact.area, rtol=1e-9)


def test_cells_elsewhere_meet_nothing():
    grid = modis(10, 10, 1e3)
    far = footprint_cells([-40, 48], [100, -170], 1e3)
    found = overlap(grid, far)
    assert list(found.start) == [0, 0, 0]
    assert np.isnan(found.pixel_area).all()
    boxes = overlap(Grid(DEGREES, np.arange(3.0), np.arange(3.0)), box_cells(20, 40, 21, 41, 1))
    assert list(boxes.start) == [0, 0]


def test_a_continent_is_cut_before_it_is_projected():
    grid = Grid(UTM, 6e5 + 2e4 * np.arange(6), 5.4e6 - 2e4 * np.arange(6))
    frame = gpd.GeoDataFrame({"id": ["a"]}, geometry=[shapely.box(-150, -60, 150, 80)], crs=DEGREES)
    found = overlap(grid, polygon_cells(frame, "id"))
    assert len(found.pixel) == 25
    np.testing.assert_allclose(found.area, found.pixel_area[0], rtol=1e-3)


def test_positions_are_distances_on_the_ground():
    grid = modis(60, 60, 1e3, first_x=6.2e6, first_y=6.1e6)
    lon, lat = pyproj.Transformer.from_crs(grid.crs, DEGREES, always_xy=True).transform(
        (grid.x[1:] + grid.x[:-1])[None] / 2 + np.zeros((60, 1)),
        (grid.y[1:] + grid.y[:-1])[:, None] / 2 + np.zeros(60),
    )
    cells = footprint_cells(lat[30, 30], lon[30, 30], 1.5e4)
    found = overlap(grid, cells)
    assert len(found.pixel) > 500
    here = np.ones(len(found.pixel))
    azimuth, _, away = pyproj.Geod(ellps="WGS84").inv(
        lon[30, 30] * here,
        lat[30, 30] * here,
        lon[found.row, found.column],
        lat[found.row, found.column],
    )
    np.testing.assert_allclose(found.east, away * np.sin(np.radians(azimuth)), atol=5)
    np.testing.assert_allclose(found.north, away * np.cos(np.radians(azimuth)), atol=5)


@pytest.mark.parametrize("top", [10007554.6767, 10007554.6])
def test_windows_that_reach_a_pole_beside_its_meridian(top):
    """Up to its rim, which is pi times as far from the meridian as from the pole."""
    grid = modis(3, 3, 5e3, first_x=2500.0, first_y=top)
    found = overlap(grid, box_cells(-180, 75, 180, 90, 3))
    rows = np.linspace(grid.y[:-1], grid.y[1:], 20001)
    wide = np.pi * (10007554.6767 - (rows[1:] + rows[:-1]) / 2)
    inside = [np.clip(wide - west, 0, 5e3).mean(axis=0) / 5e3 for west in grid.x[:-1]]
    whole = by_pixel(found).reshape(3, 3)[2, 0]
    np.testing.assert_allclose(by_pixel(found).reshape(3, 3).T / whole, inside, atol=1e-4)


def test_pixels_beyond_the_rim_are_refused():
    grid = Grid("+proj=moll", np.linspace(-1.9e7, 1.9e7, 20), np.linspace(9e6, -9e6, 10))
    with pytest.raises(InputError, match="beyond the rim"):
        overlap(grid, box_cells(-180, -90, 180, 90, 30))
    with pytest.raises(InputError, match="no place on Earth"):
        overlap(Grid("+proj=moll", grid.x + 6e7, grid.y), box_cells(-180, -90, 180, 90, 30))
