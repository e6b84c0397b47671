"""Write the page of a region, for people who will not read a paper: HTML, and PDF for print."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr
import yaml
from concerto.cubes import load
from concerto.evaluation.quantities import predictor_label
from concerto.evaluation.region_facts import Basis, facts_of
from concerto.evaluation.region_outlooks import outlook_note, outlooks_of, with_outlooks
from concerto.evaluation.region_totals import read_rows
from concerto.maps import cell_boxes
from concerto.plots.cells import read_map, time_mean
from concerto.plots.factsheet import draw_page, place_of, save_page
from concerto.products.factsheet import footer_of, render_factsheet
from concerto.products.files import write_text
from concerto.scripting import script_log

log = logging.getLogger(__name__)

_DAYS = 365.25


@dataclass(frozen=True)
class SheetFiles:
    """What a page is made of."""

    table: Path
    trends: Path
    areas: Path
    members: Path
    weights: Path
    annual: Path
    land: Path
    observations: Path
    borders: Path
    sources: Sequence[Path]
    citation: Path
    inventory: Path | None
    futures: Sequence[Path]


def write_factsheet(
    region: str,
    config: Mapping[str, Any],
    table: str,
    resolution: float,
    files: SheetFiles,
    html: Path,
    pdf: Path,
) -> None:
    """Write the page of a region.

    Parameters
    ----------
    region
        Its name.
    config
        The run's configuration.
    table
        Name of the table of regions.
    resolution
        Width and height of the map's cells, degrees.
    files
        What to read.
    html, pdf
        Where to write.
    """
    entry = config["policy"][table]
    weights = load(files.weights)
    cells = _cells_of(region, weights)
    product = read_map(files.annual, ["nee_mean"])
    land = load(files.land)
    status = product["status"].sel(
        lat=land["lat"], lon=land["lon"], method="nearest", tolerance=resolution / 2
    )
    inside = np.isin(land["location"].to_numpy().astype(str), cells)
    method = config["maps"][entry["map"]]["method"]
    streams = config["maps"][entry["map"]]["streams"]
    basis = Basis(
        _observed(load(files.observations), streams, inside),
        pd.Series(status.to_numpy()[inside]).value_counts().to_dict(),
        config["model"],
        predictor_label(method),
    )
    facts = facts_of(
        region,
        entry["title"],
        table=read_rows(files.table),
        areas=read_rows(files.areas),
        trends=read_rows(files.trends),
        pieces=load(files.members),
        basis=basis,
        inventory=read_rows(files.inventory) if files.inventory else None,
    )
    if files.futures:
        known = outlooks_of(region, config["scenarios"], *map(read_rows, files.futures))
        facts = with_outlooks(facts, known, outlook_note(config["scenarios"]))
    gains = xr.DataArray(
        -_DAYS * time_mean(product, "nee_mean"), {"lat": product["lat"], "lon": product["lon"]}
    ).sel(lat=land["lat"], lon=land["lon"], method="nearest", tolerance=resolution / 2)
    boxes = cell_boxes(land["lat"].to_numpy(), land["lon"].to_numpy(), resolution)
    names = weights["region_name"].to_numpy().astype(str)
    outline = shapely.from_wkt(str(weights["outline"].to_numpy()[names == region][0]))
    borders = geopandas.read_file(files.borders)
    place = place_of(outline, borders, boxes, gains.to_numpy(), inside)
    citation, sources = (
        yaml.safe_load(files.citation.read_text(encoding="utf-8")),
        [yaml.safe_load(file.read_text(encoding="utf-8"))["title"] for file in files.sources],
    )
    footer = footer_of(facts, config["run"], citation, sources)
    write_text(render_factsheet(facts, place, footer, table), html)
    save_page(draw_page(facts, place, footer), f"{region}: carbon balance of the land", pdf)
    log.info("%s: %s", region, facts.headline)


def _cells_of(region: str, weights: xr.Dataset) -> np.ndarray:
    here = weights["region"].to_numpy().astype(str) == region
    return np.unique(weights["location"].to_numpy()[here].astype(str))


def _observed(
    observations: xr.Dataset, streams: Sequence[str], inside: np.ndarray
) -> dict[str, int]:
    """Return how many values of each stream the cells have."""
    return {
        stream: int(np.isfinite(observations[stream].to_numpy()[inside]).sum())
        for stream in streams
    }


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        inputs = snakemake.input  # noqa: F821
        write_factsheet(
            snakemake.params.region,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            snakemake.wildcards.table,  # noqa: F821
            snakemake.params.resolution,  # noqa: F821
            SheetFiles(
                **{
                    key: Path(inputs[key])
                    for key in ("table", "trends", "areas", "members", "weights", "annual", "land",
                                "observations", "citation")
                },
                borders=Path(inputs.borders) / snakemake.params.borders,  # noqa: F821
                sources=[Path(file) for file in inputs.sources],
                inventory=next(map(Path, inputs.inventory), None),
                futures=[Path(file) for file in inputs.futures],
            ),
            Path(snakemake.output.html),  # noqa: F821
            Path(snakemake.output.pdf),  # noqa: F821
        )  # fmt: skip
