"""Why the predictions of some towers are far off, as rules read it from their data.

No rule knows a tower by its name, and each states the numbers that it rests on. A rule says what is
there, not that it is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import FLAGS
from concerto.domain import CROPLAND
from concerto.evaluation.quantities import QUANTITIES, label, plain_unit
from concerto.networks import FLUXES, KNOWN, NEW

TOWERS = 10
COLUMNS = ("tower", "igbp", "flux", "share", *(f"share_{flux}" for flux in FLUXES), "n", "reason")
_YEAR = 12
_HALF = 0.5  # of the error: a constant part of this size makes a quarter of its square
_NEARER = 0.9  # of the error, at most
_LIVELY = 0.9  # share of towers whose flux varies less
_FEW = 0.1  # of the months


@dataclass(frozen=True)
class _Case:
    """A tower's flux in the months that were withheld (month,), and what else is known of it.

    ``taught`` are the values that were not withheld, ``livelier_than`` the share of other towers
    whose flux varies less, ``verdict`` the status and reason of its posterior, ``doubts`` the rows
    of :func:`concerto.prepare.plausibility.check_network`.
    """

    igbp: str
    unit: str
    times: pd.DatetimeIndex
    taught: np.ndarray
    observed: np.ndarray
    predicted: Mapping[str, np.ndarray]
    livelier_than: float
    verdict: tuple[str, str]
    doubts: pd.DataFrame

    @property
    def rmse(self) -> float:
        """Root mean square error of the combined prediction."""
        return _size(self.error("combined"))

    def error(self, predictor: str) -> np.ndarray:
        """Return predicted minus observed values (month,)."""
        return self.predicted[predictor] - self.observed


def explain(
    judged: xr.Dataset, doubts: pd.DataFrame, verdicts: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """Return the towers with the largest squared errors, the worst first, each with a reason.

    Parameters
    ----------
    judged
        What was withheld and what was predicted of it, as the rule score_towers writes it.
    doubts
        Of :func:`concerto.prepare.plausibility.check_network`.
    verdicts
        Status of each tower's posterior in the inner trial, and its reason.

    Returns
    -------
    pandas.DataFrame
        ``COLUMNS``: ``share_FLUX`` is a tower's share in the sum of all squared errors of the
        combined prediction of later months, ``share`` their mean; ``flux`` is the one with the
        largest share, which ``n`` and ``reason`` are of. Towers without a value are left out.
    """
    squares = {flux: _squares(judged, flux) for flux in FLUXES}
    shares = np.stack([own.sum(axis=1) / own.sum() for own in squares.values()])
    mean = shares.mean(axis=0)
    rows = []
    judged_at = np.flatnonzero(mean > 0.0)
    for k in judged_at[np.argsort(-mean[judged_at])][:TOWERS]:
        flux = FLUXES[int(np.argmax(shares[:, k]))]
        name = str(judged["location"].to_numpy()[k])
        case = _case(judged, flux, int(k), doubts[doubts["site"] == name], verdicts[name])
        own = {f"share_{f}": share for f, share in zip(FLUXES, shares[:, k], strict=True)}
        rows.append(
            {"tower": name, "igbp": case.igbp, "flux": flux, "share": mean[k], **own}
            | {"n": len(case.observed), "reason": _reason(case)}
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _squares(judged: xr.Dataset, flux: str) -> np.ndarray:
    """Return squared errors of the combined prediction (location, time), 0 where there is none."""
    error = judged[f"{flux}_{KNOWN}_combined"] - judged[f"{flux}_{KNOWN}_observed"]
    return np.nan_to_num(error.to_numpy()) ** 2


def _case(
    judged: xr.Dataset, flux: str, k: int, doubts: pd.DataFrame, verdict: tuple[str, str]
) -> _Case:
    withheld, every = (judged[f"{flux}_{setting}_observed"].to_numpy() for setting in (KNOWN, NEW))
    spread = np.array([np.std(own[np.isfinite(own)]) if np.isfinite(own).any() else 0.0
                       for own in every])  # fmt: skip
    there = np.isfinite(withheld[k])
    return _Case(
        igbp=str(judged["igbp"].to_numpy()[k]),
        unit=plain_unit(QUANTITIES[flux].unit),
        times=judged.indexes["time"][there],
        taught=every[k][np.isfinite(every[k]) & ~there],
        observed=withheld[k][there],
        predicted={
            name: judged[f"{flux}_{KNOWN}_{name}"].to_numpy()[k][there]
            for name in ("climatology", "process", "learned", "combined")
        },
        livelier_than=float(np.sum(spread < spread[k]) / (len(spread) - 1)),
        verdict=verdict,
        doubts=doubts,
    )


def _reason(case: _Case) -> str:
    found = [text for rule in _RULES if (text := rule(case))]
    return " ".join(found or [_none(case)]).replace(" %", "\N{NO-BREAK SPACE}%")


def _doubted(case: _Case) -> str:
    """What the tower reports is doubted; of each stream the most severe doubt."""
    rows = sorted(case.doubts.itertuples(), key=lambda row: FLAGS.index(row.severity))
    worst = {row.stream: row for row in rows}
    return " ".join(
        f"Its {label(stream)} is {row.severity} ({row.check}): {row.found}; expected: "
        f"{row.expected}."
        for stream, row in worst.items()
    )


def _unmodelled(case: _Case) -> str:
    """The process model has nothing, or is not to be relied on."""
    status, reason = case.verdict
    if not np.isfinite(case.predicted["process"]).any():
        return f"It has no process posterior: {reason or status}."
    return (
        "" if status == "converged" else f"Its process posterior has {_spaced(status)}: {reason}."
    )


def _little_taught(case: _Case) -> str:
    """Less than a year was taught."""
    count = len(case.taught)
    return f"Only {count} of its months were taught." if count < _YEAR else ""


def _shifted(case: _Case) -> str:
    """Withheld months lie on another level than those taught of the same season."""
    observed, before, combined = (
        float(values.mean())
        for values in (case.observed, case.predicted["climatology"], case.predicted["combined"])
    )
    if not len(case.taught) or abs(observed - before) < _HALF * case.rmse:
        return ""
    return (
        f"Its level shifts: withheld months have {_number(observed)} {case.unit} in the mean, "
        f"those taught of the same season {_number(before)}; predicted was {_number(combined)}."
    )


def _other_crops(case: _Case) -> str:
    """Cropland whose withheld seasons differ from those taught."""
    away = _size(case.error("climatology"))
    if case.igbp not in CROPLAND or away < _HALF * case.observed.std():
        return ""
    return (
        f"It is cropland, and nobody says which crop grows in which year: withheld months are "
        f"{_number(away)} {case.unit} (root mean square) away from those taught of the same season."
    )


def _outdone(case: _Case) -> str:
    """The climatology is clearly nearer."""
    other = _size(case.error("climatology"))
    if not other <= _NEARER * case.rmse:
        return ""
    return (
        f"A climatology is nearer: its error is {_number(other)} {case.unit} (root mean square), "
        f"that of the prediction {_number(case.rmse)}."
    )


def _divided(case: _Case) -> str:
    """Process model and other towers say different things."""
    apart = _size(case.predicted["process"] - case.predicted["learned"])
    if not apart >= case.rmse:
        return ""
    own, others = (_size(case.error(name)) for name in ("process", "learned"))
    return (
        f"The process model and what other towers teach are {_number(apart)} {case.unit} apart "
        f"(root mean square); their errors are {_number(own)} and {_number(others)}."
    )


def _biased(case: _Case) -> str:
    """The prediction is too high or too low throughout."""
    bias = float(case.error("combined").mean())
    if abs(bias) < _HALF * case.rmse:
        return ""
    return (
        f"The prediction is {_number(abs(bias))} {case.unit} too "
        f"{'high' if bias > 0.0 else 'low'} in the mean, which makes "
        f"{100.0 * (bias / case.rmse) ** 2:.0f} % of its squared error."
    )


def _few_months(case: _Case) -> str:
    """A few months make most of the error."""
    squares = case.error("combined") ** 2
    few = max(1, round(_FEW * len(squares)))
    worst = np.argsort(-squares)[:few]
    share = squares[worst].sum() / squares.sum()
    if share < _HALF or few == len(squares):
        return ""
    at = int(worst[0])
    return (
        f"{few} of {len(squares)} months make {100.0 * share:.0f} % of its squared error, the "
        f"largest {case.times[at]:%Y-%m}: {_number(case.observed[at])} {case.unit} observed, "
        f"{_number(case.predicted['combined'][at])} predicted."
    )


def _lively(case: _Case) -> str:
    """The flux varies more than that of most towers."""
    if case.livelier_than < _LIVELY:
        return ""
    return (
        f"Its flux varies more than that of {100.0 * case.livelier_than:.0f} % of other towers, "
        f"and errors grow with it: the NSE of its withheld months is {_number(_nse(case))}."
    )


_RULES: tuple[Callable[[_Case], str], ...] = (
    _doubted, _unmodelled, _little_taught, _shifted, _other_crops, _outdone, _divided, _biased,
    _few_months, _lively,
)  # fmt: skip


def _none(case: _Case) -> str:
    """Return what is said where no rule applies."""
    return (
        f"No rule applies: {len(case.taught)} months were taught, the error is "
        f"{_number(case.rmse)} {case.unit} (root mean square), that of a climatology "
        f"{_number(_size(case.error('climatology')))}."
    )


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _nse(case: _Case) -> float:
    return 1.0 - (case.rmse / case.observed.std()) ** 2


def _size(values: np.ndarray) -> float:
    """Return the root mean square of what is known of some values; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else np.nan


def _spaced(status: str) -> str:
    return status.replace("_", " ")
