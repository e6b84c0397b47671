"""Where sums of truths fall among those of members, and would if cells were alone.

A member of a map is the same draw in all cells. Taken one draw here and another there, as if what
is wrong in a cell said nothing of its neighbours, members have the same law in each cell, and
another in each sum.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from concerto.assimilation.cells import Cells
from concerto.evaluation.calibration import ranks
from concerto.evaluation.regions import joined, region_table, totals
from concerto.evaluation.sum_coverage import ARRANGEMENTS
from concerto.projection.cells import project_tile


def shuffled(posterior: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """Return a posterior whose members are in an order of its own in each cell.

    ``posterior`` has ``parameters`` (member, location, parameter).
    """
    parameters = posterior["parameters"].transpose("member", "location", "parameter")
    orders = np.argsort(rng.random(parameters.shape[:2]), axis=0)
    values = np.take_along_axis(parameters.to_numpy(), orders[..., None], axis=0)
    return posterior.assign(parameters=parameters.copy(data=values))


def place_sums(
    cells: Cells, truths: xr.Dataset, number: int, posterior: xr.Dataset, rng: np.random.Generator
) -> pd.DataFrame:
    """Return where the sums of a truth fall in those of its posterior, with whole and mixed maps.

    Parameters
    ----------
    cells
        The cells of a map.
    truths
        ``parameters`` (member, location, parameter) of truths, and ``status``.
    number
        Which truth was observed.
    posterior
        What was learnt from that; a cell that has no members is in no sum, the truth's neither.
    rng
        Source of the orders of mixed members.

    Returns
    -------
    pandas.DataFrame
        The rows of :func:`concerto.evaluation.regions.region_table` for each of
        :data:`concerto.evaluation.sum_coverage.ARRANGEMENTS`, with the truth's sum ``true`` and its
        ``rank`` among ``members``.
    """
    solved = np.isfinite(posterior["parameters"]).all(["member", "parameter"])
    known = project_tile(cells, truths.assign(parameters=truths["parameters"].where(solved))).sums
    parts = []
    for arrangement in ARRANGEMENTS:
        taken = posterior if arrangement == "coherent" else shuffled(posterior, rng)
        sums = project_tile(cells, taken).sums
        table = region_table(joined([sums]), [sums])
        regions = pd.MultiIndex.from_arrays(
            [sums["kind"].to_numpy(), sums["region_name"].to_numpy()]
        )
        placed = []
        for row in table.itertuples():
            at = regions.get_loc((row.kind, row.region))
            true = totals(known, row.variable, row.year)[number, at]
            members = totals(sums, row.variable, row.year)[:, at]
            placed.append((true, int(ranks(true[None], members[:, None], rng)[0]), len(members)))
        found = pd.DataFrame(placed, columns=["true", "rank", "members"], index=table.index)
        parts.append(pd.concat([table, found], axis=1).assign(arrangement=arrangement))
    return pd.concat(parts, ignore_index=True).assign(truth=number)
