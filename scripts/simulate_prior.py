"""Run one site with parameters drawn from the prior."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.location import open_location, prior_of
from concerto.ensembles import parameter_dataset, series_dataset, write_ensemble
from concerto.projection.ensemble import process_ensemble
from concerto.scripting import script_log
from concerto.seeds import generator


def simulate_prior(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    output: Path,
    *,
    members: int,
    settings: Mapping,
    seed: int,
) -> None:
    """Write ``members`` draws of the prior and the free runs that follow from them.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model
        File of the model's parameters; its name is the model's.
    drivers, observations
        The site's cubes.
    output
        NetCDF with parameters, fluxes and pools of each member.
    settings
        Whether the size of errors is to be inferred, which makes it a parameter.
    """
    location = open_location(model, drivers, observations, site)
    prior = prior_of(location, settings)
    parameters = prior.parameters_of(prior.draw(members, generator(seed, "prior", name)))
    own = parameters[:, : len(location.model.parameters)]
    series = process_ensemble(location.model, location.forcing, own)
    dataset = series_dataset(series, location.streams, location.observations)
    drawn = parameter_dataset(prior.parameters, parameters, location.observations)
    write_ensemble(
        dataset.merge(drawn).assign_attrs(prior=location.model.prior_source),
        output,
        title=f"Prior ensemble of {site['name']}",
        source=location.model.name,
        history="simulate_prior: free runs with parameters drawn from the prior",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        simulate_prior(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.output.ensemble),  # noqa: F821
            members=snakemake.params.members,  # noqa: F821
            settings=snakemake.params.settings,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
