"""CARDAMOM's input files, read and written: binary ``.cbf`` and NetCDF ``.cbf.nc``.

Binary: little-endian float64, -9999 where there is no value. A header of 100 values, four times 50
of priors, then for each step its drivers and its observations; perhaps a last line with reference
means of the drivers. Places and meanings are those of CARDAMOM 2.2 (C/projects/CARDAMOM_GENERAL/
CARDAMOM_READ_BINARY_DATA.c) and of its MATLAB reader and writer (MATLAB/io_fun/
CARDAMOM_READ_BINARY_FILEFORMAT.m, CARDAMOM_WRITE_BINARY_FILEFORMAT.m).

NetCDF: a variable along time for each driver and stream; scalars ``ID``, ``LAT``, ``EDC`` and
``EDCDIAG``; errors of a stream as its attributes, such as ``single_unc``, or as a variable
``NAMEunc`` (CARDAMOM, C/projects/CARDAMOM_GENERAL/CARDAMOM_READ_NETCDF_DATA.c and
C/projects/COST_FUNCTION/CARDAMOM_LIKELIHOOD_FUNCTION.c; written as by MATLAB/io_fun/
CARDAMOM_WRITE_NC_CBF_FILE.m and PYTHON/check_fun/DEMO_CBF_NC_GENERATOR.py). Priors are
``PARPRIORS``, ``PARPRIORUNC``, ``OTHERPRIORS`` and ``OTHERPRIORSUNC``; older files have
``TIME_INDEX`` in place of ``time``, and ``Uncertainty``, ``Annual_Uncertainty`` and
``Uncertainty_Threshold`` in place of newer attributes (MATLAB/cardamom_fun/CARDAMOM_CBF2NETCDF.m).
Means over all steps (``Mean_LAI``) are other priors of a binary file; ``PEQ_...`` are not in it.
What else a binary header has goes into ``CBF_HEADER``, which is of this project and passed over by
CARDAMOM; where a named variable or attribute says otherwise, that prevails.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from concerto.errors import InputError
from concerto.readers._common import MISSING
from concerto.whole import whole_file

log = logging.getLogger(__name__)

BYTES = 8
HEADER_VALUES = 100
PRIOR_VALUES = 50
PRIORS = {
    "parameter_priors": "PARPRIORS",
    "parameter_prior_errors": "PARPRIORUNC",
    "other_priors": "OTHERPRIORS",
    "other_prior_errors": "OTHERPRIORSUNC",
}
"""The blocks of priors in their order, and their names in NetCDF."""
BEFORE_STEPS = HEADER_VALUES + len(PRIORS) * PRIOR_VALUES
SCALARS = {"ID": 0, "LAT": 1, "EDC": 5, "EDCDIAG": 6}
"""What NetCDF has as scalars, by its place in the header."""
_COUNTS = {"number of steps": 2, "number of drivers": 3, "number of streams": 4}
DRIVERS = {
    "time": ("day since the start", "days"),
    "T2M_MIN": ("lowest temperature of the day", "degC"),
    "T2M_MAX": ("highest temperature of the day", "degC"),
    "SSRD": ("shortwave radiation", "MJ m-2 d-1"),
    "CO2": ("CO2", "ppm"),
    "DOY": ("day of year", "days"),
    "BURNED_AREA": ("burned share of the area", "m2 m-2"),
    "VPD": ("vapour pressure deficit", "hPa"),
    "TOTAL_PREC": ("precipitation", "mm d-1"),
}
"""Drivers in their order: what they are, and their units."""
STREAMS = {
    "GPP": "gC m-2 d-1", "LAI": "m2 m-2", "NBE": "gC m-2 d-1", "ABGB": "gC m-2", "ET": "mm d-1",
    "EWT": "mm", "BAND1": "", "BAND2": "", "BAND3": "", "BAND4": "", "SOM": "gC m-2",
    "CH4": "mgCH4 m-2 d-1", "SCF": "m2 m-2",
}  # fmt: skip
"""Observations in their order, and their units, none where they may be anything."""
_FEWEST_STREAMS = 3
_SPELLED = {
    "degc": "degC", "c": "degC", "mjm-2d-1": "MJ m-2 d-1", "mjm-2day-1": "MJ m-2 d-1",
    "mj/m2/d": "MJ m-2 d-1", "mj/m2/day": "MJ m-2 d-1", "ppm": "ppm", "days": "days",
    "m2/m2": "m2 m-2", "m2m-2": "m2 m-2", "1": "m2 m-2", "hpa": "hPa", "mm": "mm",
    "mm/day": "mm d-1", "mm/d": "mm d-1", "mmd-1": "mm d-1", "mmday-1": "mm d-1",
    "gcm-2d-1": "gC m-2 d-1", "gcm-2day-1": "gC m-2 d-1", "gc/m2/d": "gC m-2 d-1",
    "gc/m2/day": "gC m-2 d-1", "gcm-2": "gC m-2", "gc/m2": "gC m-2",
    "mgch4m-2d-1": "mgCH4 m-2 d-1", "mgch4/m2/d": "mgCH4 m-2 d-1",
    "mgch4/m2/day": "mgCH4 m-2 d-1",
}  # fmt: skip
ABSOLUTE, FACTOR, FRACTION = range(3)
"""What a stated error is (``opt_unc_type``): of the value, by which it may be off, or of one."""
_OLDER = {
    "Uncertainty": "single_unc",
    "Annual_Uncertainty": "single_annual_unc",
    "Uncertainty_Threshold": "min_threshold",
}
_ATTRIBUTES = (
    "opt_unc_type", "opt_filter", "opt_normalization", "opt_structural_error", "min_threshold",
    "single_unc", "single_monthly_unc", "single_annual_unc", "single_mean_unc", "structural_unc",
)  # fmt: skip
_HEADER = "CBF_HEADER"
_TIME = "time_dim"


@dataclass(frozen=True)
class _Stated:
    """Where a header has the errors of a stream, and of which kind they are."""

    kind: int
    places: Mapping[str, int]


_STATED = {
    "NBE": _Stated(ABSOLUTE, {"single_unc": 15, "single_annual_unc": 13}),
    "ET": _Stated(FACTOR, {"single_unc": 16, "single_annual_unc": 14, "min_threshold": 21}),
    "EWT": _Stated(ABSOLUTE, {"single_unc": 18, "single_annual_unc": 17}),
    "GPP": _Stated(FACTOR, {"single_unc": 20, "single_annual_unc": 19, "min_threshold": 22}),
    "CH4": _Stated(FACTOR, {"single_unc": 25, "single_annual_unc": 24, "min_threshold": 26}),
}
_BIOMASS_ERROR = 1  # its place among errors of other priors: a factor
MEANS = {"Mean_ABGB": 0, "Mean_FIR": 2, "Mean_LAI": 4, "Mean_GPP": 5}
"""Means over all steps, by their place among other priors, where a factor of error is positive, an
absolute one negative."""
_OLDER_MEANS = {"Mean_Biomass": "Mean_ABGB", "Mean_Fire": "Mean_FIR"}
_EQUILIBRIUM = "EDC_EQF"
_EQUILIBRIUM_PLACE = 36  # of the factor of EDCs for pools in equilibrium, among their errors
_SINGLE = ("unc", "opt_unc_type", "min_threshold")
_FACTORS = ("ABGB", "CH4", "ET", "GPP", "LAI")  # whose errors are factors unless said


@dataclass(frozen=True, eq=False)
class Cbf:
    """All that a file has, NaN where there is no value.

    Parameters
    ----------
    header
        Settings (100,), of which the first are ``ID`` of the model, latitude, numbers of steps,
        drivers and streams, and the switch ``EDC`` of ecological and dynamic constraints.
    parameter_priors, parameter_prior_errors, other_priors, other_prior_errors
        Priors of CARDAMOM's parameters, and of what follows from them (50,).
    drivers, observations
        By the names of :data:`DRIVERS` and :data:`STREAMS`, in their order, (step,) each.
    reference_means
        Means of drivers that stand for their own, by name, all or none.
    errors
        Errors of single observations (step,), by stream; NetCDF alone has them.
    attributes
        What NetCDF says of streams and a header has no place for, by stream and attribute.
    constraints
        What NetCDF says of quantities that follow from parameters (``PEQ_CUE``), by name: its
        ``value`` and attributes such as ``unc``; a binary file has no place for them.
    epoch
        The day from which ``time`` is counted, where the file says so.
    """

    header: NDArray[np.float64]
    parameter_priors: NDArray[np.float64]
    parameter_prior_errors: NDArray[np.float64]
    other_priors: NDArray[np.float64]
    other_prior_errors: NDArray[np.float64]
    drivers: Mapping[str, NDArray[np.float64]]
    observations: Mapping[str, NDArray[np.float64]]
    reference_means: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    constraints: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    epoch: pd.Timestamp | None = None

    @property
    def latitude(self) -> float:
        """Degrees north, of the middle of the cell of the drivers."""
        return float(self.header[SCALARS["LAT"]])

    @property
    def constrained(self) -> bool:
        """Whether CARDAMOM is to use ecological and dynamic constraints (EDC)."""
        return self.header[SCALARS["EDC"]] > 0

    def stated(self, stream: str) -> dict[str, float]:
        """Return what is said of the errors of a stream, by the names of NetCDF's attributes."""
        found = {}
        if stream in _STATED:
            known = _STATED[stream]
            found = {name: float(self.header[k]) for name, k in known.places.items()}
            found["opt_unc_type"] = known.kind
        elif stream == "ABGB":
            found = {"single_unc": float(self.other_prior_errors[_BIOMASS_ERROR])}
            found["opt_unc_type"] = FACTOR
        if not np.isfinite(found.get("single_unc", np.nan)):
            found.pop("opt_unc_type", None)
        found = {name: value for name, value in found.items() if np.isfinite(value)}
        return found | dict(self.attributes.get(stream, {}))

    def sd(self, stream: str) -> NDArray[np.float64] | None:
        """Return standard deviations of a stream (step,), None where nothing is said of them.

        A factor f of uncertainty is log f times the value, which is right to first order.
        """
        said, values = self.stated(stream), np.abs(self.observations[stream])
        single = said.get("single_unc", np.nan)
        own = self.errors.get(stream, np.full(len(values), np.nan))
        size = np.where(np.isfinite(own), own, single)
        if not np.isfinite(size).any():
            return None
        kind = said.get("opt_unc_type", FACTOR if stream in _FACTORS else ABSOLUTE)
        if kind == FACTOR:
            return np.log(size) * values
        return size * values if kind == FRACTION else np.where(np.isnan(values), np.nan, size)


