"""Whether the products of a run, made again, are the same: by their hashes in its crate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from concerto.errors import ConcertoError
from concerto.plugins import suggestion
from concerto.provenance import tree_sha256

# Pages and lists for people, which say when or with what they were made, are not compared.
_PAGES = ("report/", "figures/")


def compared(known: Mapping[str, str], wanted: Sequence[str] = ()) -> list[str]:
    """Return the products of a crate that are to be made again.

    Parameters
    ----------
    known
        Hash of each product, by its path in the crate.
    wanted
        Paths of those to compare; all but the pages, if none.

    Raises
    ------
    ConcertoError
        If the crate has no such product.
    """
    paths = {path.rstrip("/"): path for path in known}
    for name in wanted:
        if name not in paths:
            raise ConcertoError(f"reproduce: found {name!r}; {suggestion(name, sorted(paths))}")
    chosen = wanted or [name for name in paths if not name.startswith(_PAGES)]
    return sorted(paths[name] for name in chosen)


def table_of(known: Mapping[str, str], paths: Sequence[str], results: Path) -> pd.DataFrame:
    """Return of each product its hash in the crate, that of the one made again, and whether equal.

    Parameters
    ----------
    known
        Hash of each product, by its path in the crate.
    paths
        Those to compare.
    results
        The folder of results in which they were made again.
    """
    rows = [
        {"product": path, "sha256": known[path], "sha256_again": tree_sha256(results / path)}
        for path in paths
    ]
    table = pd.DataFrame(rows)
    return table.assign(
        same=(table["sha256"] == table["sha256_again"]).map({True: "yes", False: "no"})
    )
