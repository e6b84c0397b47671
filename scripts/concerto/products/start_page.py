"""The first page of a run's report: what was estimated, how sure it is, and whether to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from concerto.evaluation import judgement
from concerto.evaluation.quantities import BASELINES, label, predictor_label
from concerto.maps import slug
from concerto.networks import KNOWN
from concerto.plots.regions import last_year
from concerto.plots.towers import BASELINE, BEST, fluxes_in, pooled
from concerto.products import map_page
from concerto.products.network_page import headlines
from concerto.products.report import Picture, key_numbers, percent, templates, whole

TEMPLATE = "start.html.j2"
CLOSE, FAR = 0.05, 0.15
"""How far the share of values in the 90 % interval may be from 90 %, and from nearly 90 %."""
YES, PARTLY, NO, OPEN = "yes", "partly", "no", "not tested"


@dataclass(frozen=True)
class Tower:
    """What the page says of a tower: of each method whether it converged, scores, mean budgets.

    ``verdict`` has the reasons of the published method's.
    """

    name: str
    title: str
    converged: Mapping[str, bool]
    verdict: str
    scores: pd.DataFrame
    means: pd.DataFrame


@dataclass(frozen=True)
class Map:
    """What the page says of a map: cells by what became of them, and sums by region."""

    name: str
    title: str
    shares: pd.DataFrame
    regions: pd.DataFrame


@dataclass(frozen=True)
class Network:
    """What the page says of a network of towers: posteriors that converged, of all, and scores.

    ``scores`` are those of :func:`concerto.plots.towers.read_scores`.
    """

    name: str
    title: str
    converged: int
    total: int
    scores: pd.DataFrame

    def judged(self) -> pd.DataFrame:
        """Return ``site, variable, n, coverage90, crps, base`` of the fluxes of known towers."""
        table = pooled(self.scores)
        rows = [
            (self.title, flux, *table.loc[(KNOWN, flux, BEST), ["n", "coverage90", "crps"]], base)
            for flux in fluxes_in(self.scores)
            for base in [table.crps.get((KNOWN, flux, BASELINE), np.nan)]
        ]
        return pd.DataFrame(rows, columns=["site", "variable", "n", "coverage90", "crps", "base"])


@dataclass(frozen=True)
class Answer:
    """An answer to a question in a word, in sentences, and bars (words, share, mark)."""

    question: str
    verdict: str
    sentences: Sequence[str]
    bars: Sequence[Mapping[str, Any]]
    words: str = ""

    @property
    def badge(self) -> str:
        """The class of the verdict's mark."""
        return {YES: "yes", NO: "no"}.get(self.verdict, "partly")


