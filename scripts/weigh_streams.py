"""Assimilate truths of twin experiments with several subsets of their streams."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.assimilation.location import read_problem
from concerto.assimilation.twin import observe, with_only, with_streams
from concerto.evaluation.information import FREE, subset_name
from concerto.plugins import load
from concerto.products.files import write_text
from concerto.projection.targets import targets
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def weigh_streams(
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
    count: int,
    constraints: Sequence[str],
    more: Mapping[str, Mapping],
    subsets: Sequence[Sequence[str]],
    budget: Mapping,
    seed: int,
) -> None:
    """Write what posteriors of a share of the truths say of the target quantities.

    Parameters
    ----------
    site
        Configuration of the site.
    method, budget
        Name of the method, a plug-in of ``concerto.assimilation.methods``, and its budget.
    model, drivers, observations, statement, truths
        File of the model's parameters; the site's cubes; its stated errors; draws of the prior and
        the constraints, which are the free run, and of which the first ``count`` are truths.
    output
        CSV with the columns of ``concerto.evaluation.information.RESULTS``, and ``converged``.
    share
        Number of the job and of all jobs, which take truths in turn.
    constraints, more, subsets
        Constraints switched on; streams beside the site's; names of the streams of each subset.
    """
    _, problem = read_problem(model, drivers, observations, statement, site, constraints)
    problem = with_streams(problem, more)
    drawn = xr.load_dataset(truths)["parameters"].isel(location=0).to_numpy().astype(float)
    free = targets(problem, drawn)
    assimilate = load("assimilation.methods", method).assimilate
    rows = []
    first, jobs = share
    for number in range(first, count, jobs):
        truth = drawn[number]
        known = {name: float(values[number]) for name, values in free.items()}
        observed = observe(problem, truth, generator(seed, "observations", str(number)))
        rows += _rows(number, FREE, known, free, converged=True)
        for subset in subsets:
            name = subset_name(subset)
            part = with_only(observed, subset)
            rng = generator(seed, "information", name, str(number))
            posterior = assimilate(part, budget, rng)
            found = targets(part, part.prior.to_parameters(posterior.unit))
            log.info("truth %d with %s: %s", number, name, posterior.verdict)
            rows += _rows(number, name, known, found, converged=posterior.converged)
    write_text(pd.DataFrame(rows).to_csv(index=False), output)


def _rows(number: int, subset: str, known: Mapping, found: Mapping, *, converged: bool) -> list:
    return [
        {
            "truth": number,
            "subset": subset,
            "quantity": name,
            "true": known[name],
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)),
            "converged": converged,
        }
        for name, values in found.items()
    ]


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        weigh_streams(
            snakemake.params.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.input.truths),  # noqa: F821
            Path(snakemake.output.results),  # noqa: F821
            share=(int(snakemake.wildcards.job), snakemake.params.jobs),  # noqa: F821
            count=snakemake.params.first_truths,  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            more=snakemake.params.more,  # noqa: F821
            subsets=snakemake.params.subsets,  # noqa: F821
            budget=snakemake.params.budget,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
