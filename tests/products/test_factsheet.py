"""The page of a region: words that fit the numbers, and sheets on which all has its place."""

from __future__ import annotations

import dataclasses
import re

import geopandas as gpd
import numpy as np
import pytest
from concerto.errors import InputError
from concerto.evaluation.inventory import Given, reconcile
from concerto.evaluation.region_facts import (
    Basis,
    Category,
    Facts,
    Interval,
    Outlook,
    amount,
    direction,
    facts_of,
    headline,
)
from concerto.evaluation.region_outlooks import verdict, with_outlooks
from concerto.evaluation.region_totals import (
    LEAST_YEARS,
    area_table,
    read_rows,
    region_table,
    trend_table,
)
from concerto.maps import cell_boxes, slug
from concerto.plots.factsheet import draw_page, place_of, save_page
from concerto.products.factsheet import render_factsheet
from concerto.products.files import write_table
from html_page import parse
from matplotlib.backends.backend_agg import FigureCanvasAgg
from shapely.geometry import MultiPolygon, box
from synthetic_pieces import entry, make_pieces

BASIS = Basis({"fapar": 672}, {"converged": 15, "not_converged": 2}, "dalec2", "RML")
NBSP = "\N{NO-BREAK SPACE}"


def facts(years: int = 1, **options) -> Facts:
    pieces, parts = make_pieces(years=years, **options)
    return facts_of(
        "North",
        "Made up",
        table=region_table(pieces, {}, {}),
        areas=area_table(parts, pieces),
        trends=trend_table(pieces, np.random.default_rng(1)),
        pieces=pieces,
        basis=BASIS,
    )


def place(outline=None):
    outline = outline or box(24.0, 60.0, 30.0, 66.0)
    lat = np.arange(60.25, 66.0, 0.5)
    boxes = cell_boxes(lat, np.full(len(lat), 25.25), 0.5)
    gains = np.where(np.arange(len(lat)) == 3, np.nan, np.linspace(-80.0, 90.0, len(lat)))
    borders = gpd.GeoDataFrame(geometry=[box(0, 50, 40, 70)], crs="EPSG:4326")
    return place_of(outline, borders, boxes, gains, lat > 61.0)


class TestWords:
    @pytest.mark.parametrize(
        ("chance", "covered", "expected"),
        [
            (1.0, 1.0, "The land almost certainly gained carbon"),
            (0.92, 1.0, "The land very likely gained carbon"),
            (0.7, 0.5, "The part of the land that the map covers likely gained carbon"),
            (0.5, 1.0, "The land gained or lost carbon: this cannot tell which"),
            (0.35, np.nan, "The land gained or lost carbon: this cannot tell which"),
            (0.3, np.nan, "The land likely lost carbon"),
            (0.0, 1.0, "The land almost certainly lost carbon"),
        ],
    )
    def test_a_headline_says_no_more_than_the_chance(self, chance, covered, expected):
        assert headline(chance, covered) == expected

    def test_amounts_are_in_words_that_suit_their_size(self):
        assert amount(-1234.0) == f"1.2{NBSP}billion tonnes"
        assert amount(-1.4547) == f"1.5{NBSP}million tonnes"
        assert amount(0.0123) == f"12{NBSP}thousand tonnes"
        assert amount(2.3e-6) == f"2.3{NBSP}tonnes"
        assert direction(-4.69) == f"a loss of 4.7{NBSP}million tonnes"
        assert direction(0.3) == f"a gain of 0.30{NBSP}million tonnes"

    def test_intervals_have_two_digits_of_their_larger_end(self):
        def text(*numbers):
            return Interval(*numbers).text().replace("\N{MINUS SIGN}", "-")

        assert text(-1.4547, -4.69, 1.579) == "-1.5 (-4.7 to 1.6)"
        assert text(-23.0, -74.2, 25.4) == "-23 (-74 to 25)"
        assert text(0.001, -0.012, 0.0204) == "0.001 (-0.012 to 0.020)"
        assert text(-0.001, -0.3, 0.9) == "0.00 (-0.30 to 0.90)"
        assert text(5.0, 5.0, 5.0) == "5.0"

    def test_files_have_plain_names(self):
        assert slug("Dem. Rep. Congo") == "dem-rep-congo"
        assert slug("Côte d'Ivoire") == "cote-d-ivoire"


