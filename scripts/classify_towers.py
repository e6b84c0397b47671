"""Say in which climate zone each tower of a network is."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from concerto.config import load_yaml
from concerto.cubes import load
from concerto.learning.partitions import climates_of
from concerto.prepare.classes import MAPS, land_classes
from concerto.prepare.grids import footprint_cells
from concerto.prepare.streams import MaskCount
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)

ZONES = {"koppen": MAPS["koppen"]}
RADII = (500.0, 20000.0)
"""Of circles around towers, m: the wider one counts where the map has no land in the other."""


def classify_towers(land: Path, classes: Path, legends: Path, output: Path) -> None:
    """Write a table with the columns ``tower, koppen, climate``.

    Parameters
    ----------
    land
        Cube of the network.
    classes, legends
        The folder of the maps of classes, and the source's own file, which has their legends.
    output
        Where to write.
    """
    towers, described = load(land), load_yaml(legends)
    names = towers["location"].to_numpy().astype(str)
    zones = np.full(len(names), "", dtype=object)
    for radius in RADII:
        left = np.flatnonzero(zones == "")
        if not len(left):
            break
        lat, lon = (towers[name].to_numpy()[left] for name in ("lat", "lon"))
        cells = footprint_cells(lat, lon, radius, name=names[left])
        zones[left] = land_classes(classes, ZONES, described, cells, MaskCount())["koppen"]
    climates = climates_of(zones)
    for name in names[zones == ""]:
        log.warning("%s: no climate zone within %g km", name, RADII[-1] / 1000.0)
    write_table(pd.DataFrame({"tower": names, "koppen": zones, "climate": climates}), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        classify_towers(
            Path(snakemake.input.land),  # noqa: F821
            Path(snakemake.input.classes),  # noqa: F821
            Path(snakemake.input.legends),  # noqa: F821
            Path(snakemake.output.table),  # noqa: F821
        )
