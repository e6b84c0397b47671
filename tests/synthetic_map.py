"""A made-up map in the layout of the products: a transect, or a box anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

MEANINGS = (
    "converged", "not_converged", "no_observation", "drivers_missing", "assimilation_failed",
    "not_land",
)  # fmt: skip
QUANTILES = {"q05": -1.645, "q25": -0.674, "q50": 0.0, "q75": 0.674, "q95": 1.645}
VARIABLES = {
    "gpp": "g m-2 d-1", "reco": "g m-2 d-1", "nee": "g m-2 d-1", "lai": "1", "fapar": "1",
    "live_biomass": "g m-2", "som": "g m-2", "litter": "g m-2",
}  # fmt: skip
TRANSECT = {"west": 24.0, "south": -34.5, "east": 24.5, "north": 71.5, "resolution_deg": 0.5}
EUROPE = {"west": 2.0, "south": 44.0, "east": 22.0, "north": 54.0, "resolution_deg": 0.5}
DATELINE = {"west": 170.0, "south": 60.0, "east": -170.0, "north": 72.0, "resolution_deg": 0.5}


def make_map(grid: dict[str, float], land: np.ndarray | None = None, seed: int = 3) -> xr.Dataset:
    """Return a map of the months of 2000 with seasons by latitude, and with a cell of each status.

    Parameters
    ----------
    grid
        As in the configuration; ``west`` is greater than ``east`` across the antimeridian.
    land
        Which cells are land (lat, lon); by default all but a few rows in the south.
    """
    rng = np.random.default_rng(seed)
    step = grid["resolution_deg"]
    width = (grid["east"] - grid["west"]) % 360.0 or 360.0
    lat = np.arange(grid["south"] + step / 2, grid["north"], step)
    lon = grid["west"] + np.arange(step / 2, width, step)
    time = pd.date_range("2000-01-01", periods=12, freq="MS")
    shape = (len(lat), len(lon))
    if land is None:
        land = np.broadcast_to((np.arange(len(lat)) > 2)[:, None], shape)
    status = np.where(land, rng.choice(5, shape, p=[0.82, 0.07, 0.05, 0.03, 0.03]), 5)
    status[~np.isin(status, (3, 4, 5)) & (lat > 69.0)[:, None]] = 2
    ds = xr.Dataset(
        coords={
            "time": time,
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", (lon + 180.0) % 360.0 - 180.0, {"units": "degrees_east"}),
        }
    )
    ends = time + pd.DateOffset(months=1)
    ds["time_bnds"] = (("time", "bnds"), np.stack([time.to_numpy(), ends.to_numpy()], axis=1))
    empty = np.isin(status, (3, 4, 5))
    for name, mean in _means(rng, lat, shape, time).items():
        sd = (0.15 + 0.2 * rng.random(shape)) * np.abs(mean) + 0.02 * np.abs(mean).mean()
        parts = {"mean": mean, "sd": sd, **{q: mean + z * sd for q, z in QUANTILES.items()}}
        for what, values in parts.items():
            ds[f"{name}_{what}"] = (
                ("time", "lat", "lon"),
                np.where(empty, np.nan, values).astype("float32"),
                {"units": VARIABLES[name]},
            )
    ds["status"] = (
        ("lat", "lon"),
        status.astype("int8"),
        {"flag_values": np.arange(6, dtype="int8"), "flag_meanings": " ".join(MEANINGS)},
    )
    return ds


def years_of(ds: xr.Dataset, years: int = 1) -> xr.Dataset:
    """Return a map of years: each that of the months in the mean, the later ones a little more."""
    months = ds.drop_vars("time_bnds")
    out = xr.concat(
        [months.mean("time", skipna=False) * (1.0 + 0.1 * k) for k in range(years)], "time"
    )
    out["status"] = ds["status"]
    firsts = np.array([f"{2000 + k}-01-01" for k in range(years + 1)], "M8[ns]")
    out["time_bnds"] = (("time", "bnds"), np.stack([firsts[:-1], firsts[1:]], axis=1))
    return out.assign_coords(time=firsts[:-1])


def _means(rng, lat, shape, time):
    """Means by variable (time, lat, lon)."""
    phase = np.where(lat > 0, 6.5, 0.5)[None, :, None]
    amplitude = np.minimum(np.abs(lat) / 50.0, 1.0)[None, :, None]
    month = (time.month.to_numpy() - 0.5)[:, None, None]
    season = 1 + amplitude * np.cos(2 * np.pi * (month - phase) / 12)
    wet = (0.15 + np.exp(-(((lat - 2) / 14) ** 2)) + 0.7 * np.exp(-(((lat - 52) / 12) ** 2)))[
        None, :, None
    ]
    patchy = 1 + 0.15 * rng.standard_normal((1, *shape))
    gpp = 6.0 * wet * season * patchy
    biomass = np.broadcast_to(9000.0 * wet * patchy, gpp.shape)
    return {
        "gpp": gpp,
        "reco": 5.6 * wet * patchy * (1 + 0.7 * (season - 1)),
        "nee": 5.6 * wet * patchy * (1 + 0.7 * (season - 1)) - gpp,
        "lai": 3.5 * wet * season**0.7 * patchy,
        "fapar": 1 - np.exp(-0.5 * np.abs(3.5 * wet * season**0.7 * patchy)),
        "live_biomass": biomass,
        "som": 1.5 * biomass,
        "litter": 0.1 * biomass,
    }


def write_map(ds: xr.Dataset, path: Path) -> Path:
    """Write a map where the product is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.to_netcdf(path)
    return path


