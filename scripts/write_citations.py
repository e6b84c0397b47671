"""Write what to cite for a run: its data and its software."""

from collections.abc import Sequence
from pathlib import Path

from concerto.products.citations import as_bibtex, as_markdown
from concerto.products.files import write_text
from concerto.products.lineage import read_origins, read_release
from concerto.scripting import script_log


def write_citations(
    sources: Sequence[Path], citation: Path, text: Path, entries: Path, *, run_id: str
) -> None:
    """Write the list for people, and as BibTeX.

    Parameters
    ----------
    sources
        Files of the sources that went into the run.
    citation
        What this software is: CITATION.cff.
    text, entries
        Where to write the list, as Markdown and as BibTeX.
    run_id
        Of the run.
    """
    origins, release = read_origins(sources), read_release(citation)
    write_text(as_markdown(origins, release, run_id), text)
    write_text(as_bibtex(origins, release), entries)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_citations(
            [Path(source) for source in snakemake.input.sources],  # noqa: F821
            Path(snakemake.input.citation),  # noqa: F821
            Path(snakemake.output.text),  # noqa: F821
            Path(snakemake.output.entries),  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
        )
