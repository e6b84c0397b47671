"""When and where there are observations: by stream, over time and latitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from concerto.cubes import ends
from concerto.domain import STREAMS
from concerto.errors import InputError
from concerto.evaluation.quantities import QUANTITIES
from concerto.plots import style

MOST_ROWS = 16
"""Locations that each have a row of their own; more of them share bands of latitude."""
MOST_BANDS = 40
MOST_COLUMNS = 400
WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Of bands, degrees."""
_PERIODS = ("D", "M", "Y")
_WORDS = {"D": "day", "M": "month", "Y": "year"}
_SHADES = LinearSegmentedColormap.from_list(
    "valid", ["#FBE3D0", "#C9DFEF", "#56A0CE", "#0072B2", "#00263D"]
)
_NO_RECORD = {"facecolor": "white", "hatch": "/////", "edgecolor": "#D9D9D9", "linewidth": 0}


@style.styled
def draw(cubes: Sequence[xr.Dataset]) -> style.Drawing:
    """Draw the share of steps with a value.

    Parameters
    ----------
    cubes
        Observations along ``location`` and ``time``, with ``lat``; times may differ.

    Raises
    ------
    InputError
        If there is no stream in any.
    """
    streams = [name for name in STREAMS if any(name in cube for cube in cubes)]
    if not streams:
        raise InputError("observations", "streams", "none", f"one of {', '.join(STREAMS)}")
    periods, word = _periods(cubes)
    latitude = np.concatenate([cube["lat"].to_numpy() for cube in cubes])
    names = np.concatenate([cube["location"].to_numpy() for cube in cubes]).astype(str)
    edges, row_of = _rows(latitude)
    single = len(names) <= MOST_ROWS
    columns = 1 if len(streams) <= 4 else 2
    height = 0.21 * len(names) + 0.45 if single else 1.75
    lines = -(-len(streams) // columns)
    figure = style.new_figure(max(height, 0.8) * lines + 1.5)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes, stream in zip(grid.ravel(), streams, strict=False):
        steps, valid = _counted(cubes, stream, periods, row_of, len(edges) - 1)
        mesh = _heat_map(axes, steps, valid, periods, edges)
        percent = 100 * valid.sum() / steps.sum()
        axes.set_title(f"{QUANTITIES[stream].label}: {percent:.0f} % of steps have a value")
        for edge in edges[1:-1] if single else ():
            axes.axhline(edge, color="white", linewidth=1.0)
    panels = list(grid.ravel()[: len(streams)])
    for axes in grid.ravel()[len(streams) :]:
        axes.remove()
    _label_rows(grid, edges, names[np.argsort(latitude, kind="stable")] if single else None)
    _label_columns(grid, len(streams))
    bar = figure.colorbar(mesh, ax=panels, location="bottom", shrink=0.4, aspect=40, pad=0.02)
    bar.set_label(f"Steps with a value (%), by {word}")
    bar.outline.set_visible(False)
    title = "Where and when there are observations"
    style.head(figure, title)
    rows = "location, from north to south" if single else "band of latitude"
    return style.Drawing(
        figure,
        title,
        f"Share of steps with a value, of each {word} and {rows}; {len(names):,} "
        f"location{'s' if len(names) > 1 else ''}. Hatched: no step of any record.",
        "Heat maps over time and latitude of the share of steps with a value: "
        + "; ".join(axes.get_title(loc="left") for axes in panels)
        + ".",
    )


def _periods(cubes: Sequence[xr.Dataset]) -> tuple[pd.PeriodIndex, str]:
    """Return the columns of all panels: days, months or years, as short as there is room for."""
    indexes = [cube.indexes["time"] for cube in cubes]
    first, last = min(index[0] for index in indexes), max(index[-1] for index in indexes)
    daily = any((ends(index) - index).min() < pd.Timedelta(days=28) for index in indexes)
    for frequency in _PERIODS if daily else _PERIODS[1:]:
        periods = pd.period_range(first, last, freq=frequency)
        if len(periods) <= MOST_COLUMNS:
            break
    return periods, _WORDS[frequency]


def _rows(latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the rows, and which row each location is in.

    Rows are locations in order of latitude, or bands of latitude in degrees.
    """
    if len(latitude) <= MOST_ROWS:
        return np.arange(len(latitude) + 1.0) - 0.5, np.argsort(
            np.argsort(latitude, kind="stable"), kind="stable"
        )
    low, high = latitude.min(), latitude.max()
    width = next(width for width in (*WIDTHS, 180.0) if (high - low) / width < MOST_BANDS - 1)
    first = np.floor(low / width)
    row_of = (np.floor(latitude / width) - first).astype(int)
    return (first + np.arange(row_of.max() + 2)) * width, row_of


def _counted(
    cubes: Sequence[xr.Dataset],
    stream: str,
    periods: pd.PeriodIndex,
    row_of: np.ndarray,
    rows: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many steps there are, and how many with a value (row, period).

    A cube that has not the stream has steps of it without a value.
    """
    steps, valid = np.zeros((rows, len(periods))), np.zeros((rows, len(periods)))
    begun = 0
    for cube in cubes:
        size = cube.sizes["location"]
        row = row_of[begun : begun + size]
        begun += size
        column = periods.get_indexer(cube.indexes["time"].to_period(periods.freq))
        there = np.zeros((size, len(column)), bool)
        if stream in cube:
            there = np.isfinite(cube[stream].transpose("location", "time").to_numpy())
        in_rows = np.zeros((rows, len(column)))
        np.add.at(in_rows, row, there)
        np.add.at(valid.T, column, in_rows.T)
        np.add.at(steps.T, column, np.bincount(row, minlength=rows).astype(float))
    return steps, valid


def _heat_map(
    axes: Axes, steps: np.ndarray, valid: np.ndarray, periods: pd.PeriodIndex, edges: np.ndarray
) -> QuadMesh:
    stamps = periods.to_timestamp().append((periods[-1:] + 1).to_timestamp())
    percent = np.divide(100 * valid, steps, out=np.full(steps.shape, np.nan), where=steps > 0)
    axes.patch.set(**_NO_RECORD)
    axes.grid(visible=False)
    return axes.pcolormesh(
        stamps.to_pydatetime(), edges, np.ma.masked_invalid(percent), cmap=_SHADES, vmin=0,
        vmax=100, rasterized=True,
    )  # fmt: skip


def _label_rows(grid: np.ndarray, edges: np.ndarray, names: np.ndarray | None) -> None:
    for axes in grid[:, 0]:
        if names is not None:
            axes.set_yticks(np.arange(len(names)), names)
            axes.tick_params(axis="y", length=0)
        else:
            axes.set_ylabel("Latitude (° N)")
            # as many as that whatever the height, which the layout settles after the labels
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_ylim(edges[0], edges[-1])


def _label_columns(grid: np.ndarray, panels: int) -> None:
    """Label dates below the lowest panel of each column."""
    for k, column in enumerate(grid.T):
        lowest = column[(panels - 1 - k) // grid.shape[1]] if panels > k else column[0]
        style.date_axis(lowest)
        lowest.tick_params(labelbottom=True)
