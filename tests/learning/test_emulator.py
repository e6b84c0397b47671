"""An emulator is right where it was taught, says how wrong it is, and refuses to go elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from concerto.errors import ConcertoError
from concerto.learning.emulator import (
    COUNT,
    OutsideRegion,
    Polynomial,
    Region,
    active_design,
    error_table,
    fit_emulator,
)
from hypothesis import given, settings
from hypothesis import strategies as st

REGION = Region(
    ("capacity", "slope", "share", "known"),
    np.array([10.0, 0.5, 0.0, 3.0]),
    np.array([150.0, 8.0, 1.0, 3.0]),
    np.array([True, True, False, False]),
)
DAYS = np.linspace(0.0, 2.0 * np.pi, 50)


def model(parameters: np.ndarray) -> np.ndarray:
    """Return a season whose height saturates with capacity, and whose width has a slope."""
    capacity, slope, share, known = parameters.T[..., None]
    return (
        known * capacity / (capacity + 40.0) * (1.0 + 0.3 * share - 0.5 * np.cos(DAYS)) / slope**0.2
    )


def sizes(outputs: np.ndarray) -> np.ndarray:
    return np.full(outputs.shape[1], np.abs(outputs).mean())


@pytest.fixture(scope="module")
def taught():
    rng = np.random.default_rng(1)
    inputs, outputs, number = active_design(REGION, model, sizes, 60, 2, 40, rng)
    tested = rng.uniform(-1.0, 1.0, (200, 3))
    truth = model(REGION.parameters(tested))
    emulator = fit_emulator(REGION, inputs, outputs, sizes(outputs), (tested, truth))
    return inputs, outputs, number, tested, truth, emulator


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3))
def test_what_is_scaled_comes_back(unit):
    parameters = REGION.parameters(np.array([unit]))
    assert REGION.holds(parameters).all()
    assert parameters[0, 3] == 3.0
    np.testing.assert_allclose(REGION.unit(parameters), [unit], atol=1e-9)


def test_a_cubic_is_known_exactly():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (120, 2))
    y = np.stack([x[:, 0] ** 3 - x[:, 1], 2.0 * x[:, 0] * x[:, 1] ** 2 + 1.0, x[:, 1]], axis=-1)
    new = rng.uniform(-1.0, 1.0, (20, 2))
    found = Polynomial(ridge=1e-10).fit(x, y).predict(new)
    np.testing.assert_allclose(found[:, 0], new[:, 0] ** 3 - new[:, 1], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], 2.0 * new[:, 0] * new[:, 1] ** 2 + 1.0, atol=1e-6)


def test_error_on_runs_that_taught_nothing_is_small_and_is_what_it_says(taught):
    *_, truth, emulator = taught
    rng = np.random.default_rng(7)
    new = REGION.parameters(rng.uniform(-1.0, 1.0, (500, 3)))
    error = emulator.predict(new) - model(new)
    table = error_table(emulator.predict(new), model(new), {"all": slice(None)})
    assert table["relative"].item() < 0.02
    said = np.sqrt(np.mean(emulator.error_sd**2))
    assert np.sqrt(np.mean(error**2)) == pytest.approx(said, rel=0.3)
    assert truth.shape == (200, 50)


def test_it_refuses_to_leave_what_was_taught(taught):
    emulator = taught[-1]
    inside = REGION.parameters(np.zeros((1, 3)))
    outside = inside.copy()
    outside[0, 0] = 151.0
    with pytest.raises(OutsideRegion, match="capacity: found 151, and 1 of 2 members outside"):
        emulator.predict(np.vstack([inside, outside]))
    before = emulator.left
    found = emulator.predict(np.vstack([inside, outside]), leave=COUNT)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert emulator.left == before + 1
    changed = inside.copy()
    changed[0, 3] = 3.5
    with pytest.raises(OutsideRegion, match=r"known: found 3\.5"):
        emulator.predict(changed)
    with pytest.raises(OutsideRegion):
        emulator.predict(np.full((1, 4), np.nan))


def test_runs_are_chosen_where_the_emulator_is_in_doubt(taught):
    """The model bends the most at low capacity and low slope."""
    inputs, _, number, *_ = taught
    assert np.bincount(number).tolist() == [60, 40, 40]
    doubtful = np.abs(inputs[:, :2]).max(axis=1) > 0.8  # where polynomials of parts disagree
    assert doubtful[number > 0].mean() > doubtful[number == 0].mean()


def test_no_run_teaches_and_judges(taught):
    inputs, outputs, _, tested, truth, _ = taught
    both = np.vstack([tested, inputs[:1]]), np.vstack([truth, outputs[:1]])
    with pytest.raises(ConcertoError, match="found a run twice"):
        fit_emulator(REGION, inputs, outputs, sizes(outputs), both)


def test_the_same_seed_chooses_the_same_runs(taught):
    inputs, *_ = taught
    again, _, _ = active_design(REGION, model, sizes, 60, 2, 40, np.random.default_rng(1))
    np.testing.assert_array_equal(inputs, again)


def test_runs_that_say_nothing_are_refused():
    x = np.linspace(-1.0, 1.0, 30)[:, None]
    with pytest.raises(ConcertoError, match="found the same outputs in all 30 runs"):
        Polynomial().fit(x, np.ones((30, 4)))
    with pytest.raises(ConcertoError, match="found runs with missing values"):
        Polynomial().fit(x, np.full((30, 4), np.nan))


def test_errors_are_those_of_their_definition():
    truth = np.array([[1.0, 3.0], [2.0, 2.0]])
    table = error_table(truth + np.array([[0.2, 0.2], [0.0, 0.0]]), truth, {"a": slice(None)})
    assert table["relative"].item() == pytest.approx(np.sqrt(0.02) / 2.0)
    assert table["relative_mean"].item() == pytest.approx(np.sqrt(0.1**2 / 2.0))
    assert table["worst"].item() == pytest.approx(0.1)


def test_another_weather_is_refused_or_counted(taught):
    inputs, outputs, _, tested, truth, _ = taught
    weather = np.random.default_rng(3).normal(size=(40, 2))
    emulator = fit_emulator(REGION, inputs, outputs, sizes(outputs), (tested, truth), weather)
    assert not emulator.check_weather(weather).any()
    other = weather.copy()
    other[5, 1] += 0.1
    assert np.flatnonzero(emulator.check_weather(other, most=0.05)).tolist() == [5]
    with pytest.raises(OutsideRegion, match=r"nothing was taught of in 2\.5 % of the steps"):
        emulator.check_weather(other, most=0.02)
    with pytest.raises(OutsideRegion, match=r"found weather of \(39, 2\)"):
        emulator.check_weather(weather[1:], most=1.0)
