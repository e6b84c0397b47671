"""Figures of a map of one column: over latitude and months, and along latitude."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from concerto.errors import InputError
from concerto.plots import cells, style

QUANTILES = ("q05", "q25", "q50", "q75", "q95")
PROFILED = ("gpp", "nee")
SEASONS = tuple(f"{s.name}_{q}" for s in cells.MONTHLY for q in ("q05", "q50", "q95"))
PROFILES = tuple(f"{name}_{q}" for name in PROFILED for q in QUANTILES)
FAPAR = ("fapar_q50",)
"""What of a map the three figures draw."""
_TINTS = {"gpp": "#117733", "nee": "#882255"}
_DATE_WIDTH = 24  # months that fit with each of them named


@style.styled
def draw(name: str, ds: xr.Dataset) -> style.Drawing:
    """Draw median and width of the 90 % interval over latitude and months.

    Parameters
    ----------
    name
        The map in words.
    ds
        Of :func:`concerto.plots.cells.read_map`, with ``SEASONS``; of one column.

    Raises
    ------
    InputError
        If the map has several columns.
    """
    status = _column(ds["status"])
    figure = style.new_figure(8.6)
    panels = figure.subplots(2, len(cells.MONTHLY), sharex=True, sharey=True)
    beyond, widest = 0, []
    for (upper, lower), shown in zip(panels.T, cells.MONTHLY, strict=True):
        low, median, high = (_column(ds[f"{shown.name}_{q}"]) for q in ("q05", "q50", "q95"))
        spread = cells.Shown(shown.name, "Width of 90 %", shown.unit, 1.0, cells.SPREAD)
        beyond += _heat_map(upper, median, ds, shown, shown.axis)
        beyond += _heat_map(lower, high - low, ds, spread, spread.axis)
        upper.set_title(shown.label)
        widest.append(f"{shown.label} {_middle(high - low)} {shown.unit}")
    for axes in panels.ravel():
        _frame(axes, status, ds)
        axes.label_outer()
    title = f"{name}: the seasons by latitude"
    style.head(figure, title)
    return style.Drawing(
        figure,
        title,
        "Median of each month and cell, and below the width of the central 90 % of the ensemble. "
        "NEE is positive to the atmosphere."
        + cells.states_text(status)
        + cells.beyond_text(beyond),
        "Heat maps over months and latitude; the 90 % interval is in the middle "
        + "; ".join(widest)
        + " wide.",
    )


@style.styled
def draw_profile(name: str, ds: xr.Dataset) -> style.Drawing:
    """Draw annual fluxes along latitude with their 50 and 90 % bands.

    Parameters
    ----------
    name
        The map in words.
    ds
        Of :func:`concerto.plots.cells.read_map`, of years, with ``PROFILES``; of one column.

    Raises
    ------
    InputError
        If the map has several columns.
    """
    status = _column(ds["status"])[:, 0]
    edges = cells.edges(ds, "lat")
    shown = [s for s in cells.YEARLY if s.name in PROFILED]
    figure = style.new_figure(5.6)
    panels = figure.subplots(len(shown), 1, sharex=True)
    most = []
    for axes, one in zip(panels, shown, strict=True):
        values = [one.factor * cells.time_mean(ds, f"{one.name}_{q}").ravel() for q in QUANTILES]
        _bands(axes, edges, values, _TINTS[one.name])
        axes.set_ylabel(one.axis)
        if one.low is None:
            axes.axhline(0.0, color="#555555", linewidth=0.6)
        _mark(axes, edges, status)
        most.append(f"{one.label} {_extremes(ds['lat'].to_numpy(), values[2])} {one.unit}")
    panels[-1].set_xlabel("Latitude")
    panels[-1].set_xlim(edges[0], edges[-1])
    panels[-1].xaxis.set_major_formatter(FuncFormatter(cells.latitude_text))
    title = f"{name}: annual fluxes along latitude"
    style.head(figure, title)
    style.shared_legend(figure, *panels)
    return style.Drawing(
        figure,
        title,
        f"Median, 50 % and 90 % bands of each cell's year, {cells.years_text(ds)}"
        f"{cells.averaged_text(ds)}. NEE is positive to the atmosphere; gaps have no values.",
        f"Lines with bands along latitude; medians: {'; '.join(most)}.",
    )


@style.styled
def draw_fapar(name: str, ds: xr.Dataset, observations: xr.Dataset) -> style.Drawing:
    """Draw observed against calibrated fAPAR over latitude and months.

    Parameters
    ----------
    name
        The map in words.
    ds
        Of :func:`concerto.plots.cells.read_map`, with ``FAPAR``; of one column.
    observations
        Cube of observations along ``location`` and ``time`` with ``lat``, ``lon`` and ``fapar``.

    Raises
    ------
    InputError
        If the map has several columns, or there is no fAPAR.
    """
    status = _column(ds["status"])
    if "fapar" not in observations:
        raise InputError("observations", "fapar", "no such variable", "one, to draw")
    found, count = monthly_on(ds, observations["fapar"])
    model = _column(ds["fapar_q50"])
    difference = np.where(np.isfinite(found), model - found, np.nan)
    fraction = cells.Shown("fapar", "fAPAR", "fraction", 1.0, "viridis")
    gap = cells.Shown("fapar", "Difference", "fraction", 1.0, cells.DIVERGING, None)
    figure = style.new_figure(5.4)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    words = ("Observed", "Calibrated (median)", "Calibrated \N{MINUS SIGN} observed")
    beyond = 0
    for axes, values, text in zip(panels, (found, model, difference), words, strict=True):
        beyond += _heat_map(axes, values, ds, gap if values is difference else fraction, "fAPAR")
        axes.set_title(text)
        _frame(axes, status, ds)
        axes.label_outer()
    title = f"{name}: fAPAR as observed and as calibrated"
    style.head(figure, title)
    there = difference[np.isfinite(difference)]
    agreement = "Nothing was observed." if not there.size else (
        f"Calibrated less observed is {_signed(there.mean())} in the mean, and the root mean "
        f"square of the difference {np.sqrt((there**2).mean()):.3f}."
    )  # fmt: skip
    return style.Drawing(
        figure,
        title,
        f"Means of the days of each month that have an observation ({count:,} in all), and the "
        "calibrated median of the whole month, which the same observations were assimilated for: "
        f"a fit, no test. {agreement} What was not observed is grey."
        + cells.states_text(status)
        + cells.beyond_text(beyond),
        f"Heat maps over months and latitude of fAPAR. {agreement}",
    )


def monthly_on(ds: xr.Dataset, values: xr.DataArray) -> tuple[np.ndarray, int]:
    """Return monthly means of locations' values on a map of one column, and how many went in.

    Parameters
    ----------
    ds
        The map, with ``lat`` (ascending) and ``time``.
    values
        Along ``location`` and ``time``, with ``lat``; those outside the map's months are left out.

    Returns
    -------
    numpy.ndarray
        (lat, time), not a number where there is no value.
    """
    months = ds.indexes["time"].to_period("M")
    row = np.searchsorted(cells.edges(ds, "lat"), values["lat"].to_numpy(), side="right") - 1
    inside = (row >= 0) & (row < ds.sizes["lat"])
    column = months.get_indexer(values.indexes["time"].to_period("M"))
    data = values.transpose("location", "time").to_numpy()[inside][:, column >= 0]
    where = np.ix_(row[inside], column[column >= 0])
    there = np.isfinite(data)
    total, count = np.zeros((2, ds.sizes["lat"], len(months)))
    np.add.at(total, where, np.where(there, data, 0.0))
    np.add.at(count, where, there)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean, int(count.sum())


def _column(values: xr.DataArray) -> np.ndarray:
    """Return the values of a map of one column: (lat, time), or (lat, 1) of a status."""
    if values.sizes["lon"] != 1:
        raise InputError("map", "lon", f"{values.sizes['lon']} columns", "one")
    dims = [dim for dim in ("lat", "lon", "time") if dim in values.dims]
    return values.transpose(*dims).to_numpy().reshape(values.sizes["lat"], -1)


def _month_edges(ds: xr.Dataset) -> np.ndarray:
    periods = ds.indexes["time"].to_period("M")
    starts = periods.to_timestamp().append((periods[-1:] + 1).to_timestamp())
    # days since 1970, as axes count them
    return ((starts - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy()


def _heat_map(axes: Axes, values: np.ndarray, ds: xr.Dataset, shown: cells.Shown, text: str) -> int:
    """Draw values (lat, time) with their bar; return how many are beyond the colours' ends."""
    low, high, beyond = shown.limits(values)
    mesh = cells.draw_cells(
        axes, values, _month_edges(ds), cells.edges(ds, "lat"), shown.colours, (low, high)
    )
    extend = ("both" if shown.low is None else "max") if beyond else "neither"
    cells.colour_bar(axes, mesh, text, extend, location="bottom", pad=0.02, aspect=30)
    return beyond


