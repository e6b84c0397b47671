"""Write the page of a map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from concerto.plots.cells import read_map
from concerto.plots.regions import read_regions
from concerto.plots.status import shares
from concerto.products.files import write_text
from concerto.products.map_page import render_map
from concerto.products.report import read_picture
from concerto.scripting import script_log


def write_map_page(
    name: str,
    config: Mapping[str, Any],
    *,
    product: Path,
    regions: Path,
    others: Sequence[Path],
    figures: Sequence[Path],
    sources: Sequence[Path],
    citation: Path,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    name
        The map in the configuration.
    config
        The run's configuration.
    product
        The map on its grid.
    regions
        Sums by region.
    others
        What the page leads to besides.
    figures
        Pictures in the order of the page, with their words beside them.
    sources
        Files of the sources, config/sources/NAME.yaml.
    citation
        CITATION.cff.
    output
        Where to write the page.
    """
    page = render_map(
        name,
        config,
        shares(read_map(product, [])),
        read_regions(regions),
        figures=[read_picture(figure) for figure in figures],
        products=[path.name for path in (product, *others, regions)],
        sources={file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sources},
        citation=yaml.safe_load(citation.read_text(encoding="utf-8")),
    )
    write_text(page, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_map_page(
            snakemake.wildcards.map,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            product=Path(snakemake.input.map),  # noqa: F821
            regions=Path(snakemake.input.regions),  # noqa: F821
            others=[Path(path) for path in snakemake.input.others],  # noqa: F821
            figures=[Path(path) for path in snakemake.input.figures],  # noqa: F821
            sources=[Path(path) for path in snakemake.input.sources],  # noqa: F821
            citation=Path(snakemake.input.citation),  # noqa: F821
            output=Path(snakemake.output.page),  # noqa: F821
        )
