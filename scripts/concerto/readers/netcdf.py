"""Fields in NetCDF files, classic or NetCDF-4, and in HDF5 files, with or without groups.

Where rows, columns and times are is found by the attributes that CF has for it (``axis``,
``standard_name``, ``units``) on one-dimensional coordinates, or by ``dimensions`` of the source's
grid: names of dimensions, or of coordinates with their group. Where an HDF5 file ties no coordinate
to the axes of its variables, the order of ``dimensions`` is that of the axes. Of HDF-EOS files
:mod:`concerto.readers._eos` reads where cells are. A band in a group is named ``group/band``, or by
its own name where no other group has one of it.

Cells reach to the coordinates' bounds; without bounds to the middle between neighbours, and as far
on the outside. A file with a single row or column and no bounds takes the ``resolution`` of the
source's grid. Cells of a geographic grid end at the poles.

An interval of time is that of the time's bounds; without bounds the ``step`` of the source's grid
at the ``stamp`` (start, middle or end, start unless said); without times that of the provenance.
The one time of what does not change, such as the height of the ground, is none.
:mod:`concerto.readers._times` says what becomes of calendars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.exceptions import CRSError

from concerto import units
from concerto.config import bands_of
from concerto.errors import InputError
from concerto.prepare.decode import Band
from concerto.prepare.grids import GEOGRAPHIC, Grid, Slab
from concerto.readers import _eos, _fields, _netcdf3
from concerto.readers._times import Axis, Instants

_STANDARD_NAMES = {
    "longitude": "x",
    "projection_x_coordinate": "x",
    "latitude": "y",
    "projection_y_coordinate": "y",
    "time": "time",
}
_NORTH = ("degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN")
_EAST = ("degrees_east", "degree_east", "degree_E", "degrees_E", "degreeE", "degreesE")
_FIGURE = (
    "crs_wkt",
    "spatial_ref",
    "semi_major_axis",
    "earth_radius",
    "reference_ellipsoid_name",
    "horizontal_datum_name",
    "geographic_crs_name",
)
"""Attributes of a grid mapping of which any one says what figure the Earth has."""


_Layout = dict[str, tuple[int, netCDF4.Variable | None]]
"""Number of the axis and the coordinate along it, for x, y and, where there is one, time.

