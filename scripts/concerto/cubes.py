"""Cubes: CF NetCDF files with a schema that is checked whenever one is written or read.

Times are the starts of their intervals in local standard time, without daylight saving; a file
says its offset from UTC in the global attribute ``utc_offset_hours``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import (
    DISTURBANCES,
    DRIVERS,
    REQUIRED_DRIVERS,
    STREAMS,
    SUBDAILY_DRIVERS,
    SUBDAILY_STREAMS,
)
from concerto.domain import LAND as GROUND
from concerto.errors import InputError
from concerto.whole import whole_file

CONVENTIONS = "CF-1.11"
DAY = pd.Timedelta(days=1)
MONTH = pd.DateOffset(months=1)
"""A calendar month: steps of it start on the first of each."""
YEAR = pd.DateOffset(years=1)
"""A calendar year: steps of it start on the first of a month."""
_CALENDAR = (MONTH, YEAR)
Step = pd.Timedelta | pd.DateOffset
_EPOCH = "1970-01-01"
_PACKED = {"zlib": True, "complevel": 4, "fletcher32": True}
_TOGETHER = 256  # locations packed together: who reads a tile must not unpack the whole map
FLAGS = ("no", "single", "unlikely", "impossible")
"""How much the stream of a tower is doubted, by the number of its flag."""
_COORDINATES = ("location", "lat", "lon", "time", "time_bnds")


@dataclass(frozen=True)
class Field:
    """What one variable of a cube must be.

    Parameters
    ----------
    units
        Its ``units`` attribute; None for text and flags, which have none.
    dims
        Its dimensions, in order.
    required
        True: always there. False: may be absent. A name: there whenever that variable is.
    complete
        Whether every value must be finite.
    """

    units: str | None
    dims: tuple[str, ...] = ("location", "time")
    required: bool | str = True
    complete: bool = False


@dataclass(frozen=True)
class Schema:
    """What a cube must hold: its fields, and the steps that its time axis may have.

    Parameters
    ----------
    name
        What the cube is, for messages.
    fields
        Field of each variable; a cube may hold no others besides its coordinates.
    steps
        Steps between times, one of which it has; none where any constant step will do, or where
        there is no time axis.
    """

    name: str
    fields: Mapping[str, Field]
    steps: tuple[Step, ...] = ()


def meanings_of(flags: xr.DataArray) -> dict[int, str]:
    """Return what the values of flags mean, as their attributes have it by the CF conventions."""
    values = np.ravel(flags.attrs["flag_values"]).tolist()
    return dict(zip(values, flags.attrs["flag_meanings"].split(), strict=True))


def flag_of(stream: str) -> str:
    """Return the name of the flag (location,) of a stream, one of :data:`FLAGS`."""
    return f"{stream}_implausible"


def _halfhourly() -> Schema:
    drivers = DRIVERS | SUBDAILY_DRIVERS
    fields = {name: Field(quantity.units, required=False) for name, quantity in drivers.items()}
    for name, quantity in (STREAMS | SUBDAILY_STREAMS).items():
        fields[name] = Field(quantity.units, required=False)
        for part in ("random", "ustar_low", "ustar_high"):
            fields[f"{name}_{part}"] = Field(quantity.units, required=False)
        for part in ("measured", "good"):
            fields[f"{name}_{part}"] = Field(None, required=False)
        fields[f"{name}_good_fraction"] = Field("1", required=False)
    return Schema("the record of a tower at its own step", fields)


def _drivers() -> Schema:
    return Schema(
        "drivers",
        {
            name: Field(DRIVERS[name].units, complete=name in (*REQUIRED_DRIVERS, *DISTURBANCES))
            for name in DRIVERS
        },
        (DAY, MONTH),
    )


def _observations() -> Schema:
    fields = {}
    for name, quantity in STREAMS.items():
        fields[name] = Field(quantity.units, required=False)
        for part in ("random", "systematic", "uncertainty"):
            fields[f"{name}_{part}"] = Field(quantity.units, required=name)
        fields[f"{name}_measured_fraction"] = Field("1", required=name)
        fields[flag_of(name)] = Field(None, ("location",), required=False)
    return Schema("observations", fields, (DAY, MONTH))


def _only(schema: Schema, step: Step, word: str) -> Schema:
    return replace(schema, name=f"{word} {schema.name}", steps=(step,))


HALFHOURLY = _halfhourly()
DRIVERS_EITHER = _drivers()
"""Of days or of months, as are those of observations."""
DRIVERS_OF_CELLS = replace(
    DRIVERS_EITHER,
    fields={name: replace(field, complete=False) for name, field in DRIVERS_EITHER.fields.items()},
)
"""Of cells, some of which may lack what others have."""
DRIVERS_DAILY = _only(DRIVERS_EITHER, DAY, "daily")
DRIVERS_MONTHLY = _only(DRIVERS_EITHER, MONTH, "monthly")
OBSERVATIONS_EITHER = _observations()
OBSERVATIONS_DAILY = _only(OBSERVATIONS_EITHER, DAY, "daily")
OBSERVATIONS_MONTHLY = _only(OBSERVATIONS_EITHER, MONTH, "monthly")
LAND = Schema(
    "properties of the land",
    {
        "elevation": Field("m", ("location",), complete=True),
        "igbp": Field(None, ("location",)),
        "country": Field(None, ("location",)),
    },
)
LAND_AREA = Schema(
    "properties of the land of an area",
    {
        "cell_area": Field("m2", ("location",), complete=True),
        "land_fraction": Field("1", ("location",), required=False, complete=True),
        "country": Field(None, ("location",)),
        "igbp": Field(None, ("location",), required=False),
        "koppen": Field(None, ("location",), required=False),
    }
    | {
        name: Field(
            quantity.units,
            ("class", "location") if name == "land_cover" else ("location",),
            required=False,
        )
        for name, quantity in GROUND.items()
    },
)


def write_cube(
    ds: xr.Dataset,
    path: Path | str,
    schema: Schema,
    *,
    title: str,
    source: str,
    history: str,
    comment: str = "",
    institution: str = "",
) -> None:
    """Check a dataset against a schema and write it, whole or not at all.

    Floating-point variables are stored as compressed float32, coordinates as float64, times as
    integers; all numbers with checksums, by which a reader finds spoilt ones. The same dataset and
    texts give the same bytes; hence ``history`` should say what was done to what, not when.

    Parameters
    ----------
    ds
        Data with the schema's variables; global attributes it has are kept.
    path
        Target; missing parent directories are made.
    schema
        What the file must hold.
    title, source, history, comment, institution
        The CF global attributes of these names; empty ones are left out.

    Raises
    ------
    InputError
        If the dataset does not fit the schema; nothing is written then.
    """
    path = Path(path)
    check_cube(ds, schema, path)
    described = {
        "Conventions": CONVENTIONS,
        "title": title,
        "institution": institution,
        "source": source,
        "history": history,
        "comment": comment,
    }
    save(ds.assign_attrs({key: text for key, text in described.items() if text}), path)


def save(ds: xr.Dataset, path: Path, dtype: str = "float32") -> None:
    """Write a dataset whole or not at all, packed as :func:`write_cube` says.

    Numbers with a fraction are kept as ``dtype``: float64 where balances are to close in the file.
    """
    with whole_file(path) as part:
        ds.to_netcdf(part, engine="netcdf4", format="NETCDF4", encoding=_encoding(ds, dtype))


@contextmanager
def reading(path: Path | str, what: str = "a whole NetCDF file") -> Iterator[None]:
    """Say of a file of the run's own that cannot be read which it is, and what to do.

    Raises
    ------
    InputError
        If what is done inside finds the file unreadable.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        expected = f"{what}; delete the file, and the next run makes it again"
        raise InputError(path, "file", f"unreadable ({error})", expected) from error


