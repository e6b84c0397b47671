"""What is known of a region, in words and numbers for people who will not read a paper.

All exchange is told as what the land gains: a gain is carbon that stays on the land, a loss is
carbon that leaves it. Words for chances are those of the IPCC's authors (Mastrandrea et al. 2010,
Guidance note on the consistent treatment of uncertainties, table 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import STREAMS
from concerto.errors import InputError
from concerto.evaluation.region_totals import GRAMS_PER_TERAGRAM, LEAST_YEARS, MEGATONNES_CO2
from concerto.plugins import suggestion

FEWEST_YEARS = 3
"""From how many years on a page shows years, and not months."""
_COVERED = 0.99  # share of a region from which on it counts as covered
_MINUS, _SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
_STEPS = (
    (0.99, "almost certainly {}"),
    (0.90, "very likely {}"),
    (0.66, "likely {}"),
)
_WORDS = {
    "gpp": "Taken up by plants",
    "reco": "Respired by plants and soils",
    "fire_emission": "Burnt",
    "harvest": "Harvested",
    "nbp": "Balance: gain of the land",
    "vegetation": "Held by living plants",
    "litter": "Held by litter",
    "soil": "Held by soils",
}


@dataclass(frozen=True)
class Interval:
    """A number with its central 90 %, in million tonnes of carbon (a year)."""

    mean: float
    low: float
    high: float

    def text(self) -> str:
        """Write it as ``−1.5 (−4.7 to 1.6)``, alone where it is not uncertain."""
        mean, low, high = self.parts()
        return mean if low == high else f"{mean} ({low} to {high})"

    def parts(self) -> tuple[str, str, str]:
        """Write the number and its ends, with two digits of the larger end."""
        digits = _digits(max(abs(self.low), abs(self.high)))
        mean, low, high = (_fixed(value, digits) for value in (self.mean, self.low, self.high))
        return mean, low, high


@dataclass(frozen=True)
class Line:
    """A row of the page's table: what, how much, and its unit."""

    what: str
    amount: Interval
    unit: str
    strong: bool = False

    def text(self) -> str:
        """Write the amount, of a flux with its time."""
        return self.amount.text() + (" a year" if self.unit.endswith("year") else "")


@dataclass(frozen=True)
class Category:
    """What one category of land gains, and its share of the region's land."""

    name: str
    share: float
    gain: Interval


@dataclass(frozen=True)
class Outlook:
    """What one scenario comes to, in words, by the end of each of its ``years``.

    ``gains`` (year, quantile of 5, 50 and 95 %) since the start, million tonnes of carbon; ``gain``
    by the last year.
    """

    name: str
    words: str
    years: np.ndarray
    gains: np.ndarray
    gain: Interval


@dataclass(frozen=True)
class Facts:
    """All that a page says of a region.

    ``times`` and ``gains`` (time, quantile of 5, 50 and 95 %) are of months or years, in million
    tonnes of carbon; ``bridge`` are rows of the reconciliation with the inventory, ``outlooks``
    scenarios: both may be empty.
    """

    region: str
    title: str
    period: str
    headline: str
    gain: Interval
    chance: float
    sentences: tuple[str, ...]
    times: tuple[str, ...]
    gains: np.ndarray
    monthly: bool
    lines: tuple[Line, ...]
    categories: tuple[Category, ...]
    bridge: tuple[tuple[str, Interval, bool], ...]
    bridge_words: str
    basis: tuple[str, ...]
    limits: tuple[str, ...]
    outlooks: tuple[Outlook, ...] = ()
    outlook_note: str = ""

    @property
    def tone(self) -> str:
        """What the page's colour is: ``gain``, ``loss``, or ``soft`` where it cannot tell."""
        if max(self.chance, 1.0 - self.chance) < _STEPS[-1][0]:
            return "soft"
        return "gain" if self.chance >= 0.5 else "loss"


@dataclass(frozen=True)
class Basis:
    """What a region's numbers rest on.

    ``observed`` is the number of values of each stream, ``status`` that of cells by their status,
    ``model`` and ``method`` names.
    """

    observed: Mapping[str, int]
    status: Mapping[str, int]
    model: str
    method: str


