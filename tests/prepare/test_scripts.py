"""The two rules' functions on cuts of the real records of both towers."""

import shutil
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from concerto.cubes import DRIVERS_DAILY, HALFHOURLY, LAND, OBSERVATIONS_DAILY, read_cube
from concerto.errors import InputError
from concerto.prepare.site import SiteFiles
from shapely.geometry import box
from synthetic_records import QUALITY, SITE, fluxnet, write

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from aggregate_daily import aggregate_daily  # noqa: E402
from read_tower import read_tower  # noqa: E402

CUTS = {
    "FLX_BE-Vie_2014.csv": "FLX_BE-Vie_cut.csv",
    "merged_BE-Vie_data.csv": "merged_BE-Vie_cut.csv",
    "CH-Dav_2013-2022.parquet": "CH-Dav_cut.parquet",
    "rcmip_concentrations.csv": "rcmip_cut.csv",
}


def site(name):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return config["sites"][name]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    for name, cut in CUTS.items():
        shutil.copy(ROOT / "tests/data" / cut, folder / name)
    geopandas.GeoDataFrame(
        {
            "name": ["Belgium", "Switzerland"],
            "geometry": [box(3, 49, 6.5, 51), box(6, 45, 10.5, 48)],
        },
        crs="EPSG:4326",
    ).to_file(folder / "borders.gpkg")
    return folder


def prepare(name, raw, folder):
    described = site(name)
    records = described["records"]
    read_tower(
        name,
        described,
        [raw] * len(records),
        [ROOT / "config/sources" / f"{record['source']}.yaml" for record in records],
        folder / "halfhourly.nc",
    )
    aggregate_daily(
        name,
        described,
        files_in(folder),
        quality=QUALITY,
        record=folder / "halfhourly.nc",
        borders=raw / "borders.gpkg",
        fields={},
        masking=[],
        sources={},
    )
    return folder


def files_in(folder):
    cubes = {key: folder / f"{key}.nc" for key in ("drivers", "observations", "land")}
    return SiteFiles(**cubes, masking=folder / "masking.csv")


@pytest.fixture(scope="module", params=["BE-Vie", "CH-Dav"])
def prepared(request, raw, tmp_path_factory):
    return request.param, prepare(request.param, raw, tmp_path_factory.mktemp(request.param))


def test_cubes_fit_their_schemas(prepared):
    name, folder = prepared
    record = read_cube(folder / "halfhourly.nc", HALFHOURLY)
    drivers = read_cube(folder / "drivers.nc", DRIVERS_DAILY)
    observed = read_cube(folder / "observations.nc", OBSERVATIONS_DAILY)
    land = read_cube(folder / "land.nc", LAND)
    assert drivers["location"].item() == name
    assert drivers.indexes["time"].equals(observed.indexes["time"])
    assert record.sizes["time"] == 48 * drivers.sizes["time"]
    assert land["country"].item() == {"BE-Vie": "Belgium", "CH-Dav": "Switzerland"}[name]
    assert drivers.attrs["utc_offset_hours"] == 1
    for stream in site(name)["streams"]:
        assert int(observed[stream].count()) > 0


def test_days_sum_to_the_half_hours(prepared):
    _, folder = prepared
    record = read_cube(folder / "halfhourly.nc", HALFHOURLY)
    drivers = read_cube(folder / "drivers.nc", DRIVERS_DAILY)
    np.testing.assert_allclose(drivers["rsds"].mean(), record["rsds"].mean(), rtol=1e-5)
    complete = np.isfinite(drivers["pr"].to_numpy()[0])
    hours = record["pr"].to_numpy().reshape(-1, 48)[complete]
    np.testing.assert_allclose(drivers["pr"].to_numpy()[0, complete], hours.mean(axis=1), rtol=1e-5)


