"""Find the towers with the largest errors, and say what their data have to do with it."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from concerto.cubes import load
from concerto.evaluation.tower_reasons import explain
from concerto.evaluation.trial_verdicts import read_verdicts
from concerto.networks import INNER
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def explain_towers(
    judged: Path, plausibility: Path, posteriors: Sequence[Path], table: Path
) -> None:
    """Write the table.

    Parameters
    ----------
    judged
        What was withheld and what was predicted of it.
    plausibility
        Doubts about what towers report.
    posteriors
        All batches of the inner trial.
    table
        Where to write one row for each of the worst towers.
    """
    verdicts = read_verdicts({INNER: posteriors})
    by_tower = {row.tower: (row.status, row.reason) for row in verdicts.itertuples()}
    found = explain(load(judged), pd.read_csv(plausibility), by_tower)
    for row in found.itertuples():
        log.info("%s, %s: %.1f %% of squared errors. %s",
                 row.tower, row.igbp, 100.0 * row.share, row.reason)  # fmt: skip
    write_table(found, table)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        explain_towers(
            Path(snakemake.input.judged),  # noqa: F821
            Path(snakemake.input.plausibility),  # noqa: F821
            [Path(file) for file in snakemake.input.posteriors],  # noqa: F821
            Path(snakemake.output.table),  # noqa: F821
        )
