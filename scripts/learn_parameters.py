"""Learn a process model's parameters at all towers of a network together, each from the others."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from concerto.assimilation.cells import Cells, open_cells
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import Scores
from concerto.cubes import save
from concerto.ensembles import taught_dataset
from concerto.learning.cards import Card, write_card
from concerto.learning.folds import folds_of
from concerto.learning.partitions import each_by_others, table_of
from concerto.learning.regionalisation import (
    Places,
    Schooling,
    centres,
    likelihoods,
    spread_about,
    teach,
)
from concerto.learning.traits import is_cover, traits_of
from concerto.networks import COVER
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

LIMITS = (
    "A centre is of networks that did not see the tower; the spread about it is of all towers.",
    "Of places whose traits no tower has, it is an extrapolation that nothing here judges.",
    "Parameters that the towers' observations do not tell stay near the common prior.",
    "It is right for this process model with these drivers, and for no other.",
)


@dataclass(frozen=True)
class LearnFiles:
    """Where what is taught, its card and the splits are written."""

    taught: Path
    card: Path
    splits: Path


def learn_parameters(
    name: str,
    entry: Mapping,
    by: str,
    model: Sequence[Path],
    cubes: Mapping[str, Path],
    statement: Path,
    source: Path,
    files: LearnFiles,
    *,
    settings: Mapping,
    constraints: Sequence[str],
    seed: int,
) -> None:
    """Write what the other towers teach of each tower's parameters, with its card and splits.

    Parameters
    ----------
    name, entry
        Name and configuration of the trial whose observations teach.
    by
        What they are taught by, of :data:`concerto.networks.TAUGHT_BY`.
    model, cubes, statement
        Files of the model's parameters, the cubes of the network, the trial's stated errors.
    source
        Description of the source of the towers' records.
    files
        Files to write.
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
    save(taught_dataset(cells, space.parameters_of(middle), *law), files.taught, "float64")
    able = np.array([problem is not None for problem in problems])
    splits = each_by_others(folds, able)
    write_table(table_of({"site": splits}, cells.drivers["location"].to_numpy()), files.splits)
    described = yaml.safe_load(source.read_text(encoding="utf-8"))
    times = cells.drivers.indexes["time"]
    gains = np.subtract(*likelihoods(problems, middle, np.zeros_like(middle)))[able]
    card = Card(
        name=f"parameters of {cells.model.name} by {by}, {name}",
        purpose="prior of each place's assimilation: its mean and its spread",
        data=f"{able.sum()} towers; {described['title']}",
        period=f"{times[0]:%Y-%m} to {times[-1]:%Y-%m}",
        features=traits.names,
        left_out={} if by != COVER else {"all but the land cover": "to compare with"},
        splits=f"{len(splits)} folds by site; no inner groups: {files.splits.name}",
        scores={
            "towers nearer their observations than by the common prior": f"{(gains > 0).sum()} of "
            f"{able.sum()}",
            "median gain of log-likelihood": round(float(np.median(gains)), 2),
        },
        limits=LIMITS,
        licence=described["licence"],
        seed=seed,
        library="numpy",
    )
    write_card(card, files.card)
    log.info("%s", ", ".join(f"{score}: {value}" for score, value in card.scores.items()))


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
            Path(snakemake.input.source),  # noqa: F821
            LearnFiles(
                **{what: Path(snakemake.output[what]) for what in ("taught", "card", "splits")}  # noqa: F821
            ),
            settings=snakemake.params.learning,  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
