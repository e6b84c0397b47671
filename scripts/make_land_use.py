"""Make the land use of a place of LUH2's files: states and transitions of covers."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from concerto.cubes import DRIVERS_OF_CELLS, load, read_cube, save
from concerto.landuse.luh2 import covers_of
from concerto.patterns import matching
from concerto.projection.climate import axis_until
from concerto.readers._luh2 import read_luh2
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def make_land_use(
    name: str, scenarios: Mapping[str, Any], record: Path, output: Path, *, resolution: float
) -> None:
    """Write states and transitions.

    Parameters
    ----------
    name
        Of the land use.
    scenarios
        The configuration's ``scenarios``.
    record
        Cube of the drivers of the record, whose locations they are.
    output
        Where to write, as :func:`concerto.landuse.luh2.covers_of` has it.
    resolution
        Width and height of the place's cells, degrees; 0 of a site.
    """
    entry = scenarios["land_uses"][name]["luh2"]
    places = load(record)
    axis = axis_until(
        read_cube(record, DRIVERS_OF_CELLS).indexes["time"], scenarios["until"], record
    )
    years = range(axis[0].year, axis[-1].year + 1)
    found = read_luh2(
        matching(entry["states"]), matching(entry["transitions"]), years,
        places["lat"].to_numpy(), places["lon"].to_numpy(), resolution,
    ).assign_coords(location=places["location"].to_numpy())  # fmt: skip
    where = f"scenarios.land_uses.{name}.luh2.covers"
    made = covers_of(found, entry["covers"], list(scenarios["covers"]), where)
    log.info(
        "%s, %s to %s; %s of %s locations have no land in LUH2 and stay as they are",
        name, years[0], years[-1], made.attrs["locations_without_land"], made.sizes["location"],
    )  # fmt: skip
    save(made, output, "float64")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        make_land_use(
            snakemake.wildcards.land_use,  # noqa: F821
            snakemake.params.scenarios,  # noqa: F821
            Path(snakemake.input.record),  # noqa: F821
            Path(snakemake.output.land_use),  # noqa: F821
            resolution=snakemake.params.resolution,  # noqa: F821
        )
