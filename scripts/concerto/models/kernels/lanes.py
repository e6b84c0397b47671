"""Lanes: many trajectories of one model side by side in the registers of one core.

A model is written once, as a scalar step on tuples of numbers. The driver made here keeps the
state of ``LANES`` trajectories in one flat buffer, slot by slot (``buffer[slot * LANES + lane]``),
and calls the step for every lane in an inner loop. With the number of lanes known at compile time
and all slots in one buffer, LLVM sees that the lanes cannot overlap and turns the loop into SIMD
code. Lanes carry ensemble members, chains, pixels or perturbed copies alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from concerto.models.kernels.caching import compile_closure
from concerto.models.kernels.elementary import FASTMATH

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


def _scatter(chosen: Sequence[int]) -> Callable:
    """Make the function that stores the ``chosen`` items of a tuple at ``start + k * stride``.

    What is not chosen is never stored, so LLVM need not even compute it.
    """

    @intrinsic
    def scatter(typing_context, buffer, start, stride, values):
        def codegen(context, builder, signature, args):
            pointer = _data(context, builder, signature.args[0], args[0])
            items = cgutils.unpack_tuple(builder, args[3])
            for k, item in enumerate(chosen):
                index = builder.add(args[1], builder.mul(args[2], ir.Constant(ir.IntType(64), k)))
                builder.store(items[item], builder.gep(pointer, [index]))
            return context.get_dummy_value()

        return types.void(buffer, types.int64, types.int64, values), codegen

    return scatter


def _data(context, builder, array_type, array):
    return context.make_array(array_type)(context, builder, array).data


def lane_driver(
    step: Callable,
    key: str,
    n_pools: int,
    n_constants: int,
    n_weather: int,
    recorded: Sequence[int],
    summed: Sequence[int],
) -> Callable:
    """Compile the time loop of a model over tiles of ``LANES`` trajectories.

    Parameters
    ----------
    step
        Compiled scalar function ``step(pools, constants, weather) -> (pools, outputs)`` on tuples
        of float64 with the lengths given.
    key
        Names the step, with a digest of its source: what its machine code is kept under.
    recorded, summed
        Indices of the outputs to keep at every step, and to add up over time.

    Returns
    -------
    Callable
        ``drive(pools, constants, weather, snapshots, record, totals, snaps)`` with

        - ``pools`` (tile, pool, lane): initial pools, overwritten by the final ones;
        - ``constants`` (tile, constant, lane); ``weather`` (time, n_weather), shared by all lanes;
        - ``record`` (tile, time, recorded, lane) and ``totals`` (tile, summed, lane);
        - ``snapshots`` (n_snapshots,) increasing step numbers before which the pools are copied
          to ``snaps`` (tile, n_snapshots, pool, lane).
    """
    n_recorded, n_summed = len(recorded), len(summed)
    constants_at = n_pools * LANES
    recorded_at = constants_at + n_constants * LANES
    summed_at = recorded_at + n_recorded * LANES
    total_at = summed_at + n_summed * LANES
    size = total_at + n_summed * LANES
    keep_pools = _scatter(range(n_pools))
    keep_recorded = _scatter(recorded)
    keep_summed = _scatter(summed)

    def drive(pools, constants, weather, snapshots, record, totals, snaps):
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
                now = _gather(forcing, t * n_weather, 1, n_weather)
                for lane in range(LANES):
                    new_pools, outputs = step(
                        _gather(buffer, lane, LANES, n_pools),
                        _gather(buffer, constants_at + lane, LANES, n_constants),
                        now,
                    )
                    keep_pools(buffer, lane, LANES, new_pools)
                    keep_recorded(buffer, recorded_at + lane, LANES, outputs)
                    keep_summed(buffer, summed_at + lane, LANES, outputs)
                for i in range(n_summed * LANES):
                    buffer[total_at + i] += buffer[summed_at + i]
                for j in range(n_recorded):
                    for lane in range(LANES):
                        record[tile, t, j, lane] = buffer[recorded_at + j * LANES + lane]
            pools[tile] = buffer[:constants_at].reshape(n_pools, LANES)
            totals[tile] = buffer[total_at:].reshape(n_summed, LANES)

    asked = hashlib.sha256(repr((list(recorded), list(summed))).encode()).hexdigest()[:12]
    return compile_closure(
        drive, f"{key}_{asked}", nogil=True, fastmath=FASTMATH, error_model="numpy"
    )


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
