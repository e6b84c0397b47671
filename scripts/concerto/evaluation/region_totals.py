"""Tables of regions: fluxes, stocks and their change, member by member, in units of policy.

Each number is of the members' totals: member k is one draw of the whole map, so that what cells
have in common stays in the interval of a region. Signs: GPP, RECO, NEE and emissions as everywhere
(NEE positive to the atmosphere); NBP and changes of stocks are positive where land gains carbon.

``nbp = -(nee + fire_emission + harvest)`` is what is left to the land's pools (Chapin et al. 2006,
Ecosystems 9, 1041): in the model it is the change of the stocks, and the table shows both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from concerto.domain import QUANTILES
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.summary import described
from concerto.land_use_categories import OF_IGBP, UNKNOWN
from concerto.projection.pieces import START

WHOLE = "whole map"
"""Name of all regions together."""
ALL = "all land"
"""Name of a region's land under all covers."""
KINDS = ("all", "cover", "category")
"""What the land of a region is divided by: nothing, IGBP class, category of the IPCC."""
GRAMS_PER_TERAGRAM = 1e12
MEGATONNES_CO2 = 44.0 / 12.0
"""Of a teragram of carbon, as inventories convert (IPCC 2006, volume 4, chapter 2)."""
FLUXES: Mapping[str, str] = {
    "gpp": "carbon that plants take up",
    "reco": "carbon that plants and soils respire",
    "nee": "carbon to the atmosphere",
    "fire_emission": "carbon to the atmosphere",
    "harvest": "carbon carried away",
    "nbp": "land gains carbon",
}
"""Fluxes of a table, and what a positive number of each means."""
STOCKS = {"vegetation": "live_biomass", "litter": "litter", "soil": "som"}
"""Stocks of a table, and the pools that they are."""
TRENDED = ("gpp", "reco", "nee", "nbp", *STOCKS, "stock")
"""What trends are of."""
LEAST_YEARS = 10
"""From how many years on a trend is stated."""
_ROUNDING = 1e-6  # of an area, which pieces have in whole square metres
GAIN_WORDS = "land gains carbon"
"""What a positive number of a balance means."""
TABLE = (
    "region", "kind", "group", "variable", "period", "years", "unit", "positive_means", "mean",
    "sd", *QUANTILES, "co2_unit", "co2_mean", "co2_q05", "co2_q95", "density_unit", "density_mean",
    "density_sd", "chance_of_gain", "area_km2",
)  # fmt: skip
TRENDS = (
    "region", "variable", "first_year", "last_year", "years", "unit", "positive_means", "mean",
    "sd", *QUANTILES, "chance_of_rise", "note",
)  # fmt: skip
AREAS = (
    "region", "cells", "polygon_km2", "land_km2", "map_km2", "with_values_km2",
    "without_values_km2", "covered",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The members' totals of some land.

    ``values`` has each variable's grams of carbon (member, year): fluxes of a year, stocks at its
    end, and under ``STOCK_change`` what each gained in it. ``area`` m2.
    """

    values: Mapping[str, np.ndarray]
    area: float


def group_of(pieces: xr.Dataset, which: np.ndarray) -> Group:
    """Return the totals of the pieces of a mask (piece,).

    Whole grams, which add up to the same in any order.
    """
    some = pieces.isel(piece=np.flatnonzero(which))
    found = {
        str(name): values.sum("piece").to_numpy()
        for name, values in some.data_vars.items()
        if "member" in values.dims
    }
    values = {name: found[name] for name in FLUXES if name in found}
    if "nee" in found:
        values["nbp"] = -(found["nee"] + found["fire_emission"] + found["harvest"])
    for stock, pool in STOCKS.items():
        if pool in found:
            before = np.concatenate([found[pool + START][:, None], found[pool][:, :-1]], axis=1)
            values |= {stock: found[pool], f"{stock}_change": found[pool] - before}
    stocks = [stock for stock in STOCKS if stock in values]
    if stocks:
        values["stock"] = np.sum([values[stock] for stock in stocks], axis=0)
        values["stock_change"] = np.sum([values[f"{stock}_change"] for stock in stocks], axis=0)
    return Group(values, float(some["area"].sum()))


def categories_of(covers: Iterable[str], own: Mapping[str, str]) -> np.ndarray:
    """Return the IPCC category of each cover; ``own`` are those that the configuration changes."""
    known = {**OF_IGBP, **own}
    return np.array([known.get(str(cover), UNKNOWN) for cover in covers], dtype=object)


def groups(pieces: xr.Dataset, own: Mapping[str, str]) -> Iterator[tuple[str, str, str, Group]]:
    """Yield region, kind and name of each group of land with its totals, the whole map first."""
    region, cover = (pieces[name].to_numpy().astype(str) for name in ("region", "cover"))
    category = categories_of(cover, own)
    everywhere = np.ones(len(region), bool)
    names = [(WHOLE, everywhere), *((name, region == name) for name in sorted(set(region)))]
    for name, here in names:
        yield name, "all", ALL, group_of(pieces, here)
        for kind, labels in (("cover", cover), ("category", category)):
            for label in sorted(set(labels[here])):
                yield name, kind, label, group_of(pieces, here & (labels == label))


def periods_of(
    years: Sequence[int], own: Mapping[str, Sequence[int]], file: object = "configuration"
) -> dict[str, np.ndarray]:
    """Return which years each period of a table has: each year, all of several, one's own.

    Raises
    ------
    InputError
        If one's own period has a year that the map has not whole.
    """
    years = [int(year) for year in years]
    found = {str(year): np.array([k]) for k, year in enumerate(years)}
    if len(years) > 1:
        found[f"{years[0]}-{years[-1]}"] = np.arange(len(years))
    for name, (first, last) in own.items():
        missing = [year for year in range(first, last + 1) if year not in years]
        if missing:
            expected = (
                f"years from {years[0]} to {years[-1]}" if years else "no year: none is whole"
            )
            raise InputError(file, f"periods.{name}", missing[0], expected)
        found[name] = np.array([years.index(year) for year in range(first, last + 1)])
    return found


def region_table(
    pieces: xr.Dataset, own: Mapping[str, str], periods: Mapping[str, Sequence[int]]
) -> pd.DataFrame:
    """Return the table of regions, with the columns :data:`TABLE`.

    Parameters
    ----------
    pieces
        Of :func:`concerto.projection.pieces.join_pieces`.
    own
        Categories of covers that differ from the common ones.
    periods
        First and last year of periods whose means are wanted, by name.

    Raises
    ------
    ConcertoError
        If the map has no whole year, or no cell with values.
    InputError
        If a period is not in the map's years.
    """
    if not pieces.sizes.get("piece"):
        raise ConcertoError("the map has no cell with values; logs of its tiles say why")
    if not pieces.sizes.get("year"):
        raise ConcertoError("the map has no whole calendar year; its table needs one")
    wanted = periods_of(pieces["year"].to_numpy(), periods)
    rows: list[dict[str, object]] = []
    for region, kind, label, group in groups(pieces, own):
        for variable, grams in group.values.items():
            for period, which in wanted.items():
                of_period = grams[:, which].mean(axis=1) / GRAMS_PER_TERAGRAM
                rows.append(
                    {
                        "region": region,
                        "kind": kind,
                        "group": label,
                        "variable": variable,
                        "period": period,
                        "years": len(which),
                        **_row(variable, of_period, group.area),
                        "area_km2": group.area * 1e-6,
                    }
                )
    return pd.DataFrame(rows, columns=TABLE)


def read_rows(file: Path) -> pd.DataFrame:
    """Read a table of regions, of trends, of areas or of an inventory.

    Names stay text: Namibia's code is NA, and periods may be single years.
    """
    names = ("region", "period", "category", "note", "group")
    return pd.read_csv(file, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=[""])


def is_stock(variable: str) -> bool:
    """Return whether a variable is a stock, and not a flux or a change of one."""
    return variable in (*STOCKS, "stock")


def meaning(variable: str) -> str:
    """Return what a positive number of a variable means."""
    if is_stock(variable):
        return "carbon on the land at the end of the period's years"
    return FLUXES.get(variable, GAIN_WORDS)


def _row(variable: str, teragrams: np.ndarray, area: float) -> dict[str, object]:
    found = described(teragrams)
    per_year = "" if is_stock(variable) else " yr-1"
    density = GRAMS_PER_TERAGRAM / area if area else np.nan
    gains = meaning(variable) == GAIN_WORDS
    return {
        "unit": f"TgC{per_year}",
        "positive_means": meaning(variable),
        **found,
        "co2_unit": f"Mt CO2{per_year}",
        **{f"co2_{name}": MEGATONNES_CO2 * found[name] for name in ("mean", "q05", "q95")},
        "density_unit": f"gC m-2{per_year}",
        "density_mean": density * found["mean"],
        "density_sd": density * found["sd"],
        "chance_of_gain": (teragrams > 0.0).mean() if gains else np.nan,
    }


def trend(members: np.ndarray, years: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of the trend, a member each: change a year of a linear fit to its years.

    Each member's slope by least squares, and a draw of that slope's own error from Student's
    distribution, for years that come and go around the line. Its degrees of freedom are those of
    the residuals' effective number, for a lag-1 autocorrelation (Santer et al. 2000, Journal of
    Geophysical Research 105, 7337, equations 4 to 6).

    Parameters
    ----------
    members
        Totals, (member, year).
    years
        Calendar years (year,).
    rng
        Generator of the draws.
    """
    time = years - years.mean()
    spread = np.sum(time**2)
    centred = members - members.mean(axis=1, keepdims=True)
    slope = centred @ time / spread
    rest = centred - slope[:, None] * time
    power = np.sum(rest**2, axis=1)
    lagged = np.sum(rest[:, 1:] * rest[:, :-1], axis=1)
    memory = np.clip(lagged / np.where(power > 0.0, power, 1.0), 0.0, 0.99)
    effective = np.maximum(len(years) * (1.0 - memory) / (1.0 + memory), 3.0)
    error = np.sqrt(power / (effective - 2.0) / spread)
    return slope + error * stats.t.rvs(effective - 2.0, random_state=rng)


def trend_table(pieces: xr.Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """Return the trends of fluxes and stocks of each region, with the columns :data:`TRENDS`.

    With less than :data:`LEAST_YEARS` years there is no number, but a note.
    """
    years = pieces["year"].to_numpy().astype(float)
    region = pieces["region"].to_numpy().astype(str)
    rows = []
    for name in (WHOLE, *sorted(set(region))):
        here = np.ones(len(region), bool) if name == WHOLE else region == name
        group = group_of(pieces, here)
        for variable in (name for name in TRENDED if name in group.values):
            row = {
                "region": name,
                "variable": variable,
                "first_year": int(years[0]),
                "last_year": int(years[-1]),
                "years": len(years),
                "unit": "TgC yr-1" if is_stock(variable) else "TgC yr-2",
                "positive_means": f"{variable} rises",
            }
            if len(years) < LEAST_YEARS:
                row["note"] = f"no trend: {_count(len(years))}, at least {LEAST_YEARS} needed"
            else:
                members = group.values[variable] / GRAMS_PER_TERAGRAM
                drawn = trend(members, years, rng)
                row |= {**described(drawn), "chance_of_rise": (drawn > 0.0).mean(), "note": ""}
            rows.append(row)
    return pd.DataFrame(rows, columns=TRENDS)


def _count(years: int) -> str:
    return "one year" if years == 1 else f"{years} years"


def area_table(weights: xr.Dataset, pieces: xr.Dataset) -> pd.DataFrame:
    """Return how much of each region the map covers, with the columns :data:`AREAS`.

    ``map_km2`` is the region's land in cells of the map, which is that ``with_values_km2`` and
    ``without_values_km2`` together; ``covered`` is the share of the polygon's land with values.
    Land in no polygon is a region too, of which there is no polygon; the last row is the whole map.
    """
    region = pieces["region"].to_numpy().astype(str)
    area = pieces["area"].to_numpy()
    parts = weights[["region", "location"]].to_dataframe()
    cells = parts.groupby("region")["location"].nunique()
    rows = []
    for k, name in enumerate(weights["region_name"].to_numpy().astype(str)):
        on_map = float(weights["map_area"][k])
        if on_map <= 0.0:
            continue
        known = min(float(area[region == name].sum()), on_map)
        unknown = on_map - known if on_map - known > _ROUNDING * on_map else 0.0
        polygon, land = (float(weights[area][k]) for area in ("polygon_area", "land_area"))
        rows.append([name, cells[name], polygon, land, on_map, known, unknown, known / land])
    table = pd.DataFrame(rows, columns=AREAS)
    whole = table[["map_km2", "with_values_km2", "without_values_km2"]].sum()
    every = parts["location"].nunique()
    table.loc[len(table)] = [WHOLE, every, np.nan, np.nan, *whole, np.nan]
    lengths = [name for name in AREAS if name.endswith("_km2")]
    return table.assign(**{name: table[name] * 1e-6 for name in lengths})
