"""Aggregate a site's record to daily drivers and observations; count what is masked."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.cubes import (
    DAY,
    DRIVERS_DAILY,
    HALFHOURLY,
    LAND,
    OBSERVATIONS_DAILY,
    Schema,
    read_cube,
    with_bounds,
    write_cube,
)
from concerto.domain import Location, at_location
from concerto.prepare.daily import MaskCount, daily_drivers, daily_observations
from concerto.prepare.land import land_properties
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def aggregate_daily(
    name: str,
    site: Mapping,
    *,
    quality: Mapping[str, float],
    record: Path,
    borders: Path,
    drivers: Path,
    observations: Path,
    land: Path,
    masking: Path,
) -> None:
    """Write a site's daily cubes.

    Parameters
    ----------
    name, site
        The site's name and its entry in the configuration.
    quality
        The configuration's ``quality``.
    record
        Cube of the site's record.
    borders
        Country borders.
    drivers, observations, land
        Cubes to write.
    masking
        Table to write: ``variable, level, reason, masked, total``.
    """
    location = Location.from_site(name, site)
    cube = read_cube(record, HALFHOURLY)
    at_site = cube.drop_vars("time_bnds").isel(location=0, drop=True).astype("float64")
    count = MaskCount()
    title = site.get("name", name)
    daily = {
        drivers: (
            daily_drivers(at_site, site["disturbance"], count),
            DRIVERS_DAILY,
            f"Daily drivers at {title}",
        ),
        observations: (
            daily_observations(at_site, quality, count),
            OBSERVATIONS_DAILY,
            f"Daily observations at {title}",
        ),
    }
    # All that can fail for the data's sake comes before the first file is written.
    properties = land_properties(location, borders)
    for path, (ds, schema, heading) in daily.items():
        write_daily(ds, path, schema, location, title=heading, source=cube.attrs["source"])
    write_cube(
        at_location(properties, location),
        land,
        LAND,
        title=f"Land properties at {title}",
        source=f"configuration; {borders.name}",
        history="aggregate_daily: country looked up in the borders",
    )
    write_table(count.table(), masking)
    for stream, valid in daily[observations][0][list(site["streams"])].count().items():
        log.info("%s: %d valid days of %s", name, valid, stream)


def write_daily(
    ds: xr.Dataset, path: Path, schema: Schema, location: Location, *, title: str, source: str
) -> None:
    """Write a daily dataset of one site as a cube."""
    cube = at_location(with_bounds(ds, DAY, location.utc_offset_hours), location)
    cube.attrs = {"featureType": "timeSeries", "utc_offset_hours": location.utc_offset_hours}
    write_cube(
        cube,
        path,
        schema,
        title=title,
        source=source,
        history="aggregate_daily: aggregated to days of local standard time, masked by quality",
        comment="NEE is positive to the atmosphere, GPP and RECO are positive.",
    )


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as comma-separated text, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        table.to_csv(temporary, index=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        aggregate_daily(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            quality=snakemake.params.quality,  # noqa: F821
            record=Path(snakemake.input.record),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            drivers=Path(snakemake.output.drivers),  # noqa: F821
            observations=Path(snakemake.output.observations),  # noqa: F821
            land=Path(snakemake.output.land),  # noqa: F821
            masking=Path(snakemake.output.masking),  # noqa: F821
        )
