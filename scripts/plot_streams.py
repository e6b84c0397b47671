"""Draw what streams of observations take off the errors, in twin experiments."""

from pathlib import Path

import pandas as pd
from concerto.plots import information, style
from concerto.scripting import script_log


def plot_streams(reduction: Path, values: Path, of_reduction: Path, of_values: Path) -> None:
    """Write the figures and the words beside them.

    Parameters
    ----------
    reduction, values
        Tables that ``tabulate_streams`` wrote.
    of_reduction, of_values
        Where to write the PNG of each.
    """
    style.save(information.draw_reduction(pd.read_csv(reduction)), of_reduction)
    style.save(information.draw_values(pd.read_csv(values)), of_values)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_streams(
            Path(snakemake.input.reduction),  # noqa: F821
            Path(snakemake.input.values),  # noqa: F821
            Path(snakemake.output.reduction),  # noqa: F821
            Path(snakemake.output.values),  # noqa: F821
        )
