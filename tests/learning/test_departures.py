"""What is usual at a tower, and departures that all towers teach, against a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.learning.climatology import of_other_years
from concerto.learning.departures import _UNUSUAL, away, from_the_usual
from concerto.learning.features import Features, season
from concerto.learning.towers import Learned

TOWERS, YEARS = 20, 6
MONTHS = 12 * YEARS


@pytest.fixture(scope="module")
def towers() -> tuple[Features, np.ndarray]:
    """Features, and a flux with a season of each tower's own that falls with unusual heat."""
    rng = np.random.default_rng(8)
    values = rng.standard_normal((TOWERS, MONTHS, len(_UNUSUAL)))
    features = Features(_UNUSUAL, values)
    phase = 2.0 * np.pi * np.arange(MONTHS) / 12.0
    usual = rng.uniform(1.0, 8.0, (TOWERS, 1)) * (1.0 - np.cos(phase))
    flux = usual - 2.0 * away(features["tas"]) + 0.1 * rng.standard_normal(usual.shape)
    return features, flux


def learn(features: Features, flux: np.ndarray) -> np.ndarray:
    nothing = np.zeros(flux.shape)
    return from_the_usual({"gpp": flux}, "gpp", {"gpp": nothing}, nothing, features, seed=1)


def test_other_years_are_those_that_are_not_the_month_itself():
    known = np.array([[*range(12), *range(10, 22), *[np.nan] * 11, 50.0]], float)
    mean, years = of_other_years(known)
    np.testing.assert_array_equal(mean[0, :11], np.arange(10.0, 21.0))
    np.testing.assert_array_equal(mean[0, 12:23], np.arange(11.0))
    np.testing.assert_array_equal(mean[0, 24:35], (np.arange(11.0) + np.arange(10.0, 21.0)) / 2)
    assert mean[0, 11] == (21.0 + 50.0) / 2
    assert years[0].tolist() == [1] * 11 + [2] + [1] * 11 + [2] + [2] * 12
    lone = np.full((1, 24), np.nan)
    lone[0, 3] = 1.0
    mean, years = of_other_years(lone)
    assert np.flatnonzero(np.isfinite(mean[0])).tolist() == [15]
    assert years.sum() == 1


def test_departures_of_later_months_are_learnt(towers):
    features, flux = towers
    taught = flux.copy()
    taught[:, -12:] = np.nan
    found = learn(features, taught)[:, -12:]
    usual = season(taught)[:, -12:]
    later = flux[:, -12:]
    left, without = (np.mean((later - guess) ** 2) for guess in (found, usual))
    assert left < 0.4 * without


def test_a_month_that_no_other_year_has_is_left_out(towers):
    features, flux = towers
    taught = flux.copy()
    taught[3] = np.nan
    taught[4, 12:] = np.nan
    found = learn(features, taught)
    assert np.isnan(found[3]).all()
    assert np.isnan(found[4, :12]).all()
    assert np.isfinite(found[4, 12:]).all()
    assert np.isfinite(found[5]).all()


def test_where_no_month_has_another_year_nothing_is_learnt(towers, caplog):
    features, flux = towers
    taught = flux.copy()
    taught[:, 12:] = np.nan
    assert np.isnan(learn(features, taught)).all()
    assert "no departures are learnt" in caplog.text


def test_means_are_averaged_where_the_usual_is_known():
    one = np.ones((1, 3))
    usual = np.array([[3.0, np.nan, 5.0]])
    found = Learned(*(one,) * 6).with_usual(usual, 0.25)
    np.testing.assert_array_equal(found.mean, [[1.5, 1.0, 2.0]])
    np.testing.assert_array_equal(found.sd, one)