def read_cbf(path: Path) -> Cbf:
    """Read a binary file.

    Raises
    ------
    InputError
        If the file is absent, its size is not what its header says, a number in the header is none
        that it could be, a value is not finite, or the days do not ascend.
    """
    values = _values(path)
    header = values[:HEADER_VALUES]
    steps, drivers, streams = (_whole(header[k], path, name) for name, k in _COUNTS.items())
    _whole(header[SCALARS["ID"]], path, "model")
    _require(drivers == len(DRIVERS), path, "number of drivers", drivers, len(DRIVERS))
    several = f"{_FEWEST_STREAMS} to {len(STREAMS)}"
    enough = _FEWEST_STREAMS <= streams <= len(STREAMS)
    _require(enough, path, "number of streams", streams, several)
    wide, found = drivers + streams, BYTES * len(values)
    expected = BYTES * (BEFORE_STEPS + steps * wide)
    _require(found in (expected, expected + BYTES * wide), path, "size in bytes", found, expected)
    values = np.where(values == MISSING, np.nan, values)
    table = values[BEFORE_STEPS:].reshape(-1, wide)
    means = table[steps:, :drivers].ravel()
    alone = np.isnan(table[steps:, drivers:]).all()
    _require(alone, path, "size in bytes", found, expected)
    priors = values[HEADER_VALUES:BEFORE_STEPS].reshape(len(PRIORS), PRIOR_VALUES)
    columns = table[:steps].T.copy()
    return _checked(
        Cbf(
            header=values[:HEADER_VALUES].copy(),
            **{name: block.copy() for name, block in zip(PRIORS, priors, strict=True)},
            drivers=dict(zip(DRIVERS, columns[:drivers], strict=True)),
            observations=dict(zip(STREAMS, columns[drivers:], strict=False)),
            reference_means=dict(zip(DRIVERS, map(float, means), strict=False)),
        ),
        path,
    )


