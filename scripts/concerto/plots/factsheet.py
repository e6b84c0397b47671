"""The drawings of a region's page, as parts of a web page and as a sheet of A4 for print.

Gains and losses are teal and orange, which colour-blind readers tell apart, and on either side of a
line besides. In the web page the colours of ink and paper are the page's own, light or dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from concerto.evaluation.region_facts import Category, Facts, Outlook
from concerto.plots.style import SETTINGS
from concerto.whole import whole_file

INK, SOFT, LINE, PAPER, LAND, SEA = "#1b1f24", "#5b6571", "#d3d9df", "#fefefe", "#e9e6df", "#dfe9ee"
GAIN, LOSS = "#0f7f75", "#b45a12"
ONE, TWO, THREE = "#2b62a8", "#a03a78", "#7a6a10"
OUTLOOKS = ((ONE, "-"), (TWO, "--"), (THREE, ":"))
"""Colours and lines of scenarios, in turn."""
TONES = {"gain": GAIN, "loss": LOSS, "soft": SOFT}
PAGE_COLOURS = {
    INK: "--ink", SOFT: "--soft", LINE: "--line", PAPER: "--paper", LAND: "--land", SEA: "--sea",
    GAIN: "--gain", LOSS: "--loss", ONE: "--one", TWO: "--two", THREE: "--three",
}  # fmt: skip
"""What colours are called in the web page."""
COLOURS = LinearSegmentedColormap.from_list(
    "gain", ["#7a3803", "#d98b45", "#f4efe6", "#5fb3a8", "#064f49"]
)
SIZES = {"map": (3.3, 3.1), "series": (4.2, 2.5), "categories": (4.2, 1.7), "outlook": (4.2, 2.0)}
"""Width and height of the drawings in the web page, inches."""
_TEXT = (7.1, 6.8, 6.5, 6.2, 5.9, 5.6)  # points of small text, the largest that fits
_LEADING = 1.42 / 72.0  # inches of a line of one point
_BETWEEN = 0.025  # inches between sentences
_FOOT = 0.72  # inches from below that are the footer's
_SHORTER = 1.05  # inches that map and series give to scenarios
_SHORTEST = 1.75  # the same on a crowded page
_TALL = 1.72  # inches of the scenarios
_FEW = 4  # categories up to which there is room for each
_STEPS = [1, 2, 5, 10]  # of axes
_MARGIN, _TOP = 0.62, 11.69 - 0.55  # inches of the sheet
_WIDTH, _HEIGHT = 8.27, 11.69
_LOOK = SETTINGS | {
    "axes.grid": False, "text.color": INK, "axes.labelcolor": SOFT, "xtick.color": SOFT,
    "ytick.color": SOFT, "axes.edgecolor": LINE, "axes.spines.left": False, "font.size": 8,
    "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "svg.fonttype": "path", "pdf.fonttype": 42,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a region is: its outline, countries around it, and what the cells near it gain.

    ``boxes`` west, south, east and north (cell, 4), degrees; ``gains`` gC m-2 yr-1; ``inside``
    whether a cell has land of the region.
    """

    outline: shapely.Geometry
    countries: Sequence[shapely.Geometry]
    boxes: np.ndarray
    gains: np.ndarray
    inside: np.ndarray


def place_of(
    outline: shapely.Geometry,
    borders: geopandas.GeoDataFrame,
    boxes: np.ndarray,
    gains: np.ndarray,
    inside: np.ndarray,
) -> Place:
    """Return a region with what is around it, in the turn of longitudes of its outline."""
    west, south, east, north = _view(outline)
    box = shapely.box(west, south, east, north)
    shapes = borders.geometry.make_valid()
    turns = [turn for turn in (-360.0, 0.0, 360.0) if turn - 180.0 < east and turn + 180.0 > west]
    countries = [
        shape
        for turn in turns
        for shape in shapely.intersection(shapes.translate(turn).to_numpy(), box)
        if not shape.is_empty
    ]
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    shift = 360.0 * np.round(((west + east) / 2 - middle) / 360.0)
    turned = boxes + np.stack([shift, 0 * shift, shift, 0 * shift], axis=1)
    near = (turned[:, 2] > west) & (turned[:, 0] < east)
    near &= (turned[:, 3] > south) & (turned[:, 1] < north)
    return Place(outline, countries, turned[near], gains[near], inside[near])


