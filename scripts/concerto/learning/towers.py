"""Fluxes of all months at the towers of a network, of a tower's own kind and as if it had none.

A tower's **first guess** is the mean of what a process model says that was told the tower's own
fluxes, and of what the fluxes of all other towers teach of it
(:mod:`~concerto.learning.upscaling`). What the tower measured says how far the first guess is off
(:mod:`~concerto.learning.tower_error`); with that is averaged what is usual at the tower, with
what all towers teach of departures from it (:mod:`~concerto.learning.departures`). A tower
**unseen** has only what other towers teach.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from concerto.learning.calibration import stated_spread
from concerto.learning.features import Features
from concerto.learning.tower_error import Guess, fit, predict
from concerto.learning.upscaling import predict_unseen

log = logging.getLogger(__name__)

_TOLD = ("tas", "rsds", "vpd", "pr, mean of 3 months", "w_root, modelled", "lai")
"""What the error of a first guess depends on smoothly."""
SIZE_OF = {"nee": "gpp, modelled"}
"""Feature that a flux's errors grow with, where it is not the flux itself."""
_SKEWED = ("vpd", "pr, mean of 3 months")


@dataclass(frozen=True)
class Learned:
    """Of one flux, each (location, time): the parts of predictions, their means and spreads.

    ``process`` is NaN where the process model has nothing; ``unseen`` and ``unseen_sd`` are of
    towers as if they had no flux of their own, ``mean`` and ``sd`` with it; ``usual`` is of what is
    usual at the tower and departures from it, NaN where no other year says what is usual.
    """

    process: np.ndarray
    unseen: np.ndarray
    unseen_sd: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    usual: np.ndarray

    def with_usual(self, usual: np.ndarray, share: float) -> Learned:
        """Return what is learnt with a ``share`` of the means from what is usual, where known."""
        mean = np.where(np.isfinite(usual), (1.0 - share) * self.mean + share * usual, self.mean)
        return replace(self, mean=mean, usual=usual)


def learn_flux(
    measured: np.ndarray,
    process: np.ndarray,
    features: Features,
    years: np.ndarray,
    kinds: Mapping[str, Sequence[int]],
    folds: np.ndarray,
    seed: int,
    size: np.ndarray | None = None,
) -> Learned:
    """Return what is learnt of a flux; of towers without all of the weather it is NaN.

    Parameters
    ----------
    measured
        What is taught (location, time), NaN where nothing is known.
    process
        The flux as a process model has it that was told as much (location, time).
    features
        What is told of each month.
    years
        Time of each month in years (time,).
    kinds
        Numbers of the towers of each kind, whose errors are of the same nature.
    folds
        Fold of each tower (location,).
    seed
        Of the learners' draws.
    size
        Size of the flux (location, time) that errors are relative to; that of ``unseen`` where it
        is NaN, or left out.
    """
    driven = np.isfinite(features["tas"]).all(axis=1)
    measured = np.where(driven[:, None], measured, np.nan)
    unseen = predict_unseen(features.values, measured, folds, seed)
    unseen[~driven] = np.nan
    size = np.abs(unseen) if size is None else np.where(np.isfinite(size), size, np.abs(unseen))
    modelled = np.isfinite(process)
    guess = Guess(
        flux=np.where(modelled, 0.5 * (unseen + process), unseen),
        contrast=np.where(modelled, process - unseen, 0.0),
        size=size,
        told=_told(features),
        years=years,
    )
    error = measured - guess.flux
    mean, sd, unseen_sd = (np.full(measured.shape, np.nan) for _ in range(3))
    for kind, members in kinds.items():
        towers = [tower for tower in members if driven[tower]]
        known = fit(guess, error, towers)
        log.info("%s: %s", kind, _words(known.names, known.logs))
        away, variance = predict(known, guess, error, towers)
        mean[towers], sd[towers] = guess.flux[towers] + away, np.sqrt(variance)
        floor, share = stated_spread((measured - unseen)[towers], size[towers])
        unseen_sd[towers] = np.hypot(floor, share * size[towers])
    return Learned(process, unseen, unseen_sd, mean, sd, np.full(measured.shape, np.nan))


def kinds_of(igbp: np.ndarray, apart: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Return the numbers of the towers of each kind: those set ``apart`` by class, and all others.

    Kinds without a tower are left out.
    """
    kinds = {name: np.flatnonzero(np.isin(igbp, list(classes))) for name, classes in apart.items()}
    taken = np.concatenate([*kinds.values(), np.array([], int)])
    kinds["others"] = np.setdiff1d(np.arange(len(igbp)), taken)
    return {name: towers for name, towers in kinds.items() if len(towers)}


def years_of(times: pd.DatetimeIndex) -> np.ndarray:
    """Return the middle of months (time,) in years."""
    return np.asarray(times.year + (times.month - 0.5) / 12.0, float)


def _told(features: Features) -> np.ndarray:
    """Return what errors depend on, (location, time, feature) with mean 0 and spread 1."""
    chosen = []
    for name in _TOLD:
        values = features[name]
        values = np.sqrt(np.maximum(values, 0.0)) if name in _SKEWED else values
        values = np.where(np.isfinite(values), values, np.nanmean(values))
        chosen.append((values - values.mean()) / values.std())
    return np.stack(chosen, axis=-1)


def _words(names: Sequence[str], logs: np.ndarray) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, np.exp(logs), strict=True))


def join_batches(batches: Sequence[xr.Dataset], locations: np.ndarray) -> xr.Dataset:
    """Return batches of towers as one dataset, in the order of ``locations``."""
    return xr.concat(batches, "location").sel(location=locations)
