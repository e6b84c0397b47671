"""Measure what a posterior costs by each method, and how far it is from a long chain."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.assimilation.location import read_problem
from concerto.evaluation.cost import measure_method
from concerto.plugins import load
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def measure_methods(
    site: Mapping,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    statement: Path,
    reference: Path,
    output: Path,
    *,
    constraints: Sequence[str],
    budgets: Mapping[str, Mapping],
    seed: int,
) -> None:
    """Write a table with one row for each method.

    Parameters
    ----------
    site
        Configuration of the site.
    model, drivers, observations, statement
        File of the model's parameters; the site's cubes; its stated errors.
    reference
        A posterior of the site to compare with.
    output
        Table with the columns of :func:`concerto.evaluation.cost.measure_method`.
    constraints, budgets
        Constraints switched on; budget of each method.
    """
    _, problem = read_problem(model, drivers, observations, statement, site, constraints)
    known = xr.load_dataset(reference)["parameters"].isel(location=0).to_numpy().astype(float)
    unit = problem.prior.to_unit(known)
    # once over, so that no method pays for the compilation of what all of them use
    problem.log_posterior(problem.prior.to_soft(unit[:16]))
    problem.linearise(problem.prior.z_of(known[:1]))
    rows = []
    for method, budget in budgets.items():
        rng = generator(seed, "cost", method)
        assimilate = load("assimilation.methods", method).assimilate
        found = measure_method(problem, assimilate, budget, unit, rng)
        log.info("%s: %s", method, found)
        rows.append({"method": method, **found})
    write_table(pd.DataFrame(rows), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        measure_methods(
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.input.reference),  # noqa: F821
            Path(snakemake.output.methods),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            budgets=snakemake.params.budgets,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
