"""Write the page of all assimilations of the run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from concerto.products.assimilation_page import CellFits, SiteFit, sections
from concerto.products.files import write_text
from concerto.products.provenance_page import read_jobs
from concerto.products.sections_page import render_sections
from concerto.scripting import script_log

LEAD = "How observations became parameters: verdicts, costs, and what each source had to say."


def write_assimilation_page(
    config: Mapping[str, Any],
    mapped: Mapping[str, Mapping[str, Any]],
    pages: Mapping[str, str],
    *,
    run: Path,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    mapped
        Of each map and trial of a network its ``name`` in words, ``method`` and ``parts``: the
        names of its tiles or batches.
    pages
        Pages that say more, and their words.
    run
        Folder of the run's results.
    output
        Where to write the page.
    """
    jobs = read_jobs(run / "benchmarks").set_index("job")["cpu_seconds"]
    posteriors = run / "posterior"
    sites = [
        SiteFit(
            site,
            method,
            xr.load_dataset(posteriors / site / f"{method}.nc"),
            _seconds(jobs, [f"assimilate_site.{site}.{method}"]),
        )
        for site in config.get("sites", {})
        for method in config["assimilation"]["methods"]
    ]
    cells = [
        CellFits(
            entry["name"],
            entry["method"],
            [xr.load_dataset(posteriors / name / f"{part}.nc") for part in entry["parts"]],
            _seconds(jobs, [f"assimilate_tile.{name}.{part}" for part in entry["parts"]]),
        )
        for name, entry in mapped.items()
    ]
    named = {name: name for name in config.get("sites", {})}
    named |= {name: entry["name"] for name, entry in mapped.items()}
    statements = {
        words: json.loads((posteriors / name / "errors.json").read_text(encoding="utf-8"))
        for name, words in named.items()
    }
    said = sections(sites, cells, statements, pages)
    write_text(render_sections("Assimilation", LEAD, config, said), output)


def _seconds(jobs: pd.Series, names: Sequence[str]) -> float:
    """Return the CPU seconds of some jobs together, NaN where none was measured."""
    return float(jobs.reindex(list(names)).sum(min_count=1))


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_assimilation_page(
            snakemake.params.config,  # noqa: F821
            snakemake.params.mapped,  # noqa: F821
            snakemake.params.pages,  # noqa: F821
            run=Path(snakemake.output.page).parents[1],  # noqa: F821
            output=Path(snakemake.output.page),  # noqa: F821
        )
