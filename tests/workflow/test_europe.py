"""The European run itself, in small: a few cells and months, from servers of this machine.

The locators of its sources lead to files like those of each product, small and of known values;
box and period are made smaller by a configuration on top of its own. Nothing else differs.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fault_server
import numpy as np
import pandas as pd
import portal_servers
import pytest
import stac_archive
import xarray as xr
import yaml
from concerto.config import load_yaml
from concerto.prepare.grids import zone_area
from fault_server import FaultServer
from package_index import Index
from portal_servers import Store
from project import CUTS, ROOT, Project, borders, copy_workflow
from rasterio import Affine
from stac_archive import SINUSOIDAL, Archive, Raster, modis_tile

pytestmark = pytest.mark.xdist_group("europe")

CONFIGURATION = "config/runs/europe.yaml"
TILE = "results/europe/posterior/europe/r0c0.nc"
WANTED = ["results/europe/cubes/europe/drivers.nc", "results/europe/figures/europe/gaps.png", TILE]
BOX = {"west": 9.0, "south": 47.0, "east": 9.5, "north": 47.5}
WEST, EAST = np.array([9.0, 9.25, 9.0, 9.25]), np.array([9.25, 9.5, 9.25, 9.5])
SOUTH, NORTH = np.array([47.0, 47.0, 47.25, 47.25]), np.array([47.25, 47.25, 47.5, 47.5])
LON = (WEST + EAST) / 2
PERIOD = ["2020-06-01", "2020-08-31"]
MONTHS = pd.date_range("2020-01-01", "2020-12-01", freq="MS")
SUMMER = MONTHS[5:8]
PIXELS_OF_TILE = slice(590, 730), slice(1440, 1580)  # of h18v04: around the box
STAC = {
    "modis_lai": "modis-15A2H-061", "modis_burned_area": "modis-64A1-061",
    "esa_cci_land_cover": "esa-cci-lc", "copernicus_dem_90": "cop-dem-glo-90",
}  # fmt: skip
KEY, TOKEN = "k3y-of-jane", "t0ken-of-an-hour"
Contents = list[tuple[str, dict[str, Raster], dict[str, str]]]


def during(first: pd.Timestamp, end: pd.Timestamp) -> dict[str, str]:
    """Return an item's times: those of an interval that ends before ``end``."""
    last = end - pd.Timedelta(seconds=1)
    return {"start_datetime": f"{first:%FT%TZ}", "end_datetime": f"{last:%FT%TZ}"}


def leaf_area() -> Contents:
    """Return composites of 8 days as MOD15A2H has them, everywhere 2.5 and 0.6."""
    transform, shape = modis_tile(18, 4, *PIXELS_OF_TILE)
    numbers = {
        "Lai_500m": (25, 0.1), "LaiStdDev_500m": (4, 0.1), "FparLai_QC": (0, 1.0),
        "Fpar_500m": (60, 0.01), "FparStdDev_500m": (7, 0.01),
    }  # fmt: skip
    rasters = {
        band: Raster(np.full(shape, raw, "uint8"), transform, SINUSOIDAL, 255, scale)
        for band, (raw, scale) in numbers.items()
    }
    contents = []
    for first in pd.date_range("2020-05-24", "2020-09-05", freq="8D"):
        id_ = f"MOD15A2H.A{first:%Y%j}.h18v04.061.2020353220811"
        contents.append((id_, rasters, during(first, first + pd.Timedelta(days=8))))
    return contents


def burns() -> Contents:
    """Return months as MCD64A1 has them: all that is seen burns in July."""
    transform, shape = modis_tile(18, 4, *PIXELS_OF_TILE)
    contents = []
    for first in pd.date_range("2020-05-01", "2020-09-01", freq="MS"):
        day = 200 if first.month == 7 else 0
        rasters = {
            "Burn_Date": Raster(np.full(shape, day, "int16"), transform, SINUSOIDAL, -1),
            "QA": Raster(np.full(shape, 0b11, "uint8"), transform, SINUSOIDAL),
        }
        id_ = f"MCD64A1.A{first:%Y%j}.h18v04.061.2021309104550"
        contents.append((id_, rasters, during(first, first + pd.DateOffset(months=1))))
    return contents


