"""Scores of land models' benchmarking, and how fluxes answer to weather."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from concerto.domain import DRIVERS
from concerto.evaluation.ilamb import OVERALL, WEIGHTS
from concerto.evaluation.quantities import BASELINES, QUANTITIES, plain_unit, predictor_label
from concerto.plots import style

_WORDS = {
    "bias": "bias", "rmse": "RMSE", "phase": "season", "interannual": "years", OVERALL: "overall",
    "with_tas": "to warmth", "with_rsds": "to light", "with_vpd": "to dry air",
    "with_pr": "to rain",
}  # fmt: skip
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
    curves = _of_one_flux(responses)
    drivers = list(dict.fromkeys(curves["driver"]))
    heights = [1.0 + 0.24 * len(scores), *([2.6] if drivers else [])]
    figure = style.new_figure(sum(heights) + 0.2)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    upper, *lower = parts[:, 0]
    _table(upper.subplots(), scores)
    for part in lower:
        _curves(part, curves, drivers, product)
    style.head(figure, title, converged)
    best = scores[scores["predictor"] == product].set_index("variable")[OVERALL]
    return style.Drawing(
        figure,
        title,
        "Above: scores of Collier et al. (2018) on monthly means of withheld days, and of the "
        "responses to weather on withheld days; 1 is perfect, and what has no value (one year "
        "has no differences between years) is left out of the overall score, in which RMSE "
        "counts twice. Below: mean GPP, or the first flux, of withheld days by weather."
        + style.warning_text(converged),
        "; ".join(
            f"overall score of {predictor_label(product)} for {QUANTITIES[name].label}: {value:.2f}"
            for name, value in best.items()
        ),
    )


def _of_one_flux(responses: pd.DataFrame) -> pd.DataFrame:
    """Return the responses of GPP or, where there is none, of the first flux."""
    fluxes = list(dict.fromkeys(responses["variable"]))
    flux = "gpp" if "gpp" in fluxes else next(iter(fluxes), "")
    return responses[responses["variable"] == flux]


def _curves(part: SubFigure, curves: pd.DataFrame, drivers: list[str], product: str) -> None:
    panels = part.subplots(1, len(drivers), sharey=True, squeeze=False)[0]
    for axes, driver in zip(panels, drivers, strict=True):
        some = curves[curves["driver"] == driver]
        axes.plot(
            some["middle"], some["observed"], "o-", markersize=3, color=style.OBSERVED,
            label="observed",
        )  # fmt: skip
        for name in (product, *BASELINES):
            if name in some and some[name].notna().any():
                axes.plot(
                    some["middle"], some[name], color=style.colour(name),
                    linestyle="-" if name == product else "--", label=predictor_label(name),
                )  # fmt: skip
        quantity = DRIVERS[driver]
        axes.set_xlabel(f"{quantity.long_name}\n({plain_unit(quantity.units)})")
    panels[0].set_ylabel(QUANTITIES[curves["variable"].iloc[0]].axis)
    style.shared_legend(part, panels[0])


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
