"""The page of all assimilations of a run: whether to trust them, what they took, what said what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from concerto.assimilation.distributions import INFLATION
from concerto.cubes import meanings_of
from concerto.evaluation.comparison import contributions, diagnostics
from concerto.evaluation.predictive import one_location
from concerto.evaluation.quantities import label, predictor_label
from concerto.plots.cells import NOT_LAND, STATUS
from concerto.products.report import fixed
from concerto.products.sections_page import Section

_SHOWN_CELLS = 40


@dataclass(frozen=True)
class SiteFit:
    """An assimilation at a site: its posterior, and CPU seconds, NaN where unknown."""

    site: str
    method: str
    posterior: xr.Dataset
    cpu_seconds: float


@dataclass(frozen=True)
class CellFits:
    """Assimilations in the cells of a map or at the towers of a network.

    ``parts`` are the posteriors of tiles or batches, ``cpu_seconds`` of all of them together.
    """

    name: str
    method: str
    parts: Sequence[xr.Dataset]
    cpu_seconds: float


def sections(
    sites: Sequence[SiteFit],
    cells: Sequence[CellFits],
    statements: Mapping[str, Mapping[str, Any]],
    pages: Mapping[str, str],
) -> list[Section]:
    """Return the sections of the page.

    Parameters
    ----------
    sites, cells
        What was assimilated.
    statements
        What ErrorStatement.to_dict of :mod:`concerto.assimilation.location` says of the errors, by
        site, map or trial of a network.
    pages
        Pages that say more, and their words.
    """
    found = []
    if sites:
        found += [
            Section(
                "Verdicts of towers",
                ["Convergence says that a method agrees with itself, not that the model is right."],
                [],
                {
                    "Each site and method: whether it may be trusted, and why": verdicts(sites),
                    "What it took. Of samplers the worst R-hat and effective sample sizes of all "
                    "parameters, and what their trajectories did": costs(sites),
                },
            ),
            Section(
                "What each source said",
                [
                    "Observations are worth as many independent ones as say as much of an error "
                    "that all share. A mean square of 1 says that errors are as stated. Degrees of "
                    "freedom are shared out among streams, constraints and prior: as many as there "
                    "are unknowns."
                ],
                [],
                {"Contributions of streams, constraints and prior": sources(sites)},
                shares=["Share"],
            ),
        ]
    if cells:
        found.append(
            Section(
                "Cells of maps and towers of networks",
                [
                    "Each cell has a verdict of its own. Those that did not converge are kept, "
                    "marked on maps and in products; those that failed have no values."
                ],
                [],
                {
                    "Cells or towers by what became of them": counts(cells),
                    f"Those that did not converge or failed, at most {_SHOWN_CELLS} of each": (
                        faults(cells)
                    ),
                },
            )
        )
    if statements:
        found.append(
            Section(
                "Errors of model and observations",
                [
                    "Errors of the model are a fast and a slow part, each with a memory; random "
                    "errors of observations are multiplied by a factor that the data ask for. The "
                    "inflation multiplies all errors of a stream and is inferred with the "
                    "parameters: 1 says that they are as large as stated."
                ],
                [],
                {
                    "Stated before the assimilation": errors(statements),
                    "Inflation of errors, inferred: mean and standard deviation; of cells, the "
                    "median of their means and where the central 90 % of them lie": (
                        inflations(sites, cells)
                    ),
                },
            )
        )
    if pages:
        found.append(Section("More on each", [], [], {}, links=pages))
    return found


def verdicts(sites: Sequence[SiteFit]) -> pd.DataFrame:
    """Return of each site and method whether it converged, and why."""
    return pd.DataFrame(
        [
            {
                "Site": fit.site,
                "Method": predictor_label(fit.method),
                "Converged": fit.posterior.attrs["converged"],
                "Why": fit.posterior.attrs["verdict"],
                "Prior": fit.posterior.attrs["prior"],
            }
            for fit in sites
        ]
    )


def costs(sites: Sequence[SiteFit]) -> pd.DataFrame:
    """Return of each site and method what it took, and the diagnostics that it has."""
    rows = []
    for fit in sites:
        said, signs = fit.posterior.attrs, diagnostics(fit.posterior)
        rows.append(
            {
                "Site": fit.site,
                "Method": predictor_label(fit.method),
                "CPU seconds": fit.cpu_seconds,
                "Model runs": said["model_runs"],
                "Gradients": said["gradients"],
                "Runs that failed": said["failed_runs"],
                "Members": fit.posterior.sizes["member"],
                "R-hat": fixed(rhat, 4) if np.isfinite(rhat := signs["rhat"].max()) else "",
                "Bulk ESS": signs["ess_bulk"].min(),
                "Tail ESS": signs["ess_tail"].min(),
                "Diverged": said.get("divergences", np.nan),
                "Accepted": said.get("acceptance", np.nan),
            }
        )
    return pd.DataFrame(rows)


def sources(sites: Sequence[SiteFit]) -> pd.DataFrame:
    """Return what each source had to say in each assimilation."""
    tables = []
    for fit in sites:
        table = contributions(fit.posterior)
        named = table["source"].where(table["observations"].isna(), table["source"].map(label))
        total = table["signal"].sum()
        tables.append(
            pd.DataFrame(
                {
                    "Site": fit.site,
                    "Method": predictor_label(fit.method),
                    "Source": named,
                    "Observations": table["observations"],
                    "Worth of independent ones": table["effective"],
                    "Mean square": table["mean_square"],
                    "Degrees of freedom": table["signal"],
                    "Share": table["signal"] / total if total else np.nan,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def states(fits: CellFits) -> pd.DataFrame:
    """Return ``location, status, reason`` of each cell."""
    return pd.concat(
        pd.DataFrame(
            {
                "location": part["location"].to_numpy().astype(str),
                "status": [
                    meanings_of(part["status"])[value] for value in part["status"].to_numpy()
                ],
                "reason": part["reason"].to_numpy().astype(str),
            }
        )
        for part in fits.parts
    )


def counts(cells: Sequence[CellFits]) -> pd.DataFrame:
    """Return of each map and trial how many cells have each status, and CPU seconds."""
    rows = []
    for fits in cells:
        count = states(fits)["status"].value_counts()
        named = {
            STATUS[name][0].capitalize(): int(count.get(name, 0))
            for name in STATUS
            if name != NOT_LAND
        }
        rows.append(
            {
                "Of": fits.name,
                "Method": predictor_label(fits.method),
                **named,
                "CPU seconds": fits.cpu_seconds,
            }
        )
    return pd.DataFrame(rows)


def faults(cells: Sequence[CellFits]) -> pd.DataFrame:
    """Return cells that have not converged, with their reasons."""
    tables = []
    for fits in cells:
        table = states(fits)
        bad = table[table["status"].isin(("not_converged", "assimilation_failed"))]
        tables.append(
            bad.head(_SHOWN_CELLS).assign(
                name=fits.name, status=lambda rows: [STATUS[name][0] for name in rows["status"]]
            )
        )
    shown = pd.concat(tables, ignore_index=True)[["name", "location", "status", "reason"]]
    return shown.set_axis(["Of", "Place", "Status", "Why"], axis="columns")


def errors(statements: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the stated errors of each stream."""
    return pd.DataFrame(
        [
            {
                "Of": name,
                "Stream": label(stream),
                "Fast part (sd)": error["sd_fast"],
                "Its memory (days)": error["tau_fast"],
                "Slow part (sd)": error["sd_slow"],
                "Its memory (days) ": error["tau_slow"],
                "Random errors times": error["observation_factor"],
                "Law": error["distribution"],
            }
            for name, statement in statements.items()
            for stream, error in statement["stream_errors"].items()
        ]
    )


