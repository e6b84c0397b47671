"""A tower of one's own: its record from ICOS, CO2 from a plain file, leaf area around it from STAC.

On days of which the record has no weather, two Zarr stores stand in: hours of a reanalysis, whose
cells are lower than the tower, and days of rain. As in config/runs/tower.yaml; the catalogue's
locators lead to servers of this machine.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fault_server
import numcodecs
import numpy as np
import pandas as pd
import portal_servers
import pytest
import stac_archive
import xarray as xr
from archives import wheel as zipped
from concerto.config import ROOT, load_yaml
from fault_server import FaultServer
from package_index import Index
from portal_servers import Portal
from project import DATA, Project, small_project
from stac_archive import SINUSOIDAL, Archive, Raster, modis_tile

pytestmark = pytest.mark.xdist_group("tower")

MEMBER = "ICOSETC_BE-Vie_FLUXNET_HH_L2.csv"
STARTS = pd.date_range("2014-05-01", "2014-06-18", freq="8D")
TILE = slice(2280, 2360), slice(880, 960)  # of h18v03, around Vielsalm
# Days without temperature, of which one has a single gap, without radiation and without rain.
COLD, DARK, DRY = [9, 10, 30], [15], [20, 21]
CELL_HEIGHT, LAPSE = 293.0, 5.0  # the tower is at 493 m


@dataclass(frozen=True)
class Servers:
    """The archives that the run asks."""

    portal: Portal
    http: FaultServer
    stac: Archive


def leaf_area() -> list[tuple[str, dict[str, Raster], dict[str, str]]]:
    """Return composites of 8 days whose leaf area grows by 0.1 from one to the next."""
    transform, shape = modis_tile(18, 3, *TILE)
    plain = np.ones(shape, "uint8")
    contents = []
    for k, start in enumerate(STARTS):
        bands = {
            "Lai_500m": Raster(plain * np.uint8(20 + k), transform, SINUSOIDAL, 255, 0.1),
            "LaiStdDev_500m": Raster(plain * np.uint8(4), transform, SINUSOIDAL, 255, 0.1),
            "FparLai_QC": Raster(plain * np.uint8(0), transform, SINUSOIDAL, 255),
        }
        end = start + pd.Timedelta(days=8) - pd.Timedelta(seconds=1)
        stamps = {"start_datetime": f"{start:%FT%TZ}", "end_datetime": f"{end:%FT%TZ}"}
        id_ = f"MOD15A2H.A{start:%Y%j}.h18v03.061.2020053164455"
        contents.append((id_, bands, stamps | {"platform": "terra"}))
    return contents


def co2() -> bytes:
    months = pd.date_range("2014-01-01", "2014-12-01", freq="MS")
    lines = [f"{m.year},{m.month},{m.year + (m.month - 0.5) / 12:.4f},397.5,0.1" for m in months]
    return "\n".join(["# NOAA", "year,month,decimal,average,average_unc", *lines, ""]).encode()


def record() -> bytes:
    """Return the tower's record, with gaps."""
    frame = pd.read_csv(DATA / "FLX_BE-Vie_cut.csv", dtype=str)
    for column, days in {"TA_F": COLD[:2], "SW_IN_F": DARK, "P_F": DRY}.items():
        for day in days:
            frame.loc[48 * day : 48 * day + 47, column] = "-9999"
    frame.loc[48 * COLD[2] + 11, "TA_F"] = "-9999"
    return frame.to_csv(index=False).encode()


