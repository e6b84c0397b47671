"""The lines with which a run ends: of what it made, what may be trusted, and why.

A line begins with ``MARK`` where the answer is no.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from concerto.evaluation.sum_coverage import NOMINAL, several

MARK = "!!!"


def of_posteriors(posteriors: Mapping[str, xr.Dataset], product: str) -> str:
    """Return a line for each method's posterior of a site: whether it has converged, and why.

    ``product`` is the published method.
    """
    lines = []
    for method, posterior in posteriors.items():
        converged, verdict = (posterior.attrs[name] for name in ("converged", "verdict"))
        published = " (published)" if method == product else ""
        where = f"{posterior['location'].item()}, {method}{published}"
        lines.append(_line(f"{where}: converged: {converged}; {verdict}", converged == "yes"))
    return "".join(lines)


def of_calibration(methods: pd.DataFrame) -> str:
    """Return a line for each method: whether its uncertainty is true, and its posteriors converged.

    ``methods`` is of :func:`concerto.evaluation.calibration.method_summary`.
    """
    lines = []
    for row in methods.itertuples():
        calibrated = row.passed == row.quantities
        lines.append(
            _line(
                f"{row.method}: converged: {100 * row.converged:.0f} % of {row.truths} posteriors; "
                f"calibrated: {'yes' if calibrated else 'no'}; ranks of truths are uniform for "
                f"{row.passed} of {row.quantities} quantities",
                calibrated and row.converged == 1.0,
            )
        )
    return "".join(lines)


def of_sums(coverage: pd.DataFrame) -> str:
    """Return a line for each arrangement of members: how many truths intervals of sums hold.

    ``coverage`` is of :func:`concerto.evaluation.sum_coverage.sum_coverage`; of its regions those
    of several cells count.
    """
    lines = []
    for arrangement, rows in several(coverage).groupby("arrangement", sort=False):
        held = ", ".join(
            f"{100.0 * rows[f'held_{nominal}'].mean():.0f} % in {nominal} % intervals"
            for nominal in NOMINAL
        )
        passed = int(rows.passed.sum())
        lines.append(
            _line(
                f"sums over regions, {arrangement} members: of {rows.truths.max()} truths {held}; "
                f"ranks are uniform for {passed} of {len(rows)} sums",
                passed == len(rows),
            )
        )
    return "".join(lines)


def _line(text: str, good: bool) -> str:
    return f"{'' if good else MARK:{len(MARK)}} {text}\n"
