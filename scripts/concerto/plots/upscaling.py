"""What towers teach of cells: how good it is, what it rests on, and the maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from concerto.evaluation.upscaling import SCHEMES
from concerto.learning.dissimilarity import INSIDE
from concerto.plots import style

LABELS = {"gpp": "GPP", "nee": "NEE", "et": "ET"}
_UNITS = {"gpp": "gC m⁻² d⁻¹", "nee": "gC m⁻² d⁻¹", "et": "mm d⁻¹"}
_LOOK = {"site": ("#0072B2", "o"), "climate": ("#D55E00", "s")}
_CLIMATES = {
    "tropical": "#117733", "arid": "#E69F00", "temperate": "#56B4E9", "cold": "#332288",
    "polar": "#8C8C8C", "none": "#1A1A1A",
}  # fmt: skip
_STATED = np.arange(0.05, 0.96, 0.05)


@style.styled
def draw_skill(judged: Mapping[str, xr.Dataset], scores: pd.DataFrame) -> style.Drawing:
    """Draw means of towers that taught nothing, skill by climate, and what intervals hold.

    Parameters
    ----------
    judged
        By flux, as :func:`concerto.evaluation.upscaling.score_table` takes it.
    scores
        Of all fluxes, with the column ``flux``.
    """
    figure = style.new_figure(2.9 * len(judged) + 0.5)
    grid = figure.subplots(len(judged), 3, squeeze=False)
    told = []
    for (means, skill, reliability), (flux, ds) in zip(grid, judged.items(), strict=True):
        _means(means, flux, ds)
        own = scores[scores["flux"] == flux]
        _by_climate(skill, own)
        for scheme in (scheme for scheme in SCHEMES if f"{scheme}_rank" in ds):
            _reliability(reliability, scheme, ds[f"{scheme}_rank"].to_numpy())
            row = own[(own["scheme"] == scheme) & (own["name"] == "pooled")].iloc[0]
            told.append(
                f"{LABELS[flux]}, {SCHEMES[scheme]}: NSE {row['nse']:.2f} (season of the class "
                f"{row['nse_season']:.2f}), intervals of 90 % hold {100 * row['coverage90']:.0f} %"
            )
        means.set_ylabel(f"{LABELS[flux]} predicted ({_UNITS[flux]})")
        reliability.plot([0, 100], [0, 100], color="#999999", linewidth=0.8, zorder=1)
    grid[0, 0].set_title("Means of towers that taught nothing")
    grid[0, 1].set_title("Skill by climate")
    grid[0, 2].set_title("What intervals hold")
    grid[-1, 0].set_xlabel("measured")
    grid[-1, 1].set_xlabel("Nash-Sutcliffe efficiency (1)")
    grid[-1, 2].set_xlabel("stated share (%)")
    title = "Fluxes of towers that taught nothing"
    style.head(figure, title)
    style.shared_legend(figure, grid[0, 0], grid[0, 1], columns=5)
    caption = (
        "Left: mean flux of each tower as others taught it. Middle: skill over months in each main "
        "climate, where the tower, or all of the climate, taught nothing; crosses are the season "
        "of the class of land. Efficiencies below -1 are drawn at -1. Right: share of months in "
        f"central intervals. {'; '.join(told)}."
    )
    return style.Drawing(figure, title, caption, f"Scatter, dots and lines. {'; '.join(told)}.")


def _means(axes: Axes, flux: str, ds: xr.Dataset) -> None:
    known = np.isfinite(ds["observed"]) & np.isfinite(ds["site_mean"])
    seen, said = (
        ds[name].where(known).mean("time").to_numpy() for name in ("observed", "site_mean")
    )
    climates = ds["climate"].to_numpy().astype(str)
    for climate, colour in _CLIMATES.items():
        own = climates == climate
        if np.isfinite(seen[own]).any():
            axes.plot(seen[own], said[own], "o", color=colour, markersize=3, label=climate)
    both = np.concatenate([seen, said])
    ends = np.nanmin(both), np.nanmax(both)
    axes.plot(ends, ends, color="#999999", linewidth=0.8, zorder=1)


def _by_climate(axes: Axes, scores: pd.DataFrame) -> None:
    rows = scores[scores["group"] == "climate"]
    names = [name for name in _CLIMATES if name in set(rows["name"])]
    for y, name in enumerate(names):
        for scheme, (colour, marker) in _LOOK.items():
            one = rows[(rows["name"] == name) & (rows["scheme"] == scheme)]
            for row in one.itertuples():
                shift = 0.12 if scheme == "site" else -0.12
                axes.plot(max(row.nse, -1.0), y + shift, marker, color=colour, markersize=5,
                          label=SCHEMES[scheme])  # fmt: skip
                axes.plot(max(row.nse_season, -1.0), y + shift, "x", color=colour, markersize=4)
    axes.axvline(0.0, color="#999999", linewidth=0.8, zorder=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(-1.05, 1.0)


def _reliability(axes: Axes, scheme: str, rank: np.ndarray) -> None:
    known = rank[np.isfinite(rank)]
    held = np.mean(np.abs(known - 0.5) <= _STATED[:, None] / 2, axis=1)
    axes.plot(100 * _STATED, 100 * held, color=_LOOK[scheme][0])
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_ylabel("observed share (%)")


@style.styled
def draw_told(
    attributions: Mapping[str, pd.DataFrame], curves: Mapping[str, pd.DataFrame]
) -> style.Drawing:
    """Draw what predictions rest on, and how errors shrink with the number of towers."""
    figure = style.new_figure(3.6)
    left, right = figure.subplots(1, 2)
    order: list[str] = []
    told = []
    for number, (flux, table) in enumerate(attributions.items()):
        grown = table[table["scheme"] == "site"].groupby("group")["grown"].mean().sort_values()
        order = order or list(grown.index)
        share = (100.0 * grown / grown.clip(lower=0.0).sum()).reindex(order)
        tint = style.SPARE_COLOURS[0] if number == 0 else ("#117733", "#332288")[number - 1]
        left.barh(np.arange(len(order)) + 0.27 * (number - 1), share, 0.25, color=tint,
                  label=LABELS[flux])  # fmt: skip
        curve = curves[flux]
        right.plot(curve["teachers"], curve["rmse"] / curve["rmse"].iloc[-1], "o-", color=tint)
        told.append(f"{LABELS[flux]}: {share.idxmax()} {share.max():.0f} %")
    left.set_yticks(range(len(order)), order)
    left.set_xlabel("share of the error's growth if shuffled (%)")
    left.set_title("What predictions rest on")
    right.set_xlabel("towers that teach")
    right.set_ylabel("error over that with all (1)")
    right.set_title("Learning curve")
    title = "What predictions rest on"
    style.shared_legend(figure, left)
    words = f"Most is told, of {'; of '.join(told)}"
    return style.Drawing(
        figure,
        title,
        "Left: by how much the mean square error at towers that taught nothing grows if a group of "
        f"features is shuffled among months, of all groups' growth. {words}. Right: root mean "
        "square error at towers of three folds that taught nothing, by the number that teach.",
        f"Bars and lines. {words}.",
    )


@style.styled
def draw_map(name: str, fluxes: xr.Dataset) -> style.Drawing:
    """Draw means, spreads and dissimilarity: by latitude and month if cells are of one column."""
    names = [flux for flux in LABELS if f"{flux}_mean" in fluxes]
    figure = style.new_figure(2.7 * len(names) + 0.4)
    grid = figure.subplots(len(names), 3, squeeze=False, sharex=True, sharey=True)
    column = len(np.unique(fluxes["lon"])) == 1
    told = []
    for row, flux in zip(grid, names, strict=True):
        threshold = float(fluxes[f"{flux}_dissimilarity"].attrs["threshold"])
        inside = float((fluxes[f"{flux}_status"] == INSIDE).mean())
        told.append(f"{LABELS[flux]} {100 * inside:.0f} %")
        limits = {"dissimilarity": {"vmin": 0.0, "vmax": 2.0 * threshold, "cmap": "cividis_r"}}
        words = {
            "mean": f"{LABELS[flux]} ({_UNITS[flux]})",
            "sd": f"standard deviation ({_UNITS[flux]})",
            "dissimilarity": f"dissimilarity, limit {threshold:.2f} (1)",
        }
        for axes, part in zip(row, words, strict=True):
            look = limits.get(
                part, {"cmap": "viridis" if flux != "nee" or part == "sd" else "PuOr_r"}
            )
            if part == "mean" and flux == "nee":
                most = float(np.nanmax(np.abs(fluxes["nee_mean"])))
                look |= {"vmin": -most, "vmax": most}
            values = fluxes[f"{flux}_{part}"]
            if part != "dissimilarity":
                values = values.where(fluxes[f"{flux}_status"] == INSIDE)
            mesh = (_by_month if column else _by_place)(axes, values, look)
            figure.colorbar(mesh, ax=axes, label=words[part], pad=0.02)
    for axes in grid[:, 0]:
        axes.set_ylabel("latitude (°N)")
    for axes in grid[-1]:
        axes.set_xlabel("month" if column else "longitude (°E)")
    title = f"{name}: monthly fluxes as towers teach them"
    style.head(figure, title)
    return style.Drawing(
        figure,
        title,
        "Left: what towers teach. Middle: its standard deviation. Right: the dissimilarity index; "
        "beyond its limit a prediction extrapolates. White: extrapolated, of a class of land that "
        "no tower has, or not told what it needs, and no observation. Within the area of "
        f"applicability, of all months of cells: {', '.join(told)}."
        + ("" if column else " All are means over time."),
        f"Nine panels. Within the area of applicability: {', '.join(told)}.",
    )


def _by_month(axes: Axes, quantity: xr.DataArray, look: dict) -> object:
    """Draw a quantity by month and latitude, with empty rows where no cell is."""
    latitude = quantity["lat"].to_numpy()
    step = np.diff(np.unique(latitude)).min() if len(latitude) > 1 else 0.5
    rows = np.round((latitude - latitude.min()) / step).astype(int)
    values = np.full((rows.max() + 1, quantity.sizes["time"]), np.nan)
    values[rows] = quantity.transpose("location", "time")
    edges = latitude.min() + step * (np.arange(rows.max() + 2) - 0.5)
    months = np.arange(quantity.sizes["time"] + 1) + 0.5
    axes.grid(visible=False)
    return axes.pcolormesh(months, edges, values, **look)


def _by_place(axes: Axes, quantity: xr.DataArray, look: dict) -> object:
    axes.grid(visible=False)
    values = quantity.mean("time")
    return axes.scatter(
        quantity["lon"], quantity["lat"], 5, values, marker="s", linewidths=0, **look
    )