def fields(times: pd.DatetimeIndex, size: tuple[float, float], **values: np.ndarray) -> xr.Dataset:
    """Return fields around the tower that are the same everywhere, on cells of so many degrees."""
    lat, lon = (size[i] * np.arange(-2, 3) + (50.5, 5.625)[i] for i in (0, 1))
    data = xr.Dataset(
        coords={
            "time": times.to_numpy().astype("datetime64[ns]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        }
    )
    for name, array in values.items():
        data[name] = ("time", "lat", "lon"), np.tile(array[:, None, None], (1, 5, 5))
    return data


def write_weather(folder: Path) -> None:
    """Write hours that get warmer by 1 K each day of UTC+1, and days with ever more rain.

    A stamp is the end of its hour by UTC, which is its beginning on the tower's clock.
    """
    hours = pd.date_range("2014-05-01", "2014-07-01", freq="h", inclusive="left")
    kelvin = 280.0 + (hours - STARTS[0]).days.to_numpy()
    era = {"2m_temperature": kelvin, "2m_dewpoint_temperature": kelvin - 5.0}
    era["surface_solar_radiation_downwards"] = np.full(len(hours), 3600.0 * 150.0)
    data = fields(hours, (0.25, 0.25), **era)
    data["2m_temperature"].attrs["units"] = "K"
    data.to_zarr(folder / "era.zarr", zarr_format=2, consolidated=True)
    days = pd.date_range("2014-05-01", "2014-06-30")
    rain = fields(days, (0.5, 0.625), PRECTOTCORR=0.5 * np.arange(len(days)))
    rain["PRECTOTCORR"][40:] = -999.0
    packing = numcodecs.FixedScaleOffset(offset=0, scale=1000, dtype="<f8", astype="<i4")
    encoding = {"PRECTOTCORR": {"filters": [packing], "_FillValue": None}}
    rain.to_zarr(folder / "rain.zarr", zarr_format=2, consolidated=True, encoding=encoding)


def geopotential() -> bytes:
    """Return the ground as the archive has it: classic, packed, at the time of an analysis."""
    ground = fields(pd.DatetimeIndex(["2021-12-31"]), (0.25, 0.25), z=np.array([0.0]))
    ground["z"] = ground["z"] + 9.80665 * CELL_HEIGHT
    ground["z"].attrs["units"] = "m**2 s**-2"
    packed = {"dtype": "i2", "scale_factor": 9.80665, "add_offset": 0.0, "_FillValue": -32767}
    return bytes(ground.to_netcdf(format="NETCDF3_CLASSIC", encoding={"z": packed}))


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("archives")
    write_weather(folder)
    with ExitStack() as stack:
        served = Servers(
            stack.enter_context(portal_servers.portal()),
            stack.enter_context(fault_server.serve(folder)),
            stack.enter_context(stac_archive.serve(folder, "modis-15A2H-061", leaf_area())),
        )
        served.portal.add("ICOSETC_BE-Vie_ARCHIVE_L2.zip", zipped({MEMBER: record()}))
        served.http.add("/co2_mm_gl.csv", co2(), "cut 100")
        served.http.add("/static.nc", geopotential())
        yield served


@pytest.fixture(scope="module")
def project(tmp_path_factory, index: Index, servers: Servers) -> Project:
    project = small_project(tmp_path_factory.mktemp("run") / "tower", index)

    def lead_to(source: str, **locator: Any) -> None:
        file = f"config/sources/{source}.yaml"
        project.change(file, lambda content: content["locator"].update(locator))

    portal = servers.portal
    lead_to("icos_vielsalm", meta=portal.meta, data=portal.data, login=portal.login)
    lead_to("noaa_co2", template=f"{servers.http.address}/co2_mm_gl.csv")
    lead_to("modis_lai", api=servers.stac.api)
    lead_to("arco_era5", store=f"{servers.http.address}/era.zarr")
    lead_to("era5_height", template=f"{servers.http.address}/static.nc")
    lead_to("nasa_power", store=f"{servers.http.address}/rain.zarr")
    small = project.read("config/config.yaml")
    tower = load_yaml(ROOT / "config/runs/tower.yaml")
    site = tower["sites"]["BE-Vie"] | {
        "fields": {
            "modis_lai": ["lai"],
            "arco_era5": ["tas", "tdps", "rsds"],
            "era5_height": ["elevation"],
            "nasa_power": ["pr"],
        },
        "weather": {"correct": "none", "lapse": LAPSE},
        "period": ["2014-05-01", "2014-06-29"],
        "training": {"period": ["2014-05-01", "2014-06-15"]},
    }
    for key in ("canopy", "twin", "forecast"):
        small.pop(key, None)
    small["sites"] = {"BE-Vie": site}
    project.change("config/config.yaml", lambda config: (config.clear(), config.update(small)))
    return project


@pytest.fixture(scope="module")
def observations(project: Project) -> xr.Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICOS_LICENCE_ACCEPTED", "yes")
        patch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.01")
        outcome = project.snakemake("results/small/cubes/BE-Vie/observations.nc")
    assert outcome.code == 0, outcome.shown
    return xr.load_dataset(project.results / "cubes/BE-Vie/observations.nc")


def test_leaf_area_stands_in_the_middle_of_each_composite(observations):
    lai = observations["lai"].isel(location=0).to_series().dropna()
    assert list(lai.index) == list(STARTS + pd.Timedelta(days=4))
    np.testing.assert_allclose(lai, 2.0 + 0.1 * np.arange(len(lai)), rtol=1e-5)
    assert observations["lai"].attrs["source"] == "modis_lai"


def test_fluxes_are_those_of_the_tower(observations):
    assert int(observations["nee"].count()) > 30
    assert MEMBER in observations["nee"].attrs["source"]


def test_co2_is_that_of_the_plain_file(project, observations):
    drivers = xr.load_dataset(project.results / "cubes/BE-Vie/drivers.nc")
    np.testing.assert_allclose(drivers["co2"], 397.5, rtol=1e-6)
    assert "co2_mm_gl.csv" in drivers["co2"].attrs["source"]


@pytest.fixture(scope="module")
def drivers(project: Project, observations: xr.Dataset) -> xr.Dataset:
    return xr.load_dataset(project.results / "cubes/BE-Vie/drivers.nc").isel(location=0)


def test_days_of_the_record_are_its_own(drivers):
    frame = pd.read_csv(io.BytesIO(record()), na_values="-9999")
    for name, column in {"tas": "TA_F", "rsds": "SW_IN_F", "pr": "P_F", "vpd": "VPD_F"}.items():
        steps = frame[column].to_numpy().reshape(-1, 48) * (48 if name == "pr" else 1)
        own = np.isfinite(steps).all(axis=1)
        assert own.sum() > 50
        np.testing.assert_allclose(drivers[name][own], steps[own].mean(axis=1), rtol=1e-5)


def test_days_without_are_of_the_archives_at_the_height_of_the_tower(drivers):
    """The tower is 200 m above the cell: 1 K at 5 K km-1."""
    for name in ("tas", "tasmin", "tasmax"):
        cold = 280.0 - 273.15 + np.array(COLD) - 1.0
        np.testing.assert_allclose(drivers[name][COLD], cold, rtol=1e-5)
    np.testing.assert_allclose(drivers["rsds"][DARK], 150.0, rtol=1e-5)
    np.testing.assert_allclose(drivers["pr"][DRY], 0.5 * np.array(DRY), rtol=1e-5)


def test_what_was_filled_is_told(project, drivers):
    table = pd.read_csv(project.results / "cubes/BE-Vie/masking.csv")
    filled = table[table["reason"].str.startswith("filled from")].set_index("variable")
    expected = {"tas": 3, "tasmin": 3, "tasmax": 3, "vpd": 0, "rsds": 1, "pr": 2}
    assert filled["masked"].to_dict() == expected
    assert set(filled["total"]) == {60}
    assert drivers.attrs["source"].endswith("modis_lai; arco_era5; era5_height; nasa_power")
    assert drivers["pr"].attrs["source"] == f"{MEMBER}: P_F; nasa_power"
    assert "3 of 60 days (5.0 %) are of arco_era5" in drivers["tas"].attrs["comment"]
    assert "by +200 to +200 m: temperature by 5 K km-1" in drivers["tas"].attrs["comment"]
    assert drivers["vpd"].attrs["source"] == f"{MEMBER}: VPD_F"
    log = (project.results / "logs/aggregate_daily.BE-Vie.log").read_text()
    assert "pr of nasa_power: 38 days are shared, bias " in log  # it has 40, of which 2 are filled


def test_what_was_masked_on_the_way_is_in_the_site_s_table(project, observations):
    table = pd.read_csv(Path(project.results, "cubes/BE-Vie/masking.csv"))
    assert (table["variable"] == "lai").any()
