"""Traits: what is known of a place that does not change from month to month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from concerto.domain import FORESTS
from concerto.learning.features import YEAR, known_mean, season

_WEATHER = ("tas", "rsds", "vpd", "pr")
_GROWTH_DEGC = 5.0  # months warmer than this count as those of growth
_LEAST = 0.1  # added before a logarithm, mm d-1 or kg m-2


@dataclass(frozen=True)
class Traits:
    """``values`` (location, trait) and the traits' ``names``; ``warmest``, when the year is so.

    ``warmest`` (location,) is the direction of the first yearly wave of temperature, in radians
    from the start of the year.

    Scaled to mean 0 and standard deviation 1 over the locations. What is not known of a location
    is 0 there, the mean of all; how often that is so is in ``unknown`` (trait,).
    """

    names: tuple[str, ...]
    values: np.ndarray
    unknown: np.ndarray
    warmest: np.ndarray

    def only(self, names: Sequence[str]) -> Traits:
        """Return some of the traits."""
        chosen = [self.names.index(name) for name in names]
        return Traits(tuple(names), self.values[:, chosen], self.unknown[chosen], self.warmest)


def traits_of(drivers: xr.Dataset, observations: xr.Dataset, land: xr.Dataset) -> Traits:
    """Return the traits of all locations: climate, leaves and biomass as observed, land cover.

    None is made of a flux. Those that are the same everywhere are left out.

    Parameters
    ----------
    drivers, observations, land
        Cubes (location, time) of whole years of months from January on.
    """
    found = _climate(drivers) | _seen(observations) | _covers(land["igbp"].to_numpy().astype(str))
    found["latitude, absolute"] = np.abs(drivers["lat"].to_numpy())
    scaled = {name: _scaled(values) for name, values in found.items()}
    kept = {name: values for name, values in scaled.items() if values is not None}
    unknown = [np.isnan(found[name]).sum() for name in kept]
    warmest = np.angle(_wave(drivers["tas"].to_numpy()))
    return Traits(tuple(kept), np.stack([*kept.values()], axis=1), np.array(unknown), warmest)


def is_cover(name: str) -> bool:
    """Return whether a trait says what covers the land."""
    return name.startswith("cover ")


def _climate(drivers: xr.Dataset) -> dict[str, np.ndarray]:
    found = {}
    for name in _WEATHER:
        values = drivers[name].to_numpy()
        usual = season(values)
        found[f"{name}, mean"] = values.mean(axis=1)
        found[f"{name}, range of seasons"] = np.ptp(usual[:, :YEAR], axis=1)
        found[f"{name}, spread about its season"] = (values - usual).std(axis=1)
    wet = found["pr, mean"] + _LEAST
    found["pr, logarithm"] = np.log(wet)
    found["pr beside rsds, logarithm"] = np.log(wet / found["rsds, mean"])
    later = np.angle(_wave(drivers["pr"].to_numpy()) / _wave(drivers["tas"].to_numpy()))
    found["wettest after warmest, cosine"] = np.cos(later)
    found["wettest after warmest, sine"] = np.sin(later)
    warm = season(drivers["tas"].to_numpy())[:, :YEAR] > _GROWTH_DEGC
    return found | {"months of growth": warm.mean(axis=1)}


def _wave(values: np.ndarray) -> np.ndarray:
    """Return the first yearly wave (location,) of values (location, time), a complex number.

    Its argument is the time of year of the crest, in radians.
    """
    middles = 2.0 * np.pi * (np.arange(YEAR) + 0.5) / YEAR
    return season(values)[:, :YEAR] @ np.exp(1j * middles)


def _seen(observations: xr.Dataset) -> dict[str, np.ndarray]:
    found = {}
    if "lai" in observations:
        year = season(observations["lai"].to_numpy())[:, :YEAR]
        known = np.isfinite(year).any(axis=1)
        most = np.where(known, np.nanmax(year, axis=1, initial=-np.inf), np.nan)
        least = np.where(known, np.nanmin(year, axis=1, initial=np.inf), np.nan)
        found |= {"lai, mean": known_mean(year), "lai, most": most, "lai, least": least}
    if "total_biomass" in observations:
        mean = known_mean(observations["total_biomass"].to_numpy())
        found["total biomass, logarithm"] = np.log(mean + _LEAST)
    return found


def _covers(igbp: np.ndarray) -> dict[str, np.ndarray]:
    covers = {"forest": FORESTS} | {name: (name,) for name in sorted({*igbp} - {""})}
    return {f"cover {name}": np.isin(igbp, of).astype(float) for name, of in covers.items()}


def _scaled(values: np.ndarray) -> np.ndarray | None:
    """Return values with mean 0 and spread 1, 0 where unknown; None if all known are the same."""
    known = np.isfinite(values)
    if not known.any() or np.ptp(values[known]) == 0.0:
        return None
    away = (values - values[known].mean()) / values[known].std()
    return np.where(known, away, 0.0)
