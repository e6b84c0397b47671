"""Write one site's annual carbon budget."""

from pathlib import Path

import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.products.budget import budget_tables
from concerto.products.files import write_table
from concerto.scripting import script_log


def write_budget(
    site: str,
    projection: Path,
    posterior: Path,
    observations: Path,
    *,
    seed: int,
    run_id: str,
    years: Path,
    means: Path,
) -> None:
    """Write the budget by year, and its mean over the whole years of each period.

    Parameters
    ----------
    site
        Name of the site.
    projection, posterior, observations
        Ensemble and posterior of the published method; the site's observations.
    seed
        Seed of the draws of the u* threshold.
    run_id
        Of the run that makes it, in each row.
    years, means
        Where to write the two tables (CSV).
    """
    tables = budget_tables(
        site,
        xr.load_dataset(projection),
        read_cube(observations, OBSERVATIONS_DAILY),
        str(xr.load_dataset(posterior).attrs["converged"]),
        seed,
    )
    for table, path in zip(tables, (years, means), strict=True):
        write_table(table.assign(run_id=run_id), path)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_budget(
            snakemake.wildcards.site,  # noqa: F821
            Path(snakemake.input.projection),  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
            years=Path(snakemake.output.years),  # noqa: F821
            means=Path(snakemake.output.means),  # noqa: F821
        )
