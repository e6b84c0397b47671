"""Ecological and dynamic constraints: what is known of ecosystems without measuring this one.

After Bloom & Williams (2015, Biogeosciences 12, 1299, tables 3 and 4), with their on/off conditions
made smooth: each constraint is a set of residuals that a believable run has near zero, with
log-density -1/2 residual². An inequality has the residual zero where it holds and grows as the
logarithm of the ratio by which it fails, in units of ln 1.1. Each is switched on by its name in
``constraints`` of the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from concerto.models import Model, Trajectories

_TOLERANCE = math.log(1.1)
_PER_YEAR = 1.0 / 365.25
_WITHIN = math.log(5.0)  # shares and pools of leaves and roots within a factor of five
_GROWTH = math.log(2.0)
_EQUILIBRIUM = math.log(1.1)


@dataclass(frozen=True)
class Run:
    """A batch of runs as the constraints see it.

    ``step`` in days, ``mean_temperature`` in degC; ``trajectories`` with snapshots of the pools at
    the same date of successive years, the start first.
    """

    model: Model
    parameters: np.ndarray
    trajectories: Trajectories
    step: float
    n_steps: int
    mean_temperature: float

    @cached_property
    def _means(self) -> np.ndarray:
        return self.trajectories.placement.collect(self.trajectories.totals) / self.n_steps

    @cached_property
    def _snapshots(self) -> np.ndarray:
        return self.trajectories.placement.collect(self.trajectories.snapshots)

    def parameter(self, name: str) -> np.ndarray:
        """Return (member,) values of a parameter."""
        return self.parameters[:, self.model.parameter_names.index(name)]

    def mean(self, output: str) -> np.ndarray:
        """Return (member,) means over time of an output, one of those summed."""
        return self._means[:, self.trajectories.summed.index(output)]

    @cached_property
    def final(self) -> np.ndarray:
        """Return (member, pool) sizes at the end."""
        return self.trajectories.placement.collect(self.trajectories.pools)

    @cached_property
    def drift(self) -> np.ndarray:
        """Return Rs/Rm (member, pool), the mean size of a pool at the same date over its first.

        Bloom & Williams (2015), eq. 12.
        """
        return self._snapshots.mean(axis=1) / self._snapshots[:, 0]

    @cached_property
    def in_out(self) -> np.ndarray:
        """Return Rm (member, pool), what fills a pool over what empties it.

        Bloom & Williams (2015), eq. 10.
        """
        fills = _filling(self.model, self.trajectories.summed)
        inflow = self._means @ fills * (self.n_steps * self.step)
        return inflow / (inflow - self.final + self._snapshots[:, 0])


@cache
def _filling(model: Model, summed: tuple[str, ...]) -> np.ndarray:
    """Return (summed output, pool): 1 where the output fills the pool."""
    inflows = [model.inflows[pool] for pool in model.pools]
    return np.array([[float(name in names) for names in inflows] for name in summed])


def _exceeds(small: np.ndarray, large: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, np.log(small / large)) / _TOLERANCE


def _apart(a: np.ndarray, b: np.ndarray, within: float) -> np.ndarray:
    return np.maximum(0.0, np.abs(np.log(a / b)) - within) / _TOLERANCE


def turnover_order(run: Run) -> np.ndarray:
    """Soil carbon decays more slowly than litter is respired, and than litter is decomposed."""
    soil = run.parameter("soil_respiration")
    faster = (run.parameter("litter_respiration"), run.parameter("litter_decomposition"))
    return np.stack([_exceeds(soil, rate) for rate in faster], axis=1)


def leaf_wood_order(run: Run) -> np.ndarray:
    """Wood lives longer than leaves."""
    leaf_turnover = _PER_YEAR / run.parameter("leaf_life_span")
    return _exceeds(run.parameter("wood_turnover"), leaf_turnover)[:, None]


def root_som_order(run: Run) -> np.ndarray:
    """Fine roots turn over faster than soil carbon at the mean temperature."""
    warmth = np.exp(run.parameter("temperature_sensitivity") * run.mean_temperature)
    return _exceeds(run.parameter("soil_respiration") * warmth, run.parameter("root_turnover"))[
        :, None
    ]


def allocation_balance(run: Run) -> np.ndarray:
    """Leaves (with labile carbon) and roots get shares of NPP within a factor of five."""
    leaf = run.parameter("leaf_allocation")
    labile = (1.0 - leaf) * run.parameter("labile_allocation")
    root = (1.0 - leaf - labile) * run.parameter("root_allocation")
    return _apart(leaf + labile, root, _WITHIN)[:, None]


def leaf_root_balance(run: Run) -> np.ndarray:
    """Mean leaf and root carbon are within a factor of five."""
    return _apart(run.mean("c_leaf"), run.mean("c_root"), _WITHIN)[:, None]


def pool_growth(run: Run) -> np.ndarray:
    """No pool is filled at twice, or half, the rate that would keep its first size."""
    return np.log(run.in_out * run.drift) / _GROWTH


def pool_equilibrium(run: Run) -> np.ndarray:
    """The mean size of a pool, at the same date of every year, is near its first: no transient."""
    return np.log(run.drift) / _EQUILIBRIUM


def pool_bounds(run: Run) -> np.ndarray:
    """Pools stay below the largest size that their prior allows at the start."""
    limits = {p.name.replace("initial_", "c_"): p.max for p in run.model.parameters}
    return _exceeds(run.final, np.array([limits[pool] for pool in run.model.pools]))


CONSTRAINTS: dict[str, Callable[[Run], np.ndarray]] = {
    term.__name__: term
    for term in (
        turnover_order,
        leaf_wood_order,
        root_som_order,
        allocation_balance,
        leaf_root_balance,
        pool_growth,
        pool_equilibrium,
        pool_bounds,
    )
}
NAMES = tuple(CONSTRAINTS)


def needs(model: Model) -> tuple[str, ...]:
    """Return the outputs that have to be summed for the constraints."""
    inflows = [name for names in model.inflows.values() for name in names]
    return tuple(dict.fromkeys([*inflows, "c_leaf", "c_root"]))


def residuals(names: Sequence[str], run: Run) -> np.ndarray:
    """Return (member, residual) of the constraints switched on."""
    return np.concatenate([CONSTRAINTS[name](run) for name in names], axis=1)
