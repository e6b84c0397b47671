"""Kinds of land of LUH2 as covers: what goes over between kinds of one cover is no transition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from concerto.errors import InputError
from concerto.landuse.areas import available

_SMALL = 1e-5  # of a cell: what 32-bit numbers leave of shares


def covers_of(
    luh2: xr.Dataset, covers: Mapping[str, Sequence[str]], names: Sequence[str], where: str
) -> xr.Dataset:
    """Return states and transitions of covers, as scenarios take them.

    Locations of which LUH2 has no land are wholly under the first cover and stay so. Shares are
    scaled to 1; transitions that exceed what there is by rounding are cut to it, and larger ones
    are left, to be refused.

    Parameters
    ----------
    luh2
        Of :func:`concerto.readers._luh2.read_luh2`.
    covers
        Kinds of land of each cover.
    names
        Covers in order.
    where
        Where the covers are said, for messages.

    Raises
    ------
    InputError
        If a kind of land is of no cover or of two, or not known.
    """
    kinds = luh2["kind"].to_numpy().astype(str).tolist()
    said = [kind for of_cover in covers.values() for kind in of_cover]
    for kind in dict.fromkeys([*said, *kinds]):
        if kind not in kinds:
            raise InputError("configuration", where, repr(kind), f"one of {', '.join(kinds)}")
        if said.count(kind) != 1:
            found = f"{kind} {said.count(kind)} times"
            raise InputError("configuration", where, found, "each kind of land in one cover")
    member = np.array([[kind in covers.get(name, ()) for name in names] for kind in kinds], float)
    states = luh2["states"].to_numpy() @ member
    moved = np.einsum("ylab,ai,bj->ylij", luh2["transitions"].to_numpy(), member, member)
    moved *= 1.0 - np.eye(len(names))
    unknown = ~np.isfinite(states).all(axis=1)
    states[unknown] = np.eye(len(names))[0]
    moved[:, unknown] = 0.0
    states /= states.sum(axis=1, keepdims=True)
    share = states.copy()
    for year in moved:
        fits = available(year, share)
        excess = (year.sum(axis=-1) - share)[..., None]
        year[...] = np.where((excess > 0.0) & (excess < _SMALL), fits, year)
        share = np.maximum(share - year.sum(axis=2), 0.0) + year.sum(axis=1)
    axes = ("year", "location", "from_cover", "to_cover")
    return xr.Dataset(
        {"states": (("location", "cover"), states), "transitions": (axes, moved)},
        coords={
            "year": luh2["year"], "cover": list(names), "from_cover": list(names),
            "to_cover": list(names), "location": luh2["location"],
        },
        attrs={"locations_without_land": int(unknown.sum())},
    )  # fmt: skip