def write_cbf(cbf: Cbf, path: Path) -> None:
    """Write a binary file, whole or not at all.

    What only NetCDF can say (errors of single observations, attributes, the first day) is left
    out, and a warning names it.

    Raises
    ------
    InputError
        If the content is none that :func:`read_cbf` would read.
    """
    _checked(cbf, path)
    _whole(cbf.header[SCALARS["ID"]], path, "model")
    lost = {"errors": cbf.errors, "attributes": cbf.attributes, "values": cbf.constraints}
    for what, names in lost.items():
        if names:
            log.warning("%s: %s of %s have no place in it", path.name, what, ", ".join(names))
    names = _in_order(cbf.observations, len(cbf.drivers["time"]))
    table = np.column_stack([*(cbf.drivers[name] for name in DRIVERS), *names.values()])
    parts = [_counted(cbf, len(names)), *(getattr(cbf, name) for name in PRIORS), table.ravel()]
    if cbf.reference_means:
        means = [cbf.reference_means[name] for name in DRIVERS]
        parts += [means, np.full(len(names), np.nan)]
    values = np.concatenate(parts)
    with whole_file(path) as part:
        part.write_bytes(np.where(np.isnan(values), MISSING, values).astype("<f8").tobytes())


def read_cbf_nc(path: Path) -> Cbf:
    """Read a NetCDF file.

    Raises
    ------
    InputError
        If the file is absent or no NetCDF, a driver is missing, a variable is not along time or in
        another unit than CARDAMOM's, a value is not finite, or the days do not ascend.
    """
    if not path.is_file():
        raise InputError(path, "file", "nothing", "a CARDAMOM NetCDF file")
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_cf=False) as opened:
            ds = opened.load()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(path, "file", f"unreadable ({error})", "a NetCDF file") from error
    if "time" not in ds.variables and "TIME_INDEX" in ds.variables:
        ds = ds.rename_vars(TIME_INDEX="time")
    drivers = {name: _series(ds, name, unit, path) for name, (_, unit) in DRIVERS.items()}
    seen = {name: _series(ds, name, STREAMS[name], path) for name in STREAMS if name in ds}
    observations = _in_order(seen, len(drivers["time"]))
    errors = {
        name: _series(ds, f"{name}unc", "", path) for name in seen if f"{name}unc" in ds.variables
    }
    single = [str(name) for name in ds.variables if str(name).startswith("PEQ_")]
    known = {*DRIVERS, *seen, *(f"{name}unc" for name in seen), *SCALARS, *PRIORS.values(), _HEADER}
    known |= {*MEANS, *_OLDER_MEANS, _EQUILIBRIUM, *single}
    for name in sorted(set(map(str, ds.variables)) - known):
        log.info("%s: %s is not read", path.name, name)
    priors = {name: _block(ds, given, PRIOR_VALUES, path) for name, given in PRIORS.items()}
    header = _block(ds, _HEADER, HEADER_VALUES, path)
    for name, place in SCALARS.items():
        if name in ds.variables:
            header[place] = _block(ds, name, 1, path)[0]
    _put_means(ds, priors["other_priors"], priors["other_prior_errors"], path)
    attributes = {}
    for name in seen:
        left = _state(name, _attributes(ds[name]), header, priors["other_prior_errors"])
        if left:
            attributes[name] = left
    means = {
        name: float(ds[name].attrs["reference_mean"])
        for name in DRIVERS
        if "reference_mean" in ds[name].attrs
    }
    cbf = Cbf(
        header=header,
        **priors,
        drivers=drivers,
        observations=observations,
        reference_means=means if len(means) == len(DRIVERS) else {},
        errors={name: values for name, values in errors.items() if np.isfinite(values).any()},
        attributes=attributes,
        constraints={
            name: {"value": _block(ds, name, 1, path)[0]} | _numbers(ds[name].attrs, _SINGLE)
            for name in single
        },
        epoch=_epoch(ds["time"].attrs.get("units", ""), path),
    )
    return _checked(replace(cbf, header=_counted(cbf, len(observations))), path)