class TestFacts:
    def test_one_year_says_that_it_is_one(self):
        found = facts()
        assert found.monthly
        assert len(found.times) == 12
        assert found.limits[0].startswith("One year, 2000: ")
        assert "demonstration" in found.limits[0]
        assert "50\N{NO-BREAK SPACE}% of the land of North: not of the whole" in found.sentences[-1]
        assert f"In {100 * found.chance:.0f} of 100 runs" in found.sentences[2]
        assert "15 of 17 cells passed" in found.basis[1]
        assert "No carbon flux" in found.basis[0]
        assert any("indicative only" in limit for limit in found.limits)

    def test_few_years_are_shown_without_a_trend_and_many_with_one(self):
        found = facts(years=3)
        assert found.times == ("2000", "2001", "2002")
        assert found.period == "2000 to 2002"
        assert "3 years are too few for a trend" in found.limits[0]
        assert facts(years=LEAST_YEARS).limits[0].startswith("Trend of the gain: ")

    def test_what_did_not_happen_is_a_limit_and_no_row(self):
        calm, disturbed = facts(disturbed=False), facts()
        assert any("Neither harvest nor fire" in limit for limit in calm.limits)
        assert not any("Neither harvest" in limit for limit in disturbed.limits)
        assert "Harvested" in [line.what for line in disturbed.lines]
        assert "Harvested" not in [line.what for line in calm.lines]

    def test_months_add_up_to_the_year(self):
        found = facts(disturbed=False, members=400)
        assert found.gains[:, 1].sum() == pytest.approx(found.gain.mean, rel=0.2)
        assert sum(category.share for category in found.categories) == pytest.approx(1.0)

    def test_a_region_without_values_is_refused(self):
        pieces, parts = make_pieces(years=1)
        with pytest.raises(InputError, match=r"factsheets: found 'Nort', without values; .*North"):
            facts_of(
                "Nort",
                "Made up",
                table=region_table(pieces, {}, {}),
                areas=area_table(parts, pieces),
                trends=trend_table(pieces, np.random.default_rng(1)),
                pieces=pieces,
                basis=BASIS,
            )

    def test_tables_are_read_as_they_were_written(self, tmp_path):
        pieces, _ = make_pieces(years=1)
        table = region_table(pieces, {}, {}).replace({"region": {"North": "NA"}})
        write_table(table, tmp_path / "regions.csv")
        found = read_rows(tmp_path / "regions.csv")
        assert set(found.region) == set(table.region)
        assert set(found.period) == {"2000"}


def crowded() -> Facts:
    """As much as a page may have to say: six categories, an inventory, all limits."""
    pieces, parts = make_pieces(years=1)
    table = reconcile(
        pieces, area_table(parts, pieces), {}, Given(entry(year=2000)), np.random.default_rng(0)
    )
    found = facts_of(
        "North",
        "Made up",
        table=region_table(pieces, {}, {}),
        areas=area_table(parts, pieces),
        trends=trend_table(pieces, np.random.default_rng(1)),
        pieces=pieces,
        basis=BASIS,
        inventory=table,
    )
    names = ("forest land", "cropland", "grassland", "wetlands", "settlements", "other land")
    categories = tuple(Category(name, 1 / 6, found.categories[0].gain) for name in names)
    region = "United Provinces of the North and South"
    found = dataclasses.replace(found, region=region, categories=categories)
    return with_outlooks(found, outlooks(), "Million tonnes of carbon gained since the start")


def outlooks(count: int = 3) -> tuple[Outlook, ...]:
    """Scenarios with as many words as the common ones have."""
    years = np.arange(2001, 2101)
    gains = np.linspace(0.0, 1.0, 100)[:, None] * [-90.0, 20.0, 170.0]
    words = f"{verdict(0.5, 2100)} " + 20 * "of words "
    return tuple(
        Outlook(f"Case {k}", words, years, gains * (1 + k), Interval(20.0, -90.0, 170.0))
        for k in range(count)
    )


