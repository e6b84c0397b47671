"""CARDAMOM binary files: what is written is read back, what is not as it says is refused."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.config import ROOT, read_source
from concerto.cubes import DRIVERS_MONTHLY, OBSERVATIONS_MONTHLY, read_cube
from concerto.errors import InputError
from concerto.prepare.site import SiteFiles
from concerto.readers._cardamom import BEFORE_STEPS, DRIVERS, STREAMS, read_cbf, write_cbf_nc
from concerto.readers.cbf import read
from hypothesis import given, settings
from hypothesis import strategies as st
from read_monthly import read_monthly

SPEC = read_source("fluxval")["tables"]["*.cbf"]
SITE = {"latitude": 50.9, "step": "month"}
FLUXVAL = ROOT.parent / "shared/data/fluxval"
COUNT = 11
READ = list(STREAMS)[:5]


def content(months: int = 30, seed: int = 1) -> np.ndarray:
    """Return the values of a file of a made-up place at 50.75 degrees north, a third missing."""
    rng = np.random.default_rng(seed)
    head = np.full(BEFORE_STEPS, -9999.0)
    head[:6] = 1005, 50.75, months, len(DRIVERS), COUNT, 1
    middle = 365.25 / 12.0 * (np.arange(months) + 0.5)
    low = rng.normal(5.0, 5.0, months)
    drivers = [
        middle, low, low + 8.0, rng.uniform(1, 25, months), 370 + 0.1 * np.arange(months),
        middle % 365.25, rng.uniform(0, 0.1, months), rng.uniform(0, 30, months),
        rng.uniform(0, 9, months),
    ]  # fmt: skip
    observed = rng.uniform(0.1, 9.0, (months, COUNT))
    observed[:, 2] -= 5.0
    observed[rng.random((months, COUNT)) < 1 / 3] = -9999.0
    observed[:, len(READ) :] = -9999.0
    return np.concatenate([head, np.column_stack([*drivers, observed]).ravel()])


def write(values: np.ndarray, folder: Path) -> Path:
    path = folder / "XX-Tow.cbf"
    path.write_bytes(values.astype("<f8").tobytes())
    return path


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_back(tmp_path_factory, months, seed):
    values = content(months, seed)
    ds = read(write(values, tmp_path_factory.mktemp("cbf")), SITE, SPEC)
    table = values[BEFORE_STEPS:].reshape(months, -1)
    table = np.where(table == -9999.0, np.nan, table)
    seen = dict(zip((*DRIVERS, *READ), table.T, strict=False))
    times = ds.indexes["time"]
    assert times.equals(pd.date_range("2001-01-01", periods=months, freq="MS", unit="s"))
    days = times.days_in_month
    for name, expected in {
        "tasmin": seen["T2M_MIN"],
        "tasmax": seen["T2M_MAX"],
        "tas": (seen["T2M_MIN"] + seen["T2M_MAX"]) / 2,
        "rsds": seen["SSRD"] / 0.0864,
        "vpd": seen["VPD"],
        "pr": seen["TOTAL_PREC"],
        "co2": seen["CO2"],
        "burned_area_fraction": seen["BURNED_AREA"] / days,
        "nee": seen["NBE"],
        "gpp": seen["GPP"],
        "et": seen["ET"],
        "lai": seen["LAI"],
        "total_biomass": seen["ABGB"] / 1000.0,
    }.items():
        np.testing.assert_allclose(ds[name], expected, rtol=1e-12, err_msg=name)
    np.testing.assert_array_equal(ds["nee_random"], np.where(np.isnan(seen["NBE"]), np.nan, 0.5))
    np.testing.assert_allclose(ds["et_random"], np.maximum(0.2 * seen["ET"], 0.2))


def test_netcdf_says_the_same(tmp_path):
    path = write(content(), tmp_path)
    write_cbf_nc(read_cbf(path), tmp_path / "XX-Tow.cbf.nc")
    expected, found = read(path, SITE, SPEC), read(tmp_path / "XX-Tow.cbf.nc", SITE, SPEC)
    xr.testing.assert_equal(found, expected)


def test_errors_of_the_file_stand_where_none_are_stated(tmp_path):
    values = content()
    values[[15, 16, 20]] = 1.0, 3.0, 2.0  # of NBE absolute, of ET and GPP factors
    values[251] = 1.05  # of biomass
    path = write(values, tmp_path)
    cbf = replace(read_cbf(path), attributes={"LAI": {"single_unc": 0.3, "opt_unc_type": 2.0}})
    write_cbf_nc(cbf, tmp_path / "XX-Tow.cbf.nc")
    ds = read(tmp_path / "XX-Tow.cbf.nc", SITE, {"start": "2001-01-01", "errors": {}})
    shares = {"et": np.log(3.0), "gpp": np.log(2.0), "total_biomass": np.log(1.05), "lai": 0.3}
    for name, share in shares.items():
        np.testing.assert_allclose(ds[f"{name}_random"], share * ds[name], err_msg=name)
    np.testing.assert_array_equal(ds["nee_random"], np.where(np.isnan(ds["nee"]), np.nan, 1.0))


def test_time_of_netcdf_needs_no_declaration(tmp_path):
    cbf = read_cbf(write(content(), tmp_path))
    later = {**cbf.drivers, "time": cbf.drivers["time"] + 730.5}
    path = tmp_path / "XX-Tow.cbf.nc"
    write_cbf_nc(replace(cbf, epoch=pd.Timestamp("2001-01-01"), drivers=later), path)
    ds = read(path, SITE, {"errors": SPEC["errors"]})
    assert str(ds.indexes["time"][0].date()) == "2003-01-01"


def test_first_month_is_said_somewhere(tmp_path):
    with pytest.raises(InputError, match="start: found nothing; expected a declaration"):
        read(write(content(), tmp_path), SITE, {"errors": SPEC["errors"]})


@settings(deadline=None)
@given(st.integers(0, 8 * 900 - 1))
def test_truncated_file_is_refused(tmp_path_factory, length):
    path = write(content(), tmp_path_factory.mktemp("cbf"))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"XX-Tow\.cbf: size in bytes: found \d+; expected"):
        read(path, SITE, SPEC)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 0.5, "model: found 0.5; expected a whole number above 0"),
        (1, 46.0, "latitude: found 46 degrees north; expected the site's 50.9, but for 0.5"),
        (2, -9999.0, "number of steps: found -9999; expected a whole number above 0"),
        (2, 31.0, "size in bytes: found 7200; expected 7360"),
        (3, 8.0, "number of drivers: found 8; expected 9"),
        (4, 2.0, "number of streams: found 2; expected 3 to 13"),
        (300 + 2 * 20, 60.0, "days: found day 60 since 2001-01-01 at step 3; expected day 76.1"),
    ],
)
def test_fault_is_named(tmp_path, place, value, message):
    values = content()
    values[place] = value
    with pytest.raises(InputError, match=f"XX-Tow.cbf: {message}"):
        read(write(values, tmp_path), SITE, SPEC)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.cbf: file: found nothing"):
        read(tmp_path / "none.cbf", SITE, SPEC)


def test_error_that_is_not_stated_is_named(tmp_path):
    spec = copy.deepcopy(SPEC)
    del spec["errors"]["lai"]
    with pytest.raises(InputError, match="lai: found no error; expected one under `errors`"):
        read(write(content(), tmp_path), SITE, spec)


def test_other_streams_are_told(tmp_path, caplog):
    values = content()
    values[BEFORE_STEPS + len(DRIVERS) + 6] = 1.0
    read(write(values, tmp_path), SITE, SPEC)
    assert "XX-Tow.cbf: 1 values of BAND1 are not read" in caplog.text


def prepare(folder: Path, path: Path, latitude: float, **changes) -> SiteFiles:
    site = {
        "name": "Nowhere", "latitude": latitude, "longitude": 13.57, "elevation_m": 300,
        "igbp": "ENF", "utc_offset_hours": 1, "step": "month",
        "records": [{"source": "fluxval", "file": path.name, "reader": "cbf"}],
        "disturbance": {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.001},
        "streams": ["nee", "gpp", "et", "lai", "total_biomass"],
    }  # fmt: skip
    cubes = {key: folder / f"{key}.nc" for key in ("drivers", "observations", "land")}
    files = SiteFiles(**cubes, masking=folder / "masking.csv")
    source, borders = ROOT / "config/sources/fluxval.yaml", changes.pop("borders")
    read_monthly(
        "XX-Tow", site | changes, files, folder=path.parent, source=source, borders=borders
    )
    return files


@pytest.fixture
def borders(tmp_path):
    import geopandas
    from shapely.geometry import box

    file = tmp_path / "borders.gpkg"
    square = {"name": ["Germany"], "geometry": [box(6, 47, 15, 55)]}
    geopandas.GeoDataFrame(square, crs="EPSG:4326").to_file(file)
    return file


def test_cubes_of_a_record(tmp_path, borders):
    files = prepare(tmp_path, write(content(), tmp_path), 50.9, borders=borders)
    drivers = read_cube(files.drivers, DRIVERS_MONTHLY)
    observed = read_cube(files.observations, OBSERVATIONS_MONTHLY)
    assert (drivers["harvested_area_fraction"] == np.float32(0.001)).all()
    assert drivers["burned_area_fraction"].max() > 0.0
    table = pd.read_csv(files.masking).groupby("variable")["masked"].sum()
    for name in ("nee", "gpp", "et", "lai", "total_biomass"):
        assert table[name] + int(observed[name].count()) == 30
    assert (observed["nee_uncertainty"] == observed["nee_random"]).sum() == observed["nee"].count()
    assert observed["nee_measured_fraction"].count() == 0


def test_record_of_months_is_for_a_site_of_months(tmp_path, borders):
    path = write(content(), tmp_path)
    with pytest.raises(InputError, match="time: found steps of months; expected days or less, by"):
        prepare(tmp_path, path, 50.9, borders=borders, step="day")


def test_gap_in_a_driver_is_named(tmp_path, borders):
    values = content()
    values[BEFORE_STEPS + 4 * 20 + 4] = -9999.0
    with pytest.raises(InputError, match="CO2: co2: found no value in 2001-05; expected a value"):
        prepare(tmp_path, write(values, tmp_path), 50.9, borders=borders)


@pytest.mark.skipif(not FLUXVAL.exists(), reason="needs ../shared/data/fluxval")
def test_tharandt_of_the_collection(tmp_path, borders):
    path = tmp_path / "DE-Tha.cbf"
    member = read_source("fluxval")["members"]["DE-Tha.cbf"]
    path.write_bytes((FLUXVAL / member).read_bytes())
    files = prepare(tmp_path, path, 50.9624, borders=borders)
    observed = read_cube(files.observations, OBSERVATIONS_MONTHLY)
    counts = {name: int(observed[name].count()) for name in ("nee", "lai", "total_biomass")}
    assert counts == {"nee": 83, "lai": 67, "total_biomass": 1}
    assert observed["total_biomass"].max() == pytest.approx(8.889643)