def write_cbf_nc(cbf: Cbf, path: Path) -> None:
    """Write a NetCDF file, whole or not at all.

    Raises
    ------
    InputError
        If the content is none that :func:`read_cbf_nc` would read.
    """
    _checked(cbf, path)
    out = xr.Dataset()
    for name, (meaning, unit) in DRIVERS.items():
        attrs = {"units": unit, "info": meaning}
        if name == "time" and cbf.epoch is not None:
            attrs["units"] = f"days since {cbf.epoch:%Y-%m-%d}"
        if name in cbf.reference_means:
            attrs["reference_mean"] = cbf.reference_means[name]
        out[name] = _TIME, cbf.drivers[name], attrs
    for name, values in cbf.observations.items():
        unit = {"units": STREAMS[name]} if STREAMS[name] else {}
        out[name] = _TIME, values, unit | cbf.stated(name)
    for name, values in cbf.errors.items():
        out[f"{name}unc"] = _TIME, values
    for name, given in PRIORS.items():
        out[given] = "nopars", getattr(cbf, name)
    out[_HEADER] = "header", _counted(cbf, len(cbf.observations))
    for name, place in SCALARS.items():
        if np.isfinite(cbf.header[place]):
            out[name] = (), cbf.header[place]
    for name, place in MEANS.items():
        if np.isfinite(cbf.other_priors[place]):
            error = cbf.other_prior_errors[place]
            kind = FACTOR if error > 0.0 else ABSOLUTE
            known = {"unc": abs(error), "opt_unc_type": kind} if np.isfinite(error) else {}
            out[name] = (), cbf.other_priors[place], known
    if np.isfinite(cbf.other_prior_errors[_EQUILIBRIUM_PLACE]):
        out[_EQUILIBRIUM] = (), cbf.other_prior_errors[_EQUILIBRIUM_PLACE]
    for name, said in cbf.constraints.items():
        out[name] = (), said["value"], {key: said[key] for key in _SINGLE if key in said}
    encoding = {
        name: {"_FillValue": MISSING if variable.ndim else None, "dtype": "float64"}
        for name, variable in out.variables.items()
    }
    with whole_file(path) as part:
        out.to_netcdf(part, engine="netcdf4", format="NETCDF4", encoding=encoding)


