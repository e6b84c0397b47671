"""What the members of towers say of each month: means and standard deviations.

What is uncertain is what parameters and initial pools leave open. Pools are those at the ends of
months; means over members keep the balance of carbon, which is linear in them.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from concerto.assimilation.cells import Cells
from concerto.domain import STREAMS
from concerto.models import Model
from concerto.projection.cells import each_shown

VARIABLES = ("gpp", "reco", "nee", "et", "lai", "total_biomass")
STATISTICS = {"mean": "mean", "sd": "standard deviation"}


def project_towers(cells: Cells, posterior: xr.Dataset) -> xr.Dataset:
    """Return ``NAME_mean`` and ``NAME_sd`` (location, time) of fluxes, leaves and pools.

    Parameters
    ----------
    cells
        The towers, with their drivers.
    posterior
        Their ``parameters`` (member, location, parameter), NaN where there are none, ``status``.

    Returns
    -------
    xr.Dataset
        NaN where a tower has no members, or the model no finite result for one, whose status says
        so. In the units of the model.
    """
    units = {name: cells.model.output_units[name] for name in _shown(cells.model)}
    shape = (len(cells), cells.drivers.sizes["time"])
    found = {(name, kind): np.full(shape, np.nan) for name in units for kind in STATISTICS}
    status = posterior["status"].copy()

    def show(k: int, own: np.ndarray) -> dict[str, np.ndarray]:
        runs = cells.model.simulate(own, cells.forcing(k).weather, tuple(units))
        return {name: runs.series(name) for name in units}

    for k, shown in each_shown(cells, posterior, status, show):
        for name, values in shown.items():
            found[name, "mean"][k] = values.mean(axis=0)
            found[name, "sd"][k] = values.std(axis=0, ddof=1)
    variables = {
        f"{name}_{kind}": (("location", "time"), values, _attributes(name, kind, units[name]))
        for (name, kind), values in found.items()
    }
    coords = {name: cells.drivers[name] for name in ("location", "lat", "lon", "time")}
    return xr.Dataset({**variables, "status": status}, coords)


def _shown(model: Model) -> list[str]:
    """Return what of a model is projected: what it has of the variables, and its pools."""
    return [*(name for name in VARIABLES if name in model.outputs), *model.pools]


def _attributes(name: str, kind: str, unit: str) -> dict[str, str]:
    long_name = STREAMS[name].long_name if name in STREAMS else f"pool {name}, at the month's end"
    return {"units": unit, "long_name": f"{long_name}: {STATISTICS[kind]} over the members"}
