"""Land of cells in regions: known answers, parts that add up, and faults that are named."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from concerto.errors import InputError
from concerto.maps import cell_boxes
from concerto.prepare.grids import box_area, polygon_area, polygon_cells
from concerto.prepare.region_areas import (
    OUTSIDE,
    check_apart,
    managed_share,
    read_regions,
    shares_of_cover,
    shares_of_land,
    weigh,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

ONE = np.array([[10.0, 50.0, 11.0, 51.0]])


def regions(crs="EPSG:4326", **polygons):
    frame = gpd.GeoDataFrame({"name": list(polygons)}, geometry=list(polygons.values()), crs=crs)
    return polygon_cells(frame, "name")


def area(*bounds):
    """Area of a box in degrees, in closed form."""
    return float(box_area(np.array([bounds]))[0])


class TestKnownAnswers:
    def test_a_polygon_across_the_antimeridian_in_two_parts(self):
        """Fiji: one country, whose parts have longitudes of -180 and of 180."""
        fiji = MultiPolygon([box(179.0, -18.0, 180.0, -16.0), box(-180.0, -18.0, -179.5, -16.0)])
        boxes = np.array([[178.0, -18.0, 180.0, -16.0], [180.0, -18.0, 182.0, -16.0],
                          [-180.0, -18.0, -178.0, -16.0]])  # fmt: skip
        found = shares_of_land(boxes, regions(Fiji=fiji))[:, 0]
        np.testing.assert_allclose(found, [0.5, 0.25, 0.25], rtol=1e-12)

    def test_so_does_one_that_runs_on_beyond_180(self):
        found = shares_of_land(
            np.array([[-180.0, 0.0, -179.0, 1.0]]), regions(a=box(179.0, 0.0, 180.5, 1.0))
        )
        np.testing.assert_allclose(found[0], [0.5, 0.5], rtol=1e-12)

    def test_islands_add_up(self):
        islands = MultiPolygon([box(10.1, 50.1, 10.2, 50.3), box(10.6, 50.5, 10.9, 50.6)])
        expected = area(10.1, 50.1, 10.2, 50.3) + area(10.6, 50.5, 10.9, 50.6)
        found = shares_of_land(ONE, regions(a=islands))[0, 0]
        assert found * box_area(ONE)[0] == pytest.approx(expected, rel=1e-12)

    def test_a_hole_is_another_regions_land(self):
        """Lesotho in South Africa."""
        inner = box(10.25, 50.25, 10.75, 50.75)
        outer = Polygon(box(9.0, 49.0, 12.0, 52.0).exterior.coords, [inner.exterior.coords])
        found = shares_of_land(ONE, regions(outer=outer, inner=inner))[0]
        share = area(10.25, 50.25, 10.75, 50.75) / box_area(ONE)[0]
        np.testing.assert_allclose(found, [1.0 - share, share, 0.0], rtol=1e-12, atol=1e-15)

    def test_a_sliver_counts_as_what_it_is(self):
        sliver = box(10.0, 50.0, 10.0 + 1e-5, 51.0)
        found = shares_of_land(ONE, regions(a=sliver))[0]
        assert found[0] == pytest.approx(1e-5, rel=1e-9)
        assert found.sum() == pytest.approx(1.0, abs=1e-15)

    def test_a_slanted_edge_is_straight_in_degrees(self):
        """The area west of a diagonal, by a sum over a million thin zones."""
        triangle = Polygon([(10, 50), (11, 51), (10, 51)])
        edges = np.linspace(50.0, 51.0, 1_000_001)
        middle = (edges[1:] + edges[:-1]) / 2
        zones = np.column_stack([0 * middle + 10, edges[:-1], middle - 40.0, edges[1:]])
        expected = box_area(zones).sum() / box_area(ONE)[0]
        assert shares_of_land(ONE, regions(a=triangle))[0, 0] == pytest.approx(expected, rel=1e-9)

    def test_the_sea_is_no_ones_land(self):
        """A region that reaches into the sea has of a cell's land what is land."""
        land = box(10.0, 50.0, 10.5, 51.0)
        found = shares_of_land(ONE, regions(a=box(10.25, 50.0, 11.0, 51.0)), land)[0]
        np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-12)

    def test_corners_in_a_projection_become_degrees(self):
        frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(10, 50, 11, 51)], crs="EPSG:4326")
        dense = frame.set_geometry(shapely.segmentize(frame.geometry, 0.001))
        found = shares_of_land(ONE, polygon_cells(dense.to_crs("EPSG:3035"), "name"))
        assert found[0, 0] == pytest.approx(1.0, abs=1e-6)


