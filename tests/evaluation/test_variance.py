"""Analysis of variance: closed forms of functions whose parts are known."""

import numpy as np
from concerto.evaluation.variance import INTERACTIONS, variance_shares


def test_what_adds_up_has_no_interactions():
    a, b, c = np.arange(4.0), np.array([0.0, 3.0]), np.zeros(3)
    outcome = a[:, None, None] + b[None, :, None] + c
    found = variance_shares(outcome, ("a", "b", "c"))
    np.testing.assert_allclose(
        [found[name] for name in ("a", "b", "c", INTERACTIONS)],
        [a.var(), b.var(), 0.0, 0.0], atol=1e-12,
    )  # fmt: skip


def test_a_product_is_all_interaction():
    signs = np.array([-1.0, 1.0])
    found = variance_shares(np.multiply.outer(signs, signs), ("a", "b"))
    assert (found["a"], found["b"]) == (0.0, 0.0)
    assert found[INTERACTIONS] == 1.0


def test_the_function_of_ishigami_has_its_indices():
    """First-order indices of Ishigami & Homma (1990), a = 7, b = 0.1: 0.3139, 0.4424, 0."""
    x = np.pi * (2.0 * (np.arange(120) + 0.5) / 120 - 1.0)
    outcome = (
        np.sin(x)[:, None, None]
        + 7.0 * (np.sin(x) ** 2)[None, :, None]
        + 0.1 * np.sin(x)[:, None, None] * (x**4)[None, None, :]
    )
    found = variance_shares(outcome, ("a", "b", "c"))
    whole = outcome.var()
    np.testing.assert_allclose(
        [found[name] / whole for name in ("a", "b", "c")], [0.3139, 0.4424, 0.0], atol=2e-3
    )


def test_parts_sum_to_the_variance_in_every_year():
    outcome = np.random.default_rng(1).normal(size=(3, 2, 4, 7))
    found = variance_shares(outcome, ("a", "b", "c"))
    np.testing.assert_allclose(sum(found.values()), outcome.var(axis=(0, 1, 2)), rtol=1e-12)
    assert min(part.min() for part in found.values()) >= 0.0
