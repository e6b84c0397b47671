"""Areas of covers and the transitions between them, as shares of each cell.

Transitions are arrays (year, cell, from, to), as LUH2 (Hurtt et al. 2020, Geosci. Model Dev. 13,
5425) and HILDA+ (Winkler et al. 2021, Nat. Commun. 12, 2501) have them: gross ones, so that land
may go both ways between two covers in one year.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concerto.errors import InputError

_ROUND_OFF = 1e-9  # of a cell


def areas_of(
    states: np.ndarray, transitions: np.ndarray, years: Sequence[int], covers: Sequence[str],
    cells: Sequence[str], origin: object,
) -> np.ndarray:  # fmt: skip
    """Return the share of each cover before each year, and after the last.

    Parameters
    ----------
    states
        (cell, cover) shares of the cell before the first year; they sum to 1.
    transitions
        (year, cell, from, to) shares of the cell that change cover at the start of each year.
    years, covers, cells
        Names of the axes, for messages.
    origin
        Where they come from, for messages.

    Returns
    -------
    numpy.ndarray
        (year + 1, cell, cover).

    Raises
    ------
    InputError
        If a share is negative or not finite, the states do not sum to 1, a cover turns into
        itself, or more of a cover is to change than there is.
    """
    _check_states(states, covers, cells, origin)
    _check_signs(transitions, years, covers, cells, origin)
    found = np.empty((len(years) + 1, *states.shape))
    found[0] = states
    for t, year in enumerate(years):
        leaving = transitions[t].sum(axis=2)
        short = leaving > found[t] + _ROUND_OFF
        if short.any():
            k, cover = np.argwhere(short)[0]
            raise InputError(
                origin, f"transitions of {year} at {cells[k]}",
                f"{leaving[k, cover]:.6g} of the cell leaving {covers[cover]}",
                f"no more than the {found[t, k, cover]:.6g} that there are",
            )  # fmt: skip
        found[t + 1] = np.maximum(found[t] - leaving, 0.0) + transitions[t].sum(axis=1)
    return found


def _check_states(
    states: np.ndarray, covers: Sequence[str], cells: Sequence[str], origin: object
) -> None:
    wrong = ~(states >= 0.0)
    if wrong.any():
        k, cover = np.argwhere(wrong)[0]
        raise InputError(
            origin, f"states, {covers[cover]} at {cells[k]}", f"{states[k, cover]:g}",
            "a share of the cell from 0 to 1",
        )  # fmt: skip
    total = states.sum(axis=1)
    off = np.abs(total - 1.0) > _ROUND_OFF
    if off.any():
        k = int(np.argmax(off))
        raise InputError(
            origin, f"states at {cells[k]}", f"{total[k]:.9g} of the cell together", "1"
        )


def _check_signs(
    transitions: np.ndarray, years: Sequence[int], covers: Sequence[str], cells: Sequence[str],
    origin: object,
) -> None:  # fmt: skip
    same = np.eye(transitions.shape[2], dtype=bool) & (transitions != 0.0)
    for wrong, expected in (
        (~(transitions >= 0.0), "a share of the cell from 0 to 1"),
        (same, "nothing: land that stays what it is makes no transition"),
    ):
        if wrong.any():
            t, k, old, new = np.argwhere(wrong)[0]
            raise InputError(
                origin,
                f"transitions of {years[t]} at {cells[k]}, {covers[old]} to {covers[new]}",
                f"{transitions[t, k, old, new]:g}", expected,
            )  # fmt: skip


def area_factors(members: int, relative_sd: float, rng: np.random.Generator) -> np.ndarray:
    """Return each member's factor (member,) of all transitions: log-normal, with a mean of 1.

    Areas of land use are uncertain in the same direction over years and cells, because definitions
    are what they differ by; hence one factor for each member.
    """
    spread = np.sqrt(np.log1p(relative_sd**2))
    return np.exp(spread * rng.standard_normal(members) - 0.5 * spread**2)


def available(moved: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return transitions (..., from, to) no larger than the shares (..., cover) that there are.

    All that leaves a cover is cut by the same factor. What fits is returned as it is, to the bit.
    """
    leaving = moved.sum(axis=-1)
    over = leaving > shares
    factor = np.divide(shares, leaving, out=np.ones_like(leaving), where=over)
    return np.where(over[..., None], moved * factor[..., None], moved)
