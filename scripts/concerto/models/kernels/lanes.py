"""Lanes: many trajectories of one model side by side in the registers of one core.

A model is one scalar step. The drivers made here keep the state of ``LANES`` trajectories in one
flat buffer, slot by slot (``buffer[slot * LANES + lane]``), and call the step for every lane in an
inner loop. With the number of lanes known at compile time and all slots in one buffer, LLVM sees
that the lanes cannot overlap and turns the loop into SIMD code. Lanes carry ensemble members,
chains, pixels or perturbed copies alike; a tile is ``LANES`` of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import casadi as ca
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from concerto.models.kernels.caching import compile_closure
from concerto.models.kernels.elementary import FASTMATH, OPERATIONS
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.stages import linearise

LANES = 16
"""Trajectories in one tile: two to four vector registers of float64, on today's processors."""

# Of the C library, a lane at a time: for what is done once in a run, not in its steps.
_CALLS = {"sin": math.sin, "cos": math.cos}


@intrinsic(prefer_literal=True)
def _gather(typing_context, buffer, start, stride, count):
    """Return the ``count`` numbers ``buffer[start + k * stride]`` as a tuple."""
    n = count.literal_value
    result = types.UniTuple(types.float64, n)

    def codegen(context, builder, signature, args):
        pointer = _data(context, builder, signature.args[0], args[0])
        items = []
        for k in range(n):
            index = builder.add(args[1], builder.mul(args[2], ir.Constant(ir.IntType(64), k)))
            items.append(builder.load(builder.gep(pointer, [index])))
        return context.make_tuple(builder, result, items)

    return result(buffer, types.int64, types.int64, count), codegen


@intrinsic
def _scatter(typing_context, buffer, start, stride, values):
    """Store the items of a tuple at ``buffer[start + k * stride]``."""

    def codegen(context, builder, signature, args):
        pointer = _data(context, builder, signature.args[0], args[0])
        for k, item in enumerate(cgutils.unpack_tuple(builder, args[3])):
            index = builder.add(args[1], builder.mul(args[2], ir.Constant(ir.IntType(64), k)))
            builder.store(item, builder.gep(pointer, [index]))
        return context.get_dummy_value()

    return types.void(buffer, types.int64, types.int64, values), codegen


def _data(context, builder, array_type, array):
    return context.make_array(array_type)(context, builder, array).data


def _kernel(formula: Formula) -> Callable:
    """Compile a formula as a scalar function that is always inlined."""
    function = formula.function("kernel", _CALLS | OPERATIONS)
    return njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")(function)


def _sizes(vectors: Sequence) -> list[int]:
    return [vector.numel() for vector in vectors]


@njit(forceinline=True)
def _copy(target, to, source, start, count):
    for i in range(count):
        target[to + i] = source[start + i]


