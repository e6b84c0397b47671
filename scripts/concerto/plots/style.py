"""One look for all figures: colours that colour-blind readers tell apart, and little ink.

Colours are from the palette of Okabe & Ito (2008). A figure comes with its title, its caption and
a text for those who do not see it; all three are written beside the picture.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from concerto.whole import whole_file

DPI = 130
WIDTH = 9.6  # inches: 1250 pixels
COLOURS = {
    "hmc": "#0072B2",
    "demcz": "#56B4E9",
    "esmda": "#CC79A7",
    "forecast": "#882255",
    "climatology": "#E69F00",
    "map_season": "#E69F00",
    "regression": "#009E73",
    "prior": "#8C8C8C",
}
SPARE_COLOURS = ("#882255", "#332288")
MARKERS = {
    "hmc": "o", "demcz": "v", "esmda": "s", "forecast": "P", "climatology": "^", "regression": "D",
}  # fmt: skip
ASSIMILATED = "#3D3D3D"
WITHHELD = "#D55E00"
OBSERVED = "#1A1A1A"
WARNING = "#B00020"
SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
P = ParamSpec("P")


@dataclass(frozen=True)
class Drawing:
    """A figure with its title, its caption and a text alternative."""

    figure: Figure
    title: str
    caption: str
    alternative: str


def styled(draw: Callable[P, Drawing]) -> Callable[P, Drawing]:
    """Make a drawing function draw in this style."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        with mpl.rc_context(SETTINGS):
            return draw(*args, **kwargs)

    return wrapper


def colour(predictor: str) -> str:
    """Return a predictor's colour; a method not listed gets a spare one, always the same."""
    if predictor in COLOURS:
        return COLOURS[predictor]
    return SPARE_COLOURS[sum(predictor.encode()) % len(SPARE_COLOURS)]


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure (size in inches) that makes room for its labels by itself."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    return figure


def head(figure: Figure, title: str, converged: bool = True) -> None:
    """Put the title on a figure, and the warning mark if its ensemble has not converged."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    if not converged:
        figure.axes[0].annotate(
            "NOT CONVERGED", (1, 1), xycoords="figure fraction", xytext=(-8, -7),
            textcoords="offset points", ha="right", va="top", fontsize=9, fontweight="bold",
            color="white", bbox={"facecolor": WARNING, "edgecolor": "none", "pad": 3},
        ).set_in_layout(False)  # fmt: skip


def warning_text(converged: bool) -> str:
    """Return the sentence that a caption ends with where the ensemble has not converged."""
    return "" if converged else " The assimilation has not converged: take this as indicative only."


def left_out_text(names: list[str]) -> str:
    """Return the sentence that a caption names variables with that it does not show."""
    return f" Not shown for want of withheld values: {', '.join(names)}." if names else ""


def bands(axes: Axes, x: np.ndarray, members: np.ndarray, tint: str, line: str = "median") -> None:
    """Draw the central 90 % and 50 % of an ensemble (member, x) and its median or mean."""
    low, first, middle, third, high = np.quantile(members, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    axes.fill_between(x, low, high, color=tint, alpha=0.18, linewidth=0, label="90 % band")
    axes.fill_between(x, first, third, color=tint, alpha=0.35, linewidth=0, label="50 % band")
    centre = middle if line == "median" else members.mean(axis=0)
    axes.plot(x, centre, color=tint, linewidth=1.0, label=line)


def date_axis(axes: Axes) -> None:
    """Label a time axis with as few words as it takes."""
    locator = AutoDateLocator(minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def shared_legend(figure: Figure, *panels: Axes, columns: int = 6) -> None:
    """Put one legend for all panels below them, each entry of those given once."""
    unique = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        unique |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(unique.values()), list(unique), loc="outside lower center", ncols=columns,
        markerscale=1.6,
    )  # fmt: skip


def sidecar(path: Path) -> Path:
    """Return where a picture's title, caption and text alternative are."""
    return path.with_suffix(".json")


def save(drawing: Drawing, path: Path) -> None:
    """Write a figure as PNG, and its words as JSON beside it; each whole or not at all."""
    with whole_file(path) as picture, whole_file(sidecar(path)) as words:
        with mpl.rc_context(SETTINGS):
            # Without the library's version in it, the file depends on the picture alone.
            drawing.figure.savefig(picture, dpi=DPI, format="png", metadata={"Software": None})
        text = {
            "title": drawing.title,
            "caption": drawing.caption,
            "alternative": drawing.alternative,
        }
        words.write_text(json.dumps(text, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
