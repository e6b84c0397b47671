"""Simulation-based calibration: whether posteriors hold truths as often as they promise.

Truths are drawn from the prior, observations from what is stated of their errors; if a method is
right, the rank of a truth among independent draws of its posterior is uniform (Talts et al. 2018,
arXiv:1804.06788). Whether ranks are uniform is judged by their empirical distribution function
(ECDF) and bands that hold all of it at once (Säilynoja, Bürkner & Vehtari 2022, Statistics and
Computing 32, 32): each point's count is binomial, and the level of the points' own intervals is
adjusted so that all of them hold together with the probability wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import binom

from concerto.assimilation.posterior import Posterior
from concerto.errors import ConcertoError

LEVEL = 0.01
SIGNIFICANT = 2.576  # standard errors: 99 %, two-sided
_COSTS = ("effective", "cpu_seconds", "model_runs", "gradients")
FACTS = ("truth", "method", "converged", "tries", *_COSTS)
"""Columns of a table of ranks that hold no ranks."""
_NEGLIGIBLE = 1e-12  # tail of a count that is taken not to occur
_UNIFORM_SQUARES = 0.8  # variance of squared deviations from the mean over the variance squared


def ranks(truth: np.ndarray, draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rank of each truth among its draws, 0 to their number.

    The rank is the number of draws below the truth; among draws that equal it, as happens where a
    posterior piles up at a bound, it takes any place with the same probability.

    Parameters
    ----------
    truth
        (quantity,).
    draws
        (draw, quantity) nearly independent ones, of :func:`spread_evenly` for instance.
    rng
        Source of the places among equals.

    Raises
    ------
    ConcertoError
        If a truth or a draw is not finite.
    """
    wrong = int((~np.isfinite(truth)).sum() + (~np.isfinite(draws)).sum())
    if wrong:
        raise ConcertoError(f"ranks: found {wrong} values that are not finite; expected none")
    ties = np.sum(draws == truth, axis=0)
    return np.sum(draws < truth, axis=0) + rng.integers(ties + 1)


def effective_draws(posterior: Posterior) -> float:
    """Return how many independent draws a posterior has, of the worst parameter.

    Those of a method without chains count in full.
    """
    return float(np.nanmin([len(posterior.chain), *posterior.ess_bulk]))


def spread_evenly(posterior: Posterior, count: int) -> np.ndarray:
    """Return which members to take for ``count`` draws, spread evenly over all chains.

    Raises
    ------
    ConcertoError
        If the posterior has fewer members.
    """
    members = len(posterior.chain)
    if members < count:
        raise ConcertoError(f"ranks: found {members} draws of the posterior; expected {count}")
    in_order = np.argsort(posterior.chain, kind="stable")
    return in_order[((np.arange(count) + 0.5) * members / count).astype(int)]


@dataclass(frozen=True)
class Band:
    """Bounds that hold the whole ECDF of uniform ranks with probability ``1 - level``, or more.

    ``share`` (point,) the expected ECDF, at ranks 0 to the number of draws less one; ``low`` and
    ``high`` (point,) the bounds of the ECDF.
    """

    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def ecdf(values: np.ndarray, draws: int) -> np.ndarray:
    """Return the share of ranks (truth,) that are at most 0, 1, ..., ``draws`` - 1."""
    return _counts(values, draws) / len(values)


@cache
def band(truths: int, draws: int, level: float = LEVEL) -> Band:
    """Return the band for the ranks of ``truths`` truths among ``draws`` draws each."""
    low, high = 0.0, 1.0
    while high - low > 1e-6 * high:
        middle = 0.5 * (low + high)
        inside = _probability_inside(truths, draws, middle)
        low, high = (middle, high) if inside >= 1.0 - level else (low, middle)
    within = _tails(truths, draws) > low
    first = np.argmax(within, axis=1)
    last = truths - np.argmax(within[:, ::-1], axis=1)
    return Band(_shares(draws), first / truths, last / truths)


