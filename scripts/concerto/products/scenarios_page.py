"""The page of scenarios: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from concerto.evaluation.quantities import plain_unit
from concerto.evaluation.scenarios import GAIN
from concerto.products.report import Picture, number, percent, plain, templates

TEMPLATE = "scenarios.html.j2"
TABLED = ("nbp", "gross_source", "regrowth_sink", "harvest", "fire")
WORDS = {
    GAIN: "gain of land and products",
    "nbp": "NBP, positive where land and products gain",
    "gross_source": "gross source of land use",
    "regrowth_sink": "uptake by planted land",
    "harvest": "wood and crops carried away",
    "fire": "fire",
}


@dataclass(frozen=True)
class Place:
    """What the page says of one place.

    ``table`` of :func:`concerto.evaluation.scenarios.scenario_table`; ``notes`` the attributes of
    its sums by region; ``figures`` in their order.
    """

    key: str
    name: str
    table: pd.DataFrame
    notes: Mapping[str, Any]
    figures: Sequence[Picture]


def render_scenarios(config: Mapping[str, Any], places: Sequence[Place]) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    config
        The run's configuration, with ``scenarios``.
    places
        In the order of the page.
    """
    entry = config["scenarios"]
    words = {case: said.get("name", case) for case, said in entry["cases"].items()}
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title=f"Scenarios to {entry['until']}",
            config=config,
            entry=entry,
            words=words,
            places=[
                {
                    "key": place.key,
                    "name": place.name,
                    "notes": place.notes,
                    "sentences": sentences(place.table, words, entry["baseline"]),
                    "rows": rows(place.table, words),
                    "regions": regions(place.table, words, entry["baseline"]),
                    "figures": place.figures,
                }
                for place in places
            ],
            config_text=yaml.safe_dump(plain(entry), sort_keys=False, allow_unicode=True),
        )
    )


def sentences(table: pd.DataFrame, words: Mapping[str, str], baseline: str) -> list[str]:
    """Return what each scenario comes to over the whole place, and how it differs."""
    said = []
    for row in table[(table["variable"] == GAIN) & (table["region"] == "all")].itertuples():
        text = (
            f"{words[row.scenario]}: by {row.period} land and products gain {number(row.q50)} "
            f"{plain_unit(row.units)} (90\N{NO-BREAK SPACE}% between {number(row.q05)} and "
            f"{number(row.q95)})"
        )
        if row.scenario != baseline:
            text += (
                f", {number(row.difference_q50)} more than the baseline (between "
                f"{number(row.difference_q05)} and {number(row.difference_q95)}; more in "
                f"{percent(row.difference_probability_positive)} of the members)"
            )
        said.append(text + ".")
    return said


def rows(table: pd.DataFrame, words: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a place's table of mean fluxes over its last years."""
    whole = table[(table["region"] == "all") & table["variable"].isin(TABLED)]
    last = whole[whole["period"] == whole["period"].iloc[-1]]
    return [
        {**row, "scenario": words[row["scenario"]], "what": WORDS[row["variable"]]}
        for row in last.sort_values("variable", key=lambda v: v.map(TABLED.index), kind="stable")
        .to_dict("records")
    ]  # fmt: skip


def regions(table: pd.DataFrame, words: Mapping[str, str], baseline: str) -> list[dict[str, Any]]:
    """Return, for each region but the whole and each scenario but the baseline, the gain."""
    chosen = table[
        (table["variable"] == GAIN) & (table["region"] != "all") & (table["scenario"] != baseline)
    ]
    return [
        {**row, "scenario": words[row["scenario"]]}
        for row in chosen.sort_values("area_km2", ascending=False).to_dict("records")
    ]
