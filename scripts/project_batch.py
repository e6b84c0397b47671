"""Tell what the posteriors of a batch of towers say of each month."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.cells import cells_of_tile, describe, open_cells
from concerto.cubes import load, save
from concerto.projection.towers import project_towers
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def project_batch(
    name: str,
    entry: Mapping,
    batch: str,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    posterior: Path,
    output: Path,
) -> None:
    """Write means and standard deviations of all towers of a batch over their members.

    Parameters
    ----------
    name, entry, batch
        Name and configuration of the trial; name of the batch.
    model, cubes, posterior
        Files of the model's parameters, the cubes of the network, the batch's posterior.
    output
        NetCDF.
    """
    cells = open_cells(model, cubes, entry, cells_of_tile(entry, None, batch, cubes["drivers"]))
    projected = project_towers(cells, load(posterior))
    log.info("%s, %s: %s", name, batch, describe(projected["status"]))
    save(projected, output, "float64")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        project_batch(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.map,  # noqa: F821
            snakemake.wildcards.tile,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            Path(snakemake.output.projection),  # noqa: F821
        )
