"""Read a site's record that is of months already into drivers and observations."""

from collections.abc import Mapping
from pathlib import Path

from concerto.prepare.monthly import recorded_drivers, recorded_observations
from concerto.prepare.records import read_record
from concerto.prepare.site import SiteFiles, write_site
from concerto.prepare.streams import MaskCount
from concerto.scripting import script_log


def read_monthly(
    name: str, site: Mapping, files: SiteFiles, *, folder: Path, source: Path, borders: Path
) -> None:
    """Write the cubes of a site whose only record is of months.

    Parameters
    ----------
    name, site
        The site's name and its entry in the configuration.
    files
        Files to write.
    folder
        The folder of the source's files.
    source
        The source's own file, which may describe ``tables``.
    borders
        Country borders.
    """
    (entry,) = site["records"]
    record = read_record(site, entry, folder, source)
    count = MaskCount()
    write_site(
        name,
        site,
        recorded_drivers(record, site["disturbance"], count),
        recorded_observations(record, count),
        files,
        count,
        step="month",
        borders=borders,
        source=entry["file"],
        history="read_monthly: in canonical units",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        read_monthly(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            SiteFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            folder=Path(snakemake.input.raw),  # noqa: F821
            source=Path(snakemake.input.source),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
        )
