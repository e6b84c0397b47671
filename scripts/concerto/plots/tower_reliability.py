"""Whether intervals of predictions at towers hold what they promise."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from concerto.evaluation.quantities import label
from concerto.networks import FLUXES, KNOWN, NEW
from concerto.plots import style, towers
from concerto.seeds import generator

STATED = np.arange(0.05, 0.96, 0.05)
BINS = 10
SHOWN = {KNOWN: ("climatology", "combined"), NEW: ("process", "learned")}
"""Which predictors are shown in each setting, the published one the last."""
_TINTS = {"gpp": "#117733", "nee": "#882255", "et": "#332288"}
_NINETY = np.array([0.9])
_DRAWS = 200


def held(rank: np.ndarray, stated: np.ndarray = STATED) -> np.ndarray:
    """Return the share of values that central intervals of each stated share hold.

    ``rank`` (any shape) are shares of the predicted distribution below what was observed, NaN where
    nothing was.
    """
    known = rank[np.isfinite(rank)]
    return np.mean(np.abs(known - 0.5) <= stated[:, None] / 2, axis=1)


def spread(rank: np.ndarray, rng: np.random.Generator, stated: np.ndarray = STATED) -> np.ndarray:
    """Return the 5 and 95 % quantiles of :func:`held` (2, stated) with towers drawn anew.

    Months of a tower are not independent, towers rather so. ``rank`` is (location, time).
    """
    rank = rank[np.isfinite(rank).any(axis=1)]
    inside = np.abs(rank[:, :, None] - 0.5) <= stated / 2
    hits = np.where(np.isfinite(rank)[:, :, None], inside, False).sum(axis=1)
    count = np.isfinite(rank).sum(axis=1)
    drawn = rng.integers(len(rank), size=(_DRAWS, len(rank)))
    return np.quantile(
        hits[drawn].sum(axis=1) / count[drawn].sum(axis=1)[:, None], [0.05, 0.95], axis=0
    )


@style.styled
def draw(name: str, judged: xr.Dataset, seed: int) -> style.Drawing:
    """Draw stated against observed shares of intervals, and histograms of ranks.

    Parameters
    ----------
    name
        The network in words.
    judged
        With the rank of each withheld value in each predictor's distribution.
    seed
        Of the draws of towers.
    """
    figure = style.new_figure(4.2 + 2.05 * len(FLUXES))
    above, below = figure.subfigures(2, 1, height_ratios=(0.7 + 2.05 * len(FLUXES), 3.5))
    grid = above.subplots(len(FLUXES), 4, sharex="col")
    for axes, setting in zip(below.subplots(1, 2, sharex=True, sharey=True), SHOWN, strict=True):
        _classes(axes, judged, setting, seed)
    told = []
    for row, flux in zip(grid, FLUXES, strict=True):
        for k, (setting, predictors) in enumerate(SHOWN.items()):
            diagram, histogram = row[k], row[2 + k]
            for own in predictors:
                rank = judged[f"{flux}_{setting}_{own}_rank"].to_numpy()
                _diagram(diagram, rank, own, generator(seed, "reliability", flux, setting, own))
                _histogram(histogram, rank, own)
            best = judged[f"{flux}_{setting}_{predictors[-1]}_rank"].to_numpy()
            fifty, ninety = held(best, np.array([0.5, 0.9]))
            told.append(
                f"{label(flux)}, {towers.SETTINGS[setting]}, "
                f"{towers.PREDICTORS[predictors[-1]][0]}: {100 * fifty:.0f} % and "
                f"{100 * ninety:.0f} %"
            )
        row[0].set_ylabel(f"{label(flux)}\nobserved share (%)")
        row[2].set_ylabel("months over expected (1)")
        for axes in row[2:]:
            axes.set_ylim(0.0, max(2.0, *(other.get_ylim()[1] for other in row[2:])))
    for axes, (setting, what) in zip(
        grid[0], [(s, w) for w in ("intervals", "ranks") for s in SHOWN], strict=True
    ):
        axes.set_title(f"{'Known' if setting == KNOWN else 'New'} towers: {what}", fontsize=8.5)
    for axes in grid[-1, :2]:
        axes.set_xlabel("stated share (%)")
    for axes in grid[-1, 2:]:
        axes.set_xlabel("rank of observed (share)")
    title = f"{name}: do intervals hold what they promise?"
    style.head(figure, title)
    style.shared_legend(above, *grid[0, :2])
    style.shared_legend(below, below.axes[0])
    return style.Drawing(
        figure,
        title,
        "Above left: share of withheld months within central intervals, against the share that is "
        "stated; on the grey line intervals are true, above it too wide. The tint is the spread "
        f"(90 %) if towers are drawn anew. Above right: histograms of where in the predicted "
        "distribution the observed value lies; flat where it is true, a hump where intervals are "
        "too wide, a U where they are too narrow. The shape of errors comes from towers of other "
        "folds, so that all towers together can hardly be off; classes of land can. Below: what "
        "intervals of 90 % hold in each class, the number of towers in brackets, and lines from 5 "
        f"to 95 % of towers drawn anew. Intervals of 50 and 90 % hold: {'; '.join(told)}.",
        f"Reliability diagrams and rank histograms. Intervals of 50 and 90 % hold: "
        f"{'; '.join(told)}.",
    )


def _diagram(axes: Axes, rank: np.ndarray, own: str, rng: np.random.Generator) -> None:
    text, colour = towers.PREDICTORS[own]
    low, high = spread(rank, rng)
    axes.plot([0, 100], [0, 100], color="#999999", linewidth=0.8, zorder=1)
    axes.fill_between(100 * STATED, 100 * low, 100 * high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(100 * STATED, 100 * held(rank), color=colour, label=text)
    axes.set(xlim=(0, 100), ylim=(0, 100), xticks=range(0, 101, 25), yticks=range(0, 101, 25))
    axes.set_box_aspect(1)


def _histogram(axes: Axes, rank: np.ndarray, own: str) -> None:
    known = rank[np.isfinite(rank)]
    counts, edges = np.histogram(known, BINS, (0.0, 1.0))
    axes.axhline(1.0, color="#999999", linewidth=0.8, zorder=1)
    axes.stairs(counts * BINS / len(known), edges, baseline=None,
                color=towers.PREDICTORS[own][1], linewidth=1.4)  # fmt: skip
    axes.set_xlim(0.0, 1.0)
    axes.set_box_aspect(1)
    axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])


def _classes(axes: Axes, judged: xr.Dataset, setting: str, seed: int) -> None:
    """Draw what intervals of 90 % of the published predictor hold in each class of land."""
    predictor = SHOWN[setting][-1]
    igbp = judged["igbp"].to_numpy().astype(str)
    names, counts = np.unique(igbp, return_counts=True)
    order = np.argsort(counts, kind="stable")
    for shift, flux in zip((0.25, 0.0, -0.25), FLUXES, strict=True):
        rank = judged[f"{flux}_{setting}_{predictor}_rank"].to_numpy()
        for y, name in enumerate(names[order]):
            own = rank[igbp == name]
            if not np.isfinite(own).any():
                continue
            rng = generator(seed, "reliability", flux, setting, str(name))
            ends = 100 * spread(own, rng, _NINETY)[:, 0]
            axes.plot(ends, [y + shift] * 2, color=_TINTS[flux], linewidth=1.0, alpha=0.6)
            axes.plot(
                100 * held(own, _NINETY), [y + shift], "o", color=_TINTS[flux], markersize=3.5,
                label=label(flux),
            )  # fmt: skip
    axes.axvline(90.0, color="#999999", linewidth=0.8, zorder=1)
    axes.set_yticks(
        range(len(names)),
        [f"{name} ({n})" for name, n in zip(names[order], counts[order], strict=True)],
    )
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel("months in intervals of 90 % (%)")
    text = "Known" if setting == KNOWN else "New"
    axes.set_title(f"{text} towers by class: {towers.PREDICTORS[predictor][0]}", fontsize=8.5)
