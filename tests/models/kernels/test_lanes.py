import math
import re

import casadi as ca
import llvmlite.binding
import numba
import numpy as np
import pytest
from concerto.models.kernels.formula import Formula
from concerto.models.kernels.lanes import LANES, Loop, Placement, Pointwise, forward_driver
from hypothesis import given
from hypothesis import strategies as st

POOLS, CONSTANTS, WEATHER, TIMES = 2, 3, 2, 40
RECORDED, SUMMED = (0, 2, 3), (1, 2, 0)
SNAPSHOTS = (0, 7, 8, 39)


def toy():
    """Two pools, one of which feeds the other, and four outputs of which none equals another."""
    pools, constants, weather = (ca.SX.sym(n, k) for n, k in zip("pcw", (2, 3, 2), strict=True))
    loss = pools[0] * (1.0 - ca.exp(-constants[0] * weather[0]))
    first = pools[0] - loss + constants[1] * weather[1]
    second = pools[1] + loss - constants[2] * ca.log(1.0 + pools[1])
    outputs = (loss, first + second, first, second)
    recorded, summed = (ca.vertcat(*(outputs[k] for k in kept)) for kept in (RECORDED, SUMMED))
    return Formula((pools, constants, weather), (ca.vertcat(first, second), recorded, summed))


def toy_in_python(pools, constants, weather):
    loss = pools[0] * (1.0 - math.exp(-constants[0] * weather[0]))
    first = pools[0] - loss + constants[1] * weather[1]
    second = pools[1] + loss - constants[2] * math.log(1.0 + pools[1])
    return (first, second), (loss, first + second, first, second)


loop = Loop(forward_driver, toy(), None)


def inputs(members, seed=3):
    rng = np.random.default_rng(seed)
    pools = rng.uniform(10.0, 1000.0, (members, POOLS))
    constants = rng.uniform(0.01, 0.5, (members, CONSTANTS))
    weather = rng.uniform(0.1, 2.0, (TIMES, WEATHER))
    return pools, constants, weather


def run(pools, constants, weather, threads=1):
    """Return final pools, record, totals and snapshots, each with members first.

    ``weather`` is that of all members, or (cell, time, weather).
    """
    cells = weather if weather.ndim == 3 else weather[None]
    place = Placement(len(pools), len(cells))
    state = place.lay_out(pools)
    tiles = len(state)
    record = np.empty((tiles, TIMES, len(RECORDED), LANES))
    totals = np.empty((tiles, len(SUMMED), LANES))
    snaps = np.empty((tiles, len(SNAPSHOTS), POOLS, LANES))
    path = np.empty((tiles, 0, POOLS, LANES))
    arrays = (state, place.lay_out(constants), record, totals, snaps, path)
    forcing = place.lay_out_weather(cells) if place.mixed else cells
    loop.run(forcing, place.cells, SNAPSHOTS, arrays, threads)
    return [place.collect(values) for values in (state, record, totals, snaps)]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5))
def test_members_come_back_from_their_lanes(each, cells, slots):
    values = np.arange(cells * each * slots, dtype=float).reshape(cells * each, slots)
    place = Placement(cells * each, cells)
    lanes = place.lay_out(values)
    assert lanes.shape == (place.tiles, slots, LANES)
    assert lanes.flags.c_contiguous
    np.testing.assert_array_equal(place.collect(lanes), values)
    assert len(place) == cells * each


