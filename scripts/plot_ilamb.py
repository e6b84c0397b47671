"""Draw one site's scores of land models' benchmarking."""

from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.plots import ilamb, style
from concerto.scripting import script_log


def plot_ilamb(
    site: str, method: str, scores: Path, responses: Path, posterior: Path, figure: Path
) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site, method
        Name of the site and of the published method.
    scores, responses
        Tables of the scores and of the responses to weather.
    posterior
        That of the published method.
    figure
        Where to write the PNG.
    """
    converged = xr.load_dataset(posterior).attrs["converged"] == "yes"
    tables = (pd.read_csv(path) for path in (scores, responses))
    style.save(ilamb.draw(site, *tables, method, converged=converged), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_ilamb(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.input.responses),  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
