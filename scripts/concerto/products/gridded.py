"""A map on its grid: the cells of all tiles as one CF NetCDF file and one Zarr store.

Both are written block by block, each block from the tiles that reach into it, so that memory holds
a block and a tile and never the map. Blocks follow from the grid alone: neither values nor the
bytes of the files depend on how the map was tiled.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec
from zarr.errors import ZarrUserWarning

from concerto.cubes import CONVENTIONS, reading
from concerto.domain import IGBP
from concerto.errors import InputError
from concerto.maps import MapGrid
from concerto.prepare.grids import FLATTENING, GEOGRAPHIC, SEMI_MAJOR, known_crs, zone_area
from concerto.whole import whole_directory, whole_file

DIMS = ("time", "lat", "lon")
CHUNK = {"time": 12, "lat": 64, "lon": 64}
"""What is read at once. 12 x 64 x 64 values are 192 KiB, read in less than a millisecond. A month
of half-degree cells of the Earth is in 72 chunks, twenty years of one cell in 20: neither the map
nor the series needs a second of work, which chunks of one month or of one cell cannot both give."""
SHARD = {"time": 120, "lat": 256, "lon": 256}
"""What a file of the Zarr store holds, and what is written at once: up to 160 chunks, 30 MiB."""
NO_FLAG = -1
NOWHERE = ("", "none")
"""Names of regions that say that a cell is in none."""
_SAME_AREA = 1e-4  # relative: areas may be stored as float32
_KNOWN = {"igbp": IGBP}
_AXES = ("lat", "lon", "time", "time_bnds", "location", "cell_area")
_OF_TILES = ("title", "source", "history", "comment", "featureType", "Conventions", "tile")


@dataclass(frozen=True)
class Layer:
    """One variable of the map.

    Parameters
    ----------
    name, dims, dtype, fill
        As stored; ``fill`` is where there is no value.
    attrs
        CF attributes.
    flags
        The number stored for each name, of a variable of names.
    """

    name: str
    dims: tuple[str, ...]
    dtype: np.dtype
    fill: float | int
    attrs: Mapping[str, object]
    flags: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Extent:
    """A tile's file, and the rows and columns of the map from and up to which it has cells."""

    path: Path
    rows: tuple[int, int]
    columns: tuple[int, int]

    def meets(self, rows: slice, columns: slice) -> bool:
        """Return whether the tile may have cells in a block."""
        return all(
            low < block.stop and high > block.start
            for (low, high), block in ((self.rows, rows), (self.columns, columns))
        )


@dataclass(frozen=True)
class Plan:
    """What is in the tiles of a map: extents, layers, axis of time and common attributes."""

    extents: Sequence[Extent]
    layers: Sequence[Layer]
    times: xr.Dataset
    attrs: Mapping[str, object]


def write_map(
    tiles: Sequence[Path],
    grid: MapGrid,
    netcdf: Path,
    store: Path,
    attributes: Mapping[str, str],
) -> None:
    """Write the cells of all tiles on their grid, as NetCDF and as Zarr, each whole or not at all.

    Variables along ``location`` come out along (lat, lon), from the south and the west on, those
    along ``location`` and ``time`` along (time, lat, lon). Names, such as those of countries,
    become flags. Cells that are in no tile have fill values. Areas of cells are those on the
    ellipsoid.

    Parameters
    ----------
    tiles
        Their files, any number of which may have no cell.
    grid
        The map's grid.
    netcdf, store
        The file and the folder to write.
    attributes
        Global attributes, on top of those that all tiles have in common.

    Raises
    ------
    InputError
        If no tile has a cell; if tiles differ in their variables, units or times; if a cell is not
        on the grid, is there twice or has another area than the grid's; or if a variable is neither
        of cells nor of cells and times.
    """
    plan = read_plan(tiles, grid)
    frame = _frame(grid, plan, attributes)
    layers = [_area_layer(), *plan.layers]
    shape = dict(zip(DIMS, (frame.sizes["time"], grid.rows, grid.columns), strict=True))
    with whole_file(netcdf) as file, whole_directory(store) as folder, _no_chunk_cache():
        frame.to_netcdf(file, engine="netcdf4", format="NETCDF4")
        frame.to_zarr(folder, zarr_format=3, consolidated=False)
        group = zarr.open_group(folder, mode="r+")
        with netCDF4.Dataset(file, "a") as dataset:
            for layer in layers:
                _create_in_netcdf(dataset, layer, shape)
                _create_in_zarr(group, layer, shape)
            for rows, columns in product(_parts(grid.rows, "lat"), _parts(grid.columns, "lon")):
                for layer, region, values in _block(plan, grid, rows, columns):
                    dataset[layer.name][region] = values
                    group[layer.name][region] = values
        with warnings.catch_warnings():
            # Readers of version 3 that know nothing of it read the store as well, only slower.
            warnings.simplefilter("ignore", ZarrUserWarning)
            zarr.consolidate_metadata(folder)


