"""Add up the regions of a map from its tiles: by country, land cover and climate."""

import logging
from collections.abc import Sequence
from pathlib import Path

from concerto.cubes import load, save
from concerto.evaluation.regions import joined, region_table
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def sum_regions(tiles: Sequence[Path], sums: Path, table: Path, *, run_id: str) -> None:
    """Write the members' sums of each region, and the table of whole years.

    Parameters
    ----------
    tiles
        Files of the tiles' sums.
    sums, table
        NetCDF with each member's sums by month, in grams of carbon; CSV of years, in teragrams.
    run_id
        Of the run that makes them; in each row of the table.
    """
    # one tile at a time: their members take the memory
    whole, parts = None, []
    for file in tiles:
        tile = load(file)
        if tile.sizes["region"]:
            whole = joined([tile] if whole is None else [whole, tile])
        parts.append(tile.drop_dims("member"))
    if whole is None:
        whole = joined(parts)  # which says that no cell has values
    described = region_table(whole, parts)
    found = int(whole["cells"][whole["kind"] == "all"].sum())
    log.info("%d of %d cells have values", found, sum(part.sizes["location"] for part in parts))
    save(whole.assign_attrs(run_id=run_id), sums)
    write_table(described.assign(run_id=run_id), table)
    for row in described[described["kind"] == "all"].itertuples():
        log.info(
            "%s %d: %.4g +- %.2g %s (independent cells: %.2g)",
            row.variable, row.year, row.mean, row.sd, row.units, row.sd_independent,
        )  # fmt: skip


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        sum_regions(
            [Path(file) for file in snakemake.input.tiles],  # noqa: F821
            Path(snakemake.output.sums),  # noqa: F821
            Path(snakemake.output.table),  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
        )
