"""Figures of a network of towers: what bars, colours, lines and reasons stand for."""

from __future__ import annotations

import json

import geopandas
import matplotlib
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from concerto.cubes import load
from concerto.evaluation.tower_reasons import COLUMNS, explain
from concerto.evaluation.trial_verdicts import read_verdicts
from concerto.networks import INNER, KNOWN, NEW
from concerto.plots import style, tower_map, tower_reliability, tower_scores, tower_worst, towers
from explain_towers import explain_towers
from plot_tower_map import plot_tower_map
from plot_tower_reliability import plot_tower_reliability
from plot_tower_scores import plot_tower_scores
from plot_tower_worst import plot_tower_worst
from synthetic_network import FAILED, FLAGGED, SHIFTED, SHORT, UNMODELLED, write_network

BORDERS = geopandas.GeoDataFrame(
    {"name": ["North", "South"]},
    geometry=[shapely.box(-10, 35, 60, 70), shapely.box(115, -40, 155, -10)],
    crs="EPSG:4326",
)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def scores(network):
    return towers.read_scores(network.scores)


@pytest.fixture(scope="module")
def judged(network):
    return load(network.judged)


def words_of(path):
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size > 10_000
    words = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(words) == {"title", "caption", "alternative"}
    return words


def nothing_is_cut_off(figure):
    with matplotlib.rc_context(style.SETTINGS):
        figure.draw_without_rendering()
    width, height = figure.bbox.x1, figure.bbox.y1
    for axes in figure.axes:
        for text in (axes.title, axes._left_title, axes._right_title, axes.xaxis.label,
                     axes.yaxis.label, *axes.get_yticklabels(), *axes.texts):  # fmt: skip
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                assert box.x0 >= -1, text
                assert box.x1 <= width + 1, text
                assert -1 <= box.y0 <= box.y1 <= height + 1, text


def test_bars_are_as_long_as_scores(scores):
    drawing = tower_scores.draw("Net", scores)
    nothing_is_cut_off(drawing.figure)
    first, _, third = drawing.figure.axes[:3]
    every = towers.pooled(scores)
    order = [(KNOWN, own) for own in ("climatology", "process", "learned", "combined")]
    order += [(NEW, own) for own in ("process", "learned")]
    for axes, metric in ((first, "nse"), (third, "crps")):
        lengths = [bar.get_width() for bar in axes.patches]
        assert lengths == [every[metric][setting, "gpp", own] for setting, own in order]
    rows = every.loc[[(KNOWN, "nee", "learned"), (NEW, "nee", "learned")]]
    expected = " and ".join(
        f"{n:,.0f} of {k:.0f}" for n, k in zip(rows.n, rows.towers, strict=True)
    )
    assert f"NEE {expected} towers" in drawing.caption


def test_classes_are_sorted_and_what_is_beyond_is_counted(scores):
    lower = scores.copy()
    chosen = (lower.group == "class") & (lower.name == "CRO")
    lower.loc[chosen & (lower.flux == "et") & (lower.predictor == "learned"), "nse"] = -3.0
    left = int((lower[lower.group == "class"].nse < -0.5).sum())
    drawing = tower_scores.draw_classes("Net", lower)
    nothing_is_cut_off(drawing.figure)
    assert f" {left} values are below \N{MINUS SIGN}0.5" in drawing.caption
    arrows = [
        line for axes in drawing.figure.axes for line in axes.lines if line.get_marker() == "<"
    ]
    assert sum(len(line.get_xdata()) for line in arrows) == left


def test_towers_have_the_colour_of_their_score_and_the_mark_of_the_comparison(scores, judged):
    drawing = tower_map.draw("Net", scores, judged, BORDERS)
    nothing_is_cut_off(drawing.figure)
    rows = scores[(scores.group == "tower") & (scores.setting == KNOWN) & (scores.flux == "gpp")]
    rows = rows[rows.n >= 6].pivot_table(index="name", columns="predictor", values=["nse", "rmse"])
    better = rows["rmse"]["combined"] < rows["rmse"]["climatology"]
    circles, triangles = drawing.figure.axes[0].collections[:2]
    np.testing.assert_allclose(
        np.sort(circles.get_array()), np.sort(rows["nse"]["combined"][better])
    )
    np.testing.assert_allclose(
        np.sort(triangles.get_array()), np.sort(rows["nse"]["combined"][~better])
    )
    said = f"GPP: better than the climatology at {better.sum()} of {len(better)} towers"
    assert said in drawing.caption
    assert len(better) == judged.sizes["location"] - 1  # one has too few months


