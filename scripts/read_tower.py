"""Read a site's raw records into one cube at the records' own time step."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.cubes import HALFHOURLY, with_bounds, write_cube
from concerto.domain import Location, at_location
from concerto.places import around
from concerto.prepare.checks import check_clock, check_streams, check_years
from concerto.prepare.merge import merge_records
from concerto.prepare.records import read_record
from concerto.scripting import script_log

log = logging.getLogger(__name__)

ALWAYS_NEEDED = ("tas", "rsds", "co2")


def read_tower(
    name: str,
    site: Mapping,
    folders: Sequence[Path],
    sources: Sequence[Path],
    output: Path,
) -> None:
    """Read all records of a site, join, check and write them.

    Parameters
    ----------
    name, site
        The site's name and its entry in the configuration.
    folders
        For each entry of the site's ``records``, the folder of its source's files.
    sources
        For each record, its source's own file, which may describe ``tables``.
    output
        The cube to write.
    """
    location = Location.from_site(name, site)
    records = {}
    for record, folder, source in zip(site["records"], folders, sources, strict=True):
        records[record["file"]] = read_record(site, record, Path(folder), Path(source))
    joined = merge_records(records)
    measured = [stream for stream in site["streams"] if stream not in around(site)]
    check_streams(joined, measured, location)
    weather = [name for name in ALWAYS_NEEDED if name not in around(site)]
    check_years(joined, [*weather, *measured])
    check_clock(joined, location)
    step = pd.Timedelta(minutes=joined.attrs["step_minutes"])
    cube = at_location(with_bounds(joined, step, location.utc_offset_hours), location)
    cube.attrs["utc_offset_hours"] = location.utc_offset_hours
    write_cube(
        cube,
        output,
        HALFHOURLY,
        title=f"Record of {site.get('name', name)}",
        source="; ".join(records),
        history="read_tower: joined the site's records on one time axis, in canonical units",
        comment="NEE is positive to the atmosphere, GPP and RECO are positive.",
    )
    log.info("%s: %d steps from %s", name, cube.sizes["time"], ", ".join(records))


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        read_tower(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            snakemake.input.raw,  # noqa: F821
            snakemake.input.sources,  # noqa: F821
            Path(snakemake.output.cube),  # noqa: F821
        )