def _view(outline: shapely.Geometry) -> tuple[float, float, float, float]:
    """Return the bounds of a region with a margin, nearly square on the ground."""
    west, south, east, north = shapely.bounds(outline)
    shrink = max(np.cos(np.radians((south + north) / 2)), 0.1)
    size = 1.12 * max((east - west) * shrink, north - south, 0.5)
    x, y = (west + east) / 2, (south + north) / 2
    return x - size / shrink / 2, y - size / 2, x + size / shrink / 2, y + size / 2


def draw_map(axes: Axes, place: Place, key_width: float = 0.76) -> None:
    """Draw where the region is and what its cells gain, with a key of so much of its width."""
    west, south, east, north = _view(place.outline)
    axes.add_patch(Rectangle((west, south), east - west, north - south, color=SEA, linewidth=0))
    for countries, look in (
        (place.countries, {"facecolor": LAND, "edgecolor": PAPER, "linewidth": 0.5}),
        ([place.outline], {"facecolor": "none", "edgecolor": INK, "linewidth": 0.9, "zorder": 4}),
    ):
        for country in countries:
            for part in shapely.get_parts(country):
                if isinstance(part, shapely.Polygon):
                    _draw_polygon(axes, part, look)
    known = np.isfinite(place.gains)
    limit = _round_up(float(np.abs(place.gains[known]).max(initial=1.0)))
    for which, alpha in ((known & ~place.inside, 0.35), (known & place.inside, 1.0)):
        patches = [Rectangle((w, s), e - w, n - s) for w, s, e, n in place.boxes[which]]
        axes.add_collection(
            PatchCollection(
                patches,
                facecolors=COLOURS(Normalize(-limit, limit)(place.gains[which])),
                alpha=alpha,
                linewidth=0,
                zorder=3,
            )
        )
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[])
    axes.set_aspect(1.0 / max(np.cos(np.radians((south + north) / 2)), 0.1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    _key(axes, limit, key_width)


def _draw_polygon(axes: Axes, polygon: shapely.Polygon, look: dict[str, object]) -> None:
    rings = [polygon.exterior, *polygon.interiors]
    corners = [np.asarray(ring.coords)[:, :2] for ring in rings]
    codes = [
        code
        for ring in corners
        for code in (mpl.path.Path.MOVETO, *[mpl.path.Path.LINETO] * (len(ring) - 1))
    ]
    outline = mpl.path.Path(np.concatenate(corners), codes)
    axes.add_patch(mpl.patches.PathPatch(outline, **{"zorder": 1, **look}))


def _key(axes: Axes, limit: float, width: float) -> None:
    """Draw the key of the colours below a map."""
    key = axes.inset_axes((0.5 - width / 2, -0.075, width, 0.028))
    key.imshow(np.linspace(-1, 1, 256)[None], cmap=COLOURS, aspect="auto", extent=(-1, 1, 0, 1))
    key.set(yticks=[])
    key.set_xticks(
        [-1, 0, 1],
        [f"\N{MINUS SIGN}{limit:g}\nland loses", "0\ngC per m² and year", f"{limit:g}\nland gains"],
        fontsize=6.5,
    )
    key.tick_params(length=0, pad=2)
    for spine in key.spines.values():
        spine.set_visible(False)


def draw_series(axes: Axes, facts: Facts) -> None:
    """Draw what the land gains by month, or by year, with the central 90 %."""
    low, middle, high = facts.gains.T
    x = np.arange(len(middle))
    axes.axhline(0.0, color=SOFT, linewidth=0.8, zorder=1)
    if facts.monthly:
        tints = np.where(middle >= 0.0, GAIN, LOSS)
        axes.bar(x, middle, width=0.72, color=tints, linewidth=0, zorder=2)
        axes.vlines(x, low, high, color=INK, linewidth=0.9, zorder=3)
        every = max(1, len(x) // 12)
        labels = [time[0] if len(x) <= 12 else time for time in facts.times]
    else:
        axes.fill_between(x, low, high, color=GAIN, alpha=0.25, linewidth=0)
        axes.plot(x, middle, "o-", color=GAIN, markersize=3, linewidth=1.2)
        every, labels = max(1, len(x) // 8), list(facts.times)
    axes.set_xticks(x[::every], labels[::every])
    axes.tick_params(axis="both", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.02)


def draw_categories(axes: Axes, categories: Sequence[Category], between: str = "\n") -> None:
    """Draw what categories of land gain, with the central 90 %."""
    y = np.arange(len(categories))[::-1]
    axes.axvline(0.0, color=SOFT, linewidth=0.8, zorder=1)
    for at, category in zip(y, categories, strict=True):
        gain = category.gain
        tint = GAIN if gain.mean >= 0 else LOSS
        axes.hlines(at, gain.low, gain.high, color=tint, alpha=0.4, linewidth=6.5, zorder=2)
        axes.plot(gain.mean, at, "o", color=tint, markersize=5.5, markeredgecolor=PAPER, zorder=3)
    names = [
        f"{name_of(category)}{between}{_share(category.share, between)}" for category in categories
    ]
    axes.set_yticks(y, names)
    for label in axes.get_yticklabels():
        label.set_color(INK)
    axes.tick_params(axis="both", length=0)
    axes.set_ylim(-0.6, len(categories) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.margins(x=0.08)
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_visible(False)


def look_of(number: int) -> tuple[str, str]:
    """Return colour and line of a scenario by its number."""
    return OUTLOOKS[number % len(OUTLOOKS)]


def draw_outlooks(axes: Axes, outlooks: Sequence[Outlook]) -> None:
    """Draw what the land has gained since the start under each scenario, with the central 90 %."""
    axes.axhline(0.0, color=SOFT, linewidth=0.8, zorder=1)
    for number, outlook in enumerate(outlooks):
        colour, line = look_of(number)
        low, middle, high = outlook.gains.T
        axes.fill_between(outlook.years, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(outlook.years, middle, line, color=colour, linewidth=1.6, zorder=3)
        for edge in (low, high):
            axes.plot(outlook.years, edge, line, color=colour, linewidth=0.5, zorder=2)
    axes.tick_params(axis="both", length=0)
    first, last = outlooks[0].years[[0, -1]]
    axes.set_xticks([first, *range(first - first % 20 + 40, last + 1, 20)])
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.02)


def outlook_title(outlooks: Sequence[Outlook]) -> str:
    """Return the heading of what scenarios come to."""
    return f"To {outlooks[0].years[-1]}, if"


def name_of(category: Category) -> str:
    """Return a category's name as a heading."""
    return category.name[:1].upper() + category.name[1:]


def _share(share: float, between: str) -> str:
    words = f"{100 * share:.0f} %" if share >= 0.005 else "under 1 %"
    return f"{words} of the land" if between == "\n" else words


def _tick(value: float, _position: int | None = None) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _round_up(value: float) -> float:
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value))


def as_svg(name: str, height: float | None, draw: Callable[[Axes], None]) -> str:
    """Return a drawing as part of a web page, whose colours follow the page's.

    Parameters
    ----------
    name
        One of :data:`SIZES`, which is put before all identifiers.
    height
        Inches, if not as there.
    draw
        Draws on axes.
    """
    width, usual = SIZES[name]
    with mpl.rc_context(_LOOK | {"svg.hashsalt": name}):
        figure = Figure(figsize=(width, height or usual), layout="constrained")
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None},
                       transparent=True)  # fmt: skip
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(r'\b(id="|href="#)', rf"\1{name}-", svg).replace("url(#", f"url(#{name}-")
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in PAGE_COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


class _Sheet:
    """A page on which text flows from the top, measured in inches."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="white")

    def text(
        self, x: float, y: float, text: str, size: float, width: float, **look: object
    ) -> float:
        """Write text in lines of a width from ``y`` downwards; return where it ends."""
        weight = look.get("weight", "normal")
        properties = FontProperties(family="DejaVu Sans", weight=weight, size=size)
        step = size * _LEADING
        for line in wrapped(text, width, properties):
            self.figure.text(
                x / _WIDTH, (y - size / 72.0) / _HEIGHT, line, fontsize=size,
                **{"color": INK, "va": "baseline", **look},
            )  # fmt: skip
            y -= step
        return y

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes whose lower left corner is at ``x, y``."""
        return self.figure.add_axes((x / _WIDTH, y / _HEIGHT, width / _WIDTH, height / _HEIGHT))

    def rule(
        self, x: float, y: float, width: float, colour: str = LINE, thick: float = 0.8
    ) -> None:
        """Draw a horizontal line."""
        self.figure.add_artist(
            mpl.lines.Line2D(
                [x / _WIDTH, (x + width) / _WIDTH], [y / _HEIGHT] * 2, color=colour, linewidth=thick
            )
        )

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Draw a filled rectangle."""
        self.figure.add_artist(
            Rectangle(
                (x / _WIDTH, y / _HEIGHT),
                width / _WIDTH,
                height / _HEIGHT,
                transform=self.figure.transFigure,
                color=colour,
                linewidth=0,
                zorder=-1,
            )
        )


def wrapped(text: str, width: float, properties: FontProperties) -> list[str]:
    """Return the lines of a text that are not wider than so many inches in a font."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _wide(longer, properties) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_page(facts: Facts, place: Place, footer: str) -> Figure:
    """Return a region's page as a sheet of A4."""
    with mpl.rc_context(_LOOK):
        sheet = _Sheet()
        full = _WIDTH - 2 * _MARGIN
        right = _MARGIN + 0.53 * full
        half = _MARGIN + full - right
        y = _heading(sheet, facts, full)
        y = _key_figures(sheet, facts, y, full)
        tall = _outlooks_tall(facts, half)
        shorter = (_SHORTEST if _is_crowded(facts) else _SHORTER) if facts.outlooks else 0.0
        shorter = min(shorter + max(tall - _TALL, 0.0), _SHORTEST)
        _map_and_series(sheet, facts, place, y, (right, half), shorter)
        y -= 3.72 - 1.12 * shorter  # the key of a small map is smaller too
        if facts.outlooks:
            _outlooks(sheet, facts, y, (right, half), tall)
        y -= tall
        y = _parts_and_table(sheet, facts, y, right, half)
        _words(sheet, facts, y, right, half)
        sheet.rule(_MARGIN, 0.62, full)
        sheet.text(_MARGIN, 0.55, footer, 6.2, full, color=SOFT)
    return sheet.figure


def _heading(sheet: _Sheet, facts: Facts, full: float) -> float:
    sheet.box(0, _HEIGHT - 0.16, _WIDTH, 0.16, TONES[facts.tone])
    y = sheet.text(
        _MARGIN, _TOP, f"Carbon balance of the land, {facts.period}", 9, full, color=SOFT
    )
    y = sheet.text(_MARGIN, y - 0.02, facts.region, 25, full, weight="bold")
    return y - 0.05


def _key_figures(sheet: _Sheet, facts: Facts, y: float, full: float) -> float:
    tint = TONES[facts.tone]
    first = sheet.text(_MARGIN, y, f"{facts.headline}.", 13.5, full, weight="bold",
                       color=tint)  # fmt: skip
    end = first - 0.06
    for sentence in facts.sentences:
        end = sheet.text(_MARGIN, end, sentence, 8.8, full)
    _dots(sheet, facts.chance, end - 0.11, full)
    return end - 0.52


def _dots(sheet: _Sheet, chance: float, y: float, full: float) -> None:
    """Draw a hundred runs as dots in a row, those in which the land gained filled with teal."""
    axes = sheet.axes(_MARGIN, y - 0.13, full, 0.13)
    gained = round(100 * chance)
    tints = [GAIN] * gained + [LOSS] * (100 - gained)
    axes.scatter(np.arange(100), np.zeros(100), s=11, c=tints, linewidths=0)
    axes.set(xlim=(-0.6, 99.6), ylim=(-1, 1))
    axes.axis("off")
    sheet.text(_MARGIN, y - 0.15, dots_words(chance), 6.8, full, color=SOFT)


def dots_words(chance: float) -> str:
    """Return what a hundred dots show."""
    gained = round(100 * chance)
    lost = f"{100 - gained} lose it (orange)"
    return f"Each dot is one of 100 runs: {gained} gain carbon (teal), {lost}."


def _title(sheet: _Sheet, x: float, y: float, width: float, title: str, below: str = "") -> float:
    sheet.rule(x, y, width, INK, 1.0)
    y = sheet.text(x, y - 0.08, title, 9.5, width, weight="bold")
    return sheet.text(x, y + 0.01, below, 7, width, color=SOFT) if below else y


def _map_and_series(
    sheet: _Sheet,
    facts: Facts,
    place: Place,
    y: float,
    columns: tuple[float, float],
    shorter: float,
) -> None:
    """Draw the map beside the series; ``shorter`` by so much where there is more to draw below."""
    right, half = columns
    left = right - _MARGIN - 0.3
    _title(sheet, _MARGIN, y, left, "Where", "Colours: what the land of a cell gains or loses")
    draw_map(sheet.axes(_MARGIN, y - 3.1 + shorter, left, 2.6 - shorter), place,
             1.9 if shorter > _SHORTER else 1.5 if shorter else 0.76)  # fmt: skip
    when = "Month by month" if facts.monthly else "Year by year"
    _title(sheet, right, y, half, when, series_words(facts))
    draw_series(sheet.axes(right + 0.28, y - 3.1 + shorter, half - 0.28, 2.45 - shorter), facts)


def _outlook_words(facts: Facts) -> list[str]:
    return [text for outlook in facts.outlooks for text in (f"{outlook.name}.", outlook.words)]


def _outlooks_tall(facts: Facts, half: float) -> float:
    """Return how tall the scenarios are, inches: as usual, or what their words need."""
    if not facts.outlooks:
        return 0.0
    columns = [(0.0, half - 0.3, "", _outlook_words(facts))]
    size = _TEXT[-1] if _is_crowded(facts) else _TEXT[-2]
    return max(_TALL, _tall(columns, size) + 0.25)


def _outlooks(
    sheet: _Sheet, facts: Facts, y: float, columns: tuple[float, float], tall: float
) -> None:
    """Draw the scenarios beside what they come to in words, as large as there is room for."""
    right, half = columns
    left = right - _MARGIN - 0.3
    _title(sheet, _MARGIN, y, left, outlook_title(facts.outlooks), facts.outlook_note)
    draw_outlooks(
        sheet.axes(_MARGIN + 0.3, y - tall + 0.35, left - 0.3, tall - 0.93), facts.outlooks
    )
    sheet.rule(right, y, half, INK, 1.0)
    words = [(right, half - 0.3, "", _outlook_words(facts))]
    size = next((size for size in _TEXT if _tall(words, size) <= tall - 0.24), _TEXT[-1])
    at = y - 0.06
    for number, outlook in enumerate(facts.outlooks):
        colour, line = look_of(number)
        sheet.figure.add_artist(
            mpl.lines.Line2D(
                [right / _WIDTH, (right + 0.2) / _WIDTH], [(at - 0.085) / _HEIGHT] * 2,
                color=colour, linestyle=line, linewidth=1.6,
            )
        )  # fmt: skip
        at = sheet.text(right + 0.3, at, f"{outlook.name}.", size, half - 0.3, weight="bold")
        at = sheet.text(right + 0.3, at, outlook.words, size, half - 0.3) - 2 * _BETWEEN


def series_words(facts: Facts) -> str:
    """Return what the drawing of a series shows."""
    step = "a month" if facts.monthly else "a year"
    return f"Million tonnes of carbon {step}; above zero the land gains. Lines: 90 % of the runs"


def _parts_and_table(sheet: _Sheet, facts: Facts, y: float, right: float, half: float) -> float:
    """Draw the categories beside the table; return where what comes below may begin."""
    left = right - _MARGIN - 0.3
    _title(sheet, _MARGIN, y, left, "By category of land", CATEGORY_WORDS)
    short = bool(facts.outlooks) and _is_crowded(facts)
    row = 0.19 if short else 0.42 if len(facts.categories) <= _FEW else 0.3
    height = row * len(facts.categories) + 0.1
    axes = sheet.axes(_MARGIN + 1.15, y - 0.55 - height, left - 1.2, height)
    draw_categories(axes, facts.categories, ", " if short else "\n")
    title, below, rows = table_of(facts)
    pitch = 0.16 if short else 0.205 if len(rows) <= 2 * _FEW else 0.175
    at = _title(sheet, right, y, half, title, below) - 0.04
    for what, text, strong in rows:
        weight = "bold" if strong else "normal"
        properties = FontProperties(family="DejaVu Sans", weight=weight, size=7.3)
        room = half - _wide(text, properties) - 0.1
        sheet.text(right, at, _shortened(what, room, properties), 7.3, half, weight=weight)
        sheet.figure.text(
            (right + half) / _WIDTH, (at - 7.3 / 72) / _HEIGHT, text, fontsize=7.3, ha="right",
            color=INK, weight=weight,
        )  # fmt: skip
        at -= pitch
        sheet.rule(right, at + 0.05, half, LINE, 0.5)
    return min(at, y - 0.55 - height - 0.2) - 0.22


CATEGORY_WORDS = "Million tonnes of carbon a year that each gains; bars: 90 %"


def table_of(facts: Facts) -> tuple[str, str, list[tuple[str, str, bool]]]:
    """Return title, explanation and rows of the page's table: of the bridge, else the numbers.

    Rows are words, numbers, and whether they are heavy.
    """
    if facts.bridge:
        below = f"{facts.bridge_words}; million tonnes of carbon a year that the land gains"
        rows = [(words, gain.text(), strong) for words, gain, strong in facts.bridge]
        return "Beside the inventory", below, rows
    below = "Best estimate and, in brackets, 90 %; million tonnes of carbon"
    return "In numbers", below, [(line.what, line.text(), line.strong) for line in facts.lines]


def _wide(text: str, properties: FontProperties) -> float:
    """Return how wide a text is, inches."""
    return text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0] / 72.0


