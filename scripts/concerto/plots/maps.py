"""Maps of annual means beside their uncertainty."""

from __future__ import annotations

import geopandas
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from concerto.plots import cells, style

VARIABLES = tuple(f"{shown.name}_{what}" for shown in cells.YEARLY for what in ("mean", "sd"))
"""What of a map is drawn."""
_TALLEST = 13.0  # inches
_WIDE = 1.2
"""Width over height from which on maps have their bars of colours beside them."""


@style.styled
def draw(name: str, ds: xr.Dataset, borders: geopandas.GeoDataFrame) -> style.Drawing:
    """Draw mean and standard deviation of each variable, side by side.

    Parameters
    ----------
    name
        The map in words.
    ds
        Of :func:`concerto.plots.cells.read_map`, of years, with ``VARIABLES``.
    borders
        Polygons of the countries, in longitude and latitude.
    """
    frame = cells.frame_of(ds)
    countries = cells.land_in(borders, frame)
    status = ds["status"].to_numpy()
    figure, panels = _panels(frame)
    said, beyond = [], 0
    for (mean_axes, sd_axes), shown in zip(panels, cells.YEARLY, strict=True):
        mean, sd = (
            shown.factor * cells.time_mean(ds, f"{shown.name}_{what}") for what in ("mean", "sd")
        )
        beyond += _panel(mean_axes, mean, frame, shown, shown.axis)
        spread = cells.Shown(shown.name, shown.label, shown.unit, 1.0, cells.SPREAD)
        beyond += _panel(sd_axes, sd, frame, spread, f"± {shown.axis}")
        said.append(f"{shown.label} {_range(mean)} {shown.unit}")
    for axes in panels.ravel():
        cells.draw_states(axes, status, frame.longitude, frame.latitude)
        cells.draw_land(axes, countries, frame)
    _label_outer(figure)
    title = f"{name}: annual means and their standard deviations"
    style.head(figure, title)
    return style.Drawing(
        figure,
        title,
        f"Annual means of {cells.years_text(ds)}, of live biomass the end of the year; beside them "
        f"(±) the standard deviation of a year's over the members{cells.averaged_text(ds)}. NEE is "
        "positive to the atmosphere."
        + cells.states_text(status)
        + cells.beyond_text(beyond)
        + cells.widened_text(frame)
        + " Borders: Natural Earth 1:110 million.",
        "Maps of means and standard deviations; nine in ten cells are between: "
        + "; ".join(said)
        + ".",
    )


def _panels(frame: cells.Frame) -> tuple[Figure, np.ndarray]:
    """Return an empty figure and its panels (variable, mean or sd), laid out for a map's shape."""
    count = len(cells.YEARLY)
    if frame.shape < 0.5:
        rows, columns, beside, below = 1, 2 * count, 0.3, 0.8
    elif frame.shape < _WIDE:
        rows, columns, beside, below = 2, count, 0.4, 0.8
    else:
        rows, columns, beside, below = count, 2, 1.2, 0.15
    height = rows * ((style.WIDTH / columns - beside) / frame.shape + below) + 0.6
    figure = style.new_figure(min(height, _TALLEST))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True)
    return figure, grid.T if rows == 2 else grid.reshape(count, 2)


def _panel(
    axes: Axes, values: np.ndarray, frame: cells.Frame, shown: cells.Shown, text: str
) -> int:
    """Draw one map with its bar of colours; return how many values are beyond the colours' ends."""
    low, high, beyond = shown.limits(values)
    mesh = cells.draw_cells(
        axes, values, frame.longitude, frame.latitude, shown.colours, (low, high)
    )
    extend = ("both" if shown.low is None else "max") if beyond else "neither"
    if frame.shape < _WIDE:
        cells.colour_bar(axes, mesh, text.replace(" (", "\n("), extend, location="bottom", pad=0.02)
    else:
        cells.colour_bar(axes, mesh, text, extend, location="right", pad=0.02, shrink=0.9)
    return beyond


def _range(values: np.ndarray) -> str:
    there = values[np.isfinite(values)]
    if not there.size:
        return "without values"
    low, high = np.quantile(there, [0.05, 0.95])
    return f"{low:.3g} to {high:.3g}"


def _label_outer(figure: Figure) -> None:
    for axes in figure.axes:
        if axes.get_subplotspec() is not None:
            axes.label_outer()
