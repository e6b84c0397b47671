"""Draw how many truths the intervals of sums over regions hold."""

from pathlib import Path

import pandas as pd
from concerto.plots import style
from concerto.plots.sums import draw
from concerto.scripting import script_log


def plot_sums(coverage: Path, output: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    coverage
        Table of ``judge_sums``.
    output
        Where to write the PNG.
    """
    style.save(draw(pd.read_csv(coverage, keep_default_na=False)), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_sums(
            Path(snakemake.input.coverage),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
