"""Requests follow from a run's places: each period once, and boxes that hold the whole place."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise

import pytest
from concerto import places
from concerto.errors import ConcertoError
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

DAYS = st.dates(date(1899, 1, 1), date(2101, 12, 31))


@given(st.tuples(DAYS, DAYS).map(sorted), st.sampled_from(["year", "month"]))
def test_periods_hold_each_day_once(bounds, request_):
    found = places.periods(tuple(day.isoformat() for day in bounds), request_)
    assert found[0][1] == bounds[0]
    assert found[-1][2] == bounds[1]
    for (_, _, end), (_, start, _) in pairwise(found):
        assert start == end + timedelta(days=1)
    for name, start, end in found:
        parts = 1 if request_ == "year" else 2
        assert start.isoformat().split("-")[:parts] == name.split("-")
        assert end.isoformat().split("-")[:parts] == name.split("-")


def test_a_source_that_does_not_change_is_asked_once():
    bounds = ("2003-05-01", "2005-01-31")
    assert places.periods(bounds, "all") == [("all", date(2003, 5, 1), date(2005, 1, 31))]


@given(st.floats(-90, 90), st.floats(-180, 179.99), st.floats(100, 300_000))
def test_the_box_of_a_site_holds_its_circle(latitude, longitude, radius):
    box = places.box_of({"latitude": latitude, "longitude": longitude, "footprint_m": radius})
    assert -90 <= box.south <= box.north <= 90
    geod = Geod(ellps="WGS84")
    for azimuth in range(0, 360, 15):
        east, north, _ = geod.fwd(longitude, latitude, azimuth, radius)
        assert box.south - 1e-9 <= north <= box.north + 1e-9
        width = (box.east - box.west) % 360 or 360
        if width < 360 and abs(north) < 89.9999:
            assert (east - box.west + 1e-9) % 360 <= width + 2e-9


AREA = {
    "box": {"west": 5, "south": 50, "east": 6, "north": 51},
    "period": ["2017-11-01", "2019-02-01"],
    "fields": {"tropomi_sif": ["sif"], "copernicus_dem_90": ["elevation"]},
}


def test_requests_of_a_run_are_within_what_a_source_has():
    config = {"areas": {"here": AREA}, "sites": {"without": {}}}
    assert list(places.places(config)) == ["here"]
    asked = [(r.source, r.period, str(r.start), str(r.end)) for r in places.requests(config)]
    assert asked == [
        ("tropomi_sif", "2018", "2018-05-01", "2018-12-31"),
        ("tropomi_sif", "2019", "2019-01-01", "2019-02-01"),
        ("copernicus_dem_90", "all", "2017-11-01", "2019-02-01"),
    ]
    found = places.request_of(places.requests(config), "tropomi_sif", "here", "2019")
    assert found.variables == ("sif",)
    assert [(w["source"], w["end"]) for w in places.wanted(config)] == [
        ("tropomi_sif", "2019-02-01"),
        ("copernicus_dem_90", "2019-02-01"),
    ]


def test_a_box_across_the_antimeridian():
    box = places.box_of({"latitude": 0, "longitude": 179.99, "footprint_m": 11_057.4})
    assert math.isclose(box.west, 179.89, abs_tol=1e-3)
    assert math.isclose(box.east, -179.91, abs_tol=1e-3)


def test_what_is_not_asked_for_is_named():
    with pytest.raises(ConcertoError, match="nothing is asked of modis for 2003"):
        places.request_of([], "modis", "nowhere", "2003")


def test_what_means_over_cells_rest_on_is_where_these_are():
    assert places.shape_of(AREA | {"resolution_deg": 0.5, "step": "month"}) == {
        "box": AREA["box"],
        "resolution_deg": 0.5,
    }


def test_sources_of_records_are_those_of_sites_areas_and_borders():
    sites = {
        "tower": {"records": [{"source": "flux"}, {"source": "air"}]},
        "cell": {"cubes": {"of": "transect", "step": "month"}},
        "months": {"cubes": {"of": "tower", "step": "month"}},
    }
    areas = {
        "north": {"co2": {"source": "air"}, "resolution_deg": 0.5},
        "south": {"co2": {"source": "sea"}, "polygons": {"source": "regions"}},
    }
    policy = {
        "provinces": {"polygons": {"source": "regions", "file": "a.shp", "column": "name"}},
        "mine": {"polygons": {"path": "mine.gpkg", "column": "name"}},
    }
    config = {"borders": {"source": "lines"}, "sites": sites, "areas": areas, "policy": policy}
    assert places.record_sources(config) == {
        "air": ["tower", "months", "north"],
        "flux": ["tower", "months"],
        "lines": ["borders"],
        "regions": ["south", "provinces"],
        "sea": ["south"],
        "transect_2000": ["cell"],
    }
