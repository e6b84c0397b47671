"""Folds: parts that things are dealt to, each of which is predicted by what the others teach."""

from __future__ import annotations

import numpy as np

from concerto.seeds import generator


def deal(count: int, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (thing,) of each of so many towers, regions or runs, drawn evenly."""
    return rng.permutation(np.arange(count) % folds)


def folds_of(network: str, towers: int, folds: int, seed: int) -> np.ndarray:
    """Return the fold (location,) of each tower of a network, the same wherever it is asked for."""
    return deal(towers, folds, generator(seed, "folds", network))
