"""Compose the cubes of an area from what sources have in its cells, and say what is missing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.config import load_yaml
from concerto.cubes import (
    DRIVERS_EITHER,
    LAND_AREA,
    OBSERVATIONS_EITHER,
    span,
    with_bounds,
    write_cube,
)
from concerto.prepare import area as compose
from concerto.prepare.classes import NAMES, land_classes
from concerto.prepare.gaps import find_gaps, summary
from concerto.prepare.land import cells_of, countries_of, read_borders
from concerto.prepare.records import read_record
from concerto.prepare.site import STEPS
from concerto.prepare.streams import MaskCount
from concerto.prepare.weather import co2_at
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)

REACH = pd.Timedelta(days=366)
"""How far the first and last value of a CO2 record stand in beyond its ends."""


@dataclass(frozen=True)
class AreaFiles:
    """Where the files of an area are written."""

    drivers: Path
    observations: Path
    land: Path
    masking: Path
    gaps: Path


def compose_area(
    name: str,
    area: Mapping,
    files: AreaFiles,
    *,
    fields: Mapping[str, Sequence[str | Path]],
    masking: Sequence[str | Path],
    sources: Mapping[str, Path],
    record: Path,
    borders: Path,
    outlines: Path | None,
    classes: Path | None,
) -> None:
    """Write an area's cubes, the table of what was masked and that of gaps.

    Parameters
    ----------
    name, area
        The area's name and its entry in the configuration.
    files
        Files to write.
    fields
        Files of each source's means over cells, by the source's name.
    masking
        Tables of what was masked on the way to these.
    sources
        The sources' own files, by name; those of the CO2 record and of the maps of classes too.
    record
        Folder of the source of the CO2 record.
    borders
        Country borders.
    outlines
        The layer of the area's polygons, if it has some.
    classes
        The folder of the maps of classes, if some are wanted.
    """
    axis = compose.time_axis(area["period"], area["step"])
    found = compose.read_sources(fields, sources)
    count = MaskCount.of(masking)
    entry = area["co2"]
    series = read_record({}, entry, record, sources[entry["source"]])
    co2 = co2_at(axis, series, REACH, entry["file"])
    drivers = compose.area_drivers(
        found, axis, area["disturbance"], (co2, f"{entry['source']}: {entry['file']}"), count
    )
    observations = compose.area_observations(
        found, axis, area["step"], area["least_covered"], count
    )
    countries = read_borders(borders)
    cells = cells_of(name, area, countries, outlines)
    kept = np.flatnonzero(compose.complete_cells(drivers, count))
    cells = cells.select(kept)
    known = xr.Dataset()
    if classes is not None:
        wanted = area["classes"]
        maps = {key: wanted[key] for key in NAMES if key in wanted}
        known = land_classes(classes, maps, load_yaml(sources[wanted["source"]]), cells, count)
    land = compose.area_land(
        [source.select(kept) for source in found],
        countries_of(cells, countries),
        cells.area,
        cells.land_fraction,
        known,
    )
    places = cells.coordinates()
    origin = ", ".join([*fields, entry["source"]])
    for ds, path, schema, what in (
        (drivers, files.drivers, DRIVERS_EITHER, "drivers"),
        (observations, files.observations, OBSERVATIONS_EITHER, "observations"),
    ):
        # an area may have nothing observed
        cube = ds.isel(location=kept, missing_dims="ignore")
        cube = with_bounds(cube, STEPS[area["step"]], 0.0).assign_coords(places)
        cube.attrs = {"featureType": "timeSeries", "utc_offset_hours": 0.0}
        write_cube(
            cube,
            path,
            schema,
            title=f"{what.capitalize()} of {area['name']}",
            source=origin,
            history=f"compose_area: {len(kept)} cells, {span(axis)}",
        )
    write_cube(
        land.assign_coords(places),
        files.land,
        LAND_AREA,
        title=f"Land of {area['name']}",
        source=f"{origin}; {borders.name}",
        history="compose_area: areas on the WGS84 ellipsoid",
    )
    masked = count.table().groupby(["variable", "level", "reason"], sort=False, as_index=False)
    masked = masked.sum()
    write_table(masked, files.masking)
    seen = observations.isel(location=kept, missing_dims="ignore").assign_coords(places)
    gaps = find_gaps(seen, masked)
    write_table(gaps.locations, files.gaps)
    for line in summary(gaps):
        log.info("%s: %s", name, line)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        compose_area(
            snakemake.wildcards.area,  # noqa: F821
            snakemake.params.area,  # noqa: F821
            AreaFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            fields=snakemake.params.fields,  # noqa: F821
            masking=snakemake.input.masking,  # noqa: F821
            sources={Path(file).stem: Path(file) for file in snakemake.input.sources},  # noqa: F821
            record=Path(snakemake.input.record),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            outlines=next(map(Path, snakemake.params.outlines), None),  # noqa: F821
            classes=next(map(Path, snakemake.input.classes), None),  # noqa: F821
        )