def _frame(axes: Axes, status: np.ndarray, ds: xr.Dataset) -> None:
    """Draw what cells without values are, and label months and latitudes."""
    edges, months = cells.edges(ds, "lat"), _month_edges(ds)
    axes.set_facecolor(cells.SEA)
    axes.grid(visible=False)
    land = status != cells.NOT_LAND
    ends = months[[0, -1]]
    cells.patch(axes, land, ends, edges, facecolor=cells.NO_VALUE, linewidth=0, zorder=1)
    cells.draw_states(axes, status, ends, edges)
    axes.set(xlim=ends, ylim=(edges[0], edges[-1]))
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(cells.latitude_text))
    if len(months) <= _DATE_WIDTH:
        initials = [stamp.strftime("%b")[0] for stamp in ds.indexes["time"]]
        axes.set_xticks((months[:-1] + months[1:]) / 2, initials)
        axes.tick_params(axis="x", length=0)
    else:
        axes.xaxis_date()
        style.date_axis(axes)


def _bands(axes: Axes, edges: np.ndarray, values: list[np.ndarray], tint: str) -> None:
    """Draw quantiles (q05 to q95) of cells as steps, so that one cell alone is seen too."""
    x = np.repeat(edges, 2)[1:-1]
    low, first, middle, third, high = (np.repeat(value, 2) for value in values)
    axes.fill_between(x, low, high, color=tint, alpha=0.2, linewidth=0, label="90 % band")
    axes.fill_between(x, first, third, color=tint, alpha=0.4, linewidth=0, label="50 % band")
    axes.plot(x, middle, color=tint, linewidth=1.0, label="median")


def _mark(axes: Axes, edges: np.ndarray, status: np.ndarray) -> None:
    """Mark cells below the bands whose values are to be read with care."""
    for name in cells.MARKS:
        words, colour = cells.STATUS[name]
        where = status == name
        if where.any():
            middles = (edges[:-1] + edges[1:]) / 2
            axes.plot(
                middles[where], np.full(where.sum(), 0.02), "|", color=colour, markersize=6,
                transform=axes.get_xaxis_transform(), label=words,
            )  # fmt: skip


def _middle(values: np.ndarray) -> str:
    there = values[np.isfinite(values)]
    return f"{np.median(there):.2g}" if there.size else "without values"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _extremes(latitude: np.ndarray, values: np.ndarray) -> str:
    if not np.isfinite(values).any():
        return "without values"
    return " and ".join(
        f"{values[k]:.0f} at {cells.latitude_text(float(latitude[k]))}"
        for k in (np.nanargmin(values), np.nanargmax(values))
    )
