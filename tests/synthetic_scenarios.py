"""Made-up weather and members of cells that scenarios go on from."""

from __future__ import annotations

import numpy as np
import xarray as xr
from concerto.cubes import DAY, MONTH, calendar, with_bounds
from concerto.domain import DRIVERS

CELLS = 3


def weather(times, cells=CELLS, seed=3):
    """Drivers of cells with a season, in the units of cubes."""
    rng = np.random.default_rng(seed)
    day, length = calendar(times)[1:]
    season = -np.cos(2.0 * np.pi * (day - 20.0) / length)
    warm = 9.0 + 8.0 * season + rng.normal(0.0, 2.0, (cells, len(times)))
    values = {
        "tas": warm, "tasmin": warm - 5.0, "tasmax": warm + 5.0,
        "rsds": 120.0 + 90.0 * season + np.zeros((cells, 1)), "vpd": 0.5 + np.abs(warm) / 3.0,
        "pr": np.full(warm.shape, np.nan), "co2": np.full(warm.shape, 380.0),
        "burned_area_fraction": np.zeros(warm.shape),
        "harvested_area_fraction": np.zeros(warm.shape),
    }  # fmt: skip
    out = xr.Dataset(
        {
            name: (("location", "time"), values[name], quantity.attributes())
            for name, quantity in DRIVERS.items()
        },
        coords={
            "location": [f"cell{k}" for k in range(cells)], "time": times,
            "lat": ("location", 45.0 + np.arange(cells)),
            "lon": ("location", np.full(cells, 24.25)),
        },
        attrs={"utc_offset_hours": 0.0},
    )  # fmt: skip
    step = MONTH if times[1] - times[0] > DAY else DAY
    return with_bounds(out, step, 0.0)


def posterior(model, locations, values, file):
    coords = {"location": locations, "parameter": model.parameter_names,
              "lat": ("location", 45.0 + np.arange(len(locations))),
              "lon": ("location", np.full(len(locations), 24.25))}  # fmt: skip
    ds = xr.Dataset({"parameters": (("member", "location", "parameter"), values)}, coords=coords)
    ds.assign_attrs(method="rml").to_netcdf(file)