def forward_driver(step: Formula, key: str | None, mixed: bool = False) -> Callable:
    """Compile the time loop of a model over tiles of ``LANES`` trajectories.

    Parameters
    ----------
    step
        (pools, constants, weather) -> (pools, recorded, summed).
    key
        Names the step, with a digest of its source: what its machine code is kept under.
        None keeps nothing.
    mixed
        Whether the lanes of a tile are in different cells, each with weather of its own.

    Returns
    -------
    Callable
        ``drive(weather, cells, snapshots, pools, constants, record, totals, snaps, path)`` with

        - ``weather`` (cell, time, n_weather), of which ``cells`` (tile,) says each tile's cell; if
          ``mixed``, (tile, time, n_weather, lane), and ``cells`` the number of each tile;
        - ``snapshots`` (n_snapshots,) increasing step numbers before which the pools are copied
          to ``snaps`` (tile, n_snapshots, pool, lane);
        - ``pools`` (tile, pool, lane): initial pools, overwritten by the final ones;
        - ``constants`` (tile, constant, lane);
        - ``record`` (tile, time, recorded, lane) and ``totals`` (tile, summed, lane);
        - ``path`` (tile, time, pool, lane): the pools before each step, for the adjoint; not
          written where its second dimension is 0.
    """
    kernel = _kernel(step)
    n_pools, n_constants, n_weather = _sizes(step.inputs)
    _, n_recorded, n_summed = _sizes(step.outputs)
    in_pools, in_constants, in_weather, in_record, in_sum = (
        n * LANES for n in (n_pools, n_constants, n_weather if mixed else 0, n_recorded, n_summed)
    )
    constants_at = in_pools
    weather_at = constants_at + in_constants
    recorded_at = weather_at + in_weather
    summed_at = recorded_at + in_record
    total_at = summed_at + in_sum
    size = total_at + in_sum

    def drive(weather, cells, snapshots, pools, constants, record, totals, snaps, path):
        buffer = np.empty(size)
        forcing, times = weather.ravel(), weather.shape[1]
        for tile in range(pools.shape[0]):
            _copy(buffer, 0, pools[tile].ravel(), 0, in_pools)
            _copy(buffer, constants_at, constants[tile].ravel(), 0, in_constants)
            buffer[total_at:] = 0.0
            kept, series, way = snaps[tile].ravel(), record[tile].ravel(), path[tile].ravel()
            snapshot = 0
            for t in range(times):
                if snapshot < snapshots.size and snapshots[snapshot] == t:
                    _copy(kept, snapshot * in_pools, buffer, 0, in_pools)
                    snapshot += 1
                if path.shape[1] > 0:
                    _copy(way, t * in_pools, buffer, 0, in_pools)
                if mixed:
                    now = (cells[tile] * times + t) * in_weather
                    _copy(buffer, weather_at, forcing, now, in_weather)
                    common = _gather(forcing, 0, 0, n_weather)
                else:
                    common = _gather(forcing, (cells[tile] * times + t) * n_weather, 1, n_weather)
                for lane in range(LANES):
                    new_pools, recorded, summed = kernel(
                        _gather(buffer, lane, LANES, n_pools),
                        _gather(buffer, constants_at + lane, LANES, n_constants),
                        _gather(buffer, weather_at + lane, LANES, n_weather) if mixed else common,
                    )
                    _scatter(buffer, lane, LANES, new_pools)
                    _scatter(buffer, recorded_at + lane, LANES, recorded)
                    _scatter(buffer, summed_at + lane, LANES, summed)
                for i in range(in_sum):
                    buffer[total_at + i] += buffer[summed_at + i]
                _copy(series, t * in_record, buffer, recorded_at, in_record)
            _copy(pools[tile].ravel(), 0, buffer, 0, in_pools)
            _copy(totals[tile].ravel(), 0, buffer, total_at, in_sum)

    return compile_closure(drive, key, nogil=True, fastmath=FASTMATH, error_model="numpy")


