"""Scores of predictions against withheld observations, by variable and time step."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.grouping import MINIMUM_DAYS, STEPS, group_days
from concerto.evaluation.points import point_scores
from concerto.evaluation.predictive import observed_variables, predictions, read_stream
from concerto.evaluation.quantities import BASELINES
from concerto.evaluation.reliability import coverage

METRICS = ("bias", "rmse", "r2", "nse", "crps", "coverage50", "coverage90")
COLUMNS = ("site", "variable", "step", "predictor", "n", *METRICS)
NOTE_COLUMNS = ("site", "variable", "step", "predictor", "note")


def score(observed: np.ndarray, central: np.ndarray, members: np.ndarray) -> dict[str, float]:
    """Score one predictor.

    Parameters
    ----------
    observed
        Measured values (n).
    central
        Prediction of each (n): the ensemble mean without measurement noise.
    members
        Predictive ensemble of the measured values (member, n).

    Returns
    -------
    dict
        n; bias (predicted minus observed), rmse, crps in the variable's unit; r2 (squared
        correlation, NaN for fewer than three values: two always lie on a line) and nse (Nash &
        Sutcliffe 1970, NaN for fewer than two), both NaN where the values do not vary; coverage50
        and coverage90, the share of values inside the central intervals.
        The CRPS is the estimator that is unbiased in the number of members (Zamo & Naveau 2018,
        probability-weighted moments).
    """
    # Imported here, where it is needed: it loads numba, which every figure would wait for.
    from scoringrules import crps_ensemble

    points = point_scores(observed, central)
    correlates = np.isfinite(points["nse"]) and len(observed) > 2 and np.ptp(central) > 0
    crps = crps_ensemble(observed, members, m_axis=0, estimator="pwm", backend="numpy")
    return {
        **points,
        "r2": float(np.corrcoef(central, observed)[0, 1] ** 2) if correlates else np.nan,
        "crps": float(np.mean(crps)),
        "coverage50": coverage(observed, members, 0.5),
        "coverage90": coverage(observed, members, 0.9),
    }


def score_site(
    site: str,
    observations: xr.Dataset,
    projections: dict[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all predictors of a site on withheld observations alone.

    Monthly and annual values are means over the withheld days that have an observation, the same
    days for the observation and each predictor.

    Returns
    -------
    scores
        One row a variable, step and predictor, columns :data:`COLUMNS`.
    notes
        What has no row and why, and what else to know: columns :data:`NOTE_COLUMNS`.
    """
    flags = next(iter(projections.values()))
    rows, notes = [], []
    for variable in observed_variables(observations):
        stream = read_stream(observations, flags, variable)
        found, absent = predictions(stream, projections, baselines, seed)
        notes += [(site, variable, "all", name, reason) for name, reason in absent.items()]
        for step in STEPS if found else ():
            groups = group_days(stream.times, stream.withheld, step)
            if not len(groups.labels):
                reason = f"no {step} value with {MINIMUM_DAYS[step]} withheld days or more"
                notes += [(site, variable, step, name, reason) for name in found]
                continue
            observed = groups.mean(stream.value)
            for name, prediction in found.items():
                metrics = score(
                    observed, groups.mean(prediction.central), groups.mean(prediction.members)
                )
                rows.append(
                    {"site": site, "variable": variable, "step": step, "predictor": name} | metrics
                )
        notes += [
            (site, variable, "all", baseline, baselines[f"{variable}_{baseline}"].attrs["note"])
            for baseline in BASELINES
            if baseline in found and "note" in baselines[f"{variable}_{baseline}"].attrs
        ]
    table = pd.DataFrame(notes, columns=list(NOTE_COLUMNS))
    return pd.DataFrame(rows, columns=list(COLUMNS)), table
