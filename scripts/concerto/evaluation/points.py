"""Scores of single values against what was observed: bias, root mean square error, efficiency."""

from __future__ import annotations

import numpy as np


def point_scores(observed: np.ndarray, central: np.ndarray) -> dict[str, float]:
    """Return n, bias (predicted minus observed), rmse and nse of predictions (n).

    ``nse`` (Nash & Sutcliffe 1970) is NaN for fewer than two values, or if they do not vary.
    """
    error = central - observed
    spread = np.sum((observed - observed.mean()) ** 2)
    varies = len(observed) > 1 and spread > 0
    return {
        "n": len(observed),
        "bias": float(error.mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "nse": float(1 - np.sum(error**2) / spread) if varies else np.nan,
    }
