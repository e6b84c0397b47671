"""Draw a map's scores of land models' benchmarking."""

from pathlib import Path

import pandas as pd
from concerto.plots import ilamb, style
from concerto.scripting import script_log


def plot_map_scores(name: str, method: str, scores: Path, responses: Path, figure: Path) -> None:
    """Write the figure and the words beside it.

    Parameters
    ----------
    name, method
        Of the map: what people call it, and how it was assimilated.
    scores, responses
        Tables of the scores and of the responses.
    figure
        Where to write the PNG.
    """
    tables = (pd.read_csv(path) for path in (scores, responses))
    style.save(ilamb.draw_map(name, *tables, method), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_map_scores(
            snakemake.params.name,  # noqa: F821
            snakemake.params.method,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.input.responses),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
