"""Write the page on twin experiments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.twin import render_twin
from concerto.scripting import script_log


def write_twin(
    config: Mapping[str, Any],
    calibration: Path,
    methods: Path,
    reduction: Path,
    figures: Sequence[Path],
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    calibration, methods, reduction
        Tables of ``judge_ranks`` and ``tabulate_streams``.
    figures
        Pictures, with their words beside them.
    output
        Where to write the page.
    """
    page = render_twin(
        config,
        pd.read_csv(calibration),
        pd.read_csv(methods),
        pd.read_csv(reduction),
        {figure.stem: read_picture(figure) for figure in figures},
    )
    write_text(page, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_twin(
            snakemake.params.config,  # noqa: F821
            Path(snakemake.input.calibration),  # noqa: F821
            Path(snakemake.input.methods),  # noqa: F821
            Path(snakemake.input.reduction),  # noqa: F821
            [Path(figure) for figure in [*snakemake.input.ranks, *snakemake.input.streams]],  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
