"""Write the static STAC catalogue of a map's products."""

from collections.abc import Sequence
from pathlib import Path

from concerto.products.lineage import read_origins, read_release
from concerto.products.stac import Products, write_catalogue
from concerto.scripting import script_log


def write_catalog(
    name: str, products: Products, folder: Path, *, sources: Sequence[Path], citation: Path
) -> None:
    """Write the catalogue of a map.

    Parameters
    ----------
    name
        The map's name in the configuration.
    products
        Its files.
    folder
        The folder to write.
    sources
        Files of the sources that went in.
    citation
        What this software is: CITATION.cff.
    """
    write_catalogue(name, products, folder, read_origins(sources), read_release(citation))


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_catalog(
            snakemake.wildcards.map,  # noqa: F821
            Products(
                **{key: Path(snakemake.input[key]) for key in Products.__dataclass_fields__}  # noqa: F821
            ),
            Path(snakemake.output.catalog),  # noqa: F821
            sources=[Path(source) for source in snakemake.input.sources],  # noqa: F821
            citation=Path(snakemake.input.citation),  # noqa: F821
        )
