"""Scenarios beside each other: sums over regions, paired differences, what the variance is made of.

A region's flux is the mean over its land, gC m-2 yr-1, taken within each member; times its area it
is the sum. Differences are taken within members too, before anything is said of their spread.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from concerto.errors import ConcertoError
from concerto.evaluation.summary import described
from concerto.evaluation.variance import INTERACTIONS, variance_shares
from concerto.landuse.run import FLUXES, STOCKS

GAIN = "carbon_gain"
"""What land and products have gained since the start, the sum of NBP, gC m-2."""
MODEL_ERROR = "model_error"
MEMBERS, CROSSED = "members", "crossed"
"""Designs: members as assimilated, under all climates and land uses; states with the parameters of
others, under one of them."""
FACTORS = {
    MEMBERS: {
        "climate": "climate", "land_use": "land use", "member": "initial state and parameters",
        INTERACTIONS: "interactions", MODEL_ERROR: "model error",
    },
    CROSSED: {"state": "initial state", "parameters": "parameters", INTERACTIONS: "together"},
}  # fmt: skip
"""Factors of each design of the analysis of variance, in words."""
_REGION = ("scenario", "member", "region", "year")
_LAST = 10  # yr of which a mean is stated, at the end
_SQUARE_KM = 1e-6


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return the parts of a place as one, without locations that have no members."""
    filled = [part for part in parts if "nbp" in part]
    if not filled:
        count = sum(part.sizes["location"] for part in parts)
        raise ConcertoError(f"scenarios: found {count} cells, none with members")
    whole = filled[0]
    if len(filled) > 1:
        whole = xr.concat(filled, "location", data_vars="minimal")
    found = np.isfinite(whole["nbp"]).all(("scenario", "member", "year")).to_numpy()
    return whole.isel(location=np.flatnonzero(found))


def by_region(outcome: xr.Dataset) -> xr.Dataset:
    """Return means over the land of regions, (scenario, member, region, year) by variable.

    Parameters
    ----------
    outcome
        Of :func:`joined`. Where there are cell areas, regions are the whole and its countries;
        otherwise the whole is the only location.

    Returns
    -------
    xarray.Dataset
        With ``area_m2`` (region), NaN where it is not known, and ``carbon_gain``.
    """
    names, weights = _regions(outcome)
    share = weights / weights.sum(axis=1, keepdims=True)
    kept = [name for name in (*FLUXES, *STOCKS) if name in outcome]
    found = {
        name: (
            _REGION,
            share @ outcome[name].transpose("scenario", "member", "location", "year").to_numpy(),
            outcome[name].attrs,
        )
        for name in kept
    }  # fmt: skip
    known = "cell_area" in outcome
    areas = weights.sum(axis=1) if known else np.full(len(names), np.nan)
    found["area_m2"] = ("region", areas, {"units": "m2", "long_name": "area of land"})
    out = xr.Dataset(
        found, coords={"scenario": outcome["scenario"], "year": outcome["year"], "region": names}
    )
    gain = out["nbp"].cumsum("year")
    gain.attrs = {"units": "g m-2", "long_name": "gain of land and products since the start"}
    return out.assign({GAIN: gain.transpose(*_REGION)})


def _regions(outcome: xr.Dataset) -> tuple[list[str], np.ndarray]:
    """Return names of regions, and the area of each location in them (region, location)."""
    size = outcome.sizes["location"]
    if "cell_area" not in outcome:
        return ["all"], np.ones((1, size)) / size
    area = (outcome["cell_area"] * outcome.get("land_fraction", 1.0)).to_numpy().astype(float)
    countries = outcome["country"].to_numpy().astype(str)
    named = sorted({*countries} - {""})
    rows = [area, *(np.where(countries == name, area, 0.0) for name in named)]
    return ["all", *named], np.stack(rows)


