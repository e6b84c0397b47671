"""Lanes: many trajectories of one model side by side in the registers of one core.

A model is one scalar step. The drivers made here keep the state of ``LANES`` trajectories in one
flat buffer, slot by slot (``buffer[slot * LANES + lane]``), and call the step for every lane in an
inner loop. With the number of lanes known at compile time and all slots in one buffer, LLVM sees
that the lanes cannot overlap and turns the loop into SIMD code. Lanes carry ensemble members,
chains, pixels or perturbed copies alike; a tile is ``LANES`` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from concerto.models.kernels.caching import compile_closure
from concerto.models.kernels.elementary import FASTMATH, OPERATIONS
from concerto.models.kernels.formula import Formula

LANES = 16
"""Trajectories in one tile: two to four vector registers of float64, on today's processors."""


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
    function = formula.function("kernel", OPERATIONS)
    return njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")(function)


def _sizes(vectors: Sequence) -> list[int]:
    return [vector.numel() for vector in vectors]


def forward_driver(step: Formula, key: str | None) -> Callable:
    """Compile the time loop of a model over tiles of ``LANES`` trajectories.

    Parameters
    ----------
    step
        (pools, constants, weather) -> (pools, recorded, summed).
    key
        Names the step, with a digest of its source: what its machine code is kept under.
        None keeps nothing.

    Returns
    -------
    Callable
        ``drive(pools, constants, weather, snapshots, record, totals, snaps, path)`` with

        - ``pools`` (tile, pool, lane): initial pools, overwritten by the final ones;
        - ``constants`` (tile, constant, lane); ``weather`` (time, n_weather), shared by all lanes;
        - ``record`` (tile, time, recorded, lane) and ``totals`` (tile, summed, lane);
        - ``snapshots`` (n_snapshots,) increasing step numbers before which the pools are copied
          to ``snaps`` (tile, n_snapshots, pool, lane);
        - ``path`` (tile, time, pool, lane): the pools before each step, for the adjoint; not
          written where its second dimension is 0.
    """
    kernel = _kernel(step)
    n_pools, n_constants, n_weather = _sizes(step.inputs)
    _, n_recorded, n_summed = _sizes(step.outputs)
    constants_at = n_pools * LANES
    recorded_at = constants_at + n_constants * LANES
    summed_at = recorded_at + n_recorded * LANES
    total_at = summed_at + n_summed * LANES
    size = total_at + n_summed * LANES

    def drive(pools, constants, weather, snapshots, record, totals, snaps, path):
        buffer = np.empty(size)
        forcing = weather.ravel()
        for tile in range(pools.shape[0]):
            buffer[:constants_at] = pools[tile].ravel()
            buffer[constants_at:recorded_at] = constants[tile].ravel()
            buffer[total_at:] = 0.0
            snapshot = 0
            for t in range(weather.shape[0]):
                if snapshot < snapshots.size and snapshots[snapshot] == t:
                    snaps[tile, snapshot] = buffer[:constants_at].reshape(n_pools, LANES)
                    snapshot += 1
                if path.shape[1] > 0:
                    for j in range(n_pools):
                        for lane in range(LANES):
                            path[tile, t, j, lane] = buffer[j * LANES + lane]
                now = _gather(forcing, t * n_weather, 1, n_weather)
                for lane in range(LANES):
                    new_pools, recorded, summed = kernel(
                        _gather(buffer, lane, LANES, n_pools),
                        _gather(buffer, constants_at + lane, LANES, n_constants),
                        now,
                    )
                    _scatter(buffer, lane, LANES, new_pools)
                    _scatter(buffer, recorded_at + lane, LANES, recorded)
                    _scatter(buffer, summed_at + lane, LANES, summed)
                for i in range(n_summed * LANES):
                    buffer[total_at + i] += buffer[summed_at + i]
                for j in range(n_recorded):
                    for lane in range(LANES):
                        record[tile, t, j, lane] = buffer[recorded_at + j * LANES + lane]
            pools[tile] = buffer[:constants_at].reshape(n_pools, LANES)
            totals[tile] = buffer[total_at:].reshape(n_summed, LANES)

    return compile_closure(drive, key, nogil=True, fastmath=FASTMATH, error_model="numpy")


