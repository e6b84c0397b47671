"""Make the drivers of a place under one climate, from the end of its record on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from concerto.cubes import (
    DAY,
    DRIVERS_OF_CELLS,
    MONTH,
    is_monthly,
    read_cube,
    span,
    with_bounds,
    write_cube,
)
from concerto.prepare.monthly import monthly_drivers
from concerto.prepare.records import read_record
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import co2_at
from concerto.projection.climate import (
    Change,
    adjusted_drivers,
    axis_until,
    changed_drivers,
    source_steps,
)
from concerto.scripting import script_log

log = logging.getLogger(__name__)
NOWHERE = pd.Timedelta(0)  # outside of its record CO2 is not known


@dataclass(frozen=True)
class Co2:
    """Where the record of CO2 is: its source's folder of files, and the source's own file."""

    folder: Path
    source: Path


def make_scenario(
    place: str,
    climate: str,
    entry: Mapping,
    record: Path,
    output: Path,
    *,
    until: int,
    monthly: bool,
    co2: Co2 | None,
) -> None:
    """Write the drivers.

    Parameters
    ----------
    place, climate, entry
        Name of the place; name and entry of the climate in the configuration.
    record
        Cube of the drivers of the record.
    output
        File to write.
    until
        Last year.
    monthly
        Whether to go on in steps of months.
    co2
        The record of CO2, if the climate has one.
    """
    known = read_cube(record, DRIVERS_OF_CELLS)
    attributes = known.attrs
    if monthly and not is_monthly(known.indexes["time"]):
        known = monthly_drivers(known, MaskCount(), record)
    times = known.indexes["time"]
    axis = axis_until(times, until, record)
    if "supplied" in entry:
        file = entry["supplied"].replace("{place}", place)
        made = adjusted_drivers(known, read_cube(file, DRIVERS_OF_CELLS), axis, file)
        words = f"{file}, adjusted to the record by quantile delta mapping by calendar month"
    else:
        rise = None
        if co2:
            series = read_record({}, entry["co2"], co2.folder, co2.source)
            of = series["time"].dt.year.to_numpy()
            series = series.isel(time=(of >= times[0].year - 1) & (of <= until + 1))
            then, later = (
                co2_at(when, series, NOWHERE, entry["co2"]["file"]) for when in (times, axis)
            )
            rise = later - then[source_steps(times, axis, record)]
        change = Change(entry.get("warming_per_year", 0.0), entry.get("change_per_year", {}))
        made = changed_drivers(known, axis, change, rise, record)
        words = (
            f"A demonstration: whole years of the record in turn, {change.warming_per_year:g} K "
            f"warmer a year; CO2 {'of ' + entry['co2']['source'] if co2 else 'of the record'}"
        )
    log.info("%s, %s: %s; %s", place, climate, span(axis), words)
    cube = with_bounds(made, MONTH if is_monthly(axis) else DAY, attributes["utc_offset_hours"])
    write_cube(
        cube.assign_attrs(
            featureType="timeSeries", utc_offset_hours=attributes["utc_offset_hours"]
        ),
        output,
        DRIVERS_OF_CELLS,
        title=f"Drivers of {place} in the climate {climate}",
        source=str(record),
        history=f"make_scenario: {span(axis)}",
        comment=words,
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        folder = snakemake.input.get("co2")  # noqa: F821
        make_scenario(
            snakemake.wildcards.place,  # noqa: F821
            snakemake.wildcards.climate,  # noqa: F821
            snakemake.params.climate,  # noqa: F821
            Path(snakemake.input.record),  # noqa: F821
            Path(snakemake.output.drivers),  # noqa: F821
            until=snakemake.params.until,  # noqa: F821
            monthly=snakemake.params.monthly,  # noqa: F821
            co2=Co2(Path(folder[0]), Path(folder[1])) if folder else None,
        )
