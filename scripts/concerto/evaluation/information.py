"""What each stream of observations is worth: how much closer it brings posteriors to truths.

Of twin experiments, in which the truth is known: each truth is assimilated with several subsets of
its streams, and without any, which is the free run under the prior. All tables take results with
one row for each truth, subset and quantity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from concerto.errors import ConcertoError

RESULTS = ("truth", "subset", "quantity", "true", "mean", "sd")
"""Columns of results: number of the truth; :func:`subset_name`; name of the quantity; its true
value; mean and standard deviation of its posterior."""
FREE = "none"
SAMPLES = 2000
INTERVAL = 0.9
_JOINT = "+"

# (truth, subset) errors and standard deviations, and which truths -> (subset,) or (stream,)
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


def subset_name(streams: Iterable[str]) -> str:
    """Return the name of a subset of streams, the same for any order; ``FREE`` for an empty one."""
    return _JOINT.join(sorted(streams)) or FREE


def error_reduction(
    results: pd.DataFrame, rng: np.random.Generator, samples: int = SAMPLES
) -> pd.DataFrame:
    """Return how large errors are with each subset of streams, and how much smaller than without.

    Parameters
    ----------
    results
        With the columns ``RESULTS``.
    rng, samples
        Source and number of bootstrap samples: truths, drawn with replacement.

    Returns
    -------
    pandas.DataFrame
        One row a quantity and subset: ``n`` truths; ``rmse`` of the posterior mean, and
        ``rmse_reduction`` in per cent of the free run's; ``sd``, the root mean square of the
        posterior's standard deviation, and ``sd_reduction`` likewise; ``sd_over_rmse``, 1 if
        the spread is as large as the error. Each with the ends of its 90 % interval, ``_low`` and
        ``_high``.

    Raises
    ------
    ConcertoError
        If a column is absent, a value is not finite, a truth is there twice or lacks a subset, or
        there is no free run.
    """
    tables = []
    for quantity, errors, spreads in _quantities(results):
        subsets = list(errors.columns)
        free = subsets.index(FREE)

        def describe(error: np.ndarray, spread: np.ndarray, free: int = free) -> np.ndarray:
            rmse, sd = _root_mean_square(error), _root_mean_square(spread)
            return np.stack(
                [rmse, _reduction(rmse, free), sd, _reduction(sd, free), sd / rmse], axis=-1
            )

        names = ("rmse", "rmse_reduction", "sd", "sd_reduction", "sd_over_rmse")
        table = _bootstrapped(describe, errors.to_numpy(), spreads.to_numpy(), names, rng, samples)
        table.insert(0, "quantity", quantity)
        table.insert(1, "subset", subsets)
        table.insert(2, "n", len(errors))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def stream_values(
    results: pd.DataFrame, rng: np.random.Generator, samples: int = SAMPLES
) -> pd.DataFrame:
    """Return what each stream takes off the errors: alone, and on top of all others.

    Parameters
    ----------
    results, rng, samples
        As of :func:`error_reduction`.

    Returns
    -------
    pandas.DataFrame
        One row a quantity, stream and ``how``: *added first*, the free run against the stream
        alone, and *added last*, all others against all; rows whose subsets are not in the results
        are left out. ``rmse_gain``, how much the root mean square error of the posterior mean falls
        in the quantity's unit, and ``rmse_gain_percent`` of the free run's; ``sd_gain`` and
        ``sd_gain_percent`` likewise for the standard deviation. Positive is a gain. Each with the
        ends of its 90 % interval, ``_low`` and ``_high``.

    Raises
    ------
    ConcertoError
        As :func:`error_reduction`.
    """
    tables = []
    for quantity, errors, spreads in _quantities(results):
        subsets = list(errors.columns)
        rows = _comparisons(subsets)
        without, with_it = (np.array([row[k] for row in rows], dtype=int) for k in (2, 3))
        free = subsets.index(FREE)

        def describe(
            error: np.ndarray,
            spread: np.ndarray,
            without: np.ndarray = without,
            with_it: np.ndarray = with_it,
            free: int = free,
        ) -> np.ndarray:
            columns = []
            for size in (_root_mean_square(error), _root_mean_square(spread)):
                gain = size[..., without] - size[..., with_it]
                columns += [gain, 100.0 * gain / size[..., free, None]]
            return np.stack(columns, axis=-1)

        names = ("rmse_gain", "rmse_gain_percent", "sd_gain", "sd_gain_percent")
        table = _bootstrapped(describe, errors.to_numpy(), spreads.to_numpy(), names, rng, samples)
        table.insert(0, "quantity", quantity)
        table.insert(1, "stream", [row[0] for row in rows])
        table.insert(2, "how", [row[1] for row in rows])
        table.insert(3, "n", len(errors))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _quantities(results: pd.DataFrame) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Return of each quantity the errors and standard deviations, (truth, subset) each."""
    _check(results)
    found = []
    for quantity, rows in results.groupby("quantity", sort=False):
        wide = rows.assign(error=rows["mean"] - rows["true"]).pivot_table(
            index="truth", columns="subset", values=["error", "sd"], aggfunc="first"
        )
        order = [name for name in results.subset.unique() if name in wide["error"]]
        errors, spreads = (wide[part][order] for part in ("error", "sd"))
        if FREE not in order:
            raise ConcertoError(
                f"results: found {', '.join(order)} for {quantity}; expected {FREE} among them, "
                "the free run"
            )
        gaps = np.argwhere(errors.isna().to_numpy())
        if len(gaps):
            truth, subset = errors.index[gaps[0, 0]], errors.columns[gaps[0, 1]]
            raise ConcertoError(
                f"results: found no {quantity} of truth {truth} with {subset}; expected every "
                "truth with every subset"
            )
        found.append((str(quantity), errors, spreads))
    return found


