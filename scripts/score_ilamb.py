"""Score all methods and baselines of one site as land models are benchmarked."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from concerto.cubes import DRIVERS_DAILY, OBSERVATIONS_DAILY, read_cube
from concerto.evaluation import ilamb
from concerto.products.files import write_table
from concerto.scripting import script_log


def score_ilamb(
    site: str,
    observations: Path,
    drivers: Path,
    projections: Mapping[str, Path],
    baselines: Path,
    *,
    seed: int,
    scores: Path,
    responses: Path,
) -> None:
    """Write the scores of a site, and the responses to drivers that some of them rest on.

    Parameters
    ----------
    site
        Name of the site.
    observations, drivers, projections, baselines
        The site's cubes, each method's ensemble, and the baselines'.
    seed
        Seed of the errors of measurement.
    scores, responses
        Where to write the two tables (CSV).
    """
    tables = ilamb.score_site(
        site,
        read_cube(observations, OBSERVATIONS_DAILY),
        read_cube(drivers, DRIVERS_DAILY),
        {method: xr.load_dataset(path) for method, path in projections.items()},
        xr.load_dataset(baselines),
        seed,
    )
    for table, path in zip(tables, (scores, responses), strict=True):
        write_table(table, path)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        score_ilamb(
            snakemake.wildcards.site,  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            dict(
                zip(
                    snakemake.params.methods,  # noqa: F821
                    map(Path, snakemake.input.projections),  # noqa: F821
                    strict=True,
                )
            ),
            Path(snakemake.input.baselines),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
            scores=Path(snakemake.output.scores),  # noqa: F821
            responses=Path(snakemake.output.responses),  # noqa: F821
        )
