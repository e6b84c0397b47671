"""Sums over regions, and why members that are the same everywhere matter for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from concerto.domain import IGBP
from concerto.errors import InputError
from concerto.evaluation.quantities import label, plain_unit
from concerto.plots import style

KINDS = {
    "all": "Whole map",
    "country": "Countries",
    "igbp": "Land cover (IGBP)",
    "koppen": "Climate (Köppen)",
}
NOWHERE = ("", "none")
"""Names of a region that say that its cells are in none."""
SHOWN = ("gpp", "nee")
COLUMNS = (
    "kind", "region", "variable", "year", "units", "area_km2", "cells", "mean", "sd", "q05", "q25",
    "q50", "q75", "q95", "sd_independent",
)  # fmt: skip
CENTRAL_90 = 1.6449
"""Half the central 90 % of a normal distribution, in standard deviations."""
WIDE_RANGE = 20.0
"""Largest over lower quartile of sums from which on an axis shrinks the large ones."""
_TINTS = {"gpp": "#117733", "nee": "#882255"}
_INDEPENDENT = "#3D3D3D"
FOLLOWED = 3
"""Regions of each kind, those with most GPP, of which all years are drawn."""
_ROW, _YEARS_ROW = 0.185, 0.85  # inches


def read_regions(path: Path) -> pd.DataFrame:
    """Read sums by region.

    Raises
    ------
    InputError
        If a column is missing or a kind is unknown.
    """
    # Namibia's code is NA, and what has no class has no name.
    table = pd.read_csv(path, dtype={"region": str}, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(path, missing[0], "no such column", f"{', '.join(COLUMNS)}")
    unknown = sorted(set(table.kind) - KINDS.keys())
    if unknown:
        raise InputError(path, "kind", unknown[0], f"one of {', '.join(KINDS)}")
    numbers = list(COLUMNS[5:])
    return table.assign(**table[numbers].apply(pd.to_numeric))


def last_year(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last year."""
    return table[table.year == table.year.max()]


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows by kind, and within a kind by GPP, the greatest first.

    Regions without GPP come last, by name.
    """
    size = table[table.variable == "gpp"].set_index(["kind", "region"])["mean"]
    order = [list(KINDS).index(kind) for kind in table.kind]
    by = size.reindex(pd.MultiIndex.from_frame(table[["kind", "region"]])).to_numpy()
    keyed = table.assign(_kind=order, _size=-by)
    return keyed.sort_values(["_kind", "_size", "region"], kind="stable").drop(
        columns=["_kind", "_size"]
    )


def region_words(kind: str, region: str) -> str:
    """Return what a region is called."""
    if kind == "all":
        return "all cells"
    if region in NOWHERE:
        return "not classified"
    return f"{IGBP[region]} ({region})" if kind == "igbp" and region in IGBP else region


def gain(table: pd.DataFrame, variable: str) -> float:
    """Return the median of sd over that of independent cells, in regions of several cells.

    Not a number where there is none.
    """
    rows = table[(table.variable == variable) & (table.cells > 1) & (table.sd_independent > 0)]
    return float((rows.sd / rows.sd_independent).median())


@style.styled
def draw(name: str, table: pd.DataFrame) -> style.Drawing:
    """Draw sums of the last year with their intervals, and those that independent cells would have.

    Of several years, those of some regions are drawn below.

    Parameters
    ----------
    name
        The map in words.
    table
        Of :func:`read_regions`.

    Raises
    ------
    InputError
        If there is no sum of a flux.
    """
    rows = ordered(last_year(table[table.variable.isin(SHOWN)]))
    if rows.empty:
        raise InputError("regions", "variable", "none that is drawn", f"one of {', '.join(SHOWN)}")
    variables = [variable for variable in SHOWN if (rows.variable == variable).any()]
    kinds = [kind for kind in KINDS if (rows.kind == kind).any()]
    lengths = [rows[rows.kind == kind].region.nunique() for kind in kinds]
    several = table.year.min() < table.year.max()
    shown = followed(rows) if several else []
    tall = _ROW * (sum(lengths) + 3.2 * len(kinds)), _YEARS_ROW * len(shown) + 0.3
    figure = style.new_figure(sum(tall) + 1.0)
    upper, lower = figure.subfigures(2, 1, height_ratios=tall) if several else (figure, None)
    grid = upper.subplots(
        len(kinds), len(variables), squeeze=False, sharex="col",
        height_ratios=[length + 1 for length in lengths],
    )  # fmt: skip
    for line, kind in zip(grid, kinds, strict=True):
        of_kind = rows[rows.kind == kind]
        regions = list(dict.fromkeys(of_kind.region))
        for axes, variable in zip(line, variables, strict=True):
            _intervals(axes, of_kind[of_kind.variable == variable], regions, variable)
        _name_rows(line, kind, of_kind, regions)
    bent = [
        _axis(column, rows[rows.variable == variable], variable)
        for column, variable in zip(grid.T, variables, strict=True)
    ]
    if several:
        _years(lower, table, shown, variables)
    units = rows.units.iloc[0]
    title = f"{name}: sums by region"
    style.head(figure, title)
    style.shared_legend(figure, *grid[0])
    said = "; ".join(
        f"{label(variable)} {gain(rows, variable):.1f} times as wide"
        for variable in variables
        if np.isfinite(gain(rows, variable))
    )
    whole = rows[rows.kind == "all"]
    sums = "; ".join(
        f"{label(row.variable)} {row.q50:.4g} ({row.q05:.4g} to {row.q95:.4g}) {row.units}"
        for row in whole.itertuples()
    )
    return style.Drawing(
        figure,
        title,
        f"Median, central 50 % and 90 % of sums of {rows.year.iloc[0]} ({plain_unit(units)}); in "
        "brackets the number of cells. Each member is one draw everywhere, so errors that cells "
        "share stay in the sum. "
        "Thin and dark: the 90 % that would be stated if cells were independent. "
        + (f"In the median of regions with several cells, intervals are: {said}. " if said else "")
        + "NEE is positive to the atmosphere."
        + (" Where needed, axes shrink large sums; see their numbers." if any(bent) else "")
        + (
            f" Below, the same of each year: of all cells, and of up to {FOLLOWED} regions of each "
            "kind, those with most GPP."
            if several
            else ""
        ),
        f"Dots with intervals for {sum(lengths)} regions"
        + (f"; the whole map: {sums}." if sums else "."),
    )


def _intervals(axes: Axes, rows: pd.DataFrame, regions: list[str], variable: str) -> None:
    at = np.array([len(regions) - 1.0 - regions.index(region) for region in rows.region])
    tint, independent = _TINTS[variable], CENTRAL_90 * rows.sd_independent
    axes.hlines(at, rows.q05, rows.q95, color=tint, alpha=0.35, linewidth=4.5, label="90 %")
    axes.hlines(at, rows.q25, rows.q75, color=tint, alpha=0.75, linewidth=4.5, label="50 %")
    axes.hlines(
        at - 0.36, rows["mean"] - independent, rows["mean"] + independent, color=_INDEPENDENT,
        linewidth=1.2, label="90 % if cells were independent",
    )  # fmt: skip
    axes.plot(
        rows.q50, at, "o", markersize=3.2, color="white", markeredgecolor=tint, label="median"
    )
    axes.set_ylim(-0.8, len(regions) - 0.3)


def followed(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return kind and name of the regions of which all years are drawn.

    Parameters
    ----------
    rows
        Of :func:`ordered`.
    """
    named = rows[~rows.region.isin(NOWHERE)].drop_duplicates(["kind", "region"])
    most = named.groupby("kind", sort=False).head(FOLLOWED)
    return list(zip(most.kind, most.region, strict=True))