def p_value(values: np.ndarray, draws: int) -> float:
    """Return the probability that the ECDF of uniform ranks strays as far as this one, or farther.

    How far is measured by the smallest level of an interval of a point that it leaves; it lies
    outside :func:`band` if this is at most the band's level. Computed without simulation: the
    counts at successive points are a Markov chain (Säilynoja et al. 2022). Values below some 1e-9
    are not told apart from nil.

    Parameters
    ----------
    values
        (truth,) ranks from 0 to ``draws``.
    draws
        Number of draws each truth is ranked among.
    """
    _check(values, draws)
    tails = _tails(len(values), draws)
    farthest = tails[np.arange(draws), _counts(values, draws)].min()
    return float(np.clip(1.0 - _probability_inside(len(values), draws, farthest), 0.0, 1.0))


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values (test,) corrected for their number: Holm (1979, Scand. J. Statist. 6, 65)."""
    order = np.argsort(p)
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, scaled)
    return corrected


def verdict(
    ranks_by_quantity: Mapping[str, np.ndarray], draws: int, level: float = LEVEL
) -> pd.DataFrame:
    """Return whether the ranks of each quantity are uniform, and how they are not.

    Parameters
    ----------
    ranks_by_quantity
        For each quantity the ranks (truth,) from 0 to ``draws``.
    draws
        Number of draws each truth is ranked among.
    level
        Probability that a right method fails in any quantity.

    Returns
    -------
    pandas.DataFrame
        One row a quantity: ``n`` truths; ``p``, and ``p_holm`` corrected for the number of
        quantities; ``passed`` if it is above ``level``; ``bias``, the mean rank in standard errors
        from its expectation, positive where posteriors are too low; ``dispersion``, the variance of
        ranks over its expectation, above 1 where posteriors are too narrow; ``finding``, in words.

    Raises
    ------
    ConcertoError
        If there is no quantity, or a rank is not from 0 to ``draws``.
    """
    if not ranks_by_quantity:
        raise ConcertoError("ranks: found no quantity; expected at least one")
    rows = []
    for name, given in ranks_by_quantity.items():
        values = np.asarray(given)
        p = p_value(values, draws)
        bias, dispersion, off = _moments(values, draws)
        rows.append((name, len(values), p, bias, dispersion, _in_words(bias, off)))
    table = pd.DataFrame(rows, columns=["quantity", "n", "p", "bias", "dispersion", "finding"])
    corrected = holm(table.p.to_numpy())
    table.insert(3, "p_holm", corrected)
    table.insert(4, "passed", corrected > level)
    return table


def judge_methods(table: pd.DataFrame, draws: int, level: float = LEVEL) -> pd.DataFrame:
    """Return the :func:`verdict` of each method, with its name in ``method``.

    ``table`` has a row for each method and truth, with the rank of each quantity in a column of its
    own, beside the columns ``FACTS``; quantities that a method has no ranks of are left out.
    """
    quantities = [name for name in table if name not in FACTS]
    parts = []
    for method, rows in table.groupby("method", sort=False):
        known = {name: rows[name].to_numpy() for name in quantities if rows[name].notna().all()}
        judged = verdict({name: places.astype(int) for name, places in known.items()}, draws, level)
        judged.insert(0, "method", method)
        parts.append(judged)
    return pd.concat(parts, ignore_index=True)


def method_summary(table: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each method: whether it is calibrated, and what a posterior costs.

    ``passed`` of how many ``quantities``; the smallest corrected ``p``; mean ``dispersion`` of
    ranks; the share of posteriors that ``converged``, medians of the ``effective`` draws, the
    ``cpu_seconds``, ``model_runs`` and ``gradients`` of one.
    """
    rows = []
    for method, of_method in judged.groupby("method", sort=False):
        facts = table[table.method == method]
        rows.append(
            {
                "method": method,
                "truths": len(facts),
                "quantities": len(of_method),
                "passed": int(of_method.passed.sum()),
                "smallest_p": of_method.p_holm.min(),
                "dispersion": of_method.dispersion.mean(),
                "converged": facts.converged.mean(),
                **{name: facts[name].median() for name in _COSTS},
            }
        )
    return pd.DataFrame(rows)


def _check(values: np.ndarray, draws: int) -> None:
    if len(values) < 2:
        raise ConcertoError(f"ranks: found {len(values)} truths; expected at least 2")
    if values.min() < 0 or values.max() > draws:
        raise ConcertoError(f"ranks: found {values.min()} to {values.max()}; expected 0 to {draws}")


def _moments(values: np.ndarray, draws: int) -> tuple[float, float, float]:
    """Return bias and dispersion, and by how many standard errors the latter is off 1."""
    variance = draws * (draws + 2.0) / 12.0
    bias = (values.mean() - 0.5 * draws) / np.sqrt(variance / len(values))
    dispersion = values.var(ddof=1) / variance
    off = (dispersion - 1.0) / np.sqrt(_UNIFORM_SQUARES / len(values))
    return float(bias), float(dispersion), float(off)


def _in_words(bias: float, off: float) -> str:
    said = []
    if abs(bias) > SIGNIFICANT:
        said.append(f"posteriors too {'low' if bias > 0.0 else 'high'}")
    if abs(off) > SIGNIFICANT:
        said.append("over-confident" if off > 0.0 else "under-confident")
    return ", ".join(said) or "no bias or wrong spread seen"


def _shares(draws: int) -> np.ndarray:
    return np.arange(1, draws + 1) / (draws + 1.0)


def _counts(values: np.ndarray, draws: int) -> np.ndarray:
    """Return how many ranks are at most 0, 1, ..., ``draws`` - 1."""
    return np.cumsum(np.bincount(values, minlength=draws + 1)[:draws])


@cache
def _tails(truths: int, draws: int) -> np.ndarray:
    """Return (point, count) the level of the central interval of a point that just leaves it out.

    Twice the smaller of the probabilities of a count as low, or as high.
    """
    counts, shares = np.arange(truths + 1), _shares(draws)[:, None]
    low = binom.cdf(counts, truths, shares)
    high = binom.sf(counts - 1, truths, shares)
    return 2.0 * np.minimum(low, high)


@cache
def _steps(truths: int, draws: int) -> list[np.ndarray]:
    """Return for each point the law of its count given that before it, (before, after).

    Of the truths not yet counted, each has its rank here with the same probability. Counts are
    those that are likely at all.
    """
    likely = [np.zeros(1, dtype=int)]
    likely += [np.flatnonzero(row > _NEGLIGIBLE) for row in _tails(truths, draws)]
    return [
        binom.pmf(after - before[:, None], truths - before[:, None], 1.0 / (draws + 1.0 - point))
        for point, (before, after) in enumerate(pairwise(likely))
    ]


def _probability_inside(truths: int, draws: int, level: float) -> float:
    """Return how probable it is that no count of uniform ranks has a tail of ``level`` or less."""
    law = np.ones(1)
    for step, tails in zip(_steps(truths, draws), _tails(truths, draws), strict=True):
        law = (law @ step) * (tails[tails > _NEGLIGIBLE] > level)
    return float(law.sum())
