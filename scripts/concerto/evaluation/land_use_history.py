"""Which land has remained in its category and which was converted in the last twenty years.

Land that changes its category counts as converted for twenty years, the one in which it changes the
first of them (IPCC 2006, volume 4, chapter 3, section 3.2). Where some of a category's land leaves
it, its parts, old and recently converted, leave in proportion to their areas.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from concerto.errors import InputError
from concerto.land_use_categories import CATEGORIES, CONVERSION_YEARS

_TOLERANCE = 1e-9  # of the region's area
_NUMBER = {category: k for k, category in enumerate(CATEGORIES)}


def histories(
    transitions: pd.DataFrame,
    areas: Mapping[str, float],
    reference: int,
    last: int,
    file: object = "transitions",
) -> pd.DataFrame:
    """Return the areas of a region that remained and were converted, by category and year.

    Land that changed before the first year of the transitions counts as remaining.

    Parameters
    ----------
    transitions
        ``year, from, to, area_km2`` of the region.
    areas
        Of each category at the end of the year ``reference``, km2.
    reference, last
        Year of the areas; last year that is wanted.
    file
        Where the transitions come from, for messages.

    Returns
    -------
    pandas.DataFrame
        ``category, year, remaining_km2, converted_km2`` from the first year of the transitions, or
        the reference if that is before, on.

    Raises
    ------
    InputError
        If more land leaves a category than it has.
    """
    first = min(int(transitions["year"].min()), reference)
    years = range(first, max(last, reference) + 1)
    moved = {year: np.zeros((len(CATEGORIES),) * 2) for year in years}
    for row in transitions.itertuples(index=False):
        year, source, target, area = row.year, row[1], row[2], row.area_km2
        if year in moved:
            moved[year][_NUMBER[source], _NUMBER[target]] += area
    old = np.array([float(areas.get(category, 0.0)) for category in CATEGORIES])
    whole = old.sum()
    for year in range(first, reference + 1):
        old -= moved[year].sum(axis=0) - moved[year].sum(axis=1)
    _check_enough(old, whole, first - 1, file)
    young = np.zeros((CONVERSION_YEARS, len(CATEGORIES)))  # by age, of this year the first
    rows = []
    for year in years:
        old, young = old + young[-1], np.roll(young, 1, axis=0)
        young[0] = 0.0
        held, leaving = old + young.sum(axis=0), moved[year].sum(axis=1)
        _check_enough(held - leaving, whole, year, file)
        stay = 1.0 - leaving / np.where(held > 0.0, held, 1.0)
        old, young = old * stay, young * stay
        young[0] = moved[year].sum(axis=0)
        rows += [
            (category, year, old[k], young[:, k].sum()) for k, category in enumerate(CATEGORIES)
        ]
    return pd.DataFrame(rows, columns=["category", "year", "remaining_km2", "converted_km2"])


def _check_enough(left: np.ndarray, whole: float, year: int, file: object) -> None:
    short = left < -_TOLERANCE * whole
    if short.any():
        k = int(np.argmin(left))
        found = f"{-left[k]:.6g} km2 more of {CATEGORIES[k]} than there is at the end of {year}"
        raise InputError(file, "area_km2", found, "transitions of the area that the map has")
    left[left < 0.0] = 0.0
