"""What every method returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from concerto.assimilation.state import State


@dataclass(frozen=True)
class Posterior:
    """An ensemble of draws from the posterior, with a verdict.

    Attributes
    ----------
    unit
        (member, parameter) draws in the unit space of :class:`concerto.assimilation.prior.Prior`.
    log_density
        (member,) log posterior density in that space, up to a constant.
    chain
        (member,) number of the chain a draw belongs to; 0 for an ensemble method.
    converged
        Whether the draws may be trusted.
    verdict
        One sentence: what was checked and what was found.
    rhat, ess_bulk, ess_tail
        (parameter,) diagnostics; NaN where a method has none.
    history
        Named series of the run's progress, for figures and the log.
    diagnostics
        Named numbers that the verdict rests on, beside those of single parameters, such as
        ``divergences``, ``k_hat`` or ``gradient_norm``; they travel as attributes of the product.
    final
        The state of every member after the last step of the record, from which forecasts go on
        (:mod:`concerto.projection.forecast`); None where a method has none.
    """

    unit: np.ndarray
    log_density: np.ndarray
    chain: np.ndarray
    converged: bool
    verdict: str
    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    history: dict[str, np.ndarray] = field(default_factory=dict)
    diagnostics: dict[str, float] = field(default_factory=dict)
    final: State | None = None

    @classmethod
    def of_ensemble(
        cls, unit: np.ndarray, log_density: np.ndarray, converged: bool, verdict: str, **more
    ) -> Posterior:
        """Return the posterior of a method without chains, and so without their diagnostics."""
        unknown = np.full(unit.shape[1], np.nan)
        return cls(
            unit, log_density, np.zeros(len(unit), dtype=np.int32), converged, verdict,
            unknown, unknown, unknown, **more,
        )  # fmt: skip
