"""Process models: what steps a location's state through time.

A model is one module here, with the scalar step and its preparation, and one file of parameters in
``config/models``. Both carry the model's name, and that is its registration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

import numpy as np
import yaml

from concerto import imports, plugins
from concerto.models.kernels.lanes import from_lanes, lane_driver, to_lanes


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model, as its file in ``config/models`` gives it.

    ``origin`` is a bound below ``min`` near which the model changes fast: samplers then see the
    logarithm of the distance to it. It does not change the prior.
    """

    name: str
    unit: str
    min: float
    max: float
    prior: str
    description: str
    source: str
    median: float | None = None
    factor: float | None = None
    origin: float = 0.0


@dataclass(frozen=True)
class Trajectories:
    """What a batch of runs left behind, still in lanes.

    ``record`` (tile, time, output, lane) holds the outputs ``names``; ``totals`` (tile, output,
    lane) the sums over time of the outputs ``summed``; ``snapshots`` (tile, date, pool, lane) the
    pools before the steps asked for, and ``pools`` (tile, pool, lane) those at the end.
    """

    members: int
    names: tuple[str, ...]
    summed: tuple[str, ...]
    record: np.ndarray
    totals: np.ndarray
    snapshots: np.ndarray
    pools: np.ndarray

    def series(self, name: str) -> np.ndarray:
        """Return the output ``name`` as (member, time)."""
        return from_lanes(self.record[:, :, self.names.index(name)], self.members)


@dataclass(frozen=True, eq=False)
class Model:
    """A process model: its parameters, and how to run any number of parameter sets at once."""

    name: str
    parameters: tuple[Parameter, ...]
    code: ModuleType

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the pools, gC m-2."""
        return self.code.POOLS

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of everything that a step reports; pools are those at its end."""
        return self.code.OUTPUTS

    @property
    def output_units(self) -> dict[str, str]:
        """Unit of each output."""
        return self.code.OUTPUT_UNITS

    @property
    def drivers(self) -> dict[str, str]:
        """Drivers that the model needs, with the unit it needs them in."""
        return self.code.DRIVERS

    @cached_property
    def parameter_names(self) -> list[str]:
        """Names of the parameters, in the order of a parameter vector."""
        return [parameter.name for parameter in self.parameters]

    def simulate(
        self,
        parameters: np.ndarray,
        weather: np.ndarray,
        outputs: Sequence[str],
        summed: Sequence[str] = (),
        snapshots: Sequence[int] = (),
    ) -> Trajectories:
        """Run the model once for each row of parameters.

        Parameters
        ----------
        parameters
            (member, parameter) in the units of the model's file.
        weather
            What the model's ``prepare_weather`` made, (time, variable).
        outputs, summed
            Names of the outputs to keep at every step, and to add up over time.
        snapshots
            Increasing step numbers before which the pools are kept.
        """
        initial, constants = self.code.prepare_parameters(parameters)
        pools = to_lanes(initial)
        tiles, n_pools, lanes = pools.shape
        record = np.empty((tiles, len(weather), len(outputs), lanes))
        totals = np.empty((tiles, len(summed), lanes))
        kept = np.empty((tiles, len(snapshots), n_pools, lanes))
        daily = bool(np.all(weather[:, self.code.Weather._fields.index("step")] == 1.0))
        drive = _driver(self.code, daily, tuple(outputs), tuple(summed))
        dates = np.array(snapshots, dtype=np.int64)
        drive(pools, to_lanes(constants), weather, dates, record, totals, kept)
        return Trajectories(
            len(parameters), tuple(outputs), tuple(summed), record, totals, kept, pools
        )


@cache
def _driver(
    code: ModuleType, daily: bool, outputs: tuple[str, ...], summed: tuple[str, ...]
) -> Callable:
    """Compile the time loop for what is asked of it, once in a process."""
    step = "daily_step" if daily else "step"
    file = Path(code.__file__)
    return lane_driver(
        getattr(code, step),
        f"{file.stem}_{step}_{imports.digest(file)}",
        len(code.POOLS),
        len(code.Constants._fields),
        len(code.Weather._fields),
        [code.OUTPUTS.index(name) for name in outputs],
        [code.OUTPUTS.index(name) for name in summed],
    )


def load_model(name: str, directory: str | Path) -> Model:
    """Return the model ``name``, with the parameters of ``directory/name.yaml``.

    Raises
    ------
    ConcertoError
        If no module of :mod:`concerto.models` has that name.
    """
    code = plugins.load("models", name)
    described = yaml.safe_load((Path(directory) / f"{name}.yaml").read_text(encoding="utf-8"))
    return Model(name, tuple(Parameter(**item) for item in described["parameters"]), code)
