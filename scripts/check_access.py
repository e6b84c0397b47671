"""Check that the logins are there that some requests need."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from concerto.config import ROOT
from concerto.scripting import script_log
from concerto.sources._access import report, require_logins, unsafe_files
from concerto.sources._catalogue import read_catalogue

log = logging.getLogger(__name__)


def check_access(
    names: Iterable[str],
    text: Path,
    root: Path = ROOT,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> None:
    """Write which logins of the catalogue are there; fail where a wanted one is missing.

    Parameters
    ----------
    names
        The sources that are wanted.
    text
        Where to write, for people.
    root
        The folder that has the folder config.
    environ, home
        The environment and the home folder.

    Raises
    ------
    ConcertoError
        Naming all logins that are missing of the wanted sources, and what to do.
    """
    home = home or Path.home()
    catalogue = read_catalogue(root)
    warnings = unsafe_files(catalogue, home)
    for warning in warnings:
        log.warning("%s", warning)
    require_logins(set(names), environ, home, root)
    lines = [report(catalogue, environ, home), *(f"warning: {warning}\n" for warning in warnings)]
    text.write_text("".join(lines), encoding="utf-8")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        check_access(
            snakemake.params.sources,  # noqa: F821
            Path(snakemake.output[0]),  # noqa: F821
        )
