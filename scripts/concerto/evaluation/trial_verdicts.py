"""What became of the posteriors of a network's towers in each trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from concerto.cubes import load, meanings_of

COLUMNS = ("trial", "tower", "status", "reason")


def read_verdicts(trials: Mapping[str, Sequence[Path]]) -> pd.DataFrame:
    """Return the status of each tower's posterior in each trial, and its reason: ``COLUMNS``.

    Parameters
    ----------
    trials
        Files of the posteriors of all batches, by trial.
    """
    tables = []
    for trial, batches in trials.items():
        for batch in batches:
            ds = load(batch)
            status = ds["status"]
            meanings = meanings_of(status)
            tables.append(
                pd.DataFrame(
                    {
                        "trial": trial,
                        "tower": ds["location"].to_numpy().astype(str),
                        "status": [meanings[value] for value in status.to_numpy().tolist()],
                        "reason": ds["reason"].to_numpy().astype(str),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]
