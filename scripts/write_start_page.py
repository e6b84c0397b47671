"""Write the first page of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from concerto.evaluation.trial_verdicts import read_verdicts
from concerto.networks import ALL, trial_name
from concerto.plots.cells import read_map
from concerto.plots.regions import read_regions
from concerto.plots.status import shares
from concerto.plots.towers import read_scores
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.start_page import Map, Network, Tower, render_start
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
    networks = [_network(run, name, entry) for name, entry in config.get("networks", {}).items()]
    picture = read_picture(run / "figures/sites.png") if towers else None
    page = render_start(config, run_id, towers, maps, pages, picture, networks)
    write_text(page, output)


def _said(run: Path, site: str, method: str) -> Mapping[str, Any]:
    with xr.open_dataset(run / "posterior" / site / f"{method}.nc") as ds:
        return ds.attrs


def _network(run: Path, name: str, entry: Mapping[str, Any]) -> Network:
    trial = run / "posterior" / trial_name(name, ALL)
    status = read_verdicts({ALL: sorted(trial.glob("b*.nc"))})["status"]
    scores = read_scores(run / "evaluation" / name / "scores.csv")
    return Network(name, entry["name"], int((status == "converged").sum()), len(status), scores)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_start_page(
            snakemake.params.config,  # noqa: F821
            snakemake.params.run_id,  # noqa: F821
            snakemake.params.pages,  # noqa: F821
            Path(snakemake.output.page).parents[1],  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
