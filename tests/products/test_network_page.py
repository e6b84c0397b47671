"""The page of a network: its verdicts and scores, what is doubted, and that it stands alone."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from concerto.errors import InputError
from concerto.evaluation.trial_verdicts import read_verdicts
from concerto.networks import KNOWN, NEW
from concerto.plots.towers import pooled, read_scores
from concerto.products.network_page import (
    PRODUCTS,
    class_blocks,
    headlines,
    score_blocks,
    site_rows,
    unconverged,
    verdict,
)
from explain_towers import explain_towers
from html_page import parse
from synthetic_dalec import ROOT
from synthetic_network import FAILED, FLAGGED, SHIFTED, SHORT, UNMODELLED, write_network
from write_network_page import NetworkTables, write_network_page

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ff"
    "ff3f0005fe02fe0def46b80000000049454e44ae426082"
)
FIGURES = ("scores", "classes", "map", "reliability", "worst")
ENTRY = {"name": "Net & more", "streams": ["nee", "gpp"], "set_aside": ["impossible"],
         "last_withheld": 0.3333}  # fmt: skip
CONFIG = {"run": "small", "model": "dalec_water", "seed": 7, "networks": {"net": ENTRY}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network's files, stand-ins for figures, and the function that writes its page."""
    run = tmp_path_factory.mktemp("network")
    network = write_network(run / "evaluation")
    worst = run / "evaluation/worst.csv"
    explain_towers(network.judged, network.plausibility, network.posteriors["inner"], worst)
    figures = [run / "figures" / f"{name}.png" for name in FIGURES]
    figures[0].parent.mkdir(parents=True)
    for figure in figures:
        figure.write_bytes(PIXEL)
        words = {"title": figure.stem, "caption": f"About {figure.stem}", "alternative": "See it"}
        figure.with_suffix(".json").write_text(json.dumps(words))

    def write(products):
        write_network_page(
            "net",
            CONFIG,
            tables=NetworkTables(network.scores, worst, network.plausibility, network.faults),
            posteriors=network.posteriors,
            products=products,
            figures=figures,
            sources=[ROOT / "config/sources/fluxval.yaml"],
            citation=ROOT / "CITATION.cff",
            output=run / "report/net.html",
        )
        return run / "report/net.html"

    return network, write


@pytest.fixture(scope="module")
def page(made):
    network, write = made
    folder = network.scores.parent
    return parse(write([folder / name for name in PRODUCTS]).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def scores(made):
    return read_scores(made[0].scores)


@pytest.fixture(scope="module")
def verdicts(made):
    return read_verdicts(made[0].posteriors)


def test_the_page_loads_nothing_and_leads_to_the_products(page, made):
    tags = page[0].tags
    assert not [tag for tag, _ in tags if tag in ("link", "script")]
    images = [attrs for tag, attrs in tags if tag == "img"]
    assert len(images) == len(FIGURES)
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert all(image["alt"] for image in images)
    links = [attrs["href"] for tag, attrs in tags if tag == "a"]
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link[0] == "#"} <= set(ids)
    others = [link for link in links if link[0] != "#"]
    assert others == ["index.html", *(f"../evaluation/{name}" for name in PRODUCTS)]
    report = made[0].scores.parent.parent / "report"
    assert (report / "../evaluation/scores.csv").resolve() == made[0].scores.resolve()


def test_the_verdict_comes_first_and_counts_towers_by_trial(page, verdicts):
    said = verdict(verdicts)
    assert "9 of 9 towers with all that is known, 7 of 9 towers in the trial and 9 of 9" in said
    text = page[1]
    assert said in text
    assert text.index("Not all posteriors may be trusted alike") < text.index("About scores")
    assert "what is judged on it 9 7 1 1 0 0" in text


def test_towers_that_have_not_converged_are_listed_with_the_reason(page, verdicts):
    rows = {row["tower"]: row for row in unconverged(verdicts)}
    assert set(rows) == {FAILED, UNMODELLED}
    assert rows[FAILED]["reason"] == "mean squared misfit 3 (expected 1)"
    assert rows[UNMODELLED]["status"] == "no observation"
    trial = "The last part of each tower's fluxes withheld"
    assert f"{FAILED} {trial} not converged mean squared misfit 3 (expected 1)" in page[1]
    assert unconverged(verdicts[verdicts.trial == "all"]) == []


def test_headlines_are_the_scores_beside_baselines(scores, page):
    sentences = headlines(scores)
    assert len(sentences) == 6
    assert all(sentence in page[1].replace("\N{NO-BREAK SPACE}", " ") for sentence in
               (text.replace("\N{NO-BREAK SPACE}", " ") for text in sentences))  # fmt: skip
    every, median = pooled(scores), pooled(scores, "median")
    best, base = every.loc[(KNOWN, "nee", "combined")], every.loc[(KNOWN, "nee", "climatology")]
    first = sentences[2].replace("\N{MINUS SIGN}", "-")
    assert f"has an NSE of {best.nse:.2f} (climatology {base.nse:.2f}, " in first
    assert f"{median.nse[KNOWN, 'nee', 'combined']:.2f} (climatology " in first
    word = "less" if best.crps < base.crps else "more"
    assert f" {word} than the climatology's" in first
    worse = scores.assign(crps=scores.crps.where(scores.predictor != "combined", 2.0 * base.crps))
    assert "100\N{NO-BREAK SPACE}% more than the climatology's" in headlines(worse)[2]


def test_tables_have_every_predictor_class_and_tower(scores):
    blocks = score_blocks(scores)
    assert [len(block["rows"]) for block in blocks] == [4, 2] * 3
    for block in blocks:
        (best,) = [row for row in block["rows"] if row["best"]]
        assert best["crps"] == min(row["crps"] for row in block["rows"])
    known, new = class_blocks(scores)
    assert [row["towers"] for row in known["rows"]] == [3, 3, 3]
    assert len(known["rows"][0]["values"]) == 12
    assert len(new["rows"][0]["values"]) == 6
    row = scores[(scores.setting == NEW) & (scores.group == "class") & (scores["name"] == "CRO")]
    row = row[(row.flux == "et") & (row.predictor == "learned")]
    (crops,) = [own for own in new["rows"] if own["name"] == "cropland (CRO)"]
    assert crops["values"][-1] == row.nse.item()
    sites = {row["name"]: row["values"] for row in site_rows(scores)}
    assert len(sites) == 9
    assert sites[SHORT][0]["n"] == 5
    assert pd.isna(sites[SHORT][0]["combined"])
    one = scores[(scores.group == "tower") & (scores["name"] == SHIFTED)]
    one = one[(one.setting == KNOWN) & (one.flux == "gpp") & (one.predictor == "combined")]
    assert sites[SHIFTED][0]["combined"] == one.nse.item()


def test_doubts_worst_towers_sources_and_citation_are_named(page):
    text = page[1]
    assert f"{FLAGGED} NEE NEE of a year -1700 g m-2 yr-1 about -200 impossible" in text
    assert "Streams that are impossible are not assimilated" in text
    assert "The file of every tower could be used." in text
    assert f"{SHIFTED} GRA " in text
    assert "Its level shifts: withheld months have" in text
    assert "CC-BY-4.0" in text
    assert "The concerto developers" in text


def test_a_product_that_is_not_known_is_refused(made):
    network, write = made
    with pytest.raises(InputError, match=r"map\.grib"):
        write([network.scores.parent / "map.grib"])
