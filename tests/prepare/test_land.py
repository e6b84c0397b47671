import geopandas
import pytest
from concerto.domain import Location
from concerto.errors import InputError
from concerto.prepare.land import country_of, land_properties
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
