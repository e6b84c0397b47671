"""Aggregate a site's record to days, complete it from fields; count what is masked and filled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.cubes import HALFHOURLY, read_cube
from concerto.domain import Location
from concerto.prepare.area import read_sources, with_fields
from concerto.prepare.daily import daily_drivers, daily_observations
from concerto.prepare.filling import record_first, stand_ins
from concerto.prepare.site import SiteFiles, write_site
from concerto.prepare.streams import MaskCount
from concerto.scripting import script_log


def aggregate_daily(
    name: str,
    site: Mapping,
    files: SiteFiles,
    *,
    quality: Mapping[str, float],
    record: Path,
    borders: Path,
    fields: Mapping[str, Sequence[str | Path]],
    masking: Sequence[str | Path],
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
    count = MaskCount.of(masking)
    around = read_sources(fields, sources)
    observations = daily_observations(at_site, quality, count)
    location, weather = Location.from_site(name, site), site.get("weather", {})
    found = stand_ins(around, observations.indexes["time"], location, weather, count)
    drivers = daily_drivers(at_site, site["disturbance"], count, may_lack=found)
    if around:
        offset, least = location.utc_offset_hours, site["least_covered"]
        observations = with_fields(observations, around, offset, least, count)
    write_site(
        name,
        site,
        record_first(drivers, found, weather.get("correct"), count),
        observations,
        files,
        count,
        step="day",
        borders=borders,
        source="; ".join([cube.attrs["source"], *fields]),
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
            fields=snakemake.params.fields,  # noqa: F821
            masking=snakemake.input.masking,  # noqa: F821
            sources={Path(file).stem: Path(file) for file in snakemake.input.sources},  # noqa: F821
        )
