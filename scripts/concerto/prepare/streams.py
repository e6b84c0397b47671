"""What observations of days and of months share: their parts, and the count of what is masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import QUANTITIES

ABSENT = "not in the records"
COLUMNS = ("variable", "level", "reason", "masked", "total")


@dataclass
class MaskCount:
    """Count of masked values by variable, level and reason."""

    rows: list[tuple[str, str, str, int, int]] = field(default_factory=list)

    def add(self, variable: str, level: str, reason: str, masked: np.ndarray) -> None:
        """Count the true elements of a mask."""
        self.rows.append((variable, level, reason, int(masked.sum()), int(masked.size)))

    @classmethod
    def of(cls, files: Iterable[str | Path]) -> MaskCount:
        """Return a count that goes on from written tables, some of which may have no row."""
        numbers = {"masked": "int64", "total": "int64"}
        tables = [pd.read_csv(file, dtype=numbers)[list(COLUMNS)] for file in files]
        return cls([row for table in tables for row in table.itertuples(index=False, name=None)])

    def has(self, variable: str, reason: str) -> bool:
        """Return whether something was counted for this reason already."""
        return any((row[0], row[2]) == (variable, reason) for row in self.rows)

    def table(self) -> pd.DataFrame:
        """Return one row for each variable, level and reason, also where nothing was masked."""
        return pd.DataFrame(self.rows, columns=list(COLUMNS))


def masked_of(
    name: str, level: str, reasons: Mapping[str, np.ndarray], count: MaskCount
) -> np.ndarray:
    """Count each value under the first reason that holds; return where any does."""
    masked = np.zeros(next(iter(reasons.values())).shape, bool)
    for reason, holds in reasons.items():
        count.add(name, level, reason, holds & ~masked)
        masked |= holds
    return masked


def parts_of(
    values: np.ndarray,
    random: np.ndarray,
    systematic: np.ndarray,
    measured_fraction: np.ndarray,
    masked: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the variables of a stream by what is added to its name, NaN where masked."""
    parts = {
        "": values,
        "_random": random,
        "_systematic": systematic,
        "_uncertainty": np.hypot(random, systematic),
    }
    parts = {part: np.where(masked, np.nan, array) for part, array in parts.items()}
    return parts | {"_measured_fraction": measured_fraction}


def store(
    out: xr.Dataset,
    name: str,
    values: Mapping[str, np.ndarray],
    source: str,
    step: str,
    dims: tuple[str, ...] = ("time",),
) -> None:
    """Put the variables of a stream, of which ``step`` is the word, into a dataset."""
    quantity = QUANTITIES[name]
    meanings = {
        "_random": "standard deviation of the random error",
        "_systematic": "standard deviation of the error by the u* threshold, correlated in time",
        "_uncertainty": "standard deviation of random and systematic error together",
    }
    out[name] = (dims, values[""], quantity.attributes())
    out[name].attrs |= {
        "source": source,
        "operator": name,
        "ancillary_variables": " ".join(f"{name}{part}" for part in values if part),
    }
    for part, meaning in meanings.items():
        attrs = {"units": quantity.units, "long_name": f"{quantity.long_name}: {meaning}"}
        out[f"{name}{part}"] = (dims, values[part], attrs)
    attrs = {
        "units": "1",
        "long_name": f"{quantity.long_name}: fraction of the {step} that was measured",
    }
    out[f"{name}_measured_fraction"] = (dims, values["_measured_fraction"], attrs)
