"""Cells of a map: what they hold, where they are drawn, and which of them have values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import shapely
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import FuncFormatter, MaxNLocator

from concerto.cubes import meanings_of
from concerto.errors import InputError
from concerto.evaluation.quantities import plain_unit

SEA, LAND, NO_VALUE, BORDER = "#EAF1F6", "#F7F5F0", "#BDBDBD", "#4A4A4A"
NARROWEST = 0.22
"""Width of a map over its height; narrower ones show land on both sides."""
CELLS_SHARE = 0.35
"""Of a narrow map's width, which its cells are widened to."""
NOT_LAND = "not_land"
STATUS = {
    "converged": ("converged", "#009E73"),
    "not_converged": ("not converged", "#D55E00"),
    "no_observation": ("no observation", "#E69F00"),
    "drivers_missing": ("drivers missing", "#CC79A7"),
    "assimilation_failed": ("assimilation failed", "#5E2750"),
    NOT_LAND: ("not land", SEA),
}
"""Label and colour of each status, in the order of figures and tables."""
MARKS = {"not_converged": "//////", "no_observation": "....."}
"""Hatching of cells whose values are to be read with care."""

# Even steps of CIELAB from a light grey to a dark green (uptake) and to a dark brown (release).
DIVERGING = LinearSegmentedColormap.from_list(
    "uptake_release",
    [
        "#086652", "#458170", "#729E90", "#9DBBB1", "#C9D8D3", "#F6F6F6",
        "#E9D0C7", "#D8AA99", "#C5866E", "#B06244", "#983D1C",
    ],
)  # fmt: skip
SPREAD = "cividis_r"
DAYS_OF_YEAR = 365.25


@dataclass(frozen=True)
class Shown:
    """A variable of a map as figures show it.

    ``factor`` turns the file's unit into ``unit``; ``low`` is where the colours of its mean begin,
    or None where they diverge from zero.
    """

    name: str
    label: str
    unit: str
    factor: float
    colours: Colormap | str
    low: float | None = 0.0

    @property
    def axis(self) -> str:
        """Label and unit for an axis."""
        return f"{self.label} ({plain_unit(self.unit)})"

    def limits(self, values: np.ndarray) -> tuple[float, float, int]:
        """Return where the colours of some values end, and how many values are beyond.

        The ends are round; one value in fifty may be beyond.
        """
        there = values[np.isfinite(values)]
        if not there.size:
            return (0.0 if self.low is not None else -1.0), 1.0, 0
        high = _rounded_up(float(np.quantile(np.abs(there), 0.98)))
        low = -high if self.low is None else self.low
        return low, high, int(((there < low) | (there > high)).sum())


YEARLY = (
    Shown("gpp", "GPP", "gC m-2 yr-1", DAYS_OF_YEAR, "viridis"),
    Shown("nee", "NEE", "gC m-2 yr-1", DAYS_OF_YEAR, DIVERGING, None),
    Shown("lai", "LAI", "m2 m-2", 1.0, "viridis"),
    Shown("live_biomass", "Live biomass", "kgC m-2", 1e-3, "viridis"),
)
MONTHLY = (
    Shown("gpp", "GPP", "gC m-2 d-1", 1.0, "viridis"),
    Shown("nee", "NEE", "gC m-2 d-1", 1.0, DIVERGING, None),
    Shown("lai", "LAI", "m2 m-2", 1.0, "viridis"),
)


def read_map(path: Path, variables: Iterable[str]) -> xr.Dataset:
    """Read the status, the bounds of times and some variables of a map.

    Latitudes come out ascending, and longitudes too: across the antimeridian they go on beyond
    180 degrees. Cells that the map does not know are no land.

    Raises
    ------
    InputError
        If a variable is missing, or a status is unknown.
    """
    wanted = ["status", "time_bnds", *variables]
    with xr.open_dataset(path, engine="netcdf4") as ds:
        for name in wanted:
            if name not in ds:
                raise InputError(path, name, "no such variable", "one, in a map")
        found = ds[wanted].load()
    meanings = str(found["status"].attrs.get("flag_meanings", "")).split()
    if NOT_LAND not in meanings or set(meanings) - STATUS.keys():
        raise InputError(
            path, "status", f"flag_meanings {' '.join(meanings)!r}", f"of {' '.join(STATUS)!r}"
        )
    longitude = found["lon"].to_numpy()
    turns = np.concatenate([[0], np.cumsum(np.diff(longitude) < -180.0)])
    found = found.assign_coords(lon=longitude + 360.0 * turns).sortby(["lat", "lon"])
    return found.assign(status=_status(found["status"]))


