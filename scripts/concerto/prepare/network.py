"""Cubes of a network: the monthly records of many towers, each a location.

A fault of one tower's file does not stop the others: the tower keeps its location, without any
value, and is named with the reason.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import MONTH, load, span, with_bounds
from concerto.domain import LAND, Location, location_coordinates
from concerto.errors import ConcertoError, InputError
from concerto.prepare.grids import footprint_cells
from concerto.prepare.land import country_among
from concerto.prepare.monthly import recorded_drivers, recorded_observations
from concerto.prepare.records import read_file
from concerto.prepare.streams import COLUMNS, MaskCount

log = logging.getLogger(__name__)

FAULTS = ("site", "file", "field", "found", "expected")
NOWHERE = "none"
"""Country of a tower that no country is near to."""


@dataclass(frozen=True)
class Towers:
    """Cubes of all towers of a network (location, time), and what is missing in them.

    ``masking`` has the columns of :class:`concerto.prepare.streams.MaskCount`, of all towers
    together; ``faults`` those of :data:`FAULTS`, a row for each tower without a usable file and
    for each file without a tower.
    """

    drivers: xr.Dataset
    observations: xr.Dataset
    masking: pd.DataFrame
    faults: pd.DataFrame


@dataclass(frozen=True)
class _Tower:
    drivers: xr.Dataset
    observations: xr.Dataset
    count: MaskCount

    @property
    def times(self) -> pd.DatetimeIndex:
        return self.drivers.indexes["time"]


def read_towers(
    places: pd.DataFrame,
    reader: str,
    folder: Path,
    files: Sequence[str],
    tables: Mapping[str, Mapping],
    disturbance: Mapping[str, float],
) -> Towers:
    """Read the records of all towers of a network.

    Parameters
    ----------
    places
        The towers, as :func:`concerto.readers._places.read_places` returns them.
    reader
        Name of the reader of their files.
    folder, files
        Where the files are, and their names; a file is that of the tower that it is called by, up
        to the first full stop.
    tables
        What the source's own file says of them.
    disturbance
        Fraction of the area disturbed in a day, d-1, constant, where a record does not say.

    Raises
    ------
    ConcertoError
        If no file can be used; says why not the first.
    """
    read: dict[str, _Tower] = {}
    faults: dict[str, InputError] = {}
    for place in places.itertuples():
        site = {"latitude": place.latitude, "step": "month"}
        try:
            entry = {"file": _file_of(place.name, folder, files), "reader": reader}
            record, count = read_file(site, entry, folder, tables), MaskCount()
            drivers = recorded_drivers(record, disturbance, count)
            read[place.name] = _Tower(drivers, recorded_observations(record, count), count)
        except InputError as error:
            faults[place.name] = error
    if not read:
        first = next(iter(faults.values()))
        raise ConcertoError(f"found no record that can be read; of the first: {first}")
    faults |= _odd_times(read, folder)
    towers = {name: tower for name, tower in read.items() if name not in faults}
    names = list(places["name"])
    drivers, observations = (
        _joined({name: getattr(tower, what) for name, tower in towers.items()}, places)
        for what in ("drivers", "observations")
    )
    for name, error in faults.items():
        log.warning("%s has no values: %s", name, error)
    strays = {file: _stray(folder / file) for file in files if file.partition(".")[0] not in names}
    rows = [(name, error) for name, error in faults.items()]
    rows += [("", error) for error in strays.values()]
    log.info(
        "%d of %d towers have a record, %s", len(towers), len(names), span(drivers.indexes["time"])
    )
    return Towers(
        drivers,
        observations,
        _masked(towers.values(), len(faults)),
        pd.DataFrame([_row(site, error) for site, error in rows], columns=list(FAULTS)),
    )


def _file_of(name: str, folder: Path, files: Sequence[str]) -> str:
    """Return the one file that a tower's name begins."""
    own = [file for file in files if file.partition(".")[0] == name]
    if len(own) != 1:
        found = f"{' and '.join(own) or 'no file'} of this name"
        raise InputError(folder, name, found, f"one, such as {name}.cbf")
    return own[0]


def _stray(file: Path) -> InputError:
    return InputError(file, "name", "no tower of this name", "one, in the table of the network")


def _row(site: str, error: InputError) -> tuple[str, ...]:
    return site, Path(error.file).name, error.field, error.found, error.expected


def _odd_times(read: Mapping[str, _Tower], folder: Path) -> dict[str, InputError]:
    """Return the faults of towers with other months than most have."""
    spans = {name: span(tower.times) for name, tower in read.items()}
    usual = Counter(spans.values()).most_common(1)[0][0]
    return {
        name: InputError(folder / name, "time", found, f"{usual}, as most towers have")
        for name, found in spans.items()
        if found != usual
    }


