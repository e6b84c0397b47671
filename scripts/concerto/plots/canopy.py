"""The canopy through the day: modelled and measured, by season and step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from concerto.evaluation.canopy import OUTPUTS, measured, modelled
from concerto.evaluation.quantities import plain_unit
from concerto.plots import style

TINT = "#0072B2"
SEASONS = {
    "December to February": (12, 1, 2),
    "March to May": (3, 4, 5),
    "June to August": (6, 7, 8),
    "September to November": (9, 10, 11),
}
_SHADES = LinearSegmentedColormap.from_list("shades", ["#C9DFEF", TINT, "#00263D"])
LEAST = 5  # steps, for the mean of a time of day to be shown


@dataclass(frozen=True)
class _Row:
    """One quantity (member, time), and its measured values (time), NaN where there are none."""

    label: str
    unit: str
    members: np.ndarray
    measured: np.ndarray


@style.styled
def draw(*, site: str, record: xr.Dataset, runs: xr.Dataset, scores: pd.DataFrame) -> style.Drawing:
    """Draw mean days of each season, and every measured step with the scores."""
    times = record.indexes["time"]
    seasons = {name: m for name, m in SEASONS.items() if np.isin(times.month, m).any()}
    rows = _rows(record, runs)
    scores = scores.set_index("stream")
    figure = style.new_figure(1.75 * len(rows) + 0.9, width=2.05 * len(seasons) + 2.5)
    grid = figure.subplots(len(rows), len(seasons) + 1, squeeze=False)
    for axes, (name, row) in zip(grid, rows.items(), strict=True):
        for panel, months in zip(axes, seasons.values(), strict=False):
            if panel is not axes[0]:
                panel.sharey(axes[0])
                panel.tick_params(labelleft=False)
            panel.tick_params(labelbottom=name == list(rows)[-1])
            _mean_day(panel, row, times, np.isin(times.month, months))
        axes[0].set_ylabel(f"{row.label}\n({plain_unit(row.unit)})")
        if name in scores.index:
            _scatter(axes[-1], row, scores.loc[name])
    for panel, name in zip(grid[0], (*seasons, "Every measured step"), strict=True):
        panel.set_title(name)
    for panel in grid[-1, :-1]:
        panel.set_xlabel("Hour")
    _radiation(grid[-2, -1], record, runs, scores)
    _fluorescence(grid[-1, -1], rows)
    title = f"{site}: the canopy through the day, before any calibration"
    style.head(figure, title)
    style.shared_legend(figure, grid[0, 0])
    caption = (
        "Mean days of each season in local standard time, over half-hours in which the flux was "
        "measured (all half-hours where nothing is). Lines are means and bands the central 50 % "
        "and 90 % of runs with parameters drawn from the prior. Right: every measured half-hour "
        "with its scores, ensemble mean against measurement, on the dashed line equal; net "
        "radiation, which holds it, stands in for surface temperature. Fluorescence is that at "
        "755 nm."
    )
    alternative = (
        f"Grid of panels for {site}: {', '.join(row.label for row in rows.values())} by hour of "
        "the day in each season, modelled and where possible measured, with scatter plots."
    )
    return style.Drawing(figure, title, caption, alternative)


def _rows(record: xr.Dataset, runs: xr.Dataset) -> dict[str, _Row]:
    fluxes = {
        stream: _Row(label, unit, modelled(runs, OUTPUTS[stream]), measured(record, stream))
        for stream, label, unit in (
            ("gpp", "GPP", "gC m-2 d-1"),
            ("le", "Latent heat", "W m-2"),
            ("h", "Sensible heat", "W m-2"),
        )
    }
    nothing = np.full(record.sizes["time"], np.nan)
    above = modelled(runs, "lst") - record["tas"].isel(location=0).to_numpy()
    return fluxes | {
        "lst": _Row("Surface above air", "K", above, nothing),
        "sif": _Row("Fluorescence", "mW m-2 nm-1 sr-1", modelled(runs, "sif"), nothing),
    }


def _mean_day(axes: Axes, row: _Row, times: pd.DatetimeIndex, chosen: np.ndarray) -> None:
    seen = np.isfinite(row.measured)
    chosen = chosen & seen if seen.any() else chosen
    hours = (times.hour + times.minute / 60.0).to_numpy()[chosen]
    labels, index, counts = np.unique(hours, return_inverse=True, return_counts=True)
    enough = counts >= LEAST
    middle = labels[enough] + 0.5 * (times[1] - times[0]) / pd.Timedelta(hours=1)

    def mean(values: np.ndarray) -> np.ndarray:
        return (np.bincount(index, values[chosen], len(labels)) / counts)[enough]

    style.bands(axes, middle, np.stack([mean(run) for run in row.members]), TINT, line="mean")
    if seen.any():
        axes.plot(
            middle, mean(row.measured), "o", color=style.OBSERVED, markersize=2.4, label="measured"
        )
    axes.set(xlim=(0, 24), xticks=[0, 6, 12, 18, 24])


def _scatter(axes: Axes, row: _Row, score: pd.Series) -> None:
    seen = np.isfinite(row.measured)
    observed, mean = row.measured[seen], row.members[:, seen].mean(axis=0)
    limits = _limits(np.concatenate([observed, mean]))
    _points(axes, observed, mean, np.stack([limits, limits], axis=1))
    axes.plot(limits, limits, "--", color="#555555", linewidth=0.9)
    axes.set(xlabel=f"{row.label}, measured", ylabel="modelled")
    axes.text(
        0.03, 0.97,
        f"n {score.n:.0f}\nR² {score.r2:.2f}\nRMSE {score.rmse:.1f}\nbias {score.bias:+.1f}",
        transform=axes.transAxes, va="top", fontsize=7.5, linespacing=1.25,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _radiation(axes: Axes, record: xr.Dataset, runs: xr.Dataset, scores: pd.DataFrame) -> None:
    if "rn" not in scores.index:
        axes.remove()
        return
    members = modelled(runs, OUTPUTS["rn"])
    row = _Row("Net radiation", "W m-2", members, measured(record, "rn"))
    _scatter(axes, row, scores.loc["rn"])


def _fluorescence(axes: Axes, rows: dict[str, _Row]) -> None:
    x, y = (rows[name].members.mean(axis=0) for name in ("sif", "gpp"))
    _points(axes, x, y, np.stack([_limits(x), _limits(y)], axis=1))
    axes.set(xlabel="Fluorescence, modelled", ylabel="GPP, modelled")


def _limits(values: np.ndarray) -> np.ndarray:
    """Return a range that holds nearly all values, with a margin."""
    low, high = np.quantile(values, [0.0005, 0.9995])
    return np.array([low - 0.05 * (high - low), high + 0.05 * (high - low)])


def _points(axes: Axes, x: np.ndarray, y: np.ndarray, limits: np.ndarray) -> None:
    """Draw many points as cells, the darker the more points are in them.

    ``limits`` (end, axis) are where the axes begin and end.
    """
    low, high = limits
    axes.hexbin(
        x, y, extent=(low[0], high[0], low[1], high[1]), gridsize=(26, 15), mincnt=1, bins="log",
        cmap=_SHADES, linewidths=0.1,
    )  # fmt: skip
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