HDF-EOS files have no coordinates along x and y.
"""


def ordered(files: Sequence[Path]) -> list[Path]:
    """Return files in their order: those of one source are mostly on one grid."""
    return list(files)


def read(
    path: Path,
    source: Mapping,
    assets: Mapping[str, Mapping],
    tally: _fields.Tally,
    limit: int = _fields.LIMIT,
) -> Iterator[Slab]:
    """Read fields block by block; see :mod:`concerto.readers` for what a reader of fields offers.

    Raises
    ------
    InputError
        If the file is unreadable or truncated, has a band not as the source says, coordinates that
        are not found, not monotonic or not in the source's projection, or times that are not in
        order.
    """
    asset = _fields.asset_of(path, assets)
    with _opened(path) as data:
        yield from _slabs(data, path, source, asset, tally, limit)


@contextmanager
def _opened(path: Path) -> Iterator[netCDF4.Dataset]:
    if _netcdf3.is_classic(path):
        _check_length(path)
    with _reading(path):
        data = netCDF4.Dataset(path)
    with data:
        data.set_auto_maskandscale(False)
        yield data


def _check_length(path: Path) -> None:
    found = path.stat().st_size
    try:
        least = _netcdf3.least_length(path)
    except ValueError as error:
        raise InputError(path, "file", f"unreadable ({error})", "a whole NetCDF file") from error
    if found < least:
        raise InputError(path, "file", f"{found} bytes", f"{least}: it is truncated")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise InputError(path, "file", f"unreadable ({error})", "a whole NetCDF file") from error


def _slabs(
    data: netCDF4.Dataset,
    path: Path,
    source: Mapping,
    asset: Mapping,
    tally: _fields.Tally,
    limit: int,
) -> Iterator[Slab]:
    there = asset.get("bands") or _all_variables(data)
    short = [name.rpartition("/")[2] for name in there if "/" in name]
    names = _fields.present(source["variables"], [*there, *short], path)
    variables = {name: source["variables"][name] for name in names}
    needed = dict.fromkeys(band for entry in variables.values() for band in bands_of(entry))
    found = {band: _variable(data, band, path) for band in needed}
    layout, grid = _placed(data, found, source["grid"], path)
    starts, ends = _intervals(layout, source, asset, path)
    packing = _packings(found, variables, path)
    rows, columns = grid.shape
    row_bytes = 8 * columns * (len(found) + 2 * len(variables))
    together = max(1, limit // (rows * row_bytes))
    for time in range(0, len(starts), together):
        times = slice(time, min(time + together, len(starts)))
        for low, high in _fields.blocks(rows, row_bytes, limit):
            raw = {
                band: _block(variable, layout, times, slice(low, high), path)
                for band, variable in found.items()
            }
            window = grid.window(slice(low, high), slice(None))
            for i, interval in enumerate(zip(starts[times], ends[times], strict=True)):
                bands = {band: Band(raw[band][i], **packing[band]) for band in found}
                yield _fields.slab(window, interval, variables, bands, path, tally)


def _placed(
    data: netCDF4.Dataset, found: Mapping[str, netCDF4.Variable], stated: Mapping, path: Path
) -> tuple[_Layout, Grid]:
    """Return the axes of the bands and the grid that they are on, which must be the same for all.

    Raises
    ------
    InputError
        If it is not.
    """
    first = next(iter(found.values()))
    placed = "dimensions" in stated or _has_degrees(first)
    of_file = None if placed else _eos.described(data, first, path)
    if of_file is None:
        layout = _common_layout(data, found, stated, path)
        return layout, _grid(first, layout, stated, path)
    for name, band in found.items():
        if band.ndim != 2:
            raise InputError(path, name, f"dimensions {_axes_text(band)}", "rows and columns")
        if band.shape != first.shape:
            raise InputError(path, name, f"shape {band.shape}", f"{first.shape}")
    crs, x, y = of_file
    grid = Grid(_fields.checked_crs(crs, stated.get("crs"), x, y, path), x, y)
    return {"y": (0, None), "x": (1, None)}, grid


def _has_degrees(band: netCDF4.Variable) -> bool:
    """Return whether a band has latitudes of its own, whatever was said of an earlier form."""
    own = (band.group().variables.get(name) for name in band.dimensions)
    return any(getattr(variable, "units", "") in _NORTH for variable in own)


def _all_variables(group: netCDF4.Dataset, above: str = "") -> list[str]:
    names = [above + name for name in group.variables]
    for name, below in group.groups.items():
        names += _all_variables(below, f"{above}{name}/")
    return names


def _variable(data: netCDF4.Dataset, name: str, path: Path) -> netCDF4.Variable:
    try:
        found = data[name]
    except (IndexError, KeyError):
        found = None
    if not isinstance(found, netCDF4.Variable):
        there = _all_variables(data)
        same = [other for other in there if other.rpartition("/")[2] == name]
        if len(same) != 1:
            what = f"{len(same)} of this name" if same else "no such variable"
            raise InputError(path, name, what, f"one of {', '.join(same or there)}")
        found = data[same[0]]
    return found


def _common_layout(
    data: netCDF4.Dataset, found: Mapping[str, netCDF4.Variable], grid: Mapping, path: Path
) -> _Layout:
    """Return the axes of the bands, which must be the same for all."""
    (name, first), *others = found.items()
    for other_name, other in others:
        if (other.ndim, _long(other)) != (first.ndim, _long(first)):
            expected = f"{_axes_text(first)}, as of {name}"
            raise InputError(path, other_name, f"dimensions {_axes_text(other)}", expected)
    along = _stated(data, first, name, grid.get("dimensions", {}), path)
    taken = {axis for axis, _ in along.values()}
    for axis, dimension in enumerate(first.dimensions):
        role, coordinate = _coordinate(first.group(), dimension)
        if axis in taken or role is None:
            continue
        if role in along:
            expected = f"one; `dimensions` of the source's grid may say which is {role}"
            raise InputError(path, name, f"two axes for {role}", expected)
        along[role] = axis, coordinate
        taken.add(axis)
    for role in ("y", "x"):
        if role not in along:
            expected = f"{role} by CF attributes or in `dimensions` of the source's grid"
            raise InputError(path, name, f"dimensions {_axes_text(first)}", expected)
    for axis, (dimension, size) in enumerate(zip(first.dimensions, first.shape, strict=True)):
        if axis not in taken and size != 1:
            raise InputError(path, name, f"{size} along {dimension}", "only time, rows and columns")
    return along


def _long(variable: netCDF4.Variable) -> list[tuple[str, int]]:
    """Return name and size of the dimensions along which there is more than one value."""
    return [
        (name, size)
        for name, size in zip(variable.dimensions, variable.shape, strict=True)
        if size != 1
    ]


def _axes_text(variable: netCDF4.Variable) -> str:
    parts = (f"{n} {s}" for n, s in zip(variable.dimensions, variable.shape, strict=True))
    return ", ".join(parts) or "none"


def _coordinate(
    group: netCDF4.Dataset, dimension: str
) -> tuple[str | None, netCDF4.Variable | None]:
    """Return the role of a dimension and the coordinate that says so, None where none does.

    The variable with the dimension's own name goes before others along it.
    """
    while group is not None:
        along = [v for v in group.variables.values() if v.dimensions == (dimension,)]
        for candidate in sorted(along, key=lambda variable: variable.name != dimension):
            role = _role(candidate)
            if role:
                return role, candidate
        group = None if dimension in group.dimensions else group.parent
    return None, None


def _role(coordinate: netCDF4.Variable) -> str | None:
    axis = str(_attribute(coordinate, "axis") or "").upper()
    if axis in ("X", "Y", "T"):
        return {"X": "x", "Y": "y", "T": "time"}[axis]
    standard = _STANDARD_NAMES.get(str(_attribute(coordinate, "standard_name") or ""))
    unit = str(_attribute(coordinate, "units") or "")
    if standard or unit in _NORTH or unit in _EAST:
        return standard or ("y" if unit in _NORTH else "x")
    return "time" if " since " in unit else None


def _stated(
    data: netCDF4.Dataset,
    band: netCDF4.Variable,
    name: str,
    stated: Mapping[str, str],
    path: Path,
) -> _Layout:
    """Return axis and coordinate of what the source's ``dimensions`` name."""
    found: _Layout = {}
    for place, (role, named) in enumerate(stated.items()):
        coordinate = _variable(data, named, path)
        if coordinate.ndim != 1:
            raise InputError(path, named, f"{coordinate.ndim} dimensions", "one, of a coordinate")
        (dimension,) = coordinate.dimensions
        if dimension in band.dimensions:
            axis = band.dimensions.index(dimension)
        else:
            axis = band.ndim - len(stated) + place
        if axis < 0 or band.shape[axis] != coordinate.size:
            expected = f"an axis of {coordinate.size}, for {role}"
            raise InputError(path, name, f"dimensions {_axes_text(band)}", expected)
        found[role] = axis, coordinate
    return found


