"""Scores of land models' benchmarking: closed forms, and what each does and does not see."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.evaluation.baselines import fit_baselines
from concerto.evaluation.ilamb import (
    LEAVES,
    interpolated,
    response,
    response_score,
    score_site,
    scores_of,
)
from concerto.plots import ilamb as drawn
from synthetic_run import SITES

MONTHS = pd.date_range("2001-01-01", periods=36, freq="MS")
SEASON = -np.cos(2.0 * np.pi * (np.arange(36) % 12) / 12.0)  # of most in July, of variance 1/2
YEARS = np.repeat([-0.3, 0.0, 0.3], 12)  # of variance 0.06
SCALE = math.sqrt(0.5 + 0.06)


def scored(predicted, observed=SEASON + YEARS):
    return scores_of(observed, predicted, MONTHS)


def test_a_perfect_prediction_has_all():
    assert scored(SEASON + YEARS) == pytest.approx(
        {"bias": 1, "rmse": 1, "phase": 1, "interannual": 1, "overall": 1}
    )


def test_a_bias_is_seen_by_its_own_score_alone():
    found = scored(SEASON + YEARS + 0.2)
    assert found["bias"] == pytest.approx(math.exp(-0.2 / SCALE))
    assert [found[name] for name in ("rmse", "phase", "interannual")] == pytest.approx([1, 1, 1])
    assert found["overall"] == pytest.approx((found["bias"] + 4.0) / 5.0)


def test_a_shifted_season_loses_phase():
    found = scored(np.roll(SEASON, 3) + YEARS)
    assert found["phase"] == pytest.approx(0.5)
    assert scored(np.roll(SEASON, -6) + YEARS)["phase"] == pytest.approx(0.0)
    error = np.roll(SEASON, 3) - SEASON
    assert found["rmse"] == pytest.approx(math.exp(-math.sqrt(np.mean(error**2)) / SCALE))
    assert found["bias"] == pytest.approx(1.0)


def test_a_climatology_has_no_difference_between_years():
    assert scored(SEASON)["interannual"] == pytest.approx(math.exp(-1.0))
    assert scored(SEASON + 2.0 * YEARS)["interannual"] == pytest.approx(math.exp(-1.0))


@pytest.mark.parametrize(
    ("months", "without"), [(12, {"interannual"}), (7, {"interannual", "phase"})]
)
def test_what_a_short_record_cannot_say_is_left_out(months, without):
    found = scores_of(SEASON[:months], SEASON[:months] + 0.1, MONTHS[:months])
    assert {name for name, value in found.items() if np.isnan(value)} == without
    left = {"bias", "rmse", "phase"} - without
    weights = {"bias": 1.0, "rmse": 2.0, "phase": 1.0}
    expected = sum(weights[name] * found[name] for name in left) / sum(weights[n] for n in left)
    assert found["overall"] == pytest.approx(expected)


def test_a_response_is_the_mean_in_each_bin():
    x = np.repeat([0.5, 1.5, 2.5], [10, 10, 3])
    y = np.concatenate([np.full(10, 1.0), np.linspace(1.0, 3.0, 10), np.full(3, 9.0)])
    mean, count = response(x, y, np.array([0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(mean, [1.0, 2.0, np.nan])
    assert list(count) == [10, 10, 3]


def test_the_score_of_a_response_is_relative_to_its_size():
    observed = np.array([3.0, 4.0, np.nan])
    assert response_score(observed, observed) == 1.0
    assert response_score(observed, np.array([3.0, 4.0 + 5.0, 7.0])) == pytest.approx(math.exp(-1))


def test_what_is_beyond_the_bins_or_missing_is_in_none():
    x = np.concatenate([np.full(6, 0.5), [-1.0, 7.0, 0.5]])
    mean, count = response(x, np.append(np.full(8, 2.0), np.nan), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(mean, [2.0, np.nan])
    assert list(count) == [6, 0]


def test_leaves_are_interpolated_between_near_observations_alone():
    days = pd.date_range("2001-01-01", periods=80)
    values = np.full(80, np.nan)
    values[[4, 14, 60]] = 1.0, 2.0, 3.0
    found = interpolated(days, values)
    np.testing.assert_allclose(found[4:15], 1.0 + np.arange(11) / 10.0)
    assert np.flatnonzero(np.isfinite(found)).tolist() == [*range(4, 15), 60]


@pytest.fixture(scope="module")
def tables(run):
    site = SITES[1].name
    observed, weather = (
        xr.load_dataset(run / f"cubes/{site}/{what}.nc") for what in ("observations", "drivers")
    )
    projections = {"demcz": xr.load_dataset(run / f"projection/{site}/demcz.nc")}
    baselines = fit_baselines(weather, observed, projections["demcz"], members=20, seed=1)
    return site, score_site(site, observed, weather, projections, baselines, 1)


def test_a_site_is_scored_beside_its_baselines(tables):
    site, (scores, responses) = tables
    assert set(scores["site"]) == set(responses["site"]) == {site}
    assert {"demcz", "climatology", "regression"} <= set(scores["predictor"])
    for name in ("bias", "rmse", "overall", "with_tas"):
        assert scores[name].between(0.0, 1.0).all()
    assert (responses["days"] >= 5).all()


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_flux_is_related_with_leaves_as_each_says_that_they_are(run, leaf):
    site = SITES[1].name
    observed, weather = (
        xr.load_dataset(run / f"cubes/{site}/{what}.nc") for what in ("observations", "drivers")
    )
    model = xr.load_dataset(run / f"projection/{site}/demcz.nc")
    observed[leaf] = 0.5 * observed["gpp"] + 1.0
    observed[f"{leaf}_uncertainty"] = 0.0 * observed[leaf] + 0.1
    # the model's leaves are far too many, in the same relation to its GPP
    model[leaf] = 0.5 * model["gpp_total"] + 1.0
    scores, responses = score_site(
        site, observed, weather, {"demcz": model}, xr.Dataset(coords=weather.coords), 1
    )
    gpp = responses[(responses["variable"] == "gpp") & (responses["driver"] == leaf)]
    np.testing.assert_allclose(gpp["observed"], 2.0 * (gpp["middle"] - 1.0), atol=1.0)
    assert scores.set_index("variable")[f"with_{leaf}"]["gpp"] > 0.9
    assert leaf not in set(responses.loc[responses["variable"] == leaf, "driver"])


def test_the_figure_shows_each_score_and_is_drawn_without_any(tables):
    site, (scores, responses) = tables
    drawing = drawn.draw(site, scores, responses, "demcz", converged=True)
    panels = [axes for part in drawing.figure.subfigs for axes in part.axes]
    shown = {text.get_text() for axes in panels for text in axes.texts}
    assert {f"{value:.2f}" for value in scores["overall"]} <= shown
    assert "withheld" in drawing.caption
    nothing = drawn.draw(site, scores[:0], responses[:0], "demcz", converged=False)
    assert "not converged" in nothing.caption