def make_observations(ds: xr.Dataset, days: int = 8) -> xr.Dataset:
    """Return fAPAR of a map's land cells along ``location``, on one day in ``days``."""
    row, column = np.nonzero(ds["status"].to_numpy() < 2)
    time = pd.date_range("2000-01-01", "2000-12-31")
    monthly = ds["fapar_q50"].to_numpy()[:, row, column].T
    values = monthly[:, time.month - 1] + 0.03
    values[:, np.arange(len(time)) % days != 0] = np.nan
    error = np.where(np.isfinite(values), 0.05, np.nan)
    variables = {
        "fapar": values,
        "fapar_random": error,
        "fapar_systematic": 0.0 * error,
        "fapar_uncertainty": error,
        "fapar_measured_fraction": np.isfinite(values),
    }
    return xr.Dataset(
        {
            name: (("location", "time"), part.astype("float32"), {"units": "1"})
            for name, part in variables.items()
        },
        coords={
            "time": time,
            "location": [f"c{k}" for k in range(len(row))],
            "lat": ("location", ds["lat"].to_numpy()[row]),
            "lon": ("location", ds["lon"].to_numpy()[column]),
        },
    )


def make_regions(names: dict[str, list[str]], years: tuple[int, ...] = (2000,)) -> pd.DataFrame:
    """Return sums by region: ``names`` of each kind, each half the size of the one before.

    The true standard deviation is that of independent cells times the root of half their number.
    """
    rng, rows = np.random.default_rng(8), []
    for year in years:
        for kind, regions in names.items():
            for k, region in enumerate(regions):
                cells = max(1, round(900 * 0.8**k))
                for variable, per_cell in (("gpp", 2.1), ("nee", -0.2), ("live_biomass", 14.0)):
                    mean = cells * per_cell * (1 + 0.3 * rng.standard_normal())
                    independent = 0.3 * abs(per_cell) * np.sqrt(cells)
                    sd = independent * np.sqrt(max(cells / 2, 1.0))
                    rows.append(
                        {
                            "kind": kind, "region": region, "variable": variable, "year": year,
                            "units": "TgC" if variable == "live_biomass" else "TgC yr-1",
                            "area_km2": 2200.0 * cells, "cells": cells, "mean": mean, "sd": sd,
                            **{q: mean + z * sd for q, z in QUANTILES.items()},
                            "sd_independent": independent,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)
