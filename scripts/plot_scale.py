"""Draw how the cost of a cell changes with the size of a map."""

from pathlib import Path

import pandas as pd
from concerto.plots import scale, style
from concerto.scripting import script_log


def plot_scale(table: Path, linear: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    table, linear
        Tables of ``tabulate_scale``.
    figure
        Where to write the PNG.
    """
    style.save(scale.draw(pd.read_csv(table), pd.read_csv(linear)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_scale(
            Path(snakemake.input.scale),  # noqa: F821
            Path(snakemake.input.linearity),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