def facts_of(
    region: str,
    title: str,
    *,
    table: pd.DataFrame,
    areas: pd.DataFrame,
    trends: pd.DataFrame,
    pieces: xr.Dataset,
    basis: Basis,
    inventory: pd.DataFrame | None = None,
) -> Facts:
    """Return what a page says of a region.

    Parameters
    ----------
    region, title
        The region, and the table in words.
    table, areas, trends, pieces
        Of :mod:`concerto.evaluation.region_totals` and :mod:`concerto.projection.pieces`.
    basis
        What the numbers rest on.
    inventory
        Of :mod:`concerto.evaluation.inventory`, if there is one.

    Raises
    ------
    InputError
        If the map has no values in the region.
    """
    own = table[table["region"] == region]
    if own.empty:
        offer = suggestion(region, sorted(set(table["region"])))
        raise InputError("configuration", "factsheets", f"{region!r}, without values", offer)
    years = sorted(int(year) for year in own["period"].unique() if re.fullmatch(r"\d{4}", year))
    period = str(years[0]) if len(years) == 1 else f"{years[0]}-{years[-1]}"
    here = own[own["period"] == period]
    whole = here[here["kind"] == "all"].set_index("variable")
    if "nbp" not in whole.index:
        raise InputError("table of regions", "nbp", "none", "a model with net exchange and pools")
    area = areas.set_index("region").loc[region]
    gain = interval_of(whole.loc["nbp"])
    chance = float(whole.loc["nbp", "chance_of_gain"])
    monthly = len(years) < FEWEST_YEARS
    times, gains = _series(pieces, region, own, monthly)
    bridge, bridge_words = _bridge(inventory, region)
    return Facts(
        region,
        title,
        period.replace("-", " to "),
        headline(chance, float(area["covered"])),
        gain,
        chance,
        _sentences(region, period, years, gain, chance, area),
        times,
        gains,
        monthly,
        _lines(whole),
        _categories(here),
        bridge,
        bridge_words,
        _basis_words(basis, area),
        _limits(years, whole, area, trends[trends["region"] == region], basis),
    )


def headline(chance: float, covered: float) -> str:
    """Return what the land did as far as can be said.

    Parameters
    ----------
    chance
        That it gained carbon.
    covered
        Share of the region that the map covers; not a number where the region has no outline.
    """
    land = "The part of the land that the map covers" if covered < _COVERED else "The land"
    sure = sure_words(chance, "gained", "lost")
    if sure is None:
        return f"{land} gained or lost carbon: this cannot tell which"
    return f"{land} {sure} carbon"


def sure_words(chance: float, gain: str, loss: str) -> str | None:
    """Return one of two verbs with how sure it is, ``very likely gained``; none where unsure."""
    verb, sure = (gain, chance) if chance >= 0.5 else (loss, 1.0 - chance)
    return next((words.format(verb) for least, words in _STEPS if sure >= least), None)


def amount(million_tonnes: float) -> str:
    """Write a mass of carbon without its sign: ``1.5 million tonnes``."""
    size = abs(million_tonnes)
    if size >= 1000.0:
        return f"{_significant(size / 1000.0)}{_SPACE}billion tonnes"
    if size >= 0.1:
        return f"{_significant(size)}{_SPACE}million tonnes"
    if size >= 1e-4:
        return f"{_significant(size * 1000.0)}{_SPACE}thousand tonnes"
    return f"{_significant(size * 1e6)}{_SPACE}tonnes"


def direction(million_tonnes: float) -> str:
    """Write a gain or a loss: ``a loss of 4.7 million tonnes``."""
    return f"a {'gain' if million_tonnes >= 0 else 'loss'} of {amount(million_tonnes)}"


def _sentences(
    region: str,
    period: str,
    years: Sequence[int],
    gain: Interval,
    chance: float,
    area: pd.Series,
) -> tuple[str, ...]:
    when = f"in {period}" if len(years) == 1 else f"in a year of {period.replace('-', ' to ')}"
    found = [
        f"The best estimate {when} is {direction(gain.mean)} of carbon, "
        f"or {_significant(abs(gain.mean) * MEGATONNES_CO2)} million tonnes of CO₂.",
        f"With nine chances in ten it lies between {direction(gain.low)} and "
        f"{direction(gain.high)}.",
        f"In {100 * chance:.0f} of 100 runs of the model that fit the observations, the land "
        f"gained carbon.",
    ]
    covered = area["covered"]
    if np.isfinite(covered) and covered < _COVERED:
        found.append(
            f"This is of {_area(area['with_values_km2'])}, {_percent(covered)} of the land of "
            f"{region}: not of the whole."
        )
    return tuple(found)


