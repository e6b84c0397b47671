import geopandas
import numpy as np
import pytest
from concerto.domain import Location
from concerto.errors import InputError
from concerto.prepare.land import cells_of, countries_of, country_of, land_properties
from shapely.geometry import box
from synthetic_records import TOWER


@pytest.fixture(scope="module")
def borders(tmp_path_factory):
    path = tmp_path_factory.mktemp("borders") / "borders.gpkg"
    frame = geopandas.GeoDataFrame(
        {"name": ["Westland", "Eastland"], "geometry": [box(0, 40, 7, 50), box(7, 40, 12, 50)]},
        crs="EPSG:4326",
    )
    frame.to_file(path)
    return path


def at(longitude, latitude):
    return Location("XX-Pla", latitude, longitude, 10.0, "MF", 1.0)


def test_inside(borders):
    assert country_of(at(3, 45), borders) == "Westland"
    assert country_of(at(8, 45), borders) == "Eastland"


def test_off_a_coarse_coast_the_nearest_counts_and_is_said(borders, caplog):
    assert country_of(at(12.2, 45), borders) == "Eastland"
    assert "15.7 km away" in caplog.text


def test_far_off_is_an_error(borders):
    with pytest.raises(InputError, match="no country within 50 km"):
        country_of(at(20, 45), borders)


def test_nearest_is_measured_in_metres(tmp_path, borders):
    # At 60 degrees north 0.6 degrees of longitude are shorter than 0.4 degrees of latitude.
    path = tmp_path / "north.gpkg"
    geopandas.GeoDataFrame(
        {"name": ["East", "South"], "geometry": [box(10.6, 60, 12, 61), box(9, 58, 11, 59.6)]},
        crs="EPSG:4326",
    ).to_file(path)
    assert country_of(at(10, 60), path) == "East"


def test_properties(borders):
    land = land_properties(TOWER, borders)
    assert land["elevation"].item() == 500.0
    assert land["igbp"].item() == "MF"
    assert land["country"].item() == "Eastland"


def test_unreadable_borders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none.shp: file: found unreadable"):
        country_of(TOWER, tmp_path / "none.shp")
    geopandas.GeoDataFrame({"geometry": [box(0, 0, 1, 1)]}, crs="EPSG:4326").to_file(
        tmp_path / "nameless.gpkg"
    )
    with pytest.raises(InputError, match="name: found no such attribute"):
        country_of(TOWER, tmp_path / "nameless.gpkg")


AREA = {"box": {"west": 4.0, "south": 49.0, "east": 7.0, "north": 52.0}}


@pytest.fixture
def countries() -> geopandas.GeoDataFrame:
    squares = {"West": box(3, 49, 5.5, 51), "East": box(5.5, 49, 9, 51)}
    return geopandas.GeoDataFrame(
        {"name": list(squares)}, geometry=list(squares.values()), crs="EPSG:4326"
    )


def test_cells_of_an_area_with_land(countries):
    cells = cells_of("a", AREA | {"resolution_deg": 0.5}, countries)
    assert len(cells) == 6 * 4
    np.testing.assert_allclose(cells.land_fraction, 1.0)


def test_polygons_of_an_area_are_those_in_its_box(countries, tmp_path):
    layer = tmp_path / "regions.gpkg"
    regions = {"in": box(5, 50, 6, 51), "across": box(3.5, 50, 4.5, 51), "out": box(8, 50, 9, 51)}
    frame = geopandas.GeoDataFrame(
        {"code": list(regions)}, geometry=list(regions.values()), crs="EPSG:4326"
    )
    frame.to_file(layer)
    place = AREA | {"polygons": {"source": "s", "file": layer.name, "column": "code"}}
    cells = cells_of("a", place, countries, layer)
    assert list(cells.name) == ["in"]
    np.testing.assert_allclose(cells.area, 7.9e9, rtol=0.02)


def test_the_circle_around_a_site(countries):
    place = {"latitude": 50.0, "longitude": 6.0, "footprint_m": 1000.0}
    cells = cells_of("XX-Tow", place, countries)
    assert list(cells.name) == ["XX-Tow"]
    np.testing.assert_allclose(cells.area, np.pi * 1e6, rtol=1e-3)


def test_a_cell_is_of_the_country_that_has_most_of_it(countries):
    cells = cells_of("a", AREA | {"resolution_deg": 1.0}, countries)
    found = dict(zip(cells.name, countries_of(cells, countries), strict=True))
    assert {found[name] for name in found if "4.5E" in name} == {"West"}
    assert {found[name] for name in found if "6.5E" in name} == {"East"}


def test_an_unreadable_layer_is_named(countries, tmp_path):
    (tmp_path / "r.shp").write_text("no layer")
    place = AREA | {"polygons": {"source": "s", "file": "r.shp", "column": "code"}}
    with pytest.raises(InputError, match=r"r\.shp: file: found unreadable"):
        cells_of("a", place, countries, tmp_path / "r.shp")
