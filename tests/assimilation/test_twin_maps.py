"""Truths of maps have the law of the random field and all cells' constraints."""

import numpy as np
import pytest
from concerto.assimilation.random_field import RandomField, correlation
from concerto.assimilation.twin_maps import draw_truth_maps
from concerto.errors import ConcertoError
from synthetic_targets import Normal, Target

LATITUDE, LONGITUDE = np.array([10.0, 12.0, 40.0]), np.array([20.0, 24.0, 20.0])
CENTER, WIDTH = 0.8, 1.0


def test_members_have_the_correlation_that_is_stated():
    wanted = correlation(LATITUDE, LONGITUDE, 800.0, 0.2)
    assert wanted[0, 1] == pytest.approx(0.8 * np.exp(-491.0 / 800.0), rel=0.01)
    field = RandomField(2000, 5, 800.0, 0.2, 1, "field")
    cells = [
        field.at(*place, f"cell {k}")
        for k, place in enumerate(zip(LATITUDE, LONGITUDE, strict=True))
    ]
    found = np.corrcoef(np.reshape(cells, (3, -1)))
    np.testing.assert_allclose(found, wanted, atol=5.0 / np.sqrt(10000))


def test_truths_hang_together_as_field_and_constraints_say():
    """Here all is normal: a constraint is an observation of its cell."""
    cells, truths, size = len(LATITUDE), 3000, 2
    field = correlation(LATITUDE, LONGITUDE, 800.0, 0.2)
    problems = [Target(Normal(size), lambda x: (x - CENTER) / WIDTH)] * cells
    found = draw_truth_maps(problems, field, truths, 40, np.random.default_rng(1))
    assert found.shape == (truths, cells, size)
    covariance = np.linalg.inv(np.linalg.inv(field) + np.eye(cells) / WIDTH**2)
    mean = covariance @ np.full(cells, CENTER / WIDTH**2)
    for unknown in range(size):
        drawn = found[:, :, unknown]
        off = (drawn.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / truths)
        assert np.abs(off).max() < 4.0
        np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=4.0 * 0.5 / np.sqrt(truths))
    # neighbours matter: a cell by itself would be elsewhere, and alone
    alone = WIDTH**2 / (1.0 + WIDTH**2)
    assert abs(mean[0] - CENTER * alone / WIDTH**2) > 0.03
    assert covariance[0, 1] > 0.08


def test_chains_that_have_not_met_are_noticed():
    """From the last cell on, nothing is known yet of what the first cell's constraint asks."""
    free = Target(Normal(1), lambda x: 0.0 * x)
    tied = Target(Normal(1), lambda x: (x - 1.5) / 0.5)
    field = np.array([[1.0, 0.8], [0.8, 1.0]])
    with pytest.raises(ConcertoError, match=r"R-hat .* take more than 1 sweeps"):
        draw_truth_maps([tied, free], field, 200, 1, np.random.default_rng(2))
    found = draw_truth_maps([tied, free], field, 200, 200, np.random.default_rng(2))
    assert found[:, 1].mean() > 0.8
