"""Draw whether one site's intervals hold what they promise."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.plots import coverage, style
from concerto.scripting import script_log


def plot_coverage(
    site: str,
    *,
    observations: Path,
    projections: Mapping[str, Path],
    posterior: Path,
    baselines: Path,
    seed: int,
    figure: Path,
) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site
        Name of the site.
    observations, projections, posterior, baselines
        The site's observations; each method's ensemble; the published method's posterior; the
        baselines' ensembles.
    seed
        Seed of the errors of measurement, that of the scores.
    figure
        Where to write the PNG.
    """
    drawing = coverage.draw(
        site=site,
        observations=read_cube(observations, OBSERVATIONS_DAILY),
        projections={method: xr.load_dataset(path) for method, path in projections.items()},
        baselines=xr.load_dataset(baselines),
        seed=seed,
        converged=xr.load_dataset(posterior).attrs["converged"] == "yes",
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_coverage(
            snakemake.wildcards.site,  # noqa: F821
            observations=Path(snakemake.input.observations),  # noqa: F821
            projections=dict(
                zip(
                    snakemake.params.methods,  # noqa: F821
                    map(Path, snakemake.input.projections),  # noqa: F821
                    strict=True,
                )
            ),
            posterior=Path(snakemake.input.posterior),  # noqa: F821
            baselines=Path(snakemake.input.baselines),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
