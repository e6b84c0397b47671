"""Write the tables of a map's regions under scenarios: fluxes, stocks, their change and trends."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concerto.cubes import load
from concerto.evaluation.region_futures import Futures, future_tables
from concerto.evaluation.region_totals import WHOLE
from concerto.evaluation.scenarios import GAIN, joined
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FutureFiles:
    """Where the tables are written: of periods, of each year, of trends."""

    table: Path
    yearly: Path
    trends: Path


def tabulate_futures(
    name: str,
    entry: Mapping[str, Any],
    baseline: str,
    seed: int,
    parts: Sequence[Path],
    weights: Path,
    files: FutureFiles,
) -> None:
    """Write the tables of all regions under all scenarios.

    Parameters
    ----------
    name, entry
        Name and configuration of the table.
    baseline
        The case that others are compared with.
    seed
        The run's.
    parts
        Files of ``project_scenario``, one of each tile.
    weights
        The parts that cells have in regions.
    files
        Files to write.
    """
    outcome = joined([load(part) for part in parts])
    futures = Futures(outcome, load(weights), entry.get("categories", {}))
    table, yearly, trends = future_tables(
        futures, baseline, generator(seed, "trends of scenarios", name)
    )
    write_table(table, files.table)
    write_table(yearly, files.yearly)
    write_table(trends, files.trends)
    gains = yearly[(yearly["region"] == WHOLE) & (yearly["variable"] == GAIN)]
    for row in gains[gains["year"] == gains["year"].max()].itertuples():
        log.info("%s, gain by %d: %.4g +- %.2g TgC", row.scenario, row.year, row.mean, row.sd)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        tabulate_futures(
            snakemake.wildcards.table,  # noqa: F821
            snakemake.params.entry,  # noqa: F821
            snakemake.params.baseline,  # noqa: F821
            snakemake.params.seed,  # noqa: F821
            [Path(file) for file in snakemake.input.parts],  # noqa: F821
            Path(snakemake.input.weights),  # noqa: F821
            FutureFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
