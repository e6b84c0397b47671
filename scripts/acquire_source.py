"""Obtain one source: download its archive, verify it, keep the members asked for."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from concerto import provenance
from concerto.config import ROOT, read_source
from concerto.errors import InputError
from concerto.plugins import load
from concerto.scripting import script_log
from concerto.sources._archive import named, spelled_out, unpack
from concerto.whole import whole_directory

log = logging.getLogger(__name__)


def acquire_source(
    name: str, directory: Path, root: Path = ROOT, folder: str | None = None
) -> None:
    """Fill ``directory`` with a source's members and their provenance, whole or not at all.

    Nothing is downloaded where the directory holds them already. The archive is kept in
    ``.downloads`` beside the directory until its members are out, so that an interrupted download
    is resumed.

    Parameters
    ----------
    name
        The source's name, a file in config/sources.
    directory
        Where to put the members.
    root
        The folder that has the folder config.
    folder
        Where the files of a source in a local folder are, if not where its own file says.

    Raises
    ------
    ConcertoError
        If the source cannot be reached, is not what was expected or lacks a member.
    """
    source = read_source(name, root)
    if _is_here(directory, source):
        log.info("%s: here already, hashes as recorded", directory)
        return
    protocol = load("sources", source["protocol"])
    elsewhere = {"folder": folder} if folder else {}
    (asset,) = protocol.discover({**source["locator"], **elsewhere, "bands": []})
    archive = directory.parent / ".downloads" / name / asset.filename
    protocol.fetch(asset, archive)
    with whole_directory(directory) as temporary:
        members = named(archive, source["members"])
        unpack(archive, members, temporary)
        provenance.write(temporary, name, {**source, "members": members}, archive)
    shutil.rmtree(archive.parent)
    log.info("%s: %s", directory, ", ".join(members))


def _is_here(directory: Path, source: Mapping[str, Any]) -> bool:
    try:
        record = provenance.verify(directory)
    except InputError:
        return False
    members = {local: member["path"] for local, member in record["members"].items()}
    same = source["locator"].get("sha256") in (None, record["sha256"])
    return same and members == spelled_out(source["members"], list(members.values()))


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        acquire_source(
            snakemake.wildcards.source,  # noqa: F821
            Path(snakemake.output[0]),  # noqa: F821
            folder=snakemake.params.folder,  # noqa: F821
        )
