"""What one year's transitions do to the carbon of a cell: nothing is lost, nothing is made.

Land takes its litter and soil along: a field that was a forest begins with the soil of the forest,
which relaxes under the field's own inputs and decay. Within a cover carbon is mixed, so that the
pools of a cover are means over land of all ages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concerto.landuse.covers import HERB, LITTER, POOLS, WOOD, Rules

_HERB = [POOLS.index(name) for name in HERB]
_WOOD, _LITTER = POOLS.index(WOOD), POOLS.index(LITTER)


@dataclass(frozen=True)
class Moved:
    """Land and its carbon after a year's transitions.

    ``shares``, ``age`` (..., cover); ``pools`` (..., cover, pool) in gC m-2 of the cover; what left
    them in gC m-2 of the cell: ``burned`` and ``slash`` (...), ``products`` (..., product).
    """

    shares: np.ndarray
    pools: np.ndarray
    age: np.ndarray
    burned: np.ndarray
    slash: np.ndarray
    products: np.ndarray


def move(
    shares: np.ndarray, pools: np.ndarray, age: np.ndarray, moved: np.ndarray, rules: Rules
) -> Moved:
    """Move land between covers, with its carbon.

    Covers that gain no land keep their pools to the last bit.

    Parameters
    ----------
    shares
        (..., cover) shares of the cell before.
    pools
        (..., cover, pool) before, gC m-2 of the cover, the first of them those of
        :data:`~concerto.landuse.covers.POOLS`; others, such as water, are mixed with the land.
    age
        (..., cover) mean years since land became what it is.
    moved
        (..., from, to) shares of the cell that change, no more than there are.
    rules
        The covers, and what clearing does.
    """
    clearing = rules.clearing
    cleared = rules.flags("cleared").astype(float)
    carried = np.einsum("...ij,...ip->...jp", moved, pools)  # carbon that comes along, by new cover
    felled = cleared[:, None] * carried
    herb, wood = felled[..., _HERB], felled[..., _WOOD]
    killed = (1.0 - clearing.sown) * herb
    arriving = carried.copy()
    arriving[..., _HERB] -= killed
    arriving[..., _WOOD] -= wood
    arriving[..., _LITTER] += (1.0 - clearing.burned) * killed.sum(axis=-1)
    burned = clearing.burned * (killed.sum(axis=-1) + wood).sum(axis=-1)
    timber = wood.sum(axis=-1)
    products = timber[..., None] * np.array(clearing.products)
    slash = (1.0 - clearing.burned - sum(clearing.products)) * timber
    kept = np.maximum(shares - moved.sum(axis=-1), 0.0)
    gained = moved.sum(axis=-2)
    after = kept + gained
    grew = gained > 0.0
    safe = np.where(grew, after, 1.0)
    mixed = (kept[..., None] * pools + arriving) / safe[..., None]
    return Moved(
        shares=after,
        pools=np.where(grew[..., None], mixed, np.where(after[..., None] > 0.0, pools, 0.0)),
        age=np.where(grew, kept * age / safe, np.where(after > 0.0, age, 0.0)),
        burned=burned,
        slash=slash,
        products=products,
    )
