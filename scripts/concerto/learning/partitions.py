"""Which places teach, which calibrate and which judge, so that none does two of it at once.

Places are dealt to groups, at random or by climate. Each group in turn is the **test**: all others
teach what predicts it. Those others are dealt to inner groups, each predicted by the rest of
them: the errors of these predictions, in which the test has no part, calibrate its intervals. They
are as far from those that teach as the test is only if they are dealt alike: where a climate is the
test, each other climate is an inner group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from concerto.errors import ConcertoError
from concerto.learning.folds import deal

LEAST_PLACES = 5
"""With fewer places nothing can be learnt, calibrated and judged apart."""
UNKNOWN = "none"
"""Group of places without a climate: they teach, but judge nothing."""
INNER = 3
"""Number of inner groups."""
CLIMATES = {"A": "tropical", "B": "arid", "C": "temperate", "D": "cold", "E": "polar"}
"""Main climates by the first letter of zones (Köppen and Geiger; Beck et al. 2018)."""


@dataclass(frozen=True)
class Fold:
    """One test: its name and the numbers of the places that judge, and of those that teach.

    ``inner`` (teacher,) is the inner group of each that teaches.
    """

    name: str
    test: np.ndarray
    teachers: np.ndarray
    inner: np.ndarray

    def __post_init__(self) -> None:
        shared = np.intersect1d(self.test, self.teachers)
        if len(shared):
            raise ConcertoError(
                f"fold {self.name}: found place {shared[0]} among those that teach and those that "
                "judge; expected it in one of them"
            )


def climates_of(zones: np.ndarray) -> np.ndarray:
    """Return the main climate (place,) of each zone, such as ``cold`` of ``Dfb``."""
    return np.array([CLIMATES.get(str(zone)[:1], UNKNOWN) for zone in zones], dtype=object)


def folds_by(
    groups: np.ndarray,
    able: np.ndarray,
    rng: np.random.Generator,
    inner: int | None = INNER,
    together: np.ndarray | None = None,
) -> list[Fold]:
    """Return a fold for each group (place,) that has a place which is ``able`` (place,) to judge.

    Parameters
    ----------
    groups, able
        Of places.
    rng
        Deals those that teach to inner groups.
    inner
        Number of these; as many as there are parts to deal if None.
    together
        What each place is a part of (place,), such as a region or climate, whose places go to the
        same inner group, since they are alike; each by itself if left out.

    Raises
    ------
    ConcertoError
        If fewer than :data:`LEAST_PLACES` places are able, or all of them are of one group.
    """
    require_places(int(able.sum()))
    names = sorted({str(group) for group in groups[able]} - {UNKNOWN})
    if len(names) < 2:
        raise ConcertoError(
            f"found all places in one group, {names[0] if names else UNKNOWN}; expected two or "
            "more, for one to judge what the others teach"
        )
    folds = []
    for name in names:
        test = np.flatnonzero(able & (groups.astype(str) == name))
        teachers = np.flatnonzero(able & (groups.astype(str) != name))
        parts = teachers if together is None else together[teachers]
        known, which = np.unique(parts, return_inverse=True)
        count = len(known) if inner is None else inner
        if len(known) < max(count, 2):
            continue
        dealt = deal(len(known), count, rng)[which]
        folds.append(Fold(name, test, teachers, dealt))
    return folds


def each_by_others(dealt: np.ndarray, able: np.ndarray) -> list[Fold]:
    """Return a fold for each number of ``dealt`` (place,), which all other places teach.

    Of places that are not ``able`` (place,) to teach, none is in a fold. There are no inner groups:
    what is learnt so is not calibrated apart.
    """
    folds = []
    for number in np.unique(dealt[able]):
        test = np.flatnonzero(able & (dealt == number))
        teachers = np.flatnonzero(able & (dealt != number))
        folds.append(Fold(str(number), test, teachers, np.full(len(teachers), "")))
    return folds


def require_places(count: int) -> None:
    """Raise where there are too few places to learn from.

    Raises
    ------
    ConcertoError
        If there are fewer than :data:`LEAST_PLACES`.
    """
    if count < LEAST_PLACES:
        raise ConcertoError(
            f"found {count} place(s) that can teach; expected at least {LEAST_PLACES}, for what is "
            "learnt at some to be calibrated and judged at others"
        )


def table_of(schemes: Mapping[str, Sequence[Fold]], names: np.ndarray) -> pd.DataFrame:
    """Return the splits as a table: ``scheme, fold, place, role, inner``.

    ``role`` is ``test`` or ``teacher``; a teacher calibrates what the other inner groups teach,
    where there are any.
    """
    return pd.DataFrame(
        [row for scheme, folds in schemes.items() for row in _rows(scheme, folds, names)],
        columns=["scheme", "fold", "place", "role", "inner"],
    )


def _rows(scheme: str, folds: Sequence[Fold], names: np.ndarray) -> Iterator[tuple]:
    for fold in folds:
        for place in fold.test:
            yield scheme, fold.name, names[place], "test", ""
        for place, group in zip(fold.teachers, fold.inner, strict=True):
            yield scheme, fold.name, names[place], "teacher", group