class TestSheet:
    @pytest.mark.parametrize("make", [facts, crowded, lambda: facts(years=12)])
    def test_nothing_is_beside_the_page_or_in_the_footer(self, make):
        figure = draw_page(make(), place(), "Made up; " + 40 * "of words ")
        FigureCanvasAgg(figure)
        figure.set_dpi(600)  # letters have their true widths
        page = figure.bbox
        texts = [text for text in figure.texts if text.get_text()]
        boxes = [text.get_window_extent() for text in texts]
        for text, extent in zip(texts, boxes, strict=True):
            assert extent.x0 >= 0.05 * page.width, text.get_text()
            assert extent.x1 <= 0.95 * page.width, text.get_text()
        footer = 0.62 / 11.69 * page.height
        above = [extent.y0 for extent in boxes if extent.y1 > footer]
        assert min(above) > footer
        assert min(extent.y0 for extent in boxes) > 0.005 * page.height

    def test_the_pdf_is_one_page_and_the_same_again(self, tmp_path):
        files = [tmp_path / name for name in ("one.pdf", "two.pdf")]
        for file in files:
            save_page(draw_page(facts(), place(), "Made up"), "North", file)
        content = files[0].read_bytes()
        assert content.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type /Page\b", content)) == 1
        assert re.search(rb"/MediaBox \[ 0 0 595\.\d+ 841\.\d+ \]", content)
        assert content == files[1].read_bytes()

    def test_a_country_across_the_antimeridian_is_in_one_piece(self):
        outline = MultiPolygon([box(177.0, -19.0, 180.0, -16.0), box(180.0, -19.0, 181.5, -17.0)])
        boxes = cell_boxes(np.array([-18.25, -18.25]), np.array([-179.25, 179.25]), 0.5)
        borders = gpd.GeoDataFrame(geometry=[box(177, -19, 180, -16), box(-180, -19, -178, -17)])
        found = place_of(outline, borders, boxes, np.ones(2), np.ones(2, bool))
        np.testing.assert_allclose(found.boxes[:, 0], [180.5, 179.0])
        assert max(country.bounds[2] for country in found.countries) > 180.5


class TestPage:
    def test_scenarios_are_drawn_and_told_where_there_are_any(self):
        said = parse(render_factsheet(crowded(), place(), ""))[1]
        assert "To 2100, if" in said
        assert [f"Case {k}" in said for k in range(3)] == [True] * 3
        assert "Scenarios: differences between them" in said
        assert "var(--three)" in render_factsheet(crowded(), place(), "")
        assert "To 2100" not in parse(render_factsheet(facts(), place(), ""))[1]

    def test_the_page_needs_nothing_but_itself(self):
        text = render_factsheet(crowded(), place(), "Made <up>")
        page, said = parse(text)
        assert "What it cannot tell" in said
        loaded = [found for _, tags in page.tags for name, found in tags.items()
                  if name in ("src", "href", "xlink:href")]  # fmt: skip
        assert all(place.startswith(("#", "data:")) for place in loaded)
        assert not page.of("script")
        assert "Made &lt;up&gt;" in text
        identifiers = re.findall(r'\bid="([^"]+)"', text)
        assert len(identifiers) == len(set(identifiers))
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(identifiers)

    def test_it_leads_back_if_it_is_a_page_of_a_report(self):
        page, _ = parse(render_factsheet(facts(), place(), "", "lands"))
        assert [link["href"] for link in page.of("a")] == ["index.html", "lands.html"]

    def test_colours_are_those_of_the_page_in_light_and_dark(self):
        text = render_factsheet(facts(), place(), "")
        body = text[text.index("<body>") :]
        assert "#1b1f24" not in body
        assert "var(--ink)" in body
        assert "prefers-color-scheme: dark" in text
        assert "@page { size: A4" in text

    def test_dots_are_as_many_as_runs_that_gain(self):
        found = facts()
        text = render_factsheet(found, place(), "")
        assert text.count('<i class="gain">') == round(100 * found.chance)
        assert text.count("<i") - text.count("<img") >= 100
