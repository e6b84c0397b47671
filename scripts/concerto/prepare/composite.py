"""Observations over intervals, such as composites of eight days, at the steps of a model.

A product's values hold for intervals, from ``start`` until before ``end``, which may be irregular
and lie across steps. A step gets the mean of the intervals over it, each weighted by how long it
overlaps; where intervals are longer than steps, each stands once, at the step of its middle.
Fluxes and states are means over their intervals. An amount is taken as spread evenly over its
interval and becomes a rate per day, as cubes have it: the rate times the step's length is the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from concerto.cubes import DAY, ends
from concerto.errors import InputError
from concerto.prepare.monthly import LEAST_SHARE
from concerto.prepare.streams import MaskCount, masked_of, parts_of

KINDS = ("mean", "amount")
LONGER = 1.5
"""By how much intervals are longer than steps before each of them is put at one step alone."""
_LEVEL = "composite"


@dataclass(frozen=True)
class Composites:
    """What a product has of one variable.

    Parameters
    ----------
    start, end
        Of each interval, the end exclusive (interval,).
    values, uncertainty
        NaN where there is none, and one standard error (interval, location).
    n
        How many native values are in each (interval, location).
    """

    start: np.ndarray
    end: np.ndarray
    values: np.ndarray
    uncertainty: np.ndarray
    n: np.ndarray

    @property
    def days(self) -> np.ndarray:
        """Lengths of the intervals, d (interval,)."""
        return (self.end - self.start) / np.timedelta64(1, "D")

    @property
    def middle(self) -> np.ndarray:
        """Middles of the intervals (interval,)."""
        return self.start + (self.end - self.start) / 2


@dataclass(frozen=True)
class Stepped:
    """A variable at the steps of a model, all (step, location).

    Parameters
    ----------
    values, uncertainty
        NaN where masked.
    n
        How many native values are in each; of an interval across steps each has its share.
    covered
        Fraction of the step that valid intervals cover; 1 where one stands for its middle.
    masked
        Where there is no value.
    """

    values: np.ndarray
    uncertainty: np.ndarray
    n: np.ndarray
    covered: np.ndarray
    masked: np.ndarray

    def parts(self) -> dict[str, np.ndarray]:
        """Return the variables of a stream by what is added to its name, as cubes have them."""
        nothing = np.zeros_like(self.values)
        return parts_of(self.values, self.uncertainty, nothing, self.covered, self.masked)


def to_steps(
    composites: Composites,
    axis: pd.DatetimeIndex,
    *,
    kind: str,
    correlation: float,
    name: str,
    count: MaskCount,
    file: object,
    least_covered: float = LEAST_SHARE,
) -> Stepped:
    """Return a product's variable at the steps of a model.

    Amounts are spread over the steps, however short; of fluxes and states intervals longer than
    steps are each put at the step of their middle, others averaged.

    Parameters
    ----------
    composites
        The variable; intervals in any order.
    axis
        Starts of the steps, of days or calendar months, on the clock of the intervals.
    kind
        ``mean`` or ``amount``, what values are of their intervals.
    correlation
        Of the errors of two intervals one usual length apart; it falls with distance as that of a
        first-order autoregressive process.
    name, file
        The variable and where it comes from, for messages and counts.
    count
        Where what is masked is counted.
    least_covered
        Fraction of a step that must be covered for it to have a value.

    Raises
    ------
    InputError
        If intervals are empty, overlap or stand twice, an uncertainty is negative, or a setting is
        not what it can be.
    """
    if kind not in KINDS:
        raise InputError(file, "kind", kind, f"one of {', '.join(KINDS)}")
    if not 0.0 <= correlation <= 1.0:
        raise InputError(file, "correlation", correlation, "a number from 0 to 1")
    found = _checked(composites, name, count, file)
    if kind == "amount":
        length = found.days[:, None]
        found = replace(found, values=found.values / length, uncertainty=found.uncertainty / length)
    longer = len(found.days) and np.median(found.days) > LONGER * np.median(_days(axis))
    if kind == "mean" and longer:
        return _placed(found, axis, name=name, count=count, file=file)
    return _averaged(
        found, axis, correlation=correlation, name=name, count=count, least_covered=least_covered
    )


def _days(axis: pd.DatetimeIndex) -> np.ndarray:
    return ((ends(axis) - axis) / DAY).to_numpy()


def _checked(composites: Composites, name: str, count: MaskCount, file: object) -> Composites:
    """Return composites in order of time, without values that have no uncertainty."""
    order = np.lexsort((composites.end, composites.start))
    # days would lose the half of an odd number of them
    start, end = (
        times.astype("datetime64[s]")[order] for times in (composites.start, composites.end)
    )
    _check_intervals(start, end, name, file)
    values, uncertainty = composites.values[order], composites.uncertainty[order]
    if (uncertainty < 0.0).any():
        raise InputError(file, name, "a negative uncertainty", "zero or more")
    missing, unsure = ~np.isfinite(values), ~np.isfinite(uncertainty)
    count.add(name, _LEVEL, "no valid native value", missing)
    count.add(name, _LEVEL, "no uncertainty", unsure & ~missing)
    values = np.where(missing | unsure, np.nan, values)
    return Composites(start, end, values, uncertainty, composites.n[order])


def _check_intervals(start: np.ndarray, end: np.ndarray, name: str, file: object) -> None:
    empty = np.flatnonzero(end <= start)
    if empty.size:
        k = empty[0]
        raise InputError(file, name, f"an interval from {start[k]} to {end[k]}", "a later end")
    overlapping = np.flatnonzero(end[:-1] > start[1:])
    if overlapping.size:
        k = overlapping[0]
        found = f"intervals from {start[k]} to {end[k]} and from {start[k + 1]} to {end[k + 1]}"
        raise InputError(file, name, found, "each time in one interval alone")


def _averaged(
    composites: Composites,
    axis: pd.DatetimeIndex,
    *,
    correlation: float,
    name: str,
    count: MaskCount,
    least_covered: float,
) -> Stepped:
    """Return means over steps, weighted by how long each valid interval overlaps.

    The error of a mean of values with weights w and errors s is that of their weighted sum,
    sqrt(sum_ij w_i w_j s_i s_j r_ij) / sum_i w_i with r_ij = r^(distance of middles / usual
    length). That errors of successive steps are correlated by it too, cubes do not say.
    """
    shape = (len(axis), composites.values.shape[1])
    values, uncertainty = np.full(shape, np.nan), np.full(shape, np.nan)
    n, covered = np.zeros(shape), np.zeros(shape)
    reached = np.zeros(len(axis), bool)
    lengths, usual = _days(axis), np.median(composites.days) if len(composites.days) else 1.0
    for k, which, overlap in _overlaps(composites, axis):
        reached[k] = True
        there = np.isfinite(composites.values[which])
        weight = overlap[:, None] * there
        total = weight.sum(axis=0)
        covered[k] = total / lengths[k]
        n[k] = (composites.n[which] * weight / composites.days[which, None]).sum(axis=0)
        error = weight * np.where(there, composites.uncertainty[which], 0.0)
        related = _correlations(composites.middle[which], usual, correlation)
        variance = (error * (related @ error)).sum(axis=0)
        with np.errstate(invalid="ignore"):  # steps without a value are masked
            sums = (weight * np.where(there, composites.values[which], 0.0)).sum(axis=0)
            values[k] = sums / total
            uncertainty[k] = np.sqrt(variance) / total
    reasons = {
        "no composite": np.broadcast_to(~reached[:, None], shape),
        "no valid composite": covered == 0.0,
        f"less than {100 * least_covered:g} % covered": covered < least_covered - 1e-9,
    }
    return _masked(Stepped(values, uncertainty, n, covered, _count(name, reasons, count)))


def _correlations(middle: np.ndarray, usual_days: float, correlation: float) -> np.ndarray:
    """Return the correlations of the errors of intervals (interval, interval)."""
    days = (middle - middle[0]) / np.timedelta64(1, "D")
    return correlation ** (np.abs(days[:, None] - days) / usual_days)


def _overlaps(
    composites: Composites, axis: pd.DatetimeIndex
) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Yield each step that intervals overlap: its index, theirs, and the overlaps (d)."""
    starts, stops = axis.to_numpy(), ends(axis).to_numpy()
    first = np.searchsorted(composites.end, starts, side="right")
    last = np.searchsorted(composites.start, stops, side="left")
    for k in np.flatnonzero(last > first):
        which = slice(int(first[k]), int(last[k]))
        until = np.minimum(composites.end[which], stops[k])
        since = np.maximum(composites.start[which], starts[k])
        yield int(k), which, (until - since) / np.timedelta64(1, "D")


