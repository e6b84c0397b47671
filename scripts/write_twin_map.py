"""Write the page on the twin experiment of a map."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.twin import render_twin_map
from concerto.scripting import script_log


def write_twin_map(
    config: Mapping[str, Any],
    coverage: Path,
    summary: Path,
    verdicts: Path,
    figure: Path,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    coverage, summary, verdicts
        Tables and lines of ``judge_sums``.
    figure
        Picture, with its words beside it.
    output
        Where to write the page.
    """
    page = render_twin_map(
        config,
        pd.read_csv(coverage, keep_default_na=False),
        pd.read_csv(summary, keep_default_na=False),
        verdicts.read_text(encoding="utf-8"),
        read_picture(figure),
    )
    write_text(page, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_twin_map(
            snakemake.params.config,  # noqa: F821
            Path(snakemake.input.coverage),  # noqa: F821
            Path(snakemake.input.summary),  # noqa: F821
            Path(snakemake.input.verdicts),  # noqa: F821
            Path(snakemake.input.figure),  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
