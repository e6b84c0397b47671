"""Make cubes of calendar months of the cells of others, which may have days or months."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from concerto.cubes import (
    DRIVERS_OF_CELLS,
    LAND_AREA,
    MONTH,
    OBSERVATIONS_EITHER,
    is_monthly,
    read_cube,
    with_bounds,
    write_cube,
)
from concerto.prepare.monthly import monthly_drivers, monthly_observations
from concerto.prepare.streams import MaskCount
from concerto.products.files import write_table
from concerto.scripting import script_log


@dataclass(frozen=True)
class MonthlyFiles:
    """Where the cubes and the table of masked values are written."""

    drivers: Path
    observations: Path
    land: Path
    masking: Path


def monthly_cells(name: str, cubes: Mapping[str, Path], files: MonthlyFiles) -> None:
    """Write the cubes of months.

    Parameters
    ----------
    name
        Whose cubes they are.
    cubes
        Files of ``drivers``, ``observations`` and ``land``.
    files
        Files to write.
    """
    count = MaskCount()
    for what, path, schema, mean in (
        ("drivers", files.drivers, DRIVERS_OF_CELLS, monthly_drivers),
        ("observations", files.observations, OBSERVATIONS_EITHER, monthly_observations),
    ):
        cube = read_cube(cubes[what], schema)
        if not is_monthly(cube.indexes["time"]):
            offset = cube.attrs["utc_offset_hours"]
            cube = with_bounds(mean(cube.astype("float64"), count, cubes[what]), MONTH, offset)
            cube.attrs = {"featureType": "timeSeries", "utc_offset_hours": offset}
        write_cube(
            cube,
            path,
            schema,
            title=f"Monthly {what} of {name}",
            source=f"cubes of {name}",
            history="monthly_cells: means of calendar months",
        )
    land = read_cube(cubes["land"], LAND_AREA)
    said = {"title": f"Land of {name}", "source": f"cubes of {name}"}
    write_cube(land, files.land, LAND_AREA, **said, history="monthly_cells: as it was")
    write_table(count.table(), files.masking)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        monthly_cells(
            snakemake.wildcards.target,  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            MonthlyFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