def load(path: Path | str) -> xr.Dataset:
    """Read all of a NetCDF file of the run into memory.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with reading(path):
        return xr.load_dataset(path, engine="netcdf4")


def read_cube(path: Path | str, schema: Schema, locations: np.ndarray | None = None) -> xr.Dataset:
    """Read a cube, or what it has of some ``locations``, into memory and check it.

    Raises
    ------
    InputError
        If there is no such file, it is no NetCDF file, or it does not fit the schema.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "file", "nothing", f"{schema.name} (NetCDF)")
    with reading(path), xr.open_dataset(path, engine="netcdf4") as whole:
        ds = (whole if locations is None else whole.isel(location=locations)).load()
    check_cube(ds, schema, path)
    return ds


def check_cube(ds: xr.Dataset, schema: Schema, file: object) -> None:
    """Check a dataset against a schema.

    Raises
    ------
    InputError
        Names ``file``, the variable at fault, what was found and what should be there: a missing
        or unknown variable, a wrong unit or dimension, a value that is not finite where all must
        be, a time axis that is unsorted, has duplicates or gaps, or has another step.
    """
    for name, field in schema.fields.items():
        if name in ds.data_vars:
            _check_field(ds[name], field, file)
        elif field.required is True or (field.required and field.required in ds.data_vars):
            raise InputError(file, name, "no such variable", f"one, in {schema.name}")
    for name in ds.data_vars:
        if name not in schema.fields and name not in _COORDINATES:
            raise InputError(file, name, "a variable", f"only known ones in {schema.name}")
    if "time" in ds.dims:
        times = ds.indexes["time"]
        years = YEAR in schema.steps and is_yearly(times)
        months = MONTH in schema.steps and (len(schema.steps) == 1 or is_monthly(times))
        days = next((step for step in schema.steps if step not in _CALENDAR), None)
        check_times(times, file, YEAR if years else MONTH if months else days)


