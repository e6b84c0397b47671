"""Draw what posteriors cost by each method, and how far they are from a long chain."""

from pathlib import Path

import pandas as pd
from concerto.plots import cost, style
from concerto.scripting import script_log


def plot_methods(case: str, table: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    case
        Name of a case.
    table
        Table of all cases that ``tabulate_methods`` wrote.
    figure
        Where to write the PNG.
    """
    every = pd.read_csv(table)
    style.save(cost.draw(every[every.case == case], case), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_methods(
            snakemake.wildcards.case,  # noqa: F821
            Path(snakemake.input.cost),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
