"""Find how much land of each cell of a map lies in each region of a table, by cover."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from concerto.cubes import load, save
from concerto.maps import cell_boxes
from concerto.prepare.land import read_borders
from concerto.prepare.region_areas import (
    managed_share,
    read_regions,
    shares_of_cover,
    weigh,
)
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def weigh_regions(
    entry: Mapping[str, Any],
    resolution: float,
    *,
    land: Path,
    polygons: Path,
    borders: Path,
    managed: Path | None,
    output: Path,
) -> None:
    """Write the parts of all cells.

    Parameters
    ----------
    entry
        The table's configuration.
    resolution
        Width and height of the map's cells, degrees.
    land, polygons, borders
        The cube of the cells; outlines of the regions, and of land.
    managed
        Share of each cell that is managed, if there is such a file.
    output
        Where to write, as :func:`concerto.prepare.region_areas.weigh` has it.
    """
    cube = load(land)
    regions = read_regions(polygons, entry["polygons"]["column"])
    covers = shares_of_cover(cube)["cover"].to_numpy()
    share = managed_share(
        entry.get("managed", {}), covers, cube["location"].to_numpy().astype(str), managed
    )
    boxes = cell_boxes(cube["lat"].to_numpy(), cube["lon"].to_numpy(), resolution)
    outlines = read_borders(borders) if "land_fraction" in cube else None
    weights = weigh(cube, boxes, regions, outlines, share)
    met = weights["region_name"].to_numpy()[weights["map_area"].to_numpy() > 0.0]
    log.info("%d of %d regions have land in the map", len(met), weights.sizes["region_name"])
    save(weights, output, "float64")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        weigh_regions(
            snakemake.params.entry,  # noqa: F821
            snakemake.params.resolution,  # noqa: F821
            land=Path(snakemake.input.land),  # noqa: F821
            polygons=Path(snakemake.params.polygons),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            managed=next(map(Path, snakemake.input.managed), None),  # noqa: F821
            output=Path(snakemake.output.weights),  # noqa: F821
        )
