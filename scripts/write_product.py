"""Write one site's product: fluxes and pools with their uncertainty."""

import json
from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from concerto.products import netcdf
from concerto.provenance import FILENAME
from concerto.scripting import script_log


def write_product(
    projection: Path,
    posterior: Path,
    raw: Sequence[Path],
    output: Path,
    *,
    utc_offset_hours: float,
) -> None:
    """Write the summary of the published method's ensemble as CF NetCDF.

    Parameters
    ----------
    projection, posterior
        Ensemble and posterior of the published method.
    raw
        Folders of the sources that went in, for their licences.
    output
        Where to write.
    utc_offset_hours
        Offset of the local standard time in which days start.
    """
    records = [json.loads((folder / FILENAME).read_text(encoding="utf-8")) for folder in raw]
    dataset = netcdf.product_dataset(
        xr.load_dataset(projection),
        xr.load_dataset(posterior),
        {record["source"]: record["licence"] for record in records},
        utc_offset_hours,
    )
    netcdf.write_product(dataset, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_product(
            Path(snakemake.input.projection),  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            [Path(folder) for folder in snakemake.input.raw],  # noqa: F821
            Path(snakemake.output.product),  # noqa: F821
            utc_offset_hours=snakemake.params.site["utc_offset_hours"],  # noqa: F821
        )
