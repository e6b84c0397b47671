"""Scores of the International Land Model Benchmarking project, at a tower, on withheld days.

Collier et al. 2018, J. Adv. Model. Earth Syst. 10, 2731, doi:10.1029/2018MS001354: each score is 1
where a prediction is perfect, and falls to 0. Their score of the spatial distribution has no
meaning at one place and is left out of the overall score, as every score is that has no value.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.grouping import group_days
from concerto.evaluation.predictive import (
    Prediction,
    Stream,
    observed_variables,
    one_location,
    predictions,
    read_stream,
)

WEIGHTS = {"bias": 1.0, "rmse": 2.0, "phase": 1.0, "interannual": 1.0}
"""Of the scores in the overall one."""
OVERALL = "overall"
PLACE = ("site", "variable", "predictor")
INDEPENDENT = ("tas", "rsds", "vpd", "pr")
"""Drivers with which fluxes are related."""
BINS = 25
"""At most; there are fewer where there are few days."""
DAYS_OF_BIN = 10
LEAST_SHARE = 0.003
"""Of all days, which a bin needs to count."""
LEAST_DAYS = 5
MONTHS = 12


def relative(error: np.ndarray | float, scale: float) -> float:
    """Return the score exp(-error / scale), NaN where there is no scale."""
    return float(np.exp(-error / scale)) if scale > 0 else np.nan


def scores_of(observed: np.ndarray, predicted: np.ndarray, months: pd.DatetimeIndex) -> dict:
    """Return the scores of a prediction of monthly values, and the overall one.

    Parameters
    ----------
    observed, predicted
        Values (month), of any unit.
    months
        First days of the months, some of which may be missing.

    Returns
    -------
    dict
        ``bias``: exp(-|mean error| / s), with s the standard deviation of the observed values;
        ``rmse``: exp(-RMSE of the anomalies / s); ``phase``: (1 + cos(2 pi d / 12)) / 2, with d the
        months from the observed to the predicted maximum of the mean season, NaN where a month of
        the year is missing; ``interannual``: exp(-|difference of the root mean squares of what is
        left without the mean season| / the observed one), NaN in less than two years of each
        month; ``overall``: the mean by :data:`WEIGHTS` of those that have a value.
    """
    anomalies = observed - observed.mean()
    scale = float(np.sqrt(np.mean(anomalies**2)))
    centred = predicted - predicted.mean() - anomalies
    found = {
        "bias": relative(abs(predicted.mean() - observed.mean()), scale),
        "rmse": relative(np.sqrt(np.mean(centred**2)), scale),
        "phase": np.nan,
        "interannual": np.nan,
    }
    month = months.month.to_numpy()
    count = np.bincount(month, minlength=MONTHS + 1)[1:]
    if count.min() > 0:
        seasons = [np.bincount(month, v, MONTHS + 1)[1:] / count for v in (observed, predicted)]
        first, second = (int(np.argmax(season)) for season in seasons)
        found["phase"] = 0.5 * (1.0 + np.cos(2.0 * np.pi * (second - first) / MONTHS))
        if count.min() > 1:
            left = [
                np.sqrt(np.mean((values - season[month - 1]) ** 2))
                for values, season in zip((observed, predicted), seasons, strict=True)
            ]
            found["interannual"] = relative(abs(left[1] - left[0]), left[0])
    valid = {name: weight for name, weight in WEIGHTS.items() if np.isfinite(found[name])}
    total = sum(weight * found[name] for name, weight in valid.items())
    return found | {OVERALL: total / sum(valid.values()) if valid else np.nan}


def response(x: np.ndarray, y: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of ``y`` in each bin of ``x``, NaN where it has too few values; their number.

    Parameters
    ----------
    x, y
        Values (n).
    edges
        Bounds of the bins, increasing; what is on the last one is in the last bin.
    """
    where = np.clip(np.digitize(x, edges), 1, len(edges) - 1) - 1
    count = np.bincount(where, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(where, y, len(edges) - 1) / count
    enough = count >= max(LEAST_DAYS, LEAST_SHARE * len(x))
    return np.where(enough, mean, np.nan), count


def response_score(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Return exp(-|predicted - observed| / |observed|) of two responses (bin), Euclidean norms."""
    here = np.isfinite(observed)
    scale = float(np.linalg.norm(observed[here]))
    return relative(np.linalg.norm(predicted[here] - observed[here]), scale)


def score_site(
    site: str,
    observations: xr.Dataset,
    drivers: xr.Dataset,
    projections: Mapping[str, xr.Dataset],
    baselines: xr.Dataset,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all predictors of a site on withheld observations alone.

    Returns
    -------
    scores
        Of each variable and predictor: months, the scores, and ``with_DRIVER``, the score of its
        relationship with a driver on daily values.
    responses
        Of each variable, driver and bin with enough days: its middle, days, and the mean of what
        was observed and of each predictor.
    """
    flags = next(iter(projections.values()))
    weather = one_location(drivers)
    rows, curves = [], []
    for variable in observed_variables(observations):
        stream = read_stream(observations, flags, variable)
        found, _ = predictions(stream, dict(projections), baselines, seed)
        months = group_days(stream.times, stream.withheld, "monthly")
        if not found or len(months.labels) < 2:
            continue
        related = _responses(stream, found, weather)
        for name, prediction in found.items():
            scores = scores_of(
                months.mean(stream.value),
                months.mean(prediction.central),
                pd.DatetimeIndex(months.labels),
            )
            with_drivers = {
                f"with_{driver}": response_score(*table[["observed", name]].to_numpy().T)
                for driver, table in related.items()
            }
            place = dict(zip(PLACE, (site, variable, name), strict=True))
            rows.append(place | {"months": len(months.labels)} | scores | with_drivers)
        for driver, table in related.items():
            curves.append(table.assign(site=site, variable=variable, driver=driver))
    scores = pd.DataFrame(rows, columns=None if rows else [*PLACE, OVERALL])
    return scores, pd.concat(curves) if curves else pd.DataFrame(columns=[*PLACE, "driver"])


def _responses(
    stream: Stream, found: Mapping[str, Prediction], weather: xr.Dataset
) -> dict[str, pd.DataFrame]:
    """Return the responses of a stream to each driver: bins with enough withheld days."""
    tables = {}
    for driver in (name for name in INDEPENDENT if name in weather):
        x = weather[driver].to_numpy().astype(float)
        days = stream.withheld & np.isfinite(x)
        if not days.any() or np.ptp(x[days]) == 0.0:
            continue
        bins = min(BINS, max(2, int(days.sum()) // DAYS_OF_BIN))
        edges = np.linspace(x[days].min(), x[days].max(), bins + 1)
        observed, count = response(x[days], stream.value[days], edges)
        table = pd.DataFrame({"middle": 0.5 * (edges[1:] + edges[:-1]), "days": count})
        table["observed"] = observed
        for name, prediction in found.items():
            table[name], _ = response(x[days], prediction.central[days], edges)
        kept = table[np.isfinite(table["observed"])]
        if len(kept) > 1:
            tables[driver] = kept
    return tables
