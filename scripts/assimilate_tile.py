"""Learn the parameters of each cell of a tile of a map; count what became of them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.cells import assimilate_cells, cells_of_tile, describe, open_cells
from concerto.assimilation.location import ErrorStatement
from concerto.ensembles import cells_dataset, write_ensemble
from concerto.maps import MapGrid
from concerto.plugins import load
from concerto.scripting import script_log

log = logging.getLogger(__name__)

_EVERY = 20


def assimilate_tile(
    name: str,
    entry: Mapping,
    grid: MapGrid | None,
    tile: str,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    classes: Path | None,
    taught: Path | None,
    statement: Path,
    output: Path,
    *,
    constraints: Sequence[str],
    seed: int,
) -> None:
    """Write the members of each cell's parameters, with a verdict for each.

    Parameters
    ----------
    name, entry, grid, tile
        Name, configuration and grid of the map (none for towers); name of the tile.
    model, cubes, statement
        Files of the model's parameters, the cubes that the map works on, its stated errors.
    classes
        File of priors by class of land, if the map has one.
    taught
        File of what other places teach of the parameters, if they do.
    output
        NetCDF; of a tile without cells it has none.
    constraints
        Constraints switched on.
    """
    which = cells_of_tile(entry, grid, tile, cubes["drivers"])
    cells = open_cells(model, cubes, entry, which, classes, taught)
    errors = ErrorStatement.read(statement)
    method = load("assimilation.methods", entry["method"])
    # a method's own progress, of one cell, says little here
    logging.getLogger(method.__package__).setLevel(logging.WARNING)
    solved = []
    for one in assimilate_cells(cells, errors, constraints, method, seed, name):
        solved.append(one)
        if len(solved) % _EVERY == 0 or len(solved) == len(cells):
            log.info("%s, %s: %d of %d cells", name, tile, len(solved), len(cells))
    for cell, one in zip(cells.names, solved, strict=True):
        if one.status:
            log.warning("%s: %s", cell, one.reason)
    log.info("%s, %s: %s", name, tile, describe([one.status for one in solved]))
    dataset = cells_dataset(cells, errors.prior(cells.common_prior).parameters, solved)
    dataset.attrs = {"method": entry["method"], "tile": tile, "seed": seed}
    write_ensemble(
        dataset,
        output,
        title=f"Posteriors of cells of {entry['name']}",
        source=cells.model.name,
        history=f"assimilate_tile: {', '.join(entry['streams'])} by {entry['method']}",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        assimilate_tile(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.map,  # noqa: F821
            MapGrid(*snakemake.params.grid) if snakemake.params.grid else None,  # noqa: F821
            snakemake.wildcards.tile,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            next(map(Path, snakemake.input.classes), None),  # noqa: F821
            next(map(Path, snakemake.input.taught), None),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.output.posterior),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
