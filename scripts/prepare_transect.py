"""Make daily cubes of the grid cells of the transect; count what is masked."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from concerto.cubes import DRIVERS_DAILY, OBSERVATIONS_DAILY, write_cube
from concerto.prepare.transect import daily_cells
from concerto.scripting import script_log

MEMBER = "transect_2000.nc"


def prepare_transect(
    folder: Path,
    source: Path,
    *,
    quality: Mapping[str, float],
    drivers: Path,
    observations: Path,
    masking: Path,
) -> None:
    """Write the daily cubes of all cells with weather.

    Parameters
    ----------
    folder
        The folder of the source's files.
    source
        The source's own file, which describes the variables.
    quality
        The configuration's ``quality``.
    drivers, observations
        Cubes to write, whose locations are the cells.
    masking
        Table to write: ``variable, level, reason, masked, total``, of all cells together.
    """
    described = yaml.safe_load(source.read_text(encoding="utf-8"))
    made = daily_cells(folder / MEMBER, described["tables"][MEMBER], quality)
    for cube, path, schema, what in (
        (made[0], drivers, DRIVERS_DAILY, "drivers"),
        (made[1], observations, OBSERVATIONS_DAILY, "observations"),
    ):
        write_cube(
            cube,
            path,
            schema,
            title=f"Daily {what} of cells along 24.25 degrees east",
            source=described["title"],
            history="prepare_transect: aggregated to days",
            comment="Rain is not in the record: it has no value. Nothing is disturbed.",
        )
    made[2].to_csv(masking, index=False)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        prepare_transect(
            Path(snakemake.input.raw),  # noqa: F821
            Path(snakemake.input.source),  # noqa: F821
            quality=snakemake.params.quality,  # noqa: F821
            drivers=Path(snakemake.output.drivers),  # noqa: F821
            observations=Path(snakemake.output.observations),  # noqa: F821
            masking=Path(snakemake.output.masking),  # noqa: F821
        )