def _attribute(variable: netCDF4.Variable, name: str) -> Any:
    return variable.getncattr(name) if name in variable.ncattrs() else None


def _in_scope(variable: netCDF4.Variable, name: str) -> netCDF4.Variable | None:
    """Return the variable that an attribute of another one names, from its group upwards."""
    group = variable.group()
    while group is not None:
        if name in group.variables:
            return group.variables[name]
        group = group.parent
    return None


def _numbers(variable: netCDF4.Variable, path: Path) -> NDArray[np.float64]:
    """Return the numbers of a coordinate or of its bounds, all of which must be there."""
    packing = _packing(variable, path, variable.name)
    with _reading(path):
        raw = variable[...]
    numbers = raw.astype(np.float64) * (packing["scale"] or 1.0) + (packing["offset"] or 0.0)
    missing = ~np.isfinite(numbers) | np.isin(raw, packing["fill"])
    if not numbers.size or missing.any():
        raise InputError(path, variable.name, f"{missing.sum()} of no value", "a value everywhere")
    return numbers


def _bounds(coordinate: netCDF4.Variable, path: Path) -> NDArray[np.float64] | None:
    """Return the bounds of a coordinate, (values, 2); None where the file has none."""
    name = _attribute(coordinate, "bounds")
    bounds = _in_scope(coordinate, name) if name else None
    if bounds is None:  # a file that was cut often names bounds that were left behind
        return None
    if bounds.shape != (coordinate.size, 2):
        expected = f"bounds of {coordinate.name}, {coordinate.size} x 2"
        raise InputError(path, name, f"shape {bounds.shape}", expected)
    return _numbers(bounds, path)


