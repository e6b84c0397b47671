import numpy as np
import pytest
import xarray as xr
from concerto.domain import IGBP, QUANTITIES, Location, at_location
from concerto.errors import InputError
from concerto.units import convert

SITE = {
    "latitude": 50.3,
    "longitude": 6.0,
    "elevation_m": 493,
    "igbp": "MF",
    "utc_offset_hours": 1,
    "streams": ["nee"],
}


def test_location_takes_what_it_needs_from_a_site():
    location = Location.from_site("BE-Vie", SITE)
    assert (location.name, location.latitude, location.igbp) == ("BE-Vie", 50.3, "MF")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latitude", 95),
        ("longitude", 200),
        ("utc_offset_hours", 60),
        ("elevation_m", 20000),
        ("igbp", "XYZ"),
        ("latitude", float("nan")),
    ],
)
def test_bad_coordinate_is_named(key, value):
    with pytest.raises(InputError) as caught:
        Location.from_site("BE-Vie", SITE | {key: value})
    assert caught.value.file == "configuration, sites.BE-Vie"
    assert caught.value.field == key
    assert str(value) in caught.value.found


def test_missing_coordinate_is_named():
    site = {key: value for key, value in SITE.items() if key != "longitude"}
    with pytest.raises(InputError, match="longitude"):
        Location.from_site("BE-Vie", site)


def test_every_unit_is_one_that_converts():
    for name, quantity in QUANTITIES.items():
        assert convert(1.0, quantity.units, quantity.units, file=name, field=name) == 1.0
        assert quantity.attributes()["units"] == quantity.units
        assert None not in quantity.attributes().values()


def test_at_location_leads_every_variable_but_the_bounds():
    ds = xr.Dataset(
        {
            "tas": ("time", np.zeros(3)),
            "height": ((), 1.0),
            "time_bnds": (("time", "bnds"), np.zeros((3, 2))),
        },
        coords={"time": np.arange(3)},
    )
    placed = at_location(ds, Location.from_site("BE-Vie", SITE))
    assert placed["tas"].dims == ("location", "time")
    assert placed["height"].dims == ("location",)
    assert placed["time_bnds"].dims == ("time", "bnds")
    assert placed["lat"].item() == 50.3
    assert placed["location"].item() == "BE-Vie"


def test_igbp_classes_are_all_there():
    assert len(IGBP) == 17
