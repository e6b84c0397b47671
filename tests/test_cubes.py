import os
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.cubes import (
    DAY,
    DRIVERS_DAILY,
    DRIVERS_EITHER,
    DRIVERS_MONTHLY,
    LAND,
    MONTH,
    OBSERVATIONS_DAILY,
    YEAR,
    Field,
    Schema,
    calendar,
    check_cube,
    check_times,
    ends,
    is_yearly,
    read_cube,
    with_bounds,
    write_cube,
)
from concerto.domain import DRIVERS, STREAMS, Location, at_location
from concerto.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

TOWER = Location("XX-Tow", 48.0, 8.0, 500.0, "MF", 1.0)
TEXTS = {"title": "A cube", "source": "made up", "history": "written by a test"}


def drivers(days=5):
    times = pd.date_range("2014-01-01", periods=days, freq="D")
    values = np.linspace(0, 1, days)
    ds = xr.Dataset(
        {
            name: ("time", values.copy(), quantity.attributes())
            for name, quantity in DRIVERS.items()
        },
        coords={"time": times},
    )
    cube = at_location(with_bounds(ds, DAY, TOWER.utc_offset_hours), TOWER)
    return cube.assign_attrs(featureType="timeSeries", utc_offset_hours=TOWER.utc_offset_hours)


def monthly_drivers(months=14):
    days = drivers(months)
    times = pd.date_range("2015-12-01", periods=months, freq="MS", unit="s")
    cube = days.drop_vars("time_bnds").assign_coords(time=times)
    return with_bounds(cube, MONTH, TOWER.utc_offset_hours)


def observations(days=5):
    cube = drivers(days)
    out = cube[["time_bnds"]]
    for part in ("", "_random", "_systematic", "_uncertainty", "_measured_fraction"):
        units = "1" if part == "_measured_fraction" else STREAMS["nee"].units
        out[f"nee{part}"] = cube["tas"].copy().assign_attrs(units=units)
    return out


