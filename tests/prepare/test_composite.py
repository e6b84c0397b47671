"""Composites at the steps of a model: integrals, errors, gaps, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from concerto.errors import InputError
from concerto.prepare.composite import Composites, to_steps
from concerto.prepare.streams import MaskCount
from hypothesis import given, settings
from hypothesis import strategies as st

MONTHS = pd.date_range("2003-01-01", periods=12, freq="MS")
DAYS = pd.date_range("2003-01-01", "2003-12-31")


def composites(edges, values=None, uncertainty=0.1, n=10):
    """Adjoining intervals; values (interval, location), of 1 where none are given."""
    edges = np.array(edges, "datetime64[D]")
    values = np.ones((len(edges) - 1, 1)) if values is None else np.asarray(values, float)
    return Composites(
        edges[:-1].copy(),
        edges[1:].copy(),
        values,
        np.full(values.shape, uncertainty),
        np.full(values.shape, n),
    )


def eight_days(year=2003):
    """The edges of MODIS' composites of a year: every eighth day, the last cut at its end."""
    first = np.datetime64(f"{year}-01-01")
    return [*(first + 8 * np.arange(46)), np.datetime64(f"{year + 1}-01-01")]


def steps(found, axis=MONTHS, count=None, **settings):
    settings = {"kind": "mean", "correlation": 0.0} | settings
    return to_steps(found, axis, name="lai", count=count or MaskCount(), file="lai.nc", **settings)


def counted(count, reason):
    return sum(row[3] for row in count.rows if row[2].startswith(reason))


def day_by_day(found, axis):
    """Means over months by giving each day its composite's value: the independent, slow way."""
    daily = pd.Series(np.nan, DAYS)
    for start, end, value in zip(found.start, found.end, found.values[:, 0], strict=True):
        daily[(daily.index >= start) & (daily.index < end)] = value
    return daily.resample("MS").mean().reindex(axis).to_numpy()


# edges at whole days of the year, as irregular as can be
irregular = st.lists(st.integers(1, 364), min_size=1, max_size=60, unique=True).map(
    lambda days: np.datetime64("2003-01-01") + np.array([0, *sorted(days), 365])
)


@settings(deadline=None, max_examples=50)
@given(irregular, st.randoms())
def test_means_are_weighted_by_overlap_in_any_order(edges, random):
    values = np.array([[random.uniform(0, 6)] for _ in edges[1:]])
    found = composites(edges, values)
    made = steps(found, kind="amount", least_covered=0.0)
    lengths = MONTHS.days_in_month.to_numpy()[:, None]
    # nothing is lost; the smallest numbers of all, which hypothesis draws, round to nothing
    np.testing.assert_allclose((made.values * lengths).sum(), values.sum(), atol=1e-300)
    order = random.sample(range(len(values)), len(values))
    shuffled = Composites(*(getattr(found, name)[order] for name in found.__dataclass_fields__))
    again = steps(shuffled, kind="amount", least_covered=0.0)
    for name in made.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    np.testing.assert_allclose(made.n.sum(), 10 * len(values))
    np.testing.assert_allclose(made.covered, 1.0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
def test_months_are_means_of_days_that_have_their_composites_value(seed, missing):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 6, (46, 1))
    values[rng.random(46) < missing] = np.nan
    found = composites(eight_days(), values)
    made = steps(found, least_covered=0.0)
    np.testing.assert_allclose(made.values[:, 0], day_by_day(found, MONTHS))
    halved = steps(found)
    assert (halved.masked == (made.covered < 0.5 - 1e-9) | (made.covered == 0.0)).all()
    np.testing.assert_array_equal(halved.masked, np.isnan(halved.values))
    np.testing.assert_array_equal(halved.masked, np.isnan(halved.uncertainty))


def test_errors_of_two_halves_of_a_month():
    """June by two composites of 15 days: independent, equal, and in between."""
    edges = ["2003-06-01", "2003-06-16", "2003-07-01"]
    found = composites(edges, [[2.0], [4.0]])
    found.uncertainty[:] = [[0.3], [0.4]]
    for correlation, expected in (
        (0.0, np.hypot(0.3, 0.4) / 2),
        (1.0, 0.35),
        (0.5, np.sqrt(0.09 + 0.16 + 2 * 0.5 * 0.12) / 2),
    ):
        made = steps(found, correlation=correlation)
        assert made.values[5, 0] == 3.0
        assert made.uncertainty[5, 0] == pytest.approx(expected)


def test_correlation_falls_with_the_distance_also_across_gaps():
    """Of four quarters the second is missing: the first and third are two lengths apart."""
    edges = ["2003-06-01", "2003-06-09", "2003-06-17", "2003-06-25", "2003-07-03"]
    found = composites(edges, [[1.0], [np.nan], [1.0], [1.0]], uncertainty=1.0)
    weight = np.array([8.0, 8.0, 6.0])
    related = 0.6 ** np.abs(np.subtract.outer([0, 2, 3], [0, 2, 3]))
    expected = np.sqrt(weight @ related @ weight) / weight.sum()
    assert steps(found, correlation=0.6).uncertainty[5, 0] == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_errors_lie_between_independent_and_shared(correlation, seed):
    rng = np.random.default_rng(seed)
    found = composites(eight_days(), rng.uniform(0, 6, (46, 2)))
    found.uncertainty[:] = rng.uniform(0.1, 1.0, (46, 2))
    least, made, most = (
        steps(found, correlation=value).uncertainty for value in (0.0, correlation, 1.0)
    )
    assert (least <= made * (1 + 1e-12)).all()
    assert (made <= most * (1 + 1e-12)).all()


