"""The start page and that of provenance: what they say of a run, and how a browser shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from browser import CHROMIUM, Browser
from concerto.products.lineage import Release
from concerto.products.provenance_page import (
    Execution,
    draw_flow,
    read_benchmarks,
    render_provenance,
)
from concerto.products.start_page import (
    Map,
    Network,
    Tower,
    contents,
    converged,
    coverage,
    render_start,
    skill,
)
from html_page import parse
from synthetic_map import make_regions

CONFIG = {
    "run": "small",
    "seed": 7,
    "model": "dalec2",
    "sites": {"XX-One": {"name": "One & only"}},
    "maps": {"strip": {"name": "A strip"}},
    "policy": {"lands": {"title": "Lands", "factsheets": ["Dem. Rep. Congo"]}},
    "assimilation": {
        "methods": ["hmc", "esmda"],
        "product": "hmc",
        "budgets": {"hmc": {"draws": 10}, "esmda": {}},
    },
}
SCORES = pd.DataFrame(
    [
        # variable, step, predictor, n, crps, coverage90
        ("nee", "daily", "hmc", 100, 0.5, 0.8),
        ("nee", "daily", "climatology", 100, 1.0, 0.9),
        ("nee", "daily", "regression", 100, 0.8, 0.9),
        ("gpp", "daily", "hmc", 300, 1.1, 1.0),
        ("gpp", "daily", "climatology", 300, 1.0, 0.9),
        ("gpp", "monthly", "hmc", 9, 0.5, 0.1),
    ],
    columns=["variable", "step", "predictor", "n", "crps", "coverage90"],
)
MEANS = pd.DataFrame(
    [("nee", "training", 2013, 2014, 2, -227.0, 50.0, -300.0, -150.0)],
    columns=["variable", "period", "first_year", "last_year", "years", "mean", "sd", "q05", "q95"],
)
NAMES = ("converged", "not_converged", "no_observation", "drivers_missing", "assimilation_failed")
STRIP = Map(
    "strip",
    "A strip",
    pd.DataFrame({"status": NAMES, "cells": [30, 10, 4, 3, 2]}),
    make_regions({"all": ["all"], "country": ["Finland"]}),
)
FLOW = draw_flow(
    {"read_tower": "prepare", "plot_map": "scenarios", "write_map": "publish", "plot_b": "publish"},
    [("read_tower", "write_map"), ("write_map", "plot_map"), ("write_map", "plot_b")],
)


def tower(*, hmc=True, scores=SCORES):
    verdict = "R-hat is <1.2>"
    return Tower("XX-One", "One & only", {"hmc": hmc, "esmda": False}, verdict, scores, MEANS)


def test_calibrations_and_cells_that_converged_are_counted():
    answer = converged([tower()], [STRIP], "hmc")
    assert answer.verdict == "partly"
    assert answer.sentences == [
        "1 of 1 published calibrations of towers converged (HMC); of all 2, by every method, 1.",
        "Map, A strip: 30 of 40 cells with observations converged; 9 more cells of land have none "
        "or no drivers.",
    ]
    assert [bar["width"] for bar in answer.bars] == [100.0, 75.0]
    assert converged([tower()], [], "hmc").verdict == "yes"
    failed = converged([tower(hmc=False)], [], "hmc")
    assert (failed.verdict, failed.sentences[-1]) == ("no", "Indicative only: XX-One.")


@pytest.mark.parametrize(
    ("nee", "gpp", "verdict", "words"),
    [
        (0.8, 1.0, "yes", "That is as it should be"),  # (0.8 * 100 + 1.0 * 300) / 400
        (1.0, 1.0, "partly", "too wide"),
        (0.8, 0.8, "partly", "too narrow"),
        (0.2, 0.7, "no", "too narrow"),
    ],
)
def test_coverage_is_that_of_all_withheld_days(nee, gpp, verdict, words):
    scores = SCORES.copy()
    scores.loc[[0, 3], "coverage90"] = nee, gpp
    answer = coverage([tower(scores=scores)], "hmc")
    assert answer.verdict == verdict
    assert words in answer.sentences[0]
    assert "Of 400 daily values" in answer.sentences[0]


def test_skill_is_against_the_better_baseline_of_each_variable():
    answer = skill([tower()], "hmc")
    assert "wins 2 of 3 comparisons, loses 1 and is level in 0" in answer.sentences[0]
    assert answer.verdict == "partly"
    assert [(bar["width"], bar["bad"]) for bar in answer.bars] == [(37.5, False), (10.0, True)]


def test_without_withheld_values_nothing_is_claimed():
    nothing = SCORES.iloc[:0]
    answers = [ask([tower(scores=nothing)], "hmc") for ask in (coverage, skill)]
    assert {answer.verdict for answer in answers} == {"not tested"}


def test_each_page_is_in_the_contents_once():
    pages = ["lands.dem-rep-congo.html", "XX-One.html", "new.html", "explorer.html", "lands.html"]
    groups = contents(CONFIG, pages)
    found = [page for group in groups for page, _, _ in group["pages"]]
    assert sorted(found) == sorted(pages)
    titles = {page: title for group in groups for page, title, _ in group["pages"]}
    assert titles["lands.dem-rep-congo.html"] == "Dem. Rep. Congo"
    assert titles["new.html"] == "new"


def start(one):
    pages = ["explorer.html", "XX-One.html", "strip.html", "provenance.html"]
    return render_start(CONFIG, "0123456789abcdef", [one], [STRIP], pages, None)


def test_the_start_page_says_what_how_sure_and_whether_to_trust_it():
    page, text = parse(start(tower()))
    assert "To be used with care" in text
    assert "NEE \N{MINUS SIGN}227 ± 50" in text.replace("\xa0", " ")
    assert "GPP 2000: " in text
    assert {link["href"] for link in page.of("a")} == {
        "explorer.html", "XX-One.html", "strip.html", "provenance.html",
    }  # fmt: skip
    _, text = parse(start(tower(hmc=False)))
    assert "not converged R-hat is <1.2>" in text


def test_a_run_of_a_network_alone_has_a_start_page_too():
    columns = ["setting", "flux", "predictor", "group", "name", "n", "coverage90", "coverage50",
               "nse", "crps"]  # fmt: skip
    rows = [
        (setting, "gpp", predictor, "all", name, 200, 0.9, 0.5, 0.8, crps)
        for setting in ("known", "new")
        for name in ("pooled", "median")
        for predictor, crps in (
            ("combined", 0.75), ("climatology", 1.0), ("process", 1.2), ("learned", 0.9)
        )
    ]  # fmt: skip
    network = Network("net", "Net & more", 7, 9, pd.DataFrame(rows, columns=columns))
    config = {**CONFIG, "sites": {}, "maps": {}, "networks": {"net": {"name": "Net & more"}}}
    html = render_start(config, "0123456789abcdef", [], [], ["net.html"], None, [network])
    page, text = parse(html)
    text = text.replace("\xa0", " ")
    assert "the posteriors of 7 of 9 towers converged" in text
    assert "Of 200 values that the calibration never saw, 90 % lie" in text
    assert "Net & more, GPP 25 % better" in text
    assert "wins 1 of 1 comparisons" in text
    assert {link["href"] for link in page.of("a")} == {"net.html"}


def execution():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    release = Release("concerto", "1.2", "MIT")
    machine = {"System": "Linux"}
    return Execution("0123456789abcdef", release, "f" * 64, machine, ["a==1"], moment, moment)


@pytest.fixture
def jobs(tmp_path):
    header = "s\th:m:s\tmax_rss\tcpu_time\n"
    for name, row in {
        "fit.A": "2.0\t0:00:02\t100.5\t1.5",
        "fit.B": "3.0\t0:00:03\t300.0\t2.5",
        "list": "0.1\t0:00:00\t-\t-",
    }.items():
        (tmp_path / f"{name}.tsv").write_text(f"{header}{row}\n")
    return read_benchmarks(tmp_path)


def test_benchmarks_are_summed_by_rule_and_memory_is_the_most(jobs):
    fit, other = jobs.to_dict("records")
    assert fit == {"rule": "fit", "jobs": 2, "seconds": 5.0, "cpu_seconds": 4.0, "peak_mb": 300.0}
    assert other["rule"] == "list"
    assert other["peak_mb"] != other["peak_mb"]


def test_the_graph_has_each_rule_once_and_figures_as_one():
    assert FLOW.count("<rect") == 3
    assert FLOW.count(">plot_*</text>") == 1
    assert [FLOW.count(f"<title>{edge}") for edge in ("read_tower to", "write_map to plot_*")] == [
        1,
        1,
    ]
    assert "scenarios" not in FLOW


def provenance(jobs):
    source = {
        "source": "towers", "title": "T", "licence": "CC-BY-4.0", "citation": "A & B",
        "retrieved": "2026-01-02T",
    }  # fmt: skip
    return render_provenance(CONFIG, execution(), jobs, FLOW, [source])


def test_the_page_of_provenance_says_what_is_needed_to_repeat(jobs):
    page, text = parse(provenance(jobs))
    for wanted in ("0123456789abcdef", "concerto, version 1.2 (MIT)", "Seed 7", "HMC (draws 10)",
                   "CC-BY-4.0", "A & B", "3 jobs took 4 s of processors", "a==1"):  # fmt: skip
        assert wanted in text
    assert len(page.of("caption")) == len(page.of("table"))


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_shows_them_whole_in_light_and_dark(jobs, tmp_path):
    files = {"start": start(tower(hmc=False)), "provenance": provenance(jobs)}
    browser = Browser(tmp_path / "profile")
    try:
        for name, text in files.items():
            file = tmp_path / f"{name}.html"
            file.write_text(text)
            for width in (360, 1280, 1920):
                browser.open(file, width, dark=width == 1280)
                assert browser.complaints == []
                assert [url for url in browser.requests if not url.startswith("data:")] == [
                    file.as_uri()
                ]
                assert browser.run("document.documentElement.scrollWidth") == width
    finally:
        browser.close()
