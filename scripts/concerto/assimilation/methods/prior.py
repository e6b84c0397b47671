"""The prior: learns nothing. What comes of it are free runs of the model, to compare with."""

from __future__ import annotations

import numpy as np

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.settling import Start

COHERENT = True
"""The ensemble to start from may be given: a member is then the same draw in all cells of a map."""


def assimilate(
    problem: Problem, budget: dict, rng: np.random.Generator, start: Start | None = None
) -> Posterior:
    """Return ``budget["members"]`` members of the prior, and run no model.

    They are those of ``start``, or draws. The log density is
    that of the prior alone.
    """
    z = problem.prior.draw(int(budget["members"]), rng) if start is None else start.z
    unit = problem.prior.to_unit(problem.prior.parameters_of(z))
    return Posterior.of_ensemble(
        unit=unit,
        log_density=problem.prior.log_density(unit),
        converged=True,
        verdict="the prior: nothing was learnt",
    )