def adjoint_driver(step: Formula, key: str | None, mixed: bool = False) -> Callable:
    """Compile the time loop of the adjoint of a model, backwards from the end.

    Parameters
    ----------
    step, key, mixed
        As in :func:`forward_driver`.

    Returns
    -------
    Callable
        ``drive(weather, cells, snapshots, pools, constants, record, totals, snaps, path)`` with
        weights where the forward driver has results: the sensitivities of one number to the final
        ``pools``, to ``record``, ``totals`` and ``snaps``. ``path`` is what the forward driver
        left. It overwrites ``pools`` with the gradient with respect to the initial pools and
        ``constants`` with that with respect to the constants.
    """
    kernel = _kernel(step.adjoint((0, 1)))
    n_pools, n_constants, n_weather = _sizes(step.inputs)
    _, n_recorded, n_summed = _sizes(step.outputs)
    in_pools, in_constants, in_weather, in_record, in_sum = (
        n * LANES for n in (n_pools, n_constants, n_weather if mixed else 0, n_recorded, n_summed)
    )
    constants_at = in_pools
    weather_at = constants_at + in_constants
    weights_at = weather_at + in_weather
    recorded_at = weights_at + in_pools
    summed_at = recorded_at + in_record
    change_at = summed_at + in_sum
    gradient_at = change_at + in_constants
    size = gradient_at + in_constants

    def drive(weather, cells, snapshots, pools, constants, record, totals, snaps, path):
        buffer = np.empty(size)
        forcing, times = weather.ravel(), weather.shape[1]
        for tile in range(pools.shape[0]):
            _copy(buffer, constants_at, constants[tile].ravel(), 0, in_constants)
            _copy(buffer, weights_at, pools[tile].ravel(), 0, in_pools)
            _copy(buffer, summed_at, totals[tile].ravel(), 0, in_sum)
            buffer[gradient_at:] = 0.0
            kept, series, way = snaps[tile].ravel(), record[tile].ravel(), path[tile].ravel()
            snapshot = snapshots.size - 1
            for t in range(times - 1, -1, -1):
                _copy(buffer, 0, way, t * in_pools, in_pools)
                _copy(buffer, recorded_at, series, t * in_record, in_record)
                if mixed:
                    now = (cells[tile] * times + t) * in_weather
                    _copy(buffer, weather_at, forcing, now, in_weather)
                    common = _gather(forcing, 0, 0, n_weather)
                else:
                    common = _gather(forcing, (cells[tile] * times + t) * n_weather, 1, n_weather)
                for lane in range(LANES):
                    to_pools, to_constants = kernel(
                        _gather(buffer, lane, LANES, n_pools),
                        _gather(buffer, constants_at + lane, LANES, n_constants),
                        _gather(buffer, weather_at + lane, LANES, n_weather) if mixed else common,
                        _gather(buffer, weights_at + lane, LANES, n_pools),
                        _gather(buffer, recorded_at + lane, LANES, n_recorded),
                        _gather(buffer, summed_at + lane, LANES, n_summed),
                    )
                    _scatter(buffer, weights_at + lane, LANES, to_pools)
                    _scatter(buffer, change_at + lane, LANES, to_constants)
                for i in range(in_constants):
                    buffer[gradient_at + i] += buffer[change_at + i]
                if snapshot >= 0 and snapshots[snapshot] == t:
                    for i in range(in_pools):
                        buffer[weights_at + i] += kept[snapshot * in_pools + i]
                    snapshot -= 1
            _copy(pools[tile].ravel(), 0, buffer, weights_at, in_pools)
            _copy(constants[tile].ravel(), 0, buffer, gradient_at, in_constants)

    return compile_closure(drive, key, nogil=True, fastmath=FASTMATH, error_model="numpy")


def tangent_driver(step: Formula, key: str | None) -> Callable:
    """Compile the time loop of a model and its derivative along the directions of a tile.

    The run itself and the slopes of its step are computed once for each member, as single numbers;
    lanes hold directions, in as many tiles as it takes, the same for all members.

    Parameters
    ----------
    step, key
        As in :func:`forward_driver`.

    Returns
    -------
    Callable
        ``drive(weather, cells, snapshots, state, fixed, pools, constants, record, totals, snaps)``
        with ``state`` (member, pool) and ``fixed`` (member, constant), the initial pools and the
        constants of the run; ``cells`` (member,); the others as in :func:`forward_driver`, for
        changes, and (member, tile, ...) for (tile, ...).
    """
    base, change = (_kernel(part) for part in linearise(step))
    n_pools, n_constants, n_weather = _sizes(step.inputs)
    _, n_recorded, n_summed = _sizes(step.outputs)
    in_pools, in_constants, in_record, in_sum = (
        n * LANES for n in (n_pools, n_constants, n_recorded, n_summed)
    )
    constants_at = in_pools
    recorded_at = constants_at + in_constants
    summed_at = recorded_at + in_record
    total_at = summed_at + in_sum
    size = total_at + in_sum

    def drive(weather, cells, snapshots, state, fixed, pools, constants, record, totals, snaps):
        tiles = pools.shape[1]
        buffer, now_at = np.empty(tiles * size), np.empty(n_pools)
        forcing, series, times = weather.ravel(), record.ravel(), weather.shape[1]
        for member in range(pools.shape[0]):
            now_at[:] = state[member]
            known = _gather(fixed.ravel(), member * n_constants, 1, n_constants)
            buffer[:] = 0.0
            for tile in range(tiles):
                at = tile * size
                _copy(buffer, at, pools[member, tile].ravel(), 0, in_pools)
                _copy(buffer, at + constants_at, constants[member, tile].ravel(), 0, in_constants)
            snapshot = 0
            for t in range(times):
                if snapshot < snapshots.size and snapshots[snapshot] == t:
                    for tile in range(tiles):
                        kept = snaps[member, tile].ravel()
                        _copy(kept, snapshot * in_pools, buffer, tile * size, in_pools)
                    snapshot += 1
                after, slopes = base(
                    _gather(now_at, 0, 1, n_pools),
                    known,
                    _gather(forcing, (cells[member] * times + t) * n_weather, 1, n_weather),
                )
                _scatter(now_at, 0, 1, after)
                for tile in range(tiles):
                    part = buffer[tile * size : (tile + 1) * size]
                    for lane in range(LANES):
                        new_pools, recorded, summed = change(
                            _gather(part, lane, LANES, n_pools),
                            _gather(part, constants_at + lane, LANES, n_constants),
                            slopes,
                        )
                        _scatter(part, lane, LANES, new_pools)
                        _scatter(part, recorded_at + lane, LANES, recorded)
                        _scatter(part, summed_at + lane, LANES, summed)
                    for i in range(in_sum):
                        part[total_at + i] += part[summed_at + i]
                    now = (member * tiles + tile) * times + t
                    _copy(series, now * in_record, part, recorded_at, in_record)
            for tile in range(tiles):
                at = tile * size
                _copy(pools[member, tile].ravel(), 0, buffer, at, in_pools)
                _copy(totals[member, tile].ravel(), 0, buffer, at + total_at, in_sum)

    return compile_closure(drive, key, nogil=True, fastmath=FASTMATH, error_model="numpy")


