"""Which observations are assimilated and which are withheld to judge the result."""

from __future__ import annotations

import numpy as np
import pandas as pd

from concerto.errors import InputError


def training_times(time: pd.DatetimeIndex, rule: dict) -> np.ndarray:
    """Return (time,) True where observations may be assimilated.

    Parameters
    ----------
    time
        Start of each step.
    rule
        ``{"period": [first day, last day]}``, both included, or ``{"blocks": {"length_days": n,
        "train": k, "of": m}}``: of every m successive blocks of n days, the first k.

    Raises
    ------
    InputError
        If the rule leaves no time to train on.
    """
    if "period" in rule:
        first, last = (pd.Timestamp(str(day)) for day in rule["period"])
        chosen = (time >= first) & (time < last + pd.Timedelta(days=1))
    else:
        blocks = rule["blocks"]
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
