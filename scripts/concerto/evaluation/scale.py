"""How the work of maps grows with their cells, from what their jobs took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from concerto.scripting import cost_of

STAGES = ("assimilate", "project")
WITHIN = 0.15
"""By how much the cost of a cell may differ between maps of :data:`LEAST` cells and more."""
LEAST = 1000
HOUR = 3600.0


@dataclass(frozen=True)
class Tile:
    """One tile of a map that was worked on.

    ``statuses`` (cell,) by number of :data:`concerto.maps.STATUS`; ``logs`` and ``files`` of its
    jobs, in the order of :data:`STAGES`.
    """

    statuses: np.ndarray
    logs: Sequence[Path]
    files: Sequence[Path]


def map_row(task: str, cells: int, tiles: int, worked_on: Sequence[Tile]) -> dict[str, object]:
    """Return what a map of ``cells`` in ``tiles`` took, from the tiles that were worked on.

    Returns
    -------
    dict
        ``task``, ``cells``, ``tiles``, ``measured_tiles``, ``measured_cells``; ``converged``, the
        share of these; ``assimilate_seconds`` and ``project_seconds`` of processors of the
        measured tiles, start of the jobs included; ``cells_per_core_second``; ``core_hours`` of
        the whole map, which are ``measured`` or else in proportion to its cells; ``peak_mb`` of
        the largest job; ``kb_per_cell`` of the files that the jobs write.
    """
    costs = [[cost_of(log) for log in tile.logs] for tile in worked_on]
    seconds = np.array([[cost.cpu_seconds for cost in tile] for tile in costs]).sum(axis=0)
    statuses = np.concatenate([tile.statuses for tile in worked_on])
    measured = len(statuses)
    size = sum(file.stat().st_size for tile in worked_on for file in tile.files)
    return {
        "task": task,
        "cells": cells,
        "tiles": tiles,
        "measured_tiles": len(worked_on),
        "measured_cells": measured,
        "measured": len(worked_on) == tiles,
        "converged": float(np.mean(statuses == 0)),
        **{f"{stage}_seconds": float(part) for stage, part in zip(STAGES, seconds, strict=True)},
        "cells_per_core_second": measured / float(seconds.sum()),
        "core_hours": float(seconds.sum()) * cells / measured / HOUR,
        "peak_mb": max(cost.peak_mb for tile in costs for cost in tile),
        "kb_per_cell": size / measured / 1024.0,
    }


def linearity(table: pd.DataFrame) -> pd.DataFrame:
    """Return by task the spread of a cell's cost over maps of :data:`LEAST` cells and more.

    ``spread`` is the largest cost over the smallest, less one; ``memory_growth`` the peak of the
    largest of these maps over that of the smallest. NaN with fewer than two maps.
    """
    rows = []
    for task, maps in table.groupby("task", sort=False):
        large = maps[maps["cells"] >= LEAST].sort_values("cells")
        cost = 1.0 / large["cells_per_core_second"]
        several = len(large) > 1
        rows.append(
            {
                "task": task,
                "spread": cost.max() / cost.min() - 1.0 if several else np.nan,
                "memory_growth": large["peak_mb"].iloc[-1] / large["peak_mb"].iloc[0]
                if several
                else np.nan,
            }
        )
    return pd.DataFrame(rows)


def extrapolate(table: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Return what maps of places would take, with the constants of the largest map measured.

    Parameters
    ----------
    table
        Rows of :func:`map_row`.
    places
        ``place``, ``resolution_deg`` and ``land_cells``.

    Returns
    -------
    pandas.DataFrame
        A row for each place and task: ``core_hours``, and ``gigabytes`` of the files of tiles.
    """
    rows = []
    for task, maps in table.groupby("task", sort=False):
        largest = maps.sort_values("cells").iloc[-1]
        for place in places.itertuples():
            seconds = place.land_cells / largest["cells_per_core_second"]
            rows.append(
                {
                    "place": place.place,
                    "resolution_deg": place.resolution_deg,
                    "land_cells": place.land_cells,
                    "task": task,
                    "core_hours": seconds / HOUR,
                    "gigabytes": place.land_cells * largest["kb_per_cell"] * 1024.0 / 1e9,
                }
            )
    return pd.DataFrame(rows).sort_values(["land_cells", "task"], kind="stable", ignore_index=True)


def cores_row(walls: dict[int, float], jobs: Sequence[float]) -> dict[str, float]:
    """Return what a second core gains, and what Snakemake takes for a job.

    Parameters
    ----------
    walls
        Seconds from start to end of the same work by so many cores.
    jobs
        Seconds of each job of the run by one core.
    """
    return {
        **{f"seconds_{cores}": wall for cores, wall in walls.items()},
        "speedup": walls[1] / walls[2],
        "jobs": len(jobs),
        "overhead_per_job": (walls[1] - sum(jobs)) / len(jobs),
    }
