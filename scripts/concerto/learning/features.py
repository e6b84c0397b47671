"""What a learner is told of each month of each tower: weather, its past, land, sun, and a model.

None is made of a flux measured there, so that a tower without any is told as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from concerto.domain import FORESTS

YEAR = 12
WEATHER = ("tas", "tasmin", "tasmax", "rsds", "vpd", "pr", "co2")
_RECENT = {"tas": (1, 2), "rsds": (1,), "vpd": (1,), "pr": (1, 2)}
"""Months ago of which the weather is told."""
_BEFORE = {"tas": (3, 12), "pr": (3, 6, 12), "rsds": (3,), "vpd": (3,)}
"""Months up to and with this one whose mean is told."""
_UNUSUAL = ("tas", "rsds", "vpd", "pr")
_MODELLED = ("gpp", "reco", "nee", "et", "lai")
_SOLAR_CONSTANT = 0.0820  # MJ m-2 min-1
_EVERGREEN = ("ENF", "EBF")


@dataclass(frozen=True)
class Features:
    """``values`` (location, time, feature), NaN where unknown, and the features' ``names``."""

    names: tuple[str, ...]
    values: np.ndarray

    @classmethod
    def of(cls, told: Mapping[str, np.ndarray]) -> Features:
        """Return features of arrays (location, time) by name."""
        return cls(tuple(told), np.stack(list(told.values()), axis=-1))

    def only(self, names: Sequence[str]) -> Features:
        """Return those of some names, in their order."""
        return Features(tuple(names), self.values[..., [self.names.index(name) for name in names]])

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a feature (location, time)."""
        return self.values[..., self.names.index(name)]


def tower_features(
    drivers: xr.Dataset, observations: xr.Dataset, land: xr.Dataset, projection: xr.Dataset
) -> Features:
    """Return what is told of each month.

    Parameters
    ----------
    drivers, observations, land
        Cubes (location, time) of whole years of months from January on.
    projection
        ``NAME_mean`` (location, time) of a process model that was told no flux of its own.
    """
    told = _of_place(drivers, observations, land, sorted({*_classes(land)} - {""}))
    told |= _modelled(projection)
    return Features.of(told)


def place_features(
    drivers: xr.Dataset, observations: xr.Dataset, land: xr.Dataset, kinds: Sequence[str]
) -> Features:
    """Return what is told of each month of any places, towers or cells, without a model.

    What the cubes do not have, or have nowhere, is left out.

    Parameters
    ----------
    drivers, observations, land
        As for :func:`tower_features`.
    kinds
        Classes of land that are told apart; of none of them a place may be.
    """
    return Features.of(_of_place(drivers, observations, land, kinds))


def _of_place(
    drivers: xr.Dataset, observations: xr.Dataset, land: xr.Dataset, kinds: Sequence[str]
) -> dict[str, np.ndarray]:
    weather = {name: drivers[name].to_numpy() for name in WEATHER if _has(drivers, name)}
    told = dict(weather)
    for name, lags in _RECENT.items():
        if name in weather:
            told |= {f"{name}, {lag} months ago": months_ago(weather[name], lag) for lag in lags}
    for name, spans in _BEFORE.items():
        if name in weather:
            told |= {
                f"{name}, mean of {span} months": mean_before(weather[name], span) for span in spans
            }
    for name in _UNUSUAL:
        if name in weather:
            told[f"{name}, unlike its season"] = weather[name] - season(weather[name])
    told |= {
        f"{name}, mean of all": _constant(weather[name].mean(axis=1), drivers)
        for name in ("tas", "pr", "rsds")
        if name in weather
    }
    told["tas, range of seasons"] = _constant(
        np.ptp(season(weather["tas"])[:, :YEAR], axis=1), drivers
    )
    told |= _sun(drivers)
    told["rsds, share of the sun's"] = weather["rsds"] / np.maximum(told["sun above the air"], 1.0)
    if _has(observations, "lai"):
        told |= _leaves(observations["lai"].to_numpy())
    if _has(observations, "total_biomass"):
        told["total biomass"] = _constant(
            known_mean(observations["total_biomass"].to_numpy()), drivers
        )
    if "igbp" in land:
        told |= _kinds(_classes(land), kinds, drivers)
    told["latitude, absolute"] = _constant(np.abs(drivers["lat"].to_numpy()), drivers)
    return told


def _has(cube: xr.Dataset, name: str) -> bool:
    return name in cube and bool(np.isfinite(cube[name].to_numpy()).any())


def _classes(land: xr.Dataset) -> np.ndarray:
    return land["igbp"].to_numpy().astype(str)


def season(values: np.ndarray) -> np.ndarray:
    """Return the mean of each calendar month's known values (location, time), repeated by year."""
    years = values.reshape(len(values), -1, YEAR)
    return np.tile(known_mean(years.swapaxes(1, 2)), (1, years.shape[1]))