def test_a_spread_of_draws_is_the_stated_error():
    """Draws with the stated errors and correlation, averaged alike, scatter by what is stated."""
    rng = np.random.default_rng(5)
    found = composites(eight_days(), np.zeros((46, 1)), uncertainty=0.5)
    middle = (found.middle - found.start[0]) / np.timedelta64(1, "D")
    related = 0.7 ** (np.abs(middle[:, None] - middle) / 8.0)
    draws = rng.multivariate_normal(np.zeros(46), 0.25 * related, 20_000).T
    spread = steps(composites(eight_days(), draws)).values.std(axis=1)
    stated = steps(found, correlation=0.7).uncertainty[:, 0]
    np.testing.assert_allclose(spread, stated, rtol=0.03)


def test_amounts_are_rates_per_day():
    """Half of a place burns in June's composite of 30 days: a sixtieth a day."""
    burned = composites(["2003-06-01", "2003-07-01"], [[0.5]], uncertainty=0.3)
    for axis in (MONTHS, DAYS):
        made = steps(burned, axis, kind="amount")
        inside = axis.month == 6
        np.testing.assert_allclose(made.values[inside, 0], 0.5 / 30)
        np.testing.assert_allclose(made.uncertainty[inside, 0], 0.3 / 30)
        assert np.isnan(made.values[~inside]).all()


def test_each_composite_stands_once_among_days():
    values = np.arange(92.0).reshape(46, 2)
    values[3, 0] = np.nan
    count = MaskCount()
    made = steps(composites(eight_days(), values), DAYS, count=count)
    there = np.flatnonzero(np.isfinite(made.values[:, 1]))
    assert there[:3].tolist() == [4, 12, 20]  # the fifth day of eight holds the middle
    assert len(there) == 46
    np.testing.assert_array_equal(made.values[there], values)
    np.testing.assert_array_equal(made.uncertainty[there, 1], 0.1)
    assert made.n.sum() == 10 * 91
    assert made.covered.sum() == 91
    assert counted(count, "no valid composite") == 1
    assert counted(count, "not the middle") == 2 * (365 - 46)


def test_an_odd_number_of_days_has_its_middle_at_noon():
    found = composites(["2003-03-01", "2003-03-06"], [[1.0]])
    assert np.flatnonzero(~steps(found, DAYS).masked).tolist() == [59 + 2]


def test_a_map_of_a_year_stands_in_its_middle_month():
    count = MaskCount()
    yearly = composites(["2002-01-01", "2003-01-01", "2004-01-01"], [[5.0], [6.0]])
    made = steps(yearly, count=count)
    assert np.flatnonzero(~made.masked).tolist() == [6]
    assert made.values[6, 0] == 6.0
    assert counted(count, "its middle is outside of the run's steps") == 1


def test_what_is_missing_is_counted_under_its_first_reason():
    values = np.ones((46, 1))
    values[4:7] = np.nan  # 32 to 55: five days of February are left
    found = composites(eight_days(), values)
    found.uncertainty[12] = np.nan  # 5 to 12 April
    part = Composites(*(getattr(found, name)[:30] for name in found.__dataclass_fields__))
    count = MaskCount()
    made = steps(part, count=count)
    table = count.table().set_index(["level", "reason"])["masked"]
    assert table["composite", "no valid native value"] == 3
    assert table["composite", "no uncertainty"] == 1
    assert table["step", "no composite"] == 4
    assert table["step", "no valid composite"] == 0
    assert table["step", "less than 50 % covered"] == 1
    assert np.flatnonzero(made.masked).tolist() == [1, 8, 9, 10, 11]
    assert made.covered[3, 0] == pytest.approx(22 / 30)
    none = steps(composites(["2003-05-01", "2003-06-01"], [[np.nan]]), count=count)
    assert none.masked.all()
    assert counted(count, "no valid composite") == 1


def test_variables_of_cubes():
    parts = steps(composites(eight_days())).parts()
    assert set(parts) == {"", "_random", "_systematic", "_uncertainty", "_measured_fraction"}
    np.testing.assert_allclose(parts["_uncertainty"], parts["_random"])
    np.testing.assert_allclose(parts["_measured_fraction"], 1.0)


def test_no_composites_is_all_gaps():
    made = steps(composites(["2003-01-01"], np.ones((0, 3))))
    assert made.masked.shape == (12, 3)
    assert made.masked.all()


def test_overlaps_and_nonsense_are_refused():
    found = composites(eight_days())
    twice = Composites(*(np.repeat(getattr(found, f), 2, 0) for f in found.__dataclass_fields__))
    with pytest.raises(InputError, match=r"lai\.nc: lai: found intervals from 2003-01-01T00:00:00"):
        steps(twice)
    found.end[3] += np.timedelta64(1, "D")
    with pytest.raises(InputError, match=r"and from 2003-02-02T00:00:00 to .* in one interval"):
        steps(found)
    found.end[3] = found.start[3]
    with pytest.raises(InputError, match="expected a later end"):
        steps(found)
    with pytest.raises(InputError, match="a negative uncertainty"):
        steps(composites(eight_days(), uncertainty=-0.1))
    with pytest.raises(InputError, match="kind: found sum"):
        steps(composites(eight_days()), kind="sum")
    with pytest.raises(InputError, match=r"correlation: found 1\.1"):
        steps(composites(eight_days()), correlation=1.1)
    edges = np.array([0, 1, 25, 49]) + np.datetime64("2003-01-01")  # middles 0.5, 13, 37
    with pytest.raises(InputError, match="two intervals with their middles at 2003-01-01"):
        steps(composites(edges), pd.date_range("2003-01-01", periods=3, freq="15D"))
