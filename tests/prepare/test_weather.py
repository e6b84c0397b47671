"""Weather as drivers: sums undone, humidity, height, CO2 and calendars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.models.components import _air
from concerto.prepare import weather
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import (
    LAPSE_RATES,
    VAPOUR_RATES,
    Rise,
    at_height,
    co2_at,
    completed,
    daily,
    deaccumulate,
    in_units_of_cubes,
    packing_step,
    saturation,
    standard_elevation,
    standard_pressure,
)
from hypothesis import given, settings
from hypothesis import strategies as st

QUANTUM = 2.0**-15
HOURS = pd.date_range("2003-02-27 01:00", periods=72, freq="h")  # ends of three whole days


def sums(amounts, times=HOURS):
    """Sums since 00 UTC of hourly amounts: the independent, slow way."""
    out, total = np.zeros_like(amounts), np.zeros(amounts.shape[1:])
    for k, time in enumerate(times):
        total = amounts[k] if time.hour == 1 else total + amounts[k]
        out[k] = total
    return out


def undo(values, times=HOURS, reset="day", tolerance=0.0, count=None):
    return deaccumulate(
        values, times, reset, tolerance, name="pr", count=count or MaskCount(), file="era.nc"
    )


def counted(count, reason):
    return sum(row[3] for row in count.rows if reason in row[2])


# Amounts


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_amounts_come_back_to_the_last_bit(seed):
    amounts = np.random.default_rng(seed).integers(0, 50, (72, 2)) * QUANTUM
    found, starts = undo(sums(amounts))
    np.testing.assert_array_equal(found, amounts)
    assert starts[0] == pd.Timestamp("2003-02-27 00:00")


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_packing_is_evened_out_and_days_keep_their_sums(seed):
    rng = np.random.default_rng(seed)
    exact = sums(rng.integers(0, 3, (72, 2)) * QUANTUM)
    packed = np.maximum(exact + rng.integers(-1, 1, (72, 2)) * QUANTUM, 0.0)
    count = MaskCount()
    found, starts = undo(packed, tolerance=QUANTUM, count=count)
    assert (found >= 0.0).all()
    days, _ = daily(found, starts, np.sum, count=count, file="era.nc")
    np.testing.assert_array_equal(days, packed[HOURS.hour == 0])
    of_day = packed.reshape(3, 24, 2)
    assert counted(count, "falls") == (np.diff(of_day, axis=1) < 0.0).sum()
    fall = np.maximum(0.0, -np.diff(of_day, axis=1)).sum(axis=1).max()
    assert np.abs(np.cumsum(found.reshape(3, 24, 2), axis=1) - of_day).max() <= fall


def test_total_at_midnight_is_of_the_day_before():
    """The example of ECMWF: the value at 00 UTC is the sum over the 24 hours before it."""
    times = pd.date_range("2003-06-01 00:00", "2003-06-03 00:00", freq="h")
    values = np.where(times.hour == 0, 24, times.hour)[:, None] * 1e-3
    count = MaskCount()
    found, starts = undo(values, times, count=count)
    assert np.isnan(found[0])  # of the hour before the first day its sum before is not known
    np.testing.assert_allclose(found[1:], 1e-3)
    assert counted(count, "before the record") == 1
    days, stamps = daily(found, starts, np.sum, count=count, file="era.nc")
    np.testing.assert_allclose(days, 0.024)
    assert stamps.tolist() == [pd.Timestamp("2003-06-01"), pd.Timestamp("2003-06-02")]


def test_forecasts_that_begin_twice_a_day():
    times = pd.date_range("2003-06-01 07:00", periods=48, freq="h")
    began = (times - pd.Timedelta(hours=7)).floor("12h") + pd.Timedelta(hours=6)
    amounts = np.arange(48.0)[:, None]
    since = np.array([amounts[(began == began[k]) & (times <= times[k])].sum() for k in range(48)])
    found, _ = undo(since[:, None], times, reset=began)
    np.testing.assert_array_equal(found, amounts)


def test_a_gap_in_space_stays_one():
    values = sums(np.ones((72, 2)))
    values[:, 1] = np.nan
    values[30, 0] = np.nan
    found, _ = undo(values)
    assert np.isnan(found[:, 1]).all()
    assert np.flatnonzero(np.isnan(found[:, 0])).tolist() == [30, 31]


def test_falls_beyond_packing_and_broken_times_are_refused():
    values = sums(np.ones((72, 1)))
    values[40] -= 3.0
    with pytest.raises(InputError, match=r"era\.nc: pr: found an accumulation that falls by 2 at"):
        undo(values, tolerance=1.0)
    with pytest.raises(InputError, match=r"falls by 0\.5 at 2003-02-27 01:00"):
        undo(np.full((72, 1), -0.5), tolerance=0.25)
    with pytest.raises(InputError, match="missing time 2003-02-27 06:00"):
        undo(np.delete(values, 5, axis=0), HOURS.delete(5))
    with pytest.raises(InputError, match="a first value at 2003-02-27 13:00:00 of a sum since"):
        undo(values, reset=pd.DatetimeIndex(np.where(HOURS[12] > HOURS, HOURS[0], HOURS[20])))
    with pytest.raises(InputError, match="reset: found month; expected day"):
        undo(values, reset="month")
    with pytest.raises(InputError, match="1 times"):
        undo(values[:1], HOURS[:1])


def test_packing_steps_of_a_day_are_small():
    """A day's radiation within 1 kJ, which is 0.3 W m-2 in an hour, and rain within 0.03 mm."""
    assert packing_step(weather.LARGEST["rsds"]) == 1024.0
    assert packing_step(weather.LARGEST["pr"]) == 2.0**-15
    assert packing_step(65535.0) == 1.0
    assert packing_step(65536.0) == 2.0


