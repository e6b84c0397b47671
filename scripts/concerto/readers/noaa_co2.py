"""CO2 mole fraction of NOAA's records, monthly or annual (comma-separated, with comments).

Files of the Global Monitoring Laboratory, such as co2_mm_mlo.csv (Mauna Loa), co2_mm_gl.csv (mean
of the sea's surface) and co2_annmean_gl.csv: lines that begin with ``#``, then a header. Missing
values are negative. Each mean is put at the middle of its month or year and may be interpolated
linearly between those.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.readers import _common

log = logging.getLogger(__name__)

COLUMNS = {"month": "average", "year": "mean"}


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read the record; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file.
    site
        Not used: the record holds everywhere.
    spec
        ``column``, such as ``trend`` or ``deseasonalized`` (default: the mean as it was).

    Returns
    -------
    xarray.Dataset
        ``co2(time)``, ppm, at the middles of months or years; ``step_minutes`` is 0.

    Raises
    ------
    InputError
        If the file is absent or no such table, a line is cut off, a cell is no number, or a month
        or year is out of order or twice.
    """
    header, rows = _table(path)
    monthly = "month" in header
    column = spec.get("column", COLUMNS["month" if monthly else "year"])
    _common.require_columns(path, header, ["year", column])
    numbers = {name: _numbers(header, rows, name, path) for name in ("year", column)}
    month = _numbers(header, rows, "month", path) if monthly else np.ones(len(rows))
    starts = _starts(numbers["year"], month, path)
    middles = starts + (starts + pd.DateOffset(months=1 if monthly else 12) - starts) / 2
    known = numbers[column] > 0.0
    if known.sum() < 2:
        raise InputError(path, column, f"{known.sum()} values", "two or more")
    log.info("%s: %d of %d values are missing", path.name, (~known).sum(), len(known))
    co2 = _common.variable(numbers[column][known], "co2", "ppm", path, column)
    return _common.dataset({"co2": co2}, middles[known], pd.Timedelta(0))


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(path, "file", "nothing", "a comma-separated table") from None
    except UnicodeDecodeError as error:
        raise InputError(path, "file", f"no text ({error.reason})", "UTF-8 text") from error
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    header, *rows = [[cell.strip() for cell in row] for row in csv.reader(kept)] or [[]]
    for row in rows:
        if len(row) != len(header):
            found = f"{len(row)} fields in {','.join(row)!r}"
            raise InputError(path, "file", found, f"{len(header)} as in the header")
    return header, rows


def _numbers(header: list[str], rows: list[list[str]], name: str, path: Path) -> np.ndarray:
    cells = [row[header.index(name)] for row in rows]
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError as error:
        raise InputError(path, name, str(error), "numbers") from error


def _starts(year: np.ndarray, month: np.ndarray, path: Path) -> pd.DatetimeIndex:
    if not ((month >= 1) & (month <= 12)).all():
        raise InputError(path, "month", "a month out of the year", "1 to 12")
    starts = pd.DatetimeIndex(
        [pd.Timestamp(int(y), int(m), 1) for y, m in zip(year, month, strict=True)]
    )
    if not starts.is_monotonic_increasing or starts.has_duplicates:
        raise InputError(path, "year", "times out of order", "each once, in ascending order")
    return starts