def months_ago(values: np.ndarray, lag: int) -> np.ndarray:
    """Return the values (location, time) of ``lag`` months before, at first the season's."""
    return np.concatenate([season(values)[:, YEAR - lag : YEAR], values[:, :-lag]], axis=1)


def mean_before(values: np.ndarray, span: int) -> np.ndarray:
    """Return the mean of so many months (location, time), the last of them included."""
    past = [values, *(months_ago(values, lag) for lag in range(1, span))]
    return sum(past) / span


def day_length(latitude: np.ndarray, month: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hours of day and the sun's radiation above the air in mid-month, MJ m-2 d-1.

    Parameters
    ----------
    latitude
        Degrees north (location,).
    month
        Calendar months (time,), 1 to 12.

    Notes
    -----
    Allen et al. (1998), FAO Irrigation and Drainage Paper 56, equations 21 to 25 and 34.
    """
    day = 30.4 * month - 15.0
    phi = np.deg2rad(latitude)[:, None]
    distance = 1.0 + 0.033 * np.cos(2.0 * np.pi * day / 365.0)
    declination = 0.409 * np.sin(2.0 * np.pi * day / 365.0 - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    above = sunset * np.sin(phi) * np.sin(declination)
    above = above + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return 24.0 / np.pi * sunset, 24.0 * 60.0 / np.pi * _SOLAR_CONSTANT * distance * above


def _sun(drivers: xr.Dataset) -> dict[str, np.ndarray]:
    month = drivers.indexes["time"].month.to_numpy()
    hours, above = day_length(drivers["lat"].to_numpy(), month)
    return {"length of day": hours, "sun above the air": above}


def _leaves(lai: np.ndarray) -> dict[str, np.ndarray]:
    usual = season(lai)
    known = np.where(np.isfinite(lai), lai, usual)
    before = months_ago(known, 1)
    year = usual[:, :YEAR]
    return {
        "lai": known,
        "lai, season": usual,
        "lai, 1 months ago": before,
        "lai, change": known - before,
        "lai, most of season": np.broadcast_to(year.max(axis=1, keepdims=True), lai.shape),
        "lai, least of season": np.broadcast_to(year.min(axis=1, keepdims=True), lai.shape),
    }


def _kinds(igbp: np.ndarray, known: Sequence[str], drivers: xr.Dataset) -> dict[str, np.ndarray]:
    kinds = {"forest": FORESTS, "evergreen": _EVERGREEN}
    kinds |= {name: (name,) for name in known}
    return {name: _constant(np.isin(igbp, of).astype(float), drivers) for name, of in kinds.items()}


def _modelled(projection: xr.Dataset) -> Mapping[str, np.ndarray]:
    found = {name: projection[f"{name}_mean"].to_numpy() for name in _MODELLED}
    told = {f"{name}, modelled": values for name, values in found.items()}
    stores = [name for name in projection if name.startswith("w_") and name.endswith("_mean")]
    return told | {
        f"{name.removesuffix('_mean')}, modelled": projection[name].to_numpy() for name in stores
    }


def _constant(values: np.ndarray, drivers: xr.Dataset) -> np.ndarray:
    return np.broadcast_to(values[:, None], (len(values), drivers.sizes["time"]))


def known_mean(values: np.ndarray) -> np.ndarray:
    """Return means over the last dimension of what is known, NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=-1) / known.sum(axis=-1)
