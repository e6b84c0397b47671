"""The intervals of a file's time axis, in the calendar that people use.

Times of a calendar without 29 February (``noleap``) are taken date by date: in a leap year the
interval that ends with 28 February also covers the 29th. Those of a calendar that always has it
(``all_leap``) are taken date by date too, and refused where the date does not exist. Of a calendar
of twelve months of 30 days (``360_day``) only months and years can be taken: months are months,
while a day would have no date of its own. The Julian calendar, and dates before 1583 in the mixed
one (``standard``), are refused.

Steps of several days that all count from 1 January (composites of MODIS) start anew each year: the
last of a year ends with it. Steps of ten days are thirds of a month: 1 to 10, 11 to 20, and 21 to
the month's end; such a step's last day also counts as its ``end``.

Whole numbers of ``months since`` and ``years since`` a date are months and years of the calendar,
as those who write such files mean it; CF has them as 30.436875 and 365.2425 days.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import cftime
import numpy as np
from numpy.typing import NDArray

from concerto.errors import InputError

_STEP = re.compile(r"P(?:(?P<Y>\d+)Y|(?P<M>\d+)M|(?P<D>\d+)D|T(?P<H>\d+)H)")
_SINCE = re.compile(r"(month|year)s? since (.+)")
_BY_DATE = ("proleptic_gregorian", "noleap", "365_day", "all_leap", "366_day")
_MIXED = ("standard", "gregorian")
_TWELVE_30 = "360_day"
_DEKAD = timedelta(days=10)
_DAY = np.timedelta64(1, "D")
_HALF_SECOND = timedelta(microseconds=500_000)
Instants = NDArray[np.datetime64]


class Axis:
    """Numbers of a time axis with what they mean.

    Parameters
    ----------
    units, calendar
        The attributes of these names, as CF has them.
    path, field
        The file and the variable, for messages.
    """

    def __init__(self, units: str, calendar: str, path: Path, field: str) -> None:
        self._units, self._calendar = units, calendar.lower()
        self._path, self._field = path, field

    def between(self, bounds: NDArray) -> tuple[Instants, Instants]:
        """Return starts and ends of the intervals between bounds, (times, 2)."""
        starts, ends = (self._instants(self._dates(side)) for side in bounds.T)
        return self._ordered(starts, ends)

    def stamped(self, numbers: NDArray, step: str, stamp: str) -> tuple[Instants, Instants]:
        """Return starts and ends of intervals of one step.

        Parameters
        ----------
        numbers
            Stamps.
        step
            Length of the intervals, an ISO 8601 duration.
        stamp
            Where in its interval each stamp is: start, middle or end.
        """
        months, length = _step_of(step)
        dates = self._dates(numbers)
        if months:
            return self._ordered(*self._months(dates, months, stamp))
        if length == _DEKAD:
            return self._ordered(*self._thirds(self._instants(dates), stamp))
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[stamp] * length
        first = [date - shift for date in dates]
        starts = self._instants(first)
        ends = self._instants([date + length for date in first])
        if length > timedelta(days=1):
            ends = _within_years(starts, ends, length)
        return self._ordered(starts, ends)

    def _dates(self, numbers: NDArray) -> list[cftime.datetime]:
        """Return dates of the file's calendar, to the nearest second."""
        if not np.isfinite(numbers).all():
            raise self._error("a time that is no number", "a number for each time")
        since = _SINCE.fullmatch(self._units)
        try:
            if since and (numbers == np.rint(numbers)).all():
                months = numbers.astype(int) * {"month": 1, "year": 12}[since[1]]
                return [_later(self._counted(0, f"days since {since[2]}"), n) for n in months]
            dates = self._counted(numbers, self._units)
        except (ValueError, OverflowError) as error:
            found = f"units {self._units!r}, calendar {self._calendar!r} ({error})"
            raise self._error(found, "times as CF has them") from error
        return [(date + _HALF_SECOND).replace(microsecond=0) for date in dates]

    def _counted(self, numbers: float | NDArray, units: str) -> Any:
        return cftime.num2date(numbers, units, self._calendar, only_use_cftime_datetimes=True)

    def _months(
        self, dates: Sequence[cftime.datetime], months: int, stamp: str
    ) -> tuple[Instants, Instants]:
        of_stamp = np.array([f"{date.year:04d}-{date.month:02d}" for date in dates], "M8[M]")
        if stamp == "middle":
            if months not in (1, 12):
                raise self._error("stamps in the middle of months", "steps of a month or a year")
            starts = of_stamp if months == 1 else of_stamp.astype("M8[Y]").astype("M8[M]")
        else:
            for date in dates:
                if not _is_first(date):
                    found = f"{date} as the {stamp} of an interval of months"
                    raise self._error(found, "the first instant of a month, or another `stamp`")
            starts = of_stamp - months * (stamp == "end")
        return starts.astype("M8[s]"), (starts + months).astype("M8[s]")

    def _thirds(self, stamps: Instants, stamp: str) -> tuple[Instants, Instants]:
        """Return the thirds of months of stamps; an end may be the third's last day too."""
        inside = stamps - np.timedelta64(stamp == "end", "s")
        months = inside.astype("M8[M]")
        third = np.minimum((inside - months.astype("M8[D]")) // (10 * _DAY), 2)
        starts = months.astype("M8[D]") + third * 10
        ends = np.where(third == 2, (months + 1).astype("M8[D]"), starts + 10)
        wrong = {
            "start": stamps != starts,
            "middle": np.zeros(stamps.shape, bool),
            "end": (stamps != ends) & (stamps.astype("M8[D]") != ends - 1),
        }[stamp]
        for i in np.flatnonzero(wrong)[:1]:
            found = f"{stamps[i]} as the {stamp} of an interval of ten days"
            raise self._error(found, f"the {stamp} of a third of a month, or another `stamp`")
        return starts.astype("M8[s]"), ends.astype("M8[s]")

    def _instants(self, dates: Sequence[cftime.datetime]) -> Instants:
        return np.array([self._instant(date) for date in dates], "M8[s]")

    def _instant(self, date: cftime.datetime) -> np.datetime64:
        known = (
            self._calendar in _BY_DATE
            or (self._calendar in _MIXED and date.year > 1582)
            or (self._calendar == _TWELVE_30 and _is_first(date))
        )
        if known:
            try:
                return np.datetime64(date.isoformat(timespec="seconds"), "s")
            except ValueError:
                pass  # a 29 February of a common year
        expected = "a date that the calendar in use has too; see the reader's documentation"
        raise self._error(f"{date} in the calendar {self._calendar!r}", expected)

    def _ordered(self, starts: Instants, ends: Instants) -> tuple[Instants, Instants]:
        for i in np.flatnonzero(starts >= ends)[:1]:
            raise self._error(
                f"an interval from {starts[i]} to {ends[i]}", "an end after the start"
            )
        for i in np.flatnonzero(starts[1:] <= starts[:-1])[:1]:
            found = f"{starts[i + 1]} after {starts[i]}"
            raise self._error(found, "each time once, in ascending order")
        for i in np.flatnonzero(starts[1:] < ends[:-1])[:1]:
            found = f"{starts[i + 1]} before the end {ends[i]} of the interval before it"
            raise self._error(found, "intervals that do not overlap")
        return starts, ends

    def _error(self, found: str, expected: str) -> InputError:
        return InputError(self._path, self._field, found, expected)


def _step_of(text: str) -> tuple[int, timedelta]:
    """Return an ISO 8601 duration as months, or as a length where it has no months."""
    found = _STEP.fullmatch(text)
    if found is None:
        raise InputError("grid of the source", "step", text, "an ISO 8601 duration such as P8D")
    years, months, days, hours = (int(found[part] or 0) for part in "YMDH")
    return 12 * years + months, timedelta(days=days, hours=hours)


def _later(date: cftime.datetime, months: int) -> cftime.datetime:
    """Return the same day so many months later."""
    years, month = divmod(date.month - 1 + int(months), 12)
    return date.replace(year=date.year + years, month=month + 1)


def _is_first(date: cftime.datetime) -> bool:
    return (date.day, date.hour, date.minute, date.second) == (1, 0, 0, 0)


def _within_years(starts: Instants, ends: Instants, length: timedelta) -> Instants:
    """Let intervals end with the year where all are counted from its first day."""
    from_new_year = starts - starts.astype("M8[Y]").astype("M8[s]")
    if (from_new_year % np.timedelta64(length) != np.timedelta64(0)).any():
        return ends
    return np.minimum(ends, (starts.astype("M8[Y]") + 1).astype("M8[s]"))
