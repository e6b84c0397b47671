"""Years to come of regions, under scenarios: fluxes, stocks and their change, member by member.

A region has of a cell the land that its polygon has, and takes part in the cell's mean, as in
:mod:`concerto.evaluation.region_totals`. Signs and units are as there; here land has its products
of wood and crops too, so that NBP is the change of all four stocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import QUANTILES
from concerto.errors import ConcertoError
from concerto.evaluation.region_totals import (
    ALL,
    GAIN_WORDS,
    GRAMS_PER_TERAGRAM,
    LEAST_YEARS,
    MEGATONNES_CO2,
    WHOLE,
    categories_of,
    trend,
)
from concerto.evaluation.scenarios import GAIN

STOCKS = ("vegetation", "litter", "soil", "wood_products")
START = "_start"
"""End of the names of stocks at the start of the scenarios."""
_SOURCE, _SINK = "carbon to the atmosphere", "carbon that plants take up"
FLUXES: Mapping[str, str] = {
    "gpp": _SINK,
    "reco": "carbon that plants, soils and slash respire",
    "nee": _SOURCE,
    "fire": _SOURCE,
    "nbp": GAIN_WORDS,
    "gross_source": _SOURCE,
    "clearing": _SOURCE,
    "slash_decay": _SOURCE,
    "product_decay": _SOURCE,
    "soil_legacy": "carbon that litter and soil lose",
    "regrowth_sink": "carbon that regrowing land takes up",
    "harvest": "carbon carried away",
}
"""Fluxes of the tables, and what a positive number of each means."""
_DECADE = 10
_QUANTILES = {name: QUANTILES[name] for name in ("q05", "q50", "q95")}
_STATED = ("mean", "sd", *_QUANTILES)
FUTURES = (
    "region", "kind", "group", "scenario", "variable", "period", "years", "unit", "positive_means",
    *_STATED, "co2_unit", "co2_mean", "co2_q05", "co2_q95", "density_unit", "density_mean",
    "chance_of_gain", "baseline", "difference_mean", "difference_sd", "difference_q05",
    "difference_q95", "difference_chance_of_more", "area_km2",
)  # fmt: skip
YEARS = ("region", "scenario", "variable", "year", "unit", *_STATED, "chance_of_gain")
TRENDS = (
    "region", "scenario", "variable", "first_year", "last_year", "years", "unit", *_STATED,
    "chance_of_rise",
)  # fmt: skip


class Futures:
    """The members' totals of groups of land, in TgC, under all scenarios.

    Parameters
    ----------
    outcome
        Of :func:`concerto.evaluation.scenarios.joined`: (scenario, member, location, year).
    weights
        Of :func:`concerto.prepare.region_areas.weigh`.
    own
        Categories of covers that differ from the common ones.

    Raises
    ------
    ConcertoError
        If no region has a cell with members.
    """

    def __init__(self, outcome: xr.Dataset, weights: xr.Dataset, own: Mapping[str, str]) -> None:
        self._outcome = outcome
        self.groups, self._areas = _groups(weights, outcome["location"].to_numpy().astype(str), own)
        self.years = outcome["year"].to_numpy().astype(int)
        self.scenarios = outcome["scenario"].to_numpy().astype(str).tolist()

    @property
    def area(self) -> np.ndarray:
        """Area of each group (group,), m2."""
        return self._areas.sum(axis=1)

    def _summed(self, name: str) -> np.ndarray:
        """Return a variable's totals (group, scenario, member, year), or of starts (..., 1)."""
        values = self._outcome[name]
        if name.endswith(START):
            values = values.expand_dims({"scenario": self.scenarios}).expand_dims("year", axis=-1)
        values = values.transpose("location", "scenario", "member", "year").to_numpy().astype(float)
        return np.tensordot(self._areas, values, axes=1) / GRAMS_PER_TERAGRAM

    def totals(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each variable with its totals (group, scenario, member, year).

        Fluxes and ``STOCK_change`` are TgC yr-1, stocks and the gain since the start TgC at the end
        of each year.
        """
        nee = self._summed("nee")
        gpp = self._summed("gpp")
        for name in FLUXES:
            if name == "reco":
                yield name, nee + gpp
            elif name in self._outcome:
                found = {"nee": nee, "gpp": gpp}.get(name)
                yield name, self._summed(name) if found is None else found
        stocks = changes = 0.0
        for name in STOCKS:
            held = self._summed(name)
            change = np.diff(held, axis=-1, prepend=self._summed(name + START))
            yield name, held
            yield f"{name}_change", change
            stocks, changes = stocks + held, changes + change
        yield "stock", stocks
        yield "stock_change", changes
        yield GAIN, np.cumsum(self._summed("nbp"), axis=-1)


def _groups(
    weights: xr.Dataset, locations: np.ndarray, own: Mapping[str, str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return ``region, kind, group`` of each group of land, and its area (group, location), m2."""
    parts = weights[["location", "region", "cover", "area"]].to_dataframe()
    parts["at"] = pd.Index(locations).get_indexer(parts["location"].astype(str))
    parts = parts[parts["at"] >= 0]
    if parts.empty:
        raise ConcertoError("scenarios of regions: found no cell with members in any region")
    parts["category"] = categories_of(parts["cover"], own)
    rows, areas = [], []
    regions = [(WHOLE, parts), *((str(name), some) for name, some in parts.groupby("region"))]
    for region, some in regions:
        split = [("all", ALL, some)]
        for kind in ("cover", "category"):
            split += [(kind, str(label), few) for label, few in some.groupby(kind)]
        for kind, label, few in split:
            rows.append((region, kind, label))
            areas.append(np.bincount(few["at"], few["area"], minlength=len(locations)))
    return pd.DataFrame(rows, columns=["region", "kind", "group"]), np.stack(areas)


def is_stock(variable: str) -> bool:
    """Return whether a variable is carbon at a time, and not in a year."""
    return variable in (*STOCKS, "stock", GAIN)


def _meaning(variable: str) -> str:
    if variable in (*STOCKS, "stock"):
        return "carbon that is there at the end of the period's years"
    return FLUXES.get(variable, GAIN_WORDS)


def _stated(members: np.ndarray) -> dict[str, np.ndarray]:
    """Return mean, standard deviation and quantiles over the last axis."""
    quantiles = np.quantile(members, list(_QUANTILES.values()), axis=-1)
    return {
        "mean": members.mean(axis=-1),
        "sd": members.std(axis=-1, ddof=1),
        **dict(zip(_QUANTILES, quantiles, strict=True)),
    }


def _periods(years: np.ndarray) -> dict[str, np.ndarray]:
    """Return which years each decade has, and all of them, by name; the whole comes last."""
    found = {}
    for start in [*range(0, len(years), _DECADE)]:
        which = np.arange(start, min(start + _DECADE, len(years)))
        found[f"{years[which[0]]}-{years[which[-1]]}"] = which
    whole = f"{years[0]}-{years[-1]}"
    return {**{name: which for name, which in found.items() if name != whole},
            whole: np.arange(len(years))}  # fmt: skip


def future_tables(
    futures: Futures, baseline: str, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables of regions' years to come.

    Parameters
    ----------
    futures
        The members' totals.
    baseline
        Name of the scenario that others are compared with, member by member.
    rng
        Generator of the trends' draws.

    Returns
    -------
    table, yearly, trends
        With the columns :data:`FUTURES`, means over decades and all years, of all land, and by
        cover and category over the last decade and all years; :data:`YEARS`, each year of all land;
        :data:`TRENDS`, of all land.
    """
    frames: dict[str, list[pd.DataFrame]] = {"table": [], "yearly": [], "trends": []}
    everything = (futures.groups["kind"] == "all").to_numpy()
    base = futures.scenarios.index(baseline)
    periods = _periods(futures.years)
    for variable, values in futures.totals():
        for period in periods:
            which = np.ones(len(everything), bool) if period in [*periods][-2:] else everything
            of_period = values[which][..., periods[period]].mean(axis=-1)
            labels = {"period": period, "years": len(periods[period]), "baseline": baseline}
            frames["table"].append(
                _rows(futures, which, variable, of_period, base).assign(**labels)
            )
        frames["yearly"].append(_yearly(futures, everything, variable, values[everything]))
        if len(futures.years) >= LEAST_YEARS:
            frames["trends"].append(_trends(futures, everything, variable, values[everything], rng))
    table, yearly, trends = (
        pd.concat(found, ignore_index=True) if found else pd.DataFrame()
        for found in frames.values()
    )
    return table[list(FUTURES)], yearly[list(YEARS)], trends.reindex(columns=list(TRENDS))


def _crossed(futures: Futures, which: np.ndarray) -> pd.DataFrame:
    """Return a row for each group and scenario, in the order of raveled totals."""
    return futures.groups[which].merge(pd.DataFrame({"scenario": futures.scenarios}), how="cross")


def _rows(
    futures: Futures, which: np.ndarray, variable: str, members: np.ndarray, base: int
) -> pd.DataFrame:
    """Return rows of a period's totals (group, scenario, member)."""
    per_year = "" if is_stock(variable) else " yr-1"
    found = {name: values.ravel() for name, values in _stated(members).items()}
    difference = members - members[:, base : base + 1]
    other = _stated(difference)
    area = np.repeat(futures.area[which], len(futures.scenarios))
    gains = _meaning(variable) == GAIN_WORDS
    return _crossed(futures, which).assign(
        variable=variable,
        unit=f"TgC{per_year}",
        positive_means=_meaning(variable),
        **found,
        co2_unit=f"Mt CO2{per_year}",
        **{f"co2_{name}": MEGATONNES_CO2 * found[name] for name in ("mean", "q05", "q95")},
        density_unit=f"gC m-2{per_year}",
        density_mean=GRAMS_PER_TERAGRAM * found["mean"] / area,
        chance_of_gain=(members > 0.0).mean(axis=-1).ravel() if gains else np.nan,
        **{f"difference_{name}": other[name].ravel() for name in ("mean", "sd", "q05", "q95")},
        difference_chance_of_more=(difference > 0.0).mean(axis=-1).ravel(),
        area_km2=area * 1e-6,
    )


def _yearly(futures: Futures, which: np.ndarray, variable: str, values: np.ndarray) -> pd.DataFrame:
    years = pd.DataFrame({"year": futures.years})
    by_year = values.swapaxes(-1, -2)  # group, scenario, year, member
    gains = _meaning(variable) == GAIN_WORDS
    return (
        _crossed(futures, which)
        .merge(years, how="cross")
        .assign(
            variable=variable,
            unit="TgC" if is_stock(variable) else "TgC yr-1",
            **{name: found.ravel() for name, found in _stated(by_year).items()},
            chance_of_gain=(by_year > 0.0).mean(axis=-1).ravel() if gains else np.nan,
        )
    )


def _trends(
    futures: Futures,
    which: np.ndarray,
    variable: str,
    values: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    years = futures.years.astype(float)
    drawn = np.stack([[trend(members, years, rng) for members in group] for group in values])
    return _crossed(futures, which).assign(
        variable=variable,
        first_year=futures.years[0],
        last_year=futures.years[-1],
        years=len(years),
        unit="TgC yr-1" if is_stock(variable) else "TgC yr-2",
        **{name: found.ravel() for name, found in _stated(drawn).items()},
        chance_of_rise=(drawn > 0.0).mean(axis=-1).ravel(),
    )
