"""List the catalogue of sources as a table."""

from pathlib import Path

from concerto.config import ROOT
from concerto.scripting import script_log
from concerto.sources._catalogue import aligned, as_csv, brief, overview, read_catalogue
from concerto.sources._quantities import check_units


def list_sources(table: Path, text: Path, root: Path = ROOT) -> None:
    """Write what the catalogue has, whole texts as CSV and for people as an aligned table.

    Raises
    ------
    ConcertoError
        If a source's file is at fault, or the unit of a variable is none of its quantity.
    """
    catalogue = read_catalogue(root)
    check_units(catalogue)
    rows = overview(catalogue)
    table.write_text(as_csv(rows), encoding="utf-8")
    text.write_text(aligned(brief(rows)), encoding="utf-8")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        list_sources(Path(snakemake.output.table), Path(snakemake.output.text))  # noqa: F821
