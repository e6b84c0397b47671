"""What tables say of the members of an ensemble."""

from __future__ import annotations

import numpy as np

from concerto.domain import QUANTILES


def described(values: np.ndarray) -> dict[str, float]:
    """Return mean, standard deviation and quantiles of members."""
    quantiles = np.quantile(values, list(QUANTILES.values()))
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        **dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
    }
