from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from concerto.errors import InputError
from concerto.readers.table import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_records import SITE

GRAMS = 12.011e-6 * 86400
DATA = Path(__file__).parents[1] / "data"
SOURCES = Path(__file__).parents[2] / "config" / "sources"
SPEC = {
    "time": {
        "column": "when",
        "format": "%Y-%m-%d %H:%M",
        "position": "start",
        "step_minutes": 60,
        "utc_offset_hours": 1,
    },
    "variables": {
        "tas": {"column": "T", "units": "K"},
        "pr": {"column": "P", "units": "mm", "per_step": True},
        "nee": {
            "column": "F",
            "units": "umol m-2 s-1",
            "measured": "F_m",
            "random": "F_sd",
            "ustar": ["F16", "F84"],
        },
        "lai": {
            "column": "L",
            "units": "1",
            "keep_every_days": 8,
            "uncertainty": {"relative": 0.15, "minimum": 0.3},
        },
    },
}


def frame(position="start", days=2):
    n = 24 * days
    starts = pd.date_range("2015-03-01", periods=n, freq="h")
    stamps = starts + {"start": 0, "middle": 0.5, "end": 1}[position] * pd.Timedelta(hours=1)
    flux = np.linspace(-3, 3, n)
    return pd.DataFrame(
        {
            "when": stamps.strftime("%Y-%m-%d %H:%M"),
            "T": np.linspace(270, 280, n),
            "P": 0.5,
            "F": flux,
            "F_m": np.where(np.arange(n) % 3 == 0, flux, np.nan),
            "F_sd": 1.0,
            "F16": flux - 1,
            "F84": flux + 2,
            "L": np.linspace(1, 5, n),
        }
    )


def spec(**time):
    return SPEC | {"time": SPEC["time"] | time}


def write(table, path):
    table.to_csv(path, index=False, na_rep="-9999")
    return path


def test_declared_columns(tmp_path):
    table = frame()
    ds = read(write(table, tmp_path / "t.csv"), SITE, SPEC)
    np.testing.assert_allclose(ds["tas"], table["T"] - 273.15)
    np.testing.assert_allclose(ds["pr"], 12.0)
    np.testing.assert_allclose(ds["nee"], table["F"] * GRAMS)
    np.testing.assert_allclose(ds["nee_random"], GRAMS)
    np.testing.assert_allclose(ds["nee_ustar_high"], (table["F"] + 2) * GRAMS)
    np.testing.assert_array_equal(ds["nee_measured"], table["F_m"].notna())
    assert (ds["nee_good"] == 1).all()
    np.testing.assert_allclose(ds["lai_random"], np.maximum(0.15 * table["L"], 0.3))
    assert ds["lai"].attrs["keep_every_days"] == 8


@pytest.mark.parametrize("position", ["start", "middle", "end"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_stamps_become_starts_of_intervals(tmp_path, position, suffix):
    table, path = frame(position), tmp_path / f"t.{suffix}"
    if suffix == "csv":
        write(table, path)
    else:
        table["when"] = pd.to_datetime(table["when"])
        table.set_index("when").to_parquet(path)
    ds = read(path, SITE, spec(position=position))
    assert ds.indexes["time"].equals(pd.date_range("2015-03-01", periods=48, freq="h"))
    np.testing.assert_allclose(ds["nee"], table["F"] * GRAMS)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e4, 1e4).filter(lambda x: x != -9999)),
        min_size=24,
        max_size=24,
    )
)
def test_any_column_comes_back(tmp_path, column):
    table = frame(days=1)
    table["T"] = pd.array(column, dtype="Float64")
    ds = read(write(table, tmp_path / "random.csv"), SITE, SPEC)
    expected = np.array([np.nan if x is None else x for x in column]) - 273.15
    np.testing.assert_allclose(ds["tas"], expected, rtol=1e-12, atol=1e-9)


def variables(**changed):
    return SPEC | {"variables": SPEC["variables"] | changed}


@pytest.mark.parametrize(
    ("declared", "field", "found"),
    [
        (variables(tas={"column": "X", "units": "K"}), "X", "no such column"),
        (variables(tas={"column": "T", "units": "Pa"}), "T", "unit 'Pa'"),
        (variables(tas={"column": "T", "units": "warmth"}), "T", "unit 'warmth'"),
        (variables(speed={"column": "T", "units": "K"}), "speed", "a variable"),
        (variables(fapar={"column": "L", "units": "1"}), "L", "no uncertainty"),
        (spec(utc_offset_hours=0), "when", "time stamps in UTC+0 h"),
        (spec(step_minutes=30), "when", "a step of 60 min"),
        (spec(column="then"), "then", "no such column"),
        (spec(format="%d.%m.%Y"), "when", "in row 1"),
        (spec(position="end"), "when", "a record from 2015-02-28 23:00:00"),
        ({}, "time", "nothing"),
    ],
)
def test_fault_of_the_declaration_is_named(tmp_path, declared, field, found):
    path = write(frame(), tmp_path / "t.csv")
    with pytest.raises(InputError) as caught:
        read(path, SITE, declared)
    assert caught.value.file == str(path)
    assert caught.value.field == field
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([*range(5), *range(6, 48)], "missing time 2015-03-01 05:00:00"),
        ([*range(6), *range(5, 48)], "duplicated time 2015-03-01 05:00:00"),
        ([*range(5), 6, 5, *range(7, 48)], "unsorted time 2015-03-01 05:00:00"),
    ],
)
def test_fault_of_the_times_is_named(tmp_path, order, found):
    with pytest.raises(InputError) as caught:
        read(write(frame().iloc[order], tmp_path / "t.csv"), SITE, SPEC)
    assert caught.value.field == "when"
    assert caught.value.found == found


def test_truncated_parquet_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    frame().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"t\.parquet: file: found unreadable"):
        read(path, SITE, SPEC)


def test_absent_parquet_and_text_column_are_named(tmp_path):
    with pytest.raises(InputError, match=r"t\.parquet: file: found nothing"):
        read(tmp_path / "t.parquet", SITE, SPEC)
    frame().assign(T="warm").to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"T: found .* values; expected numbers"):
        read(tmp_path / "t.parquet", SITE, SPEC)


def declaration(source, file):
    return yaml.safe_load((SOURCES / f"{source}.yaml").read_text())["tables"][file]


def test_real_record_of_davos():
    declared = declaration("ch_dav_2013_2022", "CH-Dav_2013-2022.parquet")
    ds = read(DATA / "CH-Dav_cut.parquet", SITE, declared)
    assert ds.sizes["time"] == 120 * 48
    raw = pd.read_parquet(DATA / "CH-Dav_cut.parquet")
    assert ds.indexes["time"][0] == pd.Timestamp("2014-05-01")
    measured = raw["NEE_CUT_REF_orig"].notna().to_numpy()
    np.testing.assert_array_equal(ds["gpp_measured"], measured)
    assert 0.2 < measured.mean() < 0.6
    assert float(abs(ds["reco"] - ds["gpp"] - ds["nee"]).max()) < 0.01
    assert float(ds["pr"].sum()) / 48 == pytest.approx(raw["PREC_TOT_T1_25+20_1"].sum(), rel=1e-4)


def test_real_leaf_area_of_vielsalm():
    declared = declaration("be_vie_2014", "merged_BE-Vie_data.csv")
    ds = read(DATA / "merged_BE-Vie_cut.csv", SITE, declared)
    assert set(ds.data_vars) == {"lai", "lai_random", "fapar", "fapar_random"}
    assert float(ds["lai_random"].min()) >= 0.3
    assert ds["lai"].attrs["keep_day_of_month"] == 15
