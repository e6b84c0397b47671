"""Scores of land models' benchmarking, and how fluxes answer to weather and to leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from concerto.domain import DRIVERS
from concerto.evaluation.ilamb import OVERALL, WEIGHTS
from concerto.evaluation.ilamb_maps import REGRESSION, SEASON
from concerto.evaluation.quantities import BASELINES, QUANTITIES, plain_unit, predictor_label
from concerto.plots import style

_WORDS = {
    "bias": "bias", "rmse": "RMSE", "phase": "season", "interannual": "years",
    "distribution": "pattern", OVERALL: "overall",
    "with_tas": "to warmth", "with_rsds": "to light", "with_vpd": "to dry air",
    "with_pr": "to rain", "with_lai": "to LAI", "with_fapar": "to fAPAR", "with_sif": "to SIF",
}  # fmt: skip
_ACROSS = 4  # panels
_DARK = 0.55  # scores below it are on dark ground


@style.styled
def draw(
    site: str, scores: pd.DataFrame, responses: pd.DataFrame, product: str, *, converged: bool
) -> style.Drawing:
    """Draw all scores as a table, and the responses of one flux to each driver.

    Parameters
    ----------
    site
        Name of the site.
    scores, responses
        What :func:`concerto.evaluation.ilamb.score_site` returns.
    product
        The published method, which is drawn beside the baselines.
    converged
        Whether its posterior has.
    """
    title = f"{site}: scores of land models' benchmarking"
    words = (
        "Above: scores of Collier et al. (2018) on monthly means of withheld days, and of the "
        "responses to weather and leaves on withheld days; 1 is perfect, and what has no value "
        "(one year has no differences between years) is left out of the overall score, in which "
        "RMSE counts twice. Below: mean GPP, or the first flux, of withheld days by weather, and "
        "by leaves as each says that they are."
    )
    return _draw(title, words, scores, [_of_one_flux(responses)], (product, *BASELINES), converged)


@style.styled
def draw_map(
    name: str, scores: pd.DataFrame, responses: pd.DataFrame, method: str
) -> style.Drawing:
    """Draw the scores of a map as a table, and each variable's responses.

    Parameters
    ----------
    name
        The map in words.
    scores, responses
        What :func:`concerto.evaluation.ilamb_maps.score_map` returns.
    method
        That of the map.
    """
    title = f"{name}: scores of land models' benchmarking"
    words = (
        "Above: scores of Collier et al. (2018) on monthly means of the cells, averaged by area, "
        "of what was assimilated: a fit, no test. Baselines are told by other cells alone. The "
        "pattern is that of the means over time; 1 is perfect, and what has no value (one year "
        "has no differences between years) is left out of the overall score, in which RMSE "
        "counts twice. Below: means of all cells and months by weather, and by leaves as each says "
        "that they are. GPP has no observed line where no map of it was observed."
    )
    parts = [rows for _, rows in responses.groupby("variable", sort=False)]
    return _draw(title, words, scores, parts, (method, SEASON, REGRESSION), converged=True)


def _draw(
    title: str,
    words: str,
    scores: pd.DataFrame,
    parts: list[pd.DataFrame],
    predictors: tuple[str, ...],
    converged: bool,
) -> style.Drawing:
    parts = [part for part in parts if len(part)]
    rows = [_rows_of(part) for part in parts]
    high = [0.5 + 2.3 * count for count in rows]
    heights = [1.0 + 0.24 * max(len(scores), 1), *high]
    figure = style.new_figure(sum(heights) + 0.2)
    upper, *lower = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _table(upper.subplots(), scores)
    for part, curves, count in zip(lower, parts, rows, strict=True):
        _curves(part, curves, predictors, count)
    style.head(figure, title, converged)
    best = scores[scores["predictor"] == predictors[0]].set_index("variable")[OVERALL]
    return style.Drawing(
        figure,
        title,
        words + style.warning_text(converged),
        "; ".join(
            f"overall score of {predictor_label(predictors[0])} for {QUANTITIES[name].label}: "
            f"{value:.2f}"
            for name, value in best.items()
        ),
    )


def _rows_of(curves: pd.DataFrame) -> int:
    return -(-curves["driver"].nunique() // _ACROSS)


def _of_one_flux(responses: pd.DataFrame) -> pd.DataFrame:
    """Return the responses of GPP or, where there is none, of the first flux."""
    fluxes = list(dict.fromkeys(responses["variable"]))
    flux = "gpp" if "gpp" in fluxes else next(iter(fluxes), "")
    return responses[responses["variable"] == flux]


def _curves(part: SubFigure, curves: pd.DataFrame, predictors: tuple[str, ...], rows: int) -> None:
    drivers = list(dict.fromkeys(curves["driver"]))
    across = -(-len(drivers) // rows)
    panels = part.subplots(rows, across, sharey=True, squeeze=False)
    for axes, driver in zip(panels.flat, drivers, strict=False):
        some = curves[curves["driver"] == driver]
        if some["observed"].notna().any():
            axes.plot(
                some["middle"], some["observed"], "o-", markersize=3, color=style.OBSERVED,
                label="observed",
            )  # fmt: skip
        for name in predictors:
            if name in some and some[name].notna().any():
                axes.plot(
                    some["middle"], some[name], color=style.colour(name),
                    linestyle="-" if name == predictors[0] else "--", label=predictor_label(name),
                )  # fmt: skip
        axes.set_xlabel(_axis(driver))
    for axes in panels.flat[len(drivers) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel(QUANTITIES[curves["variable"].iloc[0]].axis)
    style.shared_legend(part, *panels.flat[: len(drivers)])


def _axis(driver: str) -> str:
    """Return what an axis of a driver, or of leaves, says."""
    if driver in QUANTITIES:
        return QUANTITIES[driver].axis
    quantity = DRIVERS[driver]
    return f"{quantity.long_name}\n({plain_unit(quantity.units)})"


def _table(axes: Axes, scores: pd.DataFrame) -> None:
    columns = [name for name in _WORDS if name in scores and scores[name].notna().any()]
    if not columns:
        axes.set_axis_off()
        axes.text(0.0, 0.5, "Too few withheld months to score.", transform=axes.transAxes)
        return
    values = scores[columns].to_numpy(dtype=float)
    axes.imshow(values, vmin=0.0, vmax=1.0, cmap="viridis", aspect="auto")
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        axes.text(
            column, row, f"{value:.2f}", ha="center", va="center", fontsize=7.5,
            color="white" if value < _DARK else "black",
        )  # fmt: skip
    axes.set_xticks(range(len(columns)), [_WORDS[name] for name in columns])
    names = [
        f"{QUANTITIES[row.variable].label}, {predictor_label(row.predictor)}"
        for row in scores.itertuples()
    ]
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    split = len([name for name in columns if name in (*WEIGHTS, OVERALL)])
    axes.axvline(split - 0.5, color="white", linewidth=3)
    for row in np.flatnonzero(scores["variable"].to_numpy()[1:] != scores["variable"][:-1]):
        axes.axhline(row + 0.5, color="white", linewidth=3)
