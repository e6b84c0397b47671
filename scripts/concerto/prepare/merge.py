"""Several records of one site on one time axis."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import check_times
from concerto.errors import InputError

log = logging.getLogger(__name__)


def merge_records(records: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Join records of one site.

    Records of the same step are put on the union of their times: a variable may continue from one
    file to the next, but no time of it may be given twice. A slowly varying series
    (``step_minutes`` 0) is interpolated to that axis and takes the place of the same variable in
    the other records.

    Parameters
    ----------
    records
        Dataset of each file, as the readers return them.

    Returns
    -------
    xarray.Dataset
        All variables along one regular time axis without gaps; attribute ``step_minutes``.

    Raises
    ------
    InputError
        If steps differ, time stamps do not fall on one grid, a variable is given twice, a record
        has no time in common with any other, the union has a gap, or an interpolated series
        does not reach over the axis.
    """
    series = {file: ds for file, ds in records.items() if ds.attrs["step_minutes"]}
    slow = {file: ds for file, ds in records.items() if not ds.attrs["step_minutes"]}
    if not series:
        raise InputError(", ".join(records), "records", "no time series", "one record or more")
    step = _common_step(series)
    _check_grid(series, step)
    _check_overlap(series)
    axis = _union(series, step)
    out = _joined(series, axis)
    for file, ds in slow.items():
        out = _interpolated(out, ds, file)
    out.attrs["step_minutes"] = int(step / pd.Timedelta(minutes=1))
    return out


def _common_step(series: Mapping[str, xr.Dataset]) -> pd.Timedelta:
    (first, reference), *others = series.items()
    minutes = reference.attrs["step_minutes"]
    for file, ds in others:
        if ds.attrs["step_minutes"] != minutes:
            found = f"a step of {ds.attrs['step_minutes']} min"
            raise InputError(file, "time", found, f"{minutes} min as in {first}")
    return pd.Timedelta(minutes=minutes)


def _check_grid(series: Mapping[str, xr.Dataset], step: pd.Timedelta) -> None:
    (first, reference), *others = series.items()
    for file, ds in others:
        start = ds.indexes["time"][0]
        if (start - reference.indexes["time"][0]) % step:
            raise InputError(file, "time", f"stamps like {start}", f"the grid of {first}")


def _union(series: Mapping[str, xr.Dataset], step: pd.Timedelta) -> pd.DatetimeIndex:
    indexes = [ds.indexes["time"] for ds in series.values()]
    axis = reduce(pd.Index.union, indexes)
    check_times(axis, ", ".join(series), step)
    return axis


def _check_overlap(series: Mapping[str, xr.Dataset]) -> None:
    """Check that records of different variables share times; ones of the same may only adjoin."""
    for file, ds in series.items():
        others = [other for name, other in series.items() if name != file]
        foreign = [other for other in others if not set(ds.data_vars) & set(other.data_vars)]
        if foreign and not any(
            len(ds.indexes["time"].intersection(other.indexes["time"])) for other in others
        ):
            times = ds.indexes["time"]
            spans = [f"{o.indexes['time'][0]} to {o.indexes['time'][-1]}" for o in others]
            raise InputError(
                file, "time", f"{times[0]} to {times[-1]}", f"an overlap with {', '.join(spans)}"
            )


def _joined(series: Mapping[str, xr.Dataset], axis: pd.DatetimeIndex) -> xr.Dataset:
    out = xr.Dataset(coords={"time": axis})
    origins: dict[str, list[str]] = {}
    for file, ds in series.items():
        for name in ds.data_vars:
            origins.setdefault(str(name), []).append(file)
    for name, files in origins.items():
        out[name] = _continued(name, [series[file] for file in files], files, axis)
    return out


def _continued(
    name: str, parts: Sequence[xr.Dataset], files: Sequence[str], axis: pd.DatetimeIndex
) -> xr.DataArray:
    flag = np.issubdtype(parts[0][name].dtype, np.integer)
    values = np.zeros(len(axis), np.int8) if flag else np.full(len(axis), np.nan)
    given = np.zeros(len(axis), bool)
    for ds, file in zip(parts, files, strict=True):
        where = axis.get_indexer(ds.indexes["time"])
        if given[where].any():
            stamp = axis[where[np.argmax(given[where])]]
            raise InputError(file, name, f"a value at {stamp}", f"none, as {files[0]} has it too")
        values[where] = ds[name].to_numpy()
        given[where] = True
    attrs = dict(parts[0][name].attrs)
    if "source" in attrs:
        attrs["source"] = "; ".join(dict.fromkeys(ds[name].attrs["source"] for ds in parts))
    return xr.DataArray(values, dims="time", attrs=attrs)


def _interpolated(out: xr.Dataset, ds: xr.Dataset, file: str) -> xr.Dataset:
    known, axis = ds.indexes["time"], out.indexes["time"]
    if axis[0] < known[0] or axis[-1] > known[-1]:
        raise InputError(
            file, "time", f"{known[0]} to {known[-1]}", f"at least {axis[0]} to {axis[-1]}"
        )
    seconds, known_seconds = (
        (times - known[0]) / pd.Timedelta(seconds=1) for times in (axis, known)
    )
    for name, variable in ds.data_vars.items():
        if name in out:
            log.info("%s is taken from %s, not from %s", name, file, out[name].attrs["source"])
        values = np.interp(seconds, known_seconds, variable.to_numpy())
        out = out.assign({name: ("time", values, variable.attrs)})
        out[name].attrs["source"] += ", linear in time"
    return out
