"""Small networks: their slopes are exact, and they climb where these lead."""

from __future__ import annotations

import numpy as np
from concerto.learning.perceptrons import Climber, Perceptrons
from scipy.optimize import check_grad
from sklearn.neural_network import MLPRegressor

MEMBERS, INPUTS, HIDDEN, OUTPUTS = 3, 4, 5, 2


def make(seed: int = 1) -> Perceptrons:
    rng = np.random.default_rng(seed)
    drawn = Perceptrons.drawn(MEMBERS, INPUTS, HIDDEN, OUTPUTS, rng)
    return Perceptrons(tuple(rng.normal(size=weight.shape) for weight in drawn.weights))


def test_outputs_are_those_of_another_implementation():
    networks, inputs = make(), np.random.default_rng(2).normal(size=(7, INPUTS))
    for member in range(MEMBERS):
        own = MLPRegressor(hidden_layer_sizes=(HIDDEN,), activation="tanh", max_iter=1).partial_fit(
            inputs, np.zeros((7, OUTPUTS))
        )
        first, shift, second, last = (weight[member] for weight in networks.weights)
        own.coefs_, own.intercepts_ = [first, second], [shift, last]
        found = np.stack([networks(one)[member] for one in inputs])
        np.testing.assert_allclose(found, own.predict(inputs), rtol=1e-12)


def test_slopes_are_exact():
    networks = make()
    inputs = np.random.default_rng(3).normal(size=INPUTS)
    wanted = np.random.default_rng(4).normal(size=(MEMBERS, OUTPUTS))
    shapes = [weight.shape for weight in networks.weights]
    ends = np.cumsum([np.prod(shape) for shape in shapes])[:-1]

    def of(flat: np.ndarray) -> Perceptrons:
        parts = np.split(flat, ends)
        return Perceptrons(tuple(p.reshape(s) for p, s in zip(parts, shapes, strict=True)))

    def gradient(flat: np.ndarray) -> np.ndarray:
        own = of(flat)
        hidden = own.hidden(inputs)
        slopes = own.pull_back(inputs, hidden, own.outputs(hidden) - wanted)
        return np.concatenate([slope.ravel() for slope in slopes])

    def cost(flat: np.ndarray) -> float:
        return 0.5 * float(np.sum((of(flat)(inputs) - wanted) ** 2))

    start = np.concatenate([weight.ravel() for weight in networks.weights])
    assert check_grad(cost, gradient, start) < 1e-6 * np.abs(gradient(start)).max()


def test_climbing_reaches_what_is_wanted():
    networks = Perceptrons.drawn(MEMBERS, INPUTS, 16, OUTPUTS, np.random.default_rng(5))
    inputs = np.random.default_rng(6).normal(size=(10, INPUTS))
    wanted = np.random.default_rng(7).normal(size=(10, OUTPUTS))
    climber = Climber(networks, 0.03, 0.0, 500)
    for _ in range(500):
        total = [np.zeros_like(weight) for weight in networks.weights]
        for one, goal in zip(inputs, wanted, strict=True):
            hidden = networks.hidden(one)
            pulled = networks.pull_back(one, hidden, goal - networks.outputs(hidden))
            total = [whole + part for whole, part in zip(total, pulled, strict=True)]
        climber.step(total)
    away = np.stack([networks(one) for one in inputs]) - wanted[:, None]
    assert np.abs(away).max() < 0.01


def test_without_inputs_a_constant_is_learnt():
    networks = Perceptrons.drawn(MEMBERS, 0, HIDDEN, OUTPUTS, np.random.default_rng(5))
    nothing, climber = np.empty(0), Climber(networks, 0.05, 0.0, 200)
    for _ in range(200):
        hidden = networks.hidden(nothing)
        climber.step(networks.pull_back(nothing, hidden, 2.0 - networks.outputs(hidden)))
    np.testing.assert_allclose(networks(nothing), 2.0, atol=0.01)


def test_weights_decay_where_nothing_pulls_and_shifts_do_not():
    networks = make()
    before = [weight.copy() for weight in networks.weights]
    climber = Climber(networks, 0.01, 1.0, 100)
    for _ in range(50):
        climber.step([np.zeros_like(weight) for weight in networks.weights])
    for then, now in zip(before, networks.weights, strict=True):
        if now.ndim == 3:
            assert np.abs(now).sum() < np.abs(then).sum()
        else:
            np.testing.assert_array_equal(now, then)
