"""Random generators: every draw of a run follows from the one seed in its configuration."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *labels: str) -> np.random.Generator:
    """Return a random generator of its own for each combination of labels under one seed."""
    return np.random.default_rng([seed, *(zlib.crc32(label.encode()) for label in labels)])