def _grid(band: netCDF4.Variable, layout: _Layout, stated: Mapping, path: Path) -> Grid:
    x, y = (layout[role][1] for role in ("x", "y"))
    found = _file_crs(band, x, stated.get("crs"), path)
    is_geographic = found.is_geographic
    centres = [_centres(c, is_geographic, path) for c in (x, y)]
    steps = [abs(c[-1] - c[0]) / (len(c) - 1) if len(c) > 1 else None for c in centres]
    sizes = _sizes(steps, stated.get("resolution"), is_geographic)
    columns = _edges(x, centres[0], sizes[0], is_geographic, path)
    rows = _edges(y, centres[1], sizes[1], is_geographic, path)
    if is_geographic:
        furthest = centres[1][np.abs(centres[1]).argmax()]
        if abs(furthest) > 90.0:
            raise InputError(path, y.name, f"{furthest:g}", "latitudes from -90 to 90")
        rows = np.clip(rows, -90.0, 90.0)
    crs = _fields.checked_crs(found, stated.get("crs"), columns, rows, path)
    return Grid(crs, columns, rows)


def _file_crs(
    band: netCDF4.Variable, x: netCDF4.Variable, stated: str | None, path: Path
) -> pyproj.CRS:
    """Return the projection by the file's grid mapping, or that of the source where it has none."""
    name = (_attribute(band, "grid_mapping") or "").split(":")[0].strip()
    mapping = _in_scope(band, name)
    if mapping is None:
        degrees = _attribute(x, "units") in _EAST or _attribute(x, "standard_name") == "longitude"
        if stated is None and not degrees:
            expected = "a grid mapping in the file or `crs` of the source's grid"
            raise InputError(path, band.name, "no projection", expected)
        crs = _fields.stated_crs(stated or GEOGRAPHIC)
        if degrees and not crs.is_geographic:
            raise InputError(path, x.name, "degrees east", f"coordinates in {stated}")
        return crs
    attributes = {key: _hashable(mapping.getncattr(key)) for key in mapping.ncattrs()}
    if not any(key in attributes for key in _FIGURE):
        attributes |= _figure(stated, attributes.get("grid_mapping_name"), name, path)
    try:
        return _crs_of_cf(tuple(sorted(attributes.items())))
    except (CRSError, KeyError, ValueError, TypeError) as error:
        raise InputError(path, name, f"{error}", "a grid mapping as CF has them") from error


@lru_cache(maxsize=16)
def _crs_of_cf(attributes: tuple[tuple[str, Any], ...]) -> pyproj.CRS:
    # Takes a second where the figure of the Earth has no name, and many files have the same.
    return pyproj.CRS.from_cf(dict(attributes))


def _hashable(value: Any) -> Any:
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return tuple(value) if isinstance(value, list) else value


def _figure(stated: str | None, mapping: str | None, name: str, path: Path) -> dict[str, float]:
    """Return the figure of the Earth that the source states, for a file that says nothing of it."""
    if stated is None:
        if mapping == "latitude_longitude":
            return {}
        expected = "one, or `crs` of the source's grid"
        raise InputError(path, name, "no figure of the Earth", expected)
    ellipsoid = _fields.stated_crs(stated).ellipsoid
    return {
        "semi_major_axis": ellipsoid.semi_major_metre,
        "semi_minor_axis": ellipsoid.semi_minor_metre,
    }


def _centres(coordinate: netCDF4.Variable, is_geographic: bool, path: Path) -> NDArray[np.float64]:
    """Return the middles of columns or rows, in degrees or in metres."""
    values = _numbers(coordinate, path)
    if is_geographic:
        # A window across the antimeridian goes on from 179.5 to -179.5; latitudes never do.
        values = np.unwrap(values, period=360.0)
    else:
        values = _in_metres(values, coordinate, path)
    steps = np.diff(values)
    turns = np.flatnonzero(steps * steps[:1] <= 0.0) if steps.size else []
    for at in turns[:1]:
        found = f"{values[at + 1]:g} after {values[at]:g}"
        raise InputError(path, coordinate.name, found, "values that rise or fall throughout")
    return values


def _in_metres(values: NDArray, coordinate: netCDF4.Variable, path: Path) -> NDArray[np.float64]:
    unit = _attribute(coordinate, "units")
    if unit is None:
        return values
    return units.convert(values, unit, "m", file=path, field=coordinate.name)


