"""No place teaches and judges, and what cannot be told apart is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from concerto.errors import ConcertoError
from concerto.learning.partitions import Fold, climates_of, each_by_others, folds_by, table_of
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None, max_examples=40)
@given(st.integers(12, 60), st.integers(2, 6), st.integers(0, 99))
def test_each_place_judges_once_and_never_what_it_taught(places, groups, seed):
    rng = np.random.default_rng(seed)
    group = (np.arange(places) % groups).astype(str)
    able = rng.random(places) < 0.8
    able[: 2 * groups] = True
    regions = rng.integers(0, 5, places)
    folds = folds_by(group, able, rng, together=None if seed % 2 else regions)
    judged = np.concatenate([fold.test for fold in folds])
    assert len(np.unique(judged)) == len(judged)
    assert able[judged].all()
    for fold in folds:
        assert not np.intersect1d(fold.test, fold.teachers).size
        assert not np.intersect1d(group[fold.test], group[fold.teachers]).size
        assert set(fold.inner) == {0, 1, 2}


def test_places_of_a_region_are_of_one_inner_group():
    regions = np.repeat(np.arange(10), 6)
    group = (regions % 2).astype(str)
    folds = folds_by(group, np.ones(60, bool), np.random.default_rng(1), together=regions)
    for fold in folds:
        for region in np.unique(regions[fold.teachers]):
            assert len(np.unique(fold.inner[regions[fold.teachers] == region])) == 1


def test_each_other_climate_is_an_inner_group_where_a_climate_is_the_test():
    climates = np.array(["cold", "arid", "temperate", "polar"])[np.arange(40) % 4]
    rng = np.random.default_rng(0)
    for fold in folds_by(climates, np.ones(40, bool), rng, inner=None, together=climates):
        pairs = {*zip(climates[fold.teachers], fold.inner, strict=True)}
        assert len(pairs) == 3
        assert {number for _, number in pairs} == {0, 1, 2}


def test_a_climate_that_only_one_other_teaches_does_not_judge():
    climates = np.array(["cold", "arid"])[np.arange(12) % 2]
    rng = np.random.default_rng(0)
    assert folds_by(climates, np.ones(12, bool), rng, inner=None, together=climates) == []


def test_places_without_a_climate_teach_but_do_not_judge():
    climates = climates_of(np.array(["Dfb", "Dfc", "", "Cfb", "Csa", "Dfb"]))
    assert climates.tolist() == ["cold", "cold", "none", "temperate", "temperate", "cold"]
    folds = folds_by(climates, np.ones(6, bool), np.random.default_rng(0))
    assert {fold.name for fold in folds} == {"cold", "temperate"}
    assert all(2 not in fold.test and 2 in fold.teachers for fold in folds)


def test_two_towers_cannot_teach():
    with pytest.raises(ConcertoError, match=r"found 2 place\(s\) that can teach"):
        folds_by(np.array(["0", "1"]), np.ones(2, bool), np.random.default_rng(0))


def test_one_climate_cannot_judge():
    with pytest.raises(ConcertoError, match="all places in one group, cold"):
        folds_by(np.full(9, "cold"), np.ones(9, bool), np.random.default_rng(0))


def test_a_place_on_both_sides_is_refused():
    with pytest.raises(ConcertoError, match="found place 3 among those that teach"):
        Fold("1", np.array([3]), np.array([2, 3]), np.array([0, 1]))


def test_the_table_says_who_teaches_and_who_judges():
    names = np.array([f"XX-{k}" for k in range(12)])
    folds = folds_by((np.arange(12) % 3).astype(str), np.ones(12, bool), np.random.default_rng(0))
    table = table_of({"site": folds}, names)
    assert isinstance(table, pd.DataFrame)
    assert (table.groupby(["fold", "place"]).size() == 1).all()
    assert table["role"].value_counts().to_dict() == {"teacher": 24, "test": 12}


def test_each_able_place_is_told_by_all_others_of_other_folds():
    dealt, able = np.arange(12) % 3, np.arange(12) != 4
    folds = each_by_others(dealt, able)
    assert np.sort(np.concatenate([fold.test for fold in folds])).tolist() == [
        *range(4), *range(5, 12),
    ]  # fmt: skip
    for fold in folds:
        assert set(dealt[fold.test]) == {int(fold.name)}
        assert sorted([*fold.test, *fold.teachers]) == np.flatnonzero(able).tolist()
    table = table_of({"site": folds}, np.arange(12).astype(str))
    assert set(table["inner"]) == {""}