@pytest.mark.parametrize(
    ("value", "unit", "name", "seconds", "expected"),
    [
        (3.6e6, "J m-2", "rsds", 3600.0, 1000.0),
        (3.6e6, "J m**-2", "rsds", 3600.0, 1000.0),
        (0.001, "m", "pr", 3600.0, 24.0),
        (2.5, "kg m-2", "pr", 86400.0, 2.5),
        (1e-5, "kg m-2 s-1", "pr", None, 0.864),
        (62.0, "mm", "pr", 31 * 86400.0, 2.0),
        (1.5, "kPa", "vpd", None, 15.0),
        (273.15, "K", "tas", None, 0.0),
        (0.01, "kg kg-1", "huss", None, 0.01),
        (55.0, "%", "hurs", None, 55.0),
    ],
)
def test_units(value, unit, name, seconds, expected):
    found = in_units_of_cubes(np.full((1, 2), value), unit, name, seconds=seconds, file="f.nc")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_each_month_has_its_own_length():
    lengths = np.array([31.0, 28.0]) * 86400.0
    found = in_units_of_cubes(np.full((2, 3), 62.0), "mm", "pr", seconds=lengths, file="f.nc")
    np.testing.assert_allclose(found, np.broadcast_to([[2.0], [62.0 / 28.0]], (2, 3)))
    with pytest.raises(InputError, match=r"f\.nc: pr: found unit 'K'"):
        in_units_of_cubes(np.ones(2), "K", "pr", file="f.nc")


@pytest.mark.parametrize("offset", [0.0, 2.0, -7.0])
def test_days_are_those_of_the_clock(offset):
    starts = pd.date_range("2003-02-26 05:00", periods=90, freq="h")
    values = np.random.default_rng(3).normal(size=(90, 2))
    frame = pd.DataFrame(values, index=starts + pd.Timedelta(hours=offset))
    by_day = frame.groupby(frame.index.floor("D"))
    whole = by_day.size() == 24
    count = MaskCount()
    for reduce, word in ((np.mean, "mean"), (np.min, "min"), (np.max, "max")):
        found, days = daily(
            values, starts, reduce, utc_offset_hours=offset, count=count, file="f.nc"
        )
        np.testing.assert_allclose(found, by_day.agg(word)[whole])
        assert days.tolist() == whole.index[whole].tolist()
    assert count.rows[0][3] == 90 - 24 * whole.sum()


def test_steps_that_make_no_day_are_refused():
    starts = pd.date_range("2003-02-26", periods=30, freq="h")
    with pytest.raises(InputError, match="steps that fill days"):
        daily(np.ones(30), starts, np.mean, utc_offset_hours=5.5, count=MaskCount(), file="f")
    with pytest.raises(InputError, match="a whole day"):
        daily(np.ones(20), starts[:20], np.mean, count=MaskCount(), file="f")
    starts = pd.date_range("2003-02-26", periods=30, freq="5h")
    with pytest.raises(InputError, match="steps that fill days"):
        daily(np.ones(30), starts, np.mean, count=MaskCount(), file="f")


# Humidity


def test_saturation_is_that_of_models_and_of_the_tables():
    """Goff & Gratch's values in the Smithsonian tables, hPa, within the 0.4 % of its authors."""
    temperatures = np.array([-40.0, -10.0, 0.0, 20.0, 40.0])
    found = saturation(temperatures)
    np.testing.assert_allclose(100 * found, [float(_air.saturation(t)) for t in temperatures])
    np.testing.assert_allclose(found, [0.1891, 2.8627, 6.1078, 23.373, 73.777], rtol=4e-3)


