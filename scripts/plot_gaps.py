"""Draw when and where an area has observations."""

from pathlib import Path

from concerto.cubes import OBSERVATIONS_EITHER, read_cube
from concerto.plots import gaps, style
from concerto.scripting import script_log


def plot_gaps(observations: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    observations
        The area's observations.
    figure
        Where to write the PNG.
    """
    style.save(gaps.draw([read_cube(observations, OBSERVATIONS_EITHER)]), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_gaps(
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
