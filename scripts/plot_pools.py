"""Draw one site's carbon pools."""

from pathlib import Path

import xarray as xr
from concerto.plots import pools, style
from concerto.scripting import script_log


def plot_pools(site: str, method: str, *, projection: Path, posterior: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site, method
        Name of the site and of the published method.
    projection, posterior
        The method's ensemble and posterior.
    figure
        Where to write the PNG.
    """
    drawing = pools.draw(
        site=site,
        projection=xr.load_dataset(projection),
        method=method,
        converged=xr.load_dataset(posterior).attrs["converged"] == "yes",
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_pools(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            projection=Path(snakemake.input.projection),  # noqa: F821
            posterior=Path(snakemake.input.posterior),  # noqa: F821
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
