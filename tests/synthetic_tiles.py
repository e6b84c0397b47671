"""Tiles of made-up maps, as assimilation writes them.

What a cell holds follows from where it is, so that it is the same however the map is tiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import CONVENTIONS, MONTH, save, with_bounds
from concerto.domain import location_coordinates
from concerto.maps import MapGrid
from concerto.prepare.grids import zone_area
from concerto.products.cogs import write_layers
from concerto.products.stac import Products
from write_catalog import write_catalog
from write_map import MapFiles, write_map

TRANSECT = MapGrid(24.0, -34.5, 24.5, 71.5, 0.5)
SOUTH = MapGrid(-72.0, -50.0, -66.0, -44.0, 0.5)
DATELINE = MapGrid(178.0, 62.0, -178.0, 64.0, 0.5)
STATISTICS = ("mean", "sd", "q05", "q25", "q50", "q75", "q95")
QUANTITIES = {
    # name: units, long name, typical value, standard name
    "gpp": (
        "g m-2 d-1",
        "gross primary production, as carbon",
        5.0,
        "gross_primary_productivity_of_biomass_expressed_as_carbon",
    ),
    "nee": ("g m-2 d-1", "net ecosystem exchange, as carbon", -1.0, None),
    "lai": ("1", "leaf area index", 2.0, "leaf_area_index"),
    "live_biomass": ("g m-2", "living biomass, as carbon", 6000.0, None),
}
STATUS = (
    "converged",
    "not_converged",
    "no_observation",
    "drivers_missing",
    "assimilation_failed",
    "not_land",
)
FAILED = 4
ROOT = Path(__file__).parents[1]
SOURCES = ("natural_earth_110m", "transect_2000")
RUN_ID = "0123456789abcdef"
ORIGIN = {
    "sources": [ROOT / f"config/sources/{source}.yaml" for source in SOURCES],
    "citation": ROOT / "CITATION.cff",
}
COUNTRIES = ("Côte d'Ivoire", "Dem. Rep. Congo", "none", "Chad")
CLASSES = ("EBF", "SAV", "", "BSV")
CLIMATES = ("Af", "BWh", "", "Cfb")


def land_cells(grid: MapGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes and longitudes of the cells, of which one in five is sea."""
    lat, lon = np.meshgrid(grid.latitudes(), grid.longitudes(), indexing="ij")
    lat, lon = lat.ravel(), (lon.ravel() + 180.0) % 360.0 - 180.0
    land = _number(lat, lon) % 5 > 0
    return lat[land], lon[land]


def make_tile(
    grid: MapGrid,
    lat: np.ndarray,
    lon: np.ndarray,
    start: str = "2000-01",
    months: int = 12,
    quantities: Iterable[str] = tuple(QUANTITIES),
) -> xr.Dataset:
    """Return what a tile with these cells holds."""
    times = pd.date_range(start, periods=months, freq="MS")
    number = _number(lat, lon)
    status = np.where(number % 17 == 0, FAILED, number % 3).astype("i1")
    ds = xr.Dataset(coords={"time": times})
    for name in quantities:
        units, words, size, standard = QUANTITIES[name]
        season = np.cos(2 * np.pi * (np.arange(months) + 0.5) / 12)
        middle = size * (1 + 0.3 * np.sin(number)[:, None] - 0.2 * season)
        spread = 0.1 * abs(size) * (1.2 + np.cos(number)[:, None] + 0 * season)
        for statistic in STATISTICS:
            shift = {"q05": -1.64, "q25": -0.67, "q75": 0.67, "q95": 1.64}.get(statistic, 0.0)
            values = spread if statistic == "sd" else middle + shift * spread
            values = np.where(status[:, None] >= 3, np.nan, values).astype("f4")
            attrs = {"units": units, "long_name": f"{words}, {statistic}"}
            attrs["cell_methods"] = "time: mean" if units.endswith("d-1") else "time: point"
            if standard and statistic != "sd":
                attrs["standard_name"] = standard
            ds[f"{name}_{statistic}"] = (("location", "time"), values, attrs)
    flags = {
        "long_name": "what became of the cell",
        "flag_values": np.arange(len(STATUS), dtype="i1"),
        "flag_meanings": " ".join(STATUS),
    }
    half = grid.resolution_deg / 2
    area = zone_area(lat - half, lat + half) * np.radians(grid.resolution_deg)
    size = {"units": "m2", "long_name": "area of the cell", "standard_name": "cell_area"}
    share = {"units": "1", "long_name": "share of land", "standard_name": "land_area_fraction"}
    ds["status"] = ("location", status, flags)
    ds["cell_area"] = ("location", area, size)
    ds["land_fraction"] = ("location", 0.5 + 0.5 * np.sin(number) ** 2, share)
    for name, names, words in (
        ("country", COUNTRIES, "country with most of the land"),
        ("igbp", CLASSES, "IGBP class with the largest share"),
        ("koppen", CLIMATES, "class of climate after Köppen"),
    ):
        ds[name] = ("location", np.array(names, dtype=object)[number % 4], {"long_name": words})
    labels = np.array([f"{y:.2f}_{x:.2f}" for y, x in zip(lat, lon, strict=True)], dtype=object)
    ds = with_bounds(ds.assign_coords(location_coordinates(labels, lat, lon)), MONTH, 0.0)
    ds.attrs = {
        "Conventions": CONVENTIONS,
        "title": "Statistics of cells",
        "history": "made up",
        "featureType": "timeSeries",
        "members": np.int32(100),
    }
    return ds


