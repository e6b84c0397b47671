"""Make the drivers of a place under all climates, from the end of its record on."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
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
from concerto.patterns import matching
from concerto.prepare.model_weather import model_drivers
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
ADJUSTED = "adjusted to the record by quantile delta mapping by calendar month"
NOWHERE = pd.Timedelta(0)  # outside of its record CO2 is not known


def make_scenario(
    place: str,
    climates: Mapping[str, Mapping],
    record: Path,
    outputs: Sequence[Path],
    *,
    until: int,
    monthly: bool,
    folders: Mapping[str, Path],
    sources: Mapping[str, Path],
) -> None:
    """Write the drivers.

    Parameters
    ----------
    place, climates
        Name of the place; the climates of the configuration.
    record
        Cube of the drivers of the record.
    outputs
        Files to write, one of each climate.
    until
        Last year.
    monthly
        Whether to go on in steps of months.
    folders, sources
        Of the sources of CO2, by name: folders of files, and the sources' own files.
    """
    known = read_cube(record, DRIVERS_OF_CELLS)
    offset = known.attrs["utc_offset_hours"]
    if monthly and not is_monthly(known.indexes["time"]):
        known = monthly_drivers(known, MaskCount(), record)
    axis = axis_until(known.indexes["time"], until, record)
    for (climate, entry), output in zip(climates.items(), outputs, strict=True):
        rise, name = None, "the record"
        if "co2" in entry:
            name = entry["co2"]["source"]
            rise = _rise(known, axis, entry["co2"], folders[name], sources[name], record)
        if "supplied" in entry:
            file = entry["supplied"].replace("{place}", place)
            made = adjusted_drivers(known, read_cube(file, DRIVERS_OF_CELLS), axis, file)
            words = f"{file}, {ADJUSTED}"
        elif "cmip6" in entry:
            files = ", ".join(entry["cmip6"])
            drivers = model_drivers(matching(entry["cmip6"]), known)
            made = adjusted_drivers(known, drivers, axis, files, rise)
            words = f"{files}, {ADJUSTED}; CO2 of {name}"
        else:
            change = Change(entry.get("warming_per_year", 0.0), entry.get("change_per_year", {}))
            made = changed_drivers(known, axis, change, rise, record)
            words = (
                "A demonstration: whole years of the record in turn, "
                f"{change.warming_per_year:g} K warmer a year; CO2 of {name}"
            )
        log.info("%s, %s: %s; %s", place, climate, span(axis), words)
        cube = with_bounds(made, MONTH if is_monthly(axis) else DAY, offset)
        write_cube(
            cube.assign_attrs(featureType="timeSeries", utc_offset_hours=offset),
            output,
            DRIVERS_OF_CELLS,
            title=f"Drivers of {place} in the climate {climate}",
            source=str(record),
            history=f"make_scenario: {span(axis)}",
            comment=words,
        )


def _rise(
    known: xr.Dataset,
    axis: pd.DatetimeIndex,
    entry: Mapping,
    folder: Path,
    source: Path,
    record: Path,
) -> np.ndarray:
    """Return by how much CO2 is higher at each step than at that whose weather it takes, ppm."""
    times = known.indexes["time"]
    series = read_record({}, entry, folder, source)
    years = series["time"].dt.year.to_numpy()
    # nanoseconds reach over less than three centuries
    series = series.isel(time=(years >= times[0].year - 1) & (years <= axis[-1].year + 1))
    then, later = (co2_at(when, series, NOWHERE, entry["file"]) for when in (times, axis))
    return later - then[source_steps(times, axis, record)]


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        described = [Path(file) for file in snakemake.input.sources]  # noqa: F821
        make_scenario(
            snakemake.wildcards.place,  # noqa: F821
            snakemake.params.climates,  # noqa: F821
            Path(snakemake.input.record),  # noqa: F821
            [Path(file) for file in snakemake.output],  # noqa: F821
            until=snakemake.params.until,  # noqa: F821
            monthly=snakemake.params.monthly,  # noqa: F821
            folders={Path(file).name: Path(file) for file in snakemake.input.folders},  # noqa: F821
            sources={file.stem: file for file in described},
        )
