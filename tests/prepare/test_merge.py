import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.prepare.merge import merge_records


def series(name, start, days, minutes=60, value=1.0):
    times = pd.date_range(start, periods=days * 1440 // minutes, freq=f"{minutes}min")
    attrs = {"source": f"{name}.csv: {name}", "units": "1"}
    return xr.Dataset(
        {name: ("time", np.full(len(times), value), attrs)},
        coords={"time": times},
        attrs={"step_minutes": minutes},
    )


def slow(first, last):
    times = pd.date_range(first, last, freq="YS") + pd.Timedelta(days=182)
    attrs = {"source": "co2.csv: co2", "units": "ppm"}
    return xr.Dataset(
        {"co2": ("time", 400.0 + np.arange(len(times)), attrs)},
        coords={"time": times},
        attrs={"step_minutes": 0},
    )


def test_variables_share_one_axis_and_absent_times_are_nan():
    out = merge_records({"a": series("tas", "2014-01-01", 4), "b": series("lai", "2014-01-02", 2)})
    assert out.sizes["time"] == 96
    assert int(out["lai"].count()) == 48
    assert out.attrs["step_minutes"] == 60


def test_a_variable_continues_from_file_to_file():
    later = series("tas", "2014-01-03", 2, value=2.0)
    later["tas"].attrs["source"] = "second.csv: tas"
    out = merge_records({"b": later, "a": series("tas", "2014-01-01", 2)})
    assert out["tas"].to_numpy()[[0, -1]].tolist() == [1.0, 2.0]
    assert out["tas"].attrs["source"] == "second.csv: tas; tas.csv: tas"


def test_flags_stay_integers():
    flagged = series("tas", "2014-01-01", 1)
    flagged["nee_good"] = ("time", np.ones(24, np.int8), {})
    out = merge_records({"a": flagged, "b": series("lai", "2014-01-01", 2)})
    assert out["nee_good"].dtype == np.int8
    assert int(out["nee_good"].sum()) == 24


def test_slow_series_is_interpolated_and_preferred(caplog):
    caplog.set_level("INFO")
    tower = series("co2", "2014-07-02", 365, value=1.0)
    out = merge_records({"a": tower, "b": slow("2013", "2016")})
    assert float(out["co2"][0]) == pytest.approx(401.0, abs=1e-6)
    assert float(out["co2"].sel(time="2014-12-31T12:00")) == pytest.approx(401.5, abs=0.01)
    assert "co2 is taken from b" in caplog.text


@pytest.mark.parametrize(
    ("records", "field", "found"),
    [
        (
            {"a": series("tas", "2014-01-01", 2), "b": series("lai", "2014-01-01", 2, minutes=30)},
            "time",
            "a step of 30 min",
        ),
        (
            {"a": series("tas", "2014-01-01", 2), "b": series("lai", "2014-01-01 00:15", 2)},
            "time",
            "stamps like 2014-01-01 00:15:00",
        ),
        (
            {"a": series("tas", "2014-01-01", 2), "b": series("lai", "2014-01-03", 2)},
            "time",
            "2014-01-01 00:00:00 to 2014-01-02 23:00:00",
        ),
        (
            {"a": series("tas", "2014-01-01", 2), "b": series("tas", "2014-01-02", 2)},
            "tas",
            "a value at 2014-01-02 00:00:00",
        ),
        (
            {"a": series("tas", "2014-01-01", 2), "b": series("tas", "2014-01-04", 2)},
            "time",
            "missing time 2014-01-03 00:00:00",
        ),
        (
            {"a": series("tas", "2014-01-01", 2), "b": slow("2014", "2016")},
            "time",
            "2014-07-02 00:00:00 to 2016-07-01 00:00:00",
        ),
        ({"b": slow("2014", "2016")}, "records", "no time series"),
    ],
)
def test_conflict_is_named(records, field, found):
    with pytest.raises(InputError) as caught:
        merge_records(records)
    assert caught.value.field == field
    assert found in caught.value.found
