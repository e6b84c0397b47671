"""Scores of towers' predictions, against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from concerto.evaluation.towers import (
    Predictor,
    judge,
    predictors_of,
    score,
    score_table,
    with_spread,
    withheld,
)
from concerto.learning.climatology import monthly_climatology

NAN = np.nan


def test_the_last_values_of_each_tower_are_withheld():
    values = np.array([[1.0, NAN, 2.0, 3.0], [NAN, NAN, NAN, 5.0], [NAN] * 4])
    found = withheld(values, 1 / 3)
    np.testing.assert_array_equal(found, [[NAN, NAN, NAN, 3.0], [NAN] * 4, [NAN] * 4])


def test_climatology_bridges_months_without_a_value():
    known = np.full((2, 24), NAN)
    known[0, [0, 12]] = 1.0, 3.0
    known[0, 2] = 6.0
    known[0, 11] = 1.0
    found = monthly_climatology(known)
    np.testing.assert_allclose(found[0, [0, 1, 2, 11, 12, 13]], [2.0, 4.0, 6.0, 1.0, 2.0, 4.0])
    assert found[0, 6] == pytest.approx(6.0 - 5.0 * 4 / 9)
    np.testing.assert_allclose(found[1], np.nanmean(known))


def normal(towers: int = 40, months: int = 60, seed: int = 1):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0.0, 5.0, (towers, months))
    sd = rng.uniform(0.5, 2.0, (towers, months))
    return mean, sd, mean + sd * rng.standard_normal(mean.shape)


def test_intervals_of_a_true_spread_hold_what_they_say():
    mean, sd, observed = normal()
    folds = np.arange(40) % 4
    judged = judge(Predictor(mean, 3.0 * sd), observed, folds, -np.inf)
    found = score(judged, np.ones(40, bool))
    assert found["coverage90"] == pytest.approx(0.9, abs=0.02)
    assert found["coverage50"] == pytest.approx(0.5, abs=0.03)
    # of a normal distribution the CRPS is sd / sqrt(pi) on average (Gneiting & Raftery 2007)
    assert found["crps"] == pytest.approx(np.mean(sd) / np.sqrt(np.pi), rel=0.04)
    assert found["width90"] == pytest.approx(2 * 1.645 * np.mean(sd), rel=0.05)
    error = mean - observed
    assert found["nse"] == pytest.approx(1.0 - np.mean(error**2) / observed.var())
    assert found["bias"] == pytest.approx(error.mean())
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))


def test_nothing_is_predicted_below_the_least():
    mean, sd, observed = normal()
    judged = judge(Predictor(mean, sd), np.maximum(observed, 0.0), np.arange(40) % 4, 0.0)
    assert judged.members(np.isfinite(observed)).min() == 0.0


def test_a_spread_is_made_of_the_errors():
    mean, _, observed = normal()
    found = with_spread(mean, observed, np.zeros(mean.shape))
    np.testing.assert_allclose(found.sd, np.sqrt(np.mean((observed - mean) ** 2)), rtol=1e-3)


def test_each_group_has_its_row_and_medians_are_of_towers():
    mean, sd, observed = normal(6)
    observed[5] = NAN
    observed[4, 5:] = NAN
    names, classes = np.array(list("abcdef")), np.array(["ENF"] * 3 + ["CRO"] * 3)
    judged = {"combined": judge(Predictor(mean, sd), observed, np.arange(6) % 2, -np.inf)}
    table = score_table(judged, names, classes)
    assert table["name"].tolist() == ["pooled", "CRO", "ENF", "a", "b", "c", "d", "e", "median"]
    row = table.set_index("name")
    assert row.loc["pooled", "n"] == 4 * 60 + 5
    assert row.loc["CRO", "towers"] == 2
    assert row.loc["median", "towers"] == 4
    assert row.loc["median", "nse"] == pytest.approx(row.loc[list("abcd"), "nse"].median())


def test_what_is_judged_was_never_told():
    flux = np.arange(24.0)[None] + np.zeros((3, 1))

    def learned(**values: float) -> xr.Dataset:
        names = ("process", "unseen", "unseen_sd", "mean", "sd")
        return xr.Dataset(
            {
                name: (("location", "time"), np.full((3, 24), values.get(name, 1.0)))
                for name in names
            }
        )

    settings = predictors_of(
        flux, 0.25, learned(mean=4.0), learned(unseen=7.0), {"process": flux + 1.0}
    )
    observed, known = settings["known"]
    assert np.isfinite(observed).sum(axis=1).tolist() == [6, 6, 6]
    assert (known["combined"].mean == 4.0).all()
    # the climatology has not seen the last six months
    assert known["climatology"].mean[0, 18] == 6.0
    observed, new = settings["new"]
    np.testing.assert_array_equal(observed, flux)
    assert (new["learned"].mean == 7.0).all()
    assert set(new) == {"process", "learned"}
