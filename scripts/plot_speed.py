"""Draw how fast the models run."""

from pathlib import Path

import pandas as pd
from concerto.plots import speed, style
from concerto.scripting import script_log


def plot_speed(models: Path, cells: Path, of_models: Path, of_cells: Path) -> None:
    """Write the figures and the words beside them.

    Parameters
    ----------
    models, cells
        Times of models, and of many cells.
    of_models, of_cells
        Where to write the PNG of each.
    """
    style.save(speed.draw(pd.read_csv(models)), of_models)
    style.save(speed.draw_cells(pd.read_csv(cells)), of_cells)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_speed(
            Path(snakemake.input.models),  # noqa: F821
            Path(snakemake.input.cells),  # noqa: F821
            Path(snakemake.output.models),  # noqa: F821
            Path(snakemake.output.cells),  # noqa: F821
        )
