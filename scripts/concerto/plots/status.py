"""What became of each cell of a map: how many, and where."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from concerto.plots import cells, style

_HIGH = 4.8  # inches, of a map beside its bars


def shares(ds: xr.Dataset) -> pd.DataFrame:
    """Return of each status of land cells how many there are, and their share.

    Parameters
    ----------
    ds
        Of :func:`concerto.plots.cells.read_map`.

    Returns
    -------
    pandas.DataFrame
        ``status, words, cells, share``, in the order of ``STATUS``; shares are of all cells of
        land, not a number where there is none.
    """
    status = ds["status"].to_numpy()
    names = [name for name in cells.STATUS if name != cells.NOT_LAND]
    count = np.array([(status == name).sum() for name in names])
    return pd.DataFrame(
        {
            "status": names,
            "words": [cells.STATUS[name][0] for name in names],
            "cells": count,
            "share": count / count.sum() if count.any() else np.nan,
        }
    )


@style.styled
def draw(name: str, ds: xr.Dataset, borders: geopandas.GeoDataFrame) -> style.Drawing:
    """Draw the share of cells of each status, and where they are.

    Parameters
    ----------
    name
        The map in words.
    ds
        Of :func:`concerto.plots.cells.read_map`.
    borders
        Polygons of the countries, in longitude and latitude.
    """
    frame = cells.frame_of(ds)
    table = shares(ds)
    if frame.shape < 1.2:
        across = _HIGH * max(frame.shape, 0.25)
        figure = style.new_figure(_HIGH + 0.8)
        bars, where = figure.subplots(1, 2, width_ratios=(style.WIDTH - across - 2.2, across))
    else:
        height = (style.WIDTH - 0.8) / frame.shape
        figure = style.new_figure(height + 2.6)
        bars, where = figure.subplots(2, 1, height_ratios=(1.5, height))
    _bars(bars, table)
    status = ds["status"].to_numpy()
    for state, (_, colour) in cells.STATUS.items():
        if state != cells.NOT_LAND:
            cells.patch(
                where, status == state, frame.longitude, frame.latitude, facecolor=colour,
                edgecolor="none", linewidth=0, zorder=1.5,
            )  # fmt: skip
    cells.draw_land(where, cells.land_in(borders, frame), frame)
    title = f"{name}: what became of each cell"
    style.head(figure, title)
    told = "; ".join(
        f"{row.words} {cells.cells_text(row.cells)} ({100 * row.share:.1f} %)"
        for row in table.itertuples()
        if row.cells
    )
    other = int((status == cells.NOT_LAND).sum())
    return style.Drawing(
        figure,
        title,
        f"Share of the {cells.cells_text(int(table.cells.sum()))} of land by what became of them, "
        f"and where they are. Besides, {cells.cells_text(other)} of the grid are no land or "
        f"outside the map.{cells.widened_text(frame)} Borders: Natural Earth 1:110 million.",
        f"Bars and a map of the status of cells: {told or 'no cell of land'}.",
    )


def _bars(axes: Axes, table: pd.DataFrame) -> None:
    at = np.arange(len(table))[::-1]
    colours = [cells.STATUS[name][1] for name in table.status]
    axes.barh(at, 100 * table.share.fillna(0.0), height=0.55, color=colours)
    for y, row in zip(at, table.itertuples(), strict=True):
        share = 0.0 if np.isnan(row.share) else 100 * row.share
        axes.text(share + 1.5, y, f"{row.cells:,}", va="center", fontsize=8)
    axes.set_yticks(at, list(table.words))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set(xlim=(0.0, 114.0), xticks=range(0, 101, 25))
    axes.set_xlabel("Share of land cells (%); numbers: cells")