def _check_field(variable: xr.DataArray, field: Field, file: object) -> None:
    name = str(variable.name)
    if variable.dims != field.dims:
        raise InputError(file, name, f"dimensions {variable.dims}", f"{field.dims}")
    units = variable.attrs.get("units")
    if units != field.units:
        raise InputError(file, name, f"units {units!r}", f"{field.units!r}")
    if field.complete and not np.isfinite(variable.to_numpy()).all():
        where = np.argwhere(~np.isfinite(variable.to_numpy()))[0]
        place = {
            dim: variable[dim].to_numpy()[i] for dim, i in zip(variable.dims, where, strict=True)
        }
        text = ", ".join(f"{dim} {value}" for dim, value in place.items())
        raise InputError(file, name, f"no value at {text}", "a value everywhere")


def check_times(
    times: pd.Index, file: object, step: Step | None = None, field: str = "time"
) -> None:
    """Check that times are sorted, without duplicates and gaps, and ``step`` apart.

    Parameters
    ----------
    times
        The time axis.
    file, field
        Where it comes from, for the message.
    step
        Step that is expected; None takes the most frequent one of the axis itself.

    Raises
    ------
    InputError
        Names the first time stamp at fault.
    """
    if not isinstance(times, pd.DatetimeIndex) or times.hasnans:
        raise InputError(file, field, "values that are no times", "times")
    if times.has_duplicates:
        stamp = times[times.duplicated()][0]
        raise InputError(file, field, f"duplicated time {stamp}", "each time once")
    if not times.is_monotonic_increasing:
        stamp = times[1:][times[1:] < times[:-1]][0]
        raise InputError(file, field, f"unsorted time {stamp}", "times in ascending order")
    if step in _CALENDAR:
        _check_firsts(times, file, field)
    if len(times) < 2:
        return
    usual = (times[1:] - times[:-1]).value_counts().idxmax()
    expected = usual if step is None else step
    if step not in (None, *_CALENDAR) and usual != step:
        raise InputError(file, field, f"a step of {_text(usual)}", f"a step of {_text(expected)}")
    following = times[:-1] + expected
    wrong = times[1:] != following
    if wrong.any():
        first = int(np.argmax(wrong))
        if times[first + 1] > following[first]:
            raise InputError(
                file, field, f"missing time {following[first]}", f"a step of {_text(expected)}"
            )
        raise InputError(
            file, field, f"time {times[first + 1]} after {times[first]}", f"time {following[first]}"
        )


def _check_firsts(times: pd.DatetimeIndex, file: object, field: str) -> None:
    wrong = times != _firsts(times)
    if wrong.any():
        raise InputError(file, field, f"time {times[np.argmax(wrong)]}", "firsts of months")