def write_tiles(folder: Path, grid: MapGrid, size: int, **options: object) -> list[Path]:
    """Write the tiles of a map with ``size`` cells on a side, some of which may have no cell."""
    lat, lon = land_cells(grid)
    paths = []
    for tile in grid.tiles(size):
        cells = grid.cells_in(tile, size, lat, lon)
        paths.append(folder / f"{tile}.nc")
        made = make_tile(grid, lat[cells], lon[cells], **options)
        save(made.assign_attrs(tile=tile), paths[-1])
    return paths


def years_of(tile: xr.Dataset) -> xr.Dataset:
    """Return what the same tile of years holds: as made up as its months, whose first it shows."""
    years = tile["time"].dt.year.to_numpy()
    _, first, count = np.unique(years, return_index=True, return_counts=True)
    out = tile.isel(time=first)
    ends = tile["time_bnds"].to_numpy()[first + count - 1, 1]
    out["time_bnds"] = out["time_bnds"].copy(data=np.stack([out["time"].to_numpy(), ends], axis=1))
    return out


def files_of(tiles: Sequence[Path], folder: Path, years: Path) -> tuple[MapFiles, MapFiles]:
    """Return what a map in a folder is made of; tiles of months become those of ``years``."""
    annual = [years / path.name for path in tiles]
    for path, target in zip(tiles, annual, strict=True):
        save(years_of(xr.load_dataset(path)), target)
    return (
        MapFiles(tiles, folder / "map.nc", folder / "map.zarr"),
        MapFiles(annual, folder / "annual.nc", folder / "annual.zarr"),
    )


def write_all(folder: Path, grid: MapGrid, tiles: Sequence[Path], name: str = "made_up") -> Path:
    """Write all products of a map from its tiles with the scripts of the rules; return the folder.

    Sums over regions, which are not from tiles, are stand-ins.
    """
    products = products_in(folder)
    files = files_of(tiles, folder, folder / "annual")
    write_map(name, grid, *files, settings=settings(grid), **ORIGIN, run_id=RUN_ID)
    write_layers(products.annual, products.layers)
    products.regions.write_bytes(b"")
    products.table.write_text("kind,region\n")
    write_catalog(name, products, folder / "catalog", **ORIGIN)
    return folder


def products_in(folder: Path) -> Products:
    """Return where the products of a map are, as in a run."""
    return Products(
        monthly=folder / "map.nc",
        monthly_store=folder / "map.zarr",
        annual=folder / "annual.nc",
        annual_store=folder / "annual.zarr",
        layers=folder / "layers",
        regions=folder / "regions.nc",
        table=folder / "regions.csv",
    )


def settings(grid: MapGrid) -> dict:
    """Return the part of a configuration that a map rests on."""
    entry = {"name": "Made up", "streams": ["fapar"], "method": "esmda", "grid": vars(grid)}
    return {"model": "dalec2", "seed": 7, "map": entry}


def _number(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Return a whole number for each place, close ones with unlike numbers."""
    return 7 * np.floor(2 * (lat + 90.0)).astype(int) + 3 * np.floor(2 * (lon + 180.0)).astype(int)