def classes() -> Contents:
    """Return two years of classes of 300 m: in each cell of 2020 a third, a half and a sixth."""
    strip = np.repeat(np.array([10, 60, 99], "uint8"), [30, 45, 15])
    by_year = {2019: np.full(450, 210, "uint8"), 2020: np.tile(strip, 5)}
    contents = []
    for year, row in by_year.items():
        corner = Affine(1 / 360, 0, 8.75, 0, -1 / 360, 48.0)
        raster = Raster(np.tile(row, (540, 1)), corner, "EPSG:4326", 0)
        times = during(pd.Timestamp(year, 1, 1), pd.Timestamp(year + 1, 1, 1))
        id_ = f"C3S-LC-L4-LCCS-Map-300m-P1Y-{year}-v2.1.1-N45E000"
        contents.append((id_, {"lccs_class": raster}, times))
    return contents


def height(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the height of a plane, m."""
    return 500.0 + 100.0 * (lon - 9.0) + 40.0 * (lat - 47.0)


def heights() -> Contents:
    """Return tiles of one degree whose pixels have their centres on whole arc seconds."""
    contents = []
    for south in (46, 47):
        lon, lat = 9 + np.arange(1200) / 1200, south + 1 - np.arange(1200) / 1200
        corner = Affine(1 / 1200, 0, 9 - 1 / 2400, 0, -1 / 1200, south + 1 + 1 / 2400)
        plane = height(lon[None, :], lat[:, None]).astype("f4")
        id_ = f"Copernicus_DSM_COG_30_N{south}_00_E009_00_DEM"
        made = {"datetime": "2021-04-22T00:00:00Z"}
        contents.append((id_, {"data": Raster(plane, corner, "EPSG:4326")}, made))
    return contents


def file_of(
    name: str,
    values: np.ndarray,
    times: pd.DatetimeIndex,
    lon: np.ndarray,
    lat: np.ndarray,
    encoding: dict[str, Any] | None = None,
    **others: tuple[float, str],
) -> bytes:
    """Return a NetCDF file with values (time, lon), the same at all latitudes."""
    data = xr.Dataset(
        coords={
            "time": times.to_numpy().astype("datetime64[ns]"),
            "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude"}),
        }
    )
    field = values[:, None, :] * np.ones((1, lat.size, 1))
    data[name] = ("time", "lat", "lon"), field.astype("f4")
    for other, (value, dtype) in others.items():
        data[other] = ("time", "lat", "lon"), np.full(field.shape, value, dtype)
    data["time"].encoding = {"units": "days since 1900-01-01", "dtype": "i4"}
    return bytes(data.to_netcdf(encoding={name: encoding} if encoding else None))


def weather() -> dict[str, bytes]:
    """Return a year as the authors of TerraClimate publish it, packed, a file a variable."""
    lon, lat = 8 + (np.arange(60) + 0.5) / 24, 49 - (np.arange(60) + 0.5) / 24
    month = np.arange(12.0)[:, None]
    days = MONTHS.days_in_month.to_numpy()[:, None]
    flat = np.zeros((1, lon.size))
    fields = {
        "tmin": (2.0 + 0.5 * month + flat, 0.01, -99.0),
        "tmax": (10.0 + 0.5 * month + 2.4 * (lon - 9.0), 0.01, -99.0),
        "srad": (100.0 + month + 2.4 * (lon - 9.0), 0.01, 0.0),
        "vpd": (0.5 + 0.01 * month + flat, 0.01, 0.0),
        "ppt": (2.0 * days + flat, 0.1, 0.0),
    }
    files = {}
    for name, (values, scale, offset) in fields.items():
        packed = {"dtype": "i4", "scale_factor": scale, "add_offset": offset, "_FillValue": -32768}
        files[f"TerraClimate_{name}_2020.nc"] = file_of(name, values, MONTHS, lon, lat, packed)
    return files


def write_store(folder: Path) -> None:
    """Write the store of TerraClimate, which ends before the run begins."""
    data = xr.Dataset(
        {name: (("time", "lat", "lon"), np.zeros((12, 60, 60), "f4"))
         for name in ("tmin", "tmax", "srad", "vpd", "ppt")},
        coords={
            "time": pd.date_range("2019-01-01", periods=12, freq="MS").to_numpy(),
            "lat": 49 - (np.arange(60) + 0.5) / 24, "lon": 8 + (np.arange(60) + 0.5) / 24,
        },
    )  # fmt: skip
    data.to_zarr(folder / "raster.zarr", zarr_format=2, consolidated=True)


def glow() -> bytes:
    """Return a year of 8 days of fluorescence of 0.05 degrees, linear from west to east."""
    lon, lat = 8 + (np.arange(60) + 0.5) / 20, 46 + (np.arange(60) + 0.5) / 20
    times = pd.date_range("2020-01-01", periods=46, freq="8D")
    return file_of("sif_dc", np.tile(0.4 + 0.2 * (lon - 9.0), (46, 1)), times, lon, lat)


PIXEL = 4 / 45  # degrees, of the biomass maps
PIXELS = np.arange(2110, 2140)  # around the box, from 180 degrees west


def wood() -> bytes:
    """Return all years of biomass, Mg ha-1, on 10 km."""
    years = pd.DatetimeIndex([f"{year}-01-01" for year in (2007, 2010, *range(2015, 2023))])
    lat = 90 - (np.arange(470, 490) + 0.5) * PIXEL
    values = np.tile(100.0 + (PIXELS - 2110), (years.size, 1))
    return file_of("agb", values, years, -180 + (PIXELS + 0.5) * PIXEL, lat)


def moisture(month: pd.Timestamp) -> bytes:
    """Return the days of a month, a file each in a zip archive, as the data store sends them."""
    lon, lat = 8.125 + 0.25 * np.arange(10), 48.875 - 0.25 * np.arange(10)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for date in pd.date_range(month, periods=month.days_in_month):
            name = f"C3S-SOILMOISTURE-L3S-SSMV-COMBINED-DAILY-{date:%Y%m%d}000000-TCDR-v202505.nc"
            wet = np.full((1, lon.size), 0.2 + 0.01 * date.month)
            others = {"sm_uncertainty": (0.05, "f4"), "flag": (0, "i1")}
            day_file = file_of("sm", wet, pd.DatetimeIndex([date]), lon, lat, **others)
            archive.writestr(zipfile.ZipInfo(name), day_file)
    return packed.getvalue()


@dataclass(frozen=True)
class Servers:
    """One archive of each collection, a web server, and a data store."""

    stac: dict[str, Archive]
    http: FaultServer
    store: Store


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    contents = {
        "modis_lai": leaf_area(), "modis_burned_area": burns(),
        "esa_cci_land_cover": classes(), "copernicus_dem_90": heights(),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("store")
    write_store(folder)
    with ExitStack() as stack:
        archives = {}
        for source, collection in STAC.items():
            api = stac_archive.serve(tmp_path_factory.mktemp(source), collection, contents[source])
            archives[source] = stack.enter_context(api)
            archives[source].cogs.signature = TOKEN
        served = stack.enter_context(fault_server.serve(folder))
        for name, content in weather().items():
            served.add(f"/terraclimate/{name}", content)
        served.add("/TROPOMI_2020.nc", glow(), "503")
        md5 = hashlib.md5(served.files["/TROPOMI_2020.nc"]).hexdigest()
        size = len(served.files["/TROPOMI_2020.nc"])
        entry = {"key": "TROPOMI_2020.nc", "checksum": f"md5:{md5}", "size": size}
        served.add("/record", json.dumps({"files": [entry]}).encode())
        served.add("/agb.nc", wood(), "cut 300")
        store = stack.enter_context(portal_servers.store())
        store.dataset = "satellite-soil-moisture"
        months = {f"{month:%m}": moisture(month) for month in SUMMER}
        store.results = lambda inputs: months[inputs["month"][0]]
        yield Servers(archives, served, store)


@pytest.fixture(scope="module")
def project(tmp_path_factory, index: Index, servers: Servers) -> Project:
    project = copy_workflow(tmp_path_factory.mktemp("run") / "europe", index)
    project.publish("natural_earth_110m", borders())
    record = "rcmip_concentrations.csv"
    project.publish("co2_ssp245", {record: CUTS[record].read_bytes()})
    classes_of_land = ("igbp.nc", "koppen.nc")
    project.publish("land_classes", {name: CUTS[name].read_bytes() for name in classes_of_land})
    web = servers.http.address
    locators = {
        "terraclimate": {"store": f"{web}/raster.zarr"},
        "tropomi_sif": {"template": f"{web}/TROPOMI_{{year}}.nc", "checksums": f"{web}/record"},
        "cci_biomass": {"template": f"{web}/agb.nc"},
        "c3s_soil_moisture": {"url": servers.store.url},
    }
    for source, archive in servers.stac.items():
        signed = {"signer": archive.signer, "signed_hosts": "127.0.0.1"}
        locators[source] = {"api": archive.api} | signed
    assert locators.keys() == load_yaml(ROOT / CONFIGURATION)["areas"]["europe"]["fields"].keys()
    for name, to in locators.items():
        edit = f"config/sources/{name}.yaml"
        project.change(edit, lambda source, to=to: source["locator"].update(to))
    template = f"{web}/terraclimate/TerraClimate_{{band}}_{{year}}.nc"
    project.change(
        "config/sources/terraclimate.yaml",
        lambda source: source["mirrors"][0]["locator"].update(template=template),
    )
    # Three months are too few for a constraint on the growth within years.
    constraints = load_yaml(ROOT / CONFIGURATION)["constraints"]
    budget = {"members": 200, "steps": 1, "most_iterations": 1, "rounds": 1}
    of_errors = {"steps": 1, "most_steps": 1}
    small = {
        "areas": {"europe": {"box": BOX, "period": PERIOD}},
        "maps": {"europe": {"tile_size": 2, "errors_from_cells": 1, "budget": budget}},
        "assimilation": {"budgets": {"esmda": of_errors}},
        "constraints": [name for name in constraints if name != "pool_growth"],
    }
    (project.root / "small.yaml").write_text(yaml.safe_dump(small))
    return project


@pytest.fixture(scope="module")
def results(project: Project) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDSAPI_KEY", KEY)
        patch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.01")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        outcome = project.snakemake("--configfile", CONFIGURATION, "small.yaml", "--", *WANTED)
    assert outcome.code == 0, outcome.shown
    return project.root / "results/europe"


@pytest.fixture(scope="module")
def cubes(results: Path) -> dict[str, xr.Dataset]:
    names = ("drivers", "observations", "land")
    found = {name: xr.load_dataset(results / f"cubes/europe/{name}.nc") for name in names}
    for cube in found.values():
        np.testing.assert_array_equal(cube["lon"], LON)
        np.testing.assert_array_equal(cube["lat"], (SOUTH + NORTH) / 2)
    return found


def test_drivers_are_those_of_the_fields(cubes):
    drivers = cubes["drivers"]
    assert pd.DatetimeIndex(drivers["time"]).equals(SUMMER)
    month = np.array([5.0, 6.0, 7.0])
    flat = np.zeros((4, 1))
    highest = 10.0 + 0.5 * month + 2.4 * (LON[:, None] - 9.0)
    lowest = 2.0 + 0.5 * month + flat
    expected = {
        "tasmin": lowest,
        "tasmax": highest,
        "tas": (lowest + highest) / 2,
        "rsds": 100.0 + month + 2.4 * (LON[:, None] - 9.0),
        "vpd": 5.0 + 0.1 * month + flat,
        "pr": 2.0 + 0 * month + flat,
        "burned_area_fraction": np.array([0.0, 1 / 31, 0.0]) + flat,
        "harvested_area_fraction": 0 * month + flat,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(drivers[name], values, rtol=1e-6, atol=1e-9, err_msg=name)
    assert 412 < drivers["co2"].mean() < 416


def test_observations_are_those_of_the_fields(cubes):
    observed = cubes["observations"]
    flat, along = np.zeros((4, 1)), np.array([0.01 * month for month in (6, 7, 8)])
    low = np.maximum(-180 + PIXELS * PIXEL, WEST[:, None])
    high = np.minimum(-180 + (PIXELS + 1) * PIXEL, EAST[:, None])
    share = np.maximum(high - low, 0.0) / 0.25
    carbon = share @ (100.0 + (PIXELS - 2110)) * 0.47 * 0.1  # kg m-2
    expected = {
        "lai": 2.5 + 0 * along + flat,
        "fapar": 0.6 + 0 * along + flat,
        "sif": 0.4 + 0.2 * (LON[:, None] - 9.0) + 0 * along,
        "surface_soil_moisture": 0.2 + along + flat,
        "biomass": np.stack([np.full(4, np.nan), carbon, np.full(4, np.nan)], axis=1),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(observed[name], values, rtol=1e-6, err_msg=name)
        uncertainty = observed[f"{name}_uncertainty"].to_numpy()
        assert (uncertainty[np.isfinite(values)] > 0.0).all()


def test_land_is_that_of_the_fields(cubes):
    land = cubes["land"]
    np.testing.assert_allclose(
        land["cell_area"], zone_area(SOUTH, NORTH) * np.radians(0.25), rtol=1e-7
    )
    np.testing.assert_allclose(land["land_fraction"], 1.0, rtol=1e-7)
    assert (land["country"] == "Switzerland").all()
    shares = land["land_cover"].transpose("class", "location")
    np.testing.assert_allclose(shares.sum("class"), 1.0, rtol=1e-6)
    expected = {"crop": 1 / 3, "tree_broadleaved_deciduous": 1 / 2, "rest": 1 / 6}
    for name in land["class"].to_numpy():
        np.testing.assert_allclose(
            shares.sel({"class": name}), expected.get(name, 0.0), rtol=1e-7, err_msg=name
        )


def test_elevation_is_the_mean_of_the_plane(cubes):
    """Of the steps that its pixels are: the half ones at both edges make up for each other."""
    middle = np.arange(47.0, 47.5 + 1e-9, 1 / 1200)
    low = np.maximum(middle - 1 / 2400, SOUTH[:, None])
    high = np.minimum(middle + 1 / 2400, NORTH[:, None])
    weight = np.where(high > low, zone_area(low, np.maximum(high, low)), 0.0)
    lat = (weight * middle).sum(axis=1) / weight.sum(axis=1)
    np.testing.assert_allclose(cubes["land"]["elevation"], height(LON, lat), rtol=1e-7)


def test_gaps_and_their_figure(results):
    gaps = pd.read_csv(results / "cubes/europe/gaps.csv")
    assert set(gaps[gaps["stream"] == "biomass"]["valid"]) == {1}
    assert set(gaps[gaps["stream"] == "lai"]["valid"]) == {3}
    assert (results / "figures/europe/gaps.png").stat().st_size > 10_000


def test_a_tile_of_the_map_has_learnt_from_all_streams(project, results):
    tile = xr.load_dataset(project.root / TILE)
    assert (tile.sizes["location"], tile.sizes["member"]) == (4, 200)
    assert set(tile["status"].to_numpy()) <= {0, 1}
    assert np.isfinite(tile["parameters"]).all()
    streams = load_yaml(ROOT / CONFIGURATION)["maps"]["europe"]["streams"]
    stated = json.loads((results / "posterior/europe/errors.json").read_text())
    assert list(stated["stream_errors"]) == streams


def test_the_run_ends_in_the_map(project, results):
    outcome = project.snakemake("--dry-run", "--configfile", CONFIGURATION, "small.yaml")
    assert outcome.code == 0, outcome.shown
    left = set(re.findall(r"^(\w+) +\d+$", outcome.shown, flags=re.M))  # of the jobs' numbers
    assert {"write_map", "write_catalog", "sum_regions", "write_map_page"} <= left
    assert "assimilate_tile" not in left


def test_every_source_left_its_provenance(results):
    records = {}
    for file in (results / "raw").glob("*/europe/*/provenance.json"):
        records[file.parts[-4]] = record = json.loads(file.read_text())
        assert all((file.parent / name).exists() for name in record["files"])
        assert TOKEN not in file.read_text()
        addresses = re.findall(r"https?://([^/:]+)", json.dumps(record["request"]))
        assert set(addresses) == {addresses[0]} <= {"127.0.0.1", "localhost"}
    fields = load_yaml(ROOT / CONFIGURATION)["areas"]["europe"]["fields"]
    assert records.keys() == fields.keys()
    # The store ends in 2019: the year came from the authors' own files.
    assert records["terraclimate"]["origin"] == "http"
