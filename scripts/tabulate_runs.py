"""Tabulate several runs beside each other."""

import logging
from collections.abc import Mapping
from pathlib import Path

from concerto.evaluation.runs import compare_scores, compare_sums, shared_places
from concerto.products.files import write_text
from concerto.products.runs_page import read_run
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def tabulate_runs(folders: Mapping[str, str], scores: Path, sums: Path) -> None:
    """Write the scores and the sums of runs.

    Parameters
    ----------
    folders
        Folders of their results, by what people call the runs.
    scores, sums
        CSV: each run's scores beside its baselines'; the sums that two runs have.
    """
    runs = {name: read_run(Path(folder)) for name, folder in folders.items()}
    shared, alone = shared_places(runs)
    log.info("%d places in two runs or more: %s", len(shared), "; ".join(shared))
    for name, places in alone.items():
        log.info("in %s alone: %s", name, "; ".join(places))
    write_text(compare_scores(runs).to_csv(index=False), scores)
    write_text(compare_sums(runs).to_csv(index=False), sums)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        tabulate_runs(
            snakemake.params.runs,  # noqa: F821
            Path(snakemake.output.scores),  # noqa: F821
            Path(snakemake.output.sums),  # noqa: F821
        )
