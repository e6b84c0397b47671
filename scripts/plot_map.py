"""Draw maps of annual means and their uncertainty."""

from pathlib import Path

import geopandas
from concerto.plots import cells, maps, style
from concerto.scripting import script_log


def plot_map(name: str, product: Path, borders: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name
        The map in words.
    product
        The map of years on its grid.
    borders
        Layer of the countries' polygons.
    figure
        Where to write the PNG.
    """
    found = cells.read_map(product, maps.VARIABLES)
    style.save(maps.draw(name, found, geopandas.read_file(borders)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_map(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.annual),  # noqa: F821
            Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
