"""Write the cells of a map's tiles on their grid, by month and by year, as NetCDF and as Zarr."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concerto.maps import MapGrid
from concerto.products import gridded
from concerto.products.lineage import lineage, read_origins, read_release
from concerto.scripting import script_log


@dataclass(frozen=True)
class MapFiles:
    """The files of a map's tiles, and the file and the folder that they become."""

    tiles: Sequence[Path]
    netcdf: Path
    store: Path


def write_map(
    name: str,
    grid: MapGrid,
    monthly: MapFiles,
    annual: MapFiles,
    *,
    settings: Mapping[str, Any],
    sources: Sequence[Path],
    citation: Path,
    run_id: str,
) -> None:
    """Write a map with what it comes from.

    Parameters
    ----------
    name
        The map's name in the configuration.
    grid
        Its grid.
    monthly, annual
        Files of the statistics of months and of years.
    settings
        The part of the configuration that it rests on: ``map`` is the map's entry.
    sources
        Files of the sources that went in.
    citation
        What this software is: CITATION.cff.
    run_id
        Of the run that makes it.
    """
    entry = settings["map"]
    described = {
        "source": (
            f"carbon cycle model {settings['model']} calibrated cell by cell on "
            f"{', '.join(entry['streams'])} by {entry['method']}"
        ),
        "comment": "Spreads are those of the ensemble: status says which cells to trust.",
    }
    origin = lineage(read_origins(sources), settings, read_release(citation))
    origin["run_id"] = run_id
    for period, files in (("month", monthly), ("year", annual)):
        own = {
            "title": f"Carbon fluxes and pools by {period}, {entry['name']}",
            "history": f"write_map: statistics of {period}s of all tiles of {name} on their grid",
        }
        gridded.write_map(files.tiles, grid, files.netcdf, files.store, described | own | origin)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_map(
            snakemake.wildcards.map,  # noqa: F821
            MapGrid(*snakemake.params.grid),  # noqa: F821
            *(
                MapFiles(
                    [Path(tile) for tile in snakemake.input[period]],  # noqa: F821
                    Path(snakemake.output[period]),  # noqa: F821
                    Path(snakemake.output[f"{period}_store"]),  # noqa: F821
                )
                for period in ("monthly", "annual")
            ),
            settings=snakemake.params.settings,  # noqa: F821
            sources=[Path(source) for source in snakemake.input.sources],  # noqa: F821
            citation=Path(snakemake.input.citation),  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
        )
