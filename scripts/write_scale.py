"""Write the page on how work grows with maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.scale_page import render_scale
from concerto.scripting import script_log


def write_scale(
    config: Mapping[str, Any], tables: Mapping[str, Path], figure: Path, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    tables
        Files of the tables that :func:`concerto.products.scale_page.render_scale` takes.
    figure
        The picture, with its words beside it.
    output
        Where to write the page.
    """
    read = {name: pd.read_csv(file) for name, file in tables.items()}
    write_text(render_scale(config, read, read_picture(figure)), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_scale(
            snakemake.params.config,  # noqa: F821
            {
                name: Path(snakemake.input[name])  # noqa: F821
                for name in ("scale", "linearity", "cores", "places", "extrapolation")
            },
            Path(snakemake.input.figure),  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
