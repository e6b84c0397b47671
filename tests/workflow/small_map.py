"""A map in little: eight cells of a transect in four tiles, with faults in some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from package_index import Index
from project import CUTS, Project, borders, copy_workflow
from shapely.geometry import box
from synthetic_transect import make_cells, without_weather

NAME = "small"
POSTERIORS = Path("results/map/posterior", NAME)
GRID = {"west": 24.0, "south": 45.0, "east": 24.5, "north": 49.0, "resolution_deg": 0.5}
TILE_SIZE = 2
TILES = ["r0c0", "r1c0", "r2c0", "r3c0"]
# From the south: two good cells; the sea; a good one, and one with a gap in its weather; one where
# nothing was observed, and one that is dark all year, where the model has no finite result.
SEA, GAP, UNSEEN, DARK = (2, 3), 5, 6, 7
INVENTORY = "region,category,year,value,unit,sign\nNorth,total,2000,10,kt CO2,removal\n"
NEEDED = (
    "seed", "borders", "quality", "model", "constraints", "assimilation", "projection", "policy",
)  # fmt: skip
"""What a run of maps alone takes from the default configuration."""


def map_project(root: Path, index: Index) -> Project:
    """Return a project of nothing but the map, with a budget that cannot converge."""
    project = copy_workflow(root, index)
    record = project.root / "transect.nc"
    _write_record(record)
    countries = {"South": box(20, 40, 30, 45.5), "North": box(20, 45.5, 30, 60)}
    project.publish("natural_earth_110m", borders(countries))
    project.publish(
        "land_classes", {name: CUTS[name].read_bytes() for name in ("igbp.nc", "koppen.nc")}
    )
    project.publish("transect_2000", {"transect_2000.nc": record.read_bytes()})
    project.change("config/config.yaml", _make_small)
    (project.root / "inventory.csv").write_text(INVENTORY)
    return project


def _write_record(path: Path) -> None:
    """Write a year of hourly weather on the grid's cells, with their faults."""
    ds = make_cells(np.arange(GRID["south"] + 0.25, GRID["north"], 0.5), 366)
    for row in SEA:
        without_weather(ds, row)
    ds["temp"][2400:2424, GAP] = np.nan
    ds["fapar"][:, UNSEEN] = 0.0
    ds["ppfd"][:, DARK] = 0.0
    ds.to_netcdf(path, encoding={name: {"dtype": "float32"} for name in ds.data_vars})


def _make_small(config: dict[str, Any]) -> None:
    entry = config["maps"]["transect"] | {
        "name": "Small", "grid": GRID, "tile_size": TILE_SIZE, "errors_from_cells": 1,
        "budget": {"members": 260, "steps": 1, "most_iterations": 1, "rounds": 1},
    }  # fmt: skip
    for key in config.keys() - {*NEEDED}:
        del config[key]
    table = config["policy"]["countries"] | {
        "map": NAME, "inventory": "inventory.csv", "factsheets": ["North"],
    }  # fmt: skip
    config |= {"run": "map", "maps": {NAME: entry}, "policy": {"countries": table}}
