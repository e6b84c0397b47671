"""Find the posterior of one site by one method."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from concerto.assimilation.contributions import contributions
from concerto.assimilation.location import read_problem
from concerto.assimilation.problem import Problem
from concerto.ensembles import (
    contribution_dataset,
    posterior_dataset,
    state_dataset,
    write_ensemble,
)
from concerto.plugins import load
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

_DRAWS = 256


def assimilate_site(
    name: str,
    site: Mapping,
    method: str,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    statement: Path,
    output: Path,
    *,
    constraints: Sequence[str],
    budget: Mapping,
    seed: int,
) -> None:
    """Write the posterior of a site, with the verdict of the method.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    method
        Name of the method, a plug-in of ``concerto.assimilation.methods``.
    model, drivers, observations, statement
        File of the model's parameters; the site's cubes; its stated errors.
    output
        NetCDF with the draws of the parameters, and the state at the end where the method has one.
    constraints, budget
        Constraints switched on; budget of the method.
    """
    location, problem = read_problem(model, drivers, observations, statement, site, constraints)
    _warn_of_reach(problem, generator(seed, "reach", name))
    rng = generator(seed, "posterior", method, name)
    posterior = load("assimilation.methods", method).assimilate(problem, budget, rng)
    converged = "yes" if posterior.converged else "no"
    log.info("%s, %s: converged: %s; %s", name, method, converged, posterior.verdict)
    streams, rest = contributions(problem, posterior)
    for stream, said in streams.items():
        log.info("%s: %s", stream, said)
    dataset = posterior_dataset(problem.prior, posterior, location.observations).merge(
        contribution_dataset(streams, rest)
    )
    if posterior.final is not None:
        time = location.observations.indexes["time"]
        dataset = dataset.merge(
            state_dataset(location.model, site["streams"], posterior.final, time)
        )
    dataset.attrs = {
        "method": method,
        "converged": converged,
        "verdict": posterior.verdict,
        "prior": location.model.prior_source,
        "model_runs": problem.model_runs,
        "gradients": problem.gradients,
        "failed_runs": problem.failures,
        "seed": seed,
        **posterior.diagnostics,
    }
    write_ensemble(
        dataset,
        output,
        title=f"Posterior of {site['name']}",
        source=location.model.name,
        history=f"assimilate_site: {', '.join(site['streams'])} by {method}",
    )


def _warn_of_reach(problem: Problem, rng: np.random.Generator) -> None:
    """Warn of observations that no run with parameters of the prior comes near."""
    drawn = problem.prior.parameters_of(problem.prior.draw(_DRAWS, rng))
    for stream, count in problem.out_of_reach(drawn).items():
        if count:
            log.warning(
                "%s: %d observations are farther than four random errors from all that %d runs "
                "with parameters of the prior show; they are assimilated",
                stream, count, _DRAWS,
            )  # fmt: skip


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        assimilate_site(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            snakemake.wildcards.method,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.output.posterior),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            budget=snakemake.params.budget,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
