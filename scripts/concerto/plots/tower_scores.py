"""How good predictions at towers are, beside a climatology: over all towers, and by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from concerto.evaluation.quantities import QUANTITIES, label, plain_unit
from concerto.plots import style, towers

_LOWEST = -0.5  # NSE that panels of classes begin with
_GAP = 1.6  # rows between settings
_METRICS = (("pooled", "nse", "NSE of all months"), ("median", "nse", "NSE of the median tower"),
            ("pooled", "crps", "CRPS of all months"))  # fmt: skip


@style.styled
def draw(name: str, scores: pd.DataFrame) -> style.Drawing:
    """Draw NSE and CRPS of each predictor and flux, of known and of new towers.

    Parameters
    ----------
    name
        The network in words.
    scores
        Of :func:`concerto.plots.towers.read_scores`.
    """
    fluxes = towers.fluxes_in(scores)
    rows = _rows(scores)
    figure = style.new_figure(1.1 + 1.9 * len(fluxes))
    grid = figure.subplots(len(fluxes), len(_METRICS), squeeze=False, sharey=True)
    for panels, flux in zip(grid, fluxes, strict=True):
        for axes, (which, metric, text) in zip(panels, _METRICS, strict=True):
            values = towers.pooled(scores, which)[metric]
            unit = f" ({plain_unit(QUANTITIES[flux].unit)})" if metric == "crps" else ""
            _bars(axes, [(y, values[setting, flux, own], own) for y, setting, own in rows])
            axes.set_title(f"{label(flux)}: {text}{unit}", fontsize=8)
    _name_rows(grid[:, 0], rows)
    title = f"{name}: predictions of withheld months"
    style.head(figure, title)
    every = towers.pooled(scores)
    told = "; ".join(
        f"{label(flux)}, {towers.SETTINGS[setting]}: "
        + ", ".join(
            f"{towers.PREDICTORS[own][0]} {every.nse[setting, flux, own]:.2f}"
            for own in towers.predictors_in(scores, setting)
        )
        for flux in fluxes
        for setting in towers.SETTINGS
    )
    return style.Drawing(
        figure,
        title,
        "Scores on months that no predictor was told. Above: the last part of each tower's record "
        "is withheld, and the climatology is the mean of the taught years of its calendar month. "
        "Below: no flux of the tower itself was told. NSE: share of the variance that is "
        "predicted, 1 at best, below 0 worse than the mean (of all towers together, and of the "
        "median tower by itself); CRPS: error of the predicted distribution, the smaller the "
        f"better. {_counts(every, fluxes)}",
        f"Bars of scores by flux, predictor and setting; NSE of all months: {told}.",
    )


@style.styled
def draw_classes(name: str, scores: pd.DataFrame) -> style.Drawing:
    """Draw the NSE of each predictor and flux by class of land; parameters as of :func:`draw`."""
    fluxes = towers.fluxes_in(scores)
    classes = scores[scores["group"] == "class"]
    settings = list(towers.SETTINGS)
    count = [classes.loc[classes["setting"] == s, "name"].nunique() for s in settings]
    figure = style.new_figure(1.4 + 0.25 * sum(count))
    grid = figure.subplots(
        len(settings), len(fluxes), squeeze=False, sharex=True, height_ratios=count
    )
    beyond = 0
    for panels, setting in zip(grid, settings, strict=True):
        for axes, flux in zip(panels, fluxes, strict=True):
            own = classes[(classes["setting"] == setting) & (classes["flux"] == flux)]
            beyond += _classes(axes, own)
            axes.set_title(f"{label(flux)}, {towers.SETTINGS[setting]}", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("NSE of all months of a class")
    title = f"{name}: predictions by class of land"
    style.head(figure, title)
    style.shared_legend(figure, *grid.ravel())
    said = (
        f" {beyond} values are below {_number(_LOWEST, 1)}, drawn at the edge as arrows."
        if beyond
        else ""
    )
    return style.Drawing(
        figure,
        title,
        "NSE of withheld months by IGBP class of land, the number of towers in brackets: how much "
        "of the variance among all months of a class's towers is predicted. Where a class has few "
        f"towers, this says little.{said}",
        f"Points of the NSE of each predictor, by flux and {max(count)} classes of land.",
    )


def _rows(scores: pd.DataFrame) -> list[tuple[float, str, str]]:
    """Return the height of each bar with its setting and predictor, from above to below."""
    rows, y = [], 0.0
    for setting in towers.SETTINGS:
        for own in towers.predictors_in(scores, setting):
            rows.append((y, setting, own))
            y -= 1.0
        y -= _GAP - 1.0
    return rows


def _bars(axes: Axes, bars: list[tuple[float, float, str]]) -> None:
    """Draw a bar for each value (height, value, predictor), with its number."""
    values = np.array([value for _, value, _ in bars])
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    for y, value, own in bars:
        axes.barh(y, value, height=0.72, color=towers.PREDICTORS[own][1])
        axes.annotate(
            _number(value, 2), (max(value, 0.0), y), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize=7.5,
        )  # fmt: skip
    axes.axvline(0.0, color="#666666", linewidth=0.8)
    axes.set_xlim(low - 0.02 * (high - low), high + 0.16 * (high - low))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _name_rows(panels: np.ndarray, rows: list[tuple[float, str, str]]) -> None:
    """Name predictors beside the bars, and say above the first of a setting which it is."""
    firsts = {setting: y for y, setting, _ in reversed(rows)}
    for axes in panels:
        axes.set_yticks([y for y, _, _ in rows], [towers.PREDICTORS[own][0] for *_, own in rows])
        axes.set_ylim(rows[-1][0] - 0.6, 1.0)
        for setting, y in firsts.items():
            axes.annotate(
                towers.SETTINGS[setting].capitalize(), (0, y + 0.55),
                xycoords=("axes fraction", "data"), xytext=(-4, 0), textcoords="offset points",
                fontsize=7.5, color="#444444", fontweight="bold", ha="right", va="bottom",
            )  # fmt: skip


def _counts(every: pd.DataFrame, fluxes: list[str]) -> str:
    """Return a sentence on how many months of how many towers are judged."""
    parts = []
    for flux in fluxes:
        rows = [every.loc[setting, flux, "learned"] for setting in towers.SETTINGS]
        counts = [f"{row.n:,.0f} of {row.towers:.0f}" for row in rows]
        parts.append(f"{label(flux)} {' and '.join(counts)} towers")
    return f"Months judged, above and below: {'; '.join(parts)}."


def _classes(axes: Axes, scores: pd.DataFrame) -> int:
    """Draw the scores of a flux by class; return how many are below the panel's beginning."""
    counts = scores.groupby("name")["towers"].max().sort_values()
    at = {name: y for y, name in enumerate(counts.index)}
    beyond = 0
    for own, (text, colour) in towers.PREDICTORS.items():
        rows = scores[scores["predictor"] == own]
        if rows.empty:
            continue
        y, values = rows["name"].map(at).to_numpy(float), rows["nse"].to_numpy()
        low = values < _LOWEST
        axes.plot(values[~low], y[~low], "o", color=colour, markersize=4.5, label=text, alpha=0.9)
        axes.plot(np.full(low.sum(), _LOWEST), y[low], "<", color=colour, markersize=5)
        beyond += int(low.sum())
    axes.axvline(0.0, color="#666666", linewidth=0.8)
    axes.set_yticks(list(at.values()), [f"{name} ({counts[name]:.0f})" for name in at])
    axes.set(xlim=(_LOWEST - 0.05, 1.02), ylim=(-0.7, len(at) - 0.3))
    return beyond
