"""A year of a cover by the process model: its kernel, its posterior, a few other parameters.

The pools of a cover are those of the model; a year of it is as many steps as the weather has. Where
nothing changes, a run year by year is the run of the kernel, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from concerto.errors import ConcertoError
from concerto.landuse.covers import POOLS, Rules
from concerto.models import Model, Weather

SUMMED = ("gpp", "autotrophic_respiration", "nee", "fire_emission", "harvest")


@dataclass(frozen=True)
class Kernel:
    """Growth of all covers of cells under one weather.

    Attributes
    ----------
    model
        The process model.
    parameters
        (cell, member, parameter) calibrated.
    rules
        The covers.
    weather
        Of each cover, over all steps: a cover's fires and harvests are part of it. Of as many cells
        as there are.
    steps
        First step of each year, and the end of the last (year + 1,).
    days
        Length of a step, d.
    """

    model: Model
    parameters: np.ndarray
    rules: Rules
    weather: Sequence[Weather]
    steps: np.ndarray
    days: float

    def __post_init__(self) -> None:
        check_model(self.model)

    def __call__(
        self, year: int, cover: int, pools: np.ndarray
    ) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Return pools a year later and the year's sums, as :mod:`concerto.landuse.run` asks."""
        cells, members, n = pools.shape
        own = self.parameters
        changed = self.rules.covers[cover].parameters
        if changed:
            own = own.copy()
            for name, value in changed.items():
                own[..., self.model.parameter_names.index(name)] = value
        weather = self.weather[cover].between(*self.steps[year : year + 2])
        runs = self.model.resume(
            pools_of_model(self.model, pools).reshape(cells * members, n),
            own.reshape(cells * members, -1), weather, (), SUMMED,
        )  # fmt: skip
        after = runs.final_pools.reshape(cells, members, n)
        sums = self.days * runs.placement.collect(runs.totals).reshape(cells, members, -1)
        found = dict(zip(SUMMED, np.moveaxis(sums, -1, 0), strict=True))
        return pools_of_land(self.model, after), {
            "gpp": found["gpp"],
            "npp": found["gpp"] - found["autotrophic_respiration"],
            "nee": found["nee"],
            "fire": found["fire_emission"],
            "harvest": found["harvest"],
        }


def check_model(model: Model) -> None:
    """Check that a model has the six pools that land use moves, and no other carbon or nitrogen.

    Raises
    ------
    ConcertoError
        If it has not.
    """
    carbon = model.balances["carbon"][0] if "carbon" in model.balances else ()
    others = {model.output_units[name] for name in model.pools if name not in carbon}
    masses = sorted(unit for unit in others if unit.startswith("g"))
    if set(carbon) != set(POOLS) or masses:
        raise ConcertoError(
            f"land use: found a model {model.name} with the pools {', '.join(model.pools)}; "
            f"expected the carbon pools {', '.join(POOLS)}, and no others but water"
        )


@cache
def order_of(model: Model) -> list[int]:
    """Return where the pools of land are among those of the model: carbon first, then others."""
    others = [name for name in model.pools if name not in POOLS]
    return [model.pools.index(name) for name in (*POOLS, *others)]


def pools_of_land(model: Model, pools: np.ndarray) -> np.ndarray:
    """Return pools (..., pool) of the model in the order of land."""
    return pools[..., order_of(model)]


def pools_of_model(model: Model, pools: np.ndarray) -> np.ndarray:
    """Return pools (..., pool) of land in the order of the model."""
    return pools[..., np.argsort(order_of(model))]