def test_saturation_is_near_that_of_the_reanalyses():
    """What dew points of ECMWF are defined by (IFS documentation, Tetens' formula over water)."""
    temperature = np.linspace(-40.0, 45.0, 100)
    kelvin = temperature + 273.15
    theirs = 6.1121 * np.exp(17.502 * (kelvin - 273.16) / (kelvin - 32.19))
    np.testing.assert_allclose(saturation(temperature), theirs, rtol=2e-3, atol=5e-3)


def test_all_measures_of_humidity_agree():
    """Air of 20 degC and 12 hPa of vapour, by each way that archives describe it."""
    tas, vapour, pressure = np.array([20.0]), np.array([12.0]), np.array([95000.0])
    ratio = np.log(vapour / 6.1094)
    mixing = 0.622 * vapour / (pressure / 100 - vapour)
    ways = {
        "vap": {"vap": vapour},
        "tdps": {"tdps": 243.04 * ratio / (17.625 - ratio)},
        "huss": {"huss": mixing / (1.0 + mixing), "ps": pressure},
        "hurs": {"hurs": 100.0 * vapour / saturation(tas)},
    }
    for way in ways.values():
        found = completed(
            {"tas": tas} | way, instant=True, level="hourly", count=MaskCount(), file="f"
        )
        np.testing.assert_allclose(found["vpd"], saturation(tas) - 12.0)
        assert set(found) == {"tas", "vpd"} | (set(way) & {"ps"})


def complete(given, instant=False, count=None):
    return completed(
        {name: np.array([value]) for name, value in given.items()},
        instant=instant, level="monthly", count=count or MaskCount(), file="f.nc",
    )  # fmt: skip


def test_example_of_fao_56():
    """Its example 3: air that is saturated at 15 and 24.5 degC has 2.39 kPa in the mean."""
    found = complete({"tasmin": 15.0, "tasmax": 24.5, "vap": 0.0})
    assert found["vpd"].item() == pytest.approx(2.39 * 10.0, abs=0.05)
    assert found["tas"].item() == 19.75


def test_what_is_given_is_not_derived():
    given_ = {"tas": 18.0, "tasmin": 10.0, "tasmax": 25.0, "vpd": 7.0, "vap": 1.0, "wind": 2.0}
    found = complete(given_ | {"uas": 3.0, "vas": 4.0})
    assert {name: values.item() for name, values in found.items()} == {
        name: value for name, value in given_.items() if name != "vap"
    }
    assert complete({"uas": 3.0, "vas": -4.0})["wind"].item() == 5.0


def test_supersaturated_air_is_counted_and_nonsense_refused():
    count = MaskCount()
    found = complete({"tas": 10.0, "tdps": 10.1}, instant=True, count=count)
    assert found["vpd"].item() == 0.0
    assert counted(count, "no deficit") == 1
    with pytest.raises(InputError, match="a relative humidity of 1000 %; expected 120 % at most"):
        complete({"tas": 10.0, "hurs": 1000.0}, instant=True)
    with pytest.raises(InputError, match="vpd: found humidity without tasmin; expected tasmin"):
        complete({"tas": 10.0, "tdps": 5.0})
    with pytest.raises(InputError, match="humidity without tas;"):
        complete({"tdps": 5.0}, instant=True)


# Height


def raised(given_, metres, lapse="monthly", latitude=50.0, month=7, instant=True, count=None):
    drivers, comment = at_height(
        {name: np.array([[value]]) for name, value in given_.items()},
        Rise(np.array([300.0 + metres]), np.array([300.0]), np.array([latitude]), lapse),
        months=np.array([month]), instant=instant,
        level="hourly", count=count or MaskCount(), file="f.nc",
    )  # fmt: skip
    return {name: values.item() for name, values in drivers.items()}, comment


def test_rates_by_month_and_hemisphere():
    given_ = {"tas": 20.0, "tasmin": 10.0, "tasmax": 25.0, "rsds": 200.0}
    for month, rate in enumerate(LAPSE_RATES, start=1):
        found, _ = raised(given_, 1000.0, month=month)
        assert found["tas"] == pytest.approx(20.0 - rate)
        assert found["tasmax"] == pytest.approx(25.0 - rate)
        assert found["rsds"] == 200.0
        south, _ = raised(given_, 1000.0, month=(month + 5) % 12 + 1, latitude=-50.0)
        assert south == found
    found, comment = raised(given_, -200.0, lapse=6.5)
    assert found["tas"] == pytest.approx(21.3)
    assert "by -200 to -200 m: temperature by 6.5 K km-1" in comment
    assert "monthly lapse rates" in raised(given_, 10.0)[1]