def _values(path: Path) -> np.ndarray:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "file", "nothing", "a CARDAMOM binary file") from None
    if len(content) < BYTES * BEFORE_STEPS or len(content) % BYTES:
        expected = f"whole numbers of {BYTES} bytes, at least {BEFORE_STEPS}"
        raise InputError(path, "size in bytes", len(content), expected)
    values = np.frombuffer(content, "<f8").astype(float)
    wrong = ~np.isfinite(values)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise InputError(
            path, f"value {k}", values[k], f"a number, {MISSING:g} where there is none"
        )
    return values


def _whole(value: float, path: Path, name: str) -> int:
    if not (np.isfinite(value) and value == round(value, 0) and value > 0):
        raise InputError(path, name, f"{value:g}", "a whole number above 0")
    return int(value)


def _require(holds: bool, path: Path, name: str, found: object, expected: object) -> None:
    if not holds:
        raise InputError(path, name, found, expected)


def _checked(cbf: Cbf, path: Path) -> Cbf:
    """Return a file's content if its days ascend, and all is as long as they are."""
    days = cbf.drivers["time"]
    _require(len(days) > 0, path, "time", "no steps", "one at least")
    columns = {**cbf.drivers, **cbf.observations, **cbf.errors}
    for name, values in columns.items():
        where = ("steps", f"{len(values)}", f"{len(days)}, as many as there are days")
        _require(len(values) == len(days), path, f"{name}, {where[0]}", *where[1:])
        _require(not np.isinf(values).any(), path, name, "an infinite value", "numbers")
    _require(np.isfinite(days).all(), path, "time", "a step without a day", "a day at each step")
    back = np.diff(days) <= 0.0
    if back.any():
        k = int(np.argmax(back))
        found = f"day {days[k + 1]:g} after day {days[k]:g}, at step {k + 2}"
        raise InputError(path, "time", found, "days that ascend")
    for name in DRIVERS:
        gap = np.isnan(cbf.drivers[name])
        if gap.all():
            raise InputError(path, name, "no value at any step", "a driver")
    return cbf


def _counted(cbf: Cbf, streams: int) -> NDArray[np.float64]:
    """Return the header with the numbers of steps, drivers and streams that there are."""
    header = np.asarray(cbf.header, dtype=float).copy()
    header[list(_COUNTS.values())] = len(cbf.drivers["time"]), len(DRIVERS), streams
    return header


