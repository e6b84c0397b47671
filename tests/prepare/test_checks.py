from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from concerto.domain import Location
from concerto.errors import InputError
from concerto.prepare.checks import (
    check_clock,
    check_streams,
    check_years,
    cosine_of_zenith,
    hours_off,
)
from concerto.readers.fluxnet import read
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_records import SITE, TOWER, fluxnet, write


@pytest.fixture(scope="module")
def summer(tmp_path_factory):
    path = write(fluxnet(days=30), tmp_path_factory.mktemp("raw") / "FLX_XX-Tow.csv")
    return read(path, SITE, {})


def test_sun_is_where_almanacs_have_it():
    greenwich = Location("Greenwich", 51.48, 0.0, 20, "URB", 0)
    noon = cosine_of_zenith(pd.DatetimeIndex(["2014-06-21 12:02", "2014-12-21 11:58"]), greenwich)
    heights = 90 - np.rad2deg(np.arccos(noon))
    np.testing.assert_allclose(heights, [61.95, 15.08], atol=0.1)
    rise = cosine_of_zenith(pd.DatetimeIndex(["2014-03-20 06:10"]), greenwich)
    assert abs(rise[0]) < 0.02


def test_right_clock_passes(summer):
    assert abs(hours_off(summer, TOWER)).max() < 0.2
    check_clock(summer, TOWER)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([-6, -2, -1, 1, 2, 5]))
def test_wrong_offset_is_measured_and_named(summer, hours):
    shifted = replace(TOWER, utc_offset_hours=TOWER.utc_offset_hours + hours)
    assert hours_off(summer, shifted)[6] == pytest.approx(-hours, abs=0.3)
    with pytest.raises(InputError) as caught:
        check_clock(summer, shifted)
    assert caught.value.file == "FLX_XX-Tow.csv"
    assert "month 6" in caught.value.found
    assert f"UTC{shifted.utc_offset_hours:+g}" in caught.value.expected


def test_daylight_saving_is_found(summer):
    later = summer.assign(rsds=summer["rsds"].roll(time=2))
    with pytest.raises(InputError, match=r"radiation \+1.0 h off the sun in month 6"):
        check_clock(later, TOWER)


def test_polar_night_is_no_fault(summer):
    times = pd.date_range("2014-12-01", periods=summer.sizes["time"], freq="30min")
    dark = (summer * 0).assign_coords(time=times).assign_attrs(step_minutes=30)
    dark["rsds"].attrs["source"] = "f.csv: SW"
    check_clock(dark, replace(TOWER, latitude=80.0))


def test_without_radiation_a_warning_says_that_the_clock_was_not_checked(summer, caplog):
    check_clock(summer.drop_vars("rsds"), replace(TOWER, utc_offset_hours=9.0))
    assert "XX-Tow: no radiation, by which to check the clock" in caplog.text


def test_year_without_values_is_named(tmp_path):
    frame = fluxnet("2014-12-30", days=4)
    frame.loc[96:, "CO2_F_MDS"] = np.nan
    record = read(write(frame, tmp_path / "FLX_XX-Tow.csv"), SITE, {})
    check_years(record, ["tas", "nee", "absent"])
    with pytest.raises(InputError) as caught:
        check_years(record, ["tas", "co2"])
    assert caught.value.file == "FLX_XX-Tow.csv"
    assert caught.value.field == "CO2_F_MDS"
    assert caught.value.found == "no value in 2015"


def test_stream_that_no_record_has_is_named(summer):
    check_streams(summer, ["nee", "et"], TOWER)
    with pytest.raises(InputError, match="XX-Tow: streams: found et"):
        check_streams(summer.drop_vars("tas"), ["nee", "et"], TOWER)
    with pytest.raises(InputError, match="XX-Tow: streams: found lai"):
        check_streams(summer, ["nee", "lai"], TOWER)
