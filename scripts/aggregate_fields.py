"""Bring the fields of a source to the cells of a place; count what is masked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto import provenance
from concerto.config import load_yaml
from concerto.cubes import save
from concerto.prepare import fields
from concerto.prepare.land import cells_of, read_borders
from concerto.products.files import write_table
from concerto.scripting import script_log


def aggregate_fields(
    name: str,
    place: Mapping,
    variables: Sequence[str],
    *,
    raw: Path,
    source: Path,
    borders: Path,
    outlines: Path | None,
    cells: Path,
    masking: Path,
    limits: Mapping[str, int] = {},
) -> None:
    """Write means over cells, and the table of what was masked.

    Parameters
    ----------
    name, place
        An area, or a site with fields, and what of its entry says where its cells are.
    variables
        Those of the source that are wanted.
    raw
        The folder of the files as they were obtained, with their provenance.
    source
        The source's own file.
    borders
        Country borders: cells without land are left out.
    outlines
        The layer of an area's polygons, if it has some.
    cells, masking
        Files to write.
    limits
        The configuration's ``limits``.
    """
    spec = load_yaml(source)
    spec["variables"] = {variable: spec["variables"][variable] for variable in variables}
    record = provenance.read(raw)
    files = [raw / file for file in record["files"]]
    where = cells_of(name, place, read_borders(borders), outlines)
    found, masked = fields.aggregate_fields(files, spec, record["files"], where, **limits)
    save(found.assign_attrs(title=spec["title"], source=spec["citation"]), cells)
    write_table(masked, masking)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        aggregate_fields(
            snakemake.wildcards.place,  # noqa: F821
            snakemake.params.place,  # noqa: F821
            snakemake.params.variables,  # noqa: F821
            raw=Path(snakemake.input.raw),  # noqa: F821
            source=Path(snakemake.input.source),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            outlines=next(map(Path, snakemake.params.outlines), None),  # noqa: F821
            cells=Path(snakemake.output.cells),  # noqa: F821
            masking=Path(snakemake.output.masking),  # noqa: F821
            limits=snakemake.params.limits,  # noqa: F821
        )
