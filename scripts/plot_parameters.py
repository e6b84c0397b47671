"""Draw one site's parameters before and after calibration."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from concerto.plots import parameters, style
from concerto.scripting import script_log


def plot_parameters(
    site: str, *, prior: Path, posteriors: Mapping[str, Path], figure: Path
) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    site
        Name of the site.
    prior, posteriors
        The prior's ensemble and each method's posterior.
    figure
        Where to write the PNG.
    """
    datasets = {method: xr.load_dataset(path) for method, path in posteriors.items()}
    drawing = parameters.draw(
        site=site,
        prior=xr.load_dataset(prior),
        posteriors=datasets,
        converged=all(dataset.attrs["converged"] == "yes" for dataset in datasets.values()),
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_parameters(
            snakemake.wildcards.site,  # noqa: F821
            prior=Path(snakemake.input.prior),  # noqa: F821
            posteriors=dict(
                zip(
                    snakemake.params.methods,  # noqa: F821
                    map(Path, snakemake.input.posteriors),  # noqa: F821
                    strict=True,
                )
            ),
            figure=Path(snakemake.output.figure),  # noqa: F821
        )
