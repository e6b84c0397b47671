"""What each stream, the constraints and the prior had to say in a posterior.

Streams of very different length must not drown each other without anyone seeing it. The degrees of
freedom for signal (Rodgers 2000, Inverse Methods for Atmospheric Sounding, section 2.4) share the
unknowns out among all that determined them: with the derivatives J_k of the residuals of part k at
a good run, all in coordinates in which the prior is standard normal, part k has the trace of
(I + J'J)^-1 J_k'J_k, the prior that of (I + J'J)^-1, and they add up to the number of unknowns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import Scores

_MEMBERS = 128  # of the posterior, to average misfits over


@dataclass(frozen=True)
class Contribution:
    """What one stream had to say.

    Attributes
    ----------
    observations
        Their number.
    effective
        Number of independent ones that would say as much of an error that they all share.
    mean_square
        Mean squared standardised misfit over the posterior: 1 if errors are as stated, inflation
        included (the reduced chi-square).
    signal
        Degrees of freedom for signal.
    """

    observations: int
    effective: float
    mean_square: float
    signal: float


def contributions(
    problem: Problem, posterior: Posterior
) -> tuple[dict[str, Contribution], Mapping[str, float]]:
    """Return what each stream contributed, and the signal of ``constraints`` and ``prior``.

    The derivatives are those at the draw of the highest density.
    """
    scores = Scores(problem)
    best = problem.prior.to_parameters(posterior.unit[[np.argmax(posterior.log_density)]])
    _, slopes = scores.linearise(scores.at(best)[0])
    inverse = np.linalg.inv(slopes.T @ slopes + scores.flat)
    signal = np.einsum("ri,ij,rj->r", slopes, inverse, slopes)
    streams, parts = problem.stream_of_observations, problem.n_observations
    chosen = np.linspace(0, len(posterior.unit) - 1, _MEMBERS).astype(int)
    squares = problem.mean_squares(problem.prior.to_parameters(posterior.unit[chosen]))
    found = {
        stream.name: Contribution(
            observations=int((streams == k).sum()),
            effective=problem.effective_observations(k),
            mean_square=float(squares[stream.name].mean()),
            signal=float(signal[:parts][streams == k].sum()),
        )
        for k, stream in enumerate(problem.streams)
    }
    own = len(signal) - int((~problem.prior.circular).sum())  # the last are the prior's
    rest = {
        "constraints": float(signal[parts:own].sum()),
        "prior": float(signal[own:].sum() + np.trace(inverse @ scores.flat)),
    }
    return found, rest
