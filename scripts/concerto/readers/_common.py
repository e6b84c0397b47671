"""What the readers share: strict reading of text tables, the time axis, building variables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto import units
from concerto.cubes import check_times
from concerto.domain import CARBON_STREAMS, QUANTITIES
from concerto.errors import InputError
from concerto.plugins import nearest

MISSING = -9999.0
DAY = pd.Timedelta(days=1)
FLAG = {"flag_values": np.array([0, 1], dtype=np.int8), "flag_meanings": "no yes"}


def header_of(path: Path) -> list[str]:
    """Return the column names of a comma-separated file.

    Raises
    ------
    InputError
        If there is no such file, or it is empty or no text.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            line = stream.readline().strip()
    except FileNotFoundError:
        raise InputError(path, "file", "nothing", "a comma-separated table") from None
    except UnicodeDecodeError as error:
        raise InputError(path, "file", f"no text ({error.reason})", "UTF-8 text") from error
    if not line:
        raise InputError(path, "header", "an empty line", "column names")
    names = [name.strip() for name in next(csv.reader([line]))]
    for name in names:
        if names.count(name) > 1:
            raise InputError(path, name, f"{names.count(name)} columns of this name", "one")
    return names


def read_csv(path: Path, columns: Iterable[str], text: Iterable[str] = ()) -> pd.DataFrame:
    """Read some columns of a comma-separated file, strictly.

    Parameters
    ----------
    path
        The file, with column names in its first line.
    columns
        Columns to read, as float64. -9999, an empty cell and NaN are missing values.
    text
        Columns to read as text besides.

    Raises
    ------
    InputError
        If a line has more or fewer fields than the header (a truncated file), a column is
        missing, or a cell is no number. Names the line.
    """
    header = header_of(path)
    text = list(text)
    wanted = [*text, *columns]
    require_columns(path, header, wanted)
    _check_field_counts(path, len(header))
    try:
        frame = pd.read_csv(
            path,
            usecols=lambda name: name.strip() in wanted,
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,
            skipinitialspace=True,
        )
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(path, "file", f"unreadable ({error})", "comma-separated text") from error
    frame = frame.rename(columns=str.strip)[wanted]
    for name in set(wanted) - set(text):
        frame[name] = _numbers(frame[name], path)
    return frame


def require_columns(path: Path, header: Iterable[str], wanted: Iterable[str]) -> None:
    """Check that a table has the columns that are wanted; names the first that it lacks."""
    present = set(header)
    for name in wanted:
        if name not in present:
            expected = f"one; nearest of the {len(present)} there: {nearest(name, present)}"
            raise InputError(path, name, "no such column", expected)


def _check_field_counts(path: Path, expected: int) -> None:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            found = line.count(b",") + 1
            if b'"' in line:
                found = len(next(csv.reader([line.decode("utf-8", "replace")])))
            if line.strip() and found != expected:
                raise InputError(
                    path, f"line {number}", f"{found} fields", f"{expected} as in the header"
                )


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    cells = column.replace({"": "nan", "NA": "nan"})
    try:
        values = cells.astype(np.float64)
    except ValueError:
        numeric = pd.to_numeric(cells, errors="coerce")
        bad = numeric.isna() & (cells.str.lower() != "nan")
        row = int(np.argmax(bad.to_numpy()))
        raise InputError(
            path, str(column.name), f"{cells.iloc[row]!r} in line {row + 2}", "a number"
        ) from None
    return values.mask(values == MISSING)


def check_axis(starts: pd.DatetimeIndex, step: pd.Timedelta, path: Path, field: str) -> None:
    """Check a record's time axis: regular, and made of whole days.

    Raises
    ------
    InputError
        Names the first stamp that is duplicated, unsorted, missing or off the step, or the first
        or last one if the record does not cover whole days.
    """
    if not len(starts):
        raise InputError(path, field, "no rows", "a record")
    check_times(starts, path, step, field)
    if starts[0] != starts[0].floor("D"):
        raise InputError(path, field, f"a record from {starts[0]}", "one from the start of a day")
    end = starts[-1] + step
    if end != end.floor("D"):
        raise InputError(path, field, f"a record until {end}", "one until the end of a day")


def variable(
    values: np.ndarray, name: str, unit: str, path: Path, column: str, **attributes: object
) -> xr.DataArray:
    """Return a column as a canonical variable along time, converted to its canonical unit."""
    quantity = QUANTITIES[name]
    converted = units.convert(
        values, unit, quantity.units, file=path, field=column, carbon=name in CARBON_STREAMS
    )
    named = {"source": f"{path.name}: {column}"}
    return xr.DataArray(converted, dims="time", attrs=quantity.attributes() | named | attributes)


def companion(
    values: np.ndarray, name: str, unit: str, path: Path, column: str, *, meaning: str
) -> xr.DataArray:
    """Return a column that belongs to a stream (its error, its bounds), in the stream's unit."""
    out = variable(values, name, unit, path, column)
    for key in ("standard_name", "cell_methods", "comment"):
        out.attrs.pop(key, None)
    out.attrs["long_name"] = f"{out.attrs['long_name']}: {meaning}"
    return out


def stated_error(values: xr.DataArray, name: str, stated: Mapping[str, float]) -> xr.DataArray:
    """Return the error of a stream that its source states.

    ``relative`` to the value or ``minimum`` in its unit, whichever is larger.
    """
    error = np.maximum(stated.get("relative", 0.0) * np.abs(values), stated.get("minimum", 0.0))
    error.attrs = {
        "units": values.attrs["units"],
        "long_name": f"{QUANTITIES[name].long_name}: standard deviation of the error",
        "source": "stated in the declaration of the source",
    }
    return error


def flag(values: np.ndarray, name: str, meaning: str) -> xr.DataArray:
    """Return a flag (0 no, 1 yes) along time that belongs to a stream."""
    long_name = f"{QUANTITIES[name].long_name}: {meaning}"
    return xr.DataArray(
        np.asarray(values, dtype=np.int8), dims="time", attrs={"long_name": long_name} | FLAG
    )


def dataset(
    variables: dict[str, xr.DataArray], starts: pd.DatetimeIndex, step: pd.Timedelta
) -> xr.Dataset:
    """Join variables along one time axis."""
    minutes = int(step / pd.Timedelta(minutes=1))
    return xr.Dataset(
        variables,
        coords={"time": ("time", starts.as_unit("s").to_numpy())},
        attrs={"step_minutes": minutes},
    )
