"""Tell what the posterior of a tile's cells says: statistics of each cell, sums over regions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from concerto.assimilation.cells import cells_of_tile, describe, open_cells
from concerto.cubes import load, save
from concerto.ensembles import write_ensemble
from concerto.maps import MapGrid
from concerto.projection.cells import Months
from concerto.projection.cells import project_tile as project
from concerto.projection.pieces import PieceSums
from concerto.scripting import script_log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TileFiles:
    """Where the files of a tile are written."""

    monthly: Path
    annual: Path
    sums: Path


def project_tile(
    name: str,
    entry: Mapping,
    grid: MapGrid,
    tile: str,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    posterior: Path,
    weights: Mapping[str, Path],
    files: TileFiles,
) -> None:
    """Write statistics of all cells over their members, and the members' sums over regions.

    Parameters
    ----------
    name, entry, grid, tile
        Name, configuration and grid of the map; name of the tile.
    model, cubes, posterior
        Files of the model's parameters, the cubes that the map works on, the tile's posterior.
    weights
        Files of the parts that cells have in the regions of tables, by the table's name.
    files
        Files to write.
    """
    which = cells_of_tile(entry, grid, tile, cubes["drivers"])
    cells = open_cells(model, cubes, entry, which)
    learnt = load(posterior)
    months = Months.of(cells.drivers.indexes["time"])
    parts = {table: load(file) for table, file in weights.items()}
    pieces = PieceSums(parts, learnt.sizes["member"], months) if parts else None
    projected = project(cells, learnt, pieces)
    log.info("%s, %s: %s", name, tile, describe(projected.monthly["status"]))
    for period, statistics, file in (
        ("month", projected.monthly, files.monthly),
        ("year", projected.annual, files.annual),
    ):
        write_ensemble(
            statistics.assign_attrs(tile=tile, method=entry["method"]),
            file,
            title=f"Carbon fluxes and pools of cells of {entry['name']}",
            source=f"{cells.model.name}, {', '.join(entry['streams'])} by {entry['method']}",
            history=f"project_tile: statistics over members of the posterior, by {period}",
        )
    sums = projected.sums if pieces is None else projected.sums.merge(pieces.dataset())
    save(sums, files.sums)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        project_tile(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.map,  # noqa: F821
            MapGrid(*snakemake.params.grid),  # noqa: F821
            snakemake.wildcards.tile,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            {Path(file).parent.name: Path(file) for file in snakemake.input.weights},  # noqa: F821
            TileFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
