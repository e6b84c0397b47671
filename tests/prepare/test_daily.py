from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.prepare.daily import daily_drivers, daily_observations
from concerto.prepare.streams import MaskCount
from concerto.readers import fluxnet as reader
from concerto.units import latent_heat_of_vaporisation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_records import QUALITY, SITE, fluxnet, fluxnet_daily, write

DATA = Path(__file__).parents[1] / "data"


NONE = SITE["disturbance"]


@pytest.fixture
def record(tmp_path):
    return reader.read(write(fluxnet(), tmp_path / "FLX_XX-Tow.csv"), SITE, {})


def masked(count, variable, reason):
    table = count.table()
    rows = table[(table["variable"] == variable) & table["reason"].str.startswith(reason)]
    return rows["masked"].to_list()


def test_drivers_are_means_and_extremes(record):
    out = daily_drivers(record, NONE | {"burned_area_fraction": 0.001}, MaskCount())
    tas = record["tas"].to_numpy().reshape(-1, 48)
    np.testing.assert_allclose(out["tas"], tas.mean(axis=1))
    np.testing.assert_allclose(out["tasmin"], tas.min(axis=1))
    np.testing.assert_allclose(out["tasmax"], tas.max(axis=1))
    np.testing.assert_allclose(out["burned_area_fraction"], 0.001)
    assert out["tasmin"].attrs["cell_methods"] == "time: minimum"


@pytest.mark.parametrize("minutes", [30, 60])
def test_sums_are_conserved(tmp_path, minutes):
    frame = fluxnet(days=6, step_minutes=minutes)
    frame["NEE_VUT_REF_QC"] = 0
    record = reader.read(write(frame, tmp_path / "f.csv"), SITE, {})
    drivers = daily_drivers(record, NONE, MaskCount())
    observed = daily_observations(record, QUALITY, MaskCount())
    assert float(drivers["pr"].sum()) == pytest.approx(frame["P_F"].sum())
    grams = frame["NEE_VUT_REF"].sum() * minutes * 60 * 12.011e-6
    assert float(observed["nee"].sum()) == pytest.approx(grams)
    np.testing.assert_allclose(observed["reco"] - observed["gpp"], observed["nee"], atol=1e-12)


@pytest.mark.parametrize("name", ["tas", "rsds", "co2"])
def test_incomplete_needed_driver_is_named(record, name):
    record[name][100] = np.nan
    with pytest.raises(InputError) as caught:
        daily_drivers(record, NONE, MaskCount())
    assert caught.value.file == "FLX_XX-Tow.csv"
    assert "2014-06-03 02:00:00" in caught.value.found


def test_absent_needed_driver_is_named(record):
    with pytest.raises(InputError, match="co2: found nothing"):
        daily_drivers(record.drop_vars("co2"), NONE, MaskCount())


def test_gaps_of_a_needed_driver_are_left_to_what_stands_in(record):
    record["tas"][100] = np.nan
    out = daily_drivers(record, NONE, MaskCount(), may_lack={"tas", "tasmin", "tasmax"})
    for name in ("tas", "tasmin", "tasmax"):
        assert np.flatnonzero(np.isnan(out[name])).tolist() == [2]
    with pytest.raises(InputError, match="TA_F: found no value at 2014-06-03 02:00"):
        daily_drivers(record, NONE, MaskCount(), may_lack={"tas", "tasmin"})


def test_without_temperature_latent_heat_gives_no_evapotranspiration(record):
    out = daily_observations(record.drop_vars("tas"), QUALITY, MaskCount())
    assert "le" in out
    assert "et" not in out


def test_incomplete_other_driver_is_counted(record):
    record["pr"][100:103] = np.nan
    count = MaskCount()
    out = daily_drivers(record.drop_vars("vpd"), NONE, count)
    assert np.flatnonzero(np.isnan(out["pr"])).tolist() == [2]
    assert masked(count, "pr", "missing") == [3]
    assert masked(count, "pr", "a step") == [1]
    assert masked(count, "vpd", "not in the records") == [12]
    assert masked(count, "tas", "missing") == [0]


def test_quality_masks_and_counts_each_day_once(record):
    measured = np.zeros((12, 48), bool)
    measured[:, :10] = True
    measured[3, :] = False
    good = np.ones((12, 48), bool)
    good[4, 10:40] = False
    record["nee_measured"] = ("time", measured.ravel())
    record["nee_good"] = ("time", good.ravel())
    record["nee"][5 * 48 + 7] = np.nan
    count = MaskCount()
    out = daily_observations(record, QUALITY, count)
    assert np.flatnonzero(np.isnan(out["nee"])).tolist() == [3, 4, 5]
    assert masked(count, "nee", "missing") == [1]
    assert masked(count, "nee", "a step") == [1]
    assert masked(count, "nee", "too few measured") == [1, 1]
    for part in ("random", "systematic", "uncertainty"):
        assert np.isnan(out[f"nee_{part}"][[3, 4, 5]]).all()
        assert np.isfinite(out[f"nee_{part}"][[0, 1, 2]]).all()
    assert float(out["nee_measured_fraction"][0]) == pytest.approx(10 / 48)
    assert float(out["nee_measured_fraction"][3]) == 0


def test_thresholds_are_inclusive(record):
    quality = QUALITY | {"minimum_measured_fraction": 10 / 48}
    measured = np.zeros((12, 48), bool)
    measured[:, :10] = True
    record["nee_measured"] = ("time", measured.ravel())
    record["nee_good"] = ("time", np.ones(576, bool))
    assert daily_observations(record, quality, MaskCount())["nee"].notnull().all()


