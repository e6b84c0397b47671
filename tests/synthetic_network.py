"""A made-up network of towers in the layout of its scores, predictions and posteriors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import save
from concerto.evaluation.towers import (
    COLUMNS,
    Predictor,
    judge,
    score_table,
    with_spread,
    withheld,
)
from concerto.learning.calibration import Shape
from concerto.learning.climatology import monthly_climatology
from concerto.networks import ALL, INNER, KNOWN, NEW, NOT_NEGATIVE, UNSEEN
from concerto.prepare.plausibility import COLUMNS as DOUBT
from concerto.products.predictions import as_sites, quantities

TIMES = pd.date_range("2001-01-01", periods=48, freq="MS")
CLASSES = ("ENF", "GRA", "CRO")
SIZES = {"gpp": 6.0, "nee": 2.0, "et": 2.5}
MEANINGS = "converged not_converged no_observation drivers_missing assimilation_failed not_land"
SHIFTED, FLAGGED, UNMODELLED, SHORT, FAILED = "T01", "T02", "T03", "T04", "T05"
"""Towers with a shifted level, doubted NEE, no process model, few months, not converged."""
_MISFIT = "mean squared misfit 3 (expected 1)"


@dataclass(frozen=True)
class Network:
    """Its files, by what is in them."""

    judged: Path
    scores: Path
    predictions: Path
    plausibility: Path
    faults: Path
    posteriors: dict[str, list[Path]]


def write_network(folder: Path, towers: int = 9, seed: int = 5) -> Network:
    """Write the files of a network of towers, the first of which have faults."""
    rng = np.random.default_rng(seed)
    names = np.array([f"T{k:02d}" for k in range(towers)])
    classes = np.array([CLASSES[k % len(CLASSES)] for k in range(towers)])
    folds = np.arange(towers) % 4
    phase = 2 * np.pi * np.arange(len(TIMES)) / 12
    season = 0.6 - 0.5 * np.cos(phase)
    tables, kept, published = [], {}, {}
    for flux, size in SIZES.items():
        own = size * (0.5 + rng.random((towers, 1)))
        truth = own * season + 0.08 * size * rng.standard_normal((towers, len(TIMES)))
        truth[1, 32:] += 1.2 * size
        truth[:, :4] = np.nan
        truth[4, :34] = np.nan
        settings = _settings(rng, truth, own * season, size)
        least = 0.0 if flux in NOT_NEGATIVE else -np.inf
        for setting, (observed, predictors) in settings.items():
            found = {name: judge(p, observed, folds, least) for name, p in predictors.items()}
            table = score_table(found, names, classes)
            tables.append(table.assign(setting=setting, flux=flux))
            kept[f"{flux}_{setting}_observed"] = observed
            for name, one in found.items():
                kept[f"{flux}_{setting}_{name}"] = one.mean
                kept[f"{flux}_{setting}_{name}_rank"] = one.rank
        mean = xr.DataArray(
            own * season, dims=("location", "time"), coords={"location": names, "time": TIMES}
        )
        errors = Shape.of(rng.standard_normal(400))
        published |= quantities(flux, mean, 0.0 * mean + 0.1 * size, errors, "g m-2 d-1")
    places = {
        "location": names,
        "time": TIMES,
        "lat": ("location", np.where(np.arange(towers) < 4, -30.0, 50.0) + rng.random(towers)),
        "lon": ("location", np.where(np.arange(towers) < 4, 145.0, 8.0) + 20 * rng.random(towers)),
    }
    judged = {name: (("location", "time"), values) for name, values in kept.items()}
    judged["igbp"] = ("location", classes)
    files = Network(
        **{key: folder / f"{key}.nc" for key in ("judged", "predictions")},
        **{key: folder / f"{key}.csv" for key in ("scores", "plausibility", "faults")},
        posteriors=_write_posteriors(folder, names),
    )
    save(xr.Dataset(judged, places), files.judged)
    save(as_sites(published, {"title": "Fluxes of a made-up network"}), files.predictions)
    pd.concat(tables)[list(COLUMNS)].to_csv(files.scores, index=False)
    doubt = (FLAGGED, "nee", "NEE of a year", "-1700 g m-2 yr-1", "about -200", "impossible")
    pd.DataFrame([doubt], columns=list(DOUBT)).to_csv(files.plausibility, index=False)
    faults = pd.DataFrame(columns=["site", "file", "field", "found", "expected"])
    faults.to_csv(files.faults, index=False)
    return files


def _settings(rng, truth, season, size):
    """What was observed in each setting, and the predictors of it."""
    later = withheld(truth, 1 / 3)
    taught = np.where(np.isfinite(later), np.nan, truth)
    away = [0.3 * size * rng.standard_normal((len(truth), 1)) for _ in range(2)]
    process, learned = (season + own for own in away)
    process[3] = np.nan
    around = np.full_like(truth, size)
    combined = with_spread(season + 0.3 * (away[0] + away[1]), truth, around)
    known = {
        "climatology": with_spread(monthly_climatology(taught), later, around),
        "process": with_spread(process, later, around),
        "learned": with_spread(learned, later, around),
        "combined": Predictor(combined.mean, combined.sd),
    }
    new = {
        name: with_spread(1.2 * known[name].mean, truth, around) for name in ("process", "learned")
    }
    return {KNOWN: (later, known), NEW: (truth, new)}


def _write_posteriors(folder: Path, names: np.ndarray) -> dict[str, list[Path]]:
    """Write two batches of each trial; one tower has not converged in the inner, one failed."""
    found = {}
    for trial in (ALL, INNER, UNSEEN):
        status, reason = np.zeros(len(names), np.int8), np.full(len(names), "", dtype="U60")
        if trial == INNER:
            status[names == FAILED], reason[names == FAILED] = 1, _MISFIT
            status[names == UNMODELLED], reason[names == UNMODELLED] = 2, "no stream has a value"
        attributes = {"flag_values": np.arange(6, dtype=np.int8), "flag_meanings": MEANINGS}
        ds = xr.Dataset(
            {"status": ("location", status, attributes), "reason": ("location", reason)},
            {"location": names},
        )
        found[trial] = [folder / trial / f"b{k}.nc" for k in range(2)]
        for k, path in enumerate(found[trial]):
            save(ds.isel(location=slice(k, None, 2)), path)
    return found
