"""Judge by the ranks of truths whether the stated uncertainty of each method is true."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from concerto.evaluation import verdicts
from concerto.evaluation.calibration import judge_methods, method_summary
from concerto.products.files import write_text
from concerto.scripting import script_log


def judge_ranks(
    parts: Sequence[Path],
    ranks: Path,
    calibration: Path,
    methods: Path,
    verdict: Path,
    *,
    draws: int,
) -> None:
    """Write the ranks of all methods, the verdict of each quantity, and that of each method.

    Parameters
    ----------
    parts
        Tables with one row for each method and truth, as ``rank_truths`` writes them.
    ranks, calibration, methods
        Where to write the tables.
    verdict
        Where to write the lines of :mod:`concerto.evaluation.verdicts`.
    draws
        Number of draws that truths were ranked among.
    """
    table = pd.concat([pd.read_csv(part) for part in parts]).sort_values(["method", "truth"])
    judged = judge_methods(table, draws)
    write_text(table.to_csv(index=False), ranks)
    write_text(judged.to_csv(index=False), calibration)
    summary = method_summary(table, judged)
    write_text(summary.to_csv(index=False), methods)
    write_text(verdicts.of_calibration(summary), verdict)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        judge_ranks(
            [Path(file) for file in snakemake.input.ranks],  # noqa: F821
            Path(snakemake.output.ranks),  # noqa: F821
            Path(snakemake.output.calibration),  # noqa: F821
            Path(snakemake.output.methods),  # noqa: F821
            Path(snakemake.output.verdicts),  # noqa: F821
            draws=snakemake.params.draws,  # noqa: F821
        )