def adjoint_driver(step: Formula, key: str | None) -> Callable:
    """Compile the time loop of the adjoint of a model, backwards from the end.

    Parameters
    ----------
    step, key
        As in :func:`forward_driver`.

    Returns
    -------
    Callable
        ``drive(pools, constants, weather, snapshots, record, totals, snaps, path)`` with weights
        where the forward driver has results: the sensitivities of one number to the final
        ``pools``, to ``record``, ``totals`` and ``snaps``. ``path`` is what the forward driver
        left. It overwrites ``pools`` with the gradient with respect to the initial pools and
        ``constants`` with that with respect to the constants.
    """
    kernel = _kernel(step.adjoint((0, 1)))
    n_pools, n_constants, n_weather = _sizes(step.inputs)
    _, n_recorded, n_summed = _sizes(step.outputs)
    constants_at = n_pools * LANES
    weights_at = constants_at + n_constants * LANES
    recorded_at = weights_at + n_pools * LANES
    summed_at = recorded_at + n_recorded * LANES
    change_at = summed_at + n_summed * LANES
    gradient_at = change_at + n_constants * LANES
    size = gradient_at + n_constants * LANES

    def drive(pools, constants, weather, snapshots, record, totals, snaps, path):
        buffer = np.empty(size)
        forcing = weather.ravel()
        for tile in range(pools.shape[0]):
            buffer[constants_at:weights_at] = constants[tile].ravel()
            buffer[weights_at:recorded_at] = pools[tile].ravel()
            buffer[summed_at:change_at] = totals[tile].ravel()
            buffer[gradient_at:] = 0.0
            snapshot = snapshots.size - 1
            for t in range(weather.shape[0] - 1, -1, -1):
                for j in range(n_pools):
                    for lane in range(LANES):
                        buffer[j * LANES + lane] = path[tile, t, j, lane]
                for j in range(n_recorded):
                    for lane in range(LANES):
                        buffer[recorded_at + j * LANES + lane] = record[tile, t, j, lane]
                now = _gather(forcing, t * n_weather, 1, n_weather)
                for lane in range(LANES):
                    to_pools, to_constants = kernel(
                        _gather(buffer, lane, LANES, n_pools),
                        _gather(buffer, constants_at + lane, LANES, n_constants),
                        now,
                        _gather(buffer, weights_at + lane, LANES, n_pools),
                        _gather(buffer, recorded_at + lane, LANES, n_recorded),
                        _gather(buffer, summed_at + lane, LANES, n_summed),
                    )
                    _scatter(buffer, weights_at + lane, LANES, to_pools)
                    _scatter(buffer, change_at + lane, LANES, to_constants)
                for i in range(n_constants * LANES):
                    buffer[gradient_at + i] += buffer[change_at + i]
                if snapshot >= 0 and snapshots[snapshot] == t:
                    for j in range(n_pools):
                        for lane in range(LANES):
                            buffer[weights_at + j * LANES + lane] += snaps[tile, snapshot, j, lane]
                    snapshot -= 1
            pools[tile] = buffer[weights_at:recorded_at].reshape(n_pools, LANES)
            constants[tile] = buffer[gradient_at:].reshape(n_constants, LANES)

    return compile_closure(drive, key, nogil=True, fastmath=FASTMATH, error_model="numpy")


def to_lanes(values: np.ndarray) -> np.ndarray:
    """Lay (member, slot) out as (tile, slot, lane); the last tile repeats the last member."""
    members, slots = values.shape
    tiles = -(-members // LANES)
    padded = np.concatenate([values, np.repeat(values[-1:], tiles * LANES - members, axis=0)])
    return np.ascontiguousarray(padded.reshape(tiles, LANES, slots).transpose(0, 2, 1))


def from_lanes(values: np.ndarray, members: int) -> np.ndarray:
    """Return (tile, ..., lane) as (member, ...), without the padding of the last tile."""
    moved = np.moveaxis(values, -1, 1)
    return moved.reshape(-1, *moved.shape[2:])[:members]