def test_spoilt_numbers_are_found(tmp_path):
    """Where the compression by itself would find some and miss others."""
    path = tmp_path / "drivers.nc"
    write_cube(drivers(400), path, DRIVERS_DAILY, **TEXTS)
    content = path.read_bytes()
    with h5py.File(path) as file:
        for name in ("tas", "time", "time_bnds", "lat"):
            chunk = file[name].id.get_chunk_info(0)
            for byte in (0, chunk.size // 2, chunk.size - 1):
                spoilt = bytearray(content)
                spoilt[chunk.byte_offset + byte] ^= 0x04
                other = tmp_path / f"{name}.{byte}.nc"
                other.write_bytes(spoilt)
                said = rf"{name}\.{byte}\.nc: file: found unreadable .*; delete the file"
                with pytest.raises(InputError, match=said):
                    read_cube(other, DRIVERS_DAILY)


def test_round_trip(tmp_path):
    cube = drivers()
    cube["vpd"][0, 2] = np.nan
    write_cube(cube, tmp_path / "deep" / "drivers.nc", DRIVERS_DAILY, **TEXTS)
    back = read_cube(tmp_path / "deep" / "drivers.nc", DRIVERS_DAILY)
    xr.testing.assert_allclose(back, cube, rtol=1e-6)
    assert back["tas"].dtype == np.float32
    assert back["time"].to_numpy()[0] == np.datetime64("2014-01-01")
    assert back.attrs["Conventions"] == "CF-1.11"
    assert back.attrs["title"] == "A cube"
    assert back.attrs["utc_offset_hours"] == 1.0
    assert np.isnan(back["vpd"][0, 2])


def test_same_content_gives_same_bytes(tmp_path):
    for name in ("one.nc", "two.nc"):
        write_cube(drivers(), tmp_path / name, DRIVERS_DAILY, **TEXTS)
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_passes_the_cf_checker(tmp_path):
    path = tmp_path / "drivers.nc"
    write_cube(drivers(), path, DRIVERS_DAILY, comment="none", institution="none", **TEXTS)
    checker = os.path.join(os.path.dirname(sys.executable), "compliance-checker")
    done = subprocess.run(
        [checker, "--test=cf:1.11", "--criteria=strict", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "All tests passed!" in done.stdout


def set_attribute(cube, name, **attrs):
    cube[name].attrs |= attrs
    return cube


def with_nan(cube):
    cube["tas"][0, 3] = np.nan
    return cube


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        (lambda c: c.drop_vars("co2"), "co2", "no such variable"),
        (lambda c: c.assign(speed=c["tas"]), "speed", "a variable"),
        (lambda c: set_attribute(c, "rsds", units="MJ m-2 d-1"), "rsds", "units 'MJ m-2 d-1'"),
        (lambda c: set_attribute(c, "rsds", units=None), "rsds", "units None"),
        (lambda c: c.assign(tas=c["tas"].transpose()), "tas", "dimensions ('time', 'location')"),
        (with_nan, "tas", "no value at location XX-Tow, time 2014-01-04"),
        (lambda c: c.isel(time=[0, 1, 1, 2]), "time", "duplicated time 2014-01-02"),
        (lambda c: c.isel(time=[0, 2, 1, 3]), "time", "unsorted time 2014-01-02"),
        (lambda c: c.isel(time=[0, 1, 3, 4]), "time", "missing time 2014-01-03"),
        (lambda c: c.isel(time=[0, 2, 4]), "time", "a step of 2 d"),
    ],
)
def test_fault_is_named_on_write_and_nothing_is_written(tmp_path, change, field, found):
    path = tmp_path / "drivers.nc"
    with pytest.raises(InputError) as caught:
        write_cube(change(drivers()), path, DRIVERS_DAILY, **TEXTS)
    assert caught.value.file == str(path)
    assert caught.value.field == field
    assert found in caught.value.found
    assert not list(tmp_path.iterdir())


def test_fault_is_named_on_read(tmp_path):
    path = tmp_path / "other.nc"
    write_cube(observations(), path, OBSERVATIONS_DAILY, **TEXTS)
    with pytest.raises(InputError, match=r"other\.nc: tas: found no such variable"):
        read_cube(path, DRIVERS_DAILY)


def test_no_file_and_no_netcdf_are_said(tmp_path):
    with pytest.raises(InputError, match="found nothing; expected daily drivers"):
        read_cube(tmp_path / "none.nc", DRIVERS_DAILY)
    (tmp_path / "text.nc").write_text("no cube")
    with pytest.raises(InputError, match=r"text\.nc: file: found unreadable"):
        read_cube(tmp_path / "text.nc", DRIVERS_DAILY)


def test_truncated_file_is_said(tmp_path):
    path = tmp_path / "drivers.nc"
    write_cube(drivers(400), path, DRIVERS_DAILY, **TEXTS)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"drivers\.nc"):
        read_cube(path, DRIVERS_DAILY)


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "drivers.nc"
    write_cube(drivers(), path, DRIVERS_DAILY, **TEXTS)
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError)):
        write_cube(drivers().assign_attrs(odd=object()), path, DRIVERS_DAILY, **TEXTS)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["drivers.nc"]


def test_failed_rename_leaves_nothing_half_written(tmp_path):
    (tmp_path / "drivers.nc").mkdir()
    with pytest.raises(OSError, match="irectory"):
        write_cube(drivers(), tmp_path / "drivers.nc", DRIVERS_DAILY, **TEXTS)
    assert [file.name for file in tmp_path.iterdir()] == ["drivers.nc"]


def test_a_stream_needs_its_uncertainty(tmp_path):
    cube = observations()
    write_cube(cube, tmp_path / "o.nc", OBSERVATIONS_DAILY, **TEXTS)
    with pytest.raises(InputError, match="nee_systematic: found no such variable"):
        write_cube(cube.drop_vars("nee_systematic"), tmp_path / "p.nc", OBSERVATIONS_DAILY, **TEXTS)


def test_text_variables_round_trip(tmp_path):
    land = at_location(
        xr.Dataset(
            {
                "elevation": ((), 5.0, {"units": "m"}),
                "igbp": ((), "MF"),
                "country": ((), "Côte d'Ivoire"),
            }
        ),
        TOWER,
    )
    write_cube(land, tmp_path / "land.nc", LAND, **TEXTS)
    assert read_cube(tmp_path / "land.nc", LAND)["country"].item() == "Côte d'Ivoire"


