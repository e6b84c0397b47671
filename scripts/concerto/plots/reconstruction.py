"""Reconstructed land cover and leaves: how good they are, and how they change in time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from concerto.plots import style

_COVERS = {
    "ENF": "#004D40", "EBF": "#117733", "DNF": "#5E8C61", "DBF": "#44AA99", "MF": "#88CC88",
    "shrub": "#999933", "savanna": "#DDCC77", "grass": "#B7E07A", "wetland": "#56B4E9",
    "crop": "#E69F00", "urban": "#882255", "snow": "#DDEEFF", "bare": "#C9C2B8",
}  # fmt: skip
_LEARNT, _OTHER = "#0072B2", "#8C8C8C"
_GAP = 3.0  # times the usual step of latitude


@style.styled
def draw(
    name: str,
    leaf_scores: pd.DataFrame,
    leaf_judged: xr.Dataset,
    leaves: xr.Dataset,
    cover: tuple[xr.Dataset, pd.DataFrame, xr.Dataset] | None,
) -> style.Drawing:
    """Draw scores of covers and of leaves, and what covers and leaves become.

    Parameters
    ----------
    name
        Whose cells they are.
    leaf_scores, leaf_judged, leaves
        As rule reconstruct_leaves writes them.
    cover
        Cover through time, its scores, and what was judged, as rule reconstruct_cover writes them.
    """
    figure = style.new_figure(6.4 if cover else 3.4)
    grid = figure.subplots(2 if cover else 1, 2, squeeze=False)
    told, caption = [], []
    if cover:
        history, scores, _ = cover
        told.append(_cover_scores(grid[0, 0], scores))
        _through_time(grid[0, 1], history)
        caption.append(
            "Above left: how well the fraction of each cover is told in regions that taught "
            "nothing, beside what the coarse product alone says. Above right: mean fractions of "
            f"all cells by year; {history['land_cover'].attrs['comment']}."
        )
    told.append(_leaf_scores(grid[-1, 0], leaf_scores))
    if leaves.sizes["year"] > 1:
        _leaf_change(grid[-1, 1], leaves)
        what = "leaf area by latitude, mean of the year, under the cover of some years"
    else:
        _leaf_scatter(grid[-1, 1], leaf_judged)
        what = "means of places that taught nothing, learnt against seen"
    stream = leaf_scores["stream"].iloc[0]
    caption.append(
        f"{'Below left' if cover else 'Left'}: how well monthly {stream} is told where, or when, "
        f"nothing was taught. Right: {what}."
    )
    title = f"{name}: land cover and leaves where neither was seen"
    style.head(figure, title)
    words = " ".join(told)
    return style.Drawing(figure, title, f"{' '.join(caption)} {words}", f"Four panels. {words}")


def _cover_scores(axes: Axes, scores: pd.DataFrame) -> str:
    table = scores.pivot_table(index="name", columns="predictor", values="nse")
    every = table.loc["all"]
    table = table.drop(index="all").reindex(list(_COVERS)).dropna(how="all")
    y = np.arange(len(table))
    axes.barh(y + 0.2, table["learnt"].clip(lower=-0.3), 0.38, color=_LEARNT, label="learnt")
    axes.barh(y - 0.2, table["coarse product"].clip(lower=-0.3), 0.38, color=_OTHER,
              label="coarse product")  # fmt: skip
    axes.set_yticks(y, table.index)
    axes.set_xlabel("efficiency in regions held out (1)")
    axes.set_title("Land cover")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=2)
    wrong = scores[scores["name"] == "all"].set_index("predictor")["error"]
    return (
        f"Land misplaced: {100 * wrong['learnt']:.0f} % learnt, "
        f"{100 * wrong['coarse product']:.0f} % by the coarse product (efficiency "
        f"{every['learnt']:.2f} and {every['coarse product']:.2f})."
    )


def _through_time(axes: Axes, history: xr.Dataset) -> None:
    fractions = history["land_cover"].mean("location").transpose("cover", "year")
    axes.stackplot(
        history["year"], 100.0 * fractions, labels=list(_COVERS), colors=list(_COVERS.values())
    )
    axes.set_xlim(int(history["year"][0]), int(history["year"][-1]))
    axes.set_ylim(0, 100)
    axes.set_ylabel("share of land (%)")
    axes.set_title("Reconstructed cover")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)


def _leaf_scores(axes: Axes, scores: pd.DataFrame) -> str:
    rows = scores[scores["name"] == "all"]
    names = [f"{row.predictor}, {row.held_out}" for row in rows.itertuples()]
    tints = [_LEARNT if row.predictor == "learnt" else _OTHER for row in rows.itertuples()]
    y = np.arange(len(rows))[::-1]
    axes.barh(y, rows["nse"], 0.6, color=tints)
    axes.set_yticks(y, names)
    axes.set_xlabel("efficiency over months held out (1)")
    axes.set_title("Leaves")
    said = "; ".join(f"{n} held out {v:.2f}" for n, v in zip(names, rows["nse"], strict=True))
    return f"Leaves, efficiency: {said}."


def _leaf_change(axes: Axes, leaves: xr.Dataset) -> None:
    years = leaves["year"].to_numpy()
    shown = years[[0, len(years) // 2, -1]]
    order = np.argsort(leaves["lat"].to_numpy())
    lat = leaves["lat"].to_numpy()[order]
    steps = np.diff(lat)
    # no line over places without leaves that were told
    usual = np.median(steps) if len(steps) else 0.0
    gaps = 1 + np.flatnonzero(steps > _GAP * usual)
    for year, tint in zip(shown, ("#E69F00", "#56B4E9", "#332288"), strict=True):
        own = leaves["lai"].sel(year=year).mean("time").to_numpy()[order]
        axes.plot(
            np.insert(own, gaps, np.nan), np.insert(lat, gaps, np.nan), color=tint, label=year
        )
    axes.set_xlabel("leaf area index (1)")
    axes.set_ylabel("latitude (°N)")
    axes.set_title("Leaves under the cover of years")
    axes.legend()


def _leaf_scatter(axes: Axes, judged: xr.Dataset) -> None:
    known = np.isfinite(judged["observed"]) & np.isfinite(judged["learnt"])
    seen, said = (judged[part].where(known).mean("time") for part in ("observed", "learnt"))
    axes.plot(seen, said, "o", color=_LEARNT, markersize=3)
    most = float(max(seen.max(), said.max()))
    axes.plot([0, most], [0, most], color="#999999", linewidth=0.8)
    axes.set(xlabel="seen", ylabel="learnt", title="Means of places that taught nothing")
