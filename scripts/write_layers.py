"""Write the key layers of a map as Cloud Optimized GeoTIFF."""

from pathlib import Path

from concerto.products.cogs import write_layers
from concerto.scripting import script_log

if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_layers(Path(snakemake.input.annual), Path(snakemake.output.layers))  # noqa: F821
