"""Rank truths of twin experiments in the posteriors that one method gives them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.assimilation.location import read_problem
from concerto.evaluation.replicates import replicate
from concerto.plugins import load
from concerto.products.files import write_text
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def rank_truths(
    site: Mapping,
    method: str,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    statement: Path,
    truths: Path,
    output: Path,
    *,
    share: tuple[int, int],
    constraints: Sequence[str],
    budgets: Sequence[Mapping],
    draws: int,
    seed: int,
) -> None:
    """Write the ranks of a share of the truths, and what each posterior cost.

    Parameters
    ----------
    site
        Configuration of the site.
    method
        Name of the method, a plug-in of ``concerto.assimilation.methods``.
    model, drivers, observations, statement, truths
        File of the model's parameters; the site's cubes; its stated errors; the truths.
    output
        CSV with one row for each truth.
    share
        Number of the job and of all jobs, which take truths in turn.
    constraints, budgets, draws
        Constraints switched on; budgets to try in turn; draws to rank a truth among.
    """
    _, problem = read_problem(model, drivers, observations, statement, site, constraints)
    known = xr.load_dataset(truths)["parameters"].isel(location=0).to_numpy().astype(float)
    assimilate = load("assimilation.methods", method).assimilate
    rows = []
    first, jobs = share
    for number in range(first, len(known), jobs):
        rng = generator(seed, "replicate", method, str(number))
        found = asdict(replicate(problem, known[number], assimilate, budgets, draws, rng))
        places = found.pop("ranks")
        log.info("%s, truth %d: %s", method, number, found)
        rows.append({"truth": number, "method": method, **found, **places})
    write_text(pd.DataFrame(rows).to_csv(index=False), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        rank_truths(
            snakemake.params.site,  # noqa: F821
            snakemake.wildcards.method,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.input.truths),  # noqa: F821
            Path(snakemake.output.ranks),  # noqa: F821
            share=(int(snakemake.wildcards.job), snakemake.params.jobs),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            budgets=snakemake.params.budgets,  # noqa: F821
            draws=snakemake.params.draws,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
