"""How work grows with maps: which maps are measured, on synthetic cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from concerto.maps import MapGrid, square_grid

CENTRE = (47.5, 10.0)
"""Degrees north and east of the middle of every grid of synthetic cells."""
CORES = "cores"
"""The task whose tiles are worked on by one core, and by two."""


def synthetic_grids(scale: Mapping[str, Any]) -> dict[str, MapGrid]:
    """Return the grids of synthetic cells of ``scale`` of a configuration, by their folder."""
    sizes = [*scale["cells"], scale["cores"]["cells"]] if scale else []
    return {
        cubes_of(cells): square_grid(cells, scale["resolution_deg"], *CENTRE)
        for cells in dict.fromkeys(sizes)
    }


def cubes_of(cells: int) -> str:
    """Return the folder of the cubes of so many synthetic cells."""
    return f"synthetic-{cells}"


def map_of(task: str, cells: int) -> str:
    """Return the name of the map of a task and so many cells."""
    return f"{task}-{cells}"


def scale_maps(scale: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the maps of ``scale`` of a configuration, as ``maps`` of it has them, by name.

    One for each task and number of cells, and that of :data:`CORES`.
    """
    if not scale:
        return {}
    grids, cores = synthetic_grids(scale), scale["cores"]
    wanted = [(task, cells, task) for task in scale["tasks"] for cells in scale["cells"]]
    wanted.append((CORES, cores["cells"], cores["task"]))
    maps = {}
    for name, cells, task in wanted:
        own = scale["tasks"][task]
        maps[map_of(name, cells)] = {
            "name": f"{cells} synthetic cells, {name}",
            "cubes": cubes_of(cells),
            "grid": asdict(grids[cubes_of(cells)]),
            "streams": scale["streams"],
            "tile_size": cores["tile_size"] if name == CORES else own["tile_size"],
            "method": own["method"],
            "budget": own["budget"],
            "errors_from_cells": scale["errors_from_cells"],
            "prior_field": scale["prior_field"],
        }
    return maps


def measured_tiles(scale: Mapping[str, Any], task: str, cells: int) -> list[str]:
    """Return the tiles of a map that are worked on.

    All, or as many as the task's ``most_tiles``, evenly among those that have all their cells.
    """
    grid, own = synthetic_grids(scale)[cubes_of(cells)], scale["tasks"][task]
    size = own["tile_size"]
    tiles, most = grid.tiles(size), own.get("most_tiles")
    if scale.get("all_tiles") or most is None or len(tiles) <= most:
        return tiles
    rows, columns = grid.rows // size, grid.columns // size
    whole = [f"r{row}c{column}" for row in range(rows) for column in range(columns)] or tiles
    count = min(most, len(whole))
    return [whole[int((k + 0.5) * len(whole) / count)] for k in range(count)]