def _shortened(text: str, width: float, properties: FontProperties) -> str:
    """Return as many words of a text as there is room for."""
    if _wide(text, properties) <= width:
        return text
    words = text.split(" ")
    while len(words) > 1 and _wide(" ".join(words) + " …", properties) > width:
        words.pop()
    return " ".join(words).rstrip(",(") + " …"


def _is_crowded(facts: Facts) -> bool:
    """Return whether there is more on a page than usual."""
    return len(facts.categories) > _FEW or len(facts.bridge) > 2 * _FEW


def _words(sheet: _Sheet, facts: Facts, y: float, right: float, half: float) -> None:
    """Write what the numbers rest on and what they cannot tell, as small as there is room for."""
    left = right - _MARGIN - 0.3
    columns = (
        (_MARGIN, left, "What it rests on", facts.basis),
        (right, half, "What it cannot tell", facts.limits),
    )
    room = y - 0.3 - _FOOT
    size = next((size for size in _TEXT if _tall(columns, size) <= room), _TEXT[-1])
    for x, width, title, words in columns:
        at = _title(sheet, x, y, width, title)
        for sentence in words:
            at = sheet.text(x, at - _BETWEEN, sentence, size, width)


def _tall(columns: Sequence[tuple], size: float) -> float:
    """Return how tall the taller of some columns of text is, inches."""
    properties = FontProperties(family="DejaVu Sans", size=size)
    return max(
        sum(
            _BETWEEN + _LEADING * size * len(wrapped(sentence, width, properties))
            for sentence in words
        )
        for _, width, _, words in columns
    )


def save_page(figure: Figure, title: str, path: Path) -> None:
    """Write the sheet as PDF, which depends on what is drawn alone."""
    with whole_file(path) as part, mpl.rc_context(_LOOK):
        about = {"Title": title, "Creator": "concerto", "Producer": None, "CreationDate": None}
        figure.savefig(part, format="pdf", metadata=about)
