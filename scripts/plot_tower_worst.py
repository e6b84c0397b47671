"""Draw the time series of the towers with the largest errors."""

from pathlib import Path

import pandas as pd
from concerto.cubes import load
from concerto.plots import style, tower_worst
from concerto.scripting import script_log


def plot_tower_worst(name: str, worst: Path, judged: Path, predictions: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name
        The network in words.
    worst
        Table of the towers.
    judged
        What was withheld, and what was predicted of it.
    predictions
        The published predictions.
    figure
        Where to write the PNG.
    """
    table = pd.read_csv(worst)
    style.save(tower_worst.draw(name, table, load(judged), load(predictions)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_tower_worst(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.worst),  # noqa: F821
            Path(snakemake.input.judged),  # noqa: F821
            Path(snakemake.input.predictions),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
