"""Scores of the International Land Model Benchmarking project, on a map, against what was observed.

Collier et al. 2018, J. Adv. Model. Earth Syst. 10, 2731, doi:10.1029/2018MS001354: scores of cells
are averaged by area, and the spatial distribution of what lasts has a score of its own. What was
assimilated is no test: the scores say how well it is fitted, and baselines what that is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.evaluation import ilamb
from concerto.evaluation.predictive import observed_variables

SEASON, REGRESSION = "map_season", "regression"
"""Baselines: the mean season of other cells, and a regression on the weather of other cells."""
FLUX = "gpp"
"""Related with weather and leaves also where no map of it is observed."""
FOLDS = 5
_EVEN = 1e-12  # of the largest value: what round-off makes of an even field
PLACE = ("map", "variable", "predictor")


@dataclass(frozen=True)
class Field:
    """Monthly values of cells (location, month): ``observed``, NaN where none, and by predictor."""

    observed: np.ndarray
    predicted: Mapping[str, np.ndarray]


def score_map(
    name: str,
    method: str,
    observations: xr.Dataset,
    drivers: xr.Dataset,
    land: xr.Dataset,
    product: xr.Dataset,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score a map on each variable that is observed, in the months and cells that have both.

    Parameters
    ----------
    name, method
        Of the map; the method is how its predictor is called.
    observations, drivers, land
        Its cubes.
    product
        Statistics of its cells (location, month), ``VARIABLE_mean``.

    Returns
    -------
    scores
        Of each variable and predictor: cells, months, the scores of
        :func:`concerto.evaluation.ilamb.scores_of` averaged by area, ``distribution`` with the
        ``sd_ratio`` and ``correlation`` that it is made of, the overall one, and ``with_DRIVER``.
    responses
        Of each variable, driver and bin: its middle, the months of cells in it, and the mean of
        what was observed and of each predictor.
    """
    months = product.indexes["time"].to_period("M")
    cells = product["location"].to_numpy()
    area = (land["cell_area"] * land["land_fraction"]).sel(location=cells).to_numpy().astype(float)
    weather = {
        driver: monthly(drivers[driver].sel(location=cells), months)
        for driver in ilamb.WEATHER
        if driver in drivers
    }
    weather = {driver: values for driver, values in weather.items() if np.isfinite(values).any()}
    fields = _fields(method, observations, product, weather, area)
    rows, curves = [], []
    for variable, field in fields.items():
        if not (variable == FLUX or np.isfinite(field.observed).any()):
            continue
        related = _responses(variable, field, weather, fields)
        there = np.isfinite(field.observed) & np.isfinite(field.predicted[method])
        for predictor, predicted in field.predicted.items() if there.any() else ():
            found = scores_of(field.observed, predicted, there, months.to_timestamp(), area)
            with_drivers = {
                f"with_{driver}": ilamb.response_score(*table[["observed", predictor]].to_numpy().T)
                for driver, table in related.items()
            }
            count = {"cells": int(there.any(axis=1).sum()), "months": int(there.any(axis=0).sum())}
            place = dict(zip(PLACE, (name, variable, predictor), strict=True))
            rows.append(place | count | found | with_drivers)
        for driver, table in related.items():
            curves.append(table.assign(map=name, variable=variable, driver=driver))
    scores = pd.DataFrame(rows, columns=None if rows else [*PLACE, ilamb.OVERALL])
    return scores, pd.concat(curves) if curves else pd.DataFrame(columns=[*PLACE, "driver"])


def scores_of(
    observed: np.ndarray,
    predicted: np.ndarray,
    there: np.ndarray,
    months: pd.DatetimeIndex,
    area: np.ndarray,
) -> dict[str, float]:
    """Return the scores of a map: those of its cells averaged by area, and of the distribution.

    Parameters
    ----------
    observed, predicted
        Values (location, month).
    there
        Which of them count (location, month).
    months
        Their first days.
    area
        Of each cell (location).
    """
    filled = np.flatnonzero(there.any(axis=1))
    table = pd.DataFrame(
        [
            ilamb.scores_of(observed[k, there[k]], predicted[k, there[k]], months[there[k]])
            for k in filled
        ]
    ).drop(columns=ilamb.OVERALL)
    weight = area[filled]
    found = {
        name: float(np.average(values[known], weights=weight[known]))
        if (known := np.isfinite(values)).any()
        else np.nan
        for name, values in ((name, table[name].to_numpy()) for name in table)
    }
    lasting = [
        np.array([values[k, there[k]].mean() for k in filled]) for values in (observed, predicted)
    ]
    found |= distribution(*lasting, weight)
    return found | {ilamb.OVERALL: ilamb.overall(found)}


def distribution(observed: np.ndarray, predicted: np.ndarray, area: np.ndarray) -> dict[str, float]:
    """Return the score of a spatial distribution, and what it is made of.

    ``distribution`` is 2 (1 + R) / (s + 1 / s)², with s the predicted standard deviation over the
    observed one (``sd_ratio``) and R their correlation, by area (Collier et al. 2018, after Taylor
    2001, J. Geophys. Res. 106, 7183, eq. 4); NaN where the observed field is even, 0 where the
    predicted one alone is.

    Parameters
    ----------
    observed, predicted
        Means over time (location).
    area
        Of each cell (location).
    """
    share = area / area.sum()
    first, second = (values - share @ values for values in (observed, predicted))
    spread = [
        0.0
        if np.allclose(values, 0.0, atol=_EVEN * np.abs(field).max())
        else float(np.sqrt(share @ values**2))
        for values, field in ((first, observed), (second, predicted))
    ]
    if not spread[0] > 0:
        return dict.fromkeys(("sd_ratio", "correlation", "distribution"), np.nan)
    if not spread[1] > 0:
        return {"sd_ratio": 0.0, "correlation": np.nan, "distribution": 0.0}
    ratio = spread[1] / spread[0]
    correlation = float(share @ (first * second)) / (spread[0] * spread[1])
    score = 2.0 * (1.0 + correlation) / (ratio + 1.0 / ratio) ** 2
    return {"sd_ratio": ratio, "correlation": correlation, "distribution": score}


