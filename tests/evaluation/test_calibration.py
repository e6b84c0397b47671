"""Ranks of truths, the bands of their distribution, and what the test of both finds."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from concerto.assimilation.posterior import Posterior
from concerto.errors import ConcertoError
from concerto.evaluation.calibration import (
    LEVEL,
    band,
    ecdf,
    effective_draws,
    holm,
    judge_methods,
    method_summary,
    p_value,
    ranks,
    spread_evenly,
    verdict,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

DRAWS, TRUTHS = 99, 200


def test_rank_is_the_number_of_draws_below():
    draws = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    found = ranks(np.array([2.5, 4.0]), draws, np.random.default_rng(0))
    np.testing.assert_array_equal(found, [2, 0])


def test_ties_take_any_place():
    draws = np.array([0.0, 1.0, 1.0, 1.0, 2.0])[:, None]
    rng = np.random.default_rng(1)
    found = [int(ranks(np.array([1.0]), draws, rng)[0]) for _ in range(4000)]
    counts = np.bincount(found, minlength=6)
    assert counts[[0, 5]].sum() == 0
    assert (np.abs(counts[1:5] - 1000) < 5.0 * np.sqrt(4000 * 0.25 * 0.75)).all()


VALUES = st.floats(-3, 3, allow_subnormal=False) | st.sampled_from([0.0, 1.0])


@given(arrays(float, (2, 3), elements=VALUES), arrays(float, (7, 3), elements=VALUES))
def test_ranks_lie_among_the_draws_and_keep_their_order(truths, draws):
    low, high = np.sort(truths, axis=0)
    one, other = (ranks(values, draws, np.random.default_rng(2)) for values in (low, high))
    for found in (one, other):
        assert ((found >= 0) & (found <= 7)).all()
    assert (one <= other)[low < high].all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(ConcertoError, match="found 1 values that are not finite"):
        ranks(np.array([0.0]), np.array([[0.5], [value]]), np.random.default_rng(3))


def posterior(chain, ess):
    members = len(chain)
    nothing = np.full(len(ess), np.nan)
    return Posterior(
        np.zeros((members, len(ess))), np.zeros(members), np.asarray(chain), True, "",
        nothing, np.asarray(ess, dtype=float), nothing,
    )  # fmt: skip


def test_thinning_takes_from_all_chains_evenly():
    chain = np.tile([0, 1, 2, 3], 50)
    chosen = spread_evenly(posterior(chain, [150.0, 90.0]), 20)
    assert len(set(chosen)) == 20
    np.testing.assert_array_equal(np.bincount(chain[chosen]), [5, 5, 5, 5])
    for k in range(4):
        assert set(np.diff(np.sort(chosen[chain[chosen] == k]))) == {40}


def test_thinning_of_an_ensemble_counts_every_member():
    chosen = spread_evenly(posterior(np.zeros(50, dtype=int), [np.nan, np.nan]), 50)
    np.testing.assert_array_equal(chosen, np.arange(50))


def test_too_few_members_are_refused():
    with pytest.raises(ConcertoError, match="found 10 draws of the posterior; expected 20"):
        spread_evenly(posterior(np.zeros(10, dtype=int), [500.0]), 20)


def test_independent_draws_are_those_of_the_worst_parameter_or_all_members():
    assert effective_draws(posterior(np.zeros(200, dtype=int), [100.0, 19.0])) == 19.0
    assert effective_draws(posterior(np.zeros(30, dtype=int), [100.0, 80.0])) == 30.0
    assert effective_draws(posterior(np.zeros(50, dtype=int), [np.nan, np.nan])) == 50.0


def test_methods_are_judged_one_by_one():
    """One whose ranks are uniform, and one whose posteriors are too narrow in one quantity."""
    rng = np.random.default_rng(5)
    rows = []
    for method in ("right", "narrow"):
        uniform = rng.integers(20, size=(300, 2))
        if method == "narrow":
            uniform[:, 1] = 19 * rng.integers(2, size=300)
        for truth, places in enumerate(uniform):
            rows.append(
                {
                    "truth": truth, "method": method, "converged": truth < 150, "tries": 1,
                    "effective": 100.0, "cpu_seconds": 2.0, "model_runs": 10, "gradients": 4,
                    "first": places[0], "second": places[1],
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    judged = judge_methods(table, 19).set_index(["method", "quantity"])
    assert judged.passed.to_dict() == {
        ("right", "first"): True, ("right", "second"): True,
        ("narrow", "first"): True, ("narrow", "second"): False,
    }  # fmt: skip
    summary = method_summary(table, judged.reset_index()).set_index("method")
    assert summary.passed.to_dict() == {"right": 2, "narrow": 1}
    assert (summary.truths == 300).all()
    assert (summary.converged == 0.5).all()
    assert summary.loc["narrow", "dispersion"] > 1.5 > summary.loc["right", "dispersion"]
    assert (summary.cpu_seconds == 2.0).all()


def test_a_quantity_that_one_method_lacks_is_left_out_there():
    table = pd.DataFrame(
        {"truth": [0, 1, 0, 1], "method": ["a", "a", "b", "b"], "x": 1, "y": [1.0, 2.0, np.nan, 1]}
    )
    judged = judge_methods(table, 3)
    assert judged.groupby("method").quantity.apply(list).to_dict() == {"a": ["x", "y"], "b": ["x"]}


def test_p_values_are_those_of_all_possible_ranks():
    """Of three truths among two draws there are 27; as probable are farther ones as p says."""
    draws, truths = 2, 3
    found = {
        given: p_value(np.array(given), draws)
        for given in itertools.product(range(draws + 1), repeat=truths)
    }
    p = np.array(list(found.values()))
    for value in set(np.round(p, 9)):
        assert np.mean(p <= value + 1e-9) == pytest.approx(value, abs=1e-9)
    assert found[0, 0, 0] == pytest.approx(min(p))
    assert found[0, 1, 2] == pytest.approx(1.0)


def simulated(sets, truths, draws, seed):
    return np.random.default_rng(seed).integers(0, draws + 1, (sets, truths))


@pytest.mark.parametrize(("truths", "draws"), [(20, 9), (100, 30), (60, 99)])
@pytest.mark.parametrize("level", [0.01, 0.1])
def test_band_holds_uniform_ranks_as_often_as_it_says(truths, draws, level):
    bounds, sets = band(truths, draws, level), 20_000
    found = np.array([ecdf(given, draws) for given in simulated(sets, truths, draws, 4)])
    inside = (found >= bounds.low - 1e-12) & (found <= bounds.high + 1e-12)
    outside = 1.0 - inside.all(axis=1).mean()
    noise = np.sqrt(level / sets)
    assert outside < level + 5.0 * noise
    assert outside > 0.7 * level - 5.0 * noise  # counts are discrete: no band holds exactly so many


def test_right_methods_fail_at_the_nominal_rate():
    sets = 3000
    p = np.array([p_value(given, DRAWS) for given in simulated(sets, TRUTHS, DRAWS, 5)])
    for level in (0.01, 0.05, 0.3):
        noise = np.sqrt(level * (1.0 - level) / sets)
        assert abs(np.mean(p <= level) - level) < 5.0 * noise + 0.05 * level


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.4, 2.5), st.floats(0.4, 2.5))
def test_a_small_p_value_is_a_line_outside_the_band(seed, first, second):
    drawn = np.random.default_rng(seed).beta(first, second, 60)
    given_ranks = np.floor(40 * drawn).astype(int)
    bounds, found = band(60, 39, 0.05), ecdf(given_ranks, 39)
    outside = ((found < bounds.low - 1e-12) | (found > bounds.high + 1e-12)).any()
    assert outside == (p_value(given_ranks, 39) <= 0.05)


def miscalibrated(shift, spread, sets=120):
    """Ranks of standard normal truths under posteriors that are shifted, and too wide or narrow."""
    rng = np.random.default_rng(6)
    truths = rng.standard_normal((sets, TRUTHS, 1))
    draws = shift + spread * rng.standard_normal((sets, TRUTHS, DRAWS))
    return np.sum(draws < truths, axis=2)


@pytest.mark.parametrize(
    ("shift", "spread", "finding"),
    [
        (0.5, 1.0, "posteriors too high"),
        (-0.5, 1.0, "posteriors too low"),
        (0.0, 0.6, "over-confident"),
        (0.0, 1.6, "under-confident"),
    ],
)
def test_wrong_statements_are_found_and_named(shift, spread, finding):
    sets = miscalibrated(shift, spread)
    tables = [verdict({"x": given}, DRAWS).iloc[0] for given in sets]
    assert np.mean([not row.passed for row in tables]) > 0.95
    assert np.mean([finding in row.finding for row in tables]) > 0.95
    if shift:
        assert np.mean([np.sign(row.bias) == -np.sign(shift) for row in tables]) > 0.95
    else:
        assert np.mean([(row.dispersion > 1.0) == (spread < 1.0) for row in tables]) > 0.95


def test_right_statements_pass_and_nothing_is_named():
    tables = [verdict({"x": given}, DRAWS).iloc[0] for given in miscalibrated(0.0, 1.0)]
    assert np.mean([row.passed for row in tables]) > 0.95
    named = np.mean([row.finding != "no bias or wrong spread seen" for row in tables])
    assert named < 0.02 + 5.0 * np.sqrt(0.02 / len(tables))
    assert abs(np.mean([row.bias for row in tables])) < 5.0 / np.sqrt(len(tables))
    spread = np.sqrt(0.8 / TRUTHS / len(tables))
    assert abs(np.mean([row.dispersion for row in tables]) - 1.0) < 5.0 * spread


def test_correction_of_holm():
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])


def test_right_methods_fail_in_any_quantity_at_the_nominal_rate():
    sets, quantities, level = 250, 6, 0.1
    given = simulated(sets * quantities, TRUTHS, DRAWS, 7).reshape(sets, quantities, TRUTHS)
    failed = [
        not verdict({str(k): row for k, row in enumerate(one)}, DRAWS, level).passed.all()
        for one in given
    ]
    noise = np.sqrt(level / sets)
    assert level - 5.0 * noise - 0.02 < np.mean(failed) < level + 5.0 * noise


def test_verdict_is_a_row_for_each_quantity():
    rng = np.random.default_rng(8)
    good, bad = rng.integers(0, DRAWS + 1, TRUTHS), np.minimum(rng.integers(0, 60, TRUTHS), DRAWS)
    table = verdict({"good": good, "bad": bad}, DRAWS)
    assert list(table.columns) == [
        "quantity", "n", "p", "p_holm", "passed", "bias", "dispersion", "finding",
    ]  # fmt: skip
    assert table.quantity.tolist() == ["good", "bad"]
    assert table.n.tolist() == [TRUTHS, TRUTHS]
    assert table.passed.tolist() == [True, False]
    assert (table.passed == (table.p_holm > LEVEL)).all()
    assert table.bias[1] == pytest.approx((bad.mean() - 49.5) / np.sqrt((100**2 - 1) / 12 / TRUTHS))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "found no quantity"),
        ({"x": np.array([0, 100])}, "found 0 to 100; expected 0 to 99"),
        ({"x": np.array([-1, 3])}, "found -1 to 3"),
        ({"x": np.array([3])}, "found 1 truths"),
    ],
)
def test_ranks_that_cannot_be_are_refused(given, message):
    with pytest.raises(ConcertoError, match=message):
        verdict(given, DRAWS)


def test_many_truths_are_judged():
    given = np.random.default_rng(9).integers(0, 101, 1000)
    assert 0.001 < p_value(given, 100) <= 1.0
    assert p_value(np.zeros(1000, dtype=int), 100) < 1e-8
