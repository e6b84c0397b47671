"""Count the cells of land of places whose maps are extrapolated."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.maps import MapGrid
from concerto.prepare.land import read_borders, share_of_land
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def count_land(places: Sequence[Mapping], borders: Path, output: Path) -> None:
    """Write a row for each place.

    Parameters
    ----------
    places
        ``name``, ``box`` and ``resolution_deg`` of each.
    borders
        Country borders.
    output
        Table with the columns ``place, resolution_deg, grid_cells, land_share, land_cells``.
    """
    countries = read_borders(borders)
    rows = []
    for place in places:
        grid = MapGrid(**place["box"], resolution_deg=place["resolution_deg"])
        cells, share = grid.rows * grid.columns, share_of_land(grid, countries)
        rows.append(
            {
                "place": place["name"],
                "resolution_deg": place["resolution_deg"],
                "grid_cells": cells,
                "land_share": share,
                "land_cells": round(cells * share),
            }
        )
        log.info("%s", rows[-1])
    write_table(pd.DataFrame(rows), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        count_land(
            snakemake.params.places,  # noqa: F821
            Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            Path(snakemake.output.places),  # noqa: F821
        )
