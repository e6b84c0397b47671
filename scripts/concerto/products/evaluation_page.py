"""The page of all evaluations of a run: how good predictions are, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from concerto.evaluation.ilamb import OVERALL
from concerto.evaluation.quantities import (
    ALL_WEEKS,
    BASELINES,
    QUANTITIES,
    label,
    plain_unit,
    predictor_label,
)
from concerto.products.report import Picture, score_summary
from concerto.products.sections_page import Section

_SCORES = {
    "bias": "Bias", "rmse": "RMSE", "phase": "Season", "interannual": "Years",
    "distribution": "Pattern", OVERALL: "Overall",
}  # fmt: skip
_RELATED = {
    "with_lai": "LAI", "with_fapar": "fAPAR", "with_sif": "SIF", "with_tas": "Warmth",
    "with_rsds": "Light", "with_vpd": "Dry air", "with_pr": "Rain",
}  # fmt: skip
_SKILL, _IN50, _IN90 = "Skill (%)", "In 50 %", "In 90 %"
_FIT = (
    "What is scored was assimilated: the scores say how well it is fitted, and those of baselines, "
    "which other cells told, what that is worth. There are no fluxes of cells to test."
)


@dataclass(frozen=True)
class SiteEvaluation:
    """Tables of a site as their rules write them; ``forecast`` of one that has a forecast."""

    site: str
    scores: pd.DataFrame
    benchmark: pd.DataFrame
    figure: Picture
    forecast: pd.DataFrame | None = None


@dataclass(frozen=True)
class MapEvaluation:
    """The benchmarking scores of a map, and their figure."""

    name: str
    benchmark: pd.DataFrame
    figure: Picture


def sections(
    method: str,
    sites: Sequence[SiteEvaluation],
    maps: Sequence[MapEvaluation],
    networks: Mapping[str, Sequence[str]],
    pages: Mapping[str, str],
) -> list[Section]:
    """Return the sections of the page.

    Parameters
    ----------
    method
        The published one.
    sites, maps
        What was evaluated.
    networks
        Sentences on how good predictions of each network are.
    pages
        Pages that say more, and their words.
    """
    found = []
    if sites:
        found += [
            Section(
                "Skill and coverage at towers",
                [f"{one.site}: {score_summary(one.scores, method)}" for one in sites],
                [],
                {
                    "On withheld values. Skill is the share of the better baseline's CRPS that is "
                    "saved; intervals should hold as much as they say": skill(sites)
                },
                shares=[_IN50, _IN90],
            ),
            *_benchmark(
                "Benchmarking scores at towers",
                "Scores as land models are compared with, on withheld months; 1 is perfect.",
                [(one.site, one.benchmark) for one in sites],
                [one.figure for one in sites],
            ),
        ]
        forecasts = [(one.site, one.forecast) for one in sites if one.forecast is not None]
        if forecasts:
            found.append(
                Section(
                    "Forecasts",
                    ["The days after the last assimilated one, under measured weather."],
                    [],
                    {"All weeks together": forecast(forecasts)},
                    shares=[_IN50, _IN90],
                )
            )
    if maps:
        found += _benchmark(
            "Benchmarking scores of maps",
            _FIT,
            [(one.name, one.benchmark) for one in maps],
            [one.figure for one in maps],
        )
    for name, sentences in networks.items():
        found.append(Section(name, list(sentences), [], {}))
    if pages:
        found.append(Section("More on each", [], [], {}, links=pages))
    return found


def _benchmark(
    heading: str, words: str, tables: Sequence[tuple[str, pd.DataFrame]], figures: list[Picture]
) -> list[Section]:
    shown = {
        "Collier et al. (2018): 1 is perfect; the overall score counts RMSE twice and leaves out "
        "what has no value": _scored(tables, _SCORES),
        "Functional relationships: how like the observed one the answer to each is": _scored(
            tables, _RELATED
        ),
    }
    return [Section(heading, [words], figures, shown, [*_SCORES.values(), *_RELATED.values()])]


def _scored(tables: Sequence[tuple[str, pd.DataFrame]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns of some scores that have a value anywhere, in words."""
    parts = []
    for place, table in tables:
        first = {
            "Of": place,
            "Variable": table["variable"].map(label),
            "Predictor": table["predictor"].map(predictor_label),
        }
        known = {words: table[name] for name, words in columns.items() if name in table}
        parts.append(pd.DataFrame(first | known))
    scored = pd.concat(parts, ignore_index=True)
    empty = [name for name in scored if scored[name].isna().all()]
    order = [name for name in ("Of", "Variable", "Predictor", *columns.values()) if name in scored]
    return scored[order].drop(columns=empty)


def skill(sites: Sequence[SiteEvaluation]) -> pd.DataFrame:
    """Return the scores of all sites, with the skill beside the better baseline."""
    return pd.concat([_skill_of(one.site, one.scores) for one in sites], ignore_index=True)


def forecast(tables: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Return the scores of forecasts, all weeks together."""
    parts = [_skill_of(site, table[table["step"] == ALL_WEEKS]) for site, table in tables]
    return pd.concat(parts, ignore_index=True)


def _skill_of(site: str, scores: pd.DataFrame) -> pd.DataFrame:
    base = scores[scores["predictor"].isin(BASELINES)]
    best = base.groupby(["variable", "step"])["crps"].min().rename("best")
    table = scores.merge(best.reset_index(), on=["variable", "step"], how="left")
    saved = (1.0 - table["crps"] / table["best"]).where((table["n"] > 1) & (table["best"] > 0))
    units = {name: plain_unit(QUANTITIES[name].unit) for name in QUANTITIES}
    return pd.DataFrame(
        {
            "Site": site,
            "Variable": table["variable"].map(label),
            "Step": table["step"],
            "Predictor": table["predictor"].map(predictor_label),
            "n": table["n"],
            "Bias": table["bias"],
            "RMSE": table["rmse"],
            "NSE": table["nse"],
            "CRPS": table["crps"],
            "Unit": table["variable"].map(units).fillna(""),
            _SKILL: (100.0 * saved).round() + 0.0,
            _IN50: table["coverage50"],
            _IN90: table["coverage90"],
        }
    )
