"""Coordinates fitted to draws from densities whose bends and widths are known."""

import numpy as np
import pytest
from concerto.assimilation.curved import Curved, middle, wrap

STRAIGHT = np.zeros(3, dtype=bool)


def bent(count, seed=1):
    """A component that bends with the first, and one whose width follows it."""
    x = np.random.default_rng(seed).standard_normal((count, 3))
    return np.stack(
        [3.0 * x[:, 0], 0.3 * x[:, 1] + 0.5 * x[:, 0] ** 2, 0.2 * np.exp(0.4 * x[:, 0]) * x[:, 2]],
        axis=1,
    )


def log_density_of_bent(states):
    x = states[:, 0] / 3.0
    y = (states[:, 1] - 0.5 * x**2) / 0.3
    z = states[:, 2] / (0.2 * np.exp(0.4 * x))
    volume = np.log(3.0 * 0.3 * 0.2) + 0.4 * x
    return -0.5 * (x**2 + y**2 + z**2) - volume - 1.5 * np.log(2.0 * np.pi)


def log_density_of_map(found, states):
    x, volume = found.trace(states)
    return -0.5 * np.sum(x**2, axis=1) - 1.5 * np.log(2.0 * np.pi) - volume


def test_a_bend_and_a_width_are_found():
    fresh = bent(4000, seed=2)
    found = Curved.of(bent(20_000), STRAIGHT)
    lost = log_density_of_bent(fresh) - log_density_of_map(found, fresh)
    straight = Curved(found.mean, found.root, 0 * found.bend, 0 * found.widen, STRAIGHT)
    lost_by_a_normal = log_density_of_bent(fresh) - log_density_of_map(straight, fresh)
    assert lost_by_a_normal.mean() > 0.3  # its Kullback-Leibler divergence: the test can fail
    assert lost.mean() + 4.0 * lost.std() / np.sqrt(4000) > 0.0
    assert lost.mean() < 0.05


def test_there_and_back():
    found = Curved.of(bent(2000), STRAIGHT)
    x = 1.5 * np.random.default_rng(3).standard_normal((200, 3))
    states, volume = found.follow(x)
    back, same = found.trace(states)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(same, volume, atol=1e-9)


def test_volume_is_that_of_the_jacobian():
    found = Curved.of(bent(2000), STRAIGHT)
    x = np.random.default_rng(4).standard_normal(3)
    moved = x + 1e-6 * np.concatenate([np.eye(3), -np.eye(3)])
    states = found.place(moved)
    jacobian = (states[:3] - states[3:]) / 2e-6
    expected = np.log(abs(np.linalg.det(jacobian)))
    assert found.follow(x[None])[1][0] == pytest.approx(expected, abs=1e-6)


def test_gradient_by_differences():
    found = Curved.of(bent(2000), STRAIGHT)
    slope = np.array([0.3, -1.0, 2.0])
    target = found.target(lambda s: (s @ slope - s[:, 0] ** 3, slope - 3.0 * s**2 * [1, 0, 0]))
    x = np.random.default_rng(5).standard_normal((20, 3))
    steps = 1e-6 * np.eye(3)
    by_difference = [(target(x + h)[0] - target(x - h)[0]) / 2e-6 for h in steps]
    np.testing.assert_allclose(target(x)[1].T, by_difference, rtol=1e-5, atol=1e-5)


def test_states_around_the_circle_are_on_one_turn():
    states = np.random.default_rng(6).normal(0.98, 0.03, (3000, 1))
    found = Curved.of((states + np.arange(3000)[:, None] % 3) % 1.0, np.array([True]))
    assert found.root[0, 0] == pytest.approx(0.03, rel=0.1)
    flat = found.target(lambda s: (np.zeros(len(s)), np.zeros_like(s)))
    assert np.isfinite(flat(np.array([[1.0]]))[0]).all()
    assert np.isneginf(flat(np.array([[17.0]]))[0]).all()  # 0.51 from the mean


def test_wrap_is_about_the_circular_mean():
    states = np.array([[0.95], [0.05], [1.02], [-0.02]])
    center = middle(states)
    assert center == pytest.approx(0.0, abs=1e-12)
    wrapped = wrap(states, center, np.array([True]))
    np.testing.assert_allclose(wrapped, [[-0.05], [0.05], [0.02], [-0.02]], atol=1e-12)
