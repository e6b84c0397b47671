"""Weather comes from a bucket of S3 into the cells of an area, by the rules that real runs use.

The locator of the catalogue leads to a server that speaks as S3 does; nothing else differs. Only
Zarr stores are read from buckets: items of STAC are read from web addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from moto.server import ThreadedMotoServer
from package_index import Index
from project import CUTS, Project, borders, copy_workflow

MONTHS = pd.date_range("2008-01-01", "2008-12-01", freq="MS")
CONSTANT = {"tmin": -5.0, "tmax": 3.0, "srad": 50.0, "vpd": 0.1}
LOGIN = {"AWS_ACCESS_KEY_ID": "k3y-of-jane", "AWS_SECRET_ACCESS_KEY": "s3cret-of-jane"}


def write_weather(folder: Path) -> Path:
    """Write a year of a quarter of a degree: rain by month, the rest everywhere the same."""
    lat, lon = np.arange(49.875, 46, -0.25), np.arange(8.125, 12, 0.25)
    rain = 2.0 * MONTHS.days_in_month.to_numpy()
    values = {name: np.full(12, value) for name, value in CONSTANT.items()} | {"ppt": rain}
    data = xr.Dataset(
        {
            name: (("time", "lat", "lon"), one[:, None, None] * np.ones((1, lat.size, lon.size)))
            for name, one in values.items()
        },
        coords={
            "time": MONTHS.to_numpy().astype("datetime64[ns]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    store = folder / "raster.zarr"
    data.to_zarr(store, zarr_format=2, consolidated=True)
    return store


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory) -> Iterator[str]:
    """A service with a private bucket that holds the store."""
    store = write_weather(tmp_path_factory.mktemp("store"))
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    login = {name.lower(): value for name, value in LOGIN.items()} | {"region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=address, **login)
    client.create_bucket(Bucket="weather", ACL="private")
    for file in filter(Path.is_file, store.rglob("*")):
        key = file.relative_to(store.parent).as_posix()
        client.put_object(Bucket="weather", Key=key, Body=file.read_bytes())
    yield address
    server.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory, index: Index, endpoint: str) -> Project:
    project = copy_workflow(tmp_path_factory.mktemp("run") / "s3", index)
    project.publish("natural_earth_110m", borders())
    record = "rcmip_concentrations.csv"
    project.publish("co2_ssp245", {record: CUTS[record].read_bytes()})
    locator = {"store": "s3://weather/raster.zarr", "endpoint": endpoint}
    project.change("config/sources/terraclimate.yaml", lambda s: s.update(locator=locator))
    project.change("config/config.yaml", to_area)
    return project


def to_area(config: dict[str, Any]) -> None:
    asked = ("forecast", "scenarios", "twin", "canopy", "reconstruction", "policy")
    for part in ("sites", "maps", "twin_map", *asked):
        config.pop(part, None)
    config["areas"] = {
        "here": {
            "name": "Around Lake Constance",
            "box": {"west": 9.0, "south": 47.0, "east": 10.0, "north": 47.5},
            "resolution_deg": 0.5,
            "period": ["2008-01-01", "2008-12-31"],
            "step": "month",
            "fields": {"terraclimate": ["tasmin", "tasmax", "rsds", "vpd", "pr"]},
            "least_covered": 0.2,
            "co2": {"source": "co2_ssp245", "file": "rcmip_concentrations.csv", "reader": "rcmip"},
            "disturbance": {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.0},
        }
    }


def test_cells_have_what_is_in_the_bucket(project, monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    cells = project.results / "cubes/here/fields/terraclimate.2008.nc"
    outcome = project.snakemake()
    assert outcome.code == 0, outcome.shown
    found = xr.load_dataset(cells)
    assert (found.sizes["interval"], found.sizes["location"]) == (12, 2)
    expected = {"tasmin": -5.0, "tasmax": 3.0, "rsds": 50.0, "vpd": 1.0}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)
    rain = 2.0 * MONTHS.days_in_month.to_numpy()
    np.testing.assert_allclose(found["pr"], np.stack([rain, rain], axis=1), rtol=1e-6)
    np.testing.assert_allclose(found["tasmin_covered"], 1.0, rtol=1e-6)
    # nothing is observed here: drivers alone
    drivers = xr.load_dataset(project.results / "cubes/here/drivers.nc")
    np.testing.assert_allclose(drivers["rsds"], 50.0, rtol=1e-6)
    gaps = pd.read_csv(project.results / "cubes/here/gaps.csv")
    assert gaps.empty
    (record,) = (project.results / "raw").glob("terraclimate/here/*/provenance.json")
    text = record.read_text() + "".join(
        log.read_text() for log in (project.results / "logs").glob("*")
    )
    assert "s3://weather/raster.zarr" in text
    assert not any(secret in text for secret in LOGIN.values())