def _sizes(
    steps: Sequence[float | None], resolution: str | None, geographic: bool
) -> list[float | None]:
    """Return the width of columns and height of rows, None where nothing says it.

    Of a single column or row it is that of the source's grid. Where that is square the other axis
    says it better: the resolution's text is often a round number.
    """
    known: list[float | None] = [None, None]
    square = True
    if resolution is not None:
        numbers, unit = resolution.rsplit(maxsplit=1)
        parts = [float(Fraction(part.strip())) for part in numbers.split("x")]
        square = len(parts) == 1
        if geographic == (unit == "degrees"):
            known = [part * (1000.0 if unit == "km" else 1.0) for part in (parts * 2)[:2]]
    return [
        step or (steps[1 - i] if square and steps[1 - i] else known[i])
        for i, step in enumerate(steps)
    ]


def _edges(
    coordinate: netCDF4.Variable,
    centres: NDArray,
    size: float | None,
    is_geographic: bool,
    path: Path,
) -> NDArray[np.float64]:
    """Return the edges of columns or rows, in their order."""
    bounds = _bounds(coordinate, path)
    if bounds is not None:
        if is_geographic:
            middle = centres[:, None]
            bounds = middle + (bounds - middle + 180.0) % 360.0 - 180.0
        else:
            bounds = _in_metres(bounds, coordinate, path)
        return _joined(coordinate, bounds, centres[-1] < centres[0], path)
    if size is None:
        expected = "two at least, bounds, or `resolution` of the source's grid"
        raise InputError(path, coordinate.name, "a single value", expected)
    if _is_even(centres, size):
        step = -size if centres[-1] < centres[0] else size
        return centres[0] + step * (np.arange(centres.size + 1) - 0.5)
    middle = (centres[1:] + centres[:-1]) / 2
    outer = 2 * centres[[0, -1]] - middle[[0, -1]]
    return np.concatenate([outer[:1], middle, outer[1:]])


def _is_even(centres: NDArray, size: float) -> bool:
    """Return whether steps are all the same but for rounding, at most to four bytes."""
    rounding = 4 * np.finfo(np.float32).eps * np.abs(centres).max()
    allowed = min(rounding, 0.01 * size)
    return bool((abs(np.abs(np.diff(centres)) - size) <= allowed).all())


def _joined(
    coordinate: netCDF4.Variable, bounds: NDArray, falling: bool, path: Path
) -> NDArray[np.float64]:
    """Return the edges of cells with these bounds, which must touch each other."""
    bounds = np.sort(bounds, axis=1)
    if falling:
        bounds = bounds[:, ::-1]
    gaps = np.abs(bounds[1:, 0] - bounds[:-1, 1])
    if (gaps > 1e-3 * np.abs(np.diff(bounds, axis=1)).min()).any():
        raise InputError(path, coordinate.name, "bounds with gaps", "cells that touch each other")
    return np.append(bounds[:, 0], bounds[-1, 1])


def _intervals(
    layout: _Layout, source: Mapping, asset: Mapping, path: Path
) -> tuple[Instants, Instants]:
    """Return starts and ends of the file's intervals."""
    static = source["request"] == "all" and source["grid"].get("step") is None
    if "time" not in layout or (static and layout["time"][1].size == 1):
        start, end = _fields.interval_of(asset, path, source["request"] == "all")
        return np.array([start], "M8[s]"), np.array([end], "M8[s]")
    _, time = layout["time"]
    if _attribute(time, "climatology") is not None:
        raise InputError(path, time.name, "a climatology", "intervals that have a date")
    unit = _attribute(time, "units")
    if unit is None:
        raise InputError(path, time.name, "no units", "units as CF has them, `days since DATE`")
    axis = Axis(unit, _attribute(time, "calendar") or "standard", path, time.name)
    bounds = _bounds(time, path)
    if bounds is not None:
        return axis.between(bounds)
    step = source["grid"].get("step")
    if step is None:
        raise InputError(path, time.name, "no bounds", "bounds, or `step` of the source's grid")
    return axis.stamped(_numbers(time, path), step, source["grid"].get("stamp", "start"))


def _packings(
    found: Mapping[str, netCDF4.Variable], variables: Mapping[str, Mapping], path: Path
) -> dict[str, dict[str, Any]]:
    """Return what the file says of each band's numbers, nothing of bands that are flags only."""
    valued = {entry["band"] for entry in variables.values()}
    valued |= {entry.get("uncertainty", {}).get("band") for entry in variables.values()}
    return {
        name: _packing(variable, path, name) if name in valued else {}
        for name, variable in found.items()
    }


