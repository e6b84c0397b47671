"""Aggregate a site's record to daily drivers and observations; count what is masked."""

from collections.abc import Mapping
from pathlib import Path

from concerto.config import load_yaml
from concerto.cubes import HALFHOURLY, read_cube
from concerto.prepare.area import read_fields, with_fields
from concerto.prepare.daily import daily_drivers, daily_observations
from concerto.prepare.site import SiteFiles, write_site
from concerto.prepare.streams import MaskCount, read_masking
from concerto.scripting import script_log


def aggregate_daily(
    name: str,
    site: Mapping,
    files: SiteFiles,
    *,
    quality: Mapping[str, float],
    record: Path,
    borders: Path,
    fields: Mapping[str, list[Path]],
    masking: list[Path],
    sources: Mapping[str, Path],
) -> None:
    """Write a site's daily cubes.

    Parameters
    ----------
    name, site
        The site's name and its entry in the configuration.
    files
        Files to write.
    quality
        The configuration's ``quality``.
    record
        Cube of the site's record.
    borders
        Country borders.
    fields
        Files of the means around the site of each source of fields, by the source's name.
    masking
        Tables of what was masked on the way to these.
    sources
        These sources' own files, by name.
    """
    cube = read_cube(record, HALFHOURLY)
    at_site = cube.drop_vars("time_bnds").isel(location=0, drop=True).astype("float64")
    count = MaskCount()
    for file in masking:
        count.add_table(read_masking(file))
    around = [
        read_fields(source, load_yaml(sources[source]), parts) for source, parts in fields.items()
    ]
    observations = daily_observations(at_site, quality, count)
    if around:
        offset, least = site["utc_offset_hours"], site["least_covered"]
        observations = with_fields(observations, around, offset, least, count)
    write_site(
        name,
        site,
        daily_drivers(at_site, site["disturbance"], count),
        observations,
        files,
        count,
        step="day",
        borders=borders,
        source=cube.attrs["source"],
        history="aggregate_daily: aggregated to days of local standard time, masked by quality",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        aggregate_daily(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            SiteFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            quality=snakemake.params.quality,  # noqa: F821
            record=Path(snakemake.input.record),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            fields={
                source: [Path(file) for file in files]
                for source, files in snakemake.params.fields.items()  # noqa: F821
            },
            masking=[Path(file) for file in snakemake.input.masking],  # noqa: F821
            sources={Path(file).stem: Path(file) for file in snakemake.input.sources},  # noqa: F821
        )
