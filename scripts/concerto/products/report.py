"""The page of towers: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import yaml

from concerto.domain import IGBP
from concerto.errors import InputError
from concerto.evaluation import comparison, judgement
from concerto.evaluation.grouping import STEPS
from concerto.evaluation.quantities import (
    ALL_WEEKS,
    BASELINES,
    FLUXES,
    FORECAST,
    POOLS,
    QUANTITIES,
    label,
    plain_unit,
    predictor_label,
)
from concerto.products.budget import STOCK_CHANGE

TEMPLATE = "report.html.j2"
PERIOD_WORDS = {
    "training": "training data",
    "withheld": "withheld data",
    "mixed": "training and withheld data",
    "none": "no observations",
}


@dataclass(frozen=True)
class Picture:
    """A figure as it stands in the page: title, caption, text alternative and PNG as base64."""

    name: str
    title: str
    caption: str
    alternative: str
    data: str


@dataclass(frozen=True)
class ForecastResults:
    """What the report says of a site's forecast: its method, figure and scores by week."""

    method: str
    figure: Picture
    scores: pd.DataFrame


@dataclass(frozen=True)
class SiteResults:
    """What the report says of one site.

    Parameters
    ----------
    name, settings
        The site and its entry of the configuration.
    verdicts
        Attributes of each method's posterior: converged, verdict, prior, model_runs.
    diagnostics
        R-hat and effective sample size by parameter, of the methods that have them.
    streams
        What each stream, the constraints and the prior had to say in the published posterior.
    scores, notes, methods, years, means, masking
        Tables as their rules write them.
    figures
        In the order of the page.
    forecast
        Of a site that has one.
    """

    name: str
    settings: Mapping[str, Any]
    verdicts: Mapping[str, Mapping[str, Any]]
    diagnostics: pd.DataFrame
    streams: pd.DataFrame
    scores: pd.DataFrame
    notes: pd.DataFrame
    methods: pd.DataFrame
    years: pd.DataFrame
    means: pd.DataFrame
    masking: pd.DataFrame
    figures: Sequence[Picture]
    forecast: ForecastResults | None = None


@dataclass(frozen=True)
class RunFacts:
    """What the report says of the run as a whole.

    ``product`` is the published method, ``sources`` the provenance of each source, ``versions``
    those of the programs, ``failed`` the message of each site that has no results.
    """

    config: Mapping[str, Any]
    product: str
    sources: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str]
    map: Picture | None = None
    failed: Mapping[str, str] = field(default_factory=dict)


def read_picture(path: Path) -> Picture:
    """Read a figure and the words beside it.

    Raises
    ------
    InputError
        If the words are missing.
    """
    words = path.with_suffix(".json")
    if not words.exists():
        raise InputError(words, "file", "nothing", "the figure's title, caption and alternative")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Picture(path.stem, **json.loads(words.read_text(encoding="utf-8")), data=data)


def render_report(facts: RunFacts, sites: Sequence[SiteResults]) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    facts, sites
        What to say.
    """
    method = facts.product
    converged = all(site.verdicts[method]["converged"] == "yes" for site in sites)
    names = ", ".join(site.name for site in sites)
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title=f"Carbon balance of {names}",
            facts=facts,
            method=method,
            sites=[_site_view(site, method) for site in sites],
            all_converged=converged,
            config_text=yaml.safe_dump(plain(facts.config), sort_keys=False, allow_unicode=True),
            steps=STEPS,
        )
    )


def templates() -> jinja2.Environment:
    """Return the templates of pages (all have style.css.j2), with the filters that they use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": number,
        "whole": whole,
        "fixed": fixed,
        "percent": percent,
        "unit": plain_unit,
        "predictor": predictor_label,
        "label": label,
        "assimilated": assimilated,
    }
    return environment


def assimilated(entry: Mapping[str, Any]) -> str:
    """Return in words what is assimilated into a map, and how, from its configuration."""
    streams = ", ".join(label(stream) for stream in entry["streams"])
    return f"{streams} assimilated in each cell by {predictor_label(entry['method'])}"


def _site_view(site: SiteResults, method: str) -> dict[str, Any]:
    """Arrange one site's results in the order in which the template shows them."""
    return {
        "name": site.name,
        "results": site,
        "facts": _facts(site.settings) | {"Prior": site.verdicts[method]["prior"]},
        "converged": site.verdicts[method]["converged"] == "yes",
        "verdicts": site.verdicts,
        "key_numbers": key_numbers(site.means),
        "summary": score_summary(site.scores, method),
        "sentences": judgement.in_words(site.scores, method),
        "scores": _score_blocks(site.scores),
        "notes": _notes(site.notes),
        "agreement": comparison.in_words(site.methods),
        "parameters": _parameters(site),
        "streams": site.streams.to_dict("records"),
        "fluxes": _budget(site.years, {name: FLUXES[name].label for name in FLUXES}),
        "stocks": _budget(
            site.years, {f"{STOCK_CHANGE}{name}": POOLS[name].label for name in POOLS}
        ),
        "masking": site.masking.to_dict("records"),
        "figures": site.figures,
        "forecast": _forecast(site.forecast, method) if site.forecast else None,
    }


def _facts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return a site's facts in words."""
    training = settings["training"]
    if "period" in training:
        start, end = training["period"]
        split = f"assimilated from {start} to {end}; every other day is withheld"
    else:
        blocks = training["blocks"]
        split = (
            f"assimilated {blocks['train']} of every {blocks['of']} blocks of "
            f"{blocks['length_days']} days; the others are withheld"
        )
    return {
        "Place": f"{settings.get('name', '')}".strip() or "not named",
        "Position": (
            f"{fixed(settings['latitude'], 3)}° N, {fixed(settings['longitude'], 3)}° E, "
            f"{settings['elevation_m']:g} m"
        ),
        "Land cover": IGBP.get(settings["igbp"], settings["igbp"]),
        "Assimilated": ", ".join(label(stream) for stream in settings["streams"]),
        "Split": split,
    }