def _in_order(streams: Mapping[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """Return streams up to the last that there is, in their order, empty ones among them."""
    places = [k for k, name in enumerate(STREAMS) if name in streams]
    count = max([_FEWEST_STREAMS, *(k + 1 for k in places)])
    empty = np.full(steps, np.nan)
    return {name: np.asarray(streams.get(name, empty), float) for name in list(STREAMS)[:count]}


def _series(ds: xr.Dataset, name: str, unit: str, path: Path) -> NDArray[np.float64]:
    """Return a variable along time in CARDAMOM's unit, NaN where it has no value."""
    if name not in ds.variables:
        raise InputError(path, name, "no such variable", "one along time")
    along, dims = ds["time"].dims, ds[name].dims
    _require(len(along) == 1 and dims == along, path, name, f"dimensions {dims}", f"{along}")
    said = str(ds[name].attrs.get("units", ""))
    if unit and said and not (name == "time" and " since " in said):
        _require(_spelled(said) == unit, path, name, f"units {said!r}", f"{unit!r}")
    return _present(ds[name])


def _spelled(unit: str) -> str:
    """Return a unit as it is spelled here, such as of ``CO2 [ppm]`` or ``MJ m**-2 day**-1``."""
    inside = re.search(r"\[(.*)\]", unit)
    text = re.sub(r"[\s*]", "", inside[1] if inside else unit).lower()
    return _SPELLED.get(text, unit)


def _present(variable: xr.DataArray) -> NDArray[np.float64]:
    values = variable.to_numpy().astype(float)
    fill = variable.attrs.get("_FillValue", MISSING)
    return np.where((values == MISSING) | (values == fill), np.nan, values)


def _block(ds: xr.Dataset, name: str, count: int, path: Path) -> NDArray[np.float64]:
    """Return a variable of so many values, none of which is there where the variable is not."""
    if name not in ds.variables:
        return np.full(count, np.nan)
    values = _present(ds[name]).ravel()
    _require(len(values) == count, path, name, f"{len(values)} values", f"{count}")
    return values


def _attributes(variable: xr.DataArray) -> dict[str, float]:
    """Return what is said of a stream's errors, by the newer names."""
    said = {_OLDER.get(name, name): value for name, value in variable.attrs.items()}
    return _numbers(said, _ATTRIBUTES)


def _numbers(said: Mapping, names: Iterable[str]) -> dict[str, float]:
    """Return those of some attributes that are numbers; -9999 and NaN say nothing."""
    found = {name: np.ravel(said[name]) for name in names if name in said}
    return {
        name: float(value[0])
        for name, value in found.items()
        if value.size == 1 and np.issubdtype(value.dtype, np.number)
        if np.isfinite(value[0]) and value[0] != MISSING
    }


def _put_means(ds: xr.Dataset, priors: np.ndarray, errors: np.ndarray, path: Path) -> None:
    """Put means over all steps, and the factor of equilibrium, where a binary file has them."""
    for name in (*MEANS, *_OLDER_MEANS):
        value = _block(ds, name, 1, path)[0]
        if np.isnan(value):
            continue
        place, attrs = MEANS[_OLDER_MEANS.get(name, name)], ds[name].attrs
        said = _numbers({"unc": attrs.get("Uncertainty", MISSING)} | attrs, _SINGLE)
        older = {"factor": FACTOR, "absolute": ABSOLUTE}.get(attrs.get("Uncertainty_Type"))
        kind = said.get("opt_unc_type", ABSOLUTE if older is None else older)
        if kind == FRACTION:
            raise InputError(path, f"{name}, opt_unc_type", "2", "0 (absolute) or 1 (a factor)")
        error = said.get("unc", np.nan) * (1.0 if kind == FACTOR else -1.0)
        for block, new in ((priors, value), (errors, error)):
            if np.isfinite(new) and block[place] != new:  # -0.0 stays what it was
                block[place] = new
    if _EQUILIBRIUM in ds.variables:
        errors[_EQUILIBRIUM_PLACE] = _block(ds, _EQUILIBRIUM, 1, path)[0]


def _state(
    stream: str, said: dict[str, float], header: np.ndarray, errors: np.ndarray
) -> dict[str, float]:
    """Put what is said of a stream's errors where a binary file has it; return the rest."""
    known = _STATED.get(stream)
    kind = FACTOR if stream == "ABGB" else known.kind if known else None
    if kind is None or said.get("opt_unc_type", kind) != kind:
        return said
    left = {name: value for name, value in said.items() if name != "opt_unc_type"}
    if stream == "ABGB" and "single_unc" in left:
        errors[_BIOMASS_ERROR] = left.pop("single_unc")
    for name, place in (known.places if known else {}).items():
        if name in left:
            header[place] = left.pop(name)
    return left


def _epoch(units: str, path: Path) -> pd.Timestamp | None:
    """Return the day from which time counts, None where its units do not say."""
    if " since " not in units:
        return None
    day = re.fullmatch(r"days since (\d{4}-\d{2}-\d{2})\b.*", units)
    _require(day is not None, path, "time", f"units {units!r}", "'days since YYYY-MM-DD'")
    return pd.Timestamp(day[1])
