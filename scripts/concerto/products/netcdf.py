"""The product: fluxes, canopy and pools of one site with their uncertainty, as CF NetCDF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from concerto.cubes import DAY, Field, Schema, with_bounds, write_cube
from concerto.evaluation.predictive import TOTAL
from concerto.evaluation.quantities import QUANTITIES, Quantity, predictor_label

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def product_dataset(
    projection: xr.Dataset,
    posterior: xr.Dataset,
    licences: Mapping[str, str],
    utc_offset_hours: float,
    run_id: str,
) -> xr.Dataset:
    """Summarise an ensemble for publication.

    Parameters
    ----------
    projection
        Ensemble (member, location, time) of one method: process ensemble and ``_total``.
    posterior
        Its posterior, for the attributes method, converged, verdict, prior, model_runs and seed.
    licences
        Licence of each source that went in, by source.
    utc_offset_hours
        Offset of the local standard time in which days start.
    run_id
        Of the run that makes it.

    Returns
    -------
    xarray.Dataset
        For each quantity its mean (location, time), ``_sd`` and ``_quantile``; with process and
        model error where the ensemble has a total, and then also ``_process_sd``, from parameters
        alone. It depends on the inputs alone, so equal inputs give equal files.
    """
    variables: dict[str, xr.Variable] = {}
    for name, quantity in QUANTITIES.items():
        if name in projection:
            variables |= _summaries(projection, name, quantity)
    dataset = xr.Dataset(
        variables,
        coords={
            **{name: projection[name] for name in ("location", "lat", "lon", "time")},
            "quantile": ("quantile", list(QUANTILES), {"long_name": "quantile", "units": "1"}),
        },
        attrs={
            "featureType": "timeSeries",
            "method": str(posterior.attrs["method"]),
            "converged": str(posterior.attrs["converged"]),
            "verdict": str(posterior.attrs["verdict"]),
            "prior": str(posterior.attrs["prior"]),
            "model_runs": np.int64(posterior.attrs["model_runs"]),
            "seed": np.int64(posterior.attrs["seed"]),
            "utc_offset_hours": float(utc_offset_hours),
            "run_id": run_id,
            "licences_of_inputs": "; ".join(f"{s}: {text}" for s, text in licences.items()),
        },
    )
    dataset["location"].attrs = {"long_name": "name of the location", "cf_role": "timeseries_id"}
    for axis, name in (("lat", "latitude"), ("lon", "longitude")):
        dataset[axis].attrs["standard_name"] = name
    return with_bounds(dataset, DAY, utc_offset_hours)


def write_product(dataset: xr.Dataset, path: Path) -> None:
    """Write a product, whole or not at all."""
    fields = {
        str(name): Field(variable.attrs["units"], tuple(map(str, variable.dims)), complete=True)
        for name, variable in dataset.data_vars.items()
        if name != "time_bnds"
    }
    site = str(dataset["location"].to_numpy()[0])
    method = dataset.attrs["method"]
    write_cube(
        dataset,
        path,
        Schema("a product", fields, (DAY,)),
        title=f"Daily carbon fluxes and pools at {site}",
        source=f"carbon cycle model calibrated on tower observations by {predictor_label(method)}",
        history=f"write_product: summary of projection/{site}/{method}.nc",
        comment="Spreads hold parameter uncertainty and model error, not errors of measurement.",
    )


def _summaries(projection: xr.Dataset, name: str, quantity: Quantity) -> dict[str, xr.Variable]:
    process = _members(projection, name)
    has_total = f"{name}{TOTAL}" in projection
    ensemble = _members(projection, f"{name}{TOTAL}") if has_total else process
    spread = "parameters and model error" if has_total else "parameters alone"
    cf = quantity.cf
    common = {"units": cf.units}
    if cf.cell_methods:
        common["cell_methods"] = cf.cell_methods
    else:
        common["comment"] = "state at the end of the day"
    named = {"standard_name": cf.standard_name} if cf.standard_name else {}

    def variable(values: np.ndarray, long_name: str, *dims: str, **attrs: str) -> xr.Variable:
        return xr.Variable(
            (*dims, "location", "time"),
            values.astype("float32"),
            common | {"long_name": long_name} | attrs,
        )

    deviation = f"standard deviation of {cf.long_name}"
    out = {
        name: variable(ensemble.mean(axis=0), f"{cf.long_name}, ensemble mean", **named),
        f"{name}_sd": variable(ensemble.std(axis=0, ddof=1), f"{deviation}, from {spread}"),
        f"{name}_quantile": variable(
            np.quantile(ensemble, QUANTILES, axis=0),
            f"quantiles of {cf.long_name}, from {spread}",
            "quantile",
            **named,
        ),
    }
    if has_total:
        out[f"{name}_process_sd"] = variable(
            process.std(axis=0, ddof=1), f"{deviation}, from parameters alone"
        )
    out[name].attrs["ancillary_variables"] = " ".join(other for other in out if other != name)
    return out


def _members(projection: xr.Dataset, name: str) -> np.ndarray:
    return projection[name].transpose("member", "location", "time").to_numpy().astype(float)
