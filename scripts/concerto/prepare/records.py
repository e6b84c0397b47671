"""A site's records, each by its reader."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import xarray as xr
import yaml

from concerto.errors import InputError
from concerto.plugins import load


def read_record(site: Mapping, record: Mapping, folder: Path, source: Path) -> xr.Dataset:
    """Read one record with its reader, which gets what the source says about the file.

    Parameters
    ----------
    site
        The site's entry in the configuration, whose ``step`` says whether the record is of months.
    record
        Its entry under the site's ``records``.
    folder
        The folder of its source's files.
    source
        The source's own file, which may describe ``tables``.

    Raises
    ------
    InputError
        As the reader; or if the record is of months and the site is not, or the reverse.
    """
    described = yaml.safe_load(source.read_text(encoding="utf-8"))
    return read_file(site, record, folder, described.get("tables", {}))


def read_file(
    site: Mapping, record: Mapping, folder: Path, tables: Mapping[str, Mapping]
) -> xr.Dataset:
    """Read one record with its reader, as :func:`read_record`; ``tables`` are the source's."""
    file = folder / record["file"]
    table = _table(tables, record["file"])
    found = load("readers", record["reader"]).read(file, site, {**table, **record})
    steps = [ds_step == "month" for ds_step in (found.attrs.get("step"), site.get("step"))]
    if steps[0] != steps[1]:
        words = ["months" if monthly else "days or less" for monthly in steps]
        raise InputError(file, "time", f"steps of {words[0]}", f"{words[1]}, by the site's `step`")
    return found


def _table(tables: Mapping[str, Mapping], file: str) -> Mapping:
    """Return what is said of a file: under its name, or else under a pattern that it matches."""
    matching = [table for pattern, table in tables.items() if fnmatch(file, pattern)]
    return tables.get(file, matching[0] if matching else {})
