"""The dissimilarity index against its equations, written out."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.learning.dissimilarity import Dissimilarity, whisker


def make(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(2.0, 3.0, (60, 3)), np.arange(60) % 4, np.array([2.0, 1.0, 0.0])


def test_index_is_that_of_the_papers_equations():
    features, folds, weight = make()
    found = Dissimilarity.of(features, folds, weight)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0) * weight
    apart = np.linalg.norm(scaled[:, None] - scaled[None], axis=-1)
    usual = apart[~np.eye(60, dtype=bool)].mean()
    assert found.usual == pytest.approx(usual)
    own = np.array([apart[k, folds != folds[k]].min() for k in range(60)]) / usual
    assert found.threshold == pytest.approx(whisker(own))
    new = np.array([[30.0, 2.0, 5.0], [2.0, 2.0, 2.0]])
    away = (new - features.mean(axis=0)) / features.std(axis=0) * weight
    nearest = np.linalg.norm(away[:, None] - scaled[None], axis=-1).min(axis=1) / usual
    np.testing.assert_allclose(found.index(new), nearest)
    assert found.index(new)[0] > found.threshold > found.index(new)[1]


def test_what_taught_is_like_itself_and_what_counts_for_nothing_is_not_seen():
    features, folds, weight = make(1)
    found = Dissimilarity.of(features, folds, weight)
    np.testing.assert_allclose(found.index(features), 0.0, atol=1e-7)
    moved = features + np.array([0.0, 0.0, 1e3])
    np.testing.assert_allclose(found.index(moved), 0.0, atol=1e-7)


def test_unknown_is_taken_for_the_mean():
    features, folds, weight = make(2)
    found = Dissimilarity.of(features, folds, weight)
    row = np.array([[np.nan, 1.0, 1.0]])
    same = np.array([[features[:, 0].mean(), 1.0, 1.0]])
    np.testing.assert_allclose(found.index(row), found.index(same))


def test_whisker_leaves_outliers_out():
    assert whisker(np.array([*np.linspace(0.0, 1.0, 21), 9.0])) == 1.0
    assert whisker(np.array([3.0, 3.0])) == 3.0
