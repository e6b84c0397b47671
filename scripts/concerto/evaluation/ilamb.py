"""Scores of the International Land Model Benchmarking project, at a tower, on withheld days.

Collier et al. 2018, J. Adv. Model. Earth Syst. 10, 2731, doi:10.1029/2018MS001354: each score is 1
where a prediction is perfect, and falls to 0. Their score of the spatial distribution has no
meaning at one place and is left out of the overall score, as every score is that has no value:
:mod:`concerto.evaluation.ilamb_maps` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation.grouping import group_days
from concerto.evaluation.predictive import (
    Prediction,
    Stream,
    members_of,
    observed_variables,
    one_location,
    predictions,
    read_stream,
)

WEIGHTS = {"bias": 1.0, "rmse": 2.0, "phase": 1.0, "interannual": 1.0, "distribution": 1.0}
"""Of the scores in the overall one."""
OVERALL = "overall"
PLACE = ("site", "variable", "predictor")
WEATHER = ("tas", "rsds", "vpd", "pr")
"""Drivers with which fluxes are related."""
LEAVES = ("lai", "fapar", "sif")
"""Observables with which they are too: what is predicted with what is predicted of these."""
APART_DAYS = 31.0
"""Between observations of leaves, at most, for the days between them to be interpolated."""
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
    return found | {OVERALL: overall(found)}


def overall(found: Mapping[str, float]) -> float:
    """Return the mean of scores by :data:`WEIGHTS`, of those that have a value."""
    valid = {
        name: weight for name, weight in WEIGHTS.items() if np.isfinite(found.get(name, np.nan))
    }
    total = sum(weight * found[name] for name, weight in valid.items())
    return total / sum(valid.values()) if valid else np.nan


def response(x: np.ndarray, y: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of ``y`` in each bin of ``x``, NaN where it has too few values; their number.

    Parameters
    ----------
    x, y
        Values (n).
    edges
        Bounds of the bins, increasing; what is on the last one is in the last bin, and what is
        beyond them in none.
    """
    inside = (x >= edges[0]) & (x <= edges[-1]) & np.isfinite(y)
    where = np.clip(np.digitize(x[inside], edges), 1, len(edges) - 1) - 1
    count = np.bincount(where, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(where, y[inside], len(edges) - 1) / count
    enough = count >= max(LEAST_DAYS, LEAST_SHARE * len(x))
    return np.where(enough, mean, np.nan), count


def response_score(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Return exp(-|predicted - observed| / |observed|) of two responses (bin), Euclidean norms.

    Bins that one of them has not are left out.
    """
    here = np.isfinite(observed) & np.isfinite(predicted)
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
        relationship with a driver, or with leaves, on daily values.
    responses
        Of each variable, driver and bin with enough days: its middle, days, and the mean of what
        was observed and of each predictor.
    """
    flags = next(iter(projections.values()))
    weather = one_location(drivers)
    said = {}
    for variable in observed_variables(observations):
        stream = read_stream(observations, flags, variable)
        said[variable] = stream, predictions(stream, dict(projections), baselines, seed)[0]
    rows, curves = [], []
    for variable, (stream, found) in said.items():
        months = group_days(stream.times, stream.withheld, "monthly")
        if not found or len(months.labels) < 2:
            continue
        known = _independent(variable, weather, said, projections)
        related = _responses(stream, found, known)
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


@dataclass(frozen=True)
class _Independent:
    """What a flux is related with: as observed (time), and as each predictor that has it says."""

    observed: np.ndarray
    predicted: Mapping[str, np.ndarray] = field(default_factory=dict)


def _independent(
    variable: str,
    weather: xr.Dataset,
    said: Mapping[str, tuple[Stream, Mapping[str, Prediction]]],
    projections: Mapping[str, xr.Dataset],
) -> dict[str, _Independent]:
    """Return the weather and, but for itself, the leaves with which a variable is related."""
    found = {
        name: _Independent(weather[name].to_numpy().astype(float))
        for name in WEATHER
        if name in weather
    }
    for name in (name for name in LEAVES if name in said and name != variable):
        stream, predicted = said[name]
        own = {
            method: members_of(projection, name).mean(axis=0)
            for method, projection in projections.items()
            if name in projection
        }
        own |= {predictor: prediction.central for predictor, prediction in predicted.items()}
        found[name] = _Independent(interpolated(stream.times, stream.value), own)
    return found


def interpolated(times: pd.DatetimeIndex, values: np.ndarray) -> np.ndarray:
    """Return values (time) with those between two that are at most APART_DAYS apart.

    Composites of satellites have a value every few days or each month; leaves change slowly.
    """
    day = ((times - times[0]) / pd.Timedelta(days=1)).to_numpy()
    there = np.flatnonzero(np.isfinite(values))
    if there.size < 2:
        return values
    after = np.searchsorted(there, np.arange(len(values))).clip(1, there.size - 1)
    first, last = day[there[after - 1]], day[there[after]]
    near = (day >= first) & (day <= last) & (last - first <= APART_DAYS)
    between = np.interp(day, day[there], values[there])
    return np.where(np.isfinite(values), values, np.where(near, between, np.nan))


def _responses(
    stream: Stream, found: Mapping[str, Prediction], known: Mapping[str, _Independent]
) -> dict[str, pd.DataFrame]:
    """Return the responses of a stream to what is known: bins with enough withheld days."""
    tables = {}
    for driver, independent in known.items():
        x = independent.observed
        days = stream.withheld & np.isfinite(x)
        if not days.any() or np.ptp(x[days]) == 0.0:
            continue
        edges = bins(x[days])
        observed, count = response(x[days], stream.value[days], edges)
        table = pd.DataFrame({"middle": 0.5 * (edges[1:] + edges[:-1]), "days": count})
        table["observed"] = observed
        for name, prediction in found.items():
            own = independent.predicted.get(name, x)
            table[name], _ = response(own[days], prediction.central[days], edges)
        kept = table[np.isfinite(table["observed"])]
        if len(kept) > 1:
            tables[driver] = kept
    return tables


def bins(x: np.ndarray) -> np.ndarray:
    """Return the bounds of as many even bins as some values (n) fill."""
    return np.linspace(x.min(), x.max(), min(BINS, max(2, len(x) // DAYS_OF_BIN)) + 1)
