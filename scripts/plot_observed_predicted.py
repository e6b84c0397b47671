"""Draw one site's predictions against withheld observations."""

from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.plots import observed_predicted, style
from concerto.scripting import script_log


def plot_observed_predicted(
    site: str,
    method: str,
    *,
    observations: Path,
    projection: Path,
    posterior: Path,
    scores: Path,
    figure: Path,
) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site, method
        Name of the site and of the published method.
    observations, projection, posterior, scores
        The site's observations; the method's ensemble and posterior; the table of scores.
    figure
        Where to write the PNG.
    """
    drawing = observed_predicted.draw(
        site=site,
        observations=read_cube(observations, OBSERVATIONS_DAILY),
        projection=xr.load_dataset(projection),
        scores=pd.read_csv(scores),
        method=method,
        converged=xr.load_dataset(posterior).attrs["converged"] == "yes",
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_observed_predicted(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            observations=Path(snakemake.input.observations),  # noqa: F821
            projection=Path(snakemake.input.projection),  # noqa: F821
            posterior=Path(snakemake.input.posterior),  # noqa: F821
            scores=Path(snakemake.input.scores),  # noqa: F821
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
