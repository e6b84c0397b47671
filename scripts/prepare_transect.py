"""Make daily cubes of the grid cells of the transect, and their land; count what is masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from concerto.config import load_yaml
from concerto.cubes import DRIVERS_OF_CELLS, LAND_AREA, OBSERVATIONS_DAILY, write_cube
from concerto.prepare.area import area_land
from concerto.prepare.classes import MAPS, land_classes
from concerto.prepare.grids import centred_cells
from concerto.prepare.land import countries_of, read_borders
from concerto.prepare.streams import MaskCount
from concerto.prepare.transect import RESOLUTION, daily_cells
from concerto.products.files import write_table
from concerto.scripting import script_log

MEMBER = "transect_2000.nc"
PLACE = "cells along 24.25 degrees east"


@dataclass(frozen=True)
class TransectFiles:
    """Where the cubes, whose locations are the cells, and the table of masked values are written.

    The table has the columns ``variable, level, reason, masked, total``, of all cells together.
    """

    drivers: Path
    observations: Path
    land: Path
    masking: Path


def prepare_transect(
    files: TransectFiles,
    *,
    raw: Path,
    source: Path,
    classes: Path,
    legends: Path,
    borders: Path,
    quality: Mapping[str, float],
) -> None:
    """Write the daily cubes of all cells with weather, and what their land is like.

    Parameters
    ----------
    files
        Files to write.
    raw, source
        The folder of the record's files, and the source's own file, which describes the variables.
    classes, legends
        The folder of the maps of classes, and the source's own file, which has their legends.
    borders
        Country borders.
    quality
        The configuration's ``quality``.
    """
    described, count = load_yaml(source), MaskCount()
    drivers, observations, elevation, masked = daily_cells(
        raw / MEMBER, described["tables"][MEMBER], quality
    )
    for cube, path, schema, what in (
        (drivers, files.drivers, DRIVERS_OF_CELLS, "drivers"),
        (observations, files.observations, OBSERVATIONS_DAILY, "observations"),
    ):
        write_cube(
            cube,
            path,
            schema,
            title=f"Daily {what} of {PLACE}",
            source=described["title"],
            history="prepare_transect: aggregated to days",
            comment="Rain is not in the record: it has no value. Nothing is disturbed.",
        )
    countries = read_borders(borders)
    cells = centred_cells(
        *(drivers[name].to_numpy() for name in ("location", "lat", "lon")), RESOLUTION, countries
    )
    maps = load_yaml(legends)
    land = area_land(
        [],
        countries_of(cells, countries),
        cells.area,
        cells.land_fraction,
        land_classes(classes, MAPS, maps, cells, count),
    )
    write_cube(
        land.assign(elevation=elevation).assign_coords(cells.coordinates()),
        files.land,
        LAND_AREA,
        title=f"Land of {PLACE}",
        source=f"{described['title']}; {maps['title']}; {borders.name}",
        history="prepare_transect: areas on the WGS84 ellipsoid",
    )
    write_table(pd.concat([masked, count.table()]), files.masking)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        prepare_transect(
            TransectFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            raw=Path(snakemake.input.raw),  # noqa: F821
            source=Path(snakemake.input.source),  # noqa: F821
            classes=Path(snakemake.input.classes),  # noqa: F821
            legends=Path(snakemake.input.legends),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            quality=snakemake.params.quality,  # noqa: F821
        )
