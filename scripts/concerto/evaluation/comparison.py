"""Whether two assimilation methods tell the same story of the parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import gaussian_kde

from concerto.errors import InputError
from concerto.evaluation.predictive import one_location
from concerto.evaluation.quantities import predictor_label

COLUMNS = (
    "parameter",
    "units",
    "method",
    "reference",
    "mean",
    "sd",
    "mean_reference",
    "sd_reference",
    "difference",
    "sd_ratio",
    "overlap",
)
# Differences within these are called agreement: half a standard deviation of the reference, and
# spreads within a factor of one and a half.
AGREED_DIFFERENCE = 0.5
AGREED_SD_RATIO = 1.5
_GRID = 512


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the area shared by two densities, 0 to 1, from Gaussian kernel estimates."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    densities = [gaussian_kde(first), gaussian_kde(second)]
    margin = 3 * max(float(np.sqrt(d.covariance[0, 0])) for d in densities)
    low = min(first.min(), second.min()) - margin
    high = max(first.max(), second.max()) + margin
    grid = np.linspace(low, high, _GRID)
    shared = np.minimum(densities[0](grid), densities[1](grid))
    return float(np.clip(np.trapezoid(shared, grid), 0, 1))


def unwrap(values: np.ndarray, period: float, around: np.ndarray) -> np.ndarray:
    """Move circular values to within half a period of the circular mean of others."""
    if not np.isfinite(period):
        return values
    angle = 2 * np.pi * around / period
    turn = np.arctan2(np.sin(angle).mean(), np.cos(angle).mean()) / (2 * np.pi)
    centre = turn % 1 * period
    return centre + (values - centre + period / 2) % period - period / 2


def parameter_samples(posterior: xr.Dataset) -> pd.DataFrame:
    """Return the parameters of an ensemble, one row a member, one column a parameter."""
    values = one_location(posterior)["parameters"].transpose("member", "parameter").to_numpy()
    return pd.DataFrame(
        values.astype(float), columns=[str(p) for p in posterior.parameter.to_numpy()]
    )


def compare(
    posterior: xr.Dataset, reference: xr.Dataset, method: str, reference_method: str
) -> pd.DataFrame:
    """Compare a posterior with the reference sampler's, parameter by parameter.

    Returns
    -------
    pandas.DataFrame
        ``difference``: difference of the means over the reference's standard deviation;
        ``sd_ratio``: ratio of the standard deviations; ``overlap``: shared area of the two
        densities. Where the file has a ``parameter_period`` (day of the year), values are first
        moved to the same turn of the circle.

    Raises
    ------
    InputError
        If the two do not have the same parameters.
    """
    own, other = parameter_samples(posterior), parameter_samples(reference)
    if set(own.columns) != set(other.columns):
        raise InputError(
            f"posterior of {method}", "parameter", sorted(own.columns), sorted(other.columns)
        )
    units = dict(zip(other.columns, reference["parameter_units"].to_numpy(), strict=True))
    periods = parameter_periods(reference)
    rows = []
    for name in other.columns:
        second = unwrap(other[name].to_numpy(), periods[name], other[name].to_numpy())
        first = unwrap(own[name].to_numpy(), periods[name], other[name].to_numpy())
        sd = second.std(ddof=1)
        rows.append(
            (
                name,
                str(units[name]),
                method,
                reference_method,
                first.mean(),
                first.std(ddof=1),
                second.mean(),
                sd,
                (first.mean() - second.mean()) / sd if sd > 0 else np.nan,
                first.std(ddof=1) / sd if sd > 0 else np.nan,
                overlap(first, second),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def parameter_periods(posterior: xr.Dataset) -> dict[str, float]:
    """Return each parameter's period, NaN for those that are not circular."""
    names = [str(p) for p in posterior.parameter.to_numpy()]
    if "parameter_period" not in posterior:
        return dict.fromkeys(names, np.nan)
    return dict(zip(names, posterior["parameter_period"].to_numpy().astype(float), strict=True))


def compare_methods(posteriors: dict[str, xr.Dataset], reference: str) -> pd.DataFrame:
    """Compare each method with the reference; without another method the table has no rows."""
    tables = [
        compare(posterior, posteriors[reference], method, reference)
        for method, posterior in posteriors.items()
        if method != reference
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def in_words(table: pd.DataFrame) -> list[str]:
    """Return one sentence for each method: on how much it agrees with the reference."""
    sentences = []
    for (method, reference), rows in table.groupby(["method", "reference"], sort=False):
        with np.errstate(divide="ignore"):  # no spread: a factor of errors that was not inferred
            ratio = np.abs(np.log(rows.sd_ratio.to_numpy(dtype=float)))
        agreed = (rows.difference.abs() <= AGREED_DIFFERENCE) & (ratio <= np.log(AGREED_SD_RATIO))
        text = (
            f"{predictor_label(method)} agrees with {predictor_label(reference)} on "
            f"{agreed.sum()} of {len(rows)} parameters (means within {AGREED_DIFFERENCE:g} "
            f"standard deviations, spreads within a factor of {AGREED_SD_RATIO:g}); "
            f"the median overlap of their densities is {100 * rows.overlap.median():.0f} %"
        )
        if not agreed.all():
            worst = rows.loc[~agreed].nsmallest(3, "overlap")
            named = ", ".join(
                f"{r.parameter} ({r.difference:+.2g} sd, spread times {r.sd_ratio:.2g})"
                for r in worst.itertuples()
            )
            text += f"; they differ most on {named}"
        sentences.append(text + ".")
    return sentences


def diagnostics(posterior: xr.Dataset) -> pd.DataFrame:
    """Return R-hat and effective sample sizes of each parameter, NaN where a method has none."""
    names = ("rhat", "ess_bulk", "ess_tail")
    columns = {name: posterior[name].to_numpy().astype(float) for name in names}
    return pd.DataFrame({"parameter": [str(p) for p in posterior.parameter.to_numpy()], **columns})


def contributions(posterior: xr.Dataset) -> pd.DataFrame:
    """Return what each stream, then constraints and prior had to say in a posterior.

    Columns ``source``, ``observations``, ``effective``, ``mean_square`` and ``signal``, the degrees
    of freedom that it determined; all but the last NaN for constraints and prior.
    """
    names = ("observations", "effective", "mean_square", "signal")
    streams = pd.DataFrame({name: posterior[f"stream_{name}"].to_numpy() for name in names})
    streams.insert(0, "source", posterior["stream"].to_numpy().astype(str))
    rest = [(name, float(posterior[f"signal_{name}"])) for name in ("constraints", "prior")]
    return pd.concat([streams, pd.DataFrame(rest, columns=["source", "signal"])], ignore_index=True)
