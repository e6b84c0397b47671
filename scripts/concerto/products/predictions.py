"""Predictions of towers' fluxes of all months, with the parts that they are made of.

Quantiles are of a measured monthly value: what parameters, model and observation leave open.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from concerto.cubes import calendar
from concerto.domain import QUANTILES, STREAMS
from concerto.learning.calibration import Shape
from concerto.networks import NOT_NEGATIVE

DIMS = ("site", "time")
_PLACE = {"location": "site"}


def quantities(
    flux: str, mean: xr.DataArray, spread: xr.DataArray, shape: Shape, units: str
) -> dict[str, xr.DataArray]:
    """Return mean, standard deviation and quantiles of a flux by the names of their variables.

    Parameters
    ----------
    flux
        Its name.
    mean, spread
        The prediction (location, time), and the spread that is stated of its errors.
    shape
        That of errors over their stated spread.
    units
        Of the flux.
    """
    least = 0.0 if flux in NOT_NEGATIVE else -np.inf
    found = {"mean": mean, "sd": spread * shape.factor}
    for name, share in QUANTILES.items():
        found[name] = np.maximum(mean + spread * shape.at(share), least)
    words = {"mean": "mean", "sd": "standard deviation of a measured value"} | {
        name: f"{100 * share:g} % quantile of a measured value" for name, share in QUANTILES.items()
    }
    long_name = STREAMS[flux].long_name
    return {
        f"{flux}_{name}": values.assign_attrs(units=units, long_name=f"{long_name}: {words[name]}")
        for name, values in found.items()
    }


def parts(flux: str, learned: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return what of a predicted flux is the process model's, and what its learnt error."""
    long_name = STREAMS[flux].long_name
    units = learned["mean"].attrs["units"]
    process = learned["process"]
    return {
        f"{flux}_process": process.assign_attrs(
            units=units, long_name=f"{long_name}: the process model's"
        ),
        f"{flux}_learned": (learned["mean"] - process).assign_attrs(
            units=units, long_name=f"{long_name}: learnt error of the process model"
        ),
    }


def carbon(learnt_nee: xr.DataArray, pools: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return the pools of carbon, what the learnt part adds to them, and all together.

    From month to month ``carbon_total`` falls by the predicted NEE times the step of the process
    model, whose months are equally long, where nothing is burnt or harvested. Which pool the learnt
    part goes to, the model does not say.

    Parameters
    ----------
    learnt_nee
        The learnt part of NEE (location, time), gC m-2 d-1.
    pools
        The process model's pools (location, time) at the ends of months, gC m-2.
    """
    step, *_ = calendar(learnt_nee.indexes["time"])
    added = -step * learnt_nee.cumsum("time", skipna=False)
    total = sum(pools.values()) + added
    words = f"; months are of {step:.10g} days"
    attributes = {
        "carbon_learned": "carbon that the learnt part of NEE has added since the beginning"
        + words,
        "carbon_total": "carbon in all pools, with what the learnt part has added" + words,
    }
    found = {"carbon_learned": added, "carbon_total": total}
    named = {name: pool.assign_attrs(units="g m-2") for name, pool in pools.items()}
    return named | {
        name: values.assign_attrs(units="g m-2", long_name=attributes[name])
        for name, values in found.items()
    }


def as_sites(variables: Mapping[str, xr.DataArray], attributes: Mapping[str, str]) -> xr.Dataset:
    """Return a dataset along ``site`` and ``time``."""
    ds = xr.Dataset(dict(variables)).rename(_PLACE).transpose(*DIMS)
    ds = ds.assign_attrs({"Conventions": "CF-1.11", **attributes})
    ds["site"].attrs = {"long_name": "name of the tower", "cf_role": "timeseries_id"}
    return ds
