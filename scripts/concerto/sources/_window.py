"""The part of a remote HDF5 or NetCDF-4 file that lies around an area, read by ranges of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
from pyproj import Transformer

from concerto.errors import InputError
from concerto.plugins import nearest
from concerto.sources import halves
from concerto.sources._http import RemoteFiles, public
from concerto.whole import whole_file

NOT_COPIED = {
    "_FillValue", "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid",
    "_Netcdf4Coordinates", "_NCProperties",
}  # fmt: skip
"""Attributes by which HDF5 keeps fill values and dimensions: the copy has its own."""


def write_window(
    files: RemoteFiles,
    url: str,
    path: Path,
    bands: Sequence[str],
    subset: Mapping[str, str],
    area: Mapping[str, float],
) -> None:
    """Write bands of a remote file, cut to an area, to a NetCDF-4 file, whole or not at all.

    Numbers are copied as they are stored, with attributes and fill values. Bands keep their names,
    groups included; of the window's rows and columns the file has the coordinates.

    Parameters
    ----------
    files, url
        Through what to read, and what.
    path
        Where to write.
    bands
        Names of variables, whose last two dimensions must be rows and columns.
    subset
        ``x`` and ``y``, names of one-dimensional variables with the middles of columns and rows,
        and their ``crs``; without it they are degrees.
    area
        Edges ``west``, ``south``, ``east`` and ``north`` in degrees. Where west is greater than
        east, the window has all columns between the two sides of the antimeridian.

    Raises
    ------
    InputError
        If the file is no HDF5, lacks a variable or has no cell in the area.
    ConcertoError
        If the server cannot be reached, or refuses.
    """
    try:
        with whole_file(path) as part, files.open(url) as remote, h5py.File(remote) as source:
            _copy(source, part, bands, subset, area, public(url))
    except OSError as error:
        if files.error is not None:
            raise files.error from None
        raise InputError(public(url), "content", f"not readable ({error})", "HDF5") from error


def _copy(
    source: h5py.File,
    part: Path,
    bands: Sequence[str],
    subset: Mapping[str, str],
    area: Mapping[str, float],
    what: str,
) -> None:
    x, y = (_variable(source, subset[axis], what) for axis in ("x", "y"))
    columns = _touched(x[:], [box[0::2] for box in _boxes(area, subset.get("crs"))], what)
    rows = _touched(y[:], [box[1::2] for box in _boxes(area, subset.get("crs"))], what)
    with h5netcdf.File(part, "w") as target:
        for axis, kept in ((y, rows), (x, columns)):
            target.dimensions[_own(axis)] = kept.stop - kept.start
            _write(target, _own(axis), axis, axis[kept], [_own(axis)])
        for band in bands:
            stored = _variable(source, band, what)
            if stored.shape[-2:] != (y.size, x.size):
                expected = f"rows and columns last, {(y.size, x.size)}"
                raise InputError(what, band, f"shape {stored.shape}", expected)
            others = {f"{_own(stored)}_{i}": length for i, length in enumerate(stored.shape[:-2])}
            for name, length in others.items():
                target.dimensions[name] = length
            dimensions = [*others, _own(y), _own(x)]
            _write(target, stored.name, stored, stored[..., rows, columns], dimensions)


def _variable(source: h5py.File, name: str, what: str) -> h5py.Dataset:
    if isinstance(source.get(name), h5py.Dataset):
        return source[name]
    names: list[str] = []
    source.visititems(lambda path, item: names.append(path) if hasattr(item, "shape") else None)
    raise InputError(what, name, "no such variable", f"one such as {nearest(name, names)}")


def _own(stored: h5py.Dataset) -> str:
    """Return a variable's name without its groups."""
    return stored.name.rpartition("/")[2]


def _write(
    target: h5netcdf.File,
    name: str,
    stored: h5py.Dataset,
    values: np.ndarray,
    dimensions: Sequence[str],
) -> None:
    fill = stored.attrs.get("_FillValue")
    variable = target.create_variable(
        name,
        dimensions,
        stored.dtype,
        fillvalue=None if fill is None else np.asarray(fill, stored.dtype).item(),
        compression="gzip",
    )
    variable[...] = values
    for key, value in stored.attrs.items():
        if key not in NOT_COPIED:
            variable.attrs[key] = value.decode() if isinstance(value, bytes) else value


def _boxes(area: Mapping[str, float], crs: str | None) -> list[tuple[float, float, float, float]]:
    """Return the area as one box or, across the antimeridian, two: left, bottom, right, top."""
    west, south, east, north = (area[side] for side in ("west", "south", "east", "north"))
    boxes = [(left, south, right, north) for left, right in halves(west, east)]
    if crs is None:
        return boxes
    convert = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform_bounds
    return [convert(*box) for box in boxes]


def _touched(middles: np.ndarray, spans: Sequence[tuple[float, float]], what: str) -> slice:
    """Return from the first to the last cell of a row or column that touches one of the spans."""
    half = np.median(np.abs(np.diff(middles))) / 2
    touched = np.zeros(middles.shape, bool)
    for low, high in spans:
        touched |= (middles + half > low) & (middles - half < high)
    indices = np.flatnonzero(touched)
    if not indices.size:
        raise InputError(what, "cells in the area", "none", "a file that covers it")
    return slice(int(indices[0]), int(indices[-1]) + 1)
