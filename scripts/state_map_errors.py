"""State how wrong model and observations of a map's cells are, from some of them."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.cells import open_cells, pooled, sample, scaled
from concerto.assimilation.location import state_errors
from concerto.models import load_model
from concerto.products.files import write_text
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def state_map_errors(
    name: str,
    entry: Mapping,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    classes: Path | None,
    output: Path,
    *,
    constraints: Sequence[str],
    budget: Mapping,
    settings: Mapping,
    seed: int,
) -> None:
    """Write the stated errors of all streams of a map (JSON).

    Parameters
    ----------
    name, entry
        Name and configuration of the map.
    model, cubes
        Files of the model's parameters; the cubes that the map works on.
    classes
        File of priors by class of land, if the map has one.
    output
        Where to write.
    constraints, budget
        Constraints switched on; budget of the ensemble smoother that calibrates the model.
    settings
        Law of the errors, and whether their size is to be inferred.
    """
    chosen = sample(load_model(model), cubes, entry)
    cells = open_cells(model, cubes, entry, chosen, classes=classes)
    statements = []
    for k, cell in enumerate(cells.names):
        rng = generator(seed, "errors", name, cell)
        location = cells.location(k)
        stated = state_errors(location, constraints, budget, rng, settings)
        sizes = {stream: 1.0 / size for stream, size in cells.sizes(location).items()}
        statements.append(scaled(stated, sizes))
        log.info("%s, %d of %d: %s", cell, k + 1, len(cells), statements[-1].stream_errors)
    statement = pooled(statements)
    for stream, error in statement.stream_errors.items():
        log.info("%s, %s: %s", name, stream, error)
    write_text(json.dumps(statement.to_dict(), indent=2) + "\n", output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        state_map_errors(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.map,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            next(map(Path, snakemake.input.classes), None),  # noqa: F821
            Path(snakemake.output.statement),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            budget=snakemake.params.budget,  # noqa: F821
            settings=snakemake.params.settings,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
