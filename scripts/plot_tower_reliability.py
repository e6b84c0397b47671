"""Draw whether intervals of predictions at a network's towers hold what they promise."""

from pathlib import Path

from concerto.cubes import load
from concerto.plots import style, tower_reliability
from concerto.scripting import script_log


def plot_tower_reliability(name: str, judged: Path, figure: Path, *, seed: int) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name
        The network in words.
    judged
        Ranks of what was withheld in what was predicted.
    figure
        Where to write the PNG.
    """
    style.save(tower_reliability.draw(name, load(judged), seed), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_tower_reliability(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.judged),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