def _series(
    pieces: xr.Dataset, region: str, own: pd.DataFrame, monthly: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return times and what the land gains in each, by quantile."""
    if not monthly:
        rows = own[(own["variable"] == "nbp") & (own["kind"] == "all") & (own["years"] == 1)]
        rows = rows[rows["period"].str.fullmatch(r"\d{4}")].sort_values("period")
        return tuple(rows["period"]), rows[["q05", "q50", "q95"]].to_numpy(dtype=float)
    here = np.flatnonzero(pieces["region"].to_numpy().astype(str) == region)
    nee = pieces["nee_monthly"].isel(piece=here).sum("piece").to_numpy() / GRAMS_PER_TERAGRAM
    times = pd.DatetimeIndex(pieces["time"].to_numpy())
    return tuple(times.strftime("%b %Y")), np.quantile(-nee, [0.05, 0.5, 0.95], axis=0).T


def _lines(whole: pd.DataFrame) -> tuple[Line, ...]:
    lines = []
    for name, words in _WORDS.items():
        if name not in whole.index:
            continue
        row = whole.loc[name]
        if name in ("fire_emission", "harvest") and not row["q95"]:
            continue
        unit = "Mt C" if row["unit"] == "TgC" else "Mt C a year"
        lines.append(Line(words, interval_of(row), unit, name == "nbp"))
    return tuple(lines)


def _categories(here: pd.DataFrame) -> tuple[Category, ...]:
    rows = here[(here["kind"] == "category") & (here["variable"] == "nbp")]
    whole = rows["area_km2"].sum()
    found = [
        Category(row["group"], row["area_km2"] / whole, interval_of(row))
        for _, row in rows.iterrows()
    ]
    return tuple(sorted(found, key=lambda category: -category.share))


def _bridge(
    inventory: pd.DataFrame | None, region: str
) -> tuple[tuple[tuple[str, Interval, bool], ...], str]:
    if inventory is None:
        return (), ""
    rows = inventory[(inventory["region"] == region)]
    if rows.empty:
        return (), "The inventory that was given has no number for this region and its years."
    first = rows[rows["category"] == rows["category"].iloc[0]]
    if (rows["category"] == "total").any():
        first = rows[rows["category"] == "total"]
    last = first[first["year"] == first["year"].max()]
    found = tuple(
        (row["words"][:1].upper() + row["words"][1:], interval_of(row), bool(row["is_sum"]))
        for _, row in last.iterrows()
        if row["is_sum"] or row["mean"] or row["sd"]
    )
    return found, f"{last['category'].iloc[0]}, {last['year'].iloc[0]}".capitalize()


def _basis_words(basis: Basis, area: pd.Series) -> tuple[str, ...]:
    seen = [
        f"{count:,} values of {STREAMS[name].long_name}".replace(",", "\N{NARROW NO-BREAK SPACE}")
        for name, count in basis.observed.items()
    ]
    good, total = basis.status.get("converged", 0), sum(basis.status.values())
    words = [
        f"Observations: {'; '.join(seen)}. No carbon flux measured here was used."
        if not {"nee", "gpp", "reco", "nbe"} & basis.observed.keys()
        else f"Observations: {'; '.join(seen)}.",
        f"Model: {basis.model}, fitted to them in each of {total} cells by {basis.method}; "
        f"{good} of {total} cells passed the method's own checks.",
        f"Coverage: {_area(area['with_values_km2'])} with values, "
        f"{_area(area['without_values_km2'])} on the map without.",
        "Uncertainty: of what the model's parameters and stocks leave open, with the errors that "
        "places share; not of faults of the model itself.",
    ]
    if np.isfinite(area["covered"]):
        words[2] = words[2][:-1] + f"; {_percent(area['covered'])} of the region's land."
    return tuple(words)


def _limits(
    years: Sequence[int],
    whole: pd.DataFrame,
    area: pd.Series,
    trends: pd.DataFrame,
    basis: Basis,
) -> tuple[str, ...]:
    found = []
    if len(years) == 1:
        found.append(
            f"One year, {years[0]}: whether the land gains carbon from year to year, or more and "
            "more of it, cannot be told. A demonstration, not an assessment."
        )
    elif len(years) < LEAST_YEARS:
        found.append(f"{len(years)} years are too few for a trend; {LEAST_YEARS} are needed.")
    else:
        row = trends[trends["variable"] == "nbp"].iloc[0]
        slope = interval_of(row).text()
        found.append(f"Trend of the gain: {slope} Mt C a year in each year (90 %).")
    if np.isfinite(area["covered"]) and area["covered"] < _COVERED:
        found.append(
            f"The map covers {_percent(area['covered'])} of the region. Do not scale it up: where "
            "the map is was not chosen to stand for the rest."
        )
    if not whole["q95"].get("harvest", 0.0) and not whole["q95"].get("fire_emission", 0.0):
        found.append("Neither harvest nor fire is in this run: a managed forest is told as grown.")
    found.append("Soils and wood are hardly seen by these observations: their stocks are mostly "
                 "what was assumed.")  # fmt: skip
    if sum(basis.status.values()) > basis.status.get("converged", 0):
        found.append("Cells that have not passed the checks are counted, but indicative only.")
    found.append("Categories share a cell by area; that forest and field differ within it is not "
                 "known.")  # fmt: skip
    return tuple(found)


def interval_of(row: Any) -> Interval:
    """Return the interval that a row of a table has."""
    return Interval(float(row["mean"]), float(row["q05"]), float(row["q95"]))


def _digits(size: float) -> int:
    """Return how many decimals leave two significant digits of a size."""
    return 0 if size >= 10.0 or size == 0.0 else min(6, 1 - int(np.floor(np.log10(size))))


def _fixed(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text.replace("-", _MINUS) if float(f"{value:.{digits}f}") else text.lstrip("-")


def _significant(size: float) -> str:
    return _fixed(float(f"{size:.2g}"), _digits(float(f"{size:.2g}")))


def _area(km2: float) -> str:
    return f"{_fixed(float(f'{km2:.3g}'), 0)}{_SPACE}km²"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}{_SPACE}%"
