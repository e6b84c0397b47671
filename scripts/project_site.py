"""Predict one site over its whole record with the posterior of one method."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr
from concerto.assimilation.location import ErrorStatement, open_location
from concerto.ensembles import series_dataset, write_ensemble
from concerto.projection.ensemble import (
    error_ensemble,
    inflations_of,
    process_ensemble,
    random_errors,
    some_members,
    with_totals,
)
from concerto.scripting import script_log
from concerto.seeds import generator


def project_site(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    statement: Path,
    posterior: Path,
    output: Path,
    *,
    members: int,
    seed: int,
) -> None:
    """Write the ensemble of fluxes and pools, with and without model error.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model, drivers, observations, statement, posterior
        File of the model's parameters; the site's cubes, stated errors and posterior.
    output
        NetCDF with fluxes and pools of each member.
    members
        Draws of the posterior to use, at random, without replacement.
    """
    location = open_location(model, drivers, observations, site)
    errors = ErrorStatement.read(statement)
    draws = xr.load_dataset(posterior)["parameters"].isel(location=0)
    rng = generator(seed, "projection", name)
    parameters = some_members(draws, members, rng)
    process = process_ensemble(
        location.model,
        location.forcing,
        parameters.sel(parameter=location.model.parameter_names).to_numpy(),
    )
    inflations = inflations_of(parameters)
    misfits = error_ensemble(errors, location.forcing, location.streams, process, inflations, rng)
    series = with_totals(process, misfits)
    dataset = series_dataset(
        series,
        location.streams,
        location.observations,
        random_errors(errors, inflations, series),
    )
    write_ensemble(
        dataset,
        output,
        title=f"Posterior ensemble of {site['name']}",
        source=location.model.name,
        history="project_site: runs with parameters drawn from the posterior, plus model error",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        project_site(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            Path(snakemake.output.ensemble),  # noqa: F821
            members=snakemake.params.members,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
