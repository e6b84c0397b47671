import numpy as np
import pandas as pd
import pytest
from concerto.errors import ConcertoError
from concerto.splits import training_of, training_times
from hypothesis import given
from hypothesis import strategies as st

DAYS = pd.date_range("2014-01-01", "2014-12-31", freq="D")


@pytest.mark.parametrize("as_date", [False, True], ids=["text", "date"])
def test_period_includes_both_ends(as_date):
    ends = ["2014-03-01", "2014-04-30"]
    rule = {"period": [pd.Timestamp(day).date() for day in ends] if as_date else ends}
    chosen = DAYS[training_times(DAYS, rule)]
    assert (chosen[0], chosen[-1]) == (pd.Timestamp("2014-03-01"), pd.Timestamp("2014-04-30"))
    assert len(chosen) == 31 + 30


def test_period_includes_the_whole_last_day():
    hours = pd.date_range("2014-03-01", periods=72, freq="h")
    assert training_times(hours, {"period": ["2014-03-02", "2014-03-02"]}).sum() == 24


def test_period_may_reach_beyond_the_record():
    assert training_times(DAYS, {"period": ["2000-01-01", "2030-01-01"]}).all()


def test_two_of_three_blocks():
    chosen = training_times(DAYS, {"blocks": {"length_days": 10, "train": 2, "of": 3}})
    assert chosen.dtype == bool
    assert chosen[:20].all()
    assert not chosen[20:30].any()
    assert chosen[30:50].all()
    assert chosen.sum() == 245


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 4), st.integers(1, 400))
def test_blocks(length, train, withheld, days):
    times = pd.date_range("2011-11-11", periods=days, freq="D")
    rule = {"blocks": {"length_days": length, "train": train, "of": train + withheld}}
    chosen = training_times(times, rule)
    expected = [(day // length) % (train + withheld) < train for day in range(days)]
    np.testing.assert_array_equal(chosen, expected)


@pytest.mark.parametrize(
    "rule",
    [
        {"period": ["2015-01-01", "2016-12-31"]},
        {"period": ["2014-06-01", "2014-05-01"]},
        {"blocks": {"length_days": 10, "train": 0, "of": 3}},
    ],
)
def test_nothing_chosen_is_an_error_that_names_the_record(rule):
    with pytest.raises(ConcertoError, match=r"training.*2014-01-01 to 2014-12-31"):
        training_times(DAYS, rule)


MONTHS = pd.date_range("2013-01-01", "2014-12-01", freq="MS")


def test_months_are_in_a_period_wholly():
    chosen = MONTHS[training_times(MONTHS, {"period": ["2013-03-02", "2014-02-27"]})]
    assert (chosen[0], chosen[-1]) == (pd.Timestamp("2013-04-01"), pd.Timestamp("2014-01-01"))


def test_months_belong_to_the_block_in_which_they_begin():
    chosen = training_times(MONTHS, {"blocks": {"length_days": 365, "train": 1, "of": 2}})
    np.testing.assert_array_equal(chosen, MONTHS.year == 2013)


def test_blocks_shorter_than_a_month_are_refused():
    with pytest.raises(ConcertoError, match=r"length_days: found 30; expected at least 31"):
        training_times(MONTHS, {"blocks": {"length_days": 30, "train": 1, "of": 2}})


def test_the_last_values_of_a_stream_are_withheld():
    values = np.full(24, np.nan)
    values[[2, 3, 9, 20, 21, 22]] = 1.0
    rule = {"last_withheld": {"gpp": 1 / 3}}
    withheld = np.flatnonzero(~training_of("gpp", values, MONTHS, rule))
    assert withheld.tolist() == [21, 22]
    assert training_of("lai", values, MONTHS, rule).all()


def test_other_rules_are_the_same_for_all_streams():
    rule = {"period": ["2013-03-02", "2014-02-27"]}
    found = training_of("gpp", np.ones(24), MONTHS, rule)
    np.testing.assert_array_equal(found, training_times(MONTHS, rule))