@given(st.integers(1, 40), st.integers(1, 9))
def test_every_lane_knows_the_cell_of_its_member(each, cells):
    place = Placement(cells * each, cells)
    members = place.lay_out(np.arange(cells * each)[:, None])[:, 0]
    if place.mixed:
        of_lane = place.lay_out_weather(np.arange(cells)[:, None, None])[:, 0, 0]
    else:
        of_lane = place.cells[:, None]
    np.testing.assert_array_equal(members // each - of_lane, 0)


def test_few_members_of_many_cells_share_tiles_and_many_do_not():
    assert Placement(10_000, 10_000).tiles == 10_000 // LANES
    assert Placement(4 * 8, 8).mixed
    assert Placement(20 * 8, 8).tiles == 16
    assert not Placement(20 * 8, 8).mixed


@pytest.mark.parametrize(("members", "cells"), [(7, 2), (0, 1), (2, 3)])
def test_members_that_cells_cannot_share_are_refused(members, cells):
    with pytest.raises(ValueError, match=f"{members} members .* {cells} cells"):
        Placement(members, cells)


@given(st.integers(1, 40))
def test_lanes_left_over_repeat_the_last_member(members):
    values = np.arange(2.0 * members).reshape(members, 2)
    lanes = Placement(members).lay_out(values)
    everyone = np.moveaxis(lanes, 2, 1).reshape(-1, 2)
    np.testing.assert_array_equal(everyone[members:] - values[-1], 0.0)


def test_nothing_can_be_collected_too():
    assert Placement(20).collect(np.empty((2, 0, LANES))).shape == (20, 0)


def test_inner_dimensions_survive():
    values = np.random.default_rng(1).random((3, 5, 2, LANES))
    back = Placement(40).collect(values)
    assert back.shape == (40, 5, 2)
    np.testing.assert_array_equal(back[LANES + 4], values[1, :, :, 4])


@pytest.mark.parametrize("each", [1, 3, 16, 21])
def test_cells_have_their_own_weather(each):
    cells = 7
    pools, constants, _ = inputs(cells * each)
    weather = np.random.default_rng(8).uniform(0.1, 2.0, (cells, TIMES, WEATHER))
    together = run(pools, constants, weather)
    for cell in range(cells):
        own = slice(cell * each, (cell + 1) * each)
        alone = run(pools[own], constants[own], weather[cell])
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_array_equal(all_of_them[own], one)


@pytest.mark.parametrize("each", [1, 20])
@pytest.mark.parametrize("threads", [2, 3, 40])
def test_number_of_threads_changes_no_bit(each, threads):
    pools, constants, _ = inputs(9 * each)
    weather = np.random.default_rng(8).uniform(0.1, 2.0, (9, TIMES, WEATHER))
    one, many = (run(pools, constants, weather, n) for n in (1, threads))
    for alone, shared in zip(one, many, strict=True):
        np.testing.assert_array_equal(shared, alone)


def test_results_are_those_of_the_step_alone():
    pools, constants, weather = inputs(21)
    final, record, totals, snaps = run(pools, constants, weather)
    for member in (0, 15, 16, 20):
        state, outputs = tuple(pools[member]), []
        for t, now in enumerate(weather):
            if t in SNAPSHOTS:
                kept = snaps[member, SNAPSHOTS.index(t)]
                np.testing.assert_allclose(kept, state, rtol=1e-12)
            state, out = toy_in_python(state, constants[member], now)
            outputs.append(out)
        outputs = np.array(outputs)
        np.testing.assert_allclose(final[member], state, rtol=1e-12)
        np.testing.assert_allclose(record[member], outputs[:, RECORDED], rtol=1e-12)
        np.testing.assert_allclose(totals[member], outputs[:, SUMMED].sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("members", [1, 16, 37])
def test_a_formula_of_every_lane(members):
    """Also of what only the C library has, and with an output that has nothing in it."""
    x, y = ca.SX.sym("x", 2), ca.SX.sym("y", 1)
    outputs = (ca.vertcat(ca.sin(x[0]) * y[0], ca.exp(x[1])), ca.SX(0, 1), ca.cos(y) + 1.0)
    formula, place = Formula((x, y), outputs), Placement(members)
    rng = np.random.default_rng(4)
    given = rng.normal(size=(members, 2)), rng.normal(size=(members, 1))
    found = Pointwise(formula, "toy").run(*map(place.lay_out, given))
    for mine, theirs in zip(found, formula.evaluate(*given), strict=True):
        np.testing.assert_allclose(place.collect(mine), theirs, rtol=1e-14)


def test_record_totals_snapshots_and_pools_agree():
    pools, constants, weather = inputs(19)
    final, record, totals, snaps = run(pools, constants, weather)
    ends = record[:, :, 1:]  # the outputs 2 and 3 are the pools at the end of each step
    np.testing.assert_array_equal(snaps[:, 0], pools)
    for k, date in enumerate(SNAPSHOTS[1:], 1):
        np.testing.assert_array_equal(snaps[:, k], ends[:, date - 1])
    np.testing.assert_array_equal(final, ends[:, -1])
    np.testing.assert_allclose(totals[:, 1], ends[:, :, 0].sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(totals[:, 2], record[:, :, 0].sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize("members", [1, 2, 15, 16, 17, 33])
def test_number_of_members_changes_no_bit(members):
    pools, constants, weather = inputs(40)
    every = run(pools, constants, weather)
    few = run(pools[:members], constants[:members], weather)
    for some, all_of_them in zip(few, every, strict=True):
        np.testing.assert_array_equal(some, all_of_them[:members])


def test_place_of_a_member_changes_no_bit():
    pools, constants, weather = inputs(37)
    before = run(pools, constants, weather)
    order = np.random.default_rng(5).permutation(37)
    after = run(pools[order], constants[order], weather)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old[order])


def test_lanes_do_not_touch_each_other():
    pools, constants, weather = inputs(20)
    healthy = run(pools, constants, weather)
    pools[5] = np.nan
    others = np.arange(20) != 5
    for with_nan, without in zip(run(pools, constants, weather), healthy, strict=True):
        np.testing.assert_array_equal(with_nan[others], without[others])
        assert np.isnan(with_nan[5]).all()


@pytest.mark.parametrize("kind", ["alike", "mixed"])
def test_the_inner_loop_is_vector_code(kind):
    if not any(llvmlite.binding.get_host_cpu_features().get(f) for f in ("avx2", "avx512f")):
        pytest.skip("the processor has no 256-bit registers for float64")
    pools, constants, weather = inputs(2)
    run(pools, constants, weather if kind == "alike" else np.stack([weather, weather]))
    assembly = "\n".join(getattr(loop, kind).inspect_asm().values())
    products = r"\bv(?:f[n]?m\w+|mul|div){}\b.*%{}"  # the driver itself multiplies no floats
    assert len(re.findall(products.format("pd", "[yz]mm"), assembly)) > 20
    assert not re.findall(products.format("sd", "xmm"), assembly)


def test_kept_code_knows_the_inputs_that_a_formula_does_not_use(tmp_path, monkeypatch):
    """Formulas alike but for an unused input have buffers of their own: they share no code."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    for size in (2, 3):
        x = ca.SX.sym("x", size)
        pointwise = Pointwise(Formula((x,), (x[0] * x[1],)), "unused")
        values = np.random.default_rng(4).uniform(1.0, 2.0, (3, size, LANES))
        (found,) = pointwise.run(values)
        np.testing.assert_array_equal(found[:, 0], values[:, 0] * values[:, 1])
    assert len(list(tmp_path.rglob("*.nbi"))) == 2
