"""Judge whether intervals of sums over regions hold the truth, and would if cells were alone."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from concerto.evaluation import verdicts
from concerto.evaluation.sum_coverage import sum_coverage
from concerto.evaluation.sum_coverage import summary as summarise
from concerto.products.files import write_table, write_text
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def judge_sums(parts: Sequence[Path], coverage: Path, summary: Path, verdict: Path) -> None:
    """Write the coverage of each sum, means by kind of region, and the verdict.

    Parameters
    ----------
    parts
        Tables with the places of truths, as ``place_sums`` writes them.
    coverage, summary
        Where to write the tables.
    verdict
        Where to write the lines of :mod:`concerto.evaluation.verdicts`.
    """
    # Namibia's code is NA
    table = pd.concat([pd.read_csv(part, keep_default_na=False) for part in parts])
    found = sum_coverage(table.sort_values("truth", kind="stable"))
    said = verdicts.of_sums(found)
    log.info("%s", said)
    write_table(found, coverage)
    write_table(summarise(found), summary)
    write_text(said, verdict)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        judge_sums(
            [Path(file) for file in snakemake.input.places],  # noqa: F821
            Path(snakemake.output.coverage),  # noqa: F821
            Path(snakemake.output.summary),  # noqa: F821
            Path(snakemake.output.verdicts),  # noqa: F821
        )
