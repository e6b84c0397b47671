"""Obtain the files of a source of fields, for one place and one of its periods."""

from dataclasses import asdict
from pathlib import Path

from concerto.config import ROOT, read_source
from concerto.places import Request
from concerto.scripting import script_log
from concerto.sources._catalogue import bands
from concerto.sources._obtain import obtain


def acquire_fields(request: Request, directory: Path, root: Path = ROOT) -> None:
    """Fill ``directory`` with the files of a request and their provenance, whole or not at all.

    Parameters
    ----------
    request
        What is wanted.
    directory
        Where to put the files.
    root
        The folder that has the folder config.

    Raises
    ------
    ConcertoError
        If neither the archive nor a mirror can be reached, or what it sends is not what was asked.
    """
    source = read_source(request.source, root)
    start, end = request.start.isoformat(), request.end.isoformat()
    if source["grid"]["step"] is None:
        # What does not change has the date of its making, if any, whatever the place's period.
        start, end = source["grid"]["first"], source["grid"]["last"]
    question = {
        **asdict(request.box),
        "start": start,
        "end": end,
        "bands": bands(source, request.variables),
    }
    obtain(request.source, source, question, directory)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        acquire_fields(snakemake.params.request, Path(snakemake.output[0]))  # noqa: F821
