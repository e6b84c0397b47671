"""Draw how fast the models run."""

from pathlib import Path

import pandas as pd
from concerto.plots import speed, style
from concerto.scripting import script_log


def plot_speed(table: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    table
        Times of the models.
    figure
        Where to write the PNG.
    """
    style.save(speed.draw(pd.read_csv(table)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_speed(
            Path(snakemake.input.table),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
