"""Tell what towers would measure whose parameters are as all others teach them, and no more."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.cells import describe, drawn_from_priors, open_cells
from concerto.cubes import save
from concerto.projection.towers import project_towers
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def project_priors(
    name: str,
    entry: Mapping,
    by: str,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    taught: Path,
    output: Path,
    *,
    members: int,
    seed: int,
) -> None:
    """Write means and standard deviations of all towers over draws of their priors.

    Parameters
    ----------
    name, entry, by
        Name and configuration of the trial whose observations taught; what they are taught by.
    model, cubes, taught
        Files of the model's parameters, the cubes of the network, what others teach.
    output
        NetCDF.
    members
        Draws of each tower.
    """
    cells = open_cells(model, cubes, entry, taught=taught)
    drawn = drawn_from_priors(cells, members, generator(seed, "project priors", name, by))
    projected = project_towers(cells, drawn)
    log.info("%s: %s", name, describe(projected["status"]))
    save(projected, output, "float64")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        project_priors(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.map,  # noqa: F821
            snakemake.wildcards.by,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            Path(snakemake.input.taught),  # noqa: F821
            Path(snakemake.output.projection),  # noqa: F821
            members=snakemake.params.members,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
