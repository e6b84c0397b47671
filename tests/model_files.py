"""Files as CMIP6 and LUH2 publish them, with made-up values: axes, bounds, calendars, names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cftime
import netCDF4
import numpy as np

UNITS = {"tas": "K", "tasmin": "K", "tasmax": "K", "pr": "kg m-2 s-1", "rsds": "W m-2",
         "hurs": "%", "huss": "1", "ps": "Pa"}  # fmt: skip


def write_cmip6(
    folder: Path,
    name: str,
    years: tuple[int, int],
    values,
    *,
    calendar: str = "noleap",
    table: str = "Amon",
    experiment: str = "ssp245",
    lat=(42.0, 44.8, 47.6),
    lon=(22.5, 25.3),
    units: str | None = None,
    origin: str = "1850-01-01",
) -> Path:
    """Write a variable of some years: ``values`` of (time, lat, lon) shape, or one for all."""
    months = f"{years[0]}{'01' if table == 'Amon' else '0101'}-{years[1]}12"
    path = folder / f"{name}_{table}_Model_{experiment}_r1i1p1f1_gn_{months}.nc"
    starts = _starts(years, calendar, table)
    with netCDF4.Dataset(path, "w") as data:
        data.setncatts({"variable_id": name, "table_id": table, "mip_era": "CMIP6"})
        for dim, size in (("time", None), ("lat", len(lat)), ("lon", len(lon)), ("bnds", 2)):
            data.createDimension(dim, size)
        time = data.createVariable("time", "f8", ("time",))
        time.setncatts({"units": f"days since {origin}", "calendar": calendar,
                        "bounds": "time_bnds", "axis": "T"})  # fmt: skip
        numbers = cftime.date2num(starts, time.units, calendar)
        time[:] = (numbers[:-1] + numbers[1:]) / 2
        data.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = np.stack(
            [numbers[:-1], numbers[1:]], axis=1
        )
        for axis, centres in (("lat", lat), ("lon", lon)):
            own = data.createVariable(axis, "f8", (axis,))
            own.setncatts({"bounds": f"{axis}_bnds", "units": "degrees"})
            own[:] = centres
            half = (centres[1] - centres[0]) / 2
            data.createVariable(f"{axis}_bnds", "f8", (axis, "bnds"))[:] = np.stack(
                [np.array(centres) - half, np.array(centres) + half], axis=1
            )
        data.createVariable("height", "f8", ())[:] = 2.0
        field = data.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=1e20)
        field.setncatts({"units": units or UNITS[name], "missing_value": np.float32(1e20)})
        field[:] = np.broadcast_to(values, (len(starts) - 1, len(lat), len(lon)))
    return path


def _starts(years: tuple[int, int], calendar: str, table: str) -> list[cftime.datetime]:
    if table == "Amon":
        months = range(12 * years[0], 12 * (years[1] + 1) + 1)
        return [cftime.datetime(m // 12, m % 12 + 1, 1, calendar=calendar) for m in months]
    first, end = (cftime.datetime(y, 1, 1, calendar=calendar) for y in (years[0], years[1] + 1))
    days = cftime.date2num([first, end], "days since 1800-01-01", calendar)
    return list(cftime.num2date(np.arange(days[0], days[1] + 1), "days since 1800-01-01", calendar))


def write_luh2(
    path: Path,
    first: int,
    years: int,
    shares: Mapping[str, np.ndarray | float],
    *,
    origin: int = 850,
    south: float = 44.0,
    west: float = 24.0,
    rows: int = 14,
    columns: int = 2,
) -> Path:
    """Write states or transitions of a part of LUH2's quarter degrees, from the north.

    ``shares`` are one for all, (year,), or (year, row, column) from the north.
    """
    with netCDF4.Dataset(path, "w") as data:
        sizes = (("time", None), ("lat", rows), ("lon", columns), ("bounds", 2))
        for dim, size in sizes:
            data.createDimension(dim, size)
        time = data.createVariable("time", "f8", ("time",))
        time.setncatts({"units": f"years since {origin}-01-01 0:0:0", "calendar": "noleap"})
        time[:] = np.arange(years) + first - origin
        lat = south + 0.25 * rows - 0.125 - 0.25 * np.arange(rows)
        lon = west + 0.125 + 0.25 * np.arange(columns)
        for axis, centres in (("lat", lat), ("lon", lon)):
            own = data.createVariable(axis, "f8", (axis,))
            own.setncatts({"bounds": f"bounds_{axis}", "units": "degrees"})
            own[:] = centres
            data.createVariable(f"bounds_{axis}", "f8", (axis, "bounds"))[:] = np.stack(
                [centres - 0.125, centres + 0.125], axis=1
            )
        for name, share in shares.items():
            field = data.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=1e20)
            field.setncatts({"standard_name": "area_fraction", "units": "1"})
            whole = np.asarray(share, dtype=float)
            whole = whole[:, None, None] if whole.ndim == 1 else whole
            field[:] = np.broadcast_to(whole, (years, rows, columns))
    return path
