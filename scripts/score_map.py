"""Score a map as land models are benchmarked, against what was observed of its cells."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from concerto.cubes import DRIVERS_OF_CELLS, OBSERVATIONS_EITHER, read_cube
from concerto.evaluation import ilamb_maps
from concerto.products.files import write_table
from concerto.scripting import script_log


def score_map(
    name: str,
    method: str,
    observations: Path,
    drivers: Path,
    land: Path,
    tiles: Sequence[Path],
    *,
    scores: Path,
    responses: Path,
) -> None:
    """Write the scores of a map, and the responses that some of them rest on.

    Parameters
    ----------
    name, method
        Of the map.
    observations, drivers, land
        The map's cubes.
    tiles
        Statistics of the cells of each tile.
    scores, responses
        Where to write the two tables (CSV).
    """
    product = xr.concat([xr.load_dataset(tile) for tile in tiles], "location", data_vars="minimal")
    tables = ilamb_maps.score_map(
        name,
        method,
        read_cube(observations, OBSERVATIONS_EITHER),
        read_cube(drivers, DRIVERS_OF_CELLS),
        xr.load_dataset(land),
        product,
    )
    for table, path in zip(tables, (scores, responses), strict=True):
        write_table(table, path)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        score_map(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.land),  # noqa: F821
            [Path(tile) for tile in snakemake.input.tiles],  # noqa: F821
            scores=Path(snakemake.output.scores),  # noqa: F821
            responses=Path(snakemake.output.responses),  # noqa: F821
        )
