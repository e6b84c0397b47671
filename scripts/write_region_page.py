"""Write the page of a table of regions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concerto.evaluation.region_totals import read_rows
from concerto.products.files import write_text
from concerto.products.region_page import render_regions
from concerto.scripting import script_log


@dataclass(frozen=True)
class Tables:
    """What the page shows; the inventory may be missing."""

    table: Path
    areas: Path
    trends: Path
    inventory: Path | None


def write_region_page(
    name: str, run: str, entry: Mapping[str, Any], tables: Tables, pages: Mapping[str, str],
    output: Path,
) -> None:  # fmt: skip
    """Write the page.

    Parameters
    ----------
    name, run, entry
        Name of the table and of the run, and the table's configuration.
    tables
        What to read.
    pages
        The file of each region that has a page.
    output
        Where to write.
    """
    page = render_regions(
        name,
        run,
        entry["title"],
        read_rows(tables.table),
        read_rows(tables.areas),
        read_rows(tables.trends),
        read_rows(tables.inventory) if tables.inventory else None,
        pages,
    )
    write_text(page, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        inputs = snakemake.input  # noqa: F821
        write_region_page(
            snakemake.wildcards.table,  # noqa: F821
            snakemake.params.run,  # noqa: F821
            snakemake.params.entry,  # noqa: F821
            Tables(
                Path(inputs.table),
                Path(inputs.areas),
                Path(inputs.trends),
                next(map(Path, inputs.inventory), None),
            ),
            snakemake.params.pages,  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
