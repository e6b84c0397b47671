"""Fields in GeoTIFF files: one file an interval of time, its bands raw numbers in their projection.

A file's bands are in the order of the ``bands`` of its provenance, and described by these names;
the tag ``nodata`` of a band goes before that of the file. The interval is that of the provenance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from concerto.config import bands_of
from concerto.errors import InputError
from concerto.prepare.decode import Band
from concerto.prepare.grids import Grid, Slab
from concerto.readers import _fields


def ordered(files: Sequence[Path]) -> list[Path]:
    """Return files in their order, but those on one grid after each other."""
    grids: dict[tuple, list[Path]] = {}
    for path in files:
        with _opened(path) as file:
            grids.setdefault((file.crs, file.transform, file.shape), []).append(path)
    return [path for group in grids.values() for path in group]


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
        If the file is unreadable, truncated or not in the source's projection, has other bands than
        its provenance says, or a scale that contradicts the source.
    """
    asset = _fields.asset_of(path, assets)
    with _opened(path) as file:
        yield from _slabs(file, path, source, asset, tally, limit)


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    try:
        with rasterio.open(path, driver="GTiff") as file:
            yield file
    except RasterioError as error:
        raise InputError(path, "file", f"unreadable ({error})", "a whole GeoTIFF file") from error


def _slabs(
    file: rasterio.DatasetReader,
    path: Path,
    source: Mapping,
    asset: Mapping,
    tally: _fields.Tally,
    limit: int,
) -> Iterator[Slab]:
    names = _bands(file, asset, path)
    variables = {
        name: source["variables"][name]
        for name in _fields.present(source["variables"], names, path)
    }
    needed = list(dict.fromkeys(band for entry in variables.values() for band in bands_of(entry)))
    indexes = [names.index(band) + 1 for band in needed]
    interval = _fields.interval_of(asset, path, source["request"] == "all")
    x, y = _edges(file, path)
    crs = _crs(file, source["grid"].get("crs"), x, y, path)
    row_bytes = 8 * file.width * (len(needed) + 2 * len(variables))
    for first, last in _fields.blocks(file.height, row_bytes, limit, file.block_shapes[0][0]):
        window = Window(0, first, file.width, last - first)
        bands = dict(zip(needed, _blocks(file, indexes, window), strict=True))
        grid = Grid(crs, x, y[first : last + 1])
        yield _fields.slab(grid, interval, variables, bands, path, tally)


def _bands(file: rasterio.DatasetReader, asset: Mapping, path: Path) -> list[str]:
    """Return the names of a file's bands, in order."""
    stated = list(asset["bands"])
    if file.count != len(stated):
        expected = f"{len(stated)}: {', '.join(stated)}"
        raise InputError(path, "bands", f"{file.count} bands", expected)
    for name, described in zip(stated, file.descriptions, strict=True):
        if described not in (None, name):
            raise InputError(path, "bands", f"a band described as {described}", name)
    return stated


def _edges(file: rasterio.DatasetReader, path: Path) -> tuple[NDArray, NDArray]:
    at = file.transform
    if at.is_identity or at.b != 0.0 or at.d != 0.0:
        raise InputError(path, "georeference", at.to_gdal(), "rows from west to east")
    return at.c + at.a * np.arange(file.width + 1), at.f + at.e * np.arange(file.height + 1)


def _crs(
    file: rasterio.DatasetReader, stated: str | None, x: NDArray, y: NDArray, path: Path
) -> str:
    if file.crs is None:
        raise InputError(path, "crs", "none", stated or "a projection")
    return _fields.checked_crs(pyproj.CRS.from_wkt(file.crs.to_wkt()), stated, x, y, path)


def _blocks(file: rasterio.DatasetReader, indexes: Sequence[int], window: Window) -> Iterator[Band]:
    for index, raw in zip(indexes, file.read(indexes, window=window), strict=True):
        scale, offset = file.scales[index - 1], file.offsets[index - 1]
        said = (scale, offset) != (1.0, 0.0)  # which is what a file without the tags has
        yield Band(
            raw,
            fill=_fill(file, index),
            scale=scale if said else None,
            offset=offset if said else None,
            units=file.units[index - 1] or None,
        )


def _fill(file: rasterio.DatasetReader, index: int) -> tuple[float, ...]:
    """Return a band's fill value; where bands have different ones it is in the tag ``nodata``."""
    nodata = file.tags(index).get("nodata", file.nodatavals[index - 1])
    return () if nodata is None else (float(nodata),)
