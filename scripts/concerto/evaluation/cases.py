"""What posteriors cost, as medians over the sites of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd


def tabulate(
    tables: Mapping[str, pd.DataFrame], cases: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Return one row for each case and method.

    Parameters
    ----------
    tables
        Of each site a row for each method, with the columns of
        :func:`concerto.evaluation.cost.measure_method`.
    cases
        Sites of each case.

    Returns
    -------
    pandas.DataFrame
        ``case``, ``method``, ``sites`` and on how many of them it ``converged``, then medians of
        the other columns, of those sites where a method has a value.
    """
    rows = []
    for case, sites in cases.items():
        every = pd.concat([tables[site] for site in sites])
        for method, of_method in every.groupby("method", sort=False):
            medians = of_method.drop(columns=["method", "converged"]).median()
            converged = int(of_method["converged"].sum())
            rows.append(
                {"case": case, "method": method, "sites": len(of_method), "converged": converged}
                | medians.to_dict()
            )
    return pd.DataFrame(rows)
