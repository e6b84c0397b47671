"""Score all methods and baselines of one site on withheld observations."""

import logging
from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.evaluation import scores
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def score_site(
    site: str,
    observations: Path,
    projections: Mapping[str, Path],
    baselines: Path,
    *,
    seed: int,
    table: Path,
    notes: Path,
) -> None:
    """Write the scores of a site, and what could not be scored and why.

    Parameters
    ----------
    site
        Name of the site.
    observations, projections, baselines
        The site's observations, each method's ensemble, and the baselines'.
    seed
        Seed of the errors of measurement.
    table, notes
        Where to write the two tables (CSV).
    """
    rows, remarks = scores.score_site(
        site,
        read_cube(observations, OBSERVATIONS_DAILY),
        {method: xr.load_dataset(path) for method, path in projections.items()},
        xr.load_dataset(baselines),
        seed,
    )
    for remark in remarks.itertuples():
        log.warning("%s, %s, %s: %s", remark.variable, remark.step, remark.predictor, remark.note)
    write_table(rows, table)
    write_table(remarks, notes)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        score_site(
            snakemake.wildcards.site,  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            dict(
                zip(
                    snakemake.params.methods,  # noqa: F821
                    map(Path, snakemake.input.projections),  # noqa: F821
                    strict=True,
                )
            ),
            Path(snakemake.input.baselines),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
            table=Path(snakemake.output.scores),  # noqa: F821
            notes=Path(snakemake.output.notes),  # noqa: F821
        )
