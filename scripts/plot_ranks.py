"""Draw the ranks of truths in the posteriors of one method."""

from pathlib import Path

import pandas as pd
from concerto.evaluation.calibration import FACTS
from concerto.plots import calibration, style
from concerto.scripting import script_log


def plot_ranks(
    method: str, site: str, ranks: Path, ecdf: Path, histogram: Path, *, draws: int
) -> None:
    """Write the figures and the words beside them.

    Parameters
    ----------
    method, site
        What to show, and whose weather and errors the truths had.
    ranks
        Table with one row for each method and truth.
    ecdf, histogram
        Where to write the PNG of each.
    draws
        Number of draws that truths were ranked among.
    """
    table = pd.read_csv(ranks)
    rows = table[table.method == method].dropna(axis="columns")
    shown = {
        "site": site,
        "method": method,
        "ranks": {name: rows[name].to_numpy(dtype=int) for name in rows if name not in FACTS},
        "draws": draws,
        # single posteriors carry no product; whether they are right is what the figure shows
        "converged": True,
    }
    style.save(calibration.draw_ecdf(**shown), ecdf)
    style.save(calibration.draw_histograms(**shown), histogram)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_ranks(
            snakemake.wildcards.method,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            Path(snakemake.input.ranks),  # noqa: F821
            Path(snakemake.output.ecdf),  # noqa: F821
            Path(snakemake.output.histogram),  # noqa: F821
            draws=snakemake.params.draws,  # noqa: F821
        )
