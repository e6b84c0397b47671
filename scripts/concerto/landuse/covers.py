"""Covers of land: in what they differ from what was calibrated, and what clearing does.

A cover is a share of a cell with pools of its own, stepped by the cell's own process model. What
makes it another cover is a few parameters in place of the calibrated ones (a crop grows no wood),
what is taken from it each year, and what happens to the vegetation of land that becomes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from concerto.errors import ConcertoError, InputError

PRODUCT_YEARS = (1.0, 10.0, 100.0)
"""E-folding times of the pools of products (McGuire et al. 2001, Global Biogeochem. Cycles 15)."""
HERB = ("c_labile", "c_leaf", "c_root")
WOOD, LITTER, SOIL = "c_wood", "c_litter", "c_soil"
VEGETATION = (*HERB, WOOD)
POOLS = (*VEGETATION, LITTER, SOIL)
"""The carbon pools of a cover, in the order of all arrays here."""
_SHARES = 1e-9


@dataclass(frozen=True)
class Cover:
    """A class of land cover.

    Attributes
    ----------
    name
        Its name.
    parameters
        Values in place of calibrated parameters of the model.
    cleared
        Whether the vegetation of land that becomes it is cleared; otherwise it stays and grows on.
    regrows
        Whether its net uptake counts as that of regrowth.
    yield_share
        Share of its net primary production that is carried away at the end of each year, 0 to 1.
    """

    name: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    cleared: bool = False
    regrows: bool = False
    yield_share: float = 0.0


@dataclass(frozen=True)
class Clearing:
    """What becomes of vegetation that is cleared, or cut.

    Attributes
    ----------
    burned
        Share of it that burns at once, 0 to 1.
    products
        Shares of the wood that become products of 1, 10 and 100 years; what is left is slash.
    slash_years
        E-folding time of woody slash.
    sown
        Share of leaves, roots and labile carbon that lives on, as the first plants of the cover
        that follows: a model without leaves would never grow again.
    harvested
        Shares of harvested wood, all of which is carried away, that become products of 1, 10 and
        100 years. Yields are products of a year.
    """

    burned: float = 0.0
    products: tuple[float, float, float] = (0.46, 0.23, 0.08)
    slash_years: float = 10.0
    sown: float = 0.05
    harvested: tuple[float, float, float] = (0.6, 0.3, 0.1)

    def __post_init__(self) -> None:
        taken = self.burned + sum(self.products)
        if taken > 1.0 + _SHARES or min(self.burned, *self.products) < 0.0:
            raise ConcertoError(
                f"clearing: found shares {self.burned:g} burned and "
                f"{', '.join(f'{share:g}' for share in self.products)} in products; expected none "
                "negative, and no more than 1 together"
            )
        if abs(sum(self.harvested) - 1.0) > _SHARES or min(self.harvested) < 0.0:
            raise ConcertoError(
                f"clearing.harvested: found {sum(self.harvested):g} together; expected shares of 1"
            )
        if self.slash_years <= 0.0 or not 0.0 <= self.sown <= 1.0:
            raise ConcertoError(
                f"clearing: found slash_years {self.slash_years:g} and sown {self.sown:g}; "
                "expected years above 0, and a share from 0 to 1"
            )


@dataclass(frozen=True)
class Rules:
    """The covers of a run, the first of which is the land as it was calibrated, and clearing."""

    covers: tuple[Cover, ...]
    clearing: Clearing = field(default_factory=Clearing)

    @property
    def names(self) -> list[str]:
        """Names of the covers."""
        return [cover.name for cover in self.covers]

    def number(self, name: str, where: str) -> int:
        """Return the number of a cover.

        Raises
        ------
        InputError
            If there is none of that name, naming where it was asked for.
        """
        if name not in self.names:
            raise InputError("configuration", where, repr(name), f"one of {', '.join(self.names)}")
        return self.names.index(name)

    def flags(self, name: str) -> np.ndarray:
        """Return an attribute of all covers, (cover,)."""
        return np.array([getattr(cover, name) for cover in self.covers])


def read_rules(entry: Mapping[str, Any], parameters: Sequence[str]) -> Rules:
    """Return the rules that the configuration's ``scenarios`` describe.

    Parameters
    ----------
    entry
        With ``covers`` by name, in order, and ``clearing``.
    parameters
        Names of the model's parameters.

    Raises
    ------
    InputError
        If a cover changes a parameter that the model has not.
    """
    covers = []
    for name, said in entry["covers"].items():
        own = said.get("parameters", {})
        for parameter in own:
            if parameter not in parameters:
                raise InputError(
                    "configuration", f"scenarios.covers.{name}.parameters", repr(parameter),
                    f"one of {', '.join(parameters)}",
                )  # fmt: skip
        covers.append(Cover(name, **{**said, "parameters": own}))
    clearing = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.get("clearing", {}).items()
    }
    return Rules(tuple(covers), Clearing(**clearing))
