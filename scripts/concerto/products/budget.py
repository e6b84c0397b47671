"""Annual carbon budgets, summed within each member so that errors keep their covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.predictive import (
    SYSTEMATIC,
    TOTAL,
    TRAINING,
    members_of,
    observed_variables,
    one_location,
    read_stream,
)
from concerto.evaluation.quantities import FLUXES, POOLS
from concerto.seeds import generator

STATISTICS = ("mean", "sd", "q05", "q25", "q50", "q75", "q95")
COLUMNS = (
    "site", "year", "variable", *STATISTICS, "units", "days", "partial", "period", "converged",
)  # fmt: skip
MEAN_COLUMNS = (
    "site", "variable", "period", "first_year", "last_year", "years", *STATISTICS, "units",
    "converged",
)  # fmt: skip
STOCK_CHANGE = "change_of_"
FULL_UNIT = "gC m-2 yr-1"
PARTIAL_UNIT = "gC m-2"


@dataclass(frozen=True)
class Annual:
    """One variable's budget of one year.

    ``members`` (member) in gC m-2; ``days`` it covers; ``partial`` if the year is not whole.
    """

    year: int
    variable: str
    members: np.ndarray
    days: int
    partial: bool


def annual(projection: xr.Dataset, shifts: dict[str, np.ndarray]) -> list[Annual]:
    """Return each year's sum of GPP, NEE and RECO and the change of each pool, by member.

    Sums are of the ensemble with model error where there is one, shifted by ``shifts`` (member),
    gC m-2 d-1. Pools are states at the end of a day, so a year's change runs from the last day of
    the year before; in the record's first year it runs from the end of the first day, one day
    short, which does not make it partial.
    """
    projection = one_location(projection)
    times = pd.DatetimeIndex(projection["time"].to_numpy())
    out = []
    for year in times.year.unique():
        here = np.flatnonzero(times.year == year)
        length = 366 if times[here[0]].is_leap_year else 365
        for name in FLUXES:
            total = f"{name}{TOTAL}" if f"{name}{TOTAL}" in projection else name
            if total in projection:
                sums = members_of(projection, total)[:, here].sum(axis=1)
                sums = sums + len(here) * shifts.get(name, 0.0)
                out.append(Annual(int(year), name, sums, len(here), len(here) < length))
        before = max(here[0] - 1, 0)
        for name in (pool for pool in POOLS if pool in projection):
            values = members_of(projection, name)
            days = int(here[-1] - before)
            change = values[:, here[-1]] - values[:, before]
            out.append(Annual(int(year), f"{STOCK_CHANGE}{name}", change, days, days < length - 1))
    return out


def threshold_shifts(
    observations: xr.Dataset, projection: xr.Dataset, seed: int
) -> dict[str, np.ndarray]:
    """Draw what a wrong u* threshold adds to each flux (member), gC m-2 d-1.

    The threshold is wrong in the same way on all days, so a member has one draw, times the mean
    systematic spread of the record: a higher threshold leaves out calm nights, which raises NEE and
    RECO. GPP moves by the difference, which keeps carbon closed.
    """
    members = projection.sizes["member"]
    draw = generator(seed, "u* threshold").standard_normal(members)
    spread = {
        name: float(np.nanmean(observations[f"{name}{SYSTEMATIC}"].to_numpy()))
        for name in ("nee", "reco")
        if f"{name}{SYSTEMATIC}" in observations
    }
    shifts = {name: draw * size for name, size in spread.items()}
    if shifts.keys() == {"nee", "reco"}:
        shifts["gpp"] = shifts["reco"] - shifts["nee"]
    return shifts


def periods(observations: xr.Dataset, projection: xr.Dataset) -> dict[int, str]:
    """Return for each year whether its observations were training, withheld, mixed or none.

    Only variables that were assimilated somewhere count, else one that never was (RECO) would make
    every year a mixed one.
    """
    times = pd.DatetimeIndex(projection["time"].to_numpy())
    training = np.zeros(len(times), dtype=bool)
    withheld = np.zeros(len(times), dtype=bool)
    for variable in observed_variables(observations):
        if f"{variable}{TRAINING}" not in projection:
            continue
        stream = read_stream(observations, projection, variable)
        training |= stream.assimilated
        withheld |= stream.withheld
    names = {
        (True, False): "training",
        (False, True): "withheld",
        (True, True): "mixed",
        (False, False): "none",
    }
    return {
        int(year): names[
            bool(training[times.year == year].any()), bool(withheld[times.year == year].any())
        ]
        for year in times.year.unique()
    }


def statistics(members: np.ndarray) -> dict[str, float]:
    """Return mean, standard deviation and quantiles over members."""
    quantiles = np.quantile(members, [0.05, 0.25, 0.5, 0.75, 0.95])
    return dict(zip(STATISTICS, (members.mean(), members.std(ddof=1), *quantiles), strict=True))


def budget_tables(
    site: str, projection: xr.Dataset, observations: xr.Dataset, converged: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the budget by year and the mean over the whole years of each period.

    Parameters
    ----------
    site
        Name of the site.
    projection, observations
        The published method's ensemble and the site's observations.
    converged
        yes or no, from the posterior.
    seed
        Seed of the draws of the u* threshold.

    Returns
    -------
    years, means
        Columns :data:`COLUMNS` and :data:`MEAN_COLUMNS`. Of a partial year the unit is that of
        the sum over the days it has, gC m-2, and the means leave it out.
    """
    budgets = annual(projection, threshold_shifts(observations, projection, seed))
    period = periods(observations, projection)
    years = pd.DataFrame(
        [
            {
                "site": site,
                "year": item.year,
                "variable": item.variable,
                **statistics(item.members),
                "units": PARTIAL_UNIT if item.partial else FULL_UNIT,
                "days": item.days,
                "partial": "yes" if item.partial else "no",
                "period": period[item.year],
                "converged": converged,
            }
            for item in budgets
        ],
        columns=list(COLUMNS),
    )
    whole: dict[tuple[str, str], list[Annual]] = {}
    for item in budgets:
        if not item.partial:
            whole.setdefault((item.variable, period[item.year]), []).append(item)
    means = pd.DataFrame(
        [
            {
                "site": site,
                "variable": variable,
                "period": name,
                "first_year": min(item.year for item in items),
                "last_year": max(item.year for item in items),
                "years": len(items),
                **statistics(np.mean([item.members for item in items], axis=0)),
                "units": FULL_UNIT,
                "converged": converged,
            }
            for (variable, name), items in whole.items()
        ],
        columns=list(MEAN_COLUMNS),
    )
    return years, means
