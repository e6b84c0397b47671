"""Members of made-up cells, and the pieces of regions that they are added up in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from concerto.projection.cells import Months
from concerto.projection.pieces import PieceSums, join_pieces

POOLS = ("live_biomass", "litter", "som")
TABLE = "countries"


def months(years: int, first: int = 2000) -> Months:
    """The months of whole years, of an axis of months."""
    return Months.of(pd.date_range(f"{first}-01-01", periods=12 * years, freq="MS"))


def weights(rng: np.random.Generator, cells: int) -> xr.Dataset:
    """Each cell in two regions and in none, under two covers, some of it not managed."""
    rows = [
        (f"c{k}", region, cover, managed, rng.uniform(1e7, 1e9))
        for k in range(cells)
        for region in ("North", "South", "outside all polygons")
        for cover in ("ENF", "CRO")
        for managed in (0, 1)
    ]
    frame = pd.DataFrame(rows, columns=["location", "region", "cover", "managed", "area"])
    names = frame.region.unique()
    mapped = frame.groupby("region")["area"].sum().reindex(names)
    return xr.Dataset(
        {name: ("part", frame[name].to_numpy()) for name in frame},
        coords={"region_name": names.astype(object)},
    ).assign(
        polygon_area=("region_name", np.array([*(3.0 * mapped[:2]), np.nan])),
        land_area=("region_name", np.array([*(2.0 * mapped[:2]), np.nan])),
        map_area=("region_name", mapped.to_numpy()),
    )


def cell(rng: np.random.Generator, axis: Months, members: int, disturbed: bool = True):
    """What a cell's members show by month, and their pools at the start; carbon is conserved."""
    shape = members, len(axis.starts)
    shown = {"gpp": rng.gamma(4.0, 1.0, shape), "reco": rng.gamma(4.0, 1.0, shape)}
    shown["nee"] = shown["reco"] - shown["gpp"]
    lost = shown["nee"].copy()
    if disturbed:
        shown |= {name: rng.gamma(1.0, 0.2, shape) for name in ("fire_emission", "harvest")}
        lost += shown["fire_emission"] + shown["harvest"]
    start = {name: rng.uniform(5e3, 2e4, members) for name in POOLS}
    gain = -np.cumsum(lost * axis.days, axis=1)
    for name, share in zip(POOLS, (0.5, 0.2, 0.3), strict=True):
        shown[name] = start[name][:, None] + share * gain
    return shown, start


def make_pieces(
    years: int = 3, cells: int = 4, members: int = 40, seed: int = 5, disturbed: bool = True
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the pieces of a map, and the weights that they were added up with."""
    rng = np.random.default_rng(seed)
    axis, parts = months(years), weights(rng, cells)
    sums = PieceSums({TABLE: parts}, members, axis)
    for k in range(cells):
        sums.add(f"c{k}", *cell(rng, axis, members, disturbed))
    return join_pieces([sums.dataset()], TABLE), parts


def entry(
    category: str = "total",
    history: str = "",
    gain: float = 0.5,
    sd: float = 0.0,
    region: str = "North",
    year: int = 2001,
) -> pd.DataFrame:
    """Return an inventory of one number, as it is read."""
    return pd.DataFrame(
        [[region, category, history, year, gain, sd, "as given"]],
        columns=["region", "category", "history", "year", "gain", "gain_sd", "given"],
    )