def _placed(
    composites: Composites, axis: pd.DatetimeIndex, *, name: str, count: MaskCount, file: object
) -> Stepped:
    """Return each interval's value at the step of its middle, and none at the other steps."""
    where = axis.searchsorted(pd.DatetimeIndex(composites.middle), side="right") - 1
    inside = (where >= 0) & (composites.middle < ends(axis)[-1].to_datetime64())
    count.add(name, _LEVEL, "its middle is outside of the run's steps", ~inside)
    at = where[inside]
    if len(np.unique(at)) < len(at):
        step = axis[at[:-1][np.diff(at) == 0][0]]
        raise InputError(file, name, f"two intervals with their middles at {step}", "one")
    shape = (len(axis), composites.values.shape[1])
    values, uncertainty, n = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    values[at], uncertainty[at] = composites.values[inside], composites.uncertainty[inside]
    there = np.isfinite(values)
    n[at] = np.where(there[at], composites.n[inside], 0)
    none = np.ones(len(axis), bool)
    none[at] = False
    reasons = {
        "not the middle of a composite": np.broadcast_to(none[:, None], shape),
        "no valid composite": ~there,
    }
    masked = _count(name, reasons, count)
    return _masked(Stepped(values, uncertainty, n, there.astype(float), masked))


def _count(name: str, reasons: dict[str, np.ndarray], count: MaskCount) -> np.ndarray:
    """Count each step and location under the first reason that holds; return those of any."""
    shape = next(iter(reasons.values())).shape
    flat = {reason: np.ravel(holds) for reason, holds in reasons.items()}
    return masked_of(name, "step", flat, count).reshape(shape)


def _masked(stepped: Stepped) -> Stepped:
    return replace(
        stepped,
        values=np.where(stepped.masked, np.nan, stepped.values),
        uncertainty=np.where(stepped.masked, np.nan, stepped.uncertainty),
    )
