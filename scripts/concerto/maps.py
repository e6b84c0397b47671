"""Maps: grids of cells that are worked on in tiles.

A tile is a block of cells of a map's grid. Which tiles there are follows from the configuration
alone, so that each is a job of its own; what cells a tile has is known from the cubes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from concerto.errors import InputError

_ROUND_OFF = 1e-6  # of a cell


@dataclass(frozen=True)
class MapGrid:
    """A regular grid in longitude and latitude, degrees; west is greater than east across 180."""

    west: float
    south: float
    east: float
    north: float
    resolution_deg: float

    @property
    def columns(self) -> int:
        """Number of cells from west to east."""
        return self._cells("east - west", (self.east - self.west) % 360.0 or 360.0)

    @property
    def rows(self) -> int:
        """Number of cells from south to north."""
        return self._cells("north - south", self.north - self.south)

    def _cells(self, name: str, degrees: float) -> int:
        count = degrees / self.resolution_deg
        if abs(count - round(count)) > _ROUND_OFF or count < 1.0 - _ROUND_OFF:
            expected = f"a multiple of {self.resolution_deg:g} degrees"
            raise InputError("configuration", f"grid of a map, {name}", degrees, expected)
        return round(count)

    def latitudes(self) -> np.ndarray:
        """Return the centres of the rows (row,), degrees north, from the south on."""
        return self.south + self.resolution_deg * (np.arange(self.rows) + 0.5)

    def longitudes(self) -> np.ndarray:
        """Return the centres of the columns (column,), degrees east, from the west on."""
        return self.west + self.resolution_deg * (np.arange(self.columns) + 0.5)

    def tiles(self, size: int) -> list[str]:
        """Return the names of the tiles with ``size`` cells on a side, such as ``r0c3``."""
        rows, columns = -(-self.rows // size), -(-self.columns // size)
        return [f"r{row}c{column}" for row in range(rows) for column in range(columns)]

    def cells_in(
        self, tile: str, size: int, latitude: np.ndarray, longitude: np.ndarray
    ) -> np.ndarray:
        """Return the numbers of the locations that lie in a tile.

        Parameters
        ----------
        tile, size
            Its name, and the cells on a side of it.
        latitude, longitude
            Of all locations (location,), degrees.
        """
        row, column = (int(number) for number in tile.removeprefix("r").split("c"))
        rows, columns = self.position(latitude, longitude)
        return np.flatnonzero((rows // size == row) & (columns // size == column))

    def position(
        self, latitude: np.ndarray, longitude: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column of the cells (location,) that locations lie in.

        Raises
        ------
        InputError
            If one lies outside of the grid.
        """
        north = np.floor((np.asarray(latitude) - self.south) / self.resolution_deg + _ROUND_OFF)
        degrees = (np.asarray(longitude) - self.west) % 360.0
        east = np.floor(degrees / self.resolution_deg + _ROUND_OFF)
        outside = (north < 0) | (north >= self.rows) | (east >= self.columns)
        if outside.any():
            k = int(np.argmax(outside))
            found = f"a location at {latitude[k]:g} N {longitude[k]:g} E"
            raise InputError("configuration", "grid of a map", found, f"locations in {self}")
        return north.astype(int), east.astype(int)


def square_grid(cells: int, resolution_deg: float, north: float, east: float) -> MapGrid:
    """Return the grid, as square as it can be, of a number of cells around a place, degrees."""
    rows = next(n for n in range(math.isqrt(cells), 0, -1) if cells % n == 0)
    half_height, half_width = (0.5 * n * resolution_deg for n in (rows, cells // rows))
    edges = east - half_width, north - half_height, east + half_width, north + half_height
    return MapGrid(*(round(edge, 9) for edge in edges), resolution_deg)


def cell_boxes(lat: np.ndarray, lon: np.ndarray, resolution: float) -> np.ndarray:
    """Return west, south, east and north (cell, 4) of cells of a grid, from their middles."""
    half = resolution / 2
    return np.column_stack([lon - half, lat - half, lon + half, lat + half])


def slug(name: str) -> str:
    """Return a region's name as files carry it: ``Dem. Rep. Congo`` is ``dem-rep-congo``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()


STATUS = (
    "converged",
    "not_converged",
    "no_observation",
    "drivers_missing",
    "assimilation_failed",
    "not_land",
)
"""What may have become of a cell, by the number that products have for it."""


def map_grid(entry: Mapping[str, Any], areas: Mapping[str, Mapping[str, Any]]) -> MapGrid:
    """Return the grid of a map: its own, or that of the area whose cubes it works on."""
    if "grid" in entry:
        return MapGrid(**entry["grid"])
    area = areas[entry["cubes"]]
    return MapGrid(**area["box"], resolution_deg=area["resolution_deg"])
