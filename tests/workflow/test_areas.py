"""Fields come from archives of each kind into an area's cubes, by the rules that real runs use.

The catalogue's locators lead to servers of this machine that speak as the archives do; nothing else
differs from a real run.
"""

from __future__ import annotations

import json
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
from fault_server import FaultServer
from package_index import Index
from portal_servers import Earthdata, Store
from project import Project, small_project
from stac_archive import SINUSOIDAL, Archive, Raster, modis_tile

pytestmark = pytest.mark.xdist_group("areas")

MONTHS = pd.date_range("2008-01-01", "2008-03-01", freq="MS")
LENGTHS = MONTHS.days_in_month.to_numpy()
TOKEN, KEY = "t0ken-of-jane", "k3y-of-jane"
TILE = slice(470, 730), slice(1430, 1660)  # of h18v04: 8.7 to 10.3 E, 46.9 to 48.1 N
BOX = {"west": 9.0, "south": 47.0, "east": 10.0, "north": 48.0}


@dataclass(frozen=True)
class Servers:
    """One archive of each protocol."""

    stac: Archive
    zarr: FaultServer
    http: FaultServer
    earthdata: Earthdata
    store: Store


def gridded(name: str, values: np.ndarray, times: pd.DatetimeIndex, **attrs: str) -> xr.Dataset:
    """Return fields of a quarter of a degree around the area that are the same everywhere."""
    lat, lon = np.arange(49.875, 46, -0.25), np.arange(8.125, 12, 0.25)
    field = values[:, None, None] * np.ones((1, lat.size, lon.size))
    data = xr.Dataset(
        {name: (("time", "lat", "lon"), field.astype("f4"), attrs)},
        coords={
            "time": times.to_numpy().astype("datetime64[ns]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    data["time"].encoding = {"units": "days since 1970-01-01", "dtype": "i4"}
    return data


def as_bytes(data: xr.Dataset, folder: Path) -> bytes:
    file = folder / "one.nc"
    data.to_netcdf(file)
    return file.read_bytes()


def leaf_area(raw: int) -> dict[str, Raster]:
    """Return a composite whose western half is fill."""
    transform, shape = modis_tile(18, 4, *TILE)
    lai = np.full(shape, raw, "uint8")
    lai[:, : shape[1] // 2] = 255
    good = np.zeros(shape, "uint8")
    deviation = np.where(lai == 255, 255, 5).astype("uint8")
    return {
        "Lai_500m": Raster(lai, transform, SINUSOIDAL, 255, 0.1),
        "LaiStdDev_500m": Raster(deviation, transform, SINUSOIDAL, 255, 0.1),
        "FparLai_QC": Raster(good, transform, SINUSOIDAL, 255),
    }


def composites() -> list[tuple[str, dict[str, Raster], dict[str, str]]]:
    """Return a composite in the middle of each month."""
    contents = []
    for k, month in enumerate(MONTHS):
        start = month + pd.Timedelta(days=8)
        id_ = f"MOD15A2H.A{start:%Y%j}.h18v04.061.2020053164455"
        end = start + pd.Timedelta(days=20) - pd.Timedelta(seconds=1)
        stamps = {"start_datetime": f"{start:%FT%TZ}", "end_datetime": f"{end:%FT%TZ}"}
        contents.append((id_, leaf_area(20 + 10 * k), stamps | {"platform": "terra"}))
    return contents


def write_weather(folder: Path) -> None:
    fields = {
        "tmin": (np.array([-5.0, -2.0, 1.0]), "degC"),
        "tmax": (np.array([3.0, 6.0, 11.0]), "degC"),
        "srad": (np.array([50.0, 90.0, 140.0]), "W m-2"),
        "vpd": (np.array([0.1, 0.2, 0.3]), "kPa"),
    }
    parts = [gridded(n, values, MONTHS, units=unit) for n, (values, unit) in fields.items()]
    xr.merge(parts).to_zarr(folder / "raster.zarr", zarr_format=2, consolidated=True)


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("archives")
    write_weather(folder)
    with ExitStack() as stack:
        served = Servers(
            stack.enter_context(stac_archive.serve(folder, "modis-15A2H-061", composites())),
            stack.enter_context(fault_server.serve(folder)),
            stack.enter_context(fault_server.serve()),
            stack.enter_context(portal_servers.earthdata()),
            stack.enter_context(portal_servers.store()),
        )
        rain = gridded("ppt", LENGTHS * 2.0, MONTHS, units="mm")
        served.http.add("/rain_2008.nc", as_bytes(rain, folder), "503", "cut 400")
        for k, month in enumerate(MONTHS):
            when = pd.DatetimeIndex([month + pd.Timedelta(days=7)])
            glow = gridded("sif_ann", np.array([0.2 + 0.1 * k]), when)
            served.earthdata.add(
                f"sif_{month:%Y%m}a.nc",
                as_bytes(glow.isel(time=0, drop=True), folder),
                f"{month:%Y-%m}-01T00:00:00.000Z",
                f"{month:%Y-%m}-20T23:59:59.000Z",
                CollectionReference={"ShortName": "Global_SIF_OCO2_MODIS_1863", "Version": "2"},
            )
        served.store.dataset = "satellite-soil-moisture"
        served.store.result = as_bytes(moisture(), folder)
        yield served


def moisture() -> xr.Dataset:
    """Return daily soil moisture of March, as the one month that is wanted of it."""
    days = pd.date_range("2008-03-01", "2008-03-31")
    wet = gridded("sm", np.full(31, 0.25), days, units="m3 m-3")
    wet["sm_uncertainty"] = (wet["sm"] * 0.2).assign_attrs(units="m3 m-3")
    wet["flag"] = xr.zeros_like(wet["sm"]).astype("i1")
    return wet


def lead_to(project: Project, source: str, **locator: Any) -> None:
    """Point a source's locator at a server of this machine."""

    def edit(content: dict[str, Any]) -> None:
        content["locator"].update(locator)
        content["grid"]["first"] = "2000-01-01"
        content.pop("mirrors", None)

    project.change(f"config/sources/{source}.yaml", edit)


def rain(project: Project, address: str) -> None:
    """Add a data set to the catalogue: one file, of a protocol that is known."""
    text = f"""
title: Rain by month, a data set of one's own
protocol: http
locator: {{template: "{address}/rain_{{year}}.nc", step: year}}
reader: netcdf
request: year
grid: {{crs: "EPSG:4326", resolution: 0.25 degrees, step: P1M, first: "2000-01-01", last: null}}
bytes_per_value: 4.0
tested: protocol
variables:
  pr: {{band: ppt, units: mm, accumulated: {{reset: step}}}}
licence: CC0-1.0
citation: Nobody (2003)
homepage: https://example.org
"""
    (project.root / "config/sources/own_rain.yaml").write_text(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory, index: Index, servers: Servers) -> Project:
    project = small_project(tmp_path_factory.mktemp("run") / "area", index)
    rain(project, servers.http.address)
    lead_to(project, "terraclimate", store=f"{servers.zarr.address}/raster.zarr")
    lead_to(project, "modis_lai", api=servers.stac.api)
    lead_to(project, "oco2_sif", cmr=servers.earthdata.cmr, login=servers.earthdata.login)
    lead_to(project, "c3s_soil_moisture", url=servers.store.url)

    def to_area(config: dict[str, Any]) -> None:
        del config["sites"], config["forecast"], config["twin"]
        config.pop("canopy", None)
        config["areas"] = {
            "here": {
                "name": "Around Lake Constance",
                "box": BOX,
                "resolution_deg": 0.5,
                "period": ["2008-01-01", "2008-03-31"],
                "step": "month",
                "fields": {
                    "terraclimate": ["tasmin", "tasmax", "rsds", "vpd"],
                    "own_rain": ["pr"],
                    "modis_lai": ["lai"],
                    "oco2_sif": ["sif"],
                    "c3s_soil_moisture": ["surface_soil_moisture"],
                },
                "classes": {"source": "land_classes", "igbp": "igbp.nc", "koppen": "koppen.nc"},
                "least_covered": 0.2,
                "co2": {
                    "source": "co2_ssp245",
                    "file": "rcmip_concentrations.csv",
                    "reader": "rcmip",
                },
                "disturbance": {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.0},
            }
        }

    project.change("config/config.yaml", to_area)
    return project


@pytest.fixture(scope="module")
def cubes(project: Project) -> dict[str, xr.Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHDATA_TOKEN", TOKEN)
        patch.setenv("CDSAPI_KEY", KEY)
        patch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.01")
        outcome = project.snakemake()
    assert outcome.code == 0, outcome.shown
    folder = project.results / "cubes/here"
    names = ("drivers", "observations", "land")
    return {name: xr.load_dataset(folder / f"{name}.nc") for name in names}


def test_without_its_logins_nothing_is_downloaded(project, servers, monkeypatch, tmp_path):
    for name in ("EARTHDATA_TOKEN", "EARTHDATA_USERNAME", "CDSAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    outcome = project.snakemake()
    assert outcome.code != 0
    for words in ("EARTHDATA_TOKEN", "CDSAPI_KEY", "tropomi_sif"):
        assert words in outcome.shown
    assert not servers.http.requests
    assert not servers.stac.requests


def test_a_dry_run_says_what_would_be_fetched(project):
    outcome = project.snakemake("-n", "--forceall")
    assert outcome.code == 0, outcome.shown
    assert "Acquire own_rain for here, 2008: about" in outcome.shown
    assert "licence CC0-1.0" in outcome.shown


def test_drivers_are_those_of_the_archives(cubes):
    drivers = cubes["drivers"]
    assert drivers.sizes == {"location": 4, "time": 3, "bnds": 2}
    expected = {
        "tasmin": [-5.0, -2.0, 1.0],
        "tas": [-1.0, 2.0, 6.0],
        "rsds": [50.0, 90.0, 140.0],
        "vpd": [1.0, 2.0, 3.0],
        "pr": [2.0, 2.0, 2.0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(drivers[name], np.tile(values, (4, 1)), rtol=1e-5)
    assert 380 < drivers["co2"].mean() < 390


def test_observations_stand_where_satellites_saw_something(cubes):
    observed = cubes["observations"]
    east = observed["lon"].to_numpy() > 9.5
    np.testing.assert_allclose(observed["lai"][east], np.tile([2.0, 3.0, 4.0], (2, 1)), rtol=1e-5)
    assert np.isnan(observed["lai"][~east]).all()
    np.testing.assert_allclose(observed["sif"], np.tile([0.2, 0.3, 0.4], (4, 1)), rtol=1e-5)
    wet = observed["surface_soil_moisture"].to_numpy()
    np.testing.assert_allclose(wet[:, 2], 0.25, rtol=1e-5)
    assert (observed["lai_uncertainty"].to_numpy()[east] > 0.0).all()


def test_land_has_its_area_and_country(cubes):
    land = cubes["land"]
    assert (land["country"] == "Switzerland").all()
    np.testing.assert_allclose(land["cell_area"].sum(), 8.37e9, rtol=0.01)


def test_land_has_its_classes(cubes):
    """Mixed forest in the foothills of the Alps, savanna north of Lake Constance."""
    land = cubes["land"]
    np.testing.assert_allclose(land["land_cover"].sum("class"), 1.0, rtol=1e-6)
    classes = dict(zip(land["location"].to_numpy(), land["igbp"].to_numpy(), strict=True))
    assert classes == {
        "47.25N_9.25E": "MF", "47.25N_9.75E": "MF", "47.75N_9.25E": "SAV", "47.75N_9.75E": "SAV",
    }  # fmt: skip
    assert (land["koppen"] == "Dfb").all()


def test_provenance_names_each_file_and_no_secret(project, cubes):
    raw = project.results / "raw"
    records = sorted(raw.glob("*/here/*/provenance.json"))
    assert {record.parents[2].name for record in records} == {
        "terraclimate", "own_rain", "modis_lai", "oco2_sif", "c3s_soil_moisture",
    }  # fmt: skip
    for record in records:
        files = json.loads(record.read_text())["files"]
        assert all((record.parent / name).exists() for name in files)
    everything = [file.read_text() for file in [*records, *(project.results / "logs").glob("*")]]
    assert not any(secret in text for text in everything for secret in (TOKEN, KEY))


def test_gaps_are_told(project, cubes):
    gaps = pd.read_csv(project.results / "cubes/here/gaps.csv")
    lai = gaps[gaps["stream"] == "lai"]
    assert sorted(lai["valid"]) == [0, 0, 3, 3]
    masking = pd.read_csv(project.results / "cubes/here/masking.csv")
    fill = masking[(masking["variable"] == "lai") & (masking["reason"] == "fill")]
    assert 0.4 < fill["masked"].iloc[0] / fill["total"].iloc[0] < 0.6
    assert (project.results / "figures/here/gaps.png").stat().st_size > 10_000


def test_a_second_run_asks_nobody(project, servers, cubes):
    before = len(servers.http.requests), len(servers.stac.requests), len(servers.zarr.requests)
    outcome = project.snakemake()
    assert outcome.code == 0, outcome.shown
    assert "Nothing to be done" in outcome.shown
    after = len(servers.http.requests), len(servers.stac.requests), len(servers.zarr.requests)
    assert after == before
