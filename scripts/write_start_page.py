"""Write the first page of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from concerto.plots.cells import read_map
from concerto.plots.regions import read_regions
from concerto.plots.status import shares
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.start_page import Map, Tower, render_start
from concerto.scripting import script_log


def write_start_page(
    config: Mapping[str, Any], run_id: str, pages: Sequence[str], run: Path, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    config, run_id
        Of the run.
    pages
        File names of the other pages.
    run
        Folder of the run's results.
    output
        Where to write the page.
    """
    towers = [
        Tower(
            name,
            entry.get("name", ""),
            {
                method: _said(run, name, method)["converged"] == "yes"
                for method in config["assimilation"]["methods"]
            },
            _said(run, name, config["assimilation"]["product"])["verdict"],
            pd.read_csv(run / "evaluation" / name / "scores.csv"),
            pd.read_csv(run / "products" / name / "budget_mean.csv"),
        )
        for name, entry in config.get("sites", {}).items()
    ]
    maps = [
        Map(
            name,
            entry["name"],
            shares(read_map(run / "products" / name / "map.nc", [])),
            read_regions(run / "products" / name / "regions.csv"),
        )
        for name, entry in config.get("maps", {}).items()
    ]
    picture = read_picture(run / "figures/sites.png") if towers else None
    write_text(render_start(config, run_id, towers, maps, pages, picture), output)


def _said(run: Path, site: str, method: str) -> Mapping[str, Any]:
    with xr.open_dataset(run / "posterior" / site / f"{method}.nc") as ds:
        return ds.attrs


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_start_page(
            snakemake.params.config,  # noqa: F821
            snakemake.params.run_id,  # noqa: F821
            snakemake.params.pages,  # noqa: F821
            Path(snakemake.output.page).parents[1],  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
