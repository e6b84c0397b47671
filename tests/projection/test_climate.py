"""Drivers of years to come: stated changes, and climate models adjusted to the record."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.domain import DRIVERS
from concerto.errors import InputError
from concerto.projection.climate import (
    Change,
    adjusted_drivers,
    axis_until,
    before,
    changed_drivers,
    mapped,
    source_steps,
)


def cube(times, seed=1, **shifts):
    """Two cells of weather with a season; shifts by driver."""
    rng = np.random.default_rng(seed)
    season = np.sin(2.0 * np.pi * times.dayofyear.to_numpy() / 365.25)
    base = {"tas": 8, "tasmin": 4, "tasmax": 12, "rsds": 150, "vpd": 6, "pr": 2, "co2": 400}
    out = xr.Dataset(coords={
        "location": ["a", "b"], "lat": ("location", [50.0, 50.5]), "lon": ("location", [6.0, 6.0]),
        "time": times,
    })  # fmt: skip
    for name, quantity in DRIVERS.items():
        mean = base.get(name, 0.0)
        values = np.abs(mean * (1.0 + 0.3 * season) + 0.2 * mean * rng.normal(size=(2, len(times))))
        out[name] = (
            ("location", "time"),
            values + shifts.get(name, 0.0),
            {"units": quantity.units},
        )
    return out


def test_the_axis_goes_on_after_the_last_whole_year():
    days = pd.date_range("2013-01-01", "2014-08-31", freq="D")
    axis = axis_until(days, 2016, "f")
    assert (axis[0], axis[-1]) == (pd.Timestamp("2014-01-01"), pd.Timestamp("2016-12-31"))
    assert before(cube(days), axis).sizes["time"] == 365
    months = pd.date_range("2000-01-01", periods=12, freq="MS")
    assert len(axis_until(months, 2002, "f")) == 24
    with pytest.raises(InputError, match="expected a whole calendar year"):
        axis_until(days[120:400], 2100, "f")
    with pytest.raises(InputError, match="found a record to the end of 2013; expected one that en"):
        axis_until(days, 2013, "f")


def test_whole_years_follow_each_other_day_by_day():
    record = pd.date_range("2011-01-01", "2013-12-31", freq="D")
    axis = axis_until(record, 2020, "f")
    taken = record[source_steps(record, axis, "f")]
    assert taken.year[[0, 365, 731]].tolist() == [2011, 2012, 2013]
    same = (taken.month == axis.month) & (taken.day == axis.day)
    leap = (axis.month == 2) & (axis.day == 29)
    assert same[~leap].all()
    # 2016 takes 2013, 2020 takes 2011: neither has a 29 February
    assert set(taken[leap].strftime("%m-%d")) == {"02-28"}


def test_a_change_is_the_one_stated():
    record = cube(pd.date_range("2001-01-01", "2004-12-31", freq="D"))
    axis = axis_until(record.indexes["time"], 2044, "f")
    steps = source_steps(record.indexes["time"], axis, "f")
    rise = np.linspace(0.0, 90.0, len(axis))
    change = Change(0.03, {"vpd": 0.01, "rsds": -0.05})
    made = changed_drivers(record, axis, change, rise, "f")
    warmer = (made["tasmin"] - record["tasmin"].isel(time=steps).to_numpy()).to_numpy()
    middle_of_2041 = np.flatnonzero(axis == pd.Timestamp("2041-07-02"))[0]
    assert warmer[0, middle_of_2041] == pytest.approx(0.03 * 38.5, abs=1e-3)
    np.testing.assert_allclose(warmer[0], warmer[1])
    np.testing.assert_allclose(made["co2"] - record["co2"].isel(time=steps).to_numpy(),
                               np.broadcast_to(rise, (2, len(axis))), atol=1e-9)  # fmt: skip
    ratio = (made["vpd"] / record["vpd"].isel(time=steps).to_numpy()).to_numpy()[0, middle_of_2041]
    assert ratio == pytest.approx(1.385, abs=1e-3)
    assert (made["rsds"] >= 0.0).all()
    np.testing.assert_array_equal(made["pr"], record["pr"].isel(time=steps))


MONTHS = pd.date_range("1971-01-01", "2060-12-31", freq="MS")
PAST = pd.date_range("1971-01-01", "2010-12-31", freq="MS")


def test_what_is_adjusted_has_the_quantiles_of_the_record():
    """A model that is the record, stretched and shifted, becomes the record again."""
    rng = np.random.default_rng(4)
    observed = 10.0 + 5.0 * rng.normal(size=len(PAST))
    model = 3.0 + 1.7 * observed
    found = mapped(observed, model, model, PAST, PAST, relative=False)
    # in windows of thirty years of the forty
    for month in (1, 7):
        own = PAST.month == month
        levels = [0.1, 0.25, 0.5, 0.75, 0.9]
        np.testing.assert_allclose(
            np.quantile(found[own], levels), np.quantile(observed[own], levels), atol=1.2
        )
    once = PAST[PAST.year < 2001]
    exact = mapped(observed[:360], model[:360], model[:360], once, once, relative=False)
    np.testing.assert_allclose(exact, observed[:360], rtol=1e-12)


def test_changes_of_the_model_are_kept():
    rng = np.random.default_rng(5)
    seen = 10.0 + rng.normal(size=360)
    when, later = PAST[:360], pd.date_range("2031-01-01", periods=360, freq="MS")
    model = 2.0 * seen - 3.0
    warmer = mapped(seen, model, model + 2.5, when, later, relative=False)
    np.testing.assert_allclose(warmer, seen + 2.5, rtol=1e-12)
    wetter = mapped(seen, 0.4 * seen, 0.4 * seen * 1.3, when, later, relative=True)
    np.testing.assert_allclose(wetter, 1.3 * seen, rtol=1e-12)
    assert mapped(seen, 0.0 * seen, 0.0 * seen, when, later, relative=True).min() > 0.0


def test_a_supplied_climate_is_adjusted_cell_by_cell():
    known = cube(PAST)
    theirs = cube(MONTHS, 2, tas=4.0, tasmin=4.0, tasmax=4.0).isel(location=[1, 0])
    axis = axis_until(PAST, 2060, "f")
    made = adjusted_drivers(known, theirs, axis, "model.nc")
    assert list(made.sizes.values()) == [2, 600] or made["tas"].shape == (2, 600)
    # no trend in the model, so the mean is that of the record
    assert abs(float(made["tas"].mean() - known["tas"].mean())) < 0.15
    assert (made["tasmin"] <= made["tasmax"]).all()
    assert (made["burned_area_fraction"] == 0.0).all()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda ds: ds.isel(time=slice(0, -12)),
            "found a scenario of 1068 times from 1971-01-01 to 2059-12-01; expected one over all "
            "of 600 times from 2011-01-01 to 2060-12-01",
        ),
        (lambda ds: ds.isel(time=slice(480, None)), "found 0 steps of the record; expected a year"),
        (lambda ds: ds.assign_coords(lat=ds["lat"] + 3.0), "found 3 degrees to the nearest at a"),
        (lambda ds: cube(pd.date_range("1971-01-01", "2060-12-31")), "expected the steps of the"),
    ],
)  # fmt: skip
def test_a_climate_that_does_not_do_is_named(spoil, said):
    with pytest.raises(InputError) as raised:
        adjusted_drivers(cube(PAST), spoil(cube(MONTHS)), axis_until(PAST, 2060, "f"), "model.nc")
    assert said in str(raised.value)
