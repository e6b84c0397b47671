"""The page of a region as HTML that needs nothing but itself."""

from __future__ import annotations

from concerto.evaluation.region_facts import Facts
from concerto.plots import factsheet as drawings
from concerto.products.report import templates

TEMPLATE = "factsheet.html.j2"


def footer_of(facts: Facts, run: str, citation: dict, sources: list[str]) -> str:
    """Return what stands at the end of a page: what made it, of what, and its signs."""
    return (
        f"{facts.title}; run “{run}”. Made by {citation['title']} {citation['version']} from "
        f"{'; '.join(sources)}. A gain is NBP above zero: carbon that stays on the land after net "
        "exchange, fire and harvest. One million tonnes of carbon is 44/12 million tonnes of CO₂. "
        "Numbers, units and signs: docs/policy.md."
    )


def render_factsheet(
    facts: Facts, place: drawings.Place, footer: str, table: str | None = None
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    facts
        What it says.
    place
        Where the region is.
    footer
        Of :func:`footer_of`.
    table
        Name of the table of regions to whose page it leads, if there is one.
    """
    rows = 0.36 * len(facts.categories) + 0.5
    best = facts.gains[:, 1].argmax()
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            facts=facts,
            tone=facts.tone,
            gained=round(100 * facts.chance),
            map=drawings.as_svg("map", None, lambda axes: drawings.draw_map(axes, place)),
            series=drawings.as_svg("series", None, lambda axes: drawings.draw_series(axes, facts)),
            categories=drawings.as_svg(
                "categories", rows, lambda axes: drawings.draw_categories(axes, facts.categories)
            ),
            dots_words=drawings.dots_words(facts.chance),
            series_words=drawings.series_words(facts),
            series_alternative=f"The land gains most in {facts.times[best]}",
            category_words=drawings.CATEGORY_WORDS,
            category_alternative="; ".join(
                f"{category.name} {category.gain.text()}" for category in facts.categories
            ),
            outlook=drawings.as_svg(
                "outlook", None, lambda axes: drawings.draw_outlooks(axes, facts.outlooks)
            )
            if facts.outlooks
            else "",
            outlook_title=drawings.outlook_title(facts.outlooks) if facts.outlooks else "",
            looks=[drawings.look_of(number) for number in range(len(facts.outlooks))],
            page_colours=drawings.PAGE_COLOURS,
            footer=footer,
            table=table,
        )
    )
