"""The page of a table of regions: rows that add up, links, and what it warns of."""

from __future__ import annotations

import io
from urllib.parse import unquote

import numpy as np
import pandas as pd
from concerto.evaluation.inventory import Given, reconcile
from concerto.evaluation.region_totals import LEAST_YEARS, area_table, region_table, trend_table
from concerto.products.region_page import FILES, render_regions
from html_page import parse
from synthetic_pieces import entry, make_pieces


def page(years=1, inventory=False):
    pieces, parts = make_pieces(years=years)
    areas = area_table(parts, pieces)
    rng = np.random.default_rng(0)
    found = reconcile(pieces, areas, {}, Given(entry(year=2000)), rng) if inventory else None
    return parse(
        render_regions(
            "made",
            "run",
            "Made <up>",
            region_table(pieces, {}, {}),
            areas,
            trend_table(pieces, rng),
            found,
            {"North": "made.north.html"},
        )
    )


def test_one_year_of_a_part_is_warned_of():
    found, said = page()
    assert "Made <up>" in said
    assert "A demonstration of one year, 2000" in said
    assert "Of 2 of 2 regions the map covers a part alone" in said.replace("\xa0", " ")
    assert "None: no trend: one year, at least 10 needed." in said
    assert {"href": "made.north.html"} in found.of("a")
    assert "Beside the inventory" not in said
    for region in ("North", "South", "outside all polygons", "whole map"):
        assert region in said


def test_the_table_is_in_the_page_to_download():
    found, _ = page()
    links = {link["href"]: link for link in found.of("a")}
    assert "index.html" in links
    assert {f"../policy/made/{name}" for name in FILES} <= set(links)
    (start,) = (href for href in links if href.startswith("data:text/csv"))
    assert links[start]["download"] == "made.csv"
    table = pd.read_csv(io.StringIO(unquote(start.partition(",")[2])))
    assert set(table["region"]) >= {"North", "South"}
    assert set(table["period"].astype(str)) == {"2000"}
    assert {"gpp", "nbp"} <= set(table["variable"])


def test_many_years_have_trends_and_no_such_warning():
    _, said = page(years=LEAST_YEARS)
    assert "demonstration" not in said
    assert "NBP in each year" in said
    assert "2000 to 2009" in said


def test_an_inventory_is_shown_term_by_term():
    found, said = page(inventory=True)
    assert "North, total, 2000" in said
    assert "unexplained" in said
    assert "as given" in said
    assert {"href": "../policy/made/inventory.csv"} in found.of("a")
