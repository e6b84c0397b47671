"""The files of a site: checked cubes of drivers, observations and land."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from concerto.cubes import (
    DAY,
    DRIVERS_DAILY,
    DRIVERS_MONTHLY,
    LAND,
    MONTH,
    OBSERVATIONS_DAILY,
    OBSERVATIONS_MONTHLY,
    Schema,
    with_bounds,
    write_cube,
)
from concerto.domain import Location, at_location
from concerto.prepare.checks import check_streams
from concerto.prepare.land import land_properties
from concerto.prepare.streams import MaskCount
from concerto.products.files import write_table

log = logging.getLogger(__name__)

STEPS = {"day": DAY, "month": MONTH}
_WORDS = {"day": "Daily", "month": "Monthly"}
_DRIVERS = {"day": DRIVERS_DAILY, "month": DRIVERS_MONTHLY}
_OBSERVATIONS = {"day": OBSERVATIONS_DAILY, "month": OBSERVATIONS_MONTHLY}


@dataclass(frozen=True)
class SiteFiles:
    """Where the files of a site are written: three cubes, and the table of what was masked.

    The table has the columns ``variable, level, reason, masked, total``.
    """

    drivers: Path
    observations: Path
    land: Path
    masking: Path


def write_site(
    name: str,
    site: Mapping,
    drivers: xr.Dataset,
    observations: xr.Dataset,
    files: SiteFiles,
    count: MaskCount,
    *,
    step: str,
    borders: Path,
    source: str,
    history: str,
) -> None:
    """Write the files of a site.

    All that can fail for the data's sake comes before the first file is written.

    Parameters
    ----------
    name, site
        The site's name and its entry in the configuration.
    drivers, observations
        Variables along ``time``.
    files
        Where to write.
    count
        What was masked.
    step
        Step of the cubes, ``day`` or ``month``.
    borders
        Country borders.
    source, history
        CF attributes of drivers and observations.

    Raises
    ------
    InputError
        If a stream of the site is not among the observations, the place is in no country, or what
        is to be written does not fit its schema.
    """
    location = Location.from_site(name, site)
    title = site.get("name", name)
    check_streams(observations, site["streams"], location)
    properties = land_properties(location, borders)
    for ds, path, schema, what in (
        (drivers, files.drivers, _DRIVERS[step], "drivers"),
        (observations, files.observations, _OBSERVATIONS[step], "observations"),
    ):
        heading = f"{_WORDS[step]} {what} at {title}"
        _write(ds, path, schema, location, step, title=heading, source=source, history=history)
    write_cube(
        at_location(properties, location),
        files.land,
        LAND,
        title=f"Land properties at {title}",
        source=f"configuration; {borders.name}",
        history="country looked up in the borders",
    )
    write_table(count.table(), files.masking)
    for stream, valid in observations[list(site["streams"])].count().items():
        log.info("%s: %d valid %ss of %s", name, valid, step, stream)


def _write(
    ds: xr.Dataset,
    path: Path,
    schema: Schema,
    location: Location,
    step: str,
    *,
    title: str,
    source: str,
    history: str,
) -> None:
    cube = at_location(with_bounds(ds, STEPS[step], location.utc_offset_hours), location)
    cube.attrs = {"featureType": "timeSeries", "utc_offset_hours": location.utc_offset_hours}
    write_cube(
        cube,
        path,
        schema,
        title=title,
        source=source,
        history=history,
        comment="NEE is positive to the atmosphere, GPP and RECO are positive.",
    )
