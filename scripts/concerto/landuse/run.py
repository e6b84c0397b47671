"""Land that changes hands: year by year, transitions first, then a year of growth of every cover.

Carbon closes: what land and products hold changes by what is taken from the air, and by nothing
else (:func:`total`). Fluxes are in gC m-2 yr-1 of the cell, pools in gC m-2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from concerto.landuse.areas import available
from concerto.landuse.covers import LITTER, POOLS, PRODUCT_YEARS, SOIL, VEGETATION, Rules
from concerto.landuse.transfer import move

Growth = Callable[[int, int, np.ndarray], tuple[np.ndarray, Mapping[str, np.ndarray]]]
"""(number of the year, number of the cover, pools (cell, member, pool) at its start) -> pools at
its end, and the year's ``gpp``, ``npp``, ``nee``, ``fire`` and ``harvest`` (cell, member), gC m-2
of the cover."""

FLUXES = (
    "nbp", "nee", "gpp", "gross_source", "regrowth_sink", "clearing", "slash_decay",
    "product_decay", "soil_legacy", "harvest", "fire",
)  # fmt: skip
STOCKS = ("vegetation", "litter", "soil", "wood_products")
_VEGETATION = [POOLS.index(name) for name in VEGETATION]
_LITTER, _SOIL = POOLS.index(LITTER), POOLS.index(SOIL)
_LEFT = 0.05  # of the pools that a yield is taken from: some plants live on
_EATEN = [POOLS.index(name) for name in ("c_labile", "c_leaf", "c_root", "c_litter")]


@dataclass(frozen=True)
class Land:
    """The state of cells at the start of a year.

    Attributes
    ----------
    year
        Number of the year among those of the run that begins.
    shares, age
        (cell, member, cover) shares of the cell, and mean years since land became what it is.
    pools
        (cell, member, cover, pool) gC m-2 of the cover.
    slash
        (cell, member) gC m-2 of the cell.
    products
        (cell, member, product) gC m-2 of the cell.
    """

    year: int
    shares: np.ndarray
    age: np.ndarray
    pools: np.ndarray
    slash: np.ndarray
    products: np.ndarray

    @classmethod
    def undivided(cls, shares: np.ndarray, pools: np.ndarray) -> Land:
        """Return land whose covers all hold what the cell was calibrated to hold.

        Parameters
        ----------
        shares
            (cell, cover).
        pools
            (cell, member, pool), gC m-2.
        """
        cells, members, _ = pools.shape
        split = np.broadcast_to(shares[:, None], (cells, members, shares.shape[1])).copy()
        own = np.where(split[..., None] > 0.0, pools[:, :, None], 0.0)
        return cls(
            0, split, np.zeros(split.shape), own, np.zeros((cells, members)),
            np.zeros((cells, members, len(PRODUCT_YEARS))),
        )  # fmt: skip

    def of_cell(self, pool: int | list[int]) -> np.ndarray:
        """Return a pool, or the sum of several, over the covers: (cell, member), gC m-2."""
        chosen = self.pools[..., pool]
        whole = chosen.sum(axis=-1) if isinstance(pool, list) else chosen
        return (self.shares * whole).sum(axis=-1)

    def stocks(self) -> dict[str, np.ndarray]:
        """Return each of ``STOCKS``, (cell, member); slash is litter."""
        return {
            "vegetation": self.of_cell(_VEGETATION),
            "litter": self.of_cell(_LITTER) + self.slash,
            "soil": self.of_cell(_SOIL),
            "wood_products": self.products.sum(axis=-1),
        }


def total(land: Land) -> np.ndarray:
    """Return all carbon of land and products (cell, member), gC m-2."""
    return sum(land.stocks().values())


def advance(
    land: Land,
    growth: Growth,
    transitions: np.ndarray,
    rules: Rules,
    factors: np.ndarray | float = 1.0,
) -> tuple[Land, dict[str, np.ndarray]]:
    """Go on by a year.

    Transitions come first; slash and products decay, those of the year's clearing among them; then
    every cover grows for a year, burns and is harvested as ``growth`` says; yields are carried away
    at its end. Harvests and yields join the products at the end of the year.

    Parameters
    ----------
    land
        The state at the start of the year.
    growth
        A year of a cover.
    transitions
        (cell, from, to) shares of the cell that change at the start of this year.
    rules
        The covers, and what clearing does.
    factors
        (member,) of the transitions, cut to the land that there is; or one for all.

    Returns
    -------
    land, fluxes
        The state a year later, and (cell, member) of each of ``FLUXES``. NEE has the decay of slash
        in it; NBP is positive where land and products gain carbon, all others as their names say.
    """
    land, burned = _changed(land, transitions, rules, factors)
    decays = -np.expm1(-1.0 / np.array(PRODUCT_YEARS))
    product_decay = land.products * decays
    slash_decay = land.slash * -np.expm1(-1.0 / rules.clearing.slash_years)
    none = np.zeros(land.slash.shape)
    harvested, eaten, legacy, regrowth = none, none, none, none
    pools, sums = land.pools.copy(), dict.fromkeys(("gpp", "nee", "fire"), none)
    for number, cover in enumerate(rules.covers):
        share = land.shares[..., number]
        if not (share > 0.0).any():
            continue
        before = land.pools[:, :, number]
        after, year = growth(land.year, number, before)
        taken, after = _yields(cover.yield_share * year["npp"], after)
        pools[:, :, number] = np.where(share[..., None] > 0.0, after, 0.0)
        for name in ("gpp", "nee", "fire"):
            sums[name] = sums[name] + _weighed(share, year[name])
        harvested = harvested + _weighed(share, year["harvest"])
        eaten = eaten + _weighed(share, taken)
        if cover.regrows:
            regrowth = regrowth + _weighed(share, np.maximum(-year["nee"], 0.0))
        if cover.cleared:
            dead = [_LITTER, _SOIL]
            lost = before[..., dead].sum(axis=-1) - after[..., dead].sum(axis=-1)
            legacy = legacy + _weighed(share, np.maximum(lost, 0.0))
    products = land.products - product_decay
    products = products + harvested[..., None] * np.array(rules.clearing.harvested)
    products[..., 0] += eaten
    decayed = product_decay.sum(axis=-1)
    sums["nee"] = sums["nee"] + slash_decay
    fluxes = {
        **sums,
        "nbp": -(sums["nee"] + sums["fire"] + burned + decayed),
        "gross_source": burned + slash_decay + decayed + legacy,
        "regrowth_sink": regrowth,
        "clearing": burned,
        "slash_decay": slash_decay,
        "product_decay": decayed,
        "soil_legacy": legacy,
        "harvest": harvested + eaten,
    }
    later = replace(
        land,
        year=land.year + 1,
        age=np.where(land.shares > 0.0, land.age + 1.0, 0.0),
        pools=pools,
        slash=land.slash - slash_decay,
        products=products,
    )
    return later, fluxes


def _changed(
    land: Land, transitions: np.ndarray, rules: Rules, factors: np.ndarray | float
) -> tuple[Land, np.ndarray]:
    """Return the land after a year's transitions, and what burned (cell, member)."""
    if not transitions.any():
        return land, np.zeros(land.slash.shape)
    wanted = np.asarray(factors)[..., None, None] * transitions[:, None]
    wanted = np.broadcast_to(wanted, (*land.shares.shape, land.shares.shape[-1]))
    found = move(land.shares, land.pools, land.age, available(wanted, land.shares), rules)
    later = replace(
        land,
        shares=found.shares,
        pools=found.pools,
        age=found.age,
        slash=land.slash + found.slash,
        products=land.products + found.products,
    )
    return later, found.burned


def _weighed(share: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values of a cover as those of the cell; none where there is no such land."""
    return np.where(share > 0.0, share * values, 0.0)


def _yields(wanted: np.ndarray, pools: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take a yield from leaves, labile carbon, roots and litter alike, as far as they have it.

    Returns what was taken (cell, member), and the pools (cell, member, pool) after.
    """
    if not wanted.any():
        return np.zeros(wanted.shape), pools
    there = pools[..., _EATEN].sum(axis=-1)
    share = np.divide(np.maximum(wanted, 0.0), there, out=np.zeros_like(there), where=there > 0.0)
    share = np.minimum(share, 1.0 - _LEFT)
    after = pools.copy()
    after[..., _EATEN] *= (1.0 - share)[..., None]
    return share * there, after
