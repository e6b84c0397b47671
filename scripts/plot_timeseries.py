"""Draw one site's predictions through time."""

from pathlib import Path

import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.plots import style, timeseries
from concerto.scripting import script_log


def plot_timeseries(
    site: str, method: str, *, observations: Path, projection: Path, posterior: Path, figure: Path
) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site, method
        Name of the site and of the published method.
    observations, projection, posterior
        The site's observations; the method's ensemble and posterior.
    figure
        Where to write the PNG.
    """
    drawing = timeseries.draw(
        site=site,
        observations=read_cube(observations, OBSERVATIONS_DAILY),
        projection=xr.load_dataset(projection),
        method=method,
        converged=xr.load_dataset(posterior).attrs["converged"] == "yes",
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_timeseries(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            observations=Path(snakemake.input.observations),  # noqa: F821
            projection=Path(snakemake.input.projection),  # noqa: F821
            posterior=Path(snakemake.input.posterior),  # noqa: F821
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
