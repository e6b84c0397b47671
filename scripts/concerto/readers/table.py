"""Tables whose columns the source's own file declares: CSV, or parquet by the file's suffix.

The declaration stands under ``tables: {FILE: ...}`` of the source:

``time``
    ``column`` (a column, or the index of a parquet file), ``format`` (of text stamps, as in
    :func:`datetime.datetime.strptime`), ``position`` of the stamp in its interval (start, middle
    or end), ``step_minutes``; and ``utc_offset_hours`` of the stamps, which must be the site's.
``variables``
    For each canonical name: ``column`` and ``units``; ``per_step: true`` where the value is an
    amount per step; for a flux also

    - ``measured``: a column that has a value where the flux was measured (absent: everywhere),
    - ``random``: a column with the random error's standard deviation,
    - ``ustar``: two columns with the flux under the 16th and 84th percentile of the u* thresholds;

    for a state (LAI, fAPAR) ``uncertainty`` (``relative`` and ``minimum``: the larger holds) and,
    where the record is interpolated in time, ``keep_every_days`` (counted from 1 January) or
    ``keep_day_of_month``.

Such records have no flags for the quality of gap-filling: every gap-filled value counts as good.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import FLUX_STREAMS, QUANTITIES, STATE_STREAMS
from concerto.errors import InputError
from concerto.readers import _common

log = logging.getLogger(__name__)

# Part of a step between the interval's start and its stamp.
POSITIONS = {"start": 0.0, "middle": 0.5, "end": 1.0}


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read one record; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file; ``.parquet`` or comma-separated text.
    site
        The site's configuration (``utc_offset_hours``).
    spec
        The declaration described in this module's docstring.

    Raises
    ------
    InputError
        If a declared column is missing, a unit does not convert, the time axis has a fault or is
        not in the site's local standard time, or a cell is no number.
    """
    for key in ("time", "variables"):
        if key not in spec:
            raise InputError(path, key, "nothing", "a declaration in the source's `tables`")
    _check_offset(path, site, spec["time"])
    for name in spec["variables"]:
        if name not in QUANTITIES:
            raise InputError(path, name, "a variable", f"one of {', '.join(QUANTITIES)}")
    frame, stamps = _load(path, spec["time"], _columns(spec["variables"]))
    step = pd.Timedelta(minutes=spec["time"]["step_minutes"])
    starts = stamps - POSITIONS[spec["time"].get("position", "start")] * step
    _common.check_axis(starts, step, path, spec["time"]["column"])
    log.info("%s: step %s, %d rows", path.name, step, len(frame))
    variables: dict[str, xr.DataArray] = {}
    for name, declared in spec["variables"].items():
        variables |= declared_variable(frame, name, declared, step, path)
    return _common.dataset(variables, starts, step)


def _check_offset(path: Path, site: Mapping, time: Mapping) -> None:
    stated = time.get("utc_offset_hours", site["utc_offset_hours"])
    if stated != site["utc_offset_hours"]:
        raise InputError(
            path,
            time["column"],
            f"time stamps in UTC{stated:+g} h",
            f"local standard time of the site, UTC{site['utc_offset_hours']:+g} h",
        )


def _columns(variables: Mapping[str, Mapping]) -> list[str]:
    columns: dict[str, None] = {}
    for declared in variables.values():
        columns[declared["column"]] = None
        for key in ("measured", "random"):
            if key in declared:
                columns[declared[key]] = None
        columns |= dict.fromkeys(declared.get("ustar", ()))
    return list(columns)


def _load(path: Path, time: Mapping, columns: list[str]) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    """Return the columns as float64 with missing values as NaN, and the time stamps as given."""
    column = time["column"]
    if path.suffix == ".parquet":
        frame = _load_parquet(path)
        if frame.index.name == column:
            frame = frame.reset_index()
        _common.require_columns(path, frame.columns, [column, *columns])
        for name in columns:
            if not pd.api.types.is_numeric_dtype(frame[name]):
                raise InputError(path, name, f"{frame[name].dtype} values", "numbers")
        raw = frame[column]
        values = frame[columns].astype(np.float64)
        values = values.mask(values == _common.MISSING)
    else:
        frame = _common.read_csv(path, columns, text=[column])
        raw, values = frame[column], frame[columns]
    stamps = pd.to_datetime(raw, format=time.get("format"), errors="coerce")
    if stamps.isna().any():
        row = int(np.argmax(stamps.isna()))
        expected = f"a time stamp like {time.get('format', 'ISO 8601')}"
        raise InputError(path, column, f"{raw.iloc[row]!r} in row {row + 1}", expected)
    return values, pd.DatetimeIndex(stamps)


def _load_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError(path, "file", "nothing", "a parquet table") from None
    except (OSError, ValueError) as error:
        raise InputError(path, "file", f"unreadable ({error})", "a parquet table") from error


def declared_variable(
    frame: pd.DataFrame, name: str, declared: Mapping, step: pd.Timedelta, path: Path
) -> dict[str, xr.DataArray]:
    """Return a variable with all that belongs to it, by name, of a table's columns.

    Parameters
    ----------
    frame
        The columns.
    name, declared
        Its canonical name, and its entry under ``variables`` of the declaration.
    step
        The record's step.
    path
        The file, for messages.
    """
    column, unit = declared["column"], declared["units"]
    values = frame[column].to_numpy()
    if declared.get("per_step"):
        values, unit = values / (step / _common.DAY), f"{unit} d-1"
    out = {name: _common.variable(values, name, unit, path, column)}
    if name in FLUX_STREAMS:
        return out | _flux_companions(frame, name, declared, unit, path)
    if name in STATE_STREAMS:
        for key in ("keep_every_days", "keep_day_of_month"):
            if key in declared:
                out[name].attrs[key] = declared[key]
        out[f"{name}_random"] = _state_error(out[name], name, declared, path)
    return out


def _flux_companions(
    frame: pd.DataFrame, name: str, declared: Mapping, unit: str, path: Path
) -> dict[str, xr.DataArray]:
    present = frame[declared["column"]].notna()
    measured = frame[declared["measured"]].notna() if "measured" in declared else present
    out = {
        f"{name}_measured": _common.flag(measured & present, name, "measured"),
        f"{name}_good": _common.flag(present, name, "measured or well gap-filled"),
    }
    log.info(
        "%s: %s has no flags of gap-filling quality: every gap-filled value counts as good",
        path.name,
        declared["column"],
    )
    parts = {"random": declared.get("random")}
    parts |= dict(zip(("ustar_low", "ustar_high"), declared.get("ustar", ()), strict=False))
    meanings = {
        "random": "standard deviation of the random error",
        "ustar_low": "under the 16th percentile of u* thresholds",
        "ustar_high": "under the 84th percentile of u* thresholds",
    }
    for part, column in parts.items():
        if column is not None:
            out[f"{name}_{part}"] = _common.companion(
                frame[column].to_numpy(), name, unit, path, column, meaning=meanings[part]
            )
    return out


def _state_error(values: xr.DataArray, name: str, declared: Mapping, path: Path) -> xr.DataArray:
    if "uncertainty" not in declared:
        raise InputError(
            path, declared["column"], "no uncertainty", "`uncertainty` in its declaration"
        )
    return _common.stated_error(values, name, declared["uncertainty"])
