"""Draw reconstructed land cover and leaves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.cubes import load
from concerto.plots import reconstruction, style
from concerto.scripting import script_log


def plot_reconstruction(
    name: str, leaves: Mapping[str, Path], cover: Sequence[Path], figure: Path
) -> None:
    """Write the figure.

    Parameters
    ----------
    name
        Whose cells they are.
    leaves
        Files of ``leaf_scores``, ``leaf_judged`` and ``leaves``.
    cover
        Cover through time, its scores and what was judged, or nothing.
    figure
        Where to write the PNG, with its words beside it.
    """
    drawing = reconstruction.draw(
        name,
        pd.read_csv(leaves["leaf_scores"]),
        load(leaves["leaf_judged"]),
        load(leaves["leaves"]),
        (load(cover[0]), pd.read_csv(cover[1]), load(cover[2])) if cover else None,
    )
    style.save(drawing, figure)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_reconstruction(
            snakemake.params.name,  # noqa: F821
            {
                key: Path(snakemake.input[key])  # noqa: F821
                for key in ("leaf_scores", "leaf_judged", "leaves")
            },
            [Path(file) for file in snakemake.input.cover],  # noqa: F821
            Path(snakemake.output.figure),  # noqa: F821
        )
