"""Draw where the towers are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas
from concerto.plots import sites, style
from concerto.scripting import script_log


def plot_sites(settings: Mapping[str, Mapping[str, Any]], borders: Path, figure: Path) -> None:
    """Write the map and the words beside it.

    Parameters
    ----------
    settings
        The sites of the configuration.
    borders
        Layer of the countries' polygons.
    figure
        Where to write the PNG.
    """
    style.save(sites.draw(settings, geopandas.read_file(borders)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_sites(
            snakemake.params.sites,  # noqa: F821
            Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