def test_larger_part_is_where_most_towers_are(judged):
    latitude, longitude = tower_map._densest(judged["lat"].to_numpy(), judged["lon"].to_numpy())
    inside = (judged["lat"] > latitude[0]) & (judged["lat"] < latitude[1])
    inside &= (judged["lon"] > longitude[0]) & (judged["lon"] < longitude[1])
    assert int(inside.sum()) == judged.sizes["location"] - 4


def test_held_shares_are_those_of_true_and_of_narrow_distributions():
    rank = np.append(np.arange(0.005, 1.0, 0.01), np.nan)
    np.testing.assert_allclose(tower_reliability.held(rank), tower_reliability.STATED, atol=0.011)
    narrow = np.where(rank < 0.5, 0.0, 1.0)
    assert tower_reliability.held(narrow).max() == 0.0


def test_towers_drawn_anew_spread_more_where_months_hang_together():
    rng = np.random.default_rng(1)
    apart = rng.random((30, 40))
    alike = np.repeat(rng.random((30, 1)), 40, axis=1)
    alike[0] = np.nan
    widths = [
        np.diff(tower_reliability.spread(rank, np.random.default_rng(2)), axis=0).mean()
        for rank in (apart, alike)
    ]
    assert widths[1] > 3.0 * widths[0]


def test_reliability_is_drawn_and_told(network, judged, tmp_path):
    plot_tower_reliability("Net", network.judged, tmp_path / "reliability.png", seed=1)
    caption = words_of(tmp_path / "reliability.png")["caption"]
    rank = judged["et_new_learned_rank"].to_numpy()
    share = 100 * np.mean(np.abs(rank[np.isfinite(rank)] - 0.5) <= 0.45)
    assert caption.endswith(f"and {share:.0f} %.")


def test_worst_towers_are_those_with_the_largest_share(network, judged, tmp_path):
    table = tmp_path / "worst.csv"
    explain_towers(network.judged, network.plausibility, network.posteriors[INNER], table)
    worst = pd.read_csv(table)
    assert list(worst) == list(COLUMNS)
    error = (judged["nee_known_combined"] - judged["nee_known_observed"]) ** 2
    share = (error.sum("time") / error.sum()).sel(location=worst.tower.to_numpy())
    np.testing.assert_allclose(worst.share_nee, share, rtol=1e-5)
    assert worst.share.is_monotonic_decreasing
    assert worst.tower[0] == SHIFTED
    assert worst.reason.str.len().min() > 20
    assert len(worst) == judged.sizes["location"]
    ds = load(network.judged)
    for flux in ("gpp", "nee", "et"):
        ds[f"{flux}_known_observed"][7] = np.nan
    empty = str(ds["location"].to_numpy()[7])
    fewer = explain(ds, pd.read_csv(network.plausibility), dict.fromkeys(worst.tower, ("", "")))
    assert set(worst.tower) - set(fewer.tower) == {empty}
    worst.head(2).to_csv(table, index=False)
    plot_tower_worst("Net", table, network.judged, network.predictions, tmp_path / "worst.png")
    assert f"at {SHIFTED} (GPP), " in words_of(tmp_path / "worst.png")["alternative"]


def reason_of(judged, known, tower, change):
    """Return the reason of a tower whose NEE is changed so that it is among the worst."""
    ds = judged.copy(deep=True)
    change(ds, ds["location"].to_numpy().tolist().index(tower))
    row = explain(ds, *known).set_index("tower").loc[tower]
    assert row.flux == "nee"
    return row.reason.replace("\N{NO-BREAK SPACE}", " ")


def too_high(ds, k):
    ds["nee_known_combined"][k] += 9.0


@pytest.fixture(scope="module")
def known(network):
    table = read_verdicts({INNER: network.posteriors[INNER]})
    verdicts = {row.tower: (row.status, row.reason) for row in table.itertuples()}
    return pd.read_csv(network.plausibility), verdicts


