"""Intervals that hold what they say, whatever the law of the errors."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.errors import ConcertoError
from concerto.learning.calibration import Shape, crossed_shapes, stated_spread


@pytest.mark.parametrize("law", ["normal", "laplace", "skewed"])
def test_intervals_hold_the_share_that_they_state(law):
    rng = np.random.default_rng(8)
    draw = {
        "normal": rng.standard_normal,
        "laplace": lambda n: rng.laplace(size=n),
        "skewed": lambda n: rng.gamma(2.0, size=n) - 2.0,
    }[law]
    shape, later = Shape.of(draw(4000)), draw(4000)
    for share in (0.5, 0.9):
        low, high = shape.at(0.5 - share / 2), shape.at(0.5 + share / 2)
        assert np.mean((later > low) & (later < high)) == pytest.approx(share, abs=0.03)
        assert np.mean(np.abs(shape.share(later) - 0.5) < share / 2) == pytest.approx(
            share, abs=0.03
        )


def test_nothing_withheld_makes_no_shape():
    with pytest.raises(ConcertoError, match="no withheld value"):
        Shape.of(np.full(3, np.nan))


def test_the_factor_is_the_size_of_the_ratios():
    ratios = np.array([[3.0, -3.0], [np.nan, 3.0]])
    assert Shape.of(ratios).factor == pytest.approx(3.0)


def test_a_fold_is_not_judged_by_its_own_ratios():
    folds = np.array([0, 0, 1, 1])
    ratios = np.array([[1.0, 1.0], [1.0, 1.0], [-5.0, -5.0], [-5.0, -5.0]])
    shapes = crossed_shapes(ratios, folds)
    assert shapes[0].at(0.5) == -5.0
    assert shapes[1].at(0.5) == 1.0


def test_floor_and_share_of_the_size_are_found():
    rng = np.random.default_rng(4)
    size = rng.uniform(0.0, 10.0, (50, 200))
    error = rng.standard_normal(size.shape) * np.hypot(0.7, 0.2 * size)
    error[:, :20] = np.nan
    floor, share = stated_spread(error, size)
    assert floor == pytest.approx(0.7, rel=0.05)
    assert share == pytest.approx(0.2, rel=0.05)
