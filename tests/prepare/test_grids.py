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
    Slab,
    box_cells,
    centred_cells,
    footprint_cells,
    polygon_area,
    polygon_cells,
    zone_area,
)
from hypothesis import given, settings
from hypothesis import strategies as st

EARTH = 510_065_621_724_088.4  # m2, of the WGS84 ellipsoid (NIMA TR8350.2, table 3.5, to rounding)
SQUARE = shapely.box(9.0, 48.0, 10.0, 49.0)


def frame(*polygons, names=None, crs="EPSG:4326"):
    names = names or [f"p{number}" for number in range(len(polygons))]
    return gpd.GeoDataFrame({"id": names}, geometry=list(polygons), crs=crs)


def test_cells_of_the_whole_earth_have_its_area():
    cells = box_cells(-180, -90, 180, 90, 5)
    assert cells.area.sum() == pytest.approx(EARTH, rel=1e-12)
    np.testing.assert_allclose(polygon_area(cells.polygons), cells.area, rtol=1e-12)


@settings(deadline=None)
@given(st.floats(-90, 90), st.floats(1e-9, 1e-3))
def test_thin_zones_lose_no_digits(latitude, height):
    north = min(latitude + height, 90.0)
    middle, step = np.radians((latitude + north) / 2), np.radians(north - latitude)
    a, e2 = 6378137.0, 0.00669437999014
    curvature = a**2 * (1 - e2) / (1 - e2 * np.sin(middle) ** 2) ** 2
    expected = curvature * np.cos(middle) * step
    assert zone_area(latitude, north) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_area_of_a_polygon_agrees_with_geodesics_between_close_corners():
    ring = shapely.Polygon([(0, 50), (4, 51), (3, 54), (1, 53)], [[(1.5, 52), (2, 52), (2, 52.5)]])
    geod = pyproj.Geod(ellps="WGS84")
    expected = geod.geometry_area_perimeter(shapely.orient_polygons(ring.segmentize(1e-3)))[0]
    assert polygon_area(np.array([ring])) == pytest.approx(expected, rel=1e-9)


def test_boxes_are_named_by_their_centres_row_by_row():
    cells = box_cells(9.75, 48, 10.25, 48.5, 0.25)
    assert list(cells.name) == [
        "48.125N_9.875E",
        "48.125N_10.125E",
        "48.375N_9.875E",
        "48.375N_10.125E",
    ]
    np.testing.assert_array_equal(cells.boxes[1], [10, 48, 10.25, 48.25])
    assert cells.polygons[1].bounds == (10, 48, 10.25, 48.25)


def test_boxes_across_the_antimeridian_run_on():
    cells = box_cells(179, -1, -179, 1, 1)
    assert list(cells.lon) == [179.5, -179.5] * 2
    assert list(cells.name[:2]) == ["0.5S_179.5E", "0.5S_179.5W"]
    assert cells.polygons[1].bounds == (180, -1, 181, 0)


def test_boxes_of_a_twelfth_of_a_degree_meet_exactly():
    cells = box_cells(9, 48, 10, 49, 1 / 12)
    assert len(cells) == 144
    np.testing.assert_array_equal(cells.boxes[:11, 2], cells.boxes[1:12, 0])
    assert cells.boxes[-1, 3] == 49


@pytest.mark.parametrize(
    ("sides", "match"),
    [
        ((9, 48, 10, 49, 0.3), "south: found 48|east: found 10"),
        ((9, 48, 9, 49, 1), "sides: found an empty"),
        ((9, 49, 10, 48, 1), "sides: found an empty"),
        ((9, 89, 10, 91, 1), "sides: found an empty"),
        ((9, 48, 10, 49, -1), "resolution: found -1"),
        ((-190, 0, 180, 10, 10), "once around"),
    ],
)
def test_impossible_boxes_are_refused(sides, match):
    with pytest.raises(InputError, match=match):
        box_cells(*sides)


def test_cells_without_land_are_left_out_and_others_know_their_share():
    land = shapely.box(9.5, 48.0, 12.0, 48.5)
    cells = box_cells(9, 48, 12, 50, 1, land)
    assert list(cells.name) == ["48.5N_9.5E", "48.5N_10.5E", "48.5N_11.5E"]
    lower = zone_area(48, 48.5) / zone_area(48, 49)
    np.testing.assert_allclose(cells.land_fraction, np.array([0.5, 1, 1]) * lower, rtol=1e-12)
    with pytest.raises(InputError, match="land: found no cell with land"):
        box_cells(0, 0, 1, 1, 1, land)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_land_in_many_small_cells_adds_up_whatever_the_turn(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform([-30, -40], [50, 60], (20, 2))
    land = shapely.convex_hull(shapely.multipoints(corners))
    total = polygon_area(np.array([land]))[0]
    for west, east in ((-180, 180), (0, 360)):
        cells = box_cells(west, -90, east, 90, 7.5, frame(land))
        assert cells.land_fraction @ cells.area == pytest.approx(total, rel=1e-9)


def test_cells_around_centres_are_those_of_a_box_with_or_without_land():
    box = box_cells(8.0, 48.0, 10.0, 49.0, 0.5)
    found = centred_cells([f"c{k}" for k in range(8)], box.lat, box.lon, 0.5, SQUARE)
    assert found.name.tolist() == [f"c{k}" for k in range(8)]
    np.testing.assert_array_equal(found.boxes, box.boxes)
    np.testing.assert_array_equal(found.area, box.area)
    np.testing.assert_allclose(found.land_fraction, [0, 0, 1, 1] * 2, atol=1e-12)


def test_polygons_keep_names_centres_and_areas():
    cells = polygon_cells(frame(SQUARE, names=["A"]), "id")
    assert (cells.name[0], cells.lat[0], cells.lon[0]) == ("A", 48.5, 9.5)
    assert cells.area[0] == pytest.approx(box_cells(9, 48, 10, 49, 1).area[0], rel=1e-12)


def test_polygons_in_another_system_are_converted():
    cells = polygon_cells(frame(shapely.box(5e5, 5e6, 5.1e5, 5.01e6), crs="EPSG:32632"), "id")
    assert cells.area[0] == pytest.approx(1e8 / 0.9996**2, rel=1e-4)


def test_parts_on_either_side_of_the_antimeridian_are_joined():
    fiji = shapely.MultiPolygon(
        [shapely.box(178, -18, 180, -16), shapely.box(-180, -18, -179, -16)]
    )
    cells = polygon_cells(frame(fiji), "id")
    assert cells.polygons[0].bounds == (178, -18, 181, -16)
    assert cells.polygons[0].is_valid
    assert cells.lon[0] == pytest.approx(179.5)
    apart = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(5, 0, 6, 1)])
    assert polygon_cells(frame(apart), "id").polygons[0].bounds == (0, 0, 6, 1)


