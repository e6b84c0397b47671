"""Networks of towers: what is learnt of them in which trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FLUXES = ("gpp", "nee", "et")
"""What towers measure, and is predicted for all months."""
NOT_NEGATIVE = ("gpp", "et")
"""Fluxes of which no value below zero is measured."""
ALL, INNER, UNSEEN = "all", "inner", "unseen"
TRIALS = (ALL, INNER, UNSEEN)
"""With all that is known; without the last part of each tower's fluxes, on which the trial is
judged; and without any flux of its own."""
KNOWN, NEW = "known", "new"
"""Towers that taught what they measured before, and towers that taught no flux of their own."""
TRAITS, COVER = "traits", "cover"
TAUGHT_BY = (TRAITS, COVER)
"""What parameters are taught by: all that is known of a tower, or its land cover alone."""
LEAST_VALUES = 6
"""A tower with fewer withheld values is not scored by itself."""
MOST_TOWERS = 1000
"""How many towers the memory of a job is asked for."""


def trial_name(network: str, trial: str) -> str:
    """Return the name that the files of a trial carry."""
    return f"{network}_{trial}"


def trials(networks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the trials of networks, by name, as entries of maps without a grid."""
    return {
        trial_name(network, trial): _entry(network, entry, trial)
        for network, entry in networks.items()
        for trial in TRIALS
    }


def _entry(network: str, entry: Mapping[str, Any], trial: str) -> dict[str, Any]:
    # how towers learn from each other is no part of what each learns by itself
    own = {key: value for key, value in entry.items() if key != "learning"} | {"cubes": network}
    if trial == INNER:
        own["training"] = {"last_withheld": dict.fromkeys(FLUXES, entry["last_withheld"])}
    if trial == UNSEEN:
        own["streams"] = [name for name in entry["streams"] if name not in FLUXES]
    return own