def _joined(towers: Mapping[str, xr.Dataset], places: pd.DataFrame) -> xr.Dataset:
    """Return the cubes of towers along ``location``, with their places and time bounds."""
    joined = xr.concat(
        list(towers.values()),
        pd.Index(list(towers), name="location"),
        combine_attrs="override",
        join="exact",
    ).reindex(location=places["name"].to_numpy(dtype=object))
    for variable in joined.data_vars.values():
        _, _, column = variable.attrs.get("source", "").partition(": ")
        if column:
            variable.attrs["source"] = f"file of each tower: {column}"
    cube = joined.assign_coords(_coordinates(places))
    cube = with_bounds(cube.transpose("location", "time"), MONTH, 0.0)
    return cube.assign_attrs(featureType="timeSeries", utc_offset_hours=0.0)


def _coordinates(places: pd.DataFrame) -> dict:
    names, lat, lon = (places[key].to_numpy() for key in ("name", "latitude", "longitude"))
    return location_coordinates(names.astype(object), lat.astype(float), lon.astype(float))


def _masked(towers: Iterable[_Tower], faulty: int) -> pd.DataFrame:
    """Return what was masked of all towers together, those at fault included."""
    table = pd.concat([tower.count.table() for tower in towers])
    by = list(COLUMNS[:3])
    summed = table.groupby(by, sort=False, as_index=False)[list(COLUMNS[3:])].sum()
    return pd.concat([summed, _at_fault(faulty)], ignore_index=True)


def _at_fault(faulty: int) -> pd.DataFrame:
    row = ("location", "network", "file at fault", faulty, faulty)
    return pd.DataFrame([row] if faulty else [], columns=list(COLUMNS))


def with_heights(places: pd.DataFrame, grid: Path, band: str) -> pd.DataFrame:
    """Return towers with the heights that the table has not, from the cells that they are in.

    Where weather is of such cells, so is the air that it is of.

    Parameters
    ----------
    places
        The towers, as :func:`concerto.readers._places.read_places` returns them.
    grid, band
        A NetCDF file, and its variable of heights (m), whose last dimensions are latitude and
        longitude.
    """
    unknown = places["elevation_m"].isna().to_numpy()
    field = load(grid)[band]
    field = field.isel(dict.fromkeys(field.dims[:-2], 0))
    where = {
        dim: xr.DataArray(places[key].to_numpy()[unknown], dims="location")
        for dim, key in zip(field.dims, ("latitude", "longitude"), strict=True)
    }
    height = places["elevation_m"].to_numpy(dtype=float, copy=True)
    height[unknown] = field.sel(where, method="nearest")
    log.info("%d of %d heights are those of cells of %s", unknown.sum(), len(height), grid.name)
    return places.assign(elevation_m=height)


def towers_land(
    places: pd.DataFrame, countries: geopandas.GeoDataFrame, footprint_m: float
) -> xr.Dataset:
    """Return what the land around towers is like: area, country, class and height.

    Parameters
    ----------
    places
        The towers, as :func:`concerto.readers._places.read_places` returns them.
    countries
        As :func:`concerto.prepare.land.read_borders` returns them.
    footprint_m
        Radius of the circle around a tower that its measurements are of.

    Raises
    ------
    InputError
        If a tower has no height.
    """
    for place in places[places["elevation_m"].isna()].itertuples():
        expected = "one in the table of the network, or on the grid of its `heights`"
        raise InputError("configuration", f"networks, height of {place.name}", "none", expected)
    cells = footprint_cells(
        places["latitude"], places["longitude"], footprint_m, name=places["name"].to_numpy(str)
    )
    country = [_country(place, countries) for place in places.itertuples()]
    area = {"units": "m2", "standard_name": "cell_area"}
    area["comment"] = f"circle of {footprint_m:g} m around the tower"
    table = {"long_name": "IGBP land cover class, of the table of the network"}
    height = places["elevation_m"].to_numpy(), LAND["elevation"].attributes()
    return xr.Dataset(
        {
            "cell_area": ("location", cells.area, area),
            "country": ("location", np.array(country, object), {"long_name": "country"}),
            "igbp": ("location", places["igbp"].to_numpy(object), table),
            "elevation": ("location", *height),
        },
        _coordinates(places),
    )


def _country(place: tuple, countries: geopandas.GeoDataFrame) -> str:
    location = Location(
        place.name, place.latitude, place.longitude, place.elevation_m, place.igbp, 0.0
    )
    try:
        return country_among(location, countries)
    except InputError as error:
        log.warning("%s: %s", place.name, error)
        return NOWHERE