def test_masking_accounts_for_every_day(prepared):
    _, folder = prepared
    table = pd.read_csv(folder / "masking.csv")
    observed = read_cube(folder / "observations.nc", OBSERVATIONS_DAILY)
    daily = table[table["level"] == "daily"].groupby("variable")["masked"].sum()
    for name in ("nee", "gpp", "reco", "le", "et"):
        assert daily[name] + int(observed[name].count()) == observed.sizes["time"]


def test_a_record_of_fluxes_alone_takes_its_weather_from_an_archive(tmp_path, raw):
    """Its file has no column of weather but CO2; the archive has days of 10 to 21 degrees."""
    frame = fluxnet(days=12).drop(
        columns=["TA_F", "TA_F_QC", "SW_IN_F", "SW_IN_F_QC", "VPD_F", "P_F"]
    )
    write(frame, tmp_path / "FLX.csv")
    start = pd.date_range("2014-06-01", periods=12).to_numpy().astype("datetime64[s]")
    cells = xr.Dataset({"start": ("interval", start), "end": ("interval", start + 86400)})
    warm = np.arange(10.0, 22.0)[:, None]
    for name, values in {
        "tas": warm, "tasmin": warm - 5, "tasmax": warm + 5, "rsds": 20 * warm, "pr": 0 * warm + 3,
    }.items():  # fmt: skip
        cells[name] = (("interval", "location"), values)
    cells.to_netcdf(tmp_path / "all.nc")
    variables = list(cells.data_vars)[2:]
    (tmp_path / "era.yaml").write_text(
        yaml.safe_dump({"variables": {name: {} for name in variables}})
    )
    described = SITE | {
        "records": [{"source": "s", "file": "FLX.csv", "reader": "fluxnet"}],
        "fields": {"era": variables}, "least_covered": 0.2,
        "weather": {"cell_height_m": {"era": 700}, "lapse": 5.0},
    }  # fmt: skip
    cube = tmp_path / "halfhourly.nc"
    read_tower("XX-Tow", described, [tmp_path], [tmp_path / "era.yaml"], cube)
    aggregate_daily(
        "XX-Tow", described | {"latitude": 47.0}, files_in(tmp_path), quality=QUALITY, record=cube,
        borders=raw / "borders.gpkg", fields={"era": [tmp_path / "all.nc"]}, masking=[],
        sources={"era": tmp_path / "era.yaml"},
    )  # fmt: skip
    drivers = read_cube(tmp_path / "drivers.nc", DRIVERS_DAILY).isel(location=0)
    np.testing.assert_allclose(drivers["tas"], warm[:, 0] + 1.0)
    np.testing.assert_allclose(drivers["rsds"], 20 * warm[:, 0])
    np.testing.assert_allclose(drivers["pr"], 3.0)
    assert np.isnan(drivers["vpd"]).all()
    assert drivers["tas"].attrs["source"] == "era"
    table = pd.read_csv(tmp_path / "masking.csv").query("reason == 'filled from era'")
    assert dict(zip(table["variable"], table["masked"], strict=True)) == dict.fromkeys(
        variables, 12
    )


def test_nothing_is_written_of_a_broken_record(tmp_path):
    frame = fluxnet(days=12)
    frame.loc[77, "TA_F"] = np.nan
    write(frame, tmp_path / "FLX.csv")
    (tmp_path / "source.yaml").write_text("title: made up\n")
    described = SITE | {"records": [{"source": "s", "file": "FLX.csv", "reader": "fluxnet"}]}
    cube = tmp_path / "halfhourly.nc"
    read_tower("XX-Tow", described, [tmp_path], [tmp_path / "source.yaml"], cube)
    with pytest.raises(InputError, match=r"FLX\.csv: TA_F: found no value at 2014-06-02 14:30:00"):
        aggregate_daily(
            "XX-Tow", described, files_in(tmp_path / "out"), quality=QUALITY, record=cube,
            borders=tmp_path / "b", fields={}, masking=[], sources={},
        )  # fmt: skip
    assert not list(tmp_path.glob("out*"))
