"""What a region's page says of years to come, one scenario each, in words and numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from concerto.evaluation.region_facts import (
    Facts,
    Interval,
    Outlook,
    direction,
    interval_of,
    sure_words,
)
from concerto.evaluation.scenarios import GAIN

LAND = "the land and what is made of its wood and crops"
LIMIT = (
    "Scenarios: differences between them are worth more than their levels, which follow for a "
    "century what was assumed of soils and wood."
)


def outlooks_of(
    region: str, entry: Mapping[str, Any], table: pd.DataFrame, yearly: pd.DataFrame
) -> tuple[Outlook, ...]:
    """Return what a region gains under each scenario, the baseline first.

    Parameters
    ----------
    region
        Its name.
    entry
        The configuration's ``scenarios``.
    table, yearly
        Of :func:`concerto.evaluation.region_futures.future_tables`; without the region there is
        nothing to say.
    """
    rows = yearly[(yearly["region"] == region) & (yearly["variable"] == GAIN)]
    if rows.empty:
        return ()
    last = int(rows["year"].max())
    ends = table[(table["region"] == region) & (table["kind"] == "all")]
    balance = ends[ends["variable"] == "nbp"]
    balance = balance[balance["years"] == balance["years"].max()].set_index("scenario")
    base = entry["baseline"]
    found = []
    for case in (base, *(name for name in entry["cases"] if name != base)):
        own = rows[rows["scenario"] == case].sort_values("year")
        end = own.iloc[-1]
        gain = interval_of(end)
        words = [
            f"{verdict(float(end['chance_of_gain']), last)} Best estimate {direction(gain.mean)}; "
            f"nine chances in ten: between {direction(gain.low)} and {direction(gain.high)}."
        ]
        if case != base:
            words.append(_beside(balance.loc[case], len(own)))
        found.append(
            Outlook(
                entry["cases"][case].get("name", case),
                " ".join(words),
                own["year"].to_numpy(dtype=int),
                own[["q05", "q50", "q95"]].to_numpy(dtype=float),
                gain,
            )
        )
    return tuple(found)


def verdict(chance: float, year: int) -> str:
    """Return what land and products come to by a year, as far as runs agree."""
    sure = sure_words(chance, "gain", "lose")
    if sure is None:
        return f"By {year} {LAND} gain or lose carbon: runs do not tell which."
    return f"By {year} {LAND} {sure} carbon."


def _beside(row: pd.Series, years: int) -> str:
    """Return how a scenario differs from the baseline: of a mean flux, times its years."""
    parts = (row[f"difference_{name}"] * years for name in ("mean", "q05", "q95"))
    difference, more = Interval(*map(float, parts)), float(row["difference_chance_of_more"])
    mean, low, high = difference.parts()
    side = "more" if difference.mean >= 0.0 else "less"
    sure = more if side == "more" else 1.0 - more
    return (
        f"Beside the first that is {mean} million tonnes ({low} to {high}), run by run; {side} "
        f"in {np.rint(100 * sure):.0f} of 100 runs."
    )


def with_outlooks(facts: Facts, outlooks: tuple[Outlook, ...], note: str) -> Facts:
    """Return what a page says with its scenarios, and what they cannot tell."""
    if not outlooks:
        return facts
    limits = (*facts.limits, LIMIT)
    return dataclasses.replace(facts, outlooks=outlooks, outlook_note=note, limits=limits)


def outlook_note(entry: Mapping[str, Any]) -> str:
    """Return what a drawing of scenarios shows, and what they rest on."""
    climates = [entry["climates"][case["climate"]] for case in entry["cases"].values()]
    stated = not any("supplied" in climate or "cmip6" in climate for climate in climates)
    kind = "Stated changes of climate and land use, a demonstration" if stated else "Scenarios"
    return (
        f"Million tonnes of carbon gained since the start; bands: 90 % of runs. {kind}, no forecast"
    )
