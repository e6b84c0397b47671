"""Fluxes of cells from towers: what is learnt, how sure it is, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from concerto.errors import ConcertoError, InputError
from concerto.learning import cards
from concerto.learning import flux_maps as maps
from concerto.learning.dissimilarity import INSIDE, NEVER_SEEN, OUTSIDE, STATUS, UNKNOWN
from concerto.learning.features import Features
from concerto.learning.partitions import folds_by
from concerto.learning.upscaling import Blend

TOWERS, MONTHS = 60, 24
NAMES = ("tas", "rsds", "vpd")


def towers(seed: int = 0) -> tuple[Features, np.ndarray]:
    """Return towers whose flux is told by two of three features, with an error of each tower."""
    rng = np.random.default_rng(seed)
    told = rng.uniform(0.0, 1.0, (TOWERS, MONTHS, 3))
    flux = 6.0 * told[..., 0] * told[..., 1] + rng.normal(0.0, 0.3, (TOWERS, 1))
    return Features(NAMES, told), flux + rng.normal(0.0, 0.3, flux.shape)


@pytest.fixture(scope="module")
def taught():
    features, flux = towers()
    groups = np.arange(TOWERS) % 5
    rng = np.random.default_rng(0)
    folds = folds_by(groups.astype(str), np.ones(TOWERS, bool), rng)
    learner = Blend(1, 20, 40)
    judged, grown = maps.judge(features, flux, folds, learner)
    told = grown.groupby("group")["grown"].mean().to_dict()
    model = maps.finish(
        "gpp", features, flux, {"site": judged}, told, groups, ["ENF", "GRA"], learner
    )
    return features, flux, folds, judged, told, model


def test_intervals_hold_at_towers_that_taught_nothing(taught):
    _, flux, _, judged, _, _ = taught
    assert np.corrcoef(judged.mean.ravel(), flux.ravel())[0, 1] > 0.9
    for stated in (0.5, 0.9):
        held = np.mean(np.abs(judged.rank - 0.5) <= stated / 2)
        assert held == pytest.approx(stated, abs=0.07)


def test_intervals_of_a_new_climate_rest_on_climates_that_taught_nothing():
    """Each climate has an error of its own, which random groups of its places do not see."""
    climate = np.arange(TOWERS) % 6
    own = 2.0 * np.array([1.0, -1.2, 0.8, -0.9, 1.1, -1.0])[climate][:, None]
    names, able = np.array([f"climate {k}" for k in climate]), np.ones(TOWERS, bool)
    features, flux = towers()
    told = np.dstack([features.values, np.broadcast_to(climate[:, None], flux.shape)])
    features, flux = Features((*NAMES, "latitude, absolute"), told), flux + own
    learner, rng = Blend(1, 20, 40), np.random.default_rng(0)
    held, found = {}, {}
    for how, settings in {"random": {}, "climate": {"inner": None, "together": names}}.items():
        found[how], _ = maps.judge(features, flux, folds_by(names, able, rng, **settings), learner)
        held[how] = np.mean(np.abs(found[how].rank - 0.5) <= 0.45)
    assert held["random"] < 0.8
    assert held["climate"] > held["random"] + 0.1
    groups = np.arange(TOWERS) % 5
    by_site, grown = maps.judge(features, flux, folds_by(groups.astype(str), able, rng), learner)
    model = maps.finish(
        "gpp", features, flux, {"site": by_site, "climate": found["climate"]},
        grown.groupby("group")["grown"].mean().to_dict(), groups, [], learner,
    )  # fmt: skip
    mean, status = np.array([2.0, 2.0]), np.array([INSIDE, OUTSIDE])
    near, far = model.spread(mean, status)
    assert far > 1.3 * near
    widths = model.quantile(0.95, mean, status) - model.quantile(0.05, mean, status)
    assert widths[1] > 1.3 * widths[0]


def test_what_a_test_measured_has_no_part_in_its_prediction(taught):
    features, flux, folds, judged, _, _ = taught
    other = flux.copy()
    other[folds[0].test] = other[folds[0].test][:, ::-1] * 3.0
    again, _ = maps.judge(features, other, folds[:1], Blend(1, 20, 40))
    own = folds[0].test
    for part in ("mean", "sd", "dissimilarity", "limit"):
        np.testing.assert_array_equal(getattr(again, part)[own], getattr(judged, part)[own])


def test_predictions_rest_on_what_tells(taught):
    *_, told, _ = taught
    assert told["dryness of the air"] < 0.05 * told["temperature"]
    assert told["radiation and season"] > 0.5


def test_a_towers_own_error_is_found(taught):
    model = taught[-1]
    assert 0.25 < model.shared < 0.6  # half of the variance that nothing tells is a tower's own


def test_shared_variance_of_known_cases():
    rng = np.random.default_rng(3)
    own = rng.normal(0.0, 1.0, (400, 1)) * np.sqrt(0.3)
    both = own + rng.normal(0.0, np.sqrt(0.7), (400, 10))
    assert maps.shared_variance(both) == pytest.approx(0.3, abs=0.05)
    assert maps.shared_variance(rng.normal(size=(300, 10))) < 0.03
    assert maps.shared_variance(np.arange(4.0)[:, None] * np.ones(6)) == 1.0


def test_cells_say_why_they_are_not_to_be_trusted(taught):
    features, *_, model = taught
    cells = Features(NAMES, features.values[:4].copy())
    cells.values[1] += 9.0
    cells.values[2, :, 0] = np.nan
    mean, index, status = model.predict(cells, np.array(["ENF", "ENF", "GRA", "BSV"]))
    # a few of what taught may be unlike the rest
    assert (status[0] == INSIDE).mean() > 0.8
    assert (status[1] == OUTSIDE).all()
    assert (status[2] == UNKNOWN).all()
    assert (status[3] == NEVER_SEEN).all()
    assert np.isnan(mean[2]).all()
    assert np.isnan(index[2]).all()
    assert len(STATUS) == 4


def test_a_stream_knows_a_mean_no_better_than_it_is():
    """The mean of n months with errors correlated by r has the variance s2 (1 + (n - 1) r) / n."""
    mean, sd = np.ones((1, 12)), np.full((1, 12), 0.5)
    status = np.full((1, 12), INSIDE)
    status[0, :2] = OUTSIDE
    stream = maps.as_observations(mean, sd, status, 0.4)
    seen = np.isfinite(stream[""][0])
    assert seen.sum() == 10
    of_mean = np.sqrt(np.sum(stream["_random"][0, seen] ** 2)) / seen.sum()
    assert of_mean == pytest.approx(0.5 * np.sqrt((1 + 9 * 0.4) / 10))
    np.testing.assert_allclose(stream["_uncertainty"][0, seen], 0.5)
    assert stream["_measured_fraction"].sum() == 10


def test_a_target_that_says_nothing_is_refused():
    with pytest.raises(ConcertoError, match=r"gpp: found 2 in all 6 months"):
        maps.check_target("gpp", np.full((2, 3), 2.0))
    with pytest.raises(ConcertoError, match="no value"):
        maps.check_target("gpp", np.full((2, 3), np.nan))


def test_what_cells_do_not_have_is_left_out_with_a_reason():
    features, _ = towers()
    cells = Features(("tas", "vpd"), np.stack([np.ones((2, 3)), np.full((2, 3), np.nan)], axis=-1))
    names, left_out = maps.common_names(features, cells)
    assert names == ("tas",)
    assert left_out == {
        "rsds": "not in the map's cubes",
        "vpd": "no value in the map's cubes",
    }


def test_groups_of_features():
    said = {"pr, mean of 3 months": "rain", "vpd, unlike its season": "dryness of the air",
            "lai, season": "leaves", "forest": "class of land", "length of day":
            "radiation and season", "latitude, absolute": "radiation and season"}  # fmt: skip
    assert {name: maps.group_of(name) for name in said} == said


def test_errors_shrink_with_towers(taught):
    features, flux, folds, *_ = taught
    curve = maps.learning_curve(features, flux, folds[:2], Blend(1, 20, 40))
    assert curve["rmse"].iloc[-1] < curve["rmse"].iloc[0]
    assert curve["teachers"].tolist() == [12.0, 24.0, 36.0, 48.0]


def test_a_model_that_is_kept_predicts_as_before_and_no_other_version_is_read(taught, tmp_path):
    features, *_, model = taught
    file = tmp_path / "gpp.pkl"
    cards.keep(model, file)
    again = cards.kept(file)
    igbp = np.full(TOWERS, "ENF")
    for first, second in zip(
        model.predict(features, igbp), again.predict(features, igbp), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    said = pickle.loads(file.read_bytes()) | {"version": 0}
    file.write_bytes(pickle.dumps(said))
    with pytest.raises(InputError, match="version: found 0"):
        cards.kept(file)