def test_half_hours_keep_their_times(tmp_path):
    times = pd.date_range("2014-01-01", periods=48, freq="30min")
    ds = xr.Dataset({"tas": ("time", np.zeros(48), {"units": "degC"})}, coords={"time": times})
    cube = at_location(with_bounds(ds, pd.Timedelta(minutes=30), 1.0), TOWER)
    schema = Schema("half-hours", {"tas": Field("degC")})
    write_cube(cube, tmp_path / "h.nc", schema, **TEXTS)
    back = read_cube(tmp_path / "h.nc", schema)
    assert (back["time"].to_numpy() == times.to_numpy()).all()
    assert (back["time_bnds"].to_numpy()[:, 1] == (times + pd.Timedelta(minutes=30))).all()


@given(st.integers(3, 60), st.data())
def test_any_single_fault_of_a_time_axis_is_found(n, data):
    times = pd.date_range("2020-02-27", periods=n, freq="D")
    check_times(times, "f", DAY)
    place = data.draw(st.integers(1, n - 2))
    for faulty in (times.delete(place), times.insert(place, times[place])):
        if len(faulty) > 2:
            with pytest.raises(InputError) as caught:
                check_times(faulty, "f", DAY)
            assert str(times[place]) in caught.value.found or "step" in caught.value.found
    order = list(range(n))
    order[place], order[place + 1] = order[place + 1], order[place]
    with pytest.raises(InputError, match="unsorted"):
        check_times(times[order], "f", DAY)


class TestMonths:
    def test_round_trip_with_bounds_at_the_ends_of_months(self, tmp_path):
        write_cube(monthly_drivers(), tmp_path / "drivers.nc", DRIVERS_MONTHLY, **TEXTS)
        back = read_cube(tmp_path / "drivers.nc", DRIVERS_EITHER)
        xr.testing.assert_allclose(back, monthly_drivers(), rtol=1e-6)
        bounds = back["time_bnds"].to_numpy()[2].astype("datetime64[D]").astype(str)
        assert bounds.tolist() == ["2016-02-01", "2016-03-01"]

    def test_either_takes_both_steps_and_each_its_own(self):
        for cube, own, other, found in (
            (drivers(), DRIVERS_DAILY, DRIVERS_MONTHLY, "time 2014-01-02"),
            (monthly_drivers(), DRIVERS_MONTHLY, DRIVERS_DAILY, "a step of 31 d"),
        ):
            check_cube(cube, DRIVERS_EITHER, "d.nc")
            check_cube(cube, own, "d.nc")
            with pytest.raises(InputError, match=f"d.nc: time: found {found}"):
                check_cube(cube, other, "d.nc")

    def test_missing_month_is_named(self):
        cube = monthly_drivers().isel(time=[0, 1, 3, 4])
        with pytest.raises(InputError, match=r"missing time 2016-02-01.*a step of a month"):
            check_cube(cube, DRIVERS_EITHER, "d.nc")

    def test_calendar_has_the_mean_length_and_the_middles_of_the_months(self):
        step, day, days = calendar(monthly_drivers(12).indexes["time"])
        assert step == 366 / 12
        assert day[:3].tolist() == [334.0 + 15.5, 15.5, 31.0 + 14.5]
        assert days[:2].tolist() == [365, 366]


class TestYears:
    YEARS = pd.date_range("2000-01-01", periods=3, freq="YS")

    def test_years_are_as_long_as_they_are(self):
        assert is_yearly(self.YEARS)
        assert (ends(self.YEARS) == self.YEARS + pd.DateOffset(years=1)).all()
        assert not is_yearly(self.YEARS[:1])
        assert not is_yearly(self.YEARS[[0, 2]])
        assert not is_yearly(pd.date_range("2000-01-01", periods=3, freq="MS"))

    def test_a_year_that_is_missing_is_named(self):
        with pytest.raises(InputError, match="missing time 2001-01-01"):
            check_times(self.YEARS[[0, 2]], "file", YEAR)
        check_times(self.YEARS, "file", YEAR)
