"""Compare the scenarios of a place: regions, paired differences, what the variance is made of."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from concerto.cubes import load
from concerto.ensembles import write_ensemble
from concerto.evaluation.scenarios import (
    baseline_of,
    by_region,
    joined,
    scenario_table,
    variance_table,
)
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """Where the files of a place are written."""

    regions: Path
    landuse: Path
    table: Path
    variance: Path


def compare_scenarios(place: str, parts: Sequence[Path], baseline: str, files: Files) -> None:
    """Write sums by region, the component fluxes of the baseline and two tables.

    Parameters
    ----------
    place
        Name of the place.
    parts
        Files of ``project_scenario``, one of each tile.
    baseline
        The case that others are compared with.
    files
        Files to write.
    """
    outcome = joined([load(part) for part in parts])
    regions = by_region(outcome)
    said = {
        "source": outcome.attrs["source"],
        "history": f"compare_scenarios: {outcome.sizes['location']} locations",
    }
    notes = {
        "method": outcome.attrs["method"],
        "converged": outcome.attrs["converged"],
        "locations": outcome.sizes["location"],
        "members": outcome.sizes["member"],
    }
    write_ensemble(
        regions.assign_attrs(notes), files.regions, title=f"Scenarios of {place} by region", **said
    )
    write_ensemble(
        baseline_of(outcome, baseline),
        files.landuse,
        title=f"Component fluxes of {place} in the scenario {baseline}",
        **said,
    )
    table = scenario_table(regions, baseline)
    write_table(table, files.table)
    write_table(variance_table(outcome), files.variance)
    for row in table[
        (table["variable"] == "carbon_gain") & (table["region"] == "all")
    ].itertuples():
        log.info(
            "%s, %s: %.4g +- %.2g %s by %s; to %s: %.4g +- %.2g",
            place, row.scenario, row.mean, row.sd, row.units, row.period, baseline,
            row.difference_mean, row.difference_sd,
        )  # fmt: skip


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        compare_scenarios(
            snakemake.wildcards.place,  # noqa: F821
            [Path(file) for file in snakemake.input.parts],  # noqa: F821
            snakemake.params.baseline,  # noqa: F821
            Files(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
