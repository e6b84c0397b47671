"""Methods that take errors as they are stated, also where these are known up to a factor only."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem

log = logging.getLogger(__name__)

Assimilate = Callable[[Problem, dict, np.random.Generator], Posterior]


def errors_as_stated(assimilate: Assimilate) -> Assimilate:
    """Make a method that cannot infer inflations of errors leave them at one.

    They are among the parameters of its posterior, like those of other methods.
    """

    @functools.wraps(assimilate)
    def stated(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
        if not problem.inflated:
            return assimilate(problem, budget, rng)
        log.warning(
            "errors of %s are taken as stated: this method infers no factor of them",
            ", ".join(problem.inflated),
        )
        inner = problem.as_stated()
        found = assimilate(inner, budget, rng)
        problem.steps_run += inner.steps_run
        problem.gradients += inner.gradients
        problem.failures += inner.failures
        count = len(problem.inflated)
        whole = problem.prior.to_parameters(np.pad(found.unit, ((0, 0), (0, count))))
        whole[:, -count:] = 1.0
        unknown = {
            name: np.pad(getattr(found, name), (0, count), constant_values=np.nan)
            for name in ("rhat", "ess_bulk", "ess_tail")
        }
        return replace(found, unit=problem.prior.to_unit(whole), **unknown)

    return stated
