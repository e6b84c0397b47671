"""Draw one site's forecast, with its scores by lead time."""

from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.plots import forecast as fan
from concerto.plots import style
from concerto.scripting import script_log


def plot_forecast(
    site: str,
    method: str,
    *,
    observations: Path,
    forecast: Path,
    projection: Path,
    baselines: Path,
    scores: Path,
    figure: Path,
) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site, method
        Name of the site and of the published method.
    observations, forecast, projection, baselines, scores
        The site's observations and forecast, the published method's ensemble, the baselines', and
        the scores of the forecast.
    figure
        Where to write the PNG.
    """
    drawing = fan.draw(
        site=site,
        observations=read_cube(observations, OBSERVATIONS_DAILY),
        forecast=xr.load_dataset(forecast),
        projection=xr.load_dataset(projection),
        baselines=xr.load_dataset(baselines),
        scores=pd.read_csv(scores),
        method=method,
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_forecast(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            observations=Path(snakemake.input.observations),  # noqa: F821
            forecast=Path(snakemake.input.forecast),  # noqa: F821
            projection=Path(snakemake.input.projection),  # noqa: F821
            baselines=Path(snakemake.input.baselines),  # noqa: F821
            scores=Path(snakemake.input.scores),  # noqa: F821
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
