"""The few numbers about a location that people ask for, of every member of an ensemble."""

from __future__ import annotations

import numpy as np

from concerto.assimilation.problem import Problem
from concerto.errors import ConcertoError

LIVE = ("c_labile", "c_leaf", "c_root", "c_wood")
UNITS = {
    "annual_nee": "gC m-2 yr-1",
    "annual_gpp": "gC m-2 yr-1",
    "mean_lai": "m2 m-2",
    "live_biomass": "gC m-2",
    "residence_time": "yr",
}
_YEAR = 365.25  # d


def targets(problem: Problem, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """Return the target quantities of runs over the problem's forcing, without model error.

    ``annual_nee`` and ``annual_gpp`` are means over the run, scaled to a year; ``mean_lai`` its
    mean; ``live_biomass`` labile, leaf, root and wood carbon at its end; ``residence_time`` the
    mean of all carbon, live and dead, over the mean GPP: how long a carbon atom that
    photosynthesis brings in would stay if the mean pools were in balance with it.

    Parameters
    ----------
    problem
        Its model and forcing are used.
    parameters
        (member, parameter) in their units.

    Returns
    -------
    dict
        (member,) of each name in ``UNITS``; infinite residence time where nothing grows.

    Raises
    ------
    ConcertoError
        If the model lacks a pool or an output that is needed.
    """
    model = problem.model
    carbon = model.balances["carbon"][0] if "carbon" in model.balances else ()
    summed = ("nee", "gpp", "lai", *carbon)
    lacking = [name for name in (*summed, *LIVE) if name not in model.outputs]
    if lacking or not carbon:
        raise ConcertoError(
            f"targets: found no {', '.join(lacking) or 'carbon balance'} in {model.name}; "
            "expected a model of carbon pools"
        )
    own = parameters[:, : len(model.parameters)]
    runs = model.simulate(own, problem.forcing.weather, (), summed)
    totals = runs.placement.collect(runs.totals)
    mean = dict(zip(summed, totals.T / len(problem.forcing.weather), strict=True))
    final = dict(zip(model.pools, runs.placement.collect(runs.pools).T, strict=True))
    with np.errstate(divide="ignore"):
        residence = sum(mean[pool] for pool in carbon) / mean["gpp"]
    return {
        "annual_nee": _YEAR * mean["nee"],
        "annual_gpp": _YEAR * mean["gpp"],
        "mean_lai": mean["lai"],
        "live_biomass": sum(final[pool] for pool in LIVE),
        "residence_time": residence / _YEAR,
    }
