"""Draw sums over the regions of a map."""

from pathlib import Path

from concerto.plots import regions, style
from concerto.scripting import script_log


def plot_regions(name: str, table: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name
        The map in words.
    table
        Sums by region.
    figure
        Where to write the PNG.
    """
    style.save(regions.draw(name, regions.read_regions(table)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_regions(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.regions),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
