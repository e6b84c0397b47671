"""Draw how good predictions at a network's towers are, over all and by class of land."""

from pathlib import Path

from concerto.plots import style, tower_scores
from concerto.plots.towers import read_scores
from concerto.scripting import script_log


def plot_tower_scores(name: str, scores: Path, figure: Path, classes: Path) -> None:
    """Write the figures and the words beside them.

    Parameters
    ----------
    name
        The network in words.
    scores
        Table of scores.
    figure, classes
        Where to write the PNG of all towers, and that of each class.
    """
    table = read_scores(scores)
    style.save(tower_scores.draw(name, table), figure)
    style.save(tower_scores.draw_classes(name, table), classes)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_tower_scores(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
            Path(snakemake.output.classes),  # noqa: F821
        )
