"""FLUXNET2015, ONEFlux and ICOS ETC records (comma-separated), FULLSET or SUBSET; HH, HR or DD.

Format and variables: Pastorello et al. 2020 (Scientific Data 7, 225). Resolution and flavour are
read from the file's content, not from its name. Time stamps are local standard time; the start of
the interval is kept. -9999 is missing.

Quality flags: half-hours and hours have 0 measured, 1 gap-filled with good, 2 with medium, 3 with
poor confidence; days have the fraction that is measured or well gap-filled. GPP and RECO derive
from NEE and take its flags.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import CARBON_STREAMS, QUANTITIES
from concerto.errors import InputError
from concerto.places import around
from concerto.readers import _common

log = logging.getLogger(__name__)

METEOROLOGY = {
    "tas": ("TA_F", "degC"),
    "rsds": ("SW_IN_F", "W m-2"),
    "vpd": ("VPD_F", "hPa"),
    "pr": ("P_F", "mm"),
    "co2": ("CO2_F_MDS", "ppm"),
    "rlds": ("LW_IN_F", "W m-2"),
    "ps": ("PA_F", "kPa"),
    "wind": ("WS_F", "m s-1"),
    "rn": ("NETRAD", "W m-2"),
}
REQUIRED = ("tas", "rsds")
# Reference fluxes by preference: variable u* threshold, constant one, none in the name.
REFERENCES = {
    "nee": ("NEE_VUT_REF", "NEE_CUT_REF", "NEE"),
    "gpp": ("GPP_NT_VUT_REF", "GPP_NT_CUT_REF", "GPP_NT"),
    "reco": ("RECO_NT_VUT_REF", "RECO_NT_CUT_REF", "RECO_NT"),
    "le": ("LE_F_MDS",),
    "h": ("H_F_MDS",),
}
# Percentiles of the flux over u* thresholds, widest first, and what half of their distance is in
# standard deviations of a normal distribution. SUBSET files have only quartiles.
PERCENTILES = (("16", "84", 1.0), ("25", "75", 0.674490))


@dataclass(frozen=True)
class _Kind:
    """A file's kind: its time columns, step and flavour."""

    stamps: tuple[str, ...]
    step: pd.Timedelta
    flavour: str

    @property
    def daily(self) -> bool:
        return self.step == _common.DAY

    def unit(self, flux: str) -> str:
        """Return the unit in which such a file gives a flux."""
        if flux not in CARBON_STREAMS:
            return "W m-2"
        return "gC m-2 d-1" if self.daily else "umol m-2 s-1"


def read(path: Path, site: Mapping, spec: Mapping) -> xr.Dataset:
    """Read one record; see :mod:`concerto.readers` for what the dataset holds.

    Parameters
    ----------
    path
        The file.
    site
        The site's configuration; a flux in its ``streams`` must be in the file, and temperature
        and radiation unless its ``fields`` have them.
    spec
        Not used: the format says everything.

    Raises
    ------
    InputError
        If a needed column is missing, the time axis has a fault, or a cell is no number.
    """
    header = _common.header_of(path)
    kind = _kind(path, header)
    fluxes = _reference_columns(path, header, site.get("streams", ()))
    meteorology = _meteorology_columns(path, header, around(site))
    wanted = dict.fromkeys(
        column
        for column in (
            *(column for column in meteorology.values()),
            *(f"{column}_QC" for column in meteorology.values()),
            *(
                part
                for name, column in fluxes.items()
                for part in _flux_columns(name, column, fluxes)
            ),
        )
        if column in header
    )
    frame = _common.read_csv(path, wanted, text=kind.stamps)
    starts = _starts(frame, kind, path)
    log.info("%s: %s, step %s, %d rows", path.name, kind.flavour, kind.step, len(frame))
    variables: dict[str, xr.DataArray] = {}
    for name, column in meteorology.items():
        variables[name] = _meteorology(frame, name, column, kind, path)
    for name in fluxes:
        variables |= _flux(frame, name, fluxes, kind, path)
    return _common.dataset(variables, starts, kind.step)


def _kind(path: Path, header: list[str]) -> _Kind:
    flavour = next(
        (
            f"{label} with percentiles {low} and {high}"
            for label, (low, high, _) in zip(("FULLSET", "SUBSET"), PERCENTILES, strict=True)
            if any(f"NEE_{u}_{low}" in header for u in ("VUT", "CUT"))
        ),
        "without u* percentiles",
    )
    if "TIMESTAMP_START" in header and "TIMESTAMP_END" in header:
        stamps = ("TIMESTAMP_START", "TIMESTAMP_END")
        first = pd.read_csv(path, usecols=list(stamps), dtype=str, nrows=1, encoding="utf-8-sig")
        if first.empty:
            raise InputError(path, "file", "no rows", "a record")
        begin, end = (_times(first[column], path, "%Y%m%d%H%M") for column in stamps)
        step = end[0] - begin[0]
        if step not in (pd.Timedelta(minutes=30), pd.Timedelta(hours=1)):
            raise InputError(path, "TIMESTAMP_END", f"a step of {step}", "30 or 60 minutes")
        return _Kind(stamps, step, flavour)
    _common.require_columns(path, header, ["TIMESTAMP"])
    return _Kind(("TIMESTAMP",), _common.DAY, flavour)


def _times(column: pd.Series, path: Path, pattern: str) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(pd.to_datetime(column, format=pattern, errors="coerce"))
    digits = len(pd.Timestamp(2000, 1, 1).strftime(pattern))
    bad = times.isna() | (column.str.len() != digits).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        found = f"{column.iloc[row]!r} in line {row + 2}"
        raise InputError(path, str(column.name), found, f"a time stamp of {digits} digits")
    return times


