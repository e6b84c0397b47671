"""Write the table of a map's regions: fluxes, stocks, their change, trends and areas."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concerto.cubes import load, save
from concerto.evaluation.region_totals import WHOLE, area_table, region_table, trend_table
from concerto.products.files import write_table
from concerto.projection.pieces import join_pieces
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableFiles:
    """Where the members' totals of pieces of regions and the tables are written."""

    members: Path
    table: Path
    trends: Path
    areas: Path


def tabulate_regions(
    name: str,
    entry: Mapping[str, Any],
    seed: int,
    tiles: Sequence[Path],
    weights: Path,
    files: TableFiles,
) -> None:
    """Write the tables of all regions.

    Parameters
    ----------
    name, entry
        Name and configuration of the table.
    seed
        The run's.
    tiles
        Files of the tiles' sums.
    weights
        The parts that cells have in regions.
    files
        Files to write.
    """
    pieces = join_pieces([load(tile) for tile in tiles], name)
    table = region_table(pieces, entry.get("categories", {}), entry.get("periods", {}))
    save(pieces, files.members)
    write_table(table, files.table)
    write_table(trend_table(pieces, generator(seed, "trends", name)), files.trends)
    write_table(area_table(load(weights), pieces), files.areas)
    whole = table[(table.region == WHOLE) & (table.kind == "all") & (table.variable == "nbp")]
    for row in whole.itertuples():
        log.info("%s, NBP: %.4g +- %.2g %s", row.period, row.mean, row.sd, row.unit)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        tabulate_regions(
            snakemake.wildcards.table,  # noqa: F821
            snakemake.params.entry,  # noqa: F821
            snakemake.params.seed,  # noqa: F821
            [Path(file) for file in snakemake.input.tiles],  # noqa: F821
            Path(snakemake.input.weights),  # noqa: F821
            TableFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
