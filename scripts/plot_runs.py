"""Draw several runs beside each other."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from concerto.plots import style
from concerto.plots.runs import draw
from concerto.scripting import script_log


def plot_runs(names: Sequence[str], scores: Path, sums: Path, output: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    names
        The runs, in the order of the legend.
    scores, sums
        Tables of ``tabulate_runs``.
    output
        Where to write the PNG.
    """
    tables = (pd.read_csv(table, keep_default_na=False, na_values=[""]) for table in (scores, sums))
    style.save(draw(names, *tables), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_runs(
            snakemake.params.names,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.input.sums),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