def read_plan(tiles: Sequence[Path], grid: MapGrid) -> Plan:
    """Read what the tiles of a map hold, and check that they fit together.

    Raises
    ------
    InputError
        As :func:`write_map`, but for cells that are there twice.
    """
    extents: list[Extent] = []
    names: dict[str, set[str]] = {}
    first: xr.Dataset | None = None
    common: dict[str, object] = {}
    for path in sorted(tiles):
        with reading(path), xr.open_dataset(path, engine="netcdf4") as tile:
            if not tile.sizes["location"]:
                continue
            if first is None:
                first = tile.isel(location=[0]).load()
                common = {k: v for k, v in tile.attrs.items() if k not in _OF_TILES}
            else:
                _check_alike(tile, first, path)
                common = {k: v for k, v in common.items() if np.array_equal(tile.attrs.get(k), v)}
            rows, columns = _positions(tile, grid, path)
            extents.append(Extent(path, _span(rows), _span(columns)))
            for name in _named(first):
                names.setdefault(name, set()).update(tile[name].to_numpy().astype(str))
    if first is None:
        raise InputError("tiles of a map", "location", "no cell at all", "one cell at least")
    layers = [_layer(first[name], names.get(name)) for name in _layered(first)]
    return Plan(extents, layers, first[["time", "time_bnds"]], common)


def flag_word(name: str) -> str:
    """Return a name as one word of ``flag_meanings``: letters, digits and ``_-.+@`` alone.

    Accents are left out; what else the CF conventions do not allow (section 3.5) becomes ``_``.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(letter if letter.isalnum() or letter in "_-.+@" else "_" for letter in plain)


def _frame(grid: MapGrid, plan: Plan, attributes: Mapping[str, str]) -> xr.Dataset:
    """Return what is no layer: coordinates with bounds, the reference system, attributes."""
    frame = xr.Dataset(attrs={"Conventions": CONVENTIONS, **plan.attrs, **attributes})
    frame = frame.assign_coords(time=plan.times["time"])
    frame["time"].attrs |= {"axis": "T", "bounds": "time_bnds"}
    frame["time_bnds"] = plan.times["time_bnds"].variable
    for name, word, unit, axis, centres, start in (
        ("lat", "latitude", "degrees_north", "Y", grid.latitudes(), grid.south),
        ("lon", "longitude", "degrees_east", "X", grid.longitudes(), grid.west),
    ):
        attrs = {"standard_name": word, "long_name": word, "units": unit, "axis": axis}
        frame = frame.assign_coords({name: (name, centres, {**attrs, "bounds": f"{name}_bnds"})})
        edges = start + grid.resolution_deg * np.arange(len(centres) + 1)
        frame[f"{name}_bnds"] = ((name, "bnds"), np.stack([edges[:-1], edges[1:]], axis=1))
    frame["crs"] = ((), np.int32(0), _reference_system())
    for name in frame.variables:
        frame[name].encoding = {"_FillValue": None}
    for name in ("time", "time_bnds"):
        frame[name].attrs.pop("units", None)
        frame[name].encoding |= {"units": "days since 1970-01-01", "dtype": "int32"}
    return frame


def _reference_system() -> dict[str, object]:
    return {
        "long_name": "coordinate reference system",
        "grid_mapping_name": "latitude_longitude",
        "longitude_of_prime_meridian": 0.0,
        "semi_major_axis": SEMI_MAJOR,
        "inverse_flattening": 1 / FLATTENING,
        "crs_wkt": known_crs(GEOGRAPHIC).to_wkt(),
    }


def _area_layer() -> Layer:
    attrs = {"standard_name": "cell_area", "long_name": "area of the cell", "units": "m2"}
    return Layer("cell_area", DIMS[1:], np.dtype("f8"), np.nan, {**attrs, "grid_mapping": "crs"})


def _layered(tile: xr.Dataset) -> list[str]:
    return sorted(str(name) for name in tile.variables if name not in _AXES)


def _named(tile: xr.Dataset) -> list[str]:
    return [name for name in _layered(tile) if tile[name].dtype.kind in "OUST"]


def _layer(variable: xr.DataArray, names: Iterable[str] | None) -> Layer:
    """Return the layer that a tile's variable becomes."""
    name = str(variable.name)
    dims = {("location",): DIMS[1:], ("location", "time"): DIMS}.get(variable.dims)
    if dims is None:
        expected = "dimensions location, or location and time"
        raise InputError("tiles of a map", name, f"dimensions {variable.dims}", expected)
    attrs = dict(variable.attrs) | {"grid_mapping": "crs", "cell_measures": "area: cell_area"}
    if names is not None:
        return _flag_layer(name, attrs, {*names} - {*NOWHERE})
    if variable.dtype.kind == "f":
        return Layer(name, dims, np.dtype("f4"), np.nan, attrs)
    return Layer(name, dims, variable.dtype, NO_FLAG, attrs)


