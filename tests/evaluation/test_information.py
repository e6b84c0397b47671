"""The value of streams, where it follows from normal posteriors in closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from concerto.errors import ConcertoError
from concerto.evaluation.information import (
    FREE,
    RESULTS,
    error_reduction,
    stream_values,
    subset_name,
)

PRIOR = {"x": 2.0, "y": 10.0}  # standard deviations
STREAMS = {"lai": {"x": 0.5, "y": 1e9}, "nee": {"x": 1.0, "y": 5.0}}  # errors of observing them
SUBSETS = [(), ("lai",), ("nee",), ("lai", "nee")]


def posterior_sd(quantity, streams):
    precision = PRIOR[quantity] ** -2 + sum(STREAMS[name][quantity] ** -2 for name in streams)
    return precision**-0.5


def make_results(truths, seed=1, subsets=SUBSETS):
    """Conjugate posteriors of normal truths, of observations with normal errors."""
    rng = np.random.default_rng(seed)
    rows = []
    for truth, quantity in itertools.product(range(truths), PRIOR):
        true = PRIOR[quantity] * rng.standard_normal()
        seen = {
            name: true + error[quantity] * rng.standard_normal() for name, error in STREAMS.items()
        }
        for streams in subsets:
            sd = posterior_sd(quantity, streams)
            mean = sd**2 * sum(seen[name] / STREAMS[name][quantity] ** 2 for name in streams)
            rows.append((truth, subset_name(streams), quantity, true, mean, sd))
    return pd.DataFrame(rows, columns=list(RESULTS))


def test_subsets_have_one_name_each():
    assert subset_name(["nee", "gpp"]) == subset_name(("gpp", "nee")) == "gpp+nee"
    assert subset_name([]) == FREE


TRUTHS = 4000


@pytest.fixture(scope="module")
def results():
    return make_results(TRUTHS)


def test_errors_are_those_of_the_normal_posterior(results):
    table = error_reduction(results, np.random.default_rng(2), 100)
    assert len(table) == len(PRIOR) * len(SUBSETS)
    assert (table.n == TRUTHS).all()
    noise = 5.0 / np.sqrt(2.0 * TRUTHS)  # relative, of a root mean square
    for row in table.itertuples():
        streams = () if row.subset == FREE else row.subset.split("+")
        sd = posterior_sd(row.quantity, streams)
        assert row.sd == pytest.approx(sd)
        assert row.rmse == pytest.approx(sd, rel=noise)
        assert row.sd_over_rmse == pytest.approx(1.0, rel=noise)
        expected = 100.0 * (1.0 - sd / PRIOR[row.quantity])
        assert row.sd_reduction == pytest.approx(expected, abs=1e-6)
        assert row.rmse_reduction == pytest.approx(expected, abs=200.0 * noise)


def test_the_free_run_reduces_nothing_for_certain(results):
    table = error_reduction(results, np.random.default_rng(3), 50).query("subset == @FREE")
    for part in ("", "_low", "_high"):
        np.testing.assert_allclose(table[f"rmse_reduction{part}"], 0.0, atol=1e-12)


def test_values_of_streams_are_the_differences(results):
    table = stream_values(results, np.random.default_rng(4), 100).set_index(
        ["quantity", "stream", "how"]
    )
    assert len(table) == len(PRIOR) * len(STREAMS) * 2
    for (quantity, stream, how), row in table.iterrows():
        others = [name for name in STREAMS if name != stream]
        before = [] if how == "added first" else others
        gain = posterior_sd(quantity, before) - posterior_sd(quantity, [*before, stream])
        assert row.sd_gain == pytest.approx(gain, abs=1e-6)
        assert row.sd_gain_percent == pytest.approx(100.0 * gain / PRIOR[quantity], abs=1e-6)
        noise = 5.0 * PRIOR[quantity] / np.sqrt(TRUTHS)
        assert row.rmse_gain == pytest.approx(gain, abs=noise)
    # what the other stream tells already is worth less; what sees nothing is worth nothing
    gains = table.rmse_gain
    assert gains["x", "nee", "added last"] < 0.5 * gains["x", "nee", "added first"]
    assert gains["y", "lai", "added last"] == pytest.approx(0.0, abs=1e-6)


def test_tables_agree_with_each_other(results):
    errors = error_reduction(results, np.random.default_rng(5), 20).set_index(
        ["quantity", "subset"]
    )
    gains = stream_values(results, np.random.default_rng(5), 20).set_index(
        ["quantity", "stream", "how"]
    )
    for quantity in PRIOR:
        rmse = errors.rmse[quantity]
        first, last = (gains.loc[quantity, "lai", f"added {k}"] for k in ("first", "last"))
        assert first.rmse_gain == pytest.approx(rmse[FREE] - rmse["lai"])
        assert last.rmse_gain == pytest.approx(rmse["nee"] - rmse["lai+nee"])
        assert last.rmse_gain_percent == pytest.approx(100.0 * last.rmse_gain / rmse[FREE])


def test_intervals_hold_the_expectation_as_often_as_they_say():
    sets, held = 150, 0
    expected = 100.0 * (1.0 - posterior_sd("x", ["nee"]) / PRIOR["x"])
    for seed in range(sets):
        table = error_reduction(make_results(60, 100 + seed), np.random.default_rng(seed), 200)
        row = table.set_index(["quantity", "subset"]).loc["x", "nee"]
        assert row.rmse_reduction_low < row.rmse_reduction < row.rmse_reduction_high
        held += row.rmse_reduction_low < expected < row.rmse_reduction_high
    # 90 % of them, less what percentile intervals of 60 truths lack
    assert 0.82 < held / sets < 0.97


def test_overconfidence_shows():
    results = make_results(500)
    results["sd"] = results["sd"] / 2.0
    table = error_reduction(results, np.random.default_rng(6), 200)
    assert (table.sd_over_rmse_high < 0.65).all()


def test_subsets_that_were_not_run_are_left_out():
    results = make_results(20, subsets=[(), ("lai",), ("lai", "nee")])
    table = stream_values(results, np.random.default_rng(7), 20)
    found = set(zip(table.stream, table.how, strict=True))
    assert found == {("lai", "added first"), ("nee", "added last")}


def test_the_same_seed_gives_the_same_table():
    results = make_results(30)
    one, other = (error_reduction(results, np.random.default_rng(8), 50) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def without(results, **values):
    chosen = np.all([results[name] == value for name, value in values.items()], axis=0)
    return results[~chosen]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r.drop(columns="sd"), "no column sd"),
        (lambda r: r.iloc[:0], "no rows"),
        (lambda r: without(r, subset=FREE), "expected none among them, the free run"),
        (lambda r: pd.concat([r, r.iloc[[3]]]), "twice the same, x of truth 0 with lai.nee"),
        (lambda r: without(r, truth=2, subset="nee", quantity="y"), "no y of truth 2 with nee"),
        (lambda r: r.assign(mean=r["mean"].where(r["truth"] != 1, np.inf)), "not finite, x of tr"),
    ],
)
@pytest.mark.parametrize("make", [error_reduction, stream_values])
def test_faulty_results_are_named(make, spoil, message):
    with pytest.raises(ConcertoError, match=message):
        make(spoil(make_results(5)), np.random.default_rng(9), 5)
