"""Convergence of Markov chains and of importance weights: what verdicts rest on."""

from __future__ import annotations

import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # arviz announces its own refactoring
    import arviz

RHAT_MAX = 1.01  # Vehtari et al. (2021, Bayesian Analysis 16, 667)
ESS_MIN = 400.0
K_HAT_MAX = 0.7  # Vehtari et al. (2024, JMLR 25, 72)


def chain_diagnostics(chains: np.ndarray, circular: np.ndarray) -> dict[str, np.ndarray]:
    """Return R-hat and effective sample sizes of each parameter.

    Rank-normalised split R-hat, bulk and tail effective sample size of Vehtari et al. (2021), by
    arviz. A fraction of a circle is judged by the worse of its sine and cosine.

    Parameters
    ----------
    chains
        (chain, draw, parameter) in unit space.
    circular
        (parameter,) True where the parameter is a fraction of a circle.

    Returns
    -------
    dict
        ``rhat``, ``ess_bulk``, ``ess_tail``, each (parameter,).
    """
    turns = 2.0 * np.pi * chains[:, :, circular]
    first, second = chains.copy(), chains.copy()
    first[:, :, circular], second[:, :, circular] = np.sin(turns), np.cos(turns)
    views = [arviz.convert_to_dataset(view) for view in (first, second)]
    rhat = [arviz.rhat(view, method="rank")["x"].to_numpy() for view in views]
    bulk = [arviz.ess(view, method="bulk")["x"].to_numpy() for view in views]
    tail = [arviz.ess(view, method="tail")["x"].to_numpy() for view in views]
    return {
        "rhat": np.maximum(*rhat),
        "ess_bulk": np.minimum(*bulk),
        "ess_tail": np.minimum(*tail),
    }


def judge_chains(diagnostics: dict[str, np.ndarray]) -> tuple[bool, str]:
    """Return whether chains agree and are long enough, and the sentence that says so."""
    rhat = float(np.nanmax(diagnostics["rhat"]))
    ess = float(np.nanmin(diagnostics["ess_bulk"]))
    finite = bool(np.isfinite(diagnostics["rhat"]).all())
    converged = finite and rhat < RHAT_MAX and ess > ESS_MIN
    return converged, (
        f"largest R-hat {rhat:.4f} (below {RHAT_MAX} wanted), "
        f"smallest bulk effective sample size {ess:.0f} (above {ESS_MIN:.0f} wanted)"
    )


def smooth_weights(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Smooth the largest importance weights and say how heavy their tail is.

    Pareto smoothing of Vehtari et al. (2024), by arviz: the largest weights are replaced by the
    quantiles of the generalised Pareto distribution that fits them.

    Parameters
    ----------
    log_weights
        (draw,) logarithms of weights, up to a constant; -inf where a draw has none.

    Returns
    -------
    log_weights, k_hat
        (draw,) normalised to a sum of 1; the shape of the Pareto distribution, infinite if too few
        draws have any weight to tell, and -infinite if all weights are alike.
    """
    normalised = log_weights - np.logaddexp.reduce(log_weights)
    if np.ptp(log_weights) == 0.0:
        return normalised, -np.inf
    if np.isfinite(log_weights).sum() < len(log_weights) / 5:
        return normalised, np.inf
    smoothed, k_hat = arviz.psislw(log_weights)
    return np.asarray(smoothed), float(k_hat)


def worth(log_weights: np.ndarray) -> float:
    """Return how many equal weights these are worth: the squared sum over the sum of squares."""
    twice = 2.0 * np.logaddexp.reduce(log_weights)
    return float(np.exp(twice - np.logaddexp.reduce(2.0 * log_weights)))


def judge_weights(log_weights: np.ndarray, k_hat: float) -> tuple[bool, str]:
    """Return whether importance weights are steady and many, and the sentence that says so."""
    ess = worth(log_weights)
    return k_hat < K_HAT_MAX and ess > ESS_MIN, (
        f"Pareto k-hat {k_hat:.2f} (below {K_HAT_MAX} wanted), "
        f"effective sample size {ess:.0f} (above {ESS_MIN:.0f} wanted)"
    )
