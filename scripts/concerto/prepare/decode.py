"""From raw numbers of an archive to values with their errors: scale, fill, quality, units.

Pure functions of arrays. What is masked is counted by reason, in this order: fill, out of the valid
range, the first quality rule that does not hold, no uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from concerto import units
from concerto.config import bands_of
from concerto.domain import CARBON_STREAMS, FIELDS
from concerto.errors import InputError

FILL = "fill"
INVALID = "out of the valid range"
UNCERTAIN = "no uncertainty"
EXACT = 2**53
"""Integers beyond are no longer exact as float64."""
WATER = ("pr", "et", "tws")
"""Amounts of water: a kilogram on a square metre is a millimetre."""
_SAME = 1e-6
"""Relative difference of two statements of one number, of which one may be float32."""


@dataclass(frozen=True)
class Band:
    """Raw numbers of a band, and what the file itself says of them.

    Parameters
    ----------
    raw
        Numbers as they are stored, any shape.
    fill
        Raw numbers that are no values.
    valid
        Least and greatest raw number that is a value, None where the file does not say.
    scale, offset, units
        The value is ``raw * scale + offset`` in ``units``; None where the file does not say.
    """

    raw: NDArray
    fill: tuple[float, ...] = ()
    valid: tuple[float | None, float | None] = (None, None)
    scale: float | None = None
    offset: float | None = None
    units: str | None = None


@dataclass(frozen=True)
class Counts:
    """How many values there were, were kept, and were masked by reason: ``total`` is the sum."""

    total: int = 0
    kept: int = 0
    masked: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        masked = dict(self.masked)
        for reason, number in other.masked.items():
            masked[reason] = masked.get(reason, 0) + number
        return Counts(self.total + other.total, self.kept + other.kept, masked)


@dataclass(frozen=True)
class Decoded:
    """Values, NaN where masked; their standard errors, None where none are stated; the counts."""

    values: NDArray[np.float64]
    uncertainty: NDArray[np.float64] | None
    counts: Counts


def quality_mask(
    raw: Mapping[str, NDArray], rules: Sequence[Mapping], file: object
) -> NDArray[np.uint8]:
    """Return which quality rule masks each value.

    A rule looks at some bits of a band (``bits``, first and last, both included, the least
    significant being 0) and keeps where they make one of the numbers ``keep``; or keeps where the
    whole band is one of ``values``. The fill of a quality band is not looked at: some archives tag
    as fill the number that means the best quality (QC_Day of MYD21A2).

    Parameters
    ----------
    raw
        Raw numbers by band, of one shape.
    rules
        As under ``quality`` of a source's variable.
    file
        Where the bands come from, for messages.

    Returns
    -------
    numpy.ndarray
        0 where all rules hold, else the number, from 1, of the first that does not.

    Raises
    ------
    InputError
        If bits are wanted of a band that has no integers or not so many bits, or a number to keep
        does not fit into the bits.
    """
    first = np.zeros(next(iter(raw.values())).shape, dtype=np.uint8)
    for number, rule in enumerate(rules, start=1):
        fails = ~_holds(raw[rule["band"]], rule, file)
        first[fails & (first == 0)] = number
    return first


def _holds(raw: NDArray, rule: Mapping, file: object) -> NDArray[np.bool_]:
    band = rule["band"]
    if "values" in rule:
        return np.isin(raw, rule["values"])
    whole, there = _whole(raw, band, file)
    low, high = rule["bits"]
    width = 8 * whole.itemsize
    if not 0 <= low <= high < width:
        raise InputError(file, band, f"bits {low} to {high}", f"bits within 0 to {width - 1}")
    largest = 2 ** (high - low + 1) - 1
    for code in rule["keep"]:
        if not 0 <= code <= largest:
            found = f"{code} to keep in bits {low} to {high}"
            raise InputError(file, band, found, f"a number from 0 to {largest}")
    unsigned = whole.view(whole.dtype.str.replace("i", "u"))
    bits = (unsigned >> low) & largest
    return there & np.isin(bits, np.array(rule["keep"], dtype=unsigned.dtype))


def _whole(raw: NDArray, band: str, file: object) -> tuple[NDArray, NDArray[np.bool_] | np.bool_]:
    """Return a band as integers, and where it has a number at all.

    Flags come as real numbers where they share a file with such.
    """
    if raw.dtype.kind in "iu":
        return raw, np.True_
    if raw.dtype.kind == "f":
        there = np.isfinite(raw)
        numbers = np.where(there, raw, 0.0)
        if (numbers == np.rint(numbers)).all() and (np.abs(numbers) <= EXACT).all():
            return numbers.astype(np.int64), there
    raise InputError(file, band, f"{raw.dtype} numbers", "integers, which have bits")


def decode(
    name: str,
    variable: Mapping,
    bands: Mapping[str, Band],
    file: object,
    areas: NDArray | float = 1.0,
) -> Decoded:
    """Decode one variable.

    Where the source names raw values ``within`` bounds, these become 1 and others 0. Otherwise
    scale, offset and units are the source's; where it says nothing the file's, where neither does 1
    and 0. Amounts of whole cells (``per_cell``) are divided by ``areas``. The result is in the unit
    that :mod:`concerto.domain` has for the name. Land cover
    (``classes``) stays raw codes; sums (``accumulated``) and names that the domain does not have
    stay in the source's unit.

    The standard error is the largest of the band that holds it, a share of the value
    (``relative``) and a ``minimum``, all in the source's unit. A value whose error the band does
    not have is masked.

    Parameters
    ----------
    name
        Our name of the variable.
    variable
        Its entry in the source's file.
    bands
        What :func:`bands_of` names, of one shape.
    file
        Where the bands come from, for messages.
    areas
        Of the values' cells, m2, of the bands' shape or one that broadcasts to it.

    Raises
    ------
    InputError
        If the file and the source contradict each other, a unit does not convert, an integer is
        too large to be exact, a value is not finite or an error not positive.
    """
    band = bands[variable["band"]]
    raw = {key: bands[key].raw for key in bands_of(variable)}
    values, why = _unpacked(band, variable, file, variable["band"])
    if variable.get("per_cell"):
        values = values / areas
    rules = variable.get("quality", ())
    failed = quality_mask(raw, rules, file)
    why = np.where((why == 0) & (failed > 0), failed + 2, why)
    error = _error(values, variable, bands, file)
    if error is not None:
        why[(why == 0) & np.isnan(error)] = len(rules) + 3
    masked = why > 0
    reasons = (FILL, INVALID, *(rule["meaning"] for rule in rules), UNCERTAIN)
    values[masked] = np.nan
    values, error = _in_our_units(values, error, name, variable, band, file)
    _check(values, error, masked, variable["band"], file)
    if error is not None:
        error[masked] = np.nan
    return Decoded(values, error, _counted(why, reasons))


def _counted(why: NDArray, reasons: Sequence[str]) -> Counts:
    kept, *numbers = np.bincount(why.ravel(), minlength=len(reasons) + 1).tolist()
    found = {reason: n for reason, n in zip(reasons, numbers, strict=True) if n}
    return Counts(why.size, kept, found)


def _check(
    values: NDArray, error: NDArray | None, masked: NDArray, field: str, file: object
) -> None:
    infinite = ~(masked | np.isfinite(values))
    if infinite.any():
        raise InputError(file, field, f"{infinite.sum()} values beyond float64", "finite values")
    if error is not None:
        wrong = ~masked & ~(np.isfinite(error) & (error > 0.0))
        if wrong.any():
            found = f"an uncertainty of {error[wrong][0]:g} at {wrong.sum()} values"
            raise InputError(file, field, found, "a positive one; `minimum` gives the least")


def _unpacked(
    band: Band, stated: Mapping, file: object, field: str
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return values in the source's unit, and why they are masked: 1 fill, 2 out of range."""
    raw, valid = band.raw, stated.get("valid", (None, None))
    if raw.dtype.kind not in "iuf":
        raise InputError(file, field, f"{raw.dtype} values", "integers or real numbers")
    _check_fits(raw.dtype, (*valid, *stated.get("fill", ())), file, field)
    filled = _is_fill(raw, (*band.fill, *stated.get("fill", ())))
    outside = ~np.isfinite(raw)
    for low, high in (valid, band.valid):
        if low is not None:
            outside |= raw < low
        if high is not None:
            outside |= raw > high
    why = np.where(filled, 1, np.where(outside, 2, 0)).astype(np.uint8)
    _check_exact(raw, why == 0, file, field)
    if "within" in stated:
        first, last = stated["within"]
        return np.where(why > 0, np.nan, (raw >= first) & (raw <= last)), why
    scale = _agreed(stated.get("scale"), band.scale, 1.0, "scale", file, field)
    offset = _agreed(stated.get("offset"), band.offset, 0.0, "offset", file, field)
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.astype(np.float64) * scale + offset
    values[why > 0] = np.nan
    return values, why


