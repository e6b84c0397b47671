from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from concerto.errors import InputError
from concerto.readers.fluxnet import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_records import SITE, fluxnet, fluxnet_daily, subset, write

GRAMS = 12.011e-6 * 86400
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "FLX_XX-Tow.csv"


@pytest.mark.parametrize("minutes", [30, 60])
def test_sub_daily_record(path, minutes):
    frame = fluxnet(days=3, step_minutes=minutes)
    ds = read(write(frame, path), SITE, {})
    assert ds.attrs["step_minutes"] == minutes
    assert ds.indexes["time"][0] == pd.Timestamp("2014-06-01")
    assert len(ds.indexes["time"]) == 3 * 1440 // minutes
    np.testing.assert_allclose(ds["tas"], frame["TA_F"])
    np.testing.assert_allclose(ds["pr"], frame["P_F"] * 1440 / minutes)
    np.testing.assert_allclose(ds["nee"], frame["NEE_VUT_REF"] * GRAMS)
    np.testing.assert_allclose(ds["nee_random"], frame["NEE_VUT_REF_RANDUNC"] * GRAMS)
    np.testing.assert_allclose(ds["gpp_ustar_low"], frame["GPP_NT_VUT_16"] * GRAMS)
    np.testing.assert_allclose(ds["reco_ustar_high"], frame["RECO_NT_VUT_84"] * GRAMS)
    np.testing.assert_allclose(ds["le_random"], 10.0)
    np.testing.assert_array_equal(ds["nee_measured"], frame["NEE_VUT_REF_QC"] == 0)
    np.testing.assert_array_equal(ds["gpp_good"], frame["NEE_VUT_REF_QC"] <= 1)
    np.testing.assert_array_equal(ds["le_measured"], frame["LE_F_MDS_QC"] == 0)
    assert ds["nee"].attrs["units"] == "g m-2 d-1"
    assert ds["nee"].attrs["source"] == "FLX_XX-Tow.csv: NEE_VUT_REF"


def test_subset_widens_quartiles_to_one_sigma(path):
    frame = subset(fluxnet(days=2))
    ds = read(write(frame, path), SITE, {})
    half = (ds["nee_ustar_high"] - ds["nee_ustar_low"]) / 2
    np.testing.assert_allclose(half, 0.27 / 0.67449 * GRAMS, rtol=1e-5)
    np.testing.assert_allclose(
        (ds["nee_ustar_high"] + ds["nee_ustar_low"]) / 2, ds["nee"], atol=1e-12
    )


def test_daily_record(path):
    frame = fluxnet_daily(days=5)
    ds = read(write(frame, path), SITE, {})
    assert ds.attrs["step_minutes"] == 1440
    np.testing.assert_allclose(ds["nee"], frame["NEE_VUT_REF"])
    np.testing.assert_allclose(ds["pr"], frame["P_F"])
    np.testing.assert_allclose(ds["nee_good_fraction"], frame["NEE_VUT_REF_QC"])
    np.testing.assert_allclose(ds["nee_random"], 0.3)
    assert "nee_measured" not in ds


def test_missing_is_nan_with_flags_down(path):
    frame = fluxnet(days=1)
    frame.loc[3, ["NEE_VUT_REF", "NEE_VUT_REF_QC", "LE_RANDUNC"]] = np.nan
    ds = read(write(frame, path), SITE, {})
    assert "-9999" in path.read_text()
    assert np.flatnonzero(np.isnan(ds["nee"])).tolist() == [3]
    assert np.flatnonzero(np.isnan(ds["le_random"])).tolist() == [3]
    assert ds["nee_measured"][3] == 0
    assert ds["nee_good"][3] == 0


def test_constant_threshold_stands_in_for_a_variable_one(path, caplog):
    frame = fluxnet(days=1).rename(columns=lambda name: name.replace("_VUT", "_CUT"))
    ds = read(write(frame, path), SITE, {})
    assert ds["gpp"].attrs["source"].endswith("GPP_NT_CUT_REF")
    assert "nee_ustar_low" in ds
    assert "nee is taken from NEE_CUT_REF, for NEE_VUT_REF is absent" in caplog.text


def test_plain_names_without_percentiles(path, caplog):
    frame = subset(fluxnet(days=1)).drop(columns=["NEE_VUT_REF_RANDUNC"])
    frame = frame.drop(columns=[name for name in frame if name.endswith(("_25", "_75"))])
    ds = read(write(frame.rename(columns=lambda n: n.replace("_VUT_REF", "")), path), SITE, {})
    assert ds["nee"].attrs["source"].endswith("NEE")
    assert "nee_random" not in ds
    assert "nee_ustar_low" not in ds
    assert "no u* percentiles of NEE" in caplog.text


def test_column_order_and_other_columns_do_not_matter(path):
    frame = fluxnet(days=1)
    shuffled = frame[sorted(frame.columns, reverse=True)].assign(OTHER="text")
    one, two = (
        read(write(f, path.with_name(n)), SITE, {})
        for f, n in ((frame, "a.csv"), (shuffled, "b.csv"))
    )
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name], two[name])


