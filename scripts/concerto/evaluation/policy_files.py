"""Tables that users give for a reconciliation: inventories, lateral fluxes, transitions.

Each is a CSV file with a header. Text is taken as it stands; what cannot be used is named with its
file, its column and row, what was found and what would do. Columns that are not named here, such as
comments, are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from concerto.errors import InputError
from concerto.evaluation.region_totals import MEGATONNES_CO2
from concerto.land_use_categories import CATEGORIES, KNOWN, PRODUCTS, TOTAL, read_category
from concerto.plugins import suggestion

INVENTORY = ("region", "category", "year", "value", "unit", "sign")
LATERAL = ("region", "term", "year", "value", "unit", "sign")
TRANSITIONS = ("region", "year", "from", "to", "area_km2")
TERMS = {
    "wood_products": "carbon kept in wood products",
    "wood_trade": "wood traded with other regions",
    "crop_trade": "crops traded with other regions",
    "rivers": "carbon carried off by rivers",
}
"""Lateral terms, and what they are."""
INVENTORY_SIGNS = {"emission": -1.0, "removal": 1.0}
"""What a positive number of an inventory is; what the land gains for each."""
LATERAL_SIGNS = {"gain": 1.0, "loss": -1.0}
"""What a positive lateral flux is to the carbon that a region holds."""
_TERAGRAMS = {
    "g": 1e-12, "t": 1e-6, "kt": 1e-3, "Gg": 1e-3, "Mt": 1.0, "Tg": 1.0, "Gt": 1e3, "Pg": 1e3,
}  # fmt: skip
_UNIT = re.compile(r"(g|t|kt|Gg|Mt|Tg|Gt|Pg) ?(CO2|C)(?: ?/ ?yr| yr-1| a-1)?")
_EXPECTED_UNIT = (
    "a mass of C or CO2 in a year, such as kt CO2 or TgC yr-1; CO2 equivalents hold gases that the "
    "model does not have"
)


def read_inventory(file: Path, regions: Collection[str]) -> pd.DataFrame:
    """Read a national inventory.

    Returns a table with ``region``; ``category`` and ``history``, of
    :func:`concerto.land_use_categories.read_category`; ``year``; ``gain`` and its standard
    deviation ``gain_sd`` (0 where the file has no ``sd``), TgC yr-1, positive where land gains
    carbon; ``given``, what the file says.

    Raises
    ------
    InputError
        If a column is missing, a region, category, unit or sign is unknown, a year or a value is no
        number, or a region has a category twice in a year.
    """
    rows = _read(file, INVENTORY)
    for k, row in rows.iterrows():
        _check_among(file, "region", k, row["region"], regions)
        if read_category(row["category"]) is None:
            known = [name for name in KNOWN if name[:1].isalpha()]
            expected = (
                f"{suggestion(row['category'].lower(), known)}; or a code such as 4.A.1, 3B1a"
            )
            raise InputError(file, _at("category", k), repr(row["category"]), expected)
        _check_among(file, "sign", k, row["sign"], INVENTORY_SIGNS)
    found = [read_category(text) for text in rows["category"]]
    table = pd.DataFrame(
        {
            "region": rows["region"],
            "category": [category for category, _ in found],
            "history": [history or "" for _, history in found],
            "year": _years(file, rows),
            "gain": _gains(file, rows, "value", INVENTORY_SIGNS),
            "gain_sd": _errors(file, rows, INVENTORY_SIGNS),
            "given": rows["value"] + " " + rows["unit"] + ", positive: " + rows["sign"],
        }
    )
    _check_once(file, table, ["region", "category", "history", "year"], "category")
    return table


def read_lateral(file: Path, regions: Collection[str]) -> pd.DataFrame:
    """Read what enters or leaves regions sideways.

    Returns a table with ``region, term, year, gain, gain_sd`` as :func:`read_inventory` has them,
    and ``category``: of the optional column of that name, else of all land.

    Raises
    ------
    InputError
        As :func:`read_inventory`; the category may only be one without its land's history.
    """
    rows = _read(file, LATERAL)
    if "category" not in rows:
        rows["category"] = TOTAL
    allowed = (TOTAL, PRODUCTS, *CATEGORIES)
    for k, row in rows.iterrows():
        _check_among(file, "region", k, row["region"], regions)
        _check_among(file, "term", k, row["term"], TERMS)
        _check_among(file, "sign", k, row["sign"], LATERAL_SIGNS)
        _check_among(file, "category", k, row["category"], allowed)
    table = pd.DataFrame(
        {
            "region": rows["region"],
            "term": rows["term"],
            "category": rows["category"],
            "year": _years(file, rows),
            "gain": _gains(file, rows, "value", LATERAL_SIGNS),
            "gain_sd": _errors(file, rows, LATERAL_SIGNS),
        }
    )
    _check_once(file, table, ["region", "term", "category", "year"], "term")
    return table


def read_transitions(file: Path, regions: Collection[str]) -> pd.DataFrame:
    """Read the areas that change their category: ``region, year, from, to, area_km2``.

    Raises
    ------
    InputError
        As :func:`read_inventory`; if an area is negative, or land changes to what it is.
    """
    rows = _read(file, TRANSITIONS)
    for k, row in rows.iterrows():
        _check_among(file, "region", k, row["region"], regions)
        for side in ("from", "to"):
            _check_among(file, side, k, row[side], CATEGORIES)
        if row["from"] == row["to"]:
            raise InputError(file, _at("to", k), repr(row["to"]), "another category than `from`")
    area = _numbers(file, rows, "area_km2")
    if (area < 0.0).any():
        k = int(np.argmax(area < 0.0))
        raise InputError(file, _at("area_km2", k), area[k], "an area of 0 km2 or more")
    table = rows[["region", "from", "to"]].assign(year=_years(file, rows), area_km2=area)
    _check_once(file, table, ["region", "year", "from", "to"], "from")
    return table


def _read(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        expected = f"a CSV file with the columns {', '.join(columns)}"
        raise InputError(file, "file", f"unreadable ({error})", expected) from error
    for column in columns:
        if column not in rows:
            found = f"no such column among {', '.join(rows.columns)}"
            raise InputError(file, column, found, f"the columns {', '.join(columns)}")
    return rows.apply(lambda column: column.str.strip())


def _at(column: str, row: int) -> str:
    """Return where a cell is; the row as spreadsheets count it, the header being the first."""
    return f"{column}, row {row + 2}"


def _check_among(file: Path, column: str, row: int, text: str, known: Collection[str]) -> None:
    if text not in known:
        raise InputError(file, _at(column, row), repr(text), suggestion(text, known))


def _check_once(file: Path, table: pd.DataFrame, keys: list[str], column: str) -> None:
    twice = table.duplicated(keys)
    if twice.any():
        k = int(np.argmax(twice.to_numpy()))
        same = (table[keys] == table.loc[k, keys]).all(axis=1)
        first = int(np.argmax(same.to_numpy()))
        words = ", ".join(str(table.loc[k, key]) for key in keys if table.loc[k, key] != "")
        raise InputError(file, _at(column, k), f"{words}, as in row {first + 2}", "each once")


def _numbers(file: Path, rows: pd.DataFrame, column: str) -> np.ndarray:
    numbers = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(numbers)
    if bad.any():
        k = int(np.argmax(bad))
        raise InputError(file, _at(column, k), repr(rows[column][k]), "a number")
    return numbers


def _years(file: Path, rows: pd.DataFrame) -> np.ndarray:
    years = _numbers(file, rows, "year")
    odd = years != np.rint(years)
    if odd.any():
        k = int(np.argmax(odd))
        raise InputError(file, _at("year", k), rows["year"][k], "a calendar year")
    return years.astype(int)


def _errors(file: Path, rows: pd.DataFrame, signs: dict[str, float]) -> np.ndarray:
    """Return the standard deviations of gains, 0 where none is given."""
    if "sd" not in rows:
        return np.zeros(len(rows))
    return np.abs(_gains(file, rows.assign(sd=rows["sd"].replace("", "0")), "sd", signs))


def _gains(file: Path, rows: pd.DataFrame, column: str, signs: dict[str, float]) -> np.ndarray:
    """Return a column's numbers as TgC yr-1, positive where land gains carbon."""
    factors = []
    for k, unit in enumerate(rows["unit"]):
        match = _UNIT.fullmatch(unit)
        if match is None:
            raise InputError(file, _at("unit", k), repr(unit), _EXPECTED_UNIT)
        size, gas = match.groups()
        factors.append(_TERAGRAMS[size] / (MEGATONNES_CO2 if gas == "CO2" else 1.0))
    sign = np.array([signs[text] for text in rows["sign"]])
    return _numbers(file, rows, column) * np.array(factors) * sign
