"""Make a table of cells of a box: land cover, climate and height, from which cover is learnt."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from concerto.config import load_yaml
from concerto.cubes import load, save
from concerto.prepare.classes import MAPS, land_classes
from concerto.prepare.grids import box_cells
from concerto.prepare.streams import MaskCount
from concerto.scripting import script_log

log = logging.getLogger(__name__)

CLIMATE = {"temp": "tas", "VPD": "vpd", "ppfd": "ppfd"}
"""Variables of the file of climate, whose first dimension is of months, by what they are of."""


def prepare_cover(
    settings: Mapping, classes: Path, legends: Path, climate: Path, output: Path
) -> None:
    """Write what is known of each cell of the box that has land with a class.

    Parameters
    ----------
    settings
        The configuration's ``reconstruction.cover``.
    classes, legends
        The folder of the maps of classes, and the source's own file, which has their legends.
    climate
        A NetCDF file (month, latitude, longitude) of climate and height.
    output
        NetCDF to write.
    """
    cells = box_cells(**settings["box"], resolution=settings["resolution_deg"])
    known = land_classes(classes, MAPS, load_yaml(legends), cells, MaskCount())
    out = known.assign_coords(cells.coordinates())
    fields = load(climate)
    where = {
        axis: xr.DataArray(getattr(cells, short), dims="location")
        for axis, short in (("latitude", "lat"), ("longitude", "lon"))
    }
    at = fields.sel(where, method="nearest")
    months = fields["temp"].dims[0]
    for band, name in CLIMATE.items():
        for number in range(at.sizes[months]):
            values = at[band].isel({months: number}).to_numpy().astype(float)
            out[f"{name}_{number + 1}"] = ("location", values)
    height = fields["elevation"].isel({months: 0})
    out["elevation"] = ("location", at["elevation"].isel({months: 0}).to_numpy().astype(float))
    rough = height.rolling(latitude=3, longitude=3, center=True, min_periods=1).std()
    out["roughness"] = ("location", rough.sel(where, method="nearest").to_numpy().astype(float))
    land = (known["igbp"] != "").to_numpy() & np.isfinite(out["tas_1"].to_numpy())
    log.info("%d of %d cells have land with a class and climate", land.sum(), len(cells))
    out = out.isel(location=np.flatnonzero(land)).drop_vars(["igbp"])
    out.attrs = {"title": "Land cover, climate and height of cells"}
    save(out, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        prepare_cover(
            snakemake.params.settings,  # noqa: F821
            Path(snakemake.input.classes),  # noqa: F821
            Path(snakemake.input.legends),  # noqa: F821
            Path(snakemake.input.climate) / snakemake.params.settings["climate"]["file"],  # noqa: F821
            Path(snakemake.output.cells),  # noqa: F821
        )
