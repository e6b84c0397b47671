"""Write the page of a tower."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from concerto import provenance
from concerto.evaluation.comparison import contributions, diagnostics
from concerto.products.files import write_text
from concerto.products.report import (
    ForecastResults,
    RunFacts,
    SiteResults,
    read_picture,
    render_report,
)
from concerto.scripting import failures, script_log

SHOWN_VERSIONS = (
    "snakemake", "numpy", "numba", "pandas", "xarray", "scipy", "scikit-learn", "matplotlib",
)  # fmt: skip


def write_report(
    sites: Sequence[str],
    config: Mapping[str, Any],
    *,
    run: Path,
    raw: Sequence[Path],
    words: Mapping[str, Mapping[str, str]],
    figures: Sequence[str],
    output: Path,
) -> None:
    """Write one page.

    Parameters
    ----------
    sites
        Sites of the page.
    config
        The run's configuration.
    run
        Folder of the run's results.
    raw
        Folders of the sources.
    words
        Title, licence and citation of each source, by its name, as its own file says them now.
    figures
        Names of each site's figures, in the order of the page.
    output
        Where to write the page.
    """
    facts = RunFacts(
        config=config,
        product=config["assimilation"]["product"],
        sources=[record | words[record["source"]] for record in map(provenance.read, raw)],
        versions=versions(),
        map=read_picture(run / "figures" / "sites.png"),
        failed=failed_sites(run / "logs", [site for site in config["sites"] if site not in sites]),
    )
    write_text(
        render_report(facts, [site_results(site, config, run, figures) for site in sites]),
        output,
    )


def site_results(
    site: str, config: Mapping[str, Any], run: Path, figures: Sequence[str]
) -> SiteResults:
    """Read what the report says of one site."""
    posteriors = {
        method: xr.load_dataset(run / "posterior" / site / f"{method}.nc")
        for method in config["assimilation"]["methods"]
    }
    published = posteriors[config["assimilation"]["product"]]
    return SiteResults(
        name=site,
        settings=config["sites"][site],
        verdicts={method: posterior.attrs for method, posterior in posteriors.items()},
        diagnostics=diagnostics(published),
        streams=contributions(published),
        scores=pd.read_csv(run / "evaluation" / site / "scores.csv"),
        notes=pd.read_csv(run / "evaluation" / site / "notes.csv"),
        methods=pd.read_csv(run / "evaluation" / site / "methods.csv"),
        years=pd.read_csv(run / "products" / site / "budget.csv"),
        means=pd.read_csv(run / "products" / site / "budget_mean.csv"),
        masking=pd.read_csv(run / "cubes" / site / "masking.csv"),
        figures=[read_picture(run / "figures" / site / f"{name}.png") for name in figures],
        forecast=site_forecast(site, config, run),
    )


def site_forecast(site: str, config: Mapping[str, Any], run: Path) -> ForecastResults | None:
    """Read what the report says of a site's forecast, if it has one."""
    if site not in config.get("forecast", {}).get("sites", []):
        return None
    return ForecastResults(
        method=config["forecast"]["method"],
        figure=read_picture(run / "figures" / site / "forecast.png"),
        scores=pd.read_csv(run / "evaluation" / site / "forecast.csv"),
    )


def failed_sites(logs: Path, sites: Sequence[str]) -> dict[str, str]:
    """Return the message with which each site's work ended, for those where it failed."""
    return {
        site: message for log, message in failures(logs) for site in sites if site in log.split(".")
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that this program finds."""
    found = {"Python": platform.python_version()}
    for name in SHOWN_VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_report(
            [snakemake.wildcards.site],  # noqa: F821
            snakemake.params.config,  # noqa: F821
            run=Path(snakemake.output.page).parents[1],  # noqa: F821
            raw=[Path(folder) for folder in snakemake.input.raw],  # noqa: F821
            words=snakemake.params.words,  # noqa: F821
            figures=snakemake.params.figures,  # noqa: F821
            output=Path(snakemake.output.page),  # noqa: F821
        )
        print(f"Report: {snakemake.output.page}")  # noqa: F821
