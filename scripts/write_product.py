"""Write one site's product: fluxes and pools with their uncertainty."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from concerto.products import netcdf
from concerto.scripting import script_log


def write_product(
    projection: Path,
    posterior: Path,
    licences: Mapping[str, str],
    output: Path,
    *,
    utc_offset_hours: float,
    run_id: str,
) -> None:
    """Write the summary of the published method's ensemble as CF NetCDF.

    Parameters
    ----------
    projection, posterior
        Ensemble and posterior of the published method.
    licences
        Of the sources that went in, by their names.
    output
        Where to write.
    utc_offset_hours
        Offset of the local standard time in which days start.
    run_id
        Of the run that makes it.
    """
    dataset = netcdf.product_dataset(
        xr.load_dataset(projection),
        xr.load_dataset(posterior),
        licences,
        utc_offset_hours,
        run_id,
    )
    netcdf.write_product(dataset, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_product(
            Path(snakemake.input.projection),  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            snakemake.params.licences,  # noqa: F821
            Path(snakemake.output.product),  # noqa: F821
            utc_offset_hours=snakemake.params.site["utc_offset_hours"],  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
        )
