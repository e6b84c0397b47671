"""Sums over the regions of a map, from those of its tiles, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import QUANTILES
from concerto.errors import ConcertoError
from concerto.evaluation.summary import described
from concerto.projection.cells import FLUXES, KINDS, SUMMED, annual

_PER_TERAGRAM = 1e-12
_LABELS = ("kind", "region_name")


def joined(tiles: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return the sums of whole regions from those of the tiles' parts of them.

    Whole grams, which add up to the same in any order. ``area_m2`` and ``cells`` add up too.

    Raises
    ------
    ConcertoError
        If no cell has values: more is wrong then than a cell.
    """
    filled = [tile for tile in tiles if tile.sizes["region"]]
    if not filled:
        count = sum(tile.sizes.get("location", 0) for tile in tiles)
        raise ConcertoError(f"found {count} cells, none with values; logs of its tiles say why")
    numbered = xr.concat(
        [tile.drop_dims(["location", "year", "piece"], errors="ignore") for tile in filled],
        "region", coords="different", compat="equals",
    )  # fmt: skip
    labels = pd.MultiIndex.from_arrays([numbered[label].to_numpy() for label in _LABELS])
    regions = sorted(labels.unique(), key=lambda region: (KINDS.index(region[0]), region[1]))
    whole = [numbered.isel(region=np.flatnonzero(labels == region)) for region in regions]
    names = [name for name in SUMMED if name in numbered]
    return xr.Dataset(
        {
            name: xr.concat(
                [part[name].sum("region", keep_attrs=True) for part in whole], "region"
            ).transpose("member", "region", "time")
            for name in names
        },
        coords={
            "kind": ("region", [kind for kind, _ in regions]),
            "region_name": ("region", [name for _, name in regions]),
            **{
                size: ("region", [int(part[size].sum()) for part in whole])
                for size in ("area_m2", "cells")
            },
            "time": numbered["time"],
        },
    )


def region_table(sums: xr.Dataset, tiles: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Return the totals of whole years by region: fluxes in TgC yr-1, pools at the end in TgC.

    ``sd_independent`` is what the standard deviation would be if cells had nothing in common.

    Parameters
    ----------
    sums
        Of whole regions, as :func:`joined` returns them.
    tiles
        Of the tiles, with the annual standard deviations of their cells.
    """
    cells = _cells(tiles)
    rows = []
    for k in range(sums.sizes["region"]):
        kind, region = (str(sums[label][k].item()) for label in _LABELS)
        inside = np.ones(len(cells), bool) if kind == "all" else cells[kind] == region
        for name in (name for name in SUMMED if name in sums):
            for year in cells.attrs["years"]:
                found = totals(sums, name, year)[:, k]
                alone = _PER_TERAGRAM * np.sqrt(np.sum(cells.loc[inside, f"{name}_{year}"] ** 2))
                rows.append(
                    {
                        "kind": kind,
                        "region": region,
                        "variable": name,
                        "year": year,
                        "units": "TgC yr-1" if name in FLUXES else "TgC",
                        "area_km2": float(sums["area_m2"][k]) * 1e-6,
                        "cells": int(sums["cells"][k]),
                        **described(found),
                        "sd_independent": alone,
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def totals(sums: xr.Dataset, name: str, year: int) -> np.ndarray:
    """Return the members' totals (member, region) of a year, as :func:`region_table` has them."""
    months = sums[name].to_numpy()[..., pd.DatetimeIndex(sums["time"].to_numpy()).year == year]
    return _PER_TERAGRAM * annual(name, months.astype(float))


COLUMNS = (
    "kind", "region", "variable", "year", "units", "area_km2", "cells", "mean", "sd",
    *QUANTILES, "sd_independent",
)  # fmt: skip


def _cells(tiles: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Return the cells of all tiles that have values, in an order that no tiling changes."""
    parts, years = [], []
    for tile in tiles:
        years = [int(year) for year in tile["year"].to_numpy()]
        columns = {
            name: tile[name].to_numpy() for name in ("lat", "lon", *KINDS[1:]) if name in tile
        }
        for name in (name for name in SUMMED if f"{name}_annual_sd" in tile):
            values = tile[f"{name}_annual_sd"].to_numpy()
            columns |= {f"{name}_{year}": values[:, k] for k, year in enumerate(years)}
        parts.append(pd.DataFrame(columns))
    cells = pd.concat(parts, ignore_index=True).sort_values(["lat", "lon"], ignore_index=True)
    cells.attrs["years"] = years
    return cells.dropna()
