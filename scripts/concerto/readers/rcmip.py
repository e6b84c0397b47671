"""CO2 mole fraction of the RCMIP annual concentrations (comma-separated, one column a year).

Nicholls et al. 2020 (Geoscientific Model Development 13, 5175) give the concentrations of the
shared socio-economic pathways after Meinshausen et al. 2020 (ibid. 13, 3571) as annual means; each
mean is put at the middle of its year and may be interpolated linearly between those.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.readers import _common

VARIABLE = "Atmospheric Concentrations|CO2"
SCENARIO = "ssp245"
REGION = "World"


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read the annual CO2 series; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file.
    site
        Not used: the series holds everywhere.
    spec
        ``scenario`` and ``region`` (default ``ssp245``, ``World``).

    Returns
    -------
    xarray.Dataset
        ``co2(time)``, ppm, at mid-years; ``step_minutes`` is 0.

    Raises
    ------
    InputError
        If a column is missing, there is not exactly one row of the scenario, a cell is no number,
        or the unit is no mole fraction.
    """
    keys = {
        "Scenario": spec.get("scenario", SCENARIO),
        "Region": spec.get("region", REGION),
        "Variable": VARIABLE,
    }
    header = _common.header_of(path)
    _common.require_columns(path, header, [*keys, "Unit"])
    years = [name for name in header if name.isdigit()]
    if len(years) < 2:
        raise InputError(path, "header", f"{len(years)} columns that are years", "two or more")
    row = _row(path, header, keys)
    try:
        values = np.array([float(row[year] or "nan") for year in years])
    except ValueError as error:
        raise InputError(path, VARIABLE, str(error), "numbers") from error
    starts = pd.DatetimeIndex([pd.Timestamp(int(year), 1, 1) for year in years])
    ends = pd.DatetimeIndex([pd.Timestamp(int(year) + 1, 1, 1) for year in years])
    known = np.isfinite(values)
    column = f"{keys['Scenario']}, {keys['Region']}, {VARIABLE}"
    co2 = _common.variable(values[known], "co2", row["Unit"], path, column)
    middles = (starts + (ends - starts) / 2)[known]
    return _common.dataset({"co2": co2}, middles, pd.Timedelta(0))


def _row(path: Path, header: list[str], keys: Mapping[str, str]) -> dict[str, str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [
            row
            for row in csv.DictReader(stream, fieldnames=header, strict=True)
            if all(row[key] == value for key, value in keys.items())
        ]
    if len(rows) != 1:
        found = f"{len(rows)} rows of {', '.join(keys.values())}"
        raise InputError(path, "Scenario", found, "one")
    if None in rows[0] or None in rows[0].values():
        raise InputError(path, keys["Scenario"], "a row of another length", f"{len(header)} fields")
    return rows[0]
