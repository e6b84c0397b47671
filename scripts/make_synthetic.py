"""Make up cubes of synthetic cells, to measure with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from concerto.cubes import DRIVERS_MONTHLY, LAND_AREA, OBSERVATIONS_MONTHLY, write_cube
from concerto.maps import MapGrid
from concerto.prepare.synthetic import SOURCE, synthetic_cells
from concerto.scripting import script_log


@dataclass(frozen=True)
class SyntheticFiles:
    """Where the cubes of all cells are written."""

    drivers: Path
    observations: Path
    land: Path


def make_synthetic(
    grid: MapGrid, period: Sequence[str], files: SyntheticFiles, *, seed: int
) -> None:
    """Write monthly cubes of a grid of synthetic cells.

    Parameters
    ----------
    grid
        Its cells are all land.
    period
        First and last day, of whole months.
    files
        Files to write.
    """
    cubes = synthetic_cells(grid, pd.date_range(*period, freq="MS"), seed)
    for cube, path, schema, what in zip(
        cubes,
        (files.drivers, files.observations, files.land),
        (DRIVERS_MONTHLY, OBSERVATIONS_MONTHLY, LAND_AREA),
        ("Monthly drivers", "Monthly observations", "Land"),
        strict=True,
    ):
        title = f"{what} of synthetic cells"
        history = "make_synthetic: drawn at random"
        write_cube(cube, path, schema, title=title, source=SOURCE, history=history)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        make_synthetic(
            MapGrid(*snakemake.params.grid),  # noqa: F821
            snakemake.params.period,  # noqa: F821
            SyntheticFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