def _flag_layer(name: str, attrs: Mapping[str, object], regions: set[str]) -> Layer:
    """Return the layer of a variable of names: a number for each, in alphabetical order."""
    known = _KNOWN.get(name, {region: region for region in sorted(regions)})
    unknown = sorted(regions - {*known})
    if unknown:
        raise InputError("tiles of a map", name, unknown[0], f"one of {', '.join(known)}")
    flags = {region: number for number, region in enumerate(known, 1)}
    described = {
        "flag_values": np.array(list(flags.values()), dtype="i2"),
        "flag_meanings": " ".join(flag_word(region) for region in flags),
        "flag_names": "; ".join(known.values()),
    }
    return Layer(
        name, DIMS[1:], np.dtype("i2"), NO_FLAG, {**attrs, **(described if flags else {})}, flags
    )


@contextmanager
def _no_chunk_cache() -> Iterator[None]:
    """Let open files keep no chunks: each is read or written once, and there are many of both."""
    size, slots, preemption = netCDF4.get_chunk_cache()
    netCDF4.set_chunk_cache(0, slots, preemption)
    try:
        yield
    finally:
        netCDF4.set_chunk_cache(size, slots, preemption)


def _create_in_netcdf(dataset: netCDF4.Dataset, layer: Layer, shape: Mapping[str, int]) -> None:
    variable = dataset.createVariable(
        layer.name,
        layer.dtype,
        layer.dims,
        compression="zlib",
        complevel=4,
        shuffle=True,
        chunksizes=[min(CHUNK[dim], shape[dim]) for dim in layer.dims],
        fill_value=layer.fill,
    )
    variable.setncatts(layer.attrs)
    variable.set_auto_maskandscale(False)