def _status(status: xr.DataArray) -> xr.DataArray:
    """Return the name of each cell's status."""
    names = np.full(status.shape, NOT_LAND, dtype=object)
    for value, meaning in meanings_of(status).items():
        names[status.to_numpy() == value] = meaning
    return xr.DataArray(names, dims=status.dims)


def time_mean(ds: xr.Dataset, name: str) -> np.ndarray:
    """Return a variable's mean over a map's times, each as long as it is (lat, lon)."""
    length = ds["time_bnds"].diff("bnds").squeeze("bnds") / np.timedelta64(1, "D")
    total = (ds[name].astype(float) * length).sum("time", skipna=False)
    return (total / length.sum()).to_numpy()


def years_text(ds: xr.Dataset) -> str:
    """Return which years a map is of."""
    first, last = ds["time"].dt.year.to_numpy()[[0, -1]]
    return f"{first}" if first == last else f"{first} to {last}"


def averaged_text(ds: xr.Dataset) -> str:
    """Return what a caption adds to statistics of a year where a map is of several."""
    return ", averaged over the years" if ds.sizes["time"] > 1 else ""


@dataclass(frozen=True)
class Frame:
    """Where cells are drawn, in degrees.

    Parameters
    ----------
    latitude, longitude
        Edges of the rows and columns as drawn.
    view
        West, east, south and north of what is shown.
    stretch
        Length of a degree of latitude over one of longitude, on paper.
    widened
        How many times as wide as they are cells are drawn.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    view: tuple[float, float, float, float]
    stretch: float
    widened: float

    @property
    def shape(self) -> float:
        """Width over height, on paper."""
        west, east, south, north = self.view
        return (east - west) / (north - south) / self.stretch


def frame_of(ds: xr.Dataset) -> Frame:
    """Return where the cells of a map are drawn; those of a strip are widened to be seen."""
    latitude, longitude = edges(ds, "lat"), edges(ds, "lon")
    south, north = latitude[0], latitude[-1]
    stretch = 1 / np.cos(np.radians(np.clip((south + north) / 2, -75, 75)))
    width, wanted = longitude[-1] - longitude[0], NARROWEST * (north - south) * stretch
    if width >= wanted:
        return Frame(latitude, longitude, (longitude[0], longitude[-1], south, north), stretch, 1.0)
    middle = (longitude[0] + longitude[-1]) / 2
    factor = max(CELLS_SHARE * wanted / width, 1.0)
    view = (middle - wanted / 2, middle + wanted / 2, south, north)
    return Frame(latitude, middle + factor * (longitude - middle), view, stretch, factor)


def edges(ds: xr.Dataset, axis: str) -> np.ndarray:
    """Return the edges of a map's rows (``lat``) or columns (``lon``), in degrees.

    An axis of one cell takes the other's width.

    Raises
    ------
    InputError
        If the map is one cell.
    """
    middles = ds[axis].to_numpy().astype(float)
    sizes = [np.diff(ds[name].to_numpy().astype(float)) for name in (axis, "lat", "lon")]
    widths = next((size for size in sizes if size.size), None)
    if widths is None:
        raise InputError("map", axis, "one cell", "two or more in latitude or longitude")
    width = float(np.median(widths))
    return np.append(middles - width / 2, middles[-1] + width / 2)


def widened_text(frame: Frame) -> str:
    """Return the sentence that a caption tells of widened cells with."""
    if frame.widened == 1.0:
        return ""
    return f" To be seen, cells are drawn {frame.widened:.0f} times as wide as they are."


def land_in(borders: geopandas.GeoDataFrame, frame: Frame) -> geopandas.GeoSeries:
    """Return the countries within a view, which may go on beyond 180 degrees."""
    west, east, south, north = frame.view
    shapes = borders.geometry.make_valid()
    turns = [turn for turn in (-360.0, 0.0, 360.0) if turn - 180.0 < east and turn + 180.0 > west]
    # A country on both sides of the antimeridian becomes one, without a line through it.
    whole = shapely.union_all(
        np.stack([shapes.translate(turn).to_numpy() for turn in turns]), axis=0
    )
    found = geopandas.GeoSeries(shapely.intersection(whole, shapely.box(west, south, east, north)))
    return found[~found.is_empty]


def draw_land(axes: Axes, countries: geopandas.GeoSeries, frame: Frame) -> None:
    """Draw land under the cells and borders over them, and label the axes."""
    west, east, south, north = frame.view
    axes.set_facecolor(SEA)
    axes.grid(visible=False)
    if len(countries):
        countries.plot(ax=axes, color=LAND, linewidth=0, aspect=None, zorder=0.5)
        countries.boundary.plot(ax=axes, color=BORDER, linewidth=0.45, aspect=None, zorder=3)
    axes.set(xlim=(west, east), ylim=(south, north), aspect=frame.stretch)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], prune="both"))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 3, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(longitude_text))
    axes.yaxis.set_major_formatter(FuncFormatter(latitude_text))
    axes.tick_params(labelsize=7, length=2)


def latitude_text(degrees: float, _position: int | None = None) -> str:
    """Return a latitude, such as ``34° S``."""
    side = (
        "" if degrees == 0.0 else "\N{NO-BREAK SPACE}N" if degrees > 0.0 else "\N{NO-BREAK SPACE}S"
    )
    return f"{abs(degrees):g}°{side}"


def longitude_text(degrees: float, _position: int | None = None) -> str:
    """Return a longitude, such as ``24° E``; 190 degrees are ``170° W``."""
    turned = (degrees + 180.0) % 360.0 - 180.0
    if turned in (0.0, -180.0):
        return f"{abs(turned):g}°"
    return f"{abs(turned):g}°\N{NO-BREAK SPACE}{'E' if turned > 0.0 else 'W'}"


def draw_cells(
    axes: Axes,
    values: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    colours: Colormap | str,
    limits: tuple[float, float],
) -> ScalarMappable:
    """Draw values (y, x) between edges; cells without one are left as they are."""
    return axes.pcolormesh(
        x, y, np.ma.masked_invalid(values), cmap=colours, norm=Normalize(*limits), rasterized=True,
        zorder=1.5,
    )  # fmt: skip


def draw_states(axes: Axes, status: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """Draw cells of land without values in grey, and hatch those to be read with care."""
    empty = np.isin(status, [name for name in STATUS if not has_values(name)])
    patch(axes, empty & (status != NOT_LAND), x, y, facecolor=NO_VALUE, linewidth=0, zorder=1)
    for name, hatch in MARKS.items():
        patch(
            axes, status == name, x, y, facecolor="none", edgecolor="#00000080", hatch=hatch,
            linewidth=0, zorder=2,
        )  # fmt: skip


def has_values(status: str) -> bool:
    """Return whether cells of a status have values."""
    return status in ("converged", *MARKS)


def patch(axes: Axes, where: np.ndarray, x: np.ndarray, y: np.ndarray, **look: object) -> None:
    """Draw the cells of a mask (y, x) as one patch, so that its hatching goes on across them."""
    if not where.any():
        return
    row, column = np.nonzero(where)
    corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    points = np.stack([np.stack([x[column + a], y[row + b]], axis=1) for a, b in corners], axis=1)
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY]
    axes.add_patch(PathPatch(Outline(points.reshape(-1, 2), codes * len(row)), **look))


def states_text(status: np.ndarray) -> str:
    """Return the sentences of a caption on marked, grey and missing cells, with their numbers."""
    count = {name: int((status == name).sum()) for name in STATUS}
    empty = sum(count[name] for name in STATUS if not has_values(name) and name != NOT_LAND)
    said = [
        (count["not_converged"], "Hatched: not converged, indicative only"),
        (count["no_observation"], "Dotted: nothing observed, no values"),
        (empty, "Grey: without values"),
    ]
    return "".join(f" {words} ({cells_text(n)})." for n, words in said if n)


def cells_text(count: int) -> str:
    """Return a number of cells in words."""
    return f"{count:,} cell{'' if count == 1 else 's'}"


def beyond_text(beyond: int) -> str:
    """Return the sentence of a caption on values beyond the ends of the colours."""
    return f" Beyond the colours' ends: {beyond:,} values." if beyond else ""


def colour_bar(axes: Axes, mesh: ScalarMappable, text: str, extend: str, **where: object) -> None:
    """Put a bar of colours with few numbers beside some panels."""
    bar = axes.figure.colorbar(
        mesh, ax=axes, extend=extend, ticks=MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]), **where
    )
    bar.set_label(text, fontsize=7.5)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)


def _rounded_up(value: float) -> float:
    """Return a round number not below a positive one; 1 for zero."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return power * next(step for step in steps if step * power >= 0.999999 * value)
