"""Whether what is observed at a tower can be: against physics, its other streams and the network.

No check knows a tower by its name. There are two kinds of limits: what conservation of mass and
energy or the physiology of plants allow (``impossible`` beyond), and how far a tower is from the
others of its kind (``unlikely`` beyond). Where few months of a stream cannot be, the stream as a
whole may be right (``single``). Distances in a network are modified z-scores, 0.6745 times
the difference from the median over the median absolute deviation; more than 3.5 is an outlier
(Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers, ASQC). Amounts are compared by their
logarithms.

Sums of years are means of calendar months, of which ten at least must have been seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import FLAGS, flag_of
from concerto.domain import FORESTS
from concerto.units import MOLAR_MASS_CARBON, SECONDS_PER_DAY, latent_heat_of_vaporisation

COLUMNS = ("site", "stream", "check", "found", "expected", "severity")
SINGLE, UNLIKELY, IMPOSSIBLE = FLAGS[1:]
FARTHEST = 3.5
_YEAR = 365.25
_LEAST_MONTHS = 10
_LEAST_ALIKE = 20  # towers: of fewer, the median deviation is too uncertain to call one far
_FEW = 0.05  # of months: more that cannot be are no mishaps
_ERRORS = 2.0  # standard deviations that a month may be beyond a limit
_PHOTONS = 4.57  # umol J-1 of photosynthetically active radiation (McCree 1972)
_ACTIVE = 0.5  # the most of shortwave radiation that is photosynthetically active
_QUANTA = 8.0  # photons for a molecule of CO2 at least, by the scheme of photosynthesis
_EXTINCTION = 0.5  # of light by leaves whose angles are random
# NPP is 0.46 of GPP in forests, 0.22 to 0.79 (Collalti & Prentice 2019, Tree Physiol. 39, 1473)
_GROWTH = 0.46
_OWN_RESPIRATION = 0.21  # of GPP, at least: the rest of the most
_RAIN = 2.0  # times the rain of a grid cell that a tower in it may have
_WET = ("WET", "CRO", "WAT", "SNO")  # where water comes from elsewhere, or from before
_KINDS = {
    **dict.fromkeys(FORESTS, "forest"),
    **dict.fromkeys(("CSH", "OSH", "WSA", "SAV"), "shrubs and savannas"),
}
_OPEN = "grass, crops and wetland"


@dataclass(frozen=True)
class _Network:
    """What is known of all towers."""

    drivers: xr.Dataset
    observations: xr.Dataset
    land: xr.Dataset

    def __len__(self) -> int:
        return self.drivers.sizes["location"]

    @cached_property
    def igbp(self) -> np.ndarray:
        """Classes (location,)."""
        return self.land["igbp"].to_numpy().astype(str)

    @cached_property
    def kind(self) -> np.ndarray:
        """Kinds of classes (location,)."""
        return np.array([_KINDS.get(name, _OPEN) for name in self.igbp])

    def stream(self, name: str, part: str = "") -> np.ndarray:
        """Return a stream (location, month), NaN where nobody has it."""
        if name not in self.observations:
            return np.full((len(self), self.drivers.sizes["time"]), np.nan)
        return self.observations[f"{name}{part}"].to_numpy().astype(float)

    def driver(self, name: str) -> np.ndarray:
        """Return a driver (location, month)."""
        return self.drivers[name].to_numpy().astype(float)

    def seasons(self, values: np.ndarray) -> np.ndarray:
        """Return means (location, calendar month)."""
        months = self.drivers.indexes["time"].month
        return np.stack([_mean(values[:, months == month]) for month in range(1, 13)], axis=1)

    def year(self, values: np.ndarray) -> np.ndarray:
        """Return sums of a year (location,) of rates a day."""
        seasons = self.seasons(values)
        seen = np.isfinite(seasons).sum(axis=1)
        return np.where(seen >= _LEAST_MONTHS, _YEAR * _mean(seasons), np.nan)

    @property
    def everywhere(self) -> np.ndarray:
        """One group of all towers (location,)."""
        return np.full(len(self), "all")

    def alike(self) -> np.ndarray:
        """Return what each tower (location,) is compared with: its class, or if few its kind."""
        names, counts = np.unique(self.igbp, return_counts=True)
        common = names[counts >= _LEAST_ALIKE]
        return np.where(np.isin(self.igbp, common), self.igbp, self.kind)


_Found = Iterator[tuple[int, str, str, str, str]]


def check_network(drivers: xr.Dataset, observations: xr.Dataset, land: xr.Dataset) -> pd.DataFrame:
    """Return what cannot be, or hardly, of what is observed at the towers of a network.

    Parameters
    ----------
    drivers, observations, land
        Monthly cubes of all towers; those without values are passed over.

    Returns
    -------
    pandas.DataFrame
        ``site, stream, check, found, expected, severity``, in the order of towers; ``stream`` is
        the one to doubt.
    """
    network = _Network(drivers, observations, land)
    names = drivers["location"].to_numpy().astype(str)
    rows = [
        (k, (names[k], stream, name, found, expected, severity))
        for name, check in _CHECKS.items()
        for k, stream, found, expected, severity in check(network)
    ]
    rows.sort(key=lambda row: row[0])
    return pd.DataFrame([row for _, row in rows], columns=list(COLUMNS))


def flag_streams(observations: xr.Dataset, table: pd.DataFrame) -> xr.Dataset:
    """Return observations with a flag of each stream that says how much its towers are doubted.

    Parameters
    ----------
    observations
        Monthly cube of all towers.
    table
        As :func:`check_network` returns it.
    """
    out = observations.copy()
    names = observations["location"].to_numpy().astype(str)
    for stream in (name for name in observations if f"{name}_random" in observations):
        flags = np.zeros(len(names), dtype=np.int8)
        for row in table[table["stream"] == stream].itertuples():
            at = names == row.site
            flags[at] = np.maximum(flags[at], FLAGS.index(row.severity))
        out[flag_of(stream)] = "location", flags, {
            "long_name": f"{observations[stream].attrs['long_name']}: whether it is implausible",
            "flag_values": np.arange(len(FLAGS), dtype=np.int8),
            "flag_meanings": " ".join(FLAGS),
        }  # fmt: skip
    return out


def _light(network: _Network) -> _Found:
    """GPP of a month that takes more photons than there are."""
    photons = _ACTIVE * _PHOTONS * 1e-6 * SECONDS_PER_DAY * network.driver("rsds")
    limit = MOLAR_MASS_CARBON / _QUANTA * photons
    yield from _beyond(
        network, "gpp", limit, "g m-2 d-1", f"what {_QUANTA:g} photons for each molecule allow"
    )


def _energy(network: _Network) -> _Found:
    """Evaporation of a month that takes more heat than the sun brings."""
    heat = latent_heat_of_vaporisation(network.driver("tas"))
    limit = SECONDS_PER_DAY * network.driver("rsds") / heat
    yield from _beyond(network, "et", limit, "mm d-1", "what shortwave radiation evaporates")


def _beyond(network: _Network, stream: str, limit: np.ndarray, unit: str, what: str) -> _Found:
    values = network.stream(stream)
    over = values - _ERRORS * network.stream(stream, "_random") > limit
    for k in np.flatnonzero(over.any(axis=1)):
        at = int(np.argmax(np.where(over[k], values[k] - limit[k], -np.inf)))
        when = network.drivers.indexes["time"][at]
        months, severity = _months(over[k], values[k])
        found = f"{values[k, at]:.3g} {unit} in {when:%Y-%m}, {months}"
        yield k, stream, found, f"at most {limit[k, at]:.3g} {unit}, {what}", severity


def _sign(network: _Network) -> _Found:
    """Amounts that are negative, by more than their errors."""
    for stream in ("gpp", "et", "lai", "total_biomass"):
        values = network.stream(stream)
        below = values + _ERRORS * network.stream(stream, "_random") < 0.0
        for k in np.flatnonzero(below.any(axis=1)):
            months, severity = _months(below[k], values[k])
            yield k, stream, f"{np.nanmin(values[k]):.3g}, {months}", "none below zero", severity


def _months(wrong: np.ndarray, values: np.ndarray) -> tuple[str, str]:
    """Return in words how many months of a tower are beyond a limit, and how severe that is."""
    many, seen = wrong.sum(), np.isfinite(values).sum()
    return f"{many} such of {seen} months", IMPOSSIBLE if many > _FEW * seen else SINGLE


def _rain(network: _Network) -> _Found:
    """Evaporation over years that rain does not bring, where no water flows in."""
    evaporated, rain = network.year(network.stream("et")), network.year(network.driver("pr"))
    dry = ~np.isin(network.igbp, _WET)
    for k in np.flatnonzero(dry & (evaporated > _RAIN * rain)):
        found = f"{evaporated[k]:.0f} mm yr-1 evaporate of {rain[k]:.0f} mm yr-1 of rain"
        yield k, "et", found, f"at most {_RAIN:g} times the rain, where none flows in", UNLIKELY


def _respiration(network: _Network) -> _Found:
    """NEE that leaves less respiration than plants need for themselves, or far from others'."""
    both = network.stream("gpp") + 0.0 * network.stream("nee")
    gpp, nee = network.year(both), network.year(network.stream("nee") + 0.0 * both)
    share = (gpp + nee) / gpp
    least = f"at least {_OWN_RESPIRATION:g} of GPP, which plants respire themselves"
    for k in np.flatnonzero(share < _OWN_RESPIRATION):
        sums = f"NEE {nee[k]:.0f} and GPP {gpp[k]:.0f} g m-2 yr-1"
        yield k, "nee", f"respiration of {share[k]:.2f} of GPP by {sums}", least, IMPOSSIBLE
    words = "respiration of {:.2f} of GPP"
    yield from _outliers(share, _log(share), network.everywhere, "nee", words)