def _firsts(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(times.to_numpy().astype("datetime64[M]")).as_unit(times.unit)


def is_monthly(times: pd.Index) -> bool:
    """Return whether times are all firsts of months, and several."""
    return (
        isinstance(times, pd.DatetimeIndex)
        and len(times) > 1
        and not times.hasnans
        and bool((times == _firsts(times)).all())
    )


def is_yearly(times: pd.Index) -> bool:
    """Return whether times are firsts of the same month of successive years, and several."""
    return is_monthly(times) and bool((times[1:] == times[:-1] + YEAR).all())


def ends(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the ends of the intervals of a regular axis, perhaps of calendar months or years.

    A single time is that of a day.
    """
    if is_yearly(times):
        return times + YEAR
    if is_monthly(times):
        return times + MONTH
    return times + (times[1] - times[0] if len(times) > 1 else DAY)


def calendar(times: pd.DatetimeIndex) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the step (d), and of each step's middle the day and the length of its year (time,).

    The day of year is 0.5 at the noon of 1 January. Months count as equally long: a model's budget
    over many steps is then its rates times one step, as in CARDAMOM.
    """
    lengths = ends(times) - times
    middle = times + lengths / 2
    into_day = (middle - middle.normalize()) / DAY
    day_of_year = (middle.dayofyear - 1 + into_day).to_numpy()
    return lengths.mean() / DAY, day_of_year, np.where(middle.is_leap_year, 366, 365)


def span(times: pd.DatetimeIndex) -> str:
    """Return in words how many times there are, from which day to which: for messages."""
    return f"{len(times)} times from {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}"


def _text(step: Step) -> str:
    if step in _CALENDAR:
        return "a month" if step == MONTH else "a year"
    minutes = step / pd.Timedelta(minutes=1)
    return f"{minutes / 1440:g} d" if minutes >= 1440 else f"{minutes:g} min"


def time_attributes(utc_offset_hours: float) -> dict[str, str]:
    """Return the attributes of a time coordinate whose stamps start their intervals."""
    return {
        "standard_name": "time",
        "long_name": "start of the interval, local standard time",
        "axis": "T",
        "bounds": "time_bnds",
        "units_metadata": "leap_seconds: none",
        "comment": f"Local standard time, UTC{utc_offset_hours:+g} h, without daylight saving.",
    }


def with_bounds(ds: xr.Dataset, step: Step, utc_offset_hours: float) -> xr.Dataset:
    """Return a dataset whose time axis of interval starts has its attributes and CF bounds."""
    starts = ds.indexes["time"]
    bounds = np.stack([starts.to_numpy(), (starts + step).to_numpy()], axis=1)
    out = ds.assign(time_bnds=(("time", "bnds"), bounds))
    out["time"].attrs = time_attributes(utc_offset_hours)
    return out


def _encoding(ds: xr.Dataset, dtype: str = "float32") -> dict[str, dict]:
    encoding: dict[str, dict] = {}
    for name, variable in ds.variables.items():
        if np.issubdtype(variable.dtype, np.datetime64):
            stamps = ds.get("time", variable).to_numpy()
            whole_days = (stamps == stamps.astype("datetime64[D]")).all()
            unit = "days" if whole_days else "minutes"
            encoding[name] = {
                "units": f"{unit} since {_EPOCH}",
                "dtype": "int32",
                "_FillValue": None,
                "fletcher32": True,
            }
        elif np.issubdtype(variable.dtype, np.floating):
            encoding[name] = (
                {"_FillValue": None, "fletcher32": True}
                if name in ds.coords
                else {"dtype": dtype, **_PACKED, "shuffle": True}
            )
        elif np.issubdtype(variable.dtype, np.integer):
            encoding[name] = {**_PACKED, "_FillValue": None}
        if variable.sizes.get("location", 0) > _TOGETHER and encoding.get(name, {}).get("zlib"):
            encoding[name]["chunksizes"] = tuple(
                _TOGETHER if dim == "location" else size for dim, size in variable.sizes.items()
            )
    return encoding
