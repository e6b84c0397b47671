"""What a model says of a region beside what its inventory says, and the difference term by term.

All terms are what the land gains, TgC yr-1. The bridge goes from the exchange with the atmosphere
to the change of the stocks that an inventory is of (Ciais et al. 2021, National Science Review 8,
nwaa145; Grassi et al. 2018, Nature Climate Change 8, 914; Deng et al. 2022, Earth System Science
Data 14, 1639): net exchange, what burns, what is carried away: that is NBP; land use that the map
has not, lateral fluxes; less what happens on land that is not managed; plus the region's land that
the map does not cover, at the mean density of what it covers. What is then missing from the
inventory's number is said to be unexplained.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.evaluation.land_use_history import histories
from concerto.evaluation.policy_files import TERMS
from concerto.evaluation.region_totals import (
    GRAMS_PER_TERAGRAM,
    MEGATONNES_CO2,
    categories_of,
    described,
    group_of,
)
from concerto.land_use_categories import CONVERTED, PRODUCTS, TOTAL, category_name

log = logging.getLogger(__name__)

WORDS = {
    "nee": "net exchange with the atmosphere",
    "fire_emission": "burnt",
    "harvest": "carried away by harvest",
    "nbp": "net biome production (NBP)",
    "land_use": "land use that the map has not",
    **TERMS,
    "stock_change": "change of the stocks",
    "unmanaged": "less: on land that is not managed",
    "not_mapped": "land that is not on the map: a guess",
    "comparable": "what compares with the inventory",
    "unexplained": "unexplained",
    "inventory": "the inventory",
}
"""Rows of a bridge in their order, and what they are."""
SUMS = ("nbp", "stock_change", "comparable", "inventory")
"""Rows that are sums of the terms above them."""
COLUMNS = (
    "region", "category", "year", "row", "is_sum", "words", "unit", "positive_means", "mean", "sd",
    "q05", "q50", "q95", "co2_unit", "co2_mean", "co2_q05", "co2_q95", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What users give: tables of :mod:`concerto.evaluation.policy_files`, land use by member.

    ``land_use`` is what land use adds to NBP, g yr-1 (member, region, year), and ``file`` where the
    transitions are from.
    """

    inventory: pd.DataFrame
    lateral: pd.DataFrame | None = None
    transitions: pd.DataFrame | None = None
    land_use: xr.DataArray | None = None
    file: object = "transitions"


@dataclass
class _Land:
    """The pieces of one region, and what of it the map covers."""

    pieces: xr.Dataset
    category: np.ndarray
    covered: float
    shares: dict[tuple[str, int], float] = field(default_factory=dict)


def read_land_use(file: Path, members: int) -> xr.DataArray:
    """Read what land use adds to the NBP of regions, TgC yr-1 (member, region, year), as g yr-1.

    The file has ``nbp`` of a run with land use and may have ``nbp_without``, of the same members
    without it; what it has by cover is added up.

    Raises
    ------
    InputError
        If there is no ``nbp`` of those dimensions, or of another number of members.
    """
    try:
        ds = xr.load_dataset(file)
    except (OSError, ValueError) as error:
        raise InputError(file, "file", f"unreadable ({error})", "a NetCDF file") from error
    if "nbp" not in ds or not {"member", "region", "year"} <= set(ds["nbp"].dims):
        raise InputError(file, "nbp", f"{', '.join(map(str, ds))}", "nbp (member, region, year)")
    if ds.sizes["member"] != members:
        found = f"{ds.sizes['member']} members"
        raise InputError(file, "member", found, f"the {members} of the map, in their order")
    gain = ds["nbp"] - ds["nbp_without"] if "nbp_without" in ds else ds["nbp"]
    if "cover" in gain.dims:
        gain = gain.sum("cover")
    return gain * GRAMS_PER_TERAGRAM


