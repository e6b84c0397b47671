"""Draw maps of truths, for a twin experiment of a map."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.cells import CONVERGED, Solved, of_countries, open_cells
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.twin_maps import draw_truth_maps as draw
from concerto.ensembles import cells_dataset, write_ensemble
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def draw_truth_maps(
    entry: Mapping,
    settings: Mapping,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    classes: Path | None,
    statement: Path,
    output: Path,
    *,
    constraints: Sequence[str],
    seed: int,
) -> None:
    """Write parameters of the cells of some countries, drawn from the field and the constraints.

    Parameters
    ----------
    entry, settings
        Configuration of the map, and of the twin experiment.
    model, cubes, statement
        Files of the model's parameters, the cubes that the map works on, its stated errors.
    classes
        File of priors by class of land, if the map has one.
    output
        NetCDF with the parameters; each truth is a member.
    constraints
        Constraints switched on.
    """
    every = open_cells(model, cubes, entry)
    which = of_countries(every, settings["countries"])
    cells = open_cells(model, cubes, entry, which, classes)
    log.info("%d cells of %s", len(cells), ", ".join(settings["countries"]))
    errors = ErrorStatement.read(statement)
    truths = draw(cells, errors, constraints, settings["truths"], settings["settling"], seed)
    drawn = [Solved(CONVERGED, "a truth", truths[:, k]) for k in range(len(cells))]
    write_ensemble(
        cells_dataset(cells, errors.prior(cells.common_prior).parameters, drawn),
        output,
        title=f"Truths for a twin experiment of {entry['name']}",
        source=cells.model.name,
        history="draw_truth_maps: from the random field and the constraints, by settled members",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        draw_truth_maps(
            snakemake.params.map,  # noqa: F821
            snakemake.params.settings,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            next(map(Path, snakemake.input.classes), None),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.output.truths),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
