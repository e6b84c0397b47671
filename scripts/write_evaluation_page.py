"""Write the page of all evaluations of the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.plots.towers import read_scores
from concerto.products.evaluation_page import MapEvaluation, SiteEvaluation, sections
from concerto.products.files import write_text
from concerto.products.network_page import headlines
from concerto.products.report import read_picture
from concerto.products.sections_page import render_sections
from concerto.scripting import script_log

LEAD = "How good predictions are, beside simple baselines, and how honest their intervals."


def write_evaluation_page(
    config: Mapping[str, Any], pages: Mapping[str, str], *, run: Path, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    pages
        Pages that say more, and their words.
    run
        Folder of the run's results.
    output
        Where to write the page.
    """
    tables = run / "evaluation"
    foretold = config.get("forecast", {}).get("sites", [])
    sites = [
        SiteEvaluation(
            site,
            pd.read_csv(tables / site / "scores.csv"),
            pd.read_csv(tables / site / "ilamb.csv"),
            read_picture(run / "figures" / site / "ilamb.png"),
            pd.read_csv(tables / site / "forecast.csv") if site in foretold else None,
        )
        for site in config.get("sites", {})
    ]
    maps = [
        MapEvaluation(
            entry["name"],
            pd.read_csv(tables / name / "ilamb.csv"),
            read_picture(run / "figures" / name / "ilamb.png"),
        )
        for name, entry in config.get("maps", {}).items()
    ]
    networks = {
        entry["name"]: headlines(read_scores(tables / name / "scores.csv"))
        for name, entry in config.get("networks", {}).items()
    }
    said = sections(config["assimilation"]["product"], sites, maps, networks, pages)
    write_text(render_sections("Evaluation", LEAD, config, said), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_evaluation_page(
            snakemake.params.config,  # noqa: F821
            snakemake.params.pages,  # noqa: F821
            run=Path(snakemake.output.page).parents[1],  # noqa: F821
            output=Path(snakemake.output.page),  # noqa: F821
        )
