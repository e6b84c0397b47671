"""What a store loses over a step, whatever the length of the step."""

from __future__ import annotations

from casadi import exp, log

_EMPTY = 1e-6  # keeps what is taken from an empty store at 0


def lost(rate, w):
    """Return the mean loss (d-1) over a step of a store that loses ``rate`` every day."""
    if _daily(w):
        return rate
    return (1.0 - exp(w.step * log(1.0 - rate))) / w.step


def lost_together(first, second, w):
    """Return the mean losses (d-1) over a step of a store that loses two rates every day.

    The reference takes each loss as if the other were not there, which over a warm month can empty
    litter below zero; here they share what is lost in proportion.
    """
    if _daily(w):
        return first, second
    together = first + second
    share = lost(together, w) / together
    return first * share, second * share


def taken(store, wanted, w):
    """Return what a store gives in a day of what is wanted: nearly all, or what there is.

    A store that is asked in proportion to what it still holds never runs below zero.
    """
    return store * (1.0 - exp(-wanted * w.step / (store + _EMPTY))) / w.step


def _daily(w) -> bool:
    # a number where steps are days, a symbol where they are not
    return isinstance(w.step, float)
