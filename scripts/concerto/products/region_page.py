"""The page of a table of regions: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from concerto.evaluation.region_facts import interval_of
from concerto.evaluation.region_totals import WHOLE
from concerto.products.report import templates

TEMPLATE = "regions.html.j2"
COLUMNS = {
    "gpp": ("GPP", "TgC yr⁻¹"),
    "reco": ("RECO", "TgC yr⁻¹"),
    "nee": ("NEE", "TgC yr⁻¹"),
    "stock": ("Stocks", "TgC"),
    "nbp": ("NBP", "TgC yr⁻¹"),
}
FILES = {
    "regions.csv": "All numbers, also by cover, by IPCC category and by year.",
    "trends.csv": "Trends, where there are years enough.",
    "areas.csv": "What of each region the map covers.",
    "members.nc": "Each member's sums: for sums and differences of your own.",
}
_COVERED = 0.99


def render_regions(
    name: str,
    run: str,
    title: str,
    table: pd.DataFrame,
    areas: pd.DataFrame,
    trends: pd.DataFrame,
    inventory: pd.DataFrame | None,
    pages: Mapping[str, str],
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    name, run, title
        Of the table, of the run, and the table in words.
    table, areas, trends, inventory
        Of :mod:`concerto.evaluation.region_totals` and :mod:`concerto.evaluation.inventory`.
    pages
        The file of each region that has a page.
    """
    years = sorted(table["period"][table["period"].str.fullmatch(r"\d{4}")].unique())
    period = years[0] if len(years) == 1 else f"{years[0]}-{years[-1]}"
    here = table[(table["period"] == period) & (table["kind"] == "all")]
    stated = trends[(trends["variable"] == "nbp") & trends["mean"].notna()]
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            name=name,
            run=run,
            title=title,
            period=period.replace("-", " to "),
            columns=list(COLUMNS.values()),
            rows=_rows(here, areas, pages),
            warnings=_warnings(years, areas),
            bridges=_bridges(inventory),
            trends=stated.to_dict("records"),
            no_trend=trends["note"].iloc[0] if len(trends) else "",
            download=data_uri(here),
            files=[*FILES.items(), *_inventory_file(inventory)],
        )
    )


def data_uri(table: pd.DataFrame) -> str:
    """Return an address that holds a table as CSV, so that a page alone has it to download."""
    return "data:text/csv;charset=utf-8," + quote(table.to_csv(index=False))


def _rows(
    here: pd.DataFrame, areas: pd.DataFrame, pages: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return a row a region, the largest first and the whole map last."""
    known = areas.set_index("region")
    order = known["with_values_km2"].drop(WHOLE).sort_values(ascending=False).index
    rows = []
    for region in (*order, WHOLE):
        sums = here[here["region"] == region].set_index("variable")
        if "nbp" not in sums.index:
            continue
        rows.append(
            {
                "name": region,
                "page": pages.get(region),
                "whole": region == WHOLE,
                "area": known.loc[region, "with_values_km2"],
                "covered": _share(known.loc[region, "covered"]),
                "sums": [
                    interval_of(sums.loc[name]).parts() if name in sums.index else None
                    for name in COLUMNS
                ],
                "nbp": sums.loc["nbp"].to_dict(),
            }
        )
    return rows


def _warnings(years: list[str], areas: pd.DataFrame) -> list[str]:
    found = []
    if len(years) == 1:
        found.append(
            f"A demonstration of one year, {years[0]}: a chance of a gain is that of this year and "
            "its weather, and there is no trend. It is no assessment of a country."
        )
    covered = areas["covered"].dropna()
    partly = covered[covered < _COVERED]
    if len(partly):
        found.append(
            f"Of {len(partly)} of {len(covered)} regions the map covers a part alone, from "
            f"{_share(partly.min())} to {_share(partly.max())}: sums are of these parts, and not "
            "of the regions."
        )
    return found


def _share(share: float) -> str:
    """Write a share with two digits, also of what is next to nothing; none where there is none."""
    if not np.isfinite(share):
        return ""
    return f"{float(f'{100 * share:.2g}'):g}\N{NO-BREAK SPACE}%"


def _bridges(inventory: pd.DataFrame | None) -> list[dict[str, Any]]:
    if inventory is None:
        return []
    rows = inventory.assign(note=inventory["note"].fillna(""))
    return [
        {"title": f"{region}, {category}, {year}", "rows": of_entry.to_dict("records")}
        for (region, category, year), of_entry in rows.groupby(
            ["region", "category", "year"], sort=False
        )
    ]


def _inventory_file(inventory: pd.DataFrame | None) -> list[tuple[str, str]]:
    if inventory is None:
        return []
    return [("inventory.csv", "The way from the model to the inventory, term by term.")]
