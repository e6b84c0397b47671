"""Tables of the towers of a network: one row a tower."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from concerto.domain import Location
from concerto.errors import InputError
from concerto.readers import _common

TEXTS = ("name", "igbp")
NUMBERS = ("latitude", "longitude", "elevation_m")


def read_places(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read the towers of a network, in the order of the table.

    Parameters
    ----------
    path
        A comma-separated table.
    columns
        Its columns of ``name``, ``igbp``, ``latitude`` and ``longitude`` (degrees), and of
        ``elevation_m`` (m) if it has one.

    Returns
    -------
    pandas.DataFrame
        With columns of these names, ``elevation_m`` NaN where there is none.

    Raises
    ------
    InputError
        If a column or a cell is missing, a position or class is none, or a name is there twice.
    """
    numbers = [name for name in NUMBERS if name in columns]
    wanted = [*TEXTS, *numbers]
    table = _common.read_csv(
        path, [columns[name] for name in numbers], [columns[name] for name in TEXTS]
    )
    table = table.rename(columns={columns[name]: name for name in wanted})
    if "elevation_m" not in table:
        table["elevation_m"] = np.nan
    for name in TEXTS:
        table[name] = table[name].str.strip()
    for number, place in enumerate(table.itertuples(), start=2):
        _check(place, path, number)
    twice = table["name"][table["name"].duplicated()]
    if len(twice):
        raise InputError(path, columns["name"], f"{twice.iloc[0]} twice", "each name once")
    return table[[*TEXTS, *NUMBERS]]


def _check(place: tuple, path: Path, number: int) -> None:
    """Check that a line of a table is a place on Earth."""
    if not place.name:
        raise InputError(path, f"line {number}", "no name", "a name in each line")
    height = 0.0 if np.isnan(place.elevation_m) else place.elevation_m
    try:
        Location(place.name, place.latitude, place.longitude, height, place.igbp, 0.0)
    except InputError as error:
        where = f"line {number}, {error.field} of {place.name}"
        raise InputError(path, where, error.found, error.expected) from error