def _years(
    figure: SubFigure, table: pd.DataFrame, regions: list[tuple[str, str]], variables: list[str]
) -> None:
    """Draw the years of regions, one below the other, with their bands."""
    grid = figure.subplots(len(regions), len(variables), squeeze=False, sharex=True)
    series = table.sort_values("year").groupby(["kind", "region", "variable"])
    for line, region in zip(grid, regions, strict=True):
        line[0].set_title(region_words(*region))
        for axes, variable in zip(line, variables, strict=True):
            rows, tint = series.get_group((*region, variable)), _TINTS[variable]
            axes.fill_between(rows.year, rows.q05, rows.q95, color=tint, alpha=0.2, linewidth=0)
            axes.fill_between(rows.year, rows.q25, rows.q75, color=tint, alpha=0.4, linewidth=0)
            axes.plot(rows.year, rows.q50, "o-", color=tint, linewidth=1.0, markersize=2.0)
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_formatter(FuncFormatter(_number))
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    for axes, variable in zip(grid[-1], variables, strict=True):
        units = table[table.variable == variable].units.iloc[0]
        axes.set_xlabel(f"{label(variable)} by year ({plain_unit(units)})")


def _name_rows(line: np.ndarray, kind: str, rows: pd.DataFrame, regions: list[str]) -> None:
    cells = rows.drop_duplicates("region").set_index("region").cells
    names = [f"{region_words(kind, region)} ({cells[region]:,.0f})" for region in regions]
    line[0].set_title(KINDS[kind])
    for axes in line:
        axes.set_yticks(np.arange(len(names))[::-1], names if axes is line[0] else [], fontsize=7.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)


def _axis(column: np.ndarray, rows: pd.DataFrame, variable: str) -> bool:
    """Scale and label the panels of one variable; return whether large sums are shrunk."""
    size = rows["mean"].abs()
    small = float(size[size > 0].quantile(0.25)) if (size > 0).any() else 1.0
    bent = bool(size.max() > WIDE_RANGE * small)
    powers = 10.0 ** np.arange(np.ceil(np.log10(small)), np.log10(10.0 * max(size.max(), small)))
    for axes in column:
        if bent:
            axes.set_xscale("asinh", linear_width=small)
            axes.xaxis.set_major_locator(FixedLocator([*-powers[::-1], 0.0, *powers]))
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(_number))
        axes.axvline(0.0, color="#555555", linewidth=0.6)
        axes.label_outer()
    year, units = rows[["year", "units"]].iloc[0]
    column[-1].set_xlabel(f"{label(variable)} in {year} ({plain_unit(units)})")
    return bent


def _number(value: float, _position: int | None = None) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
