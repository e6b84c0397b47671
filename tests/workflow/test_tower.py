"""A tower of one's own: its record from ICOS, CO2 from a plain file, leaf area around it from STAC.

As in config/runs/tower.yaml; the catalogue's locators lead to servers of this machine.
"""

from __future__ import annotations

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
from archives import wheel as zipped
from concerto.config import ROOT, load_yaml
from fault_server import FaultServer
from package_index import Index
from portal_servers import Portal
from project import DATA, Project, small_project
from stac_archive import SINUSOIDAL, Archive, Raster, modis_tile

MEMBER = "ICOSETC_BE-Vie_FLUXNET_HH_L2.csv"
STARTS = pd.date_range("2014-05-01", "2014-06-18", freq="8D")
TILE = slice(2280, 2360), slice(880, 960)  # of h18v03, around Vielsalm


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


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("archives")
    with ExitStack() as stack:
        served = Servers(
            stack.enter_context(portal_servers.portal()),
            stack.enter_context(fault_server.serve()),
            stack.enter_context(stac_archive.serve(folder, "modis-15A2H-061", leaf_area())),
        )
        record = (DATA / "FLX_BE-Vie_cut.csv").read_bytes()
        served.portal.add("ICOSETC_BE-Vie_ARCHIVE_L2.zip", zipped({MEMBER: record}))
        served.http.add("/co2_mm_gl.csv", co2(), "cut 100")
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
    small = project.read("config/config.yaml")
    tower = load_yaml(ROOT / "config/runs/tower.yaml")
    site = tower["sites"]["BE-Vie"] | {
        "fields": {"modis_lai": ["lai"]},
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


def test_what_was_masked_on_the_way_is_in_the_site_s_table(project, observations):
    table = pd.read_csv(Path(project.results, "cubes/BE-Vie/masking.csv"))
    assert (table["variable"] == "lai").any()