def inflations(sites: Sequence[SiteFit], cells: Sequence[CellFits]) -> pd.DataFrame:
    """Return the inflation of each stream's errors that each method inferred."""
    rows = []
    for fit in sites:
        for name, values in _inflation_of(one_location(fit.posterior)):
            rows.append(
                (fit.site, fit.method, name, values.mean(), f"± {fixed(values.std(ddof=1), 2)}")
            )
    for fits in cells:
        means: dict[str, list[np.ndarray]] = {}
        for part in fits.parts:
            for name, values in _inflation_of(part):
                means.setdefault(name, []).append(values.mean(axis=0))
        for name, parts in means.items():
            there = np.concatenate(parts)
            there = there[np.isfinite(there)]
            if there.size:
                low, middle, high = np.quantile(there, [0.05, 0.5, 0.95])
                rows.append(
                    (fits.name, fits.method, name, middle, f"{fixed(low, 2)} to {fixed(high, 2)}")
                )
    table = pd.DataFrame(rows, columns=["Of", "Method", "Stream", "Inflation", "Spread"])
    return table.assign(
        Method=table["Method"].map(predictor_label), Stream=table["Stream"].map(label)
    )


def _inflation_of(posterior: xr.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each stream whose errors are inflated, and the factor (member, ...)."""
    for name in posterior["parameter"].to_numpy().astype(str):
        if name.startswith(INFLATION):
            values = posterior["parameters"].sel(parameter=name)
            yield name.removeprefix(INFLATION), values.transpose("member", ...).to_numpy()
