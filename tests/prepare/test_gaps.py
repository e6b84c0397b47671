"""What gaps there are, told in tables and in a line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.prepare.gaps import find_gaps, longest_gap, summary
from concerto.prepare.streams import MaskCount
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

MONTHS = pd.date_range("2001-03-01", periods=24, freq="MS")


def cube(times=MONTHS, **streams):
    """A cube whose streams have values where they are true (location, time)."""
    ds = xr.Dataset(coords={"time": times})
    for name, valid in streams.items():
        values = np.where(valid, 1.0, np.nan)
        ds[name] = (("location", "time"), values)
        ds[f"{name}_uncertainty"] = (("location", "time"), values)
    return ds.assign_coords(location=[f"c{k}" for k in range(ds.sizes["location"])])


def no_masking():
    return MaskCount().table()


@settings(deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 30))))
def test_longest_gap_is_that_of_the_text(valid):
    found = longest_gap(valid)
    for row, gap in zip(valid, found, strict=True):
        text = "".join("x" if there else "." for there in row)
        assert gap == max(len(run) for run in text.split("x"))


def test_tables():
    valid = np.ones((2, 24), bool)
    valid[0, 4:7] = False
    valid[1, ::2] = False
    gaps = find_gaps(cube(lai=valid), no_masking())
    rows = gaps.locations.set_index("location")
    assert rows["valid"].to_dict() == {"c0": 21, "c1": 12}
    assert rows["longest_gap"].to_dict() == {"c0": 3, "c1": 1}
    assert (rows["steps"] == 24).all()
    seasons = gaps.seasons.set_index(["location", "month"])
    assert seasons.loc[("c0", 7), "valid_fraction"] == 0.5
    assert seasons.loc[("c0", 1), "valid_fraction"] == 1.0
    assert seasons.loc[("c1", 3), "valid"] == 0
    assert (seasons["steps"] == 2).all()
    assert seasons.groupby("location")["valid"].sum().to_dict() == rows["valid"].to_dict()


def test_months_that_the_record_has_not_are_not_there():
    days = pd.date_range("2001-11-15", "2002-01-10")
    gaps = find_gaps(cube(days, nee=np.ones((1, len(days)), bool)), no_masking())
    assert gaps.step == "day"
    assert gaps.seasons["month"].tolist() == [1, 11, 12]
    assert gaps.seasons["steps"].tolist() == [10, 16, 31]


def test_reasons_are_added_up_and_those_of_other_variables_left():
    count = MaskCount()
    for clouds in ([True, False], [True, True]):
        count.add("lai", "native", "cloud", np.array(clouds))
    count.add("tas", "hourly", "missing", np.array([True]))
    gaps = find_gaps(cube(lai=np.ones((1, 24), bool)), count.table())
    assert gaps.reasons.to_dict("records") == [
        {
            "stream": "lai", "level": "native", "reason": "cloud",
            "masked": 3, "total": 4, "fraction": 0.75,
        }
    ]  # fmt: skip


def masking(name, **shares):
    """Native values of which shares were masked, in thousandths."""
    count = MaskCount()
    for reason, share in shares.items():
        count.add(name, "native", reason, np.arange(1000) < share)
    count.add(name, "step", "less than 50 % covered", np.arange(24) < 3)
    return count.table()


def test_summary_of_many_locations():
    valid = np.ones((3, 24), bool)
    valid[0, 4:7] = False
    valid[2] = False
    table = masking("lai", cloud=70, fill=20, snow=2, quality=0)
    assert summary(find_gaps(cube(lai=valid), table)) == [
        "lai: 21 of 24 months at the median location (88 %), longest gap 3 months; nothing at 1 of "
        "3 locations; masked (native): 7 % cloud, 2 % fill, <1 % snow; masked (step): 12 % less "
        "than 50 % covered"
    ]


def test_summary_of_one_location():
    valid = np.ones((1, 24), bool)
    valid[0, 4] = False
    lines = summary(find_gaps(cube(lai=valid, sif=np.zeros((1, 24), bool)), no_masking()))
    assert set(lines) == {
        "lai: 23 of 24 months (96 %), longest gap 1 month",
        "sif: 0 of 24 months (0 %), longest gap 24 months",
    }


def test_at_most_four_reasons_of_a_level_are_named():
    table = masking("lai", a=10, b=50, c=40, d=30, e=20)
    (line,) = summary(find_gaps(cube(lai=np.ones((1, 24), bool)), table))
    assert "masked (native): 5 % b, 4 % c, 3 % d, 2 % e; masked (step)" in line


def test_no_streams_are_no_gaps():
    empty = xr.Dataset(coords={"time": MONTHS, "location": ["c0"]})
    gaps = find_gaps(empty, no_masking())
    assert len(gaps.locations) == 0
    assert summary(gaps) == []


def test_many_cells_take_little_time():
    valid = np.random.default_rng(2).random((20_000, 240)) < 0.8
    times = pd.date_range("2001-01-01", periods=240, freq="MS")
    gaps = find_gaps(cube(times, lai=valid), no_masking())
    assert gaps.locations["valid"].sum() == valid.sum()
    assert len(gaps.seasons) == 20_000 * 12
    assert gaps.locations["valid_fraction"].mean() == pytest.approx(0.8, abs=0.01)