@pytest.mark.parametrize(
    ("given_frame", "column", "match"),
    [
        (frame(SQUARE, crs=None), "id", "crs: found none"),
        (frame(SQUARE), "iso", "iso: found no such column"),
        (frame(SQUARE, names=[None]), "id", "id: found no such column or no value"),
        (frame(SQUARE, SQUARE, names=["A", "A"]), "id", "name: found A twice"),
        (frame(), "id", "rows: found none"),
        (frame(shapely.Point(1, 2)), "id", "p0: geometry: found Point"),
        (frame(shapely.Polygon()), "id", "p0: geometry: found Polygon"),
        (frame(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])), "id", "Self-intersection"),
    ],
)
def test_faulty_polygons_are_named(given_frame, column, match):
    with pytest.raises(InputError, match=match):
        polygon_cells(given_frame, column)


@settings(deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(50, 1e5))
def test_footprints_are_circles_anywhere(lat, lon, radius):
    cells = footprint_cells(lat, lon, radius)
    polygon = cells.polygons[0]
    corners = shapely.get_coordinates(polygon)
    corners = corners[np.abs(corners[:, 1]) < 90]
    here = np.ones(len(corners))
    _, _, away = pyproj.Geod(ellps="WGS84").inv(lon * here, lat * here, *corners.T)
    np.testing.assert_allclose(away, radius, rtol=1e-6, atol=1e-3)
    # Where the rim all but touches a pole a corner is missing between two that lie across it.
    assert cells.area[0] == pytest.approx(np.pi * radius**2, rel=3e-3)
    assert polygon.bounds[2] - polygon.bounds[0] <= 360 + 1e-9


def test_footprint_across_the_antimeridian_runs_on():
    cells = footprint_cells(0, 180, 20e3)
    assert cells.lon[0] == -180
    west, _, east, _ = cells.polygons[0].bounds
    assert east - west == pytest.approx(0.3593, abs=1e-3)
    assert cells.polygons[0].is_valid


def test_footprints_beyond_the_earth_are_refused():
    for arguments, match in (
        ((91, 0, 500), "lat"),
        ((0, 0, -1), "radius"),
        ((0, 0, np.nan), "rad"),
    ):
        with pytest.raises(InputError, match=match):
            footprint_cells(*arguments)


def test_cells_can_be_picked():
    cells = box_cells(0, 0, 3, 1, 1)
    picked = cells.select(cells.lon > 1)
    assert isinstance(picked, Cells)
    assert list(picked.name) == ["0.5N_1.5E", "0.5N_2.5E"]
    assert picked.land_fraction is None
    np.testing.assert_array_equal(picked.boxes[:, 0], [1, 2])


def test_grid_of_centres_ends_at_the_poles():
    grid = Grid.of_centres("EPSG:4326", np.arange(0, 360, 2.0), np.linspace(90, -90, 91))
    assert grid.shape == (91, 180)
    assert (grid.x[0], grid.x[-1], grid.y[0], grid.y[1], grid.y[-1]) == (-1, 359, 90, 89, -90)
    part = grid.window(slice(1, 3), slice(170, None))
    assert part.shape == (2, 10)
    np.testing.assert_array_equal(part.y, [89, 87, 85])


@pytest.mark.parametrize(
    ("crs", "x", "y", "match"),
    [
        ("EPSG:999999", [0, 1], [0, 1], "crs: found 'EPSG:999999'"),
        (MODIS_SINUSOIDAL, [0, 1, 1], [0, 1], "x: found edges that turn back"),
        (MODIS_SINUSOIDAL, [0, 1], [np.nan, 1], "y: found too few or no numbers"),
        (MODIS_SINUSOIDAL, [0], [0, 1], "x: found too few"),
        ("EPSG:4326", [0, 361], [0, 1], "x: found more than 360"),
        ("EPSG:4326", [0, 1], [0, 91], "y: found 91"),
        ("+proj=ob_tran +o_proj=longlat +o_lat_p=30 +lon_0=10", [0, 1], [0, 1], "a rotated pole"),
    ],
)
def test_impossible_grids_are_refused(crs, x, y, match):
    with pytest.raises(InputError, match=match):
        Grid(crs, np.array(x, dtype=float), np.array(y, dtype=float))


def test_values_of_a_slab_fit_its_grid():
    grid = Grid("EPSG:4326", np.arange(3.0), np.arange(4.0))
    times = np.datetime64("2003-01-01"), np.datetime64("2003-01-09")
    assert Slab(grid, *times, {"lai": np.zeros((3, 2))}).uncertainty == {}
    with pytest.raises(InputError, match="lai: found shape"):
        Slab(grid, *times, {"lai": np.zeros((2, 3))})
