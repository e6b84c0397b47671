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
from functools import cached_property

import numpy as np

from concerto.models import Model, Trajectories
from concerto.models.kernels.lanes import from_lanes

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
        return from_lanes(self.trajectories.totals, self.trajectories.members) / self.n_steps

    @cached_property
    def _snapshots(self) -> np.ndarray:
        return from_lanes(self.trajectories.snapshots, self.trajectories.members)

    @cached_property
    def _finals(self) -> np.ndarray:
        return from_lanes(self.trajectories.pools, self.trajectories.members)

    def parameter(self, name: str) -> np.ndarray:
        """Return (member,) values of a parameter."""
        return self.parameters[:, self.model.parameter_names.index(name)]

    def mean(self, output: str) -> np.ndarray:
        """Return (member,) means over time of an output, one of those summed."""
        return self._means[:, self.trajectories.summed.index(output)]

    def snapshots(self, pool: str) -> np.ndarray:
        """Return (member, year) sizes of a pool at the same date of successive years."""
        return self._snapshots[:, :, self.model.pools.index(pool)]

    def final(self, pool: str) -> np.ndarray:
        """Return (member,) sizes of a pool at the end."""
        return self._finals[:, self.model.pools.index(pool)]


def _exceeds(small: np.ndarray, large: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, np.log(small / large)) / _TOLERANCE


def _apart(a: np.ndarray, b: np.ndarray, within: float) -> np.ndarray:
    return np.maximum(0.0, np.abs(np.log(a / b)) - within) / _TOLERANCE


def turnover_order(run: Run) -> list[np.ndarray]:
    """Soil carbon decays more slowly than litter is respired, and than litter is decomposed."""
    soil = run.parameter("soil_respiration")
    return [
        _exceeds(soil, run.parameter("litter_respiration")),
        _exceeds(soil, run.parameter("litter_decomposition")),
    ]


def leaf_wood_order(run: Run) -> list[np.ndarray]:
    """Wood lives longer than leaves."""
    leaf_turnover = _PER_YEAR / run.parameter("leaf_life_span")
    return [_exceeds(run.parameter("wood_turnover"), leaf_turnover)]


def root_som_order(run: Run) -> list[np.ndarray]:
    """Fine roots turn over faster than soil carbon at the mean temperature."""
    warmth = np.exp(run.parameter("temperature_sensitivity") * run.mean_temperature)
    return [_exceeds(run.parameter("soil_respiration") * warmth, run.parameter("root_turnover"))]


def allocation_balance(run: Run) -> list[np.ndarray]:
    """Leaves (with labile carbon) and roots get shares of NPP within a factor of five."""
    leaf = run.parameter("leaf_allocation")
    labile = (1.0 - leaf) * run.parameter("labile_allocation")
    root = (1.0 - leaf - labile) * run.parameter("root_allocation")
    return [_apart(leaf + labile, root, _WITHIN)]


def leaf_root_balance(run: Run) -> list[np.ndarray]:
    """Mean leaf and root carbon are within a factor of five."""
    return [_apart(run.mean("c_leaf"), run.mean("c_root"), _WITHIN)]


def pool_growth(run: Run) -> list[np.ndarray]:
    """No pool is filled at twice, or half, the rate that would keep its first size."""
    return [np.log(_in_out(run, pool) * _drift(run, pool)) / _GROWTH for pool in run.model.pools]


def pool_equilibrium(run: Run) -> list[np.ndarray]:
    """The mean size of a pool, at the same date of every year, is near its first: no transient."""
    return [np.log(_drift(run, pool)) / _EQUILIBRIUM for pool in run.model.pools]


def pool_bounds(run: Run) -> list[np.ndarray]:
    """Pools stay below the largest size that their prior allows at the start."""
    limits = {p.name.replace("initial_", "c_"): p.max for p in run.model.parameters}
    return [_exceeds(run.final(pool), np.array(limits[pool])) for pool in run.model.pools]


def _in_out(run: Run, pool: str) -> np.ndarray:
    """Return Rm, what fills a pool over what empties it (Bloom & Williams 2015, eq. 10)."""
    inflow = sum(run.mean(name) for name in run.model.code.INFLOWS[pool])
    inflow = inflow * run.n_steps * run.step
    return inflow / (inflow - run.final(pool) + run.snapshots(pool)[:, 0])


def _drift(run: Run, pool: str) -> np.ndarray:
    """Return Rs/Rm, the mean size of a pool over its first (Bloom & Williams 2015, eq. 12)."""
    sizes = run.snapshots(pool)
    return sizes.mean(axis=1) / sizes[:, 0]


CONSTRAINTS: dict[str, Callable[[Run], list[np.ndarray]]] = {
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
    inflows = [name for names in model.code.INFLOWS.values() for name in names]
    return tuple(dict.fromkeys([*inflows, "c_leaf", "c_root"]))


def residuals(names: Sequence[str], run: Run) -> np.ndarray:
    """Return (member, residual) of the constraints switched on."""
    return np.stack([column for name in names for column in CONSTRAINTS[name](run)], axis=1)
