"""Tabulate what maps of synthetic cells took, and what maps of places would."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.evaluation.scale import STAGES, Tile, extrapolate, linearity, map_row
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScaleFiles:
    """Where the tables are written: of maps, of what is linear in them, and of places."""

    scale: Path
    linearity: Path
    extrapolation: Path


def tabulate_scale(run: Path, maps: Sequence[Mapping], places: Path, files: ScaleFiles) -> None:
    """Write the tables.

    Parameters
    ----------
    run
        Folder of the run.
    maps
        ``name``, ``task``, ``cells``, ``tiles``, their number, and ``measured``, the names of
        those that were worked on, of each map.
    places
        Table of ``count_land``.
    files
        Files to write.
    """
    table = pd.DataFrame(
        [
            map_row(
                item["task"],
                item["cells"],
                item["tiles"],
                [_tile(run, item["name"], tile) for tile in item["measured"]],
            )
            for item in maps
        ]
    )
    linear = linearity(table)
    log.info("%s", linear.to_dict("records"))
    write_table(table, files.scale)
    write_table(linear, files.linearity)
    write_table(extrapolate(table, pd.read_csv(places)), files.extrapolation)


def _tile(run: Path, name: str, tile: str) -> Tile:
    posterior = run / "posterior" / name / f"{tile}.nc"
    with xr.open_dataset(posterior) as dataset:
        statuses = dataset["status"].to_numpy()
    made = [run / "products" / name / kind / f"{tile}.nc" for kind in ("tiles", "sums")]
    logs = [run / "logs" / f"{stage}_tile.{name}.{tile}.log" for stage in STAGES]
    return Tile(statuses, logs, [posterior, *made])


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        tabulate_scale(
            Path(snakemake.output.scale).parents[1],  # noqa: F821
            snakemake.params.maps,  # noqa: F821
            Path(snakemake.input.places),  # noqa: F821
            ScaleFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