def _check(results: pd.DataFrame) -> None:
    absent = [name for name in RESULTS if name not in results]
    if absent:
        raise ConcertoError(
            f"results: found no column {', '.join(absent)}; expected {', '.join(RESULTS)}"
        )
    if results.empty:
        raise ConcertoError("results: found no rows; expected one a truth, subset and quantity")
    keys = ["truth", "subset", "quantity"]
    for wrong, what in (
        (results.duplicated(keys), "twice the same"),
        (~np.isfinite(results[["true", "mean", "sd"]]).all(axis=1), "a value that is not finite"),
    ):
        if wrong.any():
            row = results[wrong.to_numpy()].iloc[0]
            raise ConcertoError(
                f"results: found {what}, {row.quantity} of truth {row.truth} with {row.subset}; "
                "expected finite values, each once"
            )


def _comparisons(subsets: list[str]) -> list[tuple[str, str, int, int]]:
    """Return stream, how it is added, and the numbers of the subsets without and with it."""
    streams = sorted(
        {name for subset in subsets if subset != FREE for name in subset.split(_JOINT)}
    )
    rows = []
    for stream in streams:
        others = [name for name in streams if name != stream]
        pairs = {
            "added first": (FREE, stream),
            "added last": (subset_name(others), subset_name(streams)),
        }
        rows += [
            (stream, how, subsets.index(without), subsets.index(with_it))
            for how, (without, with_it) in pairs.items()
            if {without, with_it} <= set(subsets)
        ]
    return rows


def _bootstrapped(
    describe: Statistic,
    errors: np.ndarray,
    spreads: np.ndarray,
    names: tuple[str, ...],
    rng: np.random.Generator,
    samples: int,
) -> pd.DataFrame:
    """Return statistics (row, name) of truths with the ends of their percentile intervals.

    Subsets are described for the same truths, so that what these have in common cancels.
    """
    chosen = rng.integers(len(errors), size=(samples, len(errors)))
    tails = [0.5 - 0.5 * INTERVAL, 0.5 + 0.5 * INTERVAL]
    low, high = np.quantile(describe(errors[chosen], spreads[chosen]), tails, axis=0)
    found = describe(errors, spreads)
    columns = {}
    for k, name in enumerate(names):
        columns |= {name: found[:, k], f"{name}_low": low[:, k], f"{name}_high": high[:, k]}
    return pd.DataFrame(columns)


def _root_mean_square(values: np.ndarray) -> np.ndarray:
    """Return (..., subset) of values (..., truth, subset)."""
    return np.sqrt(np.mean(values**2, axis=-2))


def _reduction(size: np.ndarray, free: int) -> np.ndarray:
    """Return by how many per cent sizes (..., subset) are below the free run's."""
    return 100.0 * (1.0 - size / size[..., free, None])
