"""Draw observed against calibrated fAPAR of a map of one column."""

from pathlib import Path

from concerto.cubes import OBSERVATIONS_EITHER, read_cube
from concerto.plots import cells, hovmoller, style
from concerto.scripting import script_log


def plot_fapar(name: str, product: Path, observations: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name
        The map in words.
    product
        The map on its grid, of one column.
    observations
        The cube that was assimilated.
    figure
        Where to write the PNG.
    """
    drawing = hovmoller.draw_fapar(
        name,
        cells.read_map(product, hovmoller.FAPAR),
        read_cube(observations, OBSERVATIONS_EITHER),
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_fapar(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.map),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