@pytest.mark.parametrize(
    ("tower", "text"),
    [
        (FLAGGED, "Its NEE is impossible (NEE of a year): -1700 g m-2 yr-1; expected: about -200."),
        (UNMODELLED, "It has no process posterior: no stream has a value."),
        (FAILED, "Its process posterior has not converged: mean squared misfit 3 (expected 1)."),
        (SHORT, "Only 9 of its months were taught."),
    ],
    ids=["doubted", "unmodelled", "not converged", "short"],
)
def test_reasons_follow_from_the_data(judged, known, tower, text):
    assert text in reason_of(judged, known, tower, too_high)
    assert text not in reason_of(judged, known, "T06", too_high)


def test_bias_is_stated_with_its_share(judged, known):
    own = judged.sel(location="T06")
    error = (own["nee_known_combined"] + 9.0 - own["nee_known_observed"]).dropna("time")
    share = 100.0 * float(error.mean() ** 2 / (error**2).mean())
    assert (
        f"The prediction is {float(error.mean()):.2f} gC m⁻² d⁻¹ too high in the mean, which makes "
        f"{share:.0f} % of its squared error."
    ) in reason_of(judged, known, "T06", too_high)


def test_shift_is_stated_with_its_numbers(judged, known):
    table = explain(judged, *known)
    row = table[table.tower == SHIFTED].iloc[0]
    own = judged.sel(location=SHIFTED)
    there = np.isfinite(own[f"{row.flux}_known_observed"])
    means = [
        float(own[f"{row.flux}_known_{what}"].where(there).mean())
        for what in ("observed", "climatology", "combined")
    ]
    assert means[0] > means[1] + 1.0
    said = [f"{mean:.2f}" for mean in means]
    assert f"withheld months have {said[0]} " in row.reason
    assert f"of the same season {said[1]}; predicted was {said[2]}." in row.reason


def test_cropland_divided_models_and_single_months_are_seen(judged, known):
    def change(ds, k):
        later = np.flatnonzero(np.isfinite(ds["nee_known_observed"].to_numpy()[k]))[3]
        ds["nee_known_process"][k] = ds["nee_known_learned"][k] + 30.0
        for setting in (KNOWN, NEW):
            ds[f"nee_{setting}_observed"][k, later] = -40.0

    reason = reason_of(judged, known, "T08", change)
    assert "nobody says which crop grows in which year" in reason
    assert "what other towers teach are 30.00 gC m⁻² d⁻¹ apart" in reason
    assert "make 100 % of its squared error, the largest 2004-01: \N{MINUS SIGN}40.00 " in reason
    assert "varies more than that of 100 % of other towers" in reason
    assert "crop" not in reason_of(judged, known, "T07", change)


def test_where_no_rule_applies_numbers_are_given(judged, known):
    def change(ds, k):
        sign = np.where(np.arange(ds.sizes["time"]) % 2, 1.0, -1.0)
        known = [f"nee_known_{name}" for name in towers.PREDICTORS]
        for name in set(known) & set(ds):
            ds[name][k] = ds["nee_known_observed"][k] + 5.0 * sign

    assert reason_of(judged, known, "T06", change) == (
        "No rule applies: 29 months were taught, the error is 5.00 gC m⁻² d⁻¹ (root "
        "mean square), that of a climatology 5.00."
    )


def test_scores_and_maps_are_written_with_their_words(network, tmp_path):
    BORDERS.to_file(tmp_path / "borders.geojson")
    plot_tower_scores("Net", network.scores, tmp_path / "scores.png", tmp_path / "classes.png")
    plot_tower_map(
        "Net", network.scores, network.judged, tmp_path / "borders.geojson", tmp_path / "map.png"
    )
    for name in ("scores", "classes", "map"):
        assert words_of(tmp_path / f"{name}.png")["title"].startswith("Net: ")


def test_bands_are_the_published_ones_and_the_line_what_was_judged(network, judged, known):
    worst = explain(judged, *known).head(2)
    drawing = tower_worst.draw("Net", worst, judged, xr.load_dataset(network.predictions))
    nothing_is_cut_off(drawing.figure)
    axes = drawing.figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    own = judged.sel(location=SHIFTED)
    withheld = own["gpp_known_observed"].to_numpy()
    shown = np.asarray(lines["predicted without them"].get_ydata())
    assert np.isfinite(shown).sum() == np.isfinite(withheld).sum()
    np.testing.assert_array_equal(
        shown[np.isfinite(shown)], own["gpp_known_combined"].to_numpy()[np.isfinite(withheld)]
    )
    taught = np.asarray(lines["taught"].get_ydata())
    assert not (np.isfinite(taught) & np.isfinite(shown)).any()
