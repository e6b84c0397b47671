"""Levers of land use: what the configuration says, as transitions, harvests and fires of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from concerto.errors import InputError
from concerto.landuse.covers import Rules

HECTARE = 1e4  # m2
_ROUND_OFF = 1e-9


@dataclass(frozen=True)
class Lever:
    """A change of cover that goes on for some years.

    Either ``share_per_year`` of the old cover's land changes, or ``hectares_per_year`` of all
    cells, or those of a country, shared out by how much of the old cover they have.
    """

    old: int
    new: int
    share_per_year: float = 0.0
    hectares_per_year: float = 0.0
    country: str = ""
    start: int = 0
    end: int = 9999


@dataclass(frozen=True)
class Management:
    """What is harvested and burns of a cover each year, as shares of it, for some years.

    None keeps what the drivers say; ``burned_factor`` multiplies what they say.
    """

    cover: int
    harvested_per_year: float | None = None
    burned_per_year: float | None = None
    burned_factor: float = 1.0
    start: int = 0
    end: int = 9999


@dataclass(frozen=True)
class LandUse:
    """A scenario of land use."""

    name: str
    levers: tuple[Lever, ...] = ()
    management: tuple[Management, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Ground:
    """Cells as levers see them.

    ``names``, ``countries``, and ``areas`` of land (m2), NaN where it is not known.
    """

    names: Sequence[str]
    countries: Sequence[str]
    areas: np.ndarray


def read_land_use(name: str, entry: Mapping[str, Any], rules: Rules) -> LandUse:
    """Return the scenario that the configuration describes.

    Raises
    ------
    InputError
        If a cover is unknown.
    """
    where = f"scenarios.land_uses.{name}"
    levers = []
    for k, said in enumerate(entry.get("transitions", [])):
        own = dict(said)
        old, new = (
            rules.number(own.pop(key), f"{where}.transitions[{k}].{key}") for key in ("from", "to")
        )
        levers.append(Lever(old, new, **own))
    management = []
    for k, said in enumerate(entry.get("management", [])):
        own = dict(said)
        cover = rules.number(own.pop("cover"), f"{where}.management[{k}].cover")
        management.append(Management(cover, **own))
    return LandUse(name, tuple(levers), tuple(management))


def transitions_of(
    use: LandUse, states: np.ndarray, years: Sequence[int], ground: Ground
) -> np.ndarray:
    """Return the transitions (year, cell, from, to) of a scenario, shares of the cell.

    Parameters
    ----------
    use
        The scenario.
    states
        (cell, cover) shares before the first year.
    years
        Calendar years.
    ground
        The cells.

    Raises
    ------
    InputError
        If hectares are asked for where areas are not known, of a country that has no cell, or more
        than there are.
    """
    shares = states.copy()
    out = np.zeros((len(years), *states.shape, states.shape[1]))
    for t, year in enumerate(years):
        left = shares.copy()
        for k, lever in enumerate(use.levers):
            if not lever.start <= year <= lever.end:
                continue
            where = f"scenarios.land_uses.{use.name}.transitions[{k}]"
            gone = _wanted(lever, shares[:, lever.old], year, ground, where)
            over = gone > left[:, lever.old] + _ROUND_OFF
            if over.any():
                cell = int(np.argmax(over))
                raise InputError(
                    "configuration", f"{where}, {year} at {ground.names[cell]}",
                    f"{gone[cell]:.4g} of the cell to change",
                    f"no more than the {left[cell, lever.old]:.4g} that are left of it",
                )  # fmt: skip
            out[t, :, lever.old, lever.new] += gone
            left[:, lever.old] -= gone
        shares = np.maximum(shares - out[t].sum(axis=2), 0.0) + out[t].sum(axis=1)
    return out


def _wanted(lever: Lever, shares: np.ndarray, year: int, ground: Ground, where: str) -> np.ndarray:
    """Return what share of each cell (cell,) a lever changes in a year."""
    if not lever.hectares_per_year:
        return lever.share_per_year * shares
    inside = np.ones(len(shares), bool)
    if lever.country:
        inside = np.array([country == lever.country for country in ground.countries])
    if not inside.any():
        expected = f"one of {', '.join(sorted({*ground.countries} - {''}))}"
        raise InputError("configuration", f"{where}.country", repr(lever.country), expected)
    if not np.isfinite(ground.areas[inside]).all():
        raise InputError(
            "configuration", f"{where}.hectares_per_year", "cells whose area is not known",
            "share_per_year at towers, or a map with cell areas",
        )  # fmt: skip
    there = np.where(inside, shares * np.nan_to_num(ground.areas), 0.0)
    wanted = lever.hectares_per_year * HECTARE
    if wanted > there.sum() * (1.0 + _ROUND_OFF):
        raise InputError(
            "configuration", f"{where}.hectares_per_year, {year}",
            f"{lever.hectares_per_year:g} hectares to change",
            f"no more than the {there.sum() / HECTARE:.4g} that there are",
        )  # fmt: skip
    return shares * np.where(inside, wanted / there.sum(), 0.0)


def disturbed(
    use: LandUse,
    cover: int,
    years: np.ndarray,
    rates: Mapping[str, np.ndarray],
    days_in_year: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return burned and harvested fractions a day (cell, time) of a cover.

    Parameters
    ----------
    use, cover
        The scenario, and the number of a cover.
    years
        (time,) calendar year of each step.
    rates
        What the drivers say, (cell, time) of each, a day.
    days_in_year
        (time,).
    """
    found = {name: values.copy() for name, values in rates.items()}
    for one in use.management:
        if one.cover != cover:
            continue
        when = (years >= one.start) & (years <= one.end)
        found["burned_area_fraction"][:, when] *= one.burned_factor
        for name, share in (
            ("harvested_area_fraction", one.harvested_per_year),
            ("burned_area_fraction", one.burned_per_year),
        ):
            if share is not None:
                found[name][:, when] = (share / days_in_year)[when]
    return found


def alike(use: LandUse, covers: int) -> list[int]:
    """Return for each cover the first one that is managed in the same way."""
    managed = [
        tuple(replace(one, cover=0) for one in use.management if one.cover == cover)
        for cover in range(covers)
    ]
    return [managed.index(own) for own in managed]
