"""Write the cells of a map's tiles on their grid, as NetCDF and as Zarr."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from concerto.maps import MapGrid
from concerto.products import gridded
from concerto.products.lineage import lineage, read_origins, read_release
from concerto.scripting import script_log


def write_map(
    name: str,
    tiles: Sequence[Path],
    grid: MapGrid,
    netcdf: Path,
    store: Path,
    *,
    settings: Mapping[str, Any],
    sources: Sequence[Path],
    citation: Path,
) -> None:
    """Write a map with what it comes from.

    Parameters
    ----------
    name
        The map's name in the configuration.
    tiles
        Files of its tiles.
    grid
        Its grid.
    netcdf, store
        The file and the folder to write.
    settings
        The part of the configuration that it rests on: ``map`` is the map's entry.
    sources
        Files of the sources that went in.
    citation
        What this software is: CITATION.cff.
    """
    entry = settings["map"]
    described = {
        "title": f"Carbon fluxes and pools, {entry['name']}",
        "source": (
            f"carbon cycle model {settings['model']} calibrated cell by cell on "
            f"{', '.join(entry['streams'])} by {entry['method']}"
        ),
        "history": f"write_map: cells of products/{name}/tiles on their grid",
        "comment": "Spreads are those of the ensemble: status says which cells to trust.",
    }
    origin = lineage(read_origins(sources), settings, read_release(citation))
    gridded.write_map(tiles, grid, netcdf, store, described | origin)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_map(
            snakemake.wildcards.map,  # noqa: F821
            [Path(tile) for tile in snakemake.input.tiles],  # noqa: F821
            MapGrid(*snakemake.params.grid),  # noqa: F821
            Path(snakemake.output.netcdf),  # noqa: F821
            Path(snakemake.output.store),  # noqa: F821
            settings=snakemake.params.settings,  # noqa: F821
            sources=[Path(source) for source in snakemake.input.sources],  # noqa: F821
            citation=Path(snakemake.input.citation),  # noqa: F821
        )