def test_vapour_and_pressure_with_height():
    given_ = {"tas": 20.0, "vpd": 8.0, "ps": 97000.0}
    found, _ = raised(given_, 500.0, lapse=6.5)
    vapour = (saturation(20.0) - 8.0) * np.exp(-0.5 * VAPOUR_RATES[6])
    assert found["vpd"] == pytest.approx(saturation(20.0 - 3.25) - vapour)
    ratio = float(_air.pressure(800.0)) / float(_air.pressure(300.0))
    assert found["ps"] == pytest.approx(97000.0 * ratio)
    heights = np.array([-20.0, 0.0, 1800.0, 5000.0])
    np.testing.assert_allclose(standard_elevation(standard_pressure(heights)), heights, atol=1e-9)
    # example 2 of FAO 56: 81.8 kPa at 1800 m
    np.testing.assert_allclose(standard_pressure(np.array([0.0, 1800.0])), [101325, 81800], atol=50)


def test_dew_point_falls_as_in_the_paper():
    """Liston & Elder's rate of dew points, c k / b = 4.7 K km-1 in July (their table, rounded)."""
    found, _ = raised({"tas": 20.0, "vpd": saturation(20.0) - saturation(10.0)}, 100.0)
    ratio = np.log((saturation(20.0 - 0.81) - found["vpd"]) / 6.1094)
    dew_point = 243.04 * ratio / (17.625 - ratio)
    assert (10.0 - dew_point) * 10.0 == pytest.approx(4.7, rel=0.1)


@settings(deadline=None)
@given(st.floats(-40, 45), st.floats(0, 1), st.floats(0, 25), st.booleans())
def test_without_a_rise_nothing_changes(tas, share, span, instant):
    given_ = {"tas": tas, "tasmin": tas - span, "tasmax": tas + span, "ps": 9e4}
    given_["vpd"] = share * float(saturation(np.array(tas - span)))
    assert raised(given_, 0.0, instant=instant)[0] == given_


def test_deficits_that_would_be_negative_are_counted():
    count = MaskCount()
    found, _ = raised({"tas": 20.0, "vpd": 0.1}, 800.0, count=count)
    assert found["vpd"] == 0.0
    assert counted(count, "no deficit") == 1


def test_days_move_by_their_lowest_and_highest():
    given_ = {"tas": 12.0, "tasmin": 5.0, "tasmax": 20.0, "vpd": 6.0}
    found, _ = raised(given_, 400.0, lapse=5.0, instant=False)
    before, after = (
        0.5 * (saturation(5.0 - move) + saturation(20.0 - move)) for move in (0.0, 2.0)
    )
    vapour = (before - 6.0) * np.exp(-0.4 * VAPOUR_RATES[6])
    assert found["vpd"] == pytest.approx(after - vapour)


def test_a_deficit_without_temperature_has_no_other_height():
    with pytest.raises(InputError, match=r"f\.nc: vpd: found a deficit without tas; expected tas"):
        raised({"vpd": 5.0}, 100.0)
    with pytest.raises(InputError, match="a deficit without tasmin"):
        raised({"tas": 10.0, "vpd": 5.0}, 100.0, instant=False)


# CO2


def record():
    middles = pd.DatetimeIndex(["2003-01-16 12:00", "2003-02-15", "2003-03-16 12:00"])
    return xr.Dataset({"co2": ("time", [370.0, 373.0, 371.0])}, {"time": middles})


def test_months_take_their_own_mean():
    starts = pd.date_range("2003-01-01", periods=3, freq="MS")
    np.testing.assert_allclose(co2_at(starts, record(), pd.Timedelta(0), "c"), [370, 373, 371])


def test_days_lie_between_and_ends_reach_as_far_as_is_said(caplog):
    days = pd.date_range("2003-01-10", "2003-03-20")
    found = co2_at(days, record(), pd.Timedelta(days=10), "c.csv")
    assert found[days.get_loc("2003-01-16")] == 370.0
    assert found[days.get_loc("2003-01-31")] == pytest.approx(370 + 3 * 15 / 29.5)
    assert (found[:7] == 370.0).all()
    assert found[-1] == 371.0
    assert "stands in at 10 of 70 steps" in caplog.text
    with pytest.raises(InputError, match=r"c\.csv: time: found 3 times .* within 3 d of both ends"):
        co2_at(days, record(), pd.Timedelta(days=3), "c.csv")