def pointwise_driver(formula: Formula, key: str | None) -> Callable:
    """Compile a formula of one vector over tiles: ``drive(values, results)``.

    ``formula`` turns ``values`` (tile, input, lane) into ``results`` (tile, output, lane); ``key``
    as in :func:`forward_driver`.
    """
    kernel = _kernel(formula)
    (n_values,), (n_results,) = _sizes(formula.inputs), _sizes(formula.outputs)
    in_values, in_results = n_values * LANES, n_results * LANES

    def drive(values, results):
        buffer = np.empty(in_values + in_results)
        for tile in range(values.shape[0]):
            _copy(buffer, 0, values[tile].ravel(), 0, in_values)
            for lane in range(LANES):
                (found,) = kernel(_gather(buffer, lane, LANES, n_values))
                _scatter(buffer, in_values + lane, LANES, found)
            _copy(results[tile].ravel(), 0, buffer, in_values, in_results)

    return compile_closure(drive, key, nogil=True, fastmath=FASTMATH, error_model="numpy")


class Placement:
    """Which lane holds which member of a batch.

    Members are in the order of the cells, as many in each. Where there are enough of them, every
    cell has tiles of its own; otherwise the lanes of a tile are ``mixed``. Lanes left over repeat
    the member before them.

    Parameters
    ----------
    members, cells
        How many there are.
    mixed
        Whether cells with few members may share tiles.

    Raises
    ------
    ValueError
        If the members cannot be shared out evenly among the cells.
    """

    def __init__(self, members: int, cells: int = 1, *, mixed: bool = True) -> None:
        each, left = divmod(members, cells)
        if left or not each:
            raise ValueError(f"{members} members do not share {cells} cells evenly")
        self.mixed = mixed and cells > 1 and each < LANES
        groups = np.arange(members).reshape((1, members) if self.mixed else (cells, each))
        held = groups.shape[1]
        room = -(-held // LANES) * LANES
        self._members = groups[:, np.minimum(np.arange(room), held - 1)].reshape(-1, LANES)
        # of one group the first lanes, which need no copy
        lanes = (room * np.arange(len(groups))[:, None] + np.arange(held)).ravel()
        self._lanes = slice(held) if len(groups) == 1 else lanes
        self.cell = np.arange(members) // each
        """Cell of each member."""

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return len(self._members)

    @property
    def cells(self) -> np.ndarray:
        """Cell of each tile, or its own number where the lanes are mixed."""
        return np.arange(self.tiles) if self.mixed else self.cell[self._members[:, 0]]

    def lay_out_weather(self, weather: np.ndarray) -> np.ndarray:
        """Lay (cell, time, variable) out as (tile, time, variable, lane)."""
        return np.ascontiguousarray(weather[self.cell[self._members]].transpose(0, 2, 3, 1))

    def lay_out(self, values: np.ndarray) -> np.ndarray:
        """Lay (member, slot) out as (tile, slot, lane)."""
        return np.ascontiguousarray(values[self._members].transpose(0, 2, 1))

    def collect(self, values: np.ndarray) -> np.ndarray:
        """Return (tile, ..., lane) as (member, ...)."""
        moved = values.transpose(0, values.ndim - 1, *range(1, values.ndim - 1))
        return moved.reshape(LANES * self.tiles, *moved.shape[2:])[self._lanes]

    def collect_by_cell(self, values: np.ndarray) -> np.ndarray:
        """Return (tile, slot, lane) as (cell, slot, member of the cell); of lanes not mixed."""
        cells = self.cell[-1] + 1
        moved = values.reshape(cells, -1, *values.shape[1:]).swapaxes(1, 2)
        return moved.reshape(cells, values.shape[1], -1)[:, :, : len(self) // cells]

    def spread_over(self, directions: Placement) -> Callable[[np.ndarray], np.ndarray]:
        """Return what lays values of members out over tiles of their directions.

        ``directions`` has a tile or more of directions for each member here; the function turns
        (tile, slot, lane) of members into (tile, slot, lane) with a member's in all lanes.
        """

        def spread(values: np.ndarray) -> np.ndarray:
            of_members = self.collect(values)[directions.cells]
            return np.repeat(of_members[:, :, None], LANES, axis=2)

        return spread


def _key(formula: Formula, name: str | None, kind: str = "pointwise") -> str | None:
    """Return what machine code is kept under: with a digest of all that it follows from.

    Sizes among it: an input that the formula does not use has no place in its source, but has one
    in the buffers.
    """
    if name is None:
        return None
    written = hashlib.sha256(formula.source("step").encode())
    written.update(repr([_sizes(formula.inputs), _sizes(formula.outputs)]).encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):  # what derives and compiles it
        written.update(file.read_bytes())
    return f"{name}_{kind}_{written.hexdigest()[:12]}"


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A formula that every lane goes through once, compiled when it is first run.

    The machine code is kept on disk under ``name``, as that of a :class:`Loop`.
    """

    formula: Formula
    name: str

    @cached_property
    def _drive(self) -> Callable:
        whole = Formula(
            *((ca.vertcat(*part),) for part in (self.formula.inputs, self.formula.outputs))
        )
        return pointwise_driver(whole, _key(whole, self.name))

    @cached_property
    def _parts(self) -> list[slice]:
        """Slots of each output among those of all."""
        ends = np.cumsum([0, *_sizes(self.formula.outputs)]).tolist()
        return [slice(*pair) for pair in pairwise(ends)]

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Return the formula's outputs of its inputs, all (tile, slot, lane)."""
        values = np.concatenate(inputs, axis=1)
        results = np.empty((len(values), self._parts[-1].stop, LANES))
        self._drive(values, results)
        return [np.ascontiguousarray(results[:, part]) for part in self._parts]


@dataclass(frozen=True)
class Loop:
    """A time loop over a step, compiled when it is first run.

    ``build`` is the function of this module that makes the driver of ``step``. The machine code is
    kept on disk under ``name``, which tells people what it is; None keeps nothing.
    """

    build: Callable
    step: Formula
    name: str | None

    @cached_property
    def alike(self) -> Callable:
        """The driver for tiles whose lanes are all in one cell."""
        return self.build(self.step, _key(self.step, self.name, "alike"))

    @cached_property
    def mixed(self) -> Callable:
        """The driver for tiles whose lanes are in several cells."""
        return self.build(self.step, _key(self.step, self.name, "mixed"), mixed=True)

    def run(
        self,
        weather: np.ndarray,
        cells: np.ndarray,
        dates: Sequence[int],
        tiles: Sequence[np.ndarray],
        threads: int = 1,
    ) -> None:
        """Run the loop over all tiles.

        Parameters
        ----------
        weather, cells
            As the driver takes them; with four dimensions, of tiles with mixed lanes.
        dates
            Increasing step numbers of the snapshots.
        tiles
            What the driver takes besides, tiles first; read and overwritten as is said there.
        threads
            Among how many to share the tiles; the results are the same to the last bit.
        """
        drive = self.mixed if weather.ndim == 4 else self.alike
        steps = np.array(dates, dtype=np.int64)

        def work(share: slice) -> None:
            drive(weather, cells[share], steps, *(array[share] for array in tiles))

        if threads == 1:
            work(slice(None))
            return
        ends = np.linspace(0, len(cells), threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, (slice(*pair) for pair in pairwise(ends))))