def _sink(network: _Network) -> _Found:
    """NEE of a year that is far from that of all others."""
    nee = network.year(network.stream("nee"))
    yield from _outliers(nee, nee, network.everywhere, "nee", "{:.0f} g m-2 yr-1")


def _leaves(network: _Network) -> _Found:
    """Leaf area that is far from that of the class."""
    lai = _mean(network.seasons(network.stream("lai")))
    yield from _outliers(lai, _log(lai), network.alike(), "lai", "{:.2g}")


def _use_of_light(network: _Network) -> _Found:
    """Leaves that would have to use light far better than those of others for the GPP."""
    gpp, lai = network.seasons(network.stream("gpp")), network.seasons(network.stream("lai"))
    light = network.seasons(network.driver("rsds")) * SECONDS_PER_DAY * 1e-6
    absorbed = _ACTIVE * light * -np.expm1(-_EXTINCTION * lai)
    both = np.isfinite(gpp * absorbed)
    sums = [np.where(both, part, 0.0).sum(axis=1) for part in (gpp, absorbed)]
    with np.errstate(invalid="ignore"):  # nothing of nothing, where no month was seen
        use = np.where(both.sum(axis=1) >= _LEAST_MONTHS, sums[0] / sums[1], np.nan)
    words = "{:.2g} g of GPP by MJ of light that leaves absorb"
    yield from _outliers(use, _log(use), network.everywhere, "lai", words, above_only=True)


