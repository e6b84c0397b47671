"""Write the page on which several runs are compared."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from concerto.evaluation.runs import shared_places
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.runs_page import read_run, render_runs
from concerto.scripting import script_log


def write_runs(
    folders: Mapping[str, str], scores: Path, sums: Path, figure: Path, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    folders
        Folders of the runs' results, by what people call the runs.
    scores, sums
        Tables of ``tabulate_runs``.
    figure
        Picture, with its words beside it.
    output
        Where to write the page.
    """
    runs = {name: read_run(Path(folder)) for name, folder in folders.items()}
    tables = (pd.read_csv(table, keep_default_na=False, na_values=[""]) for table in (scores, sums))
    _, alone = shared_places(runs)
    write_text(render_runs(runs, folders, *tables, alone, read_picture(figure)), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_runs(
            snakemake.params.runs,  # noqa: F821
            Path(snakemake.input.scores),  # noqa: F821
            Path(snakemake.input.sums),  # noqa: F821
            Path(snakemake.input.figure),  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
