"""Random and systematic uncertainty of tower fluxes."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import xarray as xr

from concerto import units
from concerto.domain import CARBON_FLUX, FLUX_STREAMS
from concerto.errors import InputError

log = logging.getLogger(__name__)

_MICROMOLE = "umol m-2 s-1"


def laplace_sd_nee(nee: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the random error of half-hourly NEE, both umol m-2 s-1.

    Richardson et al. 2006 (Agricultural and Forest Meteorology 136, 1-18), forested sites; the
    error follows a Laplace distribution: 0.62 + 0.63 F for F >= 0, 1.42 - 0.19 F for F < 0.
    """
    return np.where(nee >= 0, 0.62 + 0.63 * nee, 1.42 - 0.19 * nee)


def laplace_sd_le(le: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the random error of half-hourly latent heat, both W m-2.

    As :func:`laplace_sd_nee`: 15.3 + 0.23 F for F >= 0, 6.23 - 1.42 F for F < 0.
    """
    return np.where(le >= 0, 15.3 + 0.23 * le, 6.23 - 1.42 * le)


def complete_random(ds: xr.Dataset) -> xr.Dataset:
    """Return a record with a random error of each flux.

    NEE and latent heat keep the record's own error; where a sub-daily record has none the Laplace
    model of Richardson et al. 2006 stands in, and the variable's attribute ``modelled_percent``
    says how often. GPP and RECO derive from NEE step by step and take its random error. Where
    there is no error and no model of it (daily means, evapotranspiration that is given as such)
    the error is NaN, and the log says so.

    Raises
    ------
    InputError
        If the record gives a negative random error.
    """
    out = ds.copy()
    if ds.attrs["step_minutes"] < 1440:
        for name, model, unit in (
            ("nee", laplace_sd_nee, _MICROMOLE),
            ("le", laplace_sd_le, "W m-2"),
        ):
            if name in ds:
                out[f"{name}_random"] = _filled(ds, name, model, unit)
    for name in ("gpp", "reco"):
        if name in ds and "nee_random" in out:
            out[f"{name}_random"] = out["nee_random"].assign_attrs(source="random error of nee")
    for name in FLUX_STREAMS:
        if name in ds and f"{name}_random" not in out:
            log.warning("%s has no random error and no model of it: it is masked", name)
            out[f"{name}_random"] = xr.full_like(ds[name], np.nan)
    return out


def _filled(
    ds: xr.Dataset, name: str, model: Callable[[np.ndarray], np.ndarray], unit: str
) -> xr.DataArray:
    flux = ds[name]
    where = flux.attrs["source"]
    native = CARBON_FLUX if name == "nee" else unit
    values = flux.to_numpy()
    if name == "nee":
        values = values / _grams_per_micromole()
    modelled = units.convert(
        model(values), unit, native, file=where, field=name, carbon=name == "nee"
    )
    given = ds.get(f"{name}_random")
    known = np.isfinite(given.to_numpy()) if given is not None else np.zeros(flux.shape, bool)
    if given is not None and (given.to_numpy()[known] < 0).any():
        raise InputError(where, f"{name}_random", "a negative error", "zero or more")
    random = modelled if given is None else np.where(known, given.to_numpy(), modelled)
    random = np.where(np.isfinite(flux.to_numpy()), random, np.nan)
    share = 100 * float((~known).mean())
    log.info("%s: random error by the Laplace model at %.1f %% of the steps", name, share)
    source = "Laplace model of Richardson et al. 2006"
    if given is not None:
        source = f"{given.attrs['source']}; where absent the {source}"
    attrs = {
        "units": native,
        "long_name": f"{flux.attrs['long_name']}: standard deviation of the random error",
        "source": source,
        "modelled_percent": round(share, 2),
    }
    return flux.copy(data=random).assign_attrs(attrs)


def _grams_per_micromole() -> float:
    return float(
        units.convert(1.0, _MICROMOLE, CARBON_FLUX, file="units", field="carbon flux", carbon=True)
    )


def systematic_sd(flux: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the standard deviation that the choice of the u* threshold leaves in a flux.

    The root mean square distance of the two one-sigma bounds from the reference,
    sqrt(((low - flux)² + (high - flux)²) / 2) = sqrt(((high - low) / 2)² + (flux - centre)²):
    half the spread where the reference is in the middle, and more where it is not, even outside
    the bounds, as happens where reference and bounds come from differently filtered series. The
    order of the bounds does not matter.
    """
    return np.sqrt(((low - flux) ** 2 + (high - flux) ** 2) / 2)


def daily_random_sd(
    random: np.ndarray, measured: np.ndarray, correlated_steps: float
) -> np.ndarray:
    """Return the random standard deviation of daily means.

    Errors of measured steps are independent. A gap-filled step has a measured one's error, but its
    error is shared with its neighbours: ``correlated_steps`` in a row count as one. Hence
    var = (sum over measured s² + correlated_steps · sum over filled s²) / n².

    Parameters
    ----------
    random
        Standard deviation at each step, (day, step).
    measured
        Whether each step was measured, (day, step).
    correlated_steps
        Length of the blocks in which errors of gap-filled steps are one.
    """
    weight = np.where(measured, 1.0, correlated_steps)
    return np.sqrt((weight * random**2).sum(axis=1)) / random.shape[1]