def scenario_table(regions: xr.Dataset, baseline: str) -> pd.DataFrame:
    """Return what scenarios come to, and how they differ from the baseline, member by member.

    Parameters
    ----------
    regions
        Of :func:`by_region`.
    baseline
        Name of the scenario that others are compared with.

    Returns
    -------
    pandas.DataFrame
        A row for each region, scenario and outcome: the gain of carbon by the last year, means of
        fluxes over all years and the last ten, stocks in the last year; mean, standard deviation
        and quantiles of the members; ``probability_positive``; the same of the ``difference``.
    """
    years = regions["year"].to_numpy()
    span, end = f"{years[0]}-{years[-1]}", f"{max(years[0], years[-1] - _LAST + 1)}-{years[-1]}"
    rows = []
    chosen: list[tuple[str, str, xr.DataArray, str]] = [
        (GAIN, str(years[-1]), regions[GAIN].isel(year=-1), "gC m-2")
    ]
    for name in regions:
        if name in FLUXES:
            chosen.append((name, span, regions[name].mean("year"), "gC m-2 yr-1"))
            late = regions[name].isel(year=slice(-_LAST, None)).mean("year")
            chosen.append((name, end, late, "gC m-2 yr-1"))
        elif name in STOCKS:
            chosen.append((str(name), str(years[-1]), regions[name].isel(year=-1), "gC m-2"))
    for name, period, values, unit in chosen:
        members = values.transpose("scenario", "region", "member").to_numpy()
        base = regions.indexes["scenario"].get_loc(baseline)
        for s, scenario in enumerate(regions["scenario"].to_numpy()):
            for r, region in enumerate(regions["region"].to_numpy()):
                difference = members[s, r] - members[base, r]
                rows.append(
                    {
                        "region": region,
                        "area_km2": float(regions["area_m2"][r]) * _SQUARE_KM,
                        "scenario": scenario,
                        "variable": name,
                        "period": period,
                        **described(members[s, r]),
                        "probability_positive": float((members[s, r] > 0.0).mean()),
                        **{f"difference_{k}": v for k, v in described(difference).items()},
                        "difference_probability_positive": float((difference > 0.0).mean()),
                        "units": unit,
                        "baseline": baseline,
                    }
                )
    return pd.DataFrame(rows)


def variance_table(outcome: xr.Dataset) -> pd.DataFrame:
    """Return the variance of the gain of carbon by the end of each year, by factor.

    State and parameters of a member were learnt together and hang together: a soil that is large
    decays slowly. The design ``members`` keeps them together. What each of them does is told by the
    design ``crossed``, which gives every state the parameters of every other member, as if they
    were independent; its variance is another, and larger where they are correlated.

    Parameters
    ----------
    outcome
        Of :func:`joined`, with ``nbp_combined``, ``nbp_crossed`` and, of a site, ``nee_error``.

    Returns
    -------
    pandas.DataFrame
        ``design, year, factor, variance`` (gC m-2)2 of the mean over all land, and ``share`` of the
        design's total. The model's error is independent of all else, so its variance is added; NaN
        where it is not known.
    """
    area = _regions(outcome)[1][0]
    share = area / area.sum()
    years = outcome["year"].to_numpy()
    frames = []
    for design, axes in (
        (MEMBERS, ("climate", "land_use", "one")), (CROSSED, ("state", "parameters")),
    ):  # fmt: skip
        name = "nbp_combined" if design == MEMBERS else "nbp_crossed"
        nbp = outcome[name].transpose(*axes, "location", "year").to_numpy()
        gain = np.cumsum(np.einsum("...ly,l->...y", nbp, share), axis=-1)
        parts = variance_shares(gain, ["member" if axis == "one" else axis for axis in axes])
        if design == MEMBERS:
            parts[MODEL_ERROR] = _variance_of_errors(outcome)
        whole = np.nansum(list(parts.values()), axis=0)
        frames += [
            pd.DataFrame(
                {
                    "design": design,
                    "year": years,
                    "factor": factor,
                    "variance": values,
                    "share": np.divide(values, whole, out=np.zeros_like(whole), where=whole > 0.0),
                }
            )
            for factor, values in parts.items()
        ]
    return pd.concat(frames, ignore_index=True)


def _variance_of_errors(outcome: xr.Dataset) -> np.ndarray:
    """Return the variance (year,) of the sum of the model's errors, NaN if they are not known."""
    if "nee_error" not in outcome:
        return np.full(outcome.sizes["year"], np.nan)
    error = outcome["nee_error"].isel(location=0).cumsum("year")
    return error.var("member", ddof=1).to_numpy().astype(float)


def baseline_of(outcome: xr.Dataset, baseline: str) -> xr.Dataset:
    """Return the component fluxes and stocks of one scenario, (member, location, year)."""
    kept = [name for name in (*FLUXES, *STOCKS, "cover_share", "cover_age") if name in outcome]
    return outcome[kept].sel(scenario=baseline)
