"""Score the runs of the canopy model against what the tower measured, step by step."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import HALFHOURLY, read_cube
from concerto.evaluation.canopy import OUTPUTS, measured, modelled
from concerto.evaluation.scores import score
from concerto.scripting import script_log


def score_canopy(record: Path, ensemble: Path, table: Path) -> None:
    """Write the scores of the mean of the runs, and of the runs as an ensemble.

    Parameters
    ----------
    record, ensemble
        The site's record at its own step; the runs.
    table
        Table to write: one row for each stream of the record that the model has.
    """
    cube, runs = read_cube(record, HALFHOURLY), xr.load_dataset(ensemble)
    rows = []
    for stream in OUTPUTS.keys() & cube.data_vars:
        observed = measured(cube, stream)
        seen = np.isfinite(observed)
        members = modelled(runs, OUTPUTS[stream])[:, seen]
        found = score(observed[seen], members.mean(axis=0), members)
        rows.append({"stream": stream, "units": cube[stream].attrs["units"]} | found)
    pd.DataFrame(rows).sort_values("stream").to_csv(table, index=False)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        score_canopy(
            Path(snakemake.input.record),  # noqa: F821
            Path(snakemake.input.ensemble),  # noqa: F821
            Path(snakemake.output.table),  # noqa: F821
        )