def land_of(rng, count):
    """The cube of cells in a row, with shares of cover."""
    classes = np.array(["ENF", "GRA", "CRO", "WAT", "none"], dtype=object)
    shares = rng.dirichlet(np.ones(5), count).T
    shares[:, 0] = [0, 0, 0, 0.5, 0.5]
    return xr.Dataset(
        {
            "land_cover": (("class", "location"), shares),
            "cell_area": ("location", rng.uniform(1e9, 3e9, count).astype("f4")),
            "land_fraction": ("location", rng.uniform(0.1, 1.0, count).astype("f4")),
        },
        coords={"location": [f"c{k}" for k in range(count)], "class": classes},
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_parts_add_up_to_the_whole(seed, count):
    """Random triangles cut up each other's rest; cells, covers, managed and not, all add up."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform([9.5, 49.5], [10.5 + count, 51.5], (3, 3, 2))
    shapes, rest = {}, box(0.0, 40.0, 30.0, 60.0)
    for number, points in enumerate(corners):
        shape = shapely.intersection(Polygon(points), rest)
        rest = shapely.difference(rest, shape)
        if shape.area > 1e-3 and shape.geom_type != "GeometryCollection":
            shapes[f"r{number}"] = shape
    shapes = shapes or {"all": box(9.0, 49.0, 10.5, 52.0)}
    lon = 10.5 + np.arange(count)
    boxes = cell_boxes(np.full(count, 50.5), lon, 1.0)
    land = land_of(rng, count)
    managed = rng.uniform(0.0, 1.0, (len(shares_of_cover(land)["cover"]), count))
    outlines = gpd.GeoDataFrame(geometry=[box(9.0, 49.0, 30.0, 50.7)], crs="EPSG:4326")
    found = weigh(land, boxes, regions(**shapes), outlines, managed)
    size = (land["cell_area"] * land["land_fraction"].astype(float)).to_series()
    parts = found[["location", "area"]].to_dataframe().groupby("location")["area"].sum()
    np.testing.assert_allclose(parts.reindex(size.index), size, rtol=1e-9)
    by_region = found[["region", "area"]].to_dataframe().groupby("region")["area"].sum()
    mapped = found["map_area"].to_series()
    np.testing.assert_allclose(
        by_region.reindex(mapped.index, fill_value=0.0), mapped, rtol=1e-9, atol=1.0
    )
    assert (found["area"] > 0.0).all()
    known = found["land_area"].notnull() & (found["region_name"] != OUTSIDE)
    assert (found["map_area"][known] > 0.0).all()
    assert (found["land_area"][known] <= found["polygon_area"][known] * (1.0 + 1e-9)).all()


def test_the_sea_of_a_region_is_no_part_of_what_is_to_be_covered():
    """Half of a zone is sea: a map of the other half covers all of its land."""
    land = land_of(np.random.default_rng(0), 1).drop_vars("land_fraction")
    land = land.assign(land_fraction=("location", [0.5]))
    outlines = gpd.GeoDataFrame(geometry=[box(10.0, 50.0, 10.5, 51.0)], crs="EPSG:4326")
    zone = regions(zone=box(10.0, 50.0, 11.0, 51.0))
    found = weigh(land, ONE, zone, outlines, np.ones((17, 1))).sel(region_name="zone")
    assert float(found["land_area"]) == pytest.approx(float(found["polygon_area"]) / 2, rel=1e-12)


def test_parts_do_not_depend_on_which_other_cells_there_are():
    rng = np.random.default_rng(1)
    land = land_of(rng, 5)
    boxes = cell_boxes(np.full(5, 50.5), 10.5 + np.arange(5), 1.0)
    shapes = regions(a=Polygon([(9, 49), (16, 50.5), (9, 52)]), b=box(14.2, 50.6, 20, 52))
    managed = np.ones((17, 5))
    whole = weigh(land, boxes, shapes, None, managed).to_dataframe()
    part = weigh(land.isel(location=[3]), boxes[[3]], shapes, None, managed[:, [3]])
    columns = ["region", "cover", "area"]
    expected = whole.reset_index()
    expected = expected[expected.location == "c3"].drop_duplicates(columns)[columns]
    found = part.to_dataframe().reset_index().drop_duplicates(columns)[columns]
    assert sorted(found.values.tolist()) == sorted(expected.values.tolist())


def test_cover_is_of_the_land_alone():
    found = shares_of_cover(land_of(np.random.default_rng(2), 3))
    np.testing.assert_allclose(found.sum("cover"), 1.0)
    assert float(found.sel(cover="none")[0]) == 1.0
    assert "WAT" not in found["cover"]
    only = shares_of_cover(xr.Dataset({"igbp": ("location", ["CRO", ""])}))
    assert float(only.sel(cover="CRO")[0]) == float(only.sel(cover="none")[1]) == 1.0


class TestManaged:
    covers, cells = np.array(["ENF", "BSV"]), np.array(["a", "b"])

    def test_classes_and_cells_are_multiplied(self, tmp_path):
        file = tmp_path / "managed.csv"
        file.write_text("location,fraction\nb,0.5\n")
        found = managed_share({"classes": {"BSV": 0.2}}, self.covers, self.cells, file)
        np.testing.assert_allclose(found, [[1.0, 0.5], [0.2, 0.1]])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("location,share\na,1\n", "fraction: found no such column"),
            ("location,fraction\nc,1\n", "location, row 1: found c; expected one of the map's 2"),
            ("location,fraction\na,-0.1\n", "fraction, row 1: found -0.1; expected a share"),
            ("location,fraction\na,1\na,1\n", "location: found a twice"),
        ],
    )
    def test_faults_are_named(self, tmp_path, text, message):
        file = tmp_path / "managed.csv"
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            managed_share({}, self.covers, self.cells, file)


class TestFiles:
    def write(self, tmp_path, crs="EPSG:4326", **polygons):
        file = tmp_path / "regions.gpkg"
        names, shapes = list(polygons), list(polygons.values())
        gpd.GeoDataFrame({"name": names}, geometry=shapes, crs=crs).to_file(file)
        return file

    def test_regions_are_read(self, tmp_path):
        file = self.write(tmp_path, a=box(0, 0, 1, 1), b=box(1, 0, 2, 1))
        assert read_regions(file, "name").name.tolist() == ["a", "b"]

    @pytest.mark.parametrize(
        ("ending", "crs"), [("gpkg", "EPSG:3035"), ("geojson", "EPSG:32633"), ("shp", "EPSG:3857")]
    )
    def test_ones_own_file_may_be_of_any_kind_and_reference_system(self, tmp_path, ending, crs):
        """Areas of cells are those of the same outlines in degrees."""
        shapes = [box(14.0, 50.0, 14.75, 50.5), box(14.75, 50.0, 15.5, 50.5)]
        frame = gpd.GeoDataFrame({"NUTS_ID": ["CZ1", "CZ2"]}, geometry=shapes, crs="EPSG:4326")
        frame = frame.set_geometry(shapely.segmentize(frame.geometry, 0.002)).to_crs(crs)
        file = tmp_path / f"own.{ending}"
        frame.to_file(file)
        found = read_regions(file, "NUTS_ID")
        assert found.name.tolist() == ["CZ1", "CZ2"]
        cells = np.array([[14.5, 50.0, 15.0, 50.5], [15.0, 50.0, 15.5, 50.5]])
        shares = shares_of_land(cells, found)
        np.testing.assert_allclose(shares, [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], atol=2e-6)

    def test_those_that_overlap_are_refused_with_how_much(self, tmp_path):
        file = self.write(tmp_path, a=box(0, 0, 1, 1), b=box(0.9, 0, 2, 1), c=box(0.99, 0, 1, 1))
        shared = polygon_area(np.array([box(0.99, 0, 1, 1)], dtype=object))[0] * 1e-6
        with pytest.raises(InputError, match=r"overlap: found .* and c, which share") as error:
            read_regions(file, "name")
        assert f"{shared:.6g} km2" in str(error.value)

    def test_slivers_between_neighbours_are_no_overlap(self):
        check_apart(regions(a=box(0, 0, 1 + 1e-8, 1), b=box(1, 0, 2, 1)))
        found = shares_of_land(
            np.array([[0.5, 0.0, 1.5, 1.0]]), regions(a=box(0, 0, 1 + 1e-8, 1), b=box(1, 0, 2, 1))
        )
        assert found.sum() == pytest.approx(1.0, abs=1e-15)
        assert found[0, -1] == 0.0

    @pytest.mark.parametrize(
        ("polygons", "crs", "column", "message"),
        [
            ({"a": box(0, 0, 1, 1)}, None, "name", r"gpkg: crs: found none; expected a known"),
            ({"a": box(0, 0, 1, 1)}, "EPSG:4326", "NUTS_ID", r"gpkg: NUTS_ID: found no such col"),
            ({OUTSIDE: box(0, 0, 1, 1)}, "EPSG:4326", "name", r"gpkg: name: found a region"),
            (
                {"bow": Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])},
                "EPSG:4326", "name", r"gpkg: bow geometry: found Self-intersection",
            ),
        ],
    )  # fmt: skip
    @pytest.mark.filterwarnings("ignore:'crs' was not provided")
    def test_faults_are_named(self, tmp_path, polygons, crs, column, message):
        with pytest.raises(InputError, match=message):
            read_regions(self.write(tmp_path, crs, **polygons), column)

    def test_a_file_that_is_none_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.gpkg: file: found unreadable"):
            read_regions(tmp_path / "none.gpkg", "name")
