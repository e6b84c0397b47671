"""Draw the canopy model through the day at one tower."""

from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.cubes import HALFHOURLY, read_cube
from concerto.plots import canopy, style
from concerto.scripting import script_log


def plot_canopy(site: str, *, record: Path, ensemble: Path, scores: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site
        Name of the site.
    record, ensemble, scores
        Its record at its own step; the runs and their scores.
    figure
        Where to write the PNG.
    """
    drawing = canopy.draw(
        site=site,
        record=read_cube(record, HALFHOURLY),
        runs=xr.load_dataset(ensemble),
        scores=pd.read_csv(scores),
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_canopy(
            snakemake.wildcards.site,  # noqa: F821
            record=Path(snakemake.input.record),  # noqa: F821
            ensemble=Path(snakemake.input.ensemble),  # noqa: F821
            scores=Path(snakemake.input.scores),  # noqa: F821
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
