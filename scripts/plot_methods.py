"""Draw what posteriors cost by each method, and how far they are from a long chain."""

from pathlib import Path

import pandas as pd
from concerto.plots import cost, style
from concerto.scripting import script_log


def plot_methods(site: str, methods: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site
        Name of the site.
    methods
        Table that ``measure_methods`` wrote.
    figure
        Where to write the PNG.
    """
    style.save(cost.draw(pd.read_csv(methods), site), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_methods(
            snakemake.wildcards.site,  # noqa: F821
            Path(snakemake.input.methods),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
