"""Foresee what requests will download, without asking anyone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from concerto.config import ROOT
from concerto.scripting import script_log
from concerto.sources._catalogue import as_csv, for_people, plan, read_catalogue


def plan_downloads(
    requests: Sequence[Mapping[str, Any]],
    table: Path,
    text: Path,
    records: Mapping[str, Sequence[str]] = {},
    root: Path = ROOT,
) -> None:
    """Write how much each request will bring, from where and under which licence.

    Parameters
    ----------
    requests, records
        As :func:`concerto.sources._catalogue.plan` takes them.
    table, text
        Where to write it as CSV, and for people.
    root
        The folder that has the folder config.

    Raises
    ------
    ConcertoError
        If a source is unknown or does not have a variable.
    """
    planned = plan(requests, read_catalogue(root), records)
    table.write_text(as_csv(planned), encoding="utf-8")
    text.write_text(for_people(planned), encoding="utf-8")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plan_downloads(
            snakemake.params.requests,  # noqa: F821
            Path(snakemake.output.table),  # noqa: F821
            Path(snakemake.output.text),  # noqa: F821
            snakemake.params.records,  # noqa: F821
        )