def test_uncertainties_of_a_day_by_hand(record):
    record["nee_measured"][:] = 1
    record["nee_random"][:] = 2.0
    out = daily_observations(record, QUALITY, MaskCount())
    np.testing.assert_allclose(out["nee_random"], 2 / np.sqrt(48))
    half = 0.4 * 12.011e-6 * 86400
    good = out["nee"].notnull()
    np.testing.assert_allclose(out["nee_systematic"][good], half)
    np.testing.assert_allclose(out["nee_uncertainty"][good], np.hypot(2 / np.sqrt(48), half))
    assert (out["le_systematic"] == 0).all()


def test_blocks_of_gaps_last_as_long_at_any_step(tmp_path):
    sds = []
    for minutes in (30, 60):
        frame = fluxnet(days=1, step_minutes=minutes)
        frame["NEE_VUT_REF_QC"] = 1
        frame["NEE_VUT_REF_RANDUNC"] = 2.0
        ds = reader.read(write(frame, tmp_path / f"{minutes}.csv"), SITE, {})
        quality = QUALITY | {"minimum_measured_fraction": 0.0}
        sds.append(float(daily_observations(ds, quality, MaskCount())["nee_random"][0]))
    # Twelve half-hours count as one, so that a day has four independent values.
    assert sds == pytest.approx([2 * 12.011e-6 * 86400 / np.sqrt(4)] * 2)


def test_evapotranspiration_follows_latent_heat(record):
    out = daily_observations(record, QUALITY, MaskCount())
    steps = record["le"] * 86400 / latent_heat_of_vaporisation(record["tas"])
    np.testing.assert_allclose(out["et"], steps.to_numpy().reshape(-1, 48).mean(axis=1))
    assert float(out["et"].mean()) == pytest.approx(float(out["le"].mean()) * 0.0352, rel=0.01)


def test_interpolated_states_keep_only_their_observations(record):
    days = record.sizes["time"] // 48
    lai = np.repeat(np.linspace(2, 4, days), 48)
    record["lai"] = ("time", lai, {"source": "l.csv: LAI", "keep_every_days": 8})
    record["lai_random"] = ("time", 0.15 * lai, {})
    record["fapar"] = ("time", lai / 5, {"source": "l.csv: F", "keep_day_of_month": 3})
    record["fapar_random"] = ("time", 0 * lai + 0.05, {})
    count = MaskCount()
    out = daily_observations(record, QUALITY, count)
    # The first of June is day 152 of the year, so that day 153, 19 times 8 after day 1, is kept.
    assert np.flatnonzero(out["lai"].notnull()).tolist() == [1, 9]
    assert np.flatnonzero(out["fapar"].notnull()).tolist() == [2]
    assert float(out["lai_random"][1]) == pytest.approx(0.15 * float(out["lai"][1]))
    assert masked(count, "lai", "interpolated") == [10]


def test_daily_record_goes_straight_through(tmp_path):
    frame = fluxnet_daily()
    frame.loc[4, "NEE_VUT_REF_QC"] = 0.5
    record = reader.read(write(frame, tmp_path / "dd.csv"), SITE, {})
    out = daily_observations(record, QUALITY, MaskCount())
    assert np.flatnonzero(np.isnan(out["nee"])).tolist() == [4]
    np.testing.assert_allclose(out["nee_random"].dropna("time"), 0.3)
    np.testing.assert_allclose(out["gpp_random"].dropna("time"), 0.3)
    np.testing.assert_allclose(out["nee_systematic"].dropna("time"), 0.2)
    assert out["nee_measured_fraction"].isnull().all()
    with pytest.raises(InputError, match="tasmin: a daily record has only means"):
        daily_drivers(record, NONE, MaskCount())
    extremes = record.assign(tasmin=record["tas"] - 4, tasmax=record["tas"] + 4)
    np.testing.assert_allclose(
        daily_drivers(extremes, NONE, MaskCount())["tasmax"], frame["TA_F"] + 4
    )


def test_days_without_random_error_are_masked_and_counted(tmp_path):
    frame = fluxnet_daily().drop(columns=["LE_RANDUNC"])
    record = reader.read(write(frame, tmp_path / "dd.csv"), SITE, {})
    count = MaskCount()
    out = daily_observations(record, QUALITY, count)
    assert out["le"].isnull().all()
    assert out["nee"].notnull().all()
    assert masked(count, "le", "no random error") == [12]
    assert masked(count, "et", "no random error") == [12]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_every_day_is_either_observed_or_counted_once(record, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    ds = record.copy(deep=True)
    n = ds.sizes["time"]
    ds["nee"] = ds["nee"].where(rng.random(n) > data.draw(st.floats(0, 0.05)))
    ds["nee_measured"] = ("time", rng.random(n) < data.draw(st.floats(0, 1)))
    ds["nee_good"] = ("time", rng.random(n) < data.draw(st.floats(0.7, 1)))
    count = MaskCount()
    out = daily_observations(ds, QUALITY, count)
    table = count.table()
    nee = table[(table["variable"] == "nee") & (table["level"] == "daily")]
    assert nee["masked"].sum() + int(out["nee"].count()) == 12
    assert (nee["total"] == 12).all()


def test_real_record_of_vielsalm():
    record = reader.read(DATA / "FLX_BE-Vie_cut.csv", SITE, {})
    count = MaskCount()
    out = daily_observations(record, QUALITY, count)
    assert 10 < int(out["nee"].count()) < 60
    assert float(out["gpp"].mean()) == pytest.approx(10, abs=4)
    assert isinstance(daily_drivers(record, NONE, count), xr.Dataset)
