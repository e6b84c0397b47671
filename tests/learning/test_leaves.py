"""Leaves from weather and cover, on places and in years that taught nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import ConcertoError
from concerto.learning import leaves as tell
from concerto.learning.features import WEATHER
from concerto.learning.partitions import folds_by
from concerto.learning.reconstruction import COVERS
from concerto.learning.upscaling import Blend

LEARNER = Blend(1, 10, 25)
PLACES, YEARS = 30, 6
TIMES = pd.date_range("2001-01-01", periods=12 * YEARS, freq="MS")
KINDS = np.array(["ENF", "GRA", "CRO"])[np.arange(PLACES) % 3].astype(object)


@pytest.fixture(scope="module")
def world() -> tuple[tell.Features, np.ndarray]:
    """Return features of places, and leaves that their warmth and cover tell."""
    rng = np.random.default_rng(2)
    season = -np.cos(2.0 * np.pi * np.arange(len(TIMES)) / 12.0)
    values = {name: rng.uniform(1.0, 9.0, (PLACES, len(TIMES))) for name in WEATHER}
    values["tas"] = 10.0 + 10.0 * season + rng.normal(0.0, 3.0, (PLACES, len(TIMES)))
    place = {
        "location": np.arange(PLACES),
        "time": TIMES,
        "lat": ("location", np.full(PLACES, 50.0)),
    }
    drivers = xr.Dataset({k: (("location", "time"), v) for k, v in values.items()}, place)
    features = tell.leaf_features(drivers, xr.Dataset({"igbp": ("location", KINDS)}))
    most = np.array([4.0, 2.0, 1.0])[np.arange(PLACES) % 3][:, None]
    lai = most / (1.0 + np.exp(-(values["tas"] - 10.0) / 3.0)) + rng.normal(
        0.0, 0.1, (PLACES, len(TIMES))
    )
    return features, np.maximum(lai, 0.0)


def test_leaves_of_places_that_taught_nothing_are_told(world):
    features, lai = world
    folds = folds_by(
        (np.arange(PLACES) % 5).astype(str), np.ones(PLACES, bool), np.random.default_rng(0)
    )
    judged = tell.judge_places(features, lai, folds[:3], LEARNER)
    own = np.concatenate([fold.test for fold in folds[:3]])
    assert np.corrcoef(judged.mean[own].ravel(), lai[own].ravel())[0, 1] > 0.95
    assert np.mean(np.abs(judged.rank[own] - 0.5) <= 0.45) == pytest.approx(0.9, abs=0.07)
    other = lai.copy()
    other[folds[0].test] *= 3.0
    again = tell.judge_places(features, other, folds[:1], LEARNER)
    np.testing.assert_array_equal(again.mean[folds[0].test], judged.mean[folds[0].test])


def test_years_that_taught_nothing_are_told_better_than_by_persistence(world):
    features, lai = world
    years = TIMES.year.to_numpy()
    judged, fold = tell.judge_years(features, lai, years, 3, LEARNER)
    usual = tell.same_months(lai, fold)
    assert np.mean((judged.mean - lai) ** 2) < 0.5 * np.mean((usual - lai) ** 2)
    other = lai.copy()
    other[:, fold == 0] *= 3.0
    again, _ = tell.judge_years(features, other, years, 3, LEARNER)
    np.testing.assert_array_equal(again.mean[:, fold == 0], judged.mean[:, fold == 0])
    assert all(len(np.unique(fold[years == year])) == 1 for year in years)


def test_persistence_is_the_mean_of_other_years():
    lai = np.arange(36.0)[None]
    fold = np.repeat([0, 1, 1], 12)
    found = tell.same_months(lai, fold)
    assert found[0, 3] == pytest.approx((15 + 27) / 2)
    assert found[0, 15] == 3.0


def test_one_year_cannot_be_judged_by_years(world):
    features, lai = world
    with pytest.raises(ConcertoError, match="years: found 1; expected at least 3"):
        tell.judge_years(
            tell.Features(features.names, features.values[:, :12]),
            lai[:, :12],
            np.full(12, 2000),
            3,
            LEARNER,
        )


def test_another_cover_has_other_leaves(world):
    features, lai = world
    learner = tell.learn_leaves(features, lai, np.ones(lai.shape, bool), LEARNER)
    forest, bare = np.zeros((2, PLACES, len(COVERS)))
    forest[:, list(COVERS).index("ENF")] = bare[:, list(COVERS).index("crop")] = 1.0
    under = [
        tell.foretell_leaves(learner, tell.with_cover(features, c)).mean() for c in (forest, bare)
    ]
    assert under[0] > 2.0 * under[1]


def test_leaf_area_of_fapar_is_beers_law():
    lai = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(tell.leaf_area(1.0 - np.exp(-0.5 * lai), "fapar"), lai, atol=1e-12)
    assert np.isfinite(tell.leaf_area(np.array([1.0]), "fapar")).all()
    np.testing.assert_array_equal(tell.leaf_area(lai, "lai"), lai)


def test_leaves_all_alike_and_no_leaves_are_refused(world):
    features, lai = world
    with pytest.raises(ConcertoError, match="none unlike another"):
        tell.learn_leaves(features, np.ones(lai.shape), np.ones(lai.shape, bool), LEARNER)
    with pytest.raises(ConcertoError, match="found neither lai nor fapar"):
        tell.leaf_stream(xr.Dataset())
    with pytest.raises(ConcertoError, match="found neither land_cover nor igbp"):
        tell.cover_fractions(xr.Dataset())
