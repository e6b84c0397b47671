"""What other towers teach, and that a tower's own fluxes teach it nothing."""

from __future__ import annotations

import numpy as np
from concerto.learning.folds import deal
from concerto.learning.upscaling import predict_unseen, weights

TOWERS, MONTHS = 12, 48


def make_towers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    features = rng.uniform(-1.0, 1.0, (TOWERS, MONTHS, 3))
    flux = 3.0 * features[..., 0] + features[..., 1] ** 2
    features[0, :5, 2] = np.nan
    return features, flux


def test_towers_are_dealt_evenly_and_always_alike():
    folds = deal(25, 10, np.random.default_rng(1))
    assert np.bincount(folds).tolist() == [3] * 5 + [2] * 5
    np.testing.assert_array_equal(folds, deal(25, 10, np.random.default_rng(1)))


def test_what_is_taught_is_learnt():
    features, flux = make_towers()
    found = predict_unseen(features, flux, np.arange(TOWERS) % 4, 0)
    assert np.corrcoef(found.ravel(), flux.ravel())[0, 1] > 0.95


def test_a_towers_own_fluxes_teach_it_nothing():
    features, flux = make_towers()
    folds = np.arange(TOWERS) % 4
    other = flux.copy()
    other[folds == 2] *= -5.0
    first, second = (predict_unseen(features, taught, folds, 0) for taught in (flux, other))
    np.testing.assert_array_equal(first[folds == 2], second[folds == 2])
    assert not np.allclose(first[folds == 1], second[folds == 1])


def test_months_of_long_records_count_for_less():
    known = np.zeros((2, 100), bool)
    known[0, :4] = known[1] = True
    weight = weights(known)
    np.testing.assert_allclose(weight[0], 6.0**-0.5)
    np.testing.assert_allclose(weight[1], 0.1)
