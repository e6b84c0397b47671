"""Score the forecast of one site by lead time."""

from pathlib import Path

import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.evaluation import forecasts
from concerto.products.files import write_table
from concerto.scripting import script_log


def score_forecast(
    site: str,
    method: str,
    *,
    observations: Path,
    forecast: Path,
    projection: Path,
    baselines: Path,
    seed: int,
    table: Path,
) -> None:
    """Write the scores of a forecast, of the published projection and of the baselines.

    Parameters
    ----------
    site, method
        Name of the site and of the published method.
    observations, forecast, projection, baselines
        The site's observations and forecast, the published method's ensemble, and the baselines'.
    seed
        Seed of the errors of measurement.
    table
        Where to write (CSV).
    """
    rows = forecasts.score_forecast(
        site,
        read_cube(observations, OBSERVATIONS_DAILY),
        xr.load_dataset(forecast),
        {method: xr.load_dataset(projection)},
        xr.load_dataset(baselines),
        seed,
    )
    write_table(rows, table)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        score_forecast(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            observations=Path(snakemake.input.observations),  # noqa: F821
            forecast=Path(snakemake.input.forecast),  # noqa: F821
            projection=Path(snakemake.input.projection),  # noqa: F821
            baselines=Path(snakemake.input.baselines),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
            table=Path(snakemake.output.scores),  # noqa: F821
        )
