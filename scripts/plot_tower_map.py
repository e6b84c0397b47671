"""Draw where predictions at a network's towers are good."""

from pathlib import Path

import geopandas
from concerto.cubes import load
from concerto.plots import style, tower_map
from concerto.plots.towers import read_scores
from concerto.scripting import script_log


def plot_tower_map(name: str, scores: Path, judged: Path, borders: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name
        The network in words.
    scores
        Table of scores.
    judged
        What was predicted of what was withheld, with the places of the towers.
    borders
        Layer of the countries' polygons.
    figure
        Where to write the PNG.
    """
    places = geopandas.read_file(borders)
    style.save(tower_map.draw(name, read_scores(scores), load(judged), places), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_tower_map(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.input.judged),  # noqa: F821
            Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
