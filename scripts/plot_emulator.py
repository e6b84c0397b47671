"""Draw the error of an emulator."""

from pathlib import Path

import pandas as pd
from concerto.plots import emulator, style
from concerto.scripting import script_log


def plot_emulator(name: str, scores: Path, curve: Path, figure: Path) -> None:
    """Write the figure, with its words beside it.

    Parameters
    ----------
    name
        The site.
    scores, curve
        Tables of errors, in the end and by round.
    figure
        Where to write the PNG.
    """
    style.save(emulator.draw(name, pd.read_csv(scores), pd.read_csv(curve)), figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_emulator(
            snakemake.wildcards.site,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.input.curve),  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
