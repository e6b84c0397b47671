"""Forecast weather of a user's own: what it drives, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.assimilation.location import forcing
from concerto.domain import DRIVERS
from concerto.errors import InputError
from concerto.projection.own_weather import read_weather
from synthetic_dalec import make_drivers

TIME = pd.date_range("2014-01-01", periods=500)
AHEAD = TIME[400:420]
OWN = ("tasmin", "tasmax", "rsds", "co2", "burned_area_fraction", "harvested_area_fraction")


@pytest.fixture(scope="module")
def record():
    values = make_drivers(len(TIME), np.random.default_rng(3), fire=0.01)
    place = {"location": ["X"], "lat": ("location", [50.0]), "lon": ("location", [6.0])}
    variables = {
        name: (("location", "time"), one[None], {"units": DRIVERS[name].units})
        for name, one in values.items()
    }
    return xr.Dataset(variables, {**place, "time": TIME})


@pytest.fixture
def table(record):
    """The record's own weather of some days, as a table."""
    some = record.isel(location=0, time=slice(390, 430))
    columns = {f"{name} ({DRIVERS[name].units})": some[name].to_numpy() for name in OWN}
    return pd.DataFrame({"time": some.indexes["time"], **columns})


@pytest.fixture
def read(dalec2, record, tmp_path):
    def read_table(frame):
        file = tmp_path / "ahead.csv"
        frame.to_csv(file, index=False)
        return read_weather(file, dalec2, record, AHEAD, 493.0)

    return read_table


def test_the_record_as_a_table_is_the_record(dalec2, record, table, read):
    (found,) = read(table)
    same = forcing(record, dalec2, "record", 493.0).between(400, 420)
    np.testing.assert_array_equal(found.weather.values, same.weather.values)
    np.testing.assert_array_equal(found.season, same.season)
    assert found.step == same.step


def test_netcdf_with_members_is_each_of_them(dalec2, record, tmp_path):
    later = record.isel(location=0).drop_vars("location")[["tasmin", "tasmax", "rsds", "co2"]]
    several = xr.concat([later, later], "member")
    several["tasmin"] = several["tasmin"] - [[0.0], [2.0]] * xr.ones_like(several["tasmin"])
    several["tasmin"].attrs["units"] = "degC"
    several.transpose("time", "member").to_netcdf(tmp_path / "ahead.nc")
    one, other = read_weather(tmp_path / "ahead.nc", dalec2, record, AHEAD, 493.0)
    assert not np.array_equal(one.weather.values, other.weather.values)
    assert one.mean_temperature - other.mean_temperature == pytest.approx(1.0)


def test_members_of_a_table_may_follow_each_other_or_alternate(table, read):
    warmer = table.assign(**{"tasmax (degC)": table["tasmax (degC)"] + 1.0})
    both = [one.assign(member=k) for k, one in enumerate((table, warmer))]
    after, mixed = pd.concat(both), pd.concat(both).sort_values("time", kind="stable")
    alone = [read(one)[0].weather.values for one in (table, warmer)]
    for frame in (after, mixed):
        for found, expected in zip(read(frame), alone, strict=True):
            np.testing.assert_array_equal(found.weather.values, expected)


def test_units_are_converted(table, read):
    kelvin = table.rename(columns={"tasmin (degC)": "tasmin (K)"})
    kelvin["tasmin (K)"] += 273.15
    converted, plain = read(kelvin)[0].weather.values, read(table)[0].weather.values
    np.testing.assert_allclose(converted, plain, rtol=1e-9, atol=1e-9)


def test_what_is_left_out_stays_as_it_was(dalec2, record, table, read):
    (found,) = read(table.drop(columns=[c for c in table if c.startswith(("co2", "burn", "harv"))]))
    last = record.isel(time=slice(35, 400)).mean("time").broadcast_like(record)
    same = record.assign({name: last[name].assign_attrs(record[name].attrs) for name in OWN[3:]})
    expected = forcing(same, dalec2, "record", 493.0).between(400, 420)
    np.testing.assert_allclose(found.weather.values, expected.weather.values, rtol=1e-12)


def _late(table):
    table.loc[12, "tasmin (degC)"] = np.nan
    return table


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.iloc[:25], "time: found 25 times from 2015-01-26 to 2015-02-19; expected all"),
        (lambda t: t.iloc[15:], "expected all of 20 times from 2015-02-05 to 2015-02-24"),
        (lambda t: t.iloc[::-1], "time: found unsorted time 2015-03-05"),
        (lambda t: t.drop(index=15), "time: found missing time 2015-02-10"),
        (lambda t: pd.concat([t, t.iloc[-1:]]), "time: found duplicated time 2015-03-06"),
        (_late, "tasmin: found 1 gaps, the first on 2015-02-07; expected a value at every step"),
        (lambda t: t.rename(columns={"rsds (W m-2)": "rsds (K)"}), "rsds: found unit 'K'"),
        (lambda t: t.rename(columns={"rsds (W m-2)": "rsds"}), "rsds: found a column; expected"),
        (lambda t: t.rename(columns={"rsds (W m-2)": "sun (W m-2)"}), "sun .W m-2.: found a colum"),
        (lambda t: t.drop(columns="rsds (W m-2)"), "rsds: found no such variable"),
        (lambda t: t.drop(columns="time"), "time: found no such column"),
        (lambda t: t.assign(time=["soon"] * len(t)), "time: found 'soon' in row 1"),
        (
            lambda t: t.assign(**{"tasmin (degC)": t["tasmin (degC)"] + 273.15}),
            "degC; expected .* is the unit right",
        ),
        (lambda t: t.assign(**{"rsds (W m-2)": -5.0}), "rsds: found -5 W m-2; expected 0 to"),
        (lambda t: t.assign(**{"burned_area_fraction (d-1)": 1.5}), "1.5 of the area in a step"),
        (lambda t: t.assign(**{"rsds (W m-2)": "bright"}), "found 'bright'; expected numbers"),
        (
            lambda t: pd.concat([t.assign(member=0), t.iloc[:-1].assign(member=1)]),
            "of member 1; expected 40 times",
        ),
    ],
)
def test_bad_weather_is_refused(table, read, spoil, message):
    with pytest.raises(InputError, match=message):
        read(spoil(table))


@pytest.mark.parametrize("name", ["ahead.csv", "ahead.nc"])
def test_files_that_are_none_are_refused(dalec2, record, tmp_path, name):
    with pytest.raises(InputError, match="file: found unreadable"):
        read_weather(tmp_path / name, dalec2, record, AHEAD, 493.0)