def monthly(values: xr.DataArray, months: pd.PeriodIndex) -> np.ndarray:
    """Return means (location, month) of values along ``location`` and ``time``.

    One value is enough: composites of satellites stand for more days than their own.
    """
    data = values.transpose("location", "time").to_numpy().astype(float)
    which = months.get_indexer(values.indexes["time"].to_period("M"))
    of_month = (which[:, None] == np.arange(len(months))).astype(float)
    there = np.isfinite(data)
    count = there @ of_month
    total = np.where(there, data, 0.0) @ of_month
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _fields(
    method: str,
    observations: xr.Dataset,
    product: xr.Dataset,
    weather: Mapping[str, np.ndarray],
    area: np.ndarray,
) -> dict[str, Field]:
    """Return what is observed and predicted of the variables of the map and of its leaves."""
    months = product.indexes["time"].to_period("M")
    observed = set(observed_variables(observations))
    found = {}
    for name in [*sorted(observed), *({FLUX, *ilamb.LEAVES} - observed)]:
        if f"{name}_mean" not in product:
            continue
        model = product[f"{name}_mean"].transpose("location", "time").to_numpy().astype(float)
        if name in observed:
            values = monthly(
                observations[name].sel(location=product["location"].to_numpy()), months
            )
            predicted = {method: model, **baselines(values, months, weather, area)}
        else:
            values, predicted = np.full(model.shape, np.nan), {method: model}
        found[name] = Field(values, predicted)
    return found


def baselines(
    observed: np.ndarray,
    months: pd.PeriodIndex,
    weather: Mapping[str, np.ndarray],
    area: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return what other cells say of each (location, month): cells in their order, in FOLDS parts.

    ``SEASON`` is the mean of a month of the year over the area of other cells, ``REGRESSION`` a
    linear one on weather and its square, where all of it is known.
    """
    fold = np.arange(len(observed)) * FOLDS // len(observed)
    features = np.stack([f(values) for values in weather.values() for f in (np.array, np.square)])
    known = np.isfinite(features).all(axis=0)
    season, regression = np.full((2, *observed.shape), np.nan)
    month = months.month.to_numpy()
    for k in range(FOLDS):
        here, other = fold == k, (fold != k)[:, None] & np.isfinite(observed)
        weight = np.where(other, area[:, None], 0.0)
        for one in np.unique(month):
            column = month == one
            if weight[:, column].sum() > 0:
                mean = np.average(
                    np.where(other, observed, 0.0)[:, column], weights=weight[:, column]
                )
                season[np.ix_(here, column)] = mean
        taught = other & known
        if taught.sum() > 2 * len(features):
            regression[here] = _regress(features, observed, taught)[here]
    return {
        name: values
        for name, values in ((SEASON, season), (REGRESSION, regression))
        if np.isfinite(values).any()
    }


def _regress(features: np.ndarray, observed: np.ndarray, taught: np.ndarray) -> np.ndarray:
    """Return least squares of what taught (location, month) on features (feature, ...)."""
    chosen = features[:, taught].T
    centre, scale = chosen.mean(axis=0), np.maximum(chosen.std(axis=0), 1e-12)
    design = np.column_stack([np.ones(len(chosen)), (chosen - centre) / scale])
    slopes = np.linalg.lstsq(design, observed[taught], rcond=None)[0]
    return slopes[0] + np.tensordot(slopes[1:] / scale, features - centre[:, None, None], axes=1)


def _responses(
    variable: str, field: Field, weather: Mapping[str, np.ndarray], fields: Mapping[str, Field]
) -> dict[str, pd.DataFrame]:
    """Return the responses of a variable to weather and to leaves, of all cells and months."""
    model = next(iter(field.predicted))
    observed = np.isfinite(field.observed).any()
    known = {driver: Field(values, {}) for driver, values in weather.items()}
    known |= {leaf: fields[leaf] for leaf in ilamb.LEAVES if leaf in fields and leaf != variable}
    tables = {}
    for driver, independent in known.items():
        seen = np.isfinite(independent.observed).any()
        x = independent.observed if seen else independent.predicted[model]
        first = field.observed if observed else field.predicted[model]
        there = np.isfinite(x) & np.isfinite(first)
        if not there.any() or np.ptp(x[there]) == 0.0 or (observed and not seen):
            continue
        edges = ilamb.bins(x[there])
        mean, count = ilamb.response(x[there], first[there], edges)
        table = pd.DataFrame({"middle": 0.5 * (edges[1:] + edges[:-1]), "months": count})
        table["observed"] = mean if observed else np.nan
        for name, predicted in field.predicted.items():
            own = independent.predicted.get(name, x)
            table[name], _ = ilamb.response(own[there], predicted[there], edges)
        kept = table[np.isfinite(table["observed" if observed else model])]
        if len(kept) > 1:
            tables[driver] = kept
    return tables
