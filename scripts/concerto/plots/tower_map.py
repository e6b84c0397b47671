"""Where predictions at towers are good, and where a climatology is better."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.lines import Line2D

from concerto.evaluation.quantities import label
from concerto.networks import LEAST_VALUES
from concerto.plots import cells, style, towers

_BOUNDS = (-0.25, 0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0)
_COLOURS = ListedColormap(
    ["#B2182B", "#F4A582", "#FDDBC7", "#D1E5F0", "#92C5DE", "#4393C3", "#2166AC"]
).with_extremes(under="#67001F")
_MARGIN = 6.0  # degrees around the towers
_ZOOM = (44.0, 26.0)  # degrees of longitude and latitude that are shown larger
_LOOK = {"s": 26, "edgecolors": "#333333", "linewidths": 0.4, "zorder": 4}


@style.styled
def draw(
    name: str, scores: pd.DataFrame, judged: xr.Dataset, borders: geopandas.GeoDataFrame
) -> style.Drawing:
    """Draw the NSE of the combined prediction of withheld months at each tower.

    Parameters
    ----------
    name
        The network in words.
    scores
        Of :func:`concerto.plots.towers.read_scores`.
    judged
        What was predicted of what was withheld; of it the places.
    borders
        Polygons of the countries, in longitude and latitude.
    """
    fluxes = towers.fluxes_in(scores)
    latitude, longitude = (judged[axis].to_numpy() for axis in ("lat", "lon"))
    frames = _frame(latitude, longitude), _frame(*_densest(latitude, longitude), margin=0.0)
    countries = [cells.land_in(borders, frame) for frame in frames]
    across = sum(frame.shape for frame in frames)
    height = (style.WIDTH - 1.1) / across
    figure = style.new_figure(1.3 + (height + 0.4) * len(fluxes))
    grid = figure.subplots(
        len(fluxes), 2, squeeze=False, width_ratios=[frame.shape for frame in frames]
    )
    mesh, told = None, []
    names = judged["location"].to_numpy().astype(str)
    for panels, flux in zip(grid, fluxes, strict=True):
        good = _skill(scores, flux).reindex(names)
        for axes, frame, land in zip(panels, frames, countries, strict=True):
            mesh = _towers(axes, good, latitude, longitude)
            cells.draw_land(axes, land, frame)
        panels[0].set_title(label(flux))
        judged_here = good["nse"].notna()
        told.append(
            f"{label(flux)}: better than the climatology at {int(good['better'].sum())} of "
            f"{int(judged_here.sum())} towers, NSE below 0 at {int((good['nse'] < 0.0).sum())}"
        )
    bar = figure.colorbar(
        mesh, ax=grid, location="bottom", extend="min", shrink=0.5, aspect=40, pad=0.02
    )
    bar.set_label("NSE of the tower's withheld months")
    bar.ax.set_xticks(_BOUNDS, [f"{x:g}".replace("-", "\N{MINUS SIGN}") for x in _BOUNDS])
    figure.legend(handles=_marks(), loc="outside lower center", ncols=3)
    title = f"{name}: skill of the combined prediction"
    style.head(figure, title)
    return style.Drawing(
        figure,
        title,
        "NSE of the combined prediction of months that were withheld, by tower; right, the part "
        "of the world with the most towers. NSE compares with the mean of the tower's own "
        "withheld months: it is low where a flux hardly varies, however small the error. "
        f"{'; '.join(told)}. Towers with fewer than {LEAST_VALUES} withheld months are small grey "
        "points. Borders: Natural Earth 1:110 million.",
        f"Maps of the towers in colours of their NSE. {'; '.join(told)}.",
    )


def _frame(latitude: np.ndarray, longitude: np.ndarray, margin: float = _MARGIN) -> cells.Frame:
    """Return a view around some places, which are drawn as long as they are at its middle."""
    west, east = max(longitude.min() - margin, -180.0), min(longitude.max() + margin, 180.0)
    south, north = max(latitude.min() - margin, -90.0), min(latitude.max() + margin, 90.0)
    stretch = 1 / np.cos(np.radians(np.clip((south + north) / 2, -75, 75)))
    edges = np.array([south, north]), np.array([west, east])
    return cells.Frame(*edges, (west, east, south, north), stretch, 1.0)


def _densest(latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sides of a box of ``_ZOOM``: of those around a tower that with the most towers."""
    wide, high = _ZOOM
    near = (np.abs(longitude - longitude[:, None]) <= wide / 2) & (
        np.abs(latitude - latitude[:, None]) <= high / 2
    )
    there = near[int(near.sum(axis=1).argmax())]
    sides = []
    for degrees, size in ((latitude[there], high), (longitude[there], wide)):
        sides.append((degrees.min() + degrees.max()) / 2 + size * np.array([-0.5, 0.5]))
    return sides[0], sides[1]


def _skill(scores: pd.DataFrame, flux: str) -> pd.DataFrame:
    """Return of each tower the NSE of the combined prediction, and if it beats the climatology.

    Towers with few values have none.
    """
    enough = scores[scores["n"] >= LEAST_VALUES]
    nse, rmse = (towers.by_tower(enough, flux, metric) for metric in ("nse", "rmse"))
    better = rmse[towers.BEST] < rmse[towers.BASELINE]
    return pd.DataFrame({"nse": nse[towers.BEST], "better": better.astype(float)})


def _towers(axes: Axes, good: pd.DataFrame, latitude: np.ndarray, longitude: np.ndarray) -> object:
    """Draw the towers, the worst on top; return what a bar of colours needs."""
    nse = good["nse"].to_numpy()
    none = ~np.isfinite(nse)
    axes.plot(longitude[none], latitude[none], ".", color="#8C8C8C", markersize=3, zorder=3.5)
    mesh = None
    for marker, chosen in (("o", good["better"] == 1.0), ("v", good["better"] == 0.0)):
        order = np.flatnonzero(chosen.to_numpy())
        order = order[np.argsort(-nse[order])]
        mesh = axes.scatter(
            longitude[order], latitude[order], c=nse[order], marker=marker, cmap=_COLOURS,
            norm=BoundaryNorm(_BOUNDS, _COLOURS.N), **_LOOK,
        )  # fmt: skip
    return mesh


def _marks() -> list[Line2D]:
    look = {"linestyle": "none", "color": "#D9D9D9", "markeredgecolor": "#333333"}
    return [
        Line2D([], [], marker="o", label="better than the climatology", **look),
        Line2D([], [], marker="v", label="no better", **look),
        Line2D([], [], marker=".", color="#8C8C8C", linestyle="none", label="too few months"),
    ]
