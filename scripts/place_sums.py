"""Observe and assimilate maps of truths, and place their sums over regions among the members'."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.assimilation.cells import FAILED, assimilate_cells, describe, of_countries, open_cells
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.twin_maps import observe_cells
from concerto.ensembles import cells_dataset
from concerto.evaluation.region_twins import place_sums as place
from concerto.plugins import load
from concerto.products.files import write_text
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def place_sums(
    entry: Mapping,
    settings: Mapping,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    classes: Path | None,
    statement: Path,
    truths: Path,
    output: Path,
    *,
    job: int,
    constraints: Sequence[str],
    seed: int,
) -> None:
    """Write where the sums of a share of the truths fall.

    Parameters
    ----------
    entry, settings
        Configuration of the map, and of the twin experiment.
    model, cubes, statement, truths
        Files of the model's parameters, the cubes that the map works on, its stated errors, the
        truths.
    classes
        File of priors by class of land, if the map has one.
    output
        CSV with a row for each truth, arrangement of members, region, variable and year.
    job
        Its number; jobs take truths in turn.
    constraints
        Constraints switched on.
    """
    every = open_cells(model, cubes, entry)
    which = of_countries(every, settings["countries"])
    cells = open_cells(model, cubes, entry, which, classes)
    errors = ErrorStatement.read(statement)
    known = xr.load_dataset(truths)
    method = load("assimilation.methods", entry["method"])
    # methods' own progress, of one cell, says little here
    logging.getLogger("concerto.assimilation.methods").setLevel(logging.WARNING)
    placed = []
    for number in range(job, known.sizes["member"], settings["jobs"]):
        label = f"truth {number}"
        truth = known["parameters"][number].to_numpy().astype(float)
        observed = observe_cells(cells, errors, constraints, truth, seed, label)
        solved = list(assimilate_cells(observed, errors, constraints, method, seed, label))
        posterior = cells_dataset(observed, errors.prior(cells.common_prior).parameters, solved)
        for cell, one in zip(cells.names, solved, strict=True):
            if one.status == FAILED:
                log.warning("%s, %s: %s", label, cell, one.reason)
        log.info("%s: %s", label, describe([one.status for one in solved]))
        placed.append(place(cells, known, number, posterior, generator(seed, "places", label)))
    write_text(pd.concat(placed).to_csv(index=False), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        place_sums(
            snakemake.params.map,  # noqa: F821
            snakemake.params.settings,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            next(map(Path, snakemake.input.classes), None),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.input.truths),  # noqa: F821
            Path(snakemake.output.places),  # noqa: F821
            job=int(snakemake.wildcards.job),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
