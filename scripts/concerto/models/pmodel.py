"""The P-model on its own: what optimal leaves do with the light that a canopy is seen to absorb.

The theory is that of :mod:`concerto.models.components.light_use`. There is no memory: each step has
its own optimum. Real leaves acclimate over a week or two. So the capacities of a step of days are
those of its leaves, and those of a half-hour are what would be optimal then.
"""

from __future__ import annotations

from concerto.models.components import light_use as theory
from concerto.models.components._air import SECONDS, pressure

OUTPUTS = {
    "gpp": "gC m-2 d-1",
    "chi": "1",
    "ci": "Pa",
    "vcmax": "umol m-2 s-1",
    "jmax": "umol m-2 s-1",
    "iwue": "umol mol-1",
}
DRIVERS = theory.DRIVERS | {"fapar": "1"}


def step(pools, p, w, parts):
    """Return the values of ``OUTPUTS``, and no pools.

    ``chi`` and ``ci`` are the CO2 inside leaves, relative to that outside and in Pa. ``vcmax`` and
    ``jmax`` are the capacities, at their temperature, of all leaves over a m2 of ground. ``iwue``,
    intrinsic water use efficiency, is assimilation over stomatal conductance to water.

    Parameters
    ----------
    pools, parts
        Not used.
    p, w
        Parameters (``config/models/pmodel.yaml``) and drivers, as attributes.
    """
    leaf = theory.optimal_leaf(w.tas, w.vpd, w.co2, pressure(w.elevation))
    absorbed = theory.PHOTONS * w.rsds * w.fapar  # mol m-2 d-1
    at_work = p.quantum_yield * absorbed * (1e6 / SECONDS)  # umol m-2 s-1
    return {}, {
        "gpp": theory.light_use_efficiency(leaf, p.quantum_yield) * absorbed,
        "chi": leaf.chi,
        "ci": leaf.ci,
        "vcmax": leaf.carboxylation * at_work,
        "jmax": leaf.transport * at_work,
        "iwue": w.co2 * (1.0 - leaf.chi) / theory.DIFFUSIVITY_RATIO,
    }
