"""Read the monthly records of all towers of a network into cubes with a location for each."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from concerto import provenance
from concerto.config import load_yaml
from concerto.cubes import DRIVERS_OF_CELLS, LAND_AREA, OBSERVATIONS_MONTHLY, write_cube
from concerto.prepare.land import read_borders
from concerto.prepare.network import read_towers, towers_land, with_heights
from concerto.prepare.plausibility import check_network, flag_streams
from concerto.products.files import write_table
from concerto.readers._places import read_places
from concerto.scripting import script_log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NetworkFiles:
    """Where the cubes and tables of a network are written.

    ``masking`` has the columns ``variable, level, reason, masked, total``, of all towers together;
    ``faults`` has ``site, file, field, found, expected`` of each tower whose file cannot be used;
    ``plausibility`` has ``site, stream, check, found, expected, severity`` of each doubt.
    """

    drivers: Path
    observations: Path
    land: Path
    masking: Path
    faults: Path
    plausibility: Path


def read_network(
    network: Mapping,
    files: NetworkFiles,
    *,
    folder: Path,
    source: Path,
    heights: Sequence[Path],
    borders: Path,
) -> None:
    """Write the cubes of a network.

    Parameters
    ----------
    network
        Its entry in the configuration.
    files
        Files to write.
    folder, source
        The folder of the source's files, and the source's own file, which describes ``tables``.
    heights
        The folder of the network's grid of heights and its source's own file, or nothing.
    borders
        Country borders.
    """
    described, records = load_yaml(source), network["records"]
    tables, table = described["tables"], records["table"]
    places = read_places(folder / table, tables[table]["places"])
    members = [name for name in provenance.read(folder)["members"] if name != table]
    towers = read_towers(places, records["reader"], folder, members, tables, network["disturbance"])
    land = towers_land(
        with_heights(places, *_grid(network, *heights)) if heights else places,
        read_borders(borders),
        network["footprint_m"],
    )
    doubts = check_network(towers.drivers, towers.observations, land)
    log.info("%d doubts, of %d towers", len(doubts), doubts["site"].nunique())
    observations = flag_streams(towers.observations, doubts)
    for cube, path, schema, what in (
        (towers.drivers, files.drivers, DRIVERS_OF_CELLS, "Monthly drivers"),
        (observations, files.observations, OBSERVATIONS_MONTHLY, "Monthly observations"),
        (land, files.land, LAND_AREA, "Land"),
    ):
        write_cube(
            cube,
            path,
            schema,
            title=f"{what} of {network['name']}",
            source=described["title"],
            history="read_network: in canonical units",
            comment="Months are calendar months of each tower's own clock.",
        )
    write_table(towers.masking, files.masking)
    write_table(towers.faults, files.faults)
    write_table(doubts, files.plausibility)


def _grid(network: Mapping, folder: Path, source: Path) -> tuple[Path, str]:
    """Return the file of a network's grid of heights, and the variable in it."""
    file = network["heights"]["file"]
    return folder / file, load_yaml(source)["tables"][file]["band"]


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        read_network(
            snakemake.params.network,  # noqa: F821
            NetworkFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            folder=Path(snakemake.input.raw),  # noqa: F821
            source=Path(snakemake.input.source),  # noqa: F821
            heights=[Path(file) for file in snakemake.input.heights],  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
        )