def _check_fits(dtype: np.dtype, numbers: Sequence[float | None], file: object, field: str) -> None:
    if dtype.kind in "iu":
        span = np.iinfo(dtype)
        for number in numbers:
            if number is not None and not span.min <= number <= span.max:
                raise InputError(file, field, f"{dtype} numbers", f"a type that holds {number:g}")


def _is_fill(raw: NDArray, codes: Sequence[float]) -> NDArray[np.bool_]:
    filled = np.isnan(raw)
    for code in codes:
        same = _as_stored(raw.dtype, code)
        if same is not None:
            filled |= raw == same
    return filled


def _as_stored(dtype: np.dtype, code: float) -> np.generic | None:
    """Return a number as an array of this type holds it, None where it can not hold it."""
    if np.isnan(code):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(code)
    span = np.iinfo(dtype)
    return dtype.type(int(code)) if span.min <= code <= span.max and code == int(code) else None


def _check_exact(raw: NDArray, kept: NDArray, file: object, field: str) -> None:
    if raw.dtype.kind in "iu" and raw.itemsize == 8:
        large = kept & ((raw > EXACT) | (raw < -EXACT))
        if large.any():
            raise InputError(file, field, f"the integer {raw[large][0]}", f"at most {EXACT}")


def _agreed(
    stated: float | None, found: float | None, default: float, what: str, file: object, field: str
) -> float:
    """Return a number that the source and the file may state, and must not state differently."""
    if stated is None:
        return default if found is None else found
    if found is not None and abs(found - stated) > _SAME * max(abs(found), abs(stated)):
        expected = f"{stated:g}, as the source's own file says"
        raise InputError(file, field, f"{what} {found:g} in the file", expected)
    return stated