def _standing(network: _Network) -> _Found:
    """Biomass that is far from that of the kind of vegetation."""
    biomass = 1e3 * _mean(network.stream("total_biomass"))
    yield from _outliers(biomass, _log(biomass), network.kind, "total_biomass", "{:.0f} g m-2")


def _renewal(network: _Network) -> _Found:
    """Biomass of a forest that is less than what it grows in a year."""
    biomass = 1e3 * _mean(network.stream("total_biomass"))
    growth = _GROWTH * network.year(network.stream("gpp"))
    for k in np.flatnonzero((network.kind == "forest") & (biomass < growth)):
        found = f"{biomass[k]:.0f} g m-2, of which {growth[k]:.0f} g m-2 grow in a year"
        yield k, "total_biomass", found, "more than grows in a year, in a forest", UNLIKELY


def _outliers(
    amounts: np.ndarray,
    compared: np.ndarray,
    groups: np.ndarray,
    stream: str,
    words: str,
    above_only: bool = False,
) -> _Found:
    """Yield what is far from the others of its group; ``words`` takes an amount."""
    score = _distance(compared, groups)
    for k in np.flatnonzero((score if above_only else np.abs(score)) > FARTHEST):
        alike = amounts[(groups == groups[k]) & np.isfinite(compared)]
        usual = f"about {words.format(np.median(alike))}, as {len(alike)} towers of {groups[k]}"
        yield k, stream, f"{words.format(amounts[k])}, {score[k]:+.1f} deviations", usual, UNLIKELY


def _distance(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return modified z-scores (location,) within groups, NaN where there are too few to tell."""
    out = np.full(len(values), np.nan)
    for group in np.unique(groups):
        own = (groups == group) & np.isfinite(values)
        centre = np.median(values[own]) if own.sum() >= _LEAST_ALIKE else np.nan
        deviation = np.median(np.abs(values[own] - centre)) if own.any() else 0.0
        if deviation > 0.0:
            out[own] = 0.6745 * (values[own] - centre) / deviation
    return out


def _mean(values: np.ndarray) -> np.ndarray:
    """Return means along the last axis of what is finite, NaN where nothing is."""
    seen = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(seen, values, 0.0).sum(axis=-1) / seen.sum(axis=-1)


def _log(values: np.ndarray) -> np.ndarray:
    """Return logarithms, NaN of what has none."""
    return np.log(np.where(values > 0.0, values, np.nan))


_CHECKS: dict[str, Callable[[_Network], _Found]] = {
    "amounts are not negative": _sign,
    "GPP by the light of the month": _light,
    "ET by the radiation of the month": _energy,
    "ET by the rain of years": _rain,
    "NEE by GPP": _respiration,
    "NEE of a year": _sink,
    "LAI by class": _leaves,
    "LAI by GPP": _use_of_light,
    "biomass by kind": _standing,
    "biomass by GPP": _renewal,
}
