"""Model cards: what a learner is, what taught it, how good it is, and where it must not be used.

After Mitchell et al. (2019), Model Cards for Model Reporting, doi:10.1145/3287560.3287596.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from concerto.errors import InputError
from concerto.whole import whole_file

VERSION = 1
"""Of the files of learners: raised where one that is kept can no longer be used."""
LIBRARY = "scikit-learn"
"""Of what the learners that are kept are made."""


@dataclass(frozen=True)
class Card:
    """What is said of a learner.

    Parameters
    ----------
    name, purpose
        What it is called, and what it is for.
    data, period
        What taught it, and from when to when.
    features, left_out
        What it is told, and what is left out of that, with the reason.
    splits
        How those that teach, calibrate and judge were told apart, and the file that says who did.
    scores
        Measured on what had no part in the learning, by name.
    limits
        Where it must not be trusted.
    licence
        Of what taught it.
    seed
        From which every draw follows.
    library
        Distribution of Python that the learner is made with.
    """

    name: str
    purpose: str
    data: str
    period: str
    features: Sequence[str]
    left_out: Mapping[str, str]
    splits: str
    scores: Mapping[str, Any]
    limits: Sequence[str]
    licence: str
    seed: int
    library: str = LIBRARY


def write_card(card: Card, path: Path) -> None:
    """Write a card (JSON), with the versions of the learner's file and library."""
    said = {**asdict(card), "version": VERSION, "library": _with_version(card.library)}
    with whole_file(path) as part:
        part.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def keep(model: object, path: Path) -> None:
    """Write a learner, with the versions that it can be read by."""
    said = {"version": VERSION, "library": version(LIBRARY), "model": model}
    with whole_file(path) as part:
        part.write_bytes(pickle.dumps(said))


def kept(path: Path) -> Any:
    """Return a learner that this run has written.

    Raises
    ------
    InputError
        If it was written by other versions, by which it may mean something else.
    """
    said = pickle.loads(path.read_bytes())
    wanted = {"version": VERSION, "library": version(LIBRARY)}
    for key, value in wanted.items():
        if said[key] != value:
            raise InputError(path, key, said[key], f"{value}; delete the file to learn anew")
    return said["model"]


def _with_version(library: str) -> str:
    return f"{library} {version(library)}"
