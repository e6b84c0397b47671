"""What a tower measures at its own step, beside what the canopy model says of it."""

from __future__ import annotations

import numpy as np
import xarray as xr

OUTPUTS = {"gpp": "gpp", "nee": "nee", "le": "le", "h": "h", "rn": "net_radiation"}
"""The output of the model that each stream of a record is compared with."""


def measured(record: xr.Dataset, stream: str) -> np.ndarray:
    """Return a stream's values (time), NaN where it was not measured but filled."""
    values = record[stream].isel(location=0).to_numpy().astype(float)
    flag = f"{stream}_measured"
    seen = record[flag].isel(location=0).to_numpy() == 1 if flag in record else True
    return np.where(seen, values, np.nan)


def modelled(runs: xr.Dataset, output: str) -> np.ndarray:
    """Return an output of all runs (member, time)."""
    return runs[output].isel(location=0).to_numpy().astype(float)
