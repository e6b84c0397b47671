"""Time series of the towers whose predictions are farthest off."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from concerto.evaluation.quantities import QUANTITIES, label
from concerto.networks import FLUXES, KNOWN, NEW
from concerto.plots import style, towers

_TINT = towers.PREDICTORS["combined"][1]
_AROUND = pd.DateOffset(months=6)
_HALF_MONTH = pd.Timedelta(days=15)


@style.styled
def draw(
    name: str, worst: pd.DataFrame, judged: xr.Dataset, predictions: xr.Dataset
) -> style.Drawing:
    """Draw each flux of the worst towers, a row for each tower.

    Parameters
    ----------
    name
        The network in words.
    worst
        Of :func:`concerto.evaluation.tower_reasons.explain`.
    judged
        What was withheld, and what was predicted of it in the inner trial.
    predictions
        The published predictions.
    """
    figure = style.new_figure(1.3 + 1.42 * len(worst))
    grid = figure.subplots(len(worst), len(FLUXES), squeeze=False, sharex="row")
    for panels, row in zip(grid, worst.itertuples(), strict=True):
        own, final = judged.sel(location=row.tower), predictions.sel(site=row.tower)
        shown = _window(own)
        for axes, flux in zip(panels, FLUXES, strict=True):
            _series(axes, flux, own.isel(time=shown), final.isel(time=shown))
            share = getattr(row, f"share_{flux}")
            axes.set_title(
                f"{100 * share:.1f} % of squared errors", loc="right", fontsize=7,
                fontweight="bold" if flux == row.flux else "normal",
                color=style.WARNING if flux == row.flux else "#444444",
            )  # fmt: skip
            style.date_axis(axes)
            axes.tick_params(labelsize=7)
        panels[0].set_title(f"{row.tower} ({row.igbp})", fontsize=8.5)
    for row in grid:
        for axes, flux in zip(row, FLUXES, strict=True):
            axes.set_ylabel(QUANTITIES[flux].axis, fontsize=7)
    title = f"{name}: the {len(worst)} towers with the largest errors"
    style.head(figure, title)
    style.shared_legend(figure, *grid.ravel())
    named = ", ".join(f"{row.tower} ({label(row.flux)})" for row in worst.itertuples())
    return style.Drawing(
        figure,
        title,
        "Monthly values of the towers with the largest share in the squared errors of the "
        "combined prediction, by the mean over the fluxes; red, the flux with the largest share, "
        "which the reasons in the table are of. Orange: months withheld in the trial, and the "
        "line, their prediction without them, which is judged. Blue: the published prediction "
        "with its bands of 50 % and 90 %, which was told all observed months.",
        f"Time series of {', '.join(label(flux) for flux in FLUXES)}, observed and predicted, at "
        f"{named}.",
    )


def _window(judged: xr.Dataset) -> np.ndarray:
    """Return which months (time,) are shown: those with a value of any flux, and some around."""
    seen = np.any([np.isfinite(judged[f"{flux}_{NEW}_observed"]) for flux in FLUXES], axis=0)
    times = judged.indexes["time"]
    first, last = times[seen][[0, -1]]
    return np.asarray((times >= first - _AROUND) & (times <= last + _AROUND))


def _series(axes: Axes, flux: str, judged: xr.Dataset, predictions: xr.Dataset) -> None:
    x = judged.indexes["time"] + _HALF_MONTH
    for low, high, alpha, text in (
        ("q05", "q95", 0.18, "90 % band"),
        ("q25", "q75", 0.35, "50 % band"),
    ):
        axes.fill_between(
            x, predictions[f"{flux}_{low}"], predictions[f"{flux}_{high}"], color=_TINT,
            alpha=alpha, linewidth=0, label=text,
        )  # fmt: skip
    axes.plot(x, predictions[f"{flux}_mean"], color=_TINT, linewidth=0.9, label="published mean")
    every, withheld = (judged[f"{flux}_{s}_observed"].to_numpy() for s in (NEW, KNOWN))
    tried = np.where(np.isfinite(withheld), judged[f"{flux}_{KNOWN}_combined"].to_numpy(), np.nan)
    axes.plot(x, tried, color=style.WITHHELD, linewidth=1.1, label="predicted without them")
    look = {"linestyle": "none", "marker": "o", "markersize": 2.4, "markeredgecolor": "none"}
    taught = np.where(np.isfinite(withheld), np.nan, every)
    axes.plot(x, taught, color=style.ASSIMILATED, label="taught", **look)
    axes.plot(x, withheld, color=style.WITHHELD, label="withheld in the trial", **look)
