"""Made-up towers of a network: files of CARDAMOM whose numbers are those of a mild climate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas
import numpy as np
from concerto.readers._cardamom import DRIVERS, PRIORS, STREAMS, Cbf, write_cbf, write_cbf_nc
from shapely.geometry import box

MONTH = 365.25 / 12.0
LATITUDE, LONGITUDE = 50.9, 13.6
TABLE = {"name": "name", "igbp": "igbp", "latitude": "latitude", "longitude": "longitude",
         "elevation_m": "elevation_m"}  # fmt: skip
ERRORS = {
    "nee": {"minimum": 0.5}, "gpp": {"relative": 0.2, "minimum": 0.5},
    "et": {"relative": 0.2, "minimum": 0.2}, "lai": {"relative": 0.3, "minimum": 0.3},
    "total_biomass": {"relative": 0.4},
}  # fmt: skip
TABLES = {
    "sites.csv": {"places": TABLE},
    "*.cbf": {"start": "2001-01-01", "errors": ERRORS},
    "*.cbf.nc": {"errors": ERRORS},
}


def make_tower(seed: int = 1, months: int = 48) -> Cbf:
    """Return a tower's file: a forest's seasons, all of them observed, biomass once."""
    rng = np.random.default_rng(seed)
    middle = MONTH * (np.arange(months) + 0.5)
    sun = 0.5 - 0.5 * np.cos(2.0 * np.pi * middle / 365.25)  # none in January, all in July
    low = -2.0 + 14.0 * sun + rng.normal(0.0, 1.0, months)
    drivers = dict(
        zip(
            DRIVERS,
            [
                middle, low, low + 8.0, 2.0 + 18.0 * sun, 370.0 + 0.15 * np.arange(months),
                middle % 365.25, np.zeros(months), 2.0 + 6.0 * sun, rng.uniform(1.0, 3.0, months),
            ],
            strict=True,
        )
    )  # fmt: skip
    size = rng.uniform(0.7, 1.3)
    gpp = size * (0.1 + 9.0 * sun) * rng.uniform(0.9, 1.1, months)
    empty = np.full(months, np.nan)
    biomass = np.where(np.arange(months) == 5, 6000.0 * rng.uniform(0.7, 1.3), np.nan)
    observed = [
        gpp,
        0.8 + 3.5 * sun * rng.uniform(0.7, 1.3),
        -0.2 * gpp * rng.uniform(0.7, 1.3) + 0.2 + rng.normal(0.0, 0.05, months),
        biomass,
        (0.2 + 3.0 * sun * rng.uniform(0.7, 1.3)) * rng.uniform(0.9, 1.1, months),
    ]
    observed += [empty] * (11 - len(observed))
    header = np.full(100, np.nan)
    header[:6] = 1005, 50.75, months, len(DRIVERS), 11, 1
    return Cbf(
        header=header,
        **{name: np.full(50, np.nan) for name in PRIORS},
        drivers=drivers,
        observations=dict(zip(STREAMS, observed, strict=False)),
    )


def write_towers(folder: Path, towers: Mapping[str, Cbf], igbp: str = "ENF") -> Path:
    """Write files, of NetCDF if their name ends so, and their table; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, cbf in towers.items():
        (write_cbf_nc if name.endswith(".nc") else write_cbf)(cbf, folder / name)
    rows = [
        f"{name.partition('.')[0]},{igbp},{LATITUDE},{LONGITUDE + 0.01 * k},{100 + k}"
        for k, name in enumerate(towers)
    ]
    (folder / "sites.csv").write_text("\n".join([",".join(TABLE), *rows]) + "\n")
    return folder


def write_borders(file: Path) -> Path:
    """Write a country around the towers."""
    frame = geopandas.GeoDataFrame({"name": ["Germany"]}, geometry=[box(6, 47, 15, 55)])
    frame.set_crs("EPSG:4326").to_file(file)
    return file