values = st.one_of(
    st.none(), st.floats(-500, 500).map(lambda x: round(x, 5)).filter(lambda x: x != -9999)
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(values, min_size=48, max_size=48),
    st.lists(st.sampled_from([0, 1, 2, 3, None]), min_size=48, max_size=48),
    st.dates(pd.Timestamp("1991-01-01").date(), pd.Timestamp("2030-12-31").date()),
)
def test_any_record_comes_back(tmp_path, nee, quality, day):
    frame = fluxnet(str(day), days=1)
    frame["NEE_VUT_REF"] = pd.array(nee, dtype="Float64")
    frame["NEE_VUT_REF_QC"] = pd.array(quality, dtype="Int64")
    ds = read(write(frame, tmp_path / "random.csv"), SITE, {})
    expected = np.array([np.nan if x is None else x for x in nee]) * GRAMS
    np.testing.assert_allclose(ds["nee"], expected, rtol=1e-12)
    np.testing.assert_array_equal(ds["nee_measured"], [q == 0 for q in quality])
    np.testing.assert_array_equal(ds["nee_good"], [q in (0, 1) for q in quality])
    assert ds.indexes["time"][0] == pd.Timestamp(day)


def without(*names):
    return lambda frame: frame.drop(columns=list(names))


def with_cell(column, row, text):
    def change(frame):
        frame = frame.astype({column: object})
        frame.loc[row, column] = text
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        (without("TA_F"), "TA_F", "no such column"),
        (without("SW_IN_F"), "SW_IN_F", "no such column"),
        (without("NEE_VUT_REF"), "NEE_VUT_REF", "no such column"),
        (without("GPP_NT_VUT_REF"), "GPP_NT_VUT_REF", "no such column"),
        (without("NEE_VUT_REF_QC"), "NEE_VUT_REF_QC", "no such column"),
        (without("TIMESTAMP_START"), "TIMESTAMP", "no such column"),
        (lambda f: f.drop(index=50), "TIMESTAMP_START", "missing time 2014-06-02 01:00:00"),
        (
            lambda f: f.loc[[*range(51), *range(50, 96)]],
            "TIMESTAMP_START",
            "duplicated time 2014-06-02 01:00:00",
        ),
        (
            lambda f: f.loc[[*range(50), 51, 50, *range(52, 96)]],
            "TIMESTAMP_START",
            "unsorted time 2014-06-02 01:00:00",
        ),
        (lambda f: f.iloc[:-1], "TIMESTAMP_START", "a record until 2014-06-02 23:30:00"),
        (lambda f: f.iloc[1:], "TIMESTAMP_START", "a record from 2014-06-01 00:30:00"),
        (lambda f: f.iloc[:0], "file", "no rows"),
        (with_cell("TIMESTAMP_START", 7, "20140601"), "TIMESTAMP_START", "'20140601' in line 9"),
        (with_cell("TIMESTAMP_START", 7, "201413010330"), "TIMESTAMP_START", "in line 9"),
        (with_cell("TIMESTAMP_END", 7, "201406010500"), "TIMESTAMP_END", "2014-06-01 05:00:00"),
        (with_cell("TIMESTAMP_END", 0, "201406010010"), "TIMESTAMP_END", "0 days 00:10:00"),
        (with_cell("TA_F", 4, "warm"), "TA_F", "'warm' in line 6"),
        (with_cell("NEE_VUT_REF_QC", 4, "good"), "NEE_VUT_REF_QC", "'good' in line 6"),
    ],
)
def test_fault_is_named(path, change, field, found):
    with pytest.raises(InputError) as caught:
        read(write(change(fluxnet(days=2)), path), SITE, {})
    assert caught.value.file == str(path)
    assert caught.value.field == field
    assert found in caught.value.found


def test_wanted_flux_without_its_column_is_said_but_an_unwanted_one_may_lack(path):
    frame = write(fluxnet(days=1).drop(columns=["LE_F_MDS"]), path)
    assert "le" not in read(frame, SITE, {})
    with pytest.raises(InputError, match="LE_F_MDS"):
        read(frame, SITE | {"streams": ["nee", "et"]}, {})


def test_truncated_file_is_named_with_its_line(path):
    write(fluxnet(days=2), path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(InputError) as caught:
        read(path, SITE, {})
    assert caught.value.field == "line 97"
    assert "fields" in caught.value.found


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00binary", b"PK\x03\x04\x00\xff\xff"])
def test_no_text_table_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"FLX_XX-Tow\.csv"):
        read(path, SITE, {})


def test_absent_file_is_named(path):
    with pytest.raises(InputError, match=r"FLX_XX-Tow\.csv: file: found nothing"):
        read(path, SITE, {})


def test_column_twice_is_named(path):
    frame = fluxnet(days=1)
    write(pd.concat([frame, frame[["TA_F"]]], axis=1), path)
    with pytest.raises(InputError, match="TA_F: found 2 columns of this name"):
        read(path, SITE, {})


def test_monthly_file_is_refused(path):
    frame = fluxnet_daily(days=2).assign(TIMESTAMP=["201401", "201402"])
    with pytest.raises(InputError, match="TIMESTAMP: found '201401' in line 2"):
        read(write(frame, path), SITE, {})


def test_real_record_of_vielsalm():
    ds = read(DATA / "FLX_BE-Vie_cut.csv", SITE, {})
    assert ds.sizes["time"] == 60 * 48
    raw = pd.read_csv(DATA / "FLX_BE-Vie_cut.csv", na_values=-9999)
    total = raw["NEE_VUT_REF"].sum() * 1800 * 12.011e-6
    assert float(ds["nee"].sum()) / 48 == pytest.approx(total)
    assert float(ds["nee_measured"].mean()) == pytest.approx((raw["NEE_VUT_REF_QC"] == 0).mean())