def _create_in_zarr(group: zarr.Group, layer: Layer, shape: Mapping[str, int]) -> None:
    chunks = [min(CHUNK[dim], shape[dim]) for dim in layer.dims]
    wanted = [min(SHARD[dim], shape[dim]) for dim in layer.dims]
    attrs = {key: np.asarray(value).tolist() for key, value in layer.attrs.items()}
    if layer.dtype.kind == "i":
        attrs["_FillValue"] = layer.fill
    group.create_array(
        layer.name,
        shape=tuple(shape[dim] for dim in layer.dims),
        dtype=layer.dtype,
        chunks=tuple(chunks),
        # A shard is a whole number of chunks, also where it ends beyond the map.
        shards=tuple(-(-size // chunk) * chunk for size, chunk in zip(wanted, chunks, strict=True)),
        compressors=BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),
        fill_value=layer.fill,
        dimension_names=layer.dims,
        attributes=attrs,
    )


def _parts(size: int, dim: str) -> list[slice]:
    step = SHARD[dim]
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _block(
    plan: Plan, grid: MapGrid, rows: slice, columns: slice
) -> Iterator[tuple[Layer, tuple[slice, ...], np.ndarray]]:
    """Yield each layer's values in a block of the map, and where they belong, decade by decade."""
    shape = rows.stop - rows.start, columns.stop - columns.start
    decades = [(part,) for part in _parts(plan.times.sizes["time"], "time")]
    tiles = []
    taken = np.zeros(shape, dtype=bool)
    try:
        for extent in plan.extents:
            if extent.meets(rows, columns):
                tile = xr.open_dataset(extent.path, engine="netcdf4", cache=False)
                tiles.append((tile, *_placed(tile, grid, rows, columns, taken, extent.path)))
        areas = _areas(grid, rows, shape)
        _check_areas(tiles, areas)
        yield _area_layer(), (rows, columns), areas
        for layer in plan.layers:
            for times in decades if "time" in layer.dims else [()]:
                length = [part.stop - part.start for part in times]
                values = np.full([*length, *shape], layer.fill, dtype=layer.dtype)
                for tile, cells, row, column in tiles:
                    values[..., row, column] = _read(tile, layer, times)[cells].T
                yield layer, (*times, rows, columns), values
    finally:
        for tile, *_ in tiles:
            tile.close()


def _read(tile: xr.Dataset, layer: Layer, times: Sequence[slice]) -> np.ndarray:
    with reading(tile.encoding["source"]):
        values = tile[layer.name][(slice(None), *times)].to_numpy()
    if layer.flags is None:
        return values
    numbers = [layer.flags.get(region, NO_FLAG) for region in values.astype(str)]
    return np.array(numbers, dtype=layer.dtype)


def _placed(
    tile: xr.Dataset,
    grid: MapGrid,
    rows: slice,
    columns: slice,
    taken: np.ndarray,
    path: Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which of a tile's cells are in a block, and where; mark them as taken."""
    row, column = _positions(tile, grid, path)
    cells = np.flatnonzero(
        (row >= rows.start)
        & (row < rows.stop)
        & (column >= columns.start)
        & (column < columns.stop)
    )
    row, column = row[cells] - rows.start, column[cells] - columns.start
    for k, place in enumerate(zip(row, column, strict=True)):
        if taken[place]:
            twice = str(tile["location"].to_numpy()[cells[k]])
            raise InputError(path, "location", f"{twice} a second time", "each cell in one tile")
        taken[place] = True
    return cells, row, column


def _areas(grid: MapGrid, rows: slice, shape: tuple[int, int]) -> np.ndarray:
    edges = grid.south + grid.resolution_deg * np.arange(rows.start, rows.stop + 1)
    zones = zone_area(edges[:-1], edges[1:]) * np.radians(grid.resolution_deg)
    return np.broadcast_to(zones[:, None], shape)


def _check_areas(tiles: Sequence[tuple], areas: np.ndarray) -> None:
    for tile, cells, row, column in tiles:
        if "cell_area" not in tile:
            continue
        place = tile.encoding["source"]
        with reading(place):
            found = tile["cell_area"].to_numpy()[cells]
        expected = areas[row, column]
        wrong = ~np.isclose(found, expected, rtol=_SAME_AREA, atol=0)
        if wrong.any():
            k = int(np.argmax(wrong))
            name = str(tile["location"].to_numpy()[cells[k]])
            raise InputError(place, f"cell_area of {name}", found[k], f"{expected[k]:.6g} m2")


def _positions(tile: xr.Dataset, grid: MapGrid, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of a tile's cells, which must be at the centres of the grid's."""
    lat, lon = tile["lat"].to_numpy(), tile["lon"].to_numpy()
    rows, columns = grid.position(lat, lon)
    north = np.abs(lat - grid.latitudes()[rows])
    east = np.abs((lon - grid.longitudes()[columns] + 180.0) % 360.0 - 180.0)
    wrong = np.maximum(north, east) > 1e-3 * grid.resolution_deg
    if wrong.any():
        k = int(np.argmax(wrong))
        raise InputError(path, "location", f"{lat[k]:g} N {lon[k]:g} E", f"centres of {grid}")
    return rows, columns


def _span(numbers: np.ndarray) -> tuple[int, int]:
    return int(numbers.min()), int(numbers.max()) + 1


def _check_alike(tile: xr.Dataset, first: xr.Dataset, path: Path) -> None:
    """Check that a tile has the variables, units and times of the first one."""
    if _layered(tile) != _layered(first):
        odd = sorted({*_layered(tile)} ^ {*_layered(first)})
        raise InputError(path, odd[0], "not in all tiles", "the same variables in all tiles")
    for name in _layered(tile):
        units = [ds[name].attrs.get("units") for ds in (tile, first)]
        if units[0] != units[1]:
            raise InputError(path, name, f"units {units[0]!r}", f"{units[1]!r}, as in other tiles")
    if not np.array_equal(tile["time_bnds"].to_numpy(), first["time_bnds"].to_numpy()):
        raise InputError(path, "time_bnds", "other times", "the times of the other tiles")
