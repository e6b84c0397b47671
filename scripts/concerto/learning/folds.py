"""Folds: parts that towers are dealt to, each of which is predicted by what the others teach."""

from __future__ import annotations

import numpy as np

from concerto.seeds import generator


def deal(towers: int, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (location,) of each tower, drawn evenly."""
    return rng.permutation(np.arange(towers) % folds)


def folds_of(network: str, towers: int, folds: int, seed: int) -> np.ndarray:
    """Return the fold (location,) of each tower of a network, the same wherever it is asked for."""
    return deal(towers, folds, generator(seed, "folds", network))
