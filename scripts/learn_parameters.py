"""Learn a process model's parameters at all towers of a network together, each from the others."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from concerto.assimilation.cells import Cells, open_cells
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import Scores
from concerto.cubes import save
from concerto.ensembles import taught_dataset
from concerto.learning.folds import folds_of
from concerto.learning.regionalisation import Places, Schooling, centres, spread_about, teach
from concerto.learning.traits import is_cover, traits_of
from concerto.networks import COVER
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def learn_parameters(
    name: str,
    entry: Mapping,
    by: str,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    statement: Path,
    output: Path,
    *,
    settings: Mapping,
    constraints: Sequence[str],
    seed: int,
) -> None:
    """Write what the other towers teach of each tower's parameters (NetCDF).

    Parameters
    ----------
    name, entry
        Name and configuration of the trial whose observations teach.
    by
        What they are taught by, of :data:`concerto.networks.TAUGHT_BY`.
    model, cubes, statement
        Files of the model's parameters, the cubes of the network, the trial's stated errors.
    output
        Where to write.
    settings
        How towers learn from each other.
    constraints
        Constraints switched on.
    """
    cells = open_cells(model, cubes, entry)
    problems = _problems(cells, ErrorStatement.read(statement), constraints)
    traits = traits_of(cells.drivers, cells.observations, cells.land)
    if by == COVER:
        traits = traits.only([trait for trait in traits.names if is_cover(trait)])
    log.info("traits: %s", ", ".join(traits.names))
    folds = folds_of(entry["cubes"], len(cells), settings["folds"], seed)
    rng = generator(seed, "learn parameters", name, by)
    # who knows the land cover alone does not know when it is warm
    turns = np.zeros(len(cells)) if by == COVER else traits.warmest
    places = Places(traits.values, folds, turns)
    networks = teach(problems, places, Schooling(**settings["parameters"]), rng)
    space = next(Scores(problem) for problem in problems if problem is not None)
    middle = centres(networks, places, space.circular)
    law = spread_about(problems, middle, rng)
    save(taught_dataset(cells, space.parameters_of(middle), *law), output, "float64")


def _problems(
    cells: Cells, statement: ErrorStatement, constraints: Sequence[str]
) -> list[Problem | None]:
    """Return the problem of each tower with all errors as stated, None where there is none."""
    return [
        cells.problem(k, statement, constraints).as_stated()
        if cells.driven(k) and cells.observed(k)
        else None
        for k in range(len(cells))
    ]


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        learn_parameters(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.trial,  # noqa: F821
            snakemake.wildcards.by,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.output.taught),  # noqa: F821
            settings=snakemake.params.learning,  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
