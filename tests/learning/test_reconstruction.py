"""Land cover adds up, follows land use, and is judged on regions and years that taught nothing."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.errors import ConcertoError
from concerto.evaluation.reconstruction import cover_scores
from concerto.learning import reconstruction as cover
from concerto.learning.partitions import folds_by
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = tuple(cover.COVERS)
CROP, URBAN = (list(cover.STATES).index(name) for name in cover.USED)


def cells(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features (warmth, coarse crop), fractions that they tell, and blocks."""
    rng = np.random.default_rng(seed)
    warm, crop = rng.uniform(size=(2, count))
    fractions = np.zeros((count, len(NAMES)))
    fractions[:, NAMES.index("crop")] = crop
    fractions[:, NAMES.index("EBF")] = (1.0 - crop) * warm
    fractions[:, NAMES.index("ENF")] = (1.0 - crop) * (1.0 - warm)
    noisy = fractions + rng.uniform(0.0, 0.1, fractions.shape) * (fractions > 0.0)
    return (
        np.stack([warm, crop], axis=-1),
        noisy / noisy.sum(axis=1, keepdims=True),
        np.arange(count) // 20,
    )


def test_fractions_add_up_wherever_they_are_told():
    features, fractions, _ = cells()
    learner = cover.CoverLearner(1).fit(features, fractions)
    far = np.array([[50.0, -3.0], [np.nan, 0.5], [0.5, 0.5]])
    found = learner.predict(far)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert (found >= 0.0).all()


def test_regions_that_taught_nothing_are_told_better_than_by_the_coarse_product():
    features, fractions, blocks = cells()
    folds = folds_by((blocks % 4).astype(str), np.ones(400, bool), np.random.default_rng(0),
                     together=blocks)  # fmt: skip
    judged = cover.judge_cover(features, fractions, folds, 1)
    states = cover.states_of(fractions)
    coarse = cover.coarse_product(fractions, states, np.full(400, "cold"), folds)
    np.testing.assert_allclose(coarse.sum(axis=1), 1.0)
    inside = cover.within(fractions, judged)
    table = cover_scores(
        "regions", fractions, {"learnt": judged.mean, "coarse": coarse}, inside, NAMES
    )
    pooled = table[table["name"] == "all"].set_index("predictor")
    assert pooled.loc["learnt", "error"] < 0.6 * pooled.loc["coarse", "error"]
    crop = table[(table["name"] == "crop") & (table["predictor"] == "learnt")].iloc[0]
    assert crop["coverage90"] == pytest.approx(0.9, abs=0.08)


def test_a_test_region_has_no_part_in_what_is_said_of_it():
    features, fractions, blocks = cells()
    folds = folds_by((blocks % 4).astype(str), np.ones(400, bool), np.random.default_rng(0))
    other = fractions.copy()
    other[folds[0].test] = other[folds[0].test][:, ::-1]
    first, second = (cover.judge_cover(features, f, folds[:1], 1) for f in (fractions, other))
    for part in ("mean", "low", "high"):
        np.testing.assert_array_equal(getattr(first, part), getattr(second, part))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda x: sum(x) > 0.01),
    st.floats(0.0, 20.0),
    st.floats(0.0, 20.0),
)
def test_states_of_another_year_add_up_and_used_land_is_scaled(shares, crop, urban):
    states = np.array([shares]) / sum(shares)
    found = cover.states_in(states, {"crop": crop, "urban": urban})
    assert (found >= -1e-12).all()
    assert found.sum() == pytest.approx(1.0)
    wanted = states[0, CROP] * crop + states[0, URBAN] * urban
    if wanted <= 1.0:
        assert found[0, CROP] == pytest.approx(states[0, CROP] * crop)
    else:
        assert found[0, [CROP, URBAN]].sum() == pytest.approx(1.0)
    free = [k for k in range(4) if k not in (CROP, URBAN)]
    if states[0, free].sum() > 1e-6 and wanted < 0.999:
        np.testing.assert_allclose(
            found[0, free] / found[0, free].sum(),
            states[0, free] / states[0, free].sum(),
            atol=1e-6,
        )


def test_factors_are_on_a_line_in_between():
    history = {"crop": {1850: 0.4, 2000: 1.0}}
    assert cover.factors(history, 1925)["crop"] == pytest.approx(0.7)
    assert cover.factors(history, 1700)["crop"] == 0.4


def test_coarse_states_are_means_of_their_block_by_land():
    fractions = np.zeros((3, len(NAMES)))
    fractions[[0, 1, 2], [NAMES.index("crop"), NAMES.index("ENF"), NAMES.index("bare")]] = 1.0
    states = cover.coarse_states(fractions, np.array([1.0, 3.0, 1.0]), np.array([0, 0, 1]))
    np.testing.assert_allclose(states[0], [0.75, 0.25, 0.0, 0.0])
    np.testing.assert_allclose(states[2], [0.0, 0.0, 0.0, 1.0])


def test_water_is_no_cover_and_unknown_classes_are_refused():
    found, land = cover.covers_of(
        np.array([[0.2, 0.0], [0.3, 0.0], [0.5, 1.0]]), ["CRO", "CVM", "WAT"]
    )
    np.testing.assert_allclose(land, [0.5, 0.0])
    assert found[0, NAMES.index("crop")] == pytest.approx(1.0)
    assert np.isnan(found[1]).all()
    with pytest.raises(ConcertoError, match="found classes marsh, moor"):
        cover.covers_of(np.ones((2, 1)), ["marsh", "moor"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f * 1.1, "found 1.1 as the sum of row 0"),
        (lambda f: np.where(np.arange(len(f))[:, None] == 3, np.nan, f), "sum of row 3"),
        (lambda f: np.broadcast_to(f[0], f.shape), "found the same in all 400 rows"),
    ],
)
def test_fractions_that_are_none_are_refused(change, message):
    features, fractions, _ = cells()
    with pytest.raises(ConcertoError, match=message):
        cover.CoverLearner().fit(features, change(fractions))


def test_blocks_lie_within_larger_ones_of_a_multiple():
    rng = np.random.default_rng(5)
    lat, lon = rng.uniform(-60.0, 70.0, 500), rng.uniform(-180.0, 180.0, 500)
    small, large = (cover.blocks_of(lat, lon, degrees) for degrees in (2.0, 10.0))
    for block in np.unique(small):
        assert len(np.unique(large[small == block])) == 1
