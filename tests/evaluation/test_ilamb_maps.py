"""Scores of maps: closed forms, what each sees, and baselines that other cells alone tell."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.evaluation.ilamb_maps import (
    FOLDS,
    baselines,
    distribution,
    monthly,
    score_map,
    scores_of,
)
from concerto.plots import ilamb as drawn
from hypothesis import given, settings
from hypothesis import strategies as st

MONTHS = pd.date_range("2001-01-01", periods=24, freq="MS")
SEASON = -np.cos(2.0 * np.pi * (np.arange(24) % 12) / 12.0)
LEVEL = np.linspace(1.0, 3.0, 10)
AREA = np.linspace(1.0, 2.0, 10)
OBSERVED = LEVEL[:, None] + SEASON
ALL = np.ones_like(OBSERVED, dtype=bool)


def scored(predicted, there=ALL):
    return scores_of(OBSERVED, predicted, there, MONTHS, AREA)


def test_a_perfect_map_has_all():
    found = scored(OBSERVED)
    assert found.pop("interannual") != found["overall"]  # no years differ: nothing to score
    assert found == pytest.approx(dict.fromkeys(found, 1.0))


def test_a_stretched_pattern_is_seen_by_the_distribution():
    mean = AREA @ LEVEL / AREA.sum()
    found = scored(mean + 2.0 * (LEVEL[:, None] - mean) + SEASON)
    assert found["sd_ratio"] == pytest.approx(2.0)
    assert found["correlation"] == pytest.approx(1.0)
    assert found["distribution"] == pytest.approx(4.0 / 2.5**2)
    assert [found["rmse"], found["phase"]] == pytest.approx([1.0, 1.0])
    bias = np.exp(-np.abs(LEVEL - mean) / math.sqrt(0.5))
    assert found["bias"] == pytest.approx(AREA @ bias / AREA.sum())
    weights = {"bias": 1, "rmse": 2, "phase": 1, "distribution": 1}
    assert found["overall"] == pytest.approx(
        sum(weight * found[name] for name, weight in weights.items()) / 5
    )


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [(LEVEL, 1.0), (4.0 - LEVEL, 0.0), (np.full(10, 2.0), 0.0), (LEVEL + 5.0, 1.0)],
)
def test_the_distribution_knows_likeness_alone(predicted, expected):
    assert distribution(LEVEL, predicted, AREA)["distribution"] == pytest.approx(expected)


def test_an_even_field_has_no_distribution_to_score():
    assert math.isnan(distribution(np.full(10, 2.0), LEVEL, AREA)["distribution"])


@given(st.lists(st.floats(-5, 5), min_size=10, max_size=10))
@settings(max_examples=50, deadline=None)
def test_the_score_of_the_distribution_is_a_score_and_symmetric(values):
    predicted = np.array(values)
    if predicted.std() < 1e-6:
        return
    score = distribution(LEVEL, predicted, AREA)["distribution"]
    assert -1e-12 <= score <= 1.0 + 1e-12
    assert distribution(predicted, LEVEL, AREA)["distribution"] == pytest.approx(score)


def test_what_is_not_there_counts_for_nothing():
    there = ALL.copy()
    there[3] = False
    wrong = OBSERVED.copy()
    wrong[3] += 9.0
    assert scored(wrong, there) == pytest.approx(scored(OBSERVED, there), nan_ok=True)


def test_months_are_means_of_what_they_have():
    times = pd.date_range("2001-01-01", "2001-02-28")
    values = np.full((1, len(times)), np.nan)
    values[0, [0, 8, 40]] = 1.0, 3.0, 7.0
    array = xr.DataArray(values, {"time": times}, ("location", "time"))
    found = monthly(array, pd.period_range("2001-01", "2001-03", freq="M"))
    np.testing.assert_allclose(found, [[2.0, 7.0, np.nan]])


def test_baselines_are_told_by_other_cells_alone():
    weather = {"tas": LEVEL[:, None] + 0.1 * SEASON, "rsds": np.tile(SEASON, (10, 1))}
    months = MONTHS.to_period("M")
    first = baselines(OBSERVED, months, weather, AREA)
    # what is linear in the weather is found
    np.testing.assert_allclose(first["regression"], OBSERVED, atol=1e-8)
    other = np.arange(10) * FOLDS // 10 != 0
    expected = AREA[other] @ OBSERVED[other] / AREA[other].sum()
    np.testing.assert_allclose(first["map_season"][0], expected)
    changed = OBSERVED.copy()
    changed[0] += 5.0
    again = baselines(changed, months, weather, AREA)
    for name in first:
        np.testing.assert_array_equal(first[name][:2], again[name][:2])  # its own part
        assert not np.allclose(first[name][5], again[name][5], atol=1e-3)


@pytest.fixture(scope="module")
def tables():
    """Scores of a map with fAPAR observed every eight days, and of one with GPP besides."""
    rng = np.random.default_rng(1)
    cells, days = [f"c{k}" for k in range(10)], pd.date_range("2001-01-01", "2002-12-31")
    season = -np.cos(2.0 * np.pi * (days.dayofyear.to_numpy() - 15) / 365.25)
    tas = 10.0 * LEVEL[:, None] + 8.0 * season
    fapar = 0.2 * LEVEL[:, None] + 0.1 * season
    seen = np.where(np.arange(len(days)) % 8 == 0, fapar, np.nan)
    dims = ("location", "time")
    daily = {"location": cells, "time": days}
    drivers = xr.Dataset({"tas": (dims, tas), "pr": (dims, np.full_like(tas, np.nan))}, daily)
    land = xr.Dataset({"cell_area": ("location", AREA), "land_fraction": ("location", AREA / 4)},
                      {"location": cells})  # fmt: skip
    month = drivers["tas"].resample(time="MS").mean()
    dark = xr.DataArray(fapar, daily, dims).resample(time="MS").mean()
    product = xr.Dataset({"fapar_mean": dark, "gpp_mean": 8.0 * dark, "lai_mean": 3.0 * dark})
    observed = xr.Dataset({"fapar": (dims, seen), "fapar_uncertainty": (dims, 0.05 + 0 * seen)},
                          daily)  # fmt: skip
    noise = rng.normal(1.0, 0.01, (10, len(days)))
    both = observed.assign(gpp=(dims, 8.0 * fapar * noise), gpp_uncertainty=(dims, 1.0 + 0 * tas))
    assert month.sizes == dark.sizes
    return [score_map("m", "rml", obs, drivers, land, product) for obs in (observed, both)]


def test_a_map_is_scored_beside_baselines_where_it_is_observed(tables):
    scores, responses = tables[0]
    assert set(scores["variable"]) == {"fapar"}
    assert list(scores["predictor"]) == ["rml", "map_season", "regression"]
    rows = scores.set_index("predictor")
    assert rows["overall"]["rml"] > rows["overall"]["map_season"]
    assert rows["distribution"]["rml"] == pytest.approx(1.0, abs=1e-3)
    assert "with_pr" not in scores  # it has no value
    gpp = responses[responses["variable"] == "gpp"]
    assert gpp["observed"].isna().all()
    assert set(gpp["driver"]) == {"tas", "lai", "fapar"}
    # GPP is eight times fAPAR, whatever the weather
    own = gpp[gpp["driver"] == "fapar"]
    np.testing.assert_allclose(own["rml"], 8.0 * own["middle"], atol=0.2)  # a bin is 0.4 wide


def test_gpp_has_a_score_with_leaves_where_both_are_observed(tables):
    scores, _ = tables[1]
    gpp = scores[(scores["variable"] == "gpp") & (scores["predictor"] == "rml")].iloc[0]
    assert gpp["with_fapar"] > 0.97
    assert gpp["with_tas"] > 0.97
    assert "with_lai" not in scores or math.isnan(gpp["with_lai"])


def test_the_figure_of_a_map_has_its_scores_and_says_that_they_are_a_fit(tables):
    scores, responses = tables[0]
    drawing = drawn.draw_map("A map", scores, responses, "rml")
    texts = {text.get_text() for part in drawing.figure.subfigs
             for axes in part.axes for text in axes.texts}  # fmt: skip
    assert {f"{value:.2f}" for value in scores["overall"]} <= texts
    assert "a fit, no test" in drawing.caption
    labels = [axes.get_xlabel() for part in drawing.figure.subfigs for axes in part.axes]
    assert "fAPAR (fraction)" in labels