def render_start(
    config: Mapping[str, Any],
    run_id: str,
    towers: Sequence[Tower],
    maps: Sequence[Map],
    pages: Sequence[str],
    picture: Picture | None,
    networks: Sequence[Network] = (),
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    config, run_id
        Of the run.
    towers, maps, networks
        What was estimated.
    pages
        File names of the other pages of the report.
    picture
        Where the towers are.
    """
    method = config["assimilation"]["product"]
    answers = [
        converged(towers, maps, method, networks),
        coverage(towers, method, networks),
        skill(towers, method, networks),
    ]
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title=f"Carbon balance, run {config['run']}",
            config=config,
            run_id=run_id,
            method=method,
            answers=answers,
            trust=trust(answers),
            towers=[(t, key_numbers(t.means), t.converged[method]) for t in towers],
            networks=[(n, headlines(n.scores)) for n in networks],
            maps=[(m, map_page.key_numbers(last_year(m.regions))) for m in maps],
            pages=contents(config, pages),
            picture=picture,
        )
    )


def converged(
    towers: Sequence[Tower], maps: Sequence[Map], method: str, networks: Sequence[Network] = ()
) -> Answer:
    """Say how many calibrations and cells of maps have converged."""
    said, bars, verdicts = [], [], []
    if towers:
        good = [t.name for t in towers if t.converged[method]]
        every = [ok for t in towers for ok in t.converged.values()]
        said.append(
            f"{len(good)} of {len(towers)} published calibrations of towers converged "
            f"({predictor_label(method)}); of all {len(every)}, by every method, {sum(every)}."
        )
        bad = [t.name for t in towers if not t.converged[method]]
        if bad:
            said.append(f"Indicative only: {', '.join(bad)}.")
        bars.append(_bar("Towers", len(good) / len(towers), f"{len(good)} of {len(towers)}"))
        verdicts.append(_level(len(good), len(towers)))
    for one in maps:
        count = one.shares.set_index("status")["cells"]
        judged = int(count[["converged", "not_converged"]].sum())
        good = int(count["converged"])
        said.append(
            f"Map, {one.title}: {whole(good)} of {whole(judged)} cells with observations "
            f"converged; {whole(int(count.sum()) - judged)} more cells of land have none or no "
            "drivers."
        )
        share = good / judged if judged else 0.0
        bars.append(_bar(one.title, share, f"{whole(good)} of {whole(judged)} cells"))
        verdicts.append(_level(good, judged))
    for network in networks:
        shown = f"{network.converged} of {network.total} towers"
        said.append(f"Network, {network.title}: the posteriors of {shown} converged.")
        share = network.converged / network.total if network.total else 0.0
        bars.append(_bar(network.title, share, shown))
        verdicts.append(_level(network.converged, network.total))
    return Answer("Did the calibrations converge?", _least(verdicts), said, bars)


def coverage(towers: Sequence[Tower], method: str, networks: Sequence[Network] = ()) -> Answer:
    """Say how many withheld daily values lie in the interval that should hold nine of ten.

    Of networks it is those of months.
    """
    parts = [_daily(towers, method), *(network.judged() for network in networks)]
    chosen = pd.concat([part for part in parts if len(part)] or parts[:1])
    step = "" if networks else "daily "
    known = chosen[np.isfinite(chosen["coverage90"].astype(float))]
    if known.empty:
        return Answer("Are the intervals honest?", OPEN, ["No observation was withheld."], [])
    total = int(known["n"].sum())
    share = float((known["coverage90"] * known["n"]).sum() / total)
    off = abs(share - 0.9)
    text = (
        f"Of {whole(total)} {step}values that the calibration never saw, {percent(share)} lie "
        "in the 90\N{NO-BREAK SPACE}% interval. "
        + ("That is as it should be." if off <= CLOSE else "")
        + ("It is too wide." if share - 0.9 > CLOSE else "")
        + ("It is too narrow." if 0.9 - share > CLOSE else "")
    )
    bars = [
        _bar(
            f"{r.site}, {label(r.variable)}",
            r.coverage90,
            f"{percent(r.coverage90)} of {r.n:.0f}",
            0.9,
        )
        for r in known.itertuples()
    ]
    verdict = YES if off <= CLOSE else PARTLY if off <= FAR else NO
    words = f"Share of withheld {step}values in the 90 % interval; the mark is at 90 %."
    return Answer("Are the intervals honest?", verdict, [text.strip()], bars, words)


def skill(towers: Sequence[Tower], method: str, networks: Sequence[Network] = ()) -> Answer:
    """Say how often the published method beats the baselines, and by how much."""
    question = "Is it better than simple baselines?"
    judged = [
        j
        for tower in towers
        for j in judgement.judge(tower.scores, method)
        if j.outcome != "cannot be compared with"
    ]
    if not judged and not networks:
        return Answer(question, OPEN, ["There is nothing to compare with."], [])
    count = {o: sum(j.outcome == o for j in judged) for o in ("beats", "loses to", "is level with")}
    bars = []
    for tower in towers:
        for row in _daily([tower], method).itertuples():
            of = tower.scores[
                (tower.scores.variable == row.variable) & (tower.scores.step == "daily")
            ]
            others = of[of.predictor.isin(BASELINES)]["crps"]
            if len(others) and others.min() > 0:
                bars.append(_gain(tower.name, row.variable, row.crps / others.min()))
    for row in (row for network in networks for row in network.judged().itertuples()):
        if row.base > 0:
            count["beats" if row.crps < row.base else "loses to"] += 1
            bars.append(_gain(row.site, row.variable, row.crps / row.base))
    total = sum(count.values())
    wins, losses = count["beats"], count["loses to"]
    verdict = YES if not losses else PARTLY if wins > losses else NO
    text = (
        "Against a climatology and, at single towers, a regression on weather, on withheld values, "
        f"it wins {wins} of {total} comparisons, loses {losses} and is level in "
        f"{count['is level with']} (by variable and step; CRPS, which counts error and spread)."
    )
    words = "CRPS, of days or of a network's months, against the better baseline's; red is worse."
    return Answer(question, verdict, [text], bars, words)


def trust(answers: Sequence[Answer]) -> str:
    """Return one sentence on all answers together."""
    verdicts = [a.verdict for a in answers if a.verdict != OPEN]
    if verdicts and all(v == YES for v in verdicts):
        return "All checks of this page are passed: it may be used, within the limits below."
    if NO in verdicts:
        return "Not to be relied on as it is: a check of this page has failed."
    return "To be used with care: not all checks of this page are passed in full."


def contents(config: Mapping[str, Any], pages: Sequence[str]) -> list[dict[str, Any]]:
    """Return the pages of the report with what they are about, in groups."""
    known: dict[str, tuple[str, str, str]] = {
        "explorer.html": (
            "Look",
            "Explorer",
            "Interactive map and time series: any variable, statistic, time and place; tables.",
        ),
        "reconstruction.html": (
            "Look",
            "Learning: reconstruction",
            "Land cover and leaf area where they were not seen, from learning.",
        ),
        "scenarios.html": (
            "Look",
            "Scenarios",
            "How carbon would go on under other climates and land uses.",
        ),
        "upscaling.html": (
            "Look",
            "Learning: upscaled fluxes",
            "What towers teach of fluxes elsewhere: learners, scores, model cards.",
        ),
        "assimilation.html": (
            "Trust",
            "Assimilation",
            "Verdicts and costs of every method and cell, what each source said, errors.",
        ),
        "evaluation.html": (
            "Trust",
            "Evaluation",
            "Skill and coverage beside baselines, benchmarking scores, relationships.",
        ),
        "provenance.html": (
            "Trust",
            "Provenance, data and licences",
            "Workflow, versions, seeds, run times and memory; sources, licences and citations.",
        ),
    }
    for name, entry in config.get("sites", {}).items():
        text = "Assimilation, evaluation on withheld data, budget, what was masked."
        known[f"{name}.html"] = ("Towers", f"{name}: {entry.get('name', '')}".rstrip(": "), text)
    for name, entry in config.get("maps", {}).items():
        known[f"{name}.html"] = ("Maps", entry["name"], "Verdicts, figures, sums by region, files.")
    for name, entry in config.get("networks", {}).items():
        known[f"{name}.html"] = (
            "Towers",
            entry["name"],
            "Predictions at many towers, and what they taught.",
        )
    for name, entry in config.get("policy", {}).items():
        known[f"{name}.html"] = (
            "Countries",
            entry["title"],
            "Fluxes, stocks and chances of a gain, with tables to download.",
        )
        for region in entry.get("factsheets", []):
            file = f"{name}.{slug(region)}.html"
            known[file] = ("Countries", region, "A page for people who will not read a paper.")
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for page in sorted(pages, key=lambda page: list(known).index(page) if page in known else 99):
        group, title, text = known.get(page, ("Look", page.removesuffix(".html"), ""))
        groups.setdefault(group, []).append((page, title, text))
    order = ("Look", "Towers", "Maps", "Countries", "Trust")
    return [{"title": g, "pages": groups[g]} for g in order if g in groups]


def _daily(towers: Sequence[Tower], method: str) -> pd.DataFrame:
    tables = [t.scores.assign(site=t.name) for t in towers]
    if not tables:
        return pd.DataFrame(columns=["site", "variable", "n", "coverage90", "crps"])
    table = pd.concat(tables)
    return table[(table["predictor"] == method) & (table["step"] == "daily")]


def _bar(words: str, share: float, shown: str, mark: float | None = None) -> dict[str, Any]:
    """Return a bar as the template draws it: from nothing to a share of at most one."""
    width = round(100 * min(abs(share), 1.0), 1)
    return {"words": words, "width": width, "bad": share < 0, "shown": shown, "mark": mark}


def _gain(place: str, variable: str, ratio: float) -> dict[str, Any]:
    """Return the bar of what is gained over a baseline, by the ratio of the CRPS."""
    gained = 1.0 - ratio
    words = f"{percent(abs(gained))} {'better' if gained >= 0 else 'worse'}"
    return _bar(f"{place}, {label(variable)}", gained, words)


def _level(good: int, total: int) -> str:
    if not total:
        return OPEN
    return YES if good == total else PARTLY if good >= total / 2 else NO


def _least(verdicts: Sequence[str]) -> str:
    return next((v for v in (NO, PARTLY, YES) if v in verdicts), OPEN)
