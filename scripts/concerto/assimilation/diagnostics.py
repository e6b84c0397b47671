"""Convergence of Markov chains: what the verdict of a sampler rests on."""

from __future__ import annotations

import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # arviz announces its own refactoring
    import arviz

RHAT_MAX = 1.01  # Vehtari et al. (2021, Bayesian Analysis 16, 667)
ESS_MIN = 400.0


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
