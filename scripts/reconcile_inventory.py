"""Explain the difference between a map's regions and their national inventory."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concerto.cubes import load
from concerto.evaluation.inventory import Given, read_land_use, reconcile
from concerto.evaluation.policy_files import read_inventory, read_lateral, read_transitions
from concerto.evaluation.region_totals import read_rows
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GivenFiles:
    """What users give; all but the inventory may be missing."""

    inventory: Path
    lateral: Path | None
    transitions: Path | None
    land_use: Path | None


def reconcile_inventory(
    name: str,
    entry: Mapping[str, Any],
    seed: int,
    *,
    members: Path,
    areas: Path,
    weights: Path,
    given: GivenFiles,
    output: Path,
) -> None:
    """Write the terms of all regions, categories and years that map and inventory have.

    Parameters
    ----------
    name, entry
        Name and configuration of the table.
    seed
        The run's.
    members, areas, weights
        The members' totals of pieces of regions, areas of these, parts of cells in them.
    given
        Files that users give.
    output
        Table with the columns of :mod:`concerto.evaluation.inventory`.
    """
    pieces = load(members)
    regions = [str(region) for region in load(weights)["region_name"].to_numpy()]
    found = Given(
        read_inventory(given.inventory, regions),
        read_lateral(given.lateral, regions) if given.lateral else None,
        read_transitions(given.transitions, regions) if given.transitions else None,
        read_land_use(given.land_use, pieces.sizes["member"]) if given.land_use else None,
        given.transitions,
    )
    rng = generator(seed, "inventory", name)
    table = reconcile(pieces, read_rows(areas), entry.get("categories", {}), found, rng)
    write_table(table, output)
    for row in table[table.row == "unexplained"].itertuples():
        log.info("%s, %s, %d: unexplained %.4g +- %.2g %s", row.region, row.category, row.year,
                 row.mean, row.sd, row.unit)  # fmt: skip


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        inputs = snakemake.input  # noqa: F821
        reconcile_inventory(
            snakemake.wildcards.table,  # noqa: F821
            snakemake.params.entry,  # noqa: F821
            snakemake.params.seed,  # noqa: F821
            members=Path(inputs.members),
            areas=Path(inputs.areas),
            weights=Path(inputs.weights),
            given=GivenFiles(
                *(
                    next(map(Path, inputs[key]), None)
                    for key in ("inventory", "lateral", "transitions", "land_use")
                )
            ),
            output=Path(snakemake.output.table),  # noqa: F821
        )
