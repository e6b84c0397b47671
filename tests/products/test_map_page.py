"""The page of a map: what it says of its cells and sums, and that it stands alone."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from concerto.errors import InputError
from concerto.plots.regions import read_regions
from concerto.products.map_page import PRODUCTS, key_numbers, region_tables, verdict
from html_page import parse
from synthetic_dalec import ROOT
from synthetic_map import MEANINGS, TRANSECT, make_map, make_regions, write_map
from write_map_page import write_map_page

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ff"
    "ff3f0005fe02fe0def46b80000000049454e44ae426082"
)
REGIONS = {"all": ["all"], "country": ["Finland", "NA", ""], "igbp": ["ENF"], "koppen": ["Dfc"]}
CONFIG = {
    "run": "small",
    "model": "dalec2",
    "seed": 7,
    "maps": {
        "strip": {
            "name": "A strip & more",
            "cubes": "transect",
            "streams": ["fapar"],
            "method": "esmda",
            "errors_from_cells": 20,
            "prior_field": {"correlation_length_km": 500.0, "local_fraction": 0.3},
        }
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A map's product and sums, stand-ins for figures, and the page."""
    run = tmp_path_factory.mktemp("map")
    products = run / "products" / "strip"
    write_map(make_map(TRANSECT), products / "map.nc")
    make_regions(REGIONS, (1999, 2000)).to_csv(products / "regions.csv", index=False)
    figures = [run / "figures" / "strip" / f"{name}.png" for name in ("status", "regions")]
    figures[0].parent.mkdir(parents=True)
    for figure in figures:
        figure.write_bytes(PIXEL)
        words = {"title": figure.stem, "caption": f"About {figure.stem}", "alternative": "See it"}
        figure.with_suffix(".json").write_text(json.dumps(words))
    write_map_page(
        "strip",
        CONFIG,
        product=products / "map.nc",
        regions=products / "regions.csv",
        others=[products / name for name in PRODUCTS.keys() - {"map.nc", "regions.csv"}],
        figures=figures,
        sources=[ROOT / "config/sources/transect_2000.yaml"],
        citation=ROOT / "CITATION.cff",
        output=run / "report" / "strip.html",
    )
    return run


@pytest.fixture(scope="module")
def page(made):
    return parse((made / "report" / "strip.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing_and_leads_to_the_products(page, made):
    tags = page[0].tags
    assert not [tag for tag, _ in tags if tag in ("link", "script")]
    images = [attrs for tag, attrs in tags if tag == "img"]
    assert len(images) == 2
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert all(image["alt"] for image in images)
    links = [attrs["href"] for tag, attrs in tags if tag == "a"]
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link[0] == "#"} <= set(ids)
    start, *others = [link for link in links if link[0] != "#"]
    assert start == "index.html"
    assert others[0] == "../products/strip/map.nc"
    assert (made / "report" / others[0]).resolve().exists()
    assert sorted(link.split("/")[3] for link in others) == sorted(PRODUCTS)


def test_the_verdict_comes_first_and_counts_cells(page):
    text = page[1]
    raw = make_map(TRANSECT)["status"].to_numpy()
    count = [int((raw == k).sum()) for k in range(5)]
    total = sum(count)
    said = " ".join(" ".join(verdict_of(raw)).split())
    assert said in text
    assert text.index("Not all cells may be trusted alike") < text.index("About status")
    assert f"Of {total} cells of land, {count[0]} (" in said
    assert f"{count[1]} (" in said
    assert f"drivers missing {count[3]}; assimilation failed {count[4]}." in said


def verdict_of(raw):
    count = [int((raw == k).sum()) for k in range(5)]
    return verdict(pd.DataFrame({"status": MEANINGS[:5], "cells": count}))


def test_a_map_that_is_all_well_is_not_warned_of():
    assert verdict_of(np.zeros((2, 3))) == [
        "Of 6 cells of land, 6 (100\N{NO-BREAK SPACE}%) converged."
    ]
    assert verdict_of(np.full((2, 3), 5)) == ["The map has no cell of land."]


def test_sums_are_those_of_the_last_year_with_and_without_coherence(made):
    table = read_regions(made / "products" / "strip" / "regions.csv")
    recent = table[table.year == 2000]
    (gpp, nee, biomass) = key_numbers(recent)
    row = recent[(recent.kind == "all") & (recent.variable == "gpp")].iloc[0]
    assert gpp.startswith(f"GPP 2000: {row['mean']:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}"))
    assert "TgC yr⁻¹" in nee
    assert biomass.startswith("Live biomass 2000")
    tables = region_tables(recent)
    assert [t["title"] for t in tables] == [
        "Whole map", "Countries", "Land cover (IGBP)", "Climate (Köppen)",
    ]  # fmt: skip
    names = [row["name"] for row in tables[1]["rows"]]
    assert set(names) == {"Finland", "NA", "not classified"}
    sums = [row["sums"][0]["mean"] for row in tables[1]["rows"]]
    assert sums == sorted(sums, reverse=True)
    assert [unit for _, unit in tables[0]["columns"]] == ["TgC yr-1", "TgC yr-1", "TgC"]


def test_sources_licences_and_citation_are_named(page):
    text = page[1]
    assert "MIT, as part of pyrealm" in text
    assert "How to cite" in text
    assert "The concerto developers" in text
    assert "fAPAR assimilated in each cell by ES-MDA" in text
    assert "30 % of the prior variance" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_product_that_is_not_known_is_refused(made):
    products = made / "products" / "strip"
    with pytest.raises(InputError, match=r"map\.grib"):
        write_map_page(
            "strip",
            CONFIG,
            product=products / "map.nc",
            regions=products / "regions.csv",
            others=[products / "map.grib"],
            figures=[],
            sources=[],
            citation=ROOT / "CITATION.cff",
            output=made / "other.html",
        )
    assert not (made / "other.html").exists()