def _packing(variable: netCDF4.Variable, path: Path, name: str) -> dict[str, Any]:
    """Return fill, valid range, scale, offset and units by the variable's attributes."""
    stored = _stored_dtype(variable)
    if stored.kind not in "iuf":
        raise InputError(path, name, f"{stored} values", "numbers")
    fill = []
    for key in ("_FillValue", "missing_value"):
        fill += _attribute_numbers(variable, key, path)
    if not fill and stored.itemsize > 1:
        fill = [netCDF4.default_fillvals[stored.str[1:]]]
    scale, offset = (_one(variable, key, path) for key in ("scale_factor", "add_offset"))
    unit = _attribute(variable, "units")
    return {
        "fill": tuple(fill),
        "valid": _valid(variable, scale, offset, path),
        "scale": scale,
        "offset": offset,
        "units": str(unit) if unit is not None and str(unit).strip() else None,
    }


def _stored_dtype(variable: netCDF4.Variable) -> np.dtype:
    """Return the type of a variable's numbers; classic files have unsigned ones as signed."""
    stored = np.dtype(variable.dtype).newbyteorder("=")
    unsigned = str(_attribute(variable, "_Unsigned") or "").lower() == "true"
    return np.dtype(stored.str.replace("i", "u")) if unsigned else stored


def _attribute_numbers(variable: netCDF4.Variable, key: str, path: Path) -> list[float]:
    """Return an attribute's numbers, none where there is no such attribute."""
    value = _attribute(variable, key)
    if value is None:
        return []
    numbers = np.atleast_1d(value)
    if numbers.dtype.kind not in "iuf":
        raise InputError(path, f"{variable.name}:{key}", repr(value), "a number")
    stored = _stored_dtype(variable)
    if stored.kind == "u" and numbers.dtype == variable.dtype:
        numbers = numbers.view(stored)
    if numbers.dtype.kind == "f":
        # 0.02 is stored in four bytes as 0.0199999996: what was meant is the shortest text.
        return [float(str(number)) for number in numbers]
    return numbers.tolist()


def _one(variable: netCDF4.Variable, key: str, path: Path) -> float | None:
    numbers = _attribute_numbers(variable, key, path)
    if len(numbers) > 1:
        raise InputError(path, f"{variable.name}:{key}", f"{len(numbers)} numbers", "one")
    return numbers[0] if numbers else None


def _valid(
    variable: netCDF4.Variable, scale: float | None, offset: float | None, path: Path
) -> tuple[float | None, float | None]:
    """Return the least and greatest raw number that is a value.

    Limits of integers that are real numbers are of unpacked values (NetCDF Users Guide, appendix
    A); they are turned into raw numbers.
    """
    limits = _attribute_numbers(variable, "valid_range", path)
    if len(limits) not in (0, 2):
        raise InputError(path, f"{variable.name}:valid_range", f"{len(limits)} numbers", "two")
    low, high = limits or (_one(variable, key, path) for key in ("valid_min", "valid_max"))
    if variable.dtype.kind == "f" or not any(isinstance(limit, float) for limit in (low, high)):
        return low, high
    factor, shift = scale or 1.0, offset or 0.0
    # Rounded, so that 0.9 by a factor of 0.0001 is 9000 and not less.
    low, high = (
        None if limit is None else round((limit - shift) / factor, 3) for limit in (low, high)
    )
    return (high, low) if factor < 0.0 else (low, high)


def _block(
    variable: netCDF4.Variable, layout: _Layout, times: slice, rows: slice, path: Path
) -> NDArray:
    """Return raw numbers of a block, (times, rows, columns)."""
    order = [layout[role][0] for role in ("time", "y", "x") if role in layout]
    index = [slice(None)] * variable.ndim
    index[order[-2]] = rows
    if "time" in layout:
        index[order[0]] = times
    with _reading(path):
        raw = variable[tuple(index)]
    others = [axis for axis in range(variable.ndim) if axis not in order]
    raw = raw.transpose(others + order)
    raw = raw.reshape(-1, *raw.shape[-2:]).astype(raw.dtype.newbyteorder("="), copy=False)
    return raw.view(_stored_dtype(variable))
