"""The page of a map: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from concerto.errors import InputError
from concerto.evaluation.quantities import label, plain_unit
from concerto.plots import cells
from concerto.plots.regions import KINDS, last_year, ordered, region_words
from concerto.products.report import Picture, number, percent, plain, templates, whole

TEMPLATE = "map.html.j2"
TABLED = ("gpp", "nee", "live_biomass")
MEANINGS = {
    "converged": "Assimilated; the method's own checks are passed.",
    "not_converged": "Assimilated, but the checks are not passed: indicative, hatched on maps.",
    "no_observation": "Nothing was observed here: no values, dotted on maps.",
    "drivers_missing": "Without weather, CO2 or disturbance; without values, grey on maps.",
    "assimilation_failed": "The assimilation ended with an error; without values, grey on maps.",
}
PRODUCTS = {
    "map.nc": "All statistics of each cell and month, on the grid; CF NetCDF.",
    "map.zarr": "The same as a Zarr store, for reading parts of it over a network.",
    "annual.nc": "Statistics of a cell's annual means and year-end pools; CF NetCDF.",
    "annual.zarr": "The same as a Zarr store.",
    "layers": "Annual layers of the main quantities, and the status; Cloud Optimized GeoTIFF.",
    "catalog": "A static STAC catalogue of all of these.",
    "regions.csv": "Annual sums by country, land cover and climate, with intervals.",
    "regions.nc": "Monthly sums by region and member: for sums and differences of regions.",
}  # fmt: skip
STARTS = {"catalog": "catalog/catalog.json"}
"""Where one begins to read a folder."""


def render_map(
    name: str,
    config: Mapping[str, Any],
    shares: pd.DataFrame,
    regions: pd.DataFrame,
    *,
    figures: Sequence[Picture],
    products: Sequence[str],
    sources: Mapping[str, Mapping[str, Any]],
    citation: Mapping[str, Any],
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    name
        The map in the configuration.
    config
        The run's configuration.
    shares
        Of :func:`concerto.plots.status.shares`.
    regions
        Of :func:`concerto.plots.regions.read_regions`.
    figures
        In the order of the page.
    products
        Names of the map's products, of ``PRODUCTS``.
    sources
        What config/sources says of each source, by name.
    citation
        Content of CITATION.cff.

    Raises
    ------
    InputError
        If a product is not one of ``PRODUCTS``.
    """
    unknown = [product for product in products if product not in PRODUCTS]
    if unknown:
        raise InputError("products of a map", unknown[0], "a product", f"of {', '.join(PRODUCTS)}")
    entry = config["maps"][name]
    recent = last_year(regions)
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            name=name,
            title=entry["name"],
            config=config,
            entry=entry,
            streams=", ".join(label(stream) for stream in entry["streams"]),
            verdict=verdict(shares),
            trusted=bool((shares.cells[shares.status != "converged"] == 0).all()),
            key_numbers=key_numbers(recent),
            statuses=[
                {**row, "meaning": MEANINGS[row["status"]], "good": row["status"] == "converged"}
                for row in shares.to_dict("records")
            ],
            figures=figures,
            year=recent.year.iloc[0] if len(recent) else "",
            tables=region_tables(recent),
            products=[
                (product, STARTS.get(product, product), PRODUCTS[product]) for product in products
            ],
            sources=sources,
            citation=citation,
            config_text=yaml.safe_dump(plain(entry), sort_keys=False, allow_unicode=True),
        )
    )


def verdict(shares: pd.DataFrame) -> list[str]:
    """Return sentences on how many cells converged, have not, and have no values.

    Parameters
    ----------
    shares
        Of :func:`concerto.plots.status.shares`.
    """
    count = dict(zip(shares.status, shares.cells.astype(int), strict=True))
    total = sum(count.values())
    if not total:
        return ["The map has no cell of land."]

    def of(names: Sequence[str]) -> tuple[int, str]:
        chosen = sum(count[name] for name in names)
        return chosen, f"{whole(chosen)} ({percent(chosen / total)})"

    empty = [name for name in count if not cells.has_values(name)]
    sentences = [f"Of {whole(total)} cells of land, {of(['converged'])[1]} converged."]
    for names, text in (
        (["not_converged"], "did not converge: their values are indicative only."),
        (["no_observation"], "had no observation, and have no values."),
        (empty, "have no values and are in no sum: "),
    ):
        chosen, words = of(names)
        if chosen:
            sentences.append(f"{words} {text}")
    if of(empty)[0]:
        sentences[-1] += (
            "; ".join(
                f"{cells.STATUS[name][0]} {whole(count[name])}" for name in empty if count[name]
            )
            + "."
        )
    return sentences


def key_numbers(recent: pd.DataFrame) -> list[str]:
    """Return a sentence for each sum over the whole map: with its interval, and what it would be.

    Parameters
    ----------
    recent
        Rows of one year, of :func:`concerto.plots.regions.read_regions`.
    """
    rows = recent[(recent.kind == "all") & recent.variable.isin(TABLED)]
    return [
        f"{_words(row.variable)} {row.year}: {number(row.mean)} ± {number(row.sd)} "
        f"{plain_unit(row.units)} (90\N{NO-BREAK SPACE}% between {number(row.q05)} and "
        f"{number(row.q95)}); with independent cells it would be ± {number(row.sd_independent)}."
        for row in rows.itertuples()
    ]


def region_tables(recent: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table for each kind of region: heading, columns and, a region each, rows.

    Parameters
    ----------
    recent
        Rows of one year, of :func:`concerto.plots.regions.read_regions`.
    """
    chosen = ordered(recent[recent.variable.isin(TABLED)])
    variables = [name for name in TABLED if (chosen.variable == name).any()]
    units = chosen.drop_duplicates("variable").set_index("variable").units
    tables = []
    for kind, of_kind in chosen.groupby("kind", sort=False):
        rows = []
        for region, of_region in of_kind.groupby("region", sort=False):
            sums = of_region.set_index("variable")
            rows.append(
                {
                    "name": region_words(str(kind), str(region)),
                    "cells": int(of_region.cells.iloc[0]),
                    "area": of_region.area_km2.iloc[0],
                    "sums": [
                        sums.loc[name].to_dict() if name in sums.index else None
                        for name in variables
                    ],
                }
            )
        columns = [(_words(name), units[name]) for name in variables]
        tables.append({"title": KINDS[str(kind)], "columns": columns, "rows": rows})
    return tables


def _words(variable: str) -> str:
    text = label(variable)
    return text[0].upper() + text[1:]