def key_numbers(means: pd.DataFrame) -> list[str]:
    """Return one sentence for each period with whole years: mean fluxes with their intervals."""
    sentences = []
    for period, rows in means[means.variable.isin(list(FLUXES))].groupby("period", sort=False):
        first, last, years = rows[["first_year", "last_year", "years"]].iloc[0]
        when = f"{first}" if first == last else f"{first} to {last}"
        fluxes = "; ".join(
            f"{label(row.variable)} {whole(row.mean)}\N{NO-BREAK SPACE}± {whole(row.sd)} "
            f"(90\N{NO-BREAK SPACE}% between {whole(row.q05)} and {whole(row.q95)})"
            for row in rows.itertuples()
        )
        mean = "Sum of" if years == 1 else f"Annual mean of {years} whole years,"
        sentences.append(
            f"{mean} {when} ({PERIOD_WORDS[period]}), {plain_unit('gC m-2 yr-1')}: {fluxes}."
        )
    return sentences


def score_summary(scores: pd.DataFrame, method: str) -> str:
    """Return one sentence on how often a method beats the baselines, and what it loses."""
    judgements = judgement.judge(scores, method)
    judged = [j for j in judgements if j.outcome != "cannot be compared with"]
    if not judged:
        return "There are too few withheld values to compare with the baselines."
    count = {o: sum(j.outcome == o for j in judged) for o in ("beats", "loses to", "is level with")}
    text = (
        f"In {len(judged)} comparisons with the two baselines on withheld values (CRPS by variable "
        f"and time step) {predictor_label(method)} wins {count['beats']}, loses "
        f"{count['loses to']} and is level in {count['is level with']}."
    )
    losses: dict[str, list[str]] = {}
    for j in judged:
        if j.outcome == "loses to":
            losses.setdefault(j.baseline, []).append(f"{j.step} {label(j.variable)}")
    for baseline, what in losses.items():
        text += f" It loses to the {predictor_label(baseline)} in {', '.join(what)}."
    return text


def _score_blocks(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one block a variable: its unit and, a step each, the predictors' rows."""
    best = judgement.best_predictor(scores) if len(scores) else {}
    blocks = []
    for variable, rows in scores.groupby("variable", sort=False):
        unit = plain_unit(QUANTITIES[variable].unit) if variable in QUANTITIES else ""
        steps = [
            (
                step,
                of_step.assign(best=of_step.predictor == best[variable, step]).to_dict("records"),
            )
            for step, of_step in rows.groupby("step", sort=False)
        ]
        blocks.append({"label": label(variable), "unit": unit, "steps": steps})
    return blocks


def _forecast(forecast: ForecastResults, method: str) -> dict[str, Any]:
    """Return a forecast as the template shows it; ``method`` is the published one."""
    whole = forecast.scores[forecast.scores.step == ALL_WEEKS]
    return {
        "method": forecast.method,
        "figure": forecast.figure,
        "sentences": judgement.in_words(whole, FORECAST, (method, *BASELINES)),
        "scores": _score_blocks(forecast.scores),
    }


def _notes(notes: pd.DataFrame) -> list[str]:
    """Return each note once, with what it is about."""
    out = []
    for (variable, step, note), rows in notes.groupby(["variable", "step", "note"], sort=False):
        who = ", ".join(predictor_label(name) for name in rows.predictor)
        when = "" if step == "all" else f", {step}"
        out.append(f"{label(variable)}{when} ({who}): {note}.")
    return out


def _parameters(site: SiteResults) -> list[dict[str, Any]]:
    """Return the table of method comparison with the sampler's diagnostics beside it."""
    if site.methods.empty:
        return []
    return site.methods.merge(site.diagnostics, on="parameter", how="left").to_dict("records")


def _budget(years: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, Any]:
    """Return a table with one row a year and one column a variable."""
    chosen = years[years.variable.isin(list(columns))]
    present = [name for name in columns if name in set(chosen.variable)]
    rows = []
    for year, of_year in chosen.groupby("year"):
        by_variable = of_year.set_index("variable")
        rows.append(
            {
                "year": year,
                "period": of_year.period.iloc[0],
                "days": int(of_year.days.max()),
                "partial": (of_year.partial == "yes").any(),
                "cells": [by_variable.loc[name].to_dict() for name in present],
            }
        )
    return {"labels": [columns[name] for name in present], "rows": rows}


def number(value: float) -> str:
    """Write a number with three significant digits or all its whole ones, and a true minus."""
    if not np.isfinite(value):
        return "n/a"
    size = abs(value)
    if size >= 100:
        return whole(value)
    text = f"{value:.3g}" if size >= 0.01 or value == 0 else f"{value:.2e}"
    return text.replace("-", "\N{MINUS SIGN}")


def whole(value: float) -> str:
    """Write a number without decimals, with thin spaces between thousands."""
    if not np.isfinite(value):
        return "n/a"
    text = f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text.replace("-", "\N{MINUS SIGN}")


def fixed(value: float, digits: int) -> str:
    """Write a number with as many decimals as asked, n/a for none, and a true minus."""
    if not np.isfinite(value):
        return "n/a"
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def percent(value: float) -> str:
    """Write a share in per cent."""
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%" if np.isfinite(value) else "n/a"


def plain(value: Any) -> Any:
    """Turn mappings and sequences of any class into those that YAML can write."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
