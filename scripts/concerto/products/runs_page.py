"""Several runs on one page: reading what they published, and the page itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from concerto.errors import InputError
from concerto.evaluation.quantities import label, predictor_label
from concerto.evaluation.runs import Run
from concerto.products.report import Picture, templates

TEMPLATE = "runs.html.j2"
_SUM = ["kind", "place", "period", "variable", "units", "mean", "sd", "q05", "q95"]
_FLUXES = ("gpp", "reco", "nee")


def read_run(folder: Path) -> Run:
    """Read what a run has to be compared by from the folder of its results.

    Raises
    ------
    InputError
        If the folder has neither a tower's product nor sums of a map.
    """
    products = sorted(folder.glob("products/*/fluxes.nc"))
    regions = sorted(folder.glob("products/*/regions.csv"))
    if not products and not regions:
        raise InputError(
            folder, "compare_runs", "no products/*/fluxes.nc and no products/*/regions.csv",
            "the results of a finished run",
        )  # fmt: skip
    methods, verdicts, scores, sums = {}, {}, [], []
    for product in products:
        site = product.parent.name
        with xr.open_dataset(product) as ds:
            methods[site] = ds.attrs["method"]
            verdicts[site] = ds.attrs["converged"], ds.attrs["verdict"]
        scores.append(_table(folder / f"evaluation/{site}/scores.csv"))
        sums.append(_tower_sums(_table(product.parent / "budget_mean.csv")))
    sums += [_map_sums(_table(file), file.parent.name) for file in regions]
    nothing = pd.DataFrame(columns=["site", "variable", "step", "predictor", "n", "crps"])
    return Run(
        pd.concat(scores, ignore_index=True) if scores else nothing,
        methods, verdicts, pd.concat(sums, ignore_index=True),
    )  # fmt: skip


def _table(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise InputError(path, "compare_runs", "no such file", "a table of a finished run")
    return pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])


def _tower_sums(means: pd.DataFrame) -> pd.DataFrame:
    found = means[means.variable.isin(_FLUXES)]
    first, last = found.first_year.astype(str), found.last_year.astype(str)
    years = first.where(first == last, first + " to " + last)
    return found.assign(kind="tower", place=found.site, period=years)[_SUM]


def _map_sums(regions: pd.DataFrame, name: str) -> pd.DataFrame:
    found = regions[regions.kind.isin(("all", "country"))]
    whole = found.kind == "all"
    return found.assign(
        kind=whole.map({True: "map", False: "region"}),
        place=name + ", " + found.region.mask(whole, "all cells").replace("none", "no country"),
        period=found.year.astype(str),
    )[_SUM]


def render_runs(
    runs: Mapping[str, Run],
    folders: Mapping[str, str],
    scores: pd.DataFrame,
    sums: pd.DataFrame,
    alone: Mapping[str, Sequence[str]],
    figure: Picture,
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    runs, folders
        The runs and the folders of their results, by what people call them.
    scores, sums
        Of :func:`concerto.evaluation.runs.compare_scores` and ``compare_sums``.
    alone
        Places that one run alone has, by run.
    figure
        Of the comparison.
    """
    verdicts = [
        {"run": name, "folder": folders[name], "site": site, "method": run.methods[site],
         "converged": converged, "verdict": verdict}
        for name, run in runs.items()
        for site, (converged, verdict) in run.verdicts.items()
    ]  # fmt: skip
    view = templates()
    view.filters["predictor"] = predictor_label
    return view.get_template(TEMPLATE).render(
        title="Runs compared: " + ", ".join(runs),
        names=list(runs),
        verdicts=verdicts,
        scores=_wide(scores, ["site", "variable", "step"], ["crps", "skill", "coverage90", "n"]),
        sums=_wide(sums, ["kind", "place", "period", "variable", "units"], ["mean", "sd", "apart"]),
        other_values=sorted(set(scores.loc[~scores.comparable, "site"])),
        alone=alone,
        figure=figure,
        label=label,
    )


def _wide(table: pd.DataFrame, by: list[str], kept: list[str]) -> list[dict]:
    """Return a row for each group, with ``of`` the values by run."""
    return [
        dict(zip(by, key, strict=True)) | {"of": rows.set_index("run")[kept].to_dict("index")}
        for key, rows in table.groupby(by, sort=False)
    ]