def _starts(frame: pd.DataFrame, kind: _Kind, path: Path) -> pd.DatetimeIndex:
    first = kind.stamps[0]
    starts = _times(frame[first], path, "%Y%m%d" if kind.daily else "%Y%m%d%H%M")
    _common.check_axis(starts, kind.step, path, first)
    if not kind.daily:
        ends = _times(frame["TIMESTAMP_END"], path, "%Y%m%d%H%M")
        wrong = ends != starts + kind.step
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(path, "TIMESTAMP_END", ends[row], starts[row] + kind.step)
    return starts


def _meteorology_columns(
    path: Path, header: list[str], elsewhere: Collection[str]
) -> dict[str, str]:
    needed = [METEOROLOGY[name][0] for name in REQUIRED if name not in elsewhere]
    _common.require_columns(path, header, needed)
    columns = {name: column for name, (column, _) in METEOROLOGY.items() if column in header}
    for name in METEOROLOGY.keys() - columns.keys():
        log.warning("%s: no column %s, so no %s", path.name, METEOROLOGY[name][0], name)
    return columns


def _reference_columns(path: Path, header: list[str], streams: object) -> dict[str, str]:
    """Choose the column of each flux: the first of its variants that the file has."""
    chosen = {}
    for name, variants in REFERENCES.items():
        column = next((variant for variant in variants if variant in header), None)
        needed = name == "nee" or name in streams or (name == "le" and "et" in streams)
        if column is None and needed:
            raise InputError(path, variants[0], "no such column", f"one of {', '.join(variants)}")
        if column is None:
            log.warning("%s: none of %s, so no %s", path.name, ", ".join(variants), name)
            continue
        if column != variants[0]:
            log.warning(
                "%s: %s is taken from %s, for %s is absent", path.name, name, column, variants[0]
            )
        chosen[name] = column
    for name, column in chosen.items():
        _common.require_columns(path, header, [_quality_column(name, column, chosen)])
    return chosen


def _quality_column(name: str, column: str, fluxes: Mapping[str, str]) -> str:
    return f"{fluxes['nee'] if name in CARBON_STREAMS else column}_QC"


def _random_column(name: str, column: str) -> str:
    return f"{column}_RANDUNC" if name in CARBON_STREAMS else f"{name.upper()}_RANDUNC"


def _flux_columns(name: str, column: str, fluxes: Mapping[str, str]) -> list[str]:
    """Return all columns that belong to a flux, whether the file has them or not."""
    base = column.removesuffix("_REF")
    percentiles = [f"{base}_{p}" for low, high, _ in PERCENTILES for p in (low, high)]
    return [
        column,
        _quality_column(name, column, fluxes),
        _random_column(name, column),
        *percentiles,
    ]


def _meteorology(
    frame: pd.DataFrame, name: str, column: str, kind: _Kind, path: Path
) -> xr.DataArray:
    values = frame[column].to_numpy()
    unit = METEOROLOGY[name][1]
    if name == "pr":
        # Precipitation is an amount per time step.
        values, unit = values * (_common.DAY / kind.step), "mm d-1"
    out = _common.variable(values, name, unit, path, column)
    quality = f"{column}_QC"
    if quality in frame:
        fraction = frame[quality] if kind.daily else frame[quality] == 0
        out.attrs["measured_percent"] = round(100 * float(fraction.mean()), 2)
    return out


def _flux(
    frame: pd.DataFrame, name: str, fluxes: Mapping[str, str], kind: _Kind, path: Path
) -> dict[str, xr.DataArray]:
    column = fluxes[name]
    unit = kind.unit(name)
    values = frame[column].to_numpy()
    out = {name: _common.variable(values, name, unit, path, column)}
    quality = frame[_quality_column(name, column, fluxes)]
    if kind.daily:
        fraction = xr.DataArray(quality.to_numpy(), dims="time")
        fraction.attrs = {
            "units": "1",
            "long_name": f"{QUANTITIES[name].long_name}: fraction measured or well gap-filled",
        }
        out[f"{name}_good_fraction"] = fraction
    else:
        out[f"{name}_measured"] = _common.flag(quality == 0, name, "measured")
        out[f"{name}_good"] = _common.flag(quality <= 1, name, "measured or well gap-filled")
    random = _random_column(name, column)
    if random in frame:
        out[f"{name}_random"] = _common.companion(
            frame[random].to_numpy(),
            name,
            unit,
            path,
            random,
            meaning="standard deviation of the random error",
        )
    return out | _threshold_bounds(frame, name, column, unit, path)


def _threshold_bounds(
    frame: pd.DataFrame, name: str, column: str, unit: str, path: Path
) -> dict[str, xr.DataArray]:
    base = column.removesuffix("_REF")
    for low, high, deviations in PERCENTILES:
        columns = (f"{base}_{low}", f"{base}_{high}")
        if all(c in frame for c in columns):
            lower, upper = (frame[c].to_numpy() for c in columns)
            centre, half = (lower + upper) / 2, (upper - lower) / 2 / deviations
            return {
                f"{name}_ustar_{side}": _common.companion(
                    bound, name, unit, path, source, meaning=f"{side} one-sigma bound over u*"
                )
                for side, bound, source in zip(
                    ("low", "high"), (centre - half, centre + half), columns, strict=True
                )
            }
    if name in CARBON_STREAMS:
        log.warning("%s: no u* percentiles of %s: systematic uncertainty 0", path.name, column)
    return {}
