"""Which observations are assimilated and which are withheld to judge the result."""

from __future__ import annotations

import numpy as np
import pandas as pd

from concerto.cubes import DAY, ends
from concerto.errors import InputError


def training_of(stream: str, values: np.ndarray, time: pd.DatetimeIndex, rule: dict) -> np.ndarray:
    """Return (time,) True where the values (time,) of a stream may be assimilated.

    Parameters
    ----------
    stream, values, time
        Name of the stream, its values, NaN where missing, and their steps.
    rule
        As :func:`training_times` has it, or ``{"last_withheld": {stream: share}}``: of all values
        of a stream, the last so many are withheld, to the nearest whole number.

    Raises
    ------
    InputError
        As :func:`training_times` does.
    """
    if "last_withheld" not in rule:
        return training_times(time, rule)
    return ~last_values(values, rule["last_withheld"].get(stream, 0.0))


def last_values(values: np.ndarray, share: float) -> np.ndarray:
    """Return (time,) True at the last so many of values (time,), to the nearest whole number."""
    seen = np.flatnonzero(np.isfinite(values))
    last = np.zeros(len(values), bool)
    last[seen[len(seen) - round(len(seen) * share) :]] = True
    return last


def training_times(time: pd.DatetimeIndex, rule: dict) -> np.ndarray:
    """Return (time,) True where observations may be assimilated.

    Parameters
    ----------
    time
        Start of each step; steps may be calendar months.
    rule
        ``{"period": [first day, last day]}``, both included: steps that lie in it wholly. Or
        ``{"blocks": {"length_days": n, "train": k, "of": m}}``: of every m successive blocks of n
        days, the steps that begin in the first k. Without either, all.

    Raises
    ------
    InputError
        If blocks are shorter than a step, or the rule leaves no time to train on.
    """
    if not rule:
        return np.ones(len(time), bool)
    if "period" in rule:
        first, last = (pd.Timestamp(str(day)) for day in rule["period"])
        chosen = (time >= first) & (ends(time) <= last + DAY)
    else:
        blocks = rule["blocks"]
        longest = (ends(time) - time).max() / DAY
        if blocks["length_days"] < longest:
            raise InputError(
                "configuration", "training.blocks.length_days", blocks["length_days"],
                f"at least {longest:g}, the longest step of the record",
            )  # fmt: skip
        block = (time - time[0]).days // blocks["length_days"]
        chosen = block % blocks["of"] < blocks["train"]
    chosen = np.asarray(chosen)
    if not chosen.any():
        ((kind, said),) = rule.items()
        raise InputError(
            "configuration",
            f"training.{kind}",
            said,
            f"days of the record, which runs from {time[0]:%Y-%m-%d} to {time[-1]:%Y-%m-%d}",
        )
    return chosen