def reconcile(
    pieces: xr.Dataset,
    areas: pd.DataFrame,
    own: Mapping[str, str],
    given: Given,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the bridge from the model to the inventory, with the columns :data:`COLUMNS`.

    For each region, category and year that both have, the terms in their order; those that are no
    sums add up to the inventory's number, member by member.

    Parameters
    ----------
    pieces
        Of :func:`concerto.projection.pieces.join_pieces`.
    areas
        Of :func:`concerto.evaluation.region_totals.area_table`.
    own
        Categories of covers that differ from the common ones.
    given
        What users give.
    rng
        Generator of what the standard deviations of the given numbers stand for.

    Raises
    ------
    InputError
        If the inventory and the map have no region and year in common, or transitions exceed the
        land.
    """
    years = pieces["year"].to_numpy().astype(int).tolist()
    regions = set(pieces["region"].to_numpy().astype(str))
    wanted = given.inventory
    common = wanted[wanted["region"].isin(regions) & wanted["year"].isin(years)]
    log.info("%d of %d rows of the inventory are in regions and years of the map",
             len(common), len(wanted))  # fmt: skip
    if common.empty:
        found = f"years {wanted['year'].min()} to {wanted['year'].max()} of {len(wanted)} rows"
        raise InputError("inventory", "year", found, f"some of {years[0]} to {years[-1]}")
    lands = {name: _land(name, pieces, areas, own, given) for name in common["region"].unique()}
    rows = []
    for entry in common.itertuples(index=False):
        land = lands[entry.region]
        terms, note = _terms(entry, land, years.index(entry.year), given, rng)
        members = pieces.sizes["member"]
        inventory = entry.gain + entry.gain_sd * rng.standard_normal(members)
        whole = sum(terms.values())
        bridge = _with_sums(terms) | {
            "comparable": whole,
            "unexplained": inventory - whole,
            "inventory": inventory,
        }
        name = category_name(entry.category, entry.history or None)
        rows += [
            {
                "region": entry.region,
                "category": name,
                "year": entry.year,
                **_row(row, np.broadcast_to(bridge[row], members)),
                "note": entry.given if row == "inventory" else note.get(row, ""),
            }
            for row in WORDS
            if row in bridge
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _land(
    name: str, pieces: xr.Dataset, areas: pd.DataFrame, own: Mapping[str, str], given: Given
) -> _Land:
    here = np.flatnonzero(pieces["region"].to_numpy().astype(str) == name)
    some = pieces.isel(piece=here)
    category = categories_of(some["cover"].to_numpy(), own)
    land = _Land(some, category, float(areas.set_index("region").loc[name, "covered"]))
    if given.transitions is None:
        return land
    moved = given.transitions[given.transitions["region"] == name]
    if len(moved):
        km2 = pd.Series(some["area"].to_numpy() * 1e-6).groupby(category).sum()
        years = pieces["year"].to_numpy().astype(int)
        table = histories(
            moved[["year", "from", "to", "area_km2"]], km2, years[0], years[-1], given.file
        )
        whole = table.remaining_km2 + table.converted_km2
        share = np.where(whole > 0.0, table.converted_km2 / whole.where(whole > 0.0, 1.0), 0.0)
        land.shares.update(zip(zip(table.category, table.year, strict=True), share, strict=True))
    return land


def _terms(
    entry: object, land: _Land, year: int, given: Given, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the terms of a region, category and year, TgC yr-1 by member, and notes on some."""
    members = land.pieces.sizes["member"]
    if entry.category == PRODUCTS:
        terms = {"nee": np.zeros(members)}
        note = {"nee": "the map has no wood products"}
        return terms | _lateral(entry, given, rng, members), note
    which = np.ones(len(land.category), bool)
    if entry.category != TOTAL:
        which = land.category == entry.category
    share, note = _share(entry, land)
    managed = land.pieces["managed"].to_numpy() == 1
    everything = group_of(land.pieces, which).values
    wild = group_of(land.pieces, which & ~managed).values["nbp"][:, year]
    scale = share / GRAMS_PER_TERAGRAM
    terms = {
        name: -scale * everything[name][:, year] for name in ("nee", "fire_emission", "harvest")
    }
    nbp = sum(terms.values())
    if given.land_use is not None and entry.category == TOTAL:
        added = _land_use(entry, given.land_use)
        if added is not None:
            terms["land_use"] = added
            nbp = nbp + added
    terms |= _lateral(entry, given, rng, members)
    terms["unmanaged"] = -scale * wild
    if land.covered < 1.0:
        terms["not_mapped"] = (nbp + terms["unmanaged"]) * (1.0 / land.covered - 1.0)
        note["not_mapped"] = f"the map covers {100 * land.covered:.3g} % of the region: a guess"
    return terms, note


def _share(entry: object, land: _Land) -> tuple[float, dict[str, str]]:
    """Return which share of a category's land has the history that is asked for, and a note."""
    if not entry.history:
        return 1.0, {}
    known = land.shares.get((entry.category, entry.year))
    if known is None:
        note = "no transitions given: all land counts as remaining"
        return float(entry.history != CONVERTED), {"nee": note}
    share = known if entry.history == CONVERTED else 1.0 - known
    return share, {"nee": f"{100 * share:.3g} % of the category's area, at its mean density"}


def _lateral(
    entry: object, given: Given, rng: np.random.Generator, members: int
) -> dict[str, np.ndarray]:
    if given.lateral is None or entry.history:
        return {}
    table = given.lateral
    rows = table[(table["region"] == entry.region) & (table["year"] == entry.year)]
    if entry.category != TOTAL:
        rows = rows[rows["category"] == entry.category]
    terms: dict[str, np.ndarray] = {}
    for row in rows.itertuples(index=False):
        drawn = row.gain + row.gain_sd * rng.standard_normal(members)
        terms[row.term] = terms.get(row.term, 0.0) + drawn
    return terms


def _land_use(entry: object, gain: xr.DataArray) -> np.ndarray | None:
    here = gain["region"].to_numpy().astype(str) == entry.region
    then = gain["year"].to_numpy() == entry.year
    if not (here.any() and then.any()):
        return None
    return gain.transpose("member", "region", "year").to_numpy()[:, here, then].squeeze(-1) / (
        GRAMS_PER_TERAGRAM
    )


def _with_sums(terms: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return terms with NBP and the change of the stocks, the sums of what comes before them."""
    order = list(WORDS)
    found = dict(terms)
    for name in ("nbp", "stock_change"):
        before = [terms[term] for term in order[: order.index(name)] if term in terms]
        found[name] = sum(before)
    return found


def _row(row: str, values: np.ndarray) -> dict[str, object]:
    found = described(values + 0.0)  # of -0.0 as well
    return {
        "row": row,
        "is_sum": row in SUMS,
        "words": WORDS[row],
        "unit": "TgC yr-1",
        "positive_means": "land gains carbon",
        **{name: found[name] for name in ("mean", "sd", "q05", "q50", "q95")},
        "co2_unit": "Mt CO2 yr-1",
        **{f"co2_{name}": MEGATONNES_CO2 * found[name] for name in ("mean", "q05", "q95")},
    }
