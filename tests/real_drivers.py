"""Daily drivers from the cuts of the real records in tests/data."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from concerto.domain import DISTURBANCES
from concerto.models import Model, Weather
from synthetic_dalec import ROOT

LATITUDE, ELEVATION = 50.30493, 493.0


@cache
def vielsalm() -> tuple[dict[str, np.ndarray], pd.DatetimeIndex]:
    """Days of Vielsalm (BE-Vie, 2014), with fires and harvests made up."""
    record = pd.read_csv(ROOT / "tests/data/FLX_BE-Vie_cut.csv", na_values=-9999)
    days = record.groupby(pd.to_datetime(record["TIMESTAMP_START"].astype(str)).dt.floor("D"))
    tas = record["TA_F"]
    rng = np.random.default_rng(1)
    n = len(days)
    drivers = {
        "tas": days["TA_F"].mean(),
        "tasmin": days["TA_F"].min(),
        "tasmax": days["TA_F"].max(),
        "rsds": days["SW_IN_F"].mean() * 0.0864,
        "vpd": days["VPD_F"].mean() * 100.0,
        "pr": days["P_F"].sum(),
        "co2": days["CO2_F_MDS"].mean(),
    }
    assert tas.notna().all()
    values = {name: column.to_numpy() for name, column in drivers.items()}
    values["burned_area_fraction"] = np.where(rng.random(n) < 0.02, 0.2, 0.0)
    values["harvested_area_fraction"] = np.where(rng.random(n) < 0.02, 0.1, 0.0)
    return values, pd.DatetimeIndex(list(days.groups))


def repeated(model: Model, steps: int, step: float = 1.0) -> Weather:
    """Vielsalm's weather for a model, over and over; steps longer than a day are still its days."""
    drivers, times = vielsalm()
    index = np.arange(steps) % len(times)
    day = times.dayofyear.to_numpy()[index] - 0.5
    chosen = {name: drivers[name][index] for name in model.drivers}
    for name in DISTURBANCES:
        if name in chosen:
            chosen[name] = chosen[name] / step  # no more than the whole area in a step
    return model.prepare_weather(chosen, day, np.full(steps, 365), step, LATITUDE, ELEVATION)