def _error(
    values: NDArray, variable: Mapping, bands: Mapping[str, Band], file: object
) -> NDArray[np.float64] | None:
    """Return standard errors in the source's unit, NaN where the band that holds them has none."""
    if "uncertainty" not in variable:
        return None
    stated = variable["uncertainty"]
    error = np.full(values.shape, stated.get("minimum", 0.0))
    if "relative" in stated:
        error = np.fmax(error, stated["relative"] * np.abs(values))
    if "band" in stated:
        band = bands[stated["band"]]
        if "units" in variable and band.units is not None:
            _check_units(variable["units"], band.units, file, stated["band"])
        error = np.maximum(error, _unpacked(band, stated, file, stated["band"])[0])
    return error


def _in_our_units(
    values: NDArray, error: NDArray | None, name: str, variable: Mapping, band: Band, file: object
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    if "classes" in variable:
        return values, error
    field, unit = variable["band"], variable.get("units", band.units)
    if unit is None:
        raise InputError(file, field, "no units", "some, in the source's own file")
    if band.units is not None:
        _check_units(unit, band.units, file, field)
    target = unit_of(name, variable)
    if target is None:
        return values, error
    if name in WATER:
        unit = unit.replace("kg m-2", "mm")
    carbon = name in CARBON_STREAMS
    values = units.convert(values, unit, target, file=file, field=field, carbon=carbon)
    if error is not None:
        # An error is a difference: of a conversion only the factor holds for it.
        zero, one = units.convert([0, 1], unit, target, file=file, field=field, carbon=carbon)
        error = error * (one - zero)
    return values, error


def unit_of(name: str, variable: Mapping) -> str | None:
    """Return the domain's unit of a variable, None where it stays in the source's: sums do."""
    return FIELDS[name].units if name in FIELDS and "accumulated" not in variable else None


def _check_units(stated: str, found: str, file: object, field: str) -> None:
    """Check that a file's unit is the stated one, if it is a unit of the same kind at all.

    Units that files give are often no units (``fraction``) or of another kind (``kg m-2`` of rain,
    which is in ``mm``): then the source's own file decides.
    """
    try:
        numbers = units.convert([0.0, 1.0], found, stated, file=file, field=field)
    except InputError:
        return
    if not np.allclose(numbers, [0.0, 1.0], rtol=_SAME, atol=_SAME):
        raise InputError(file, field, f"units {found!r}", f"{stated!r}, as the source's file says")
