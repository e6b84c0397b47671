"""Draw the scenarios of a place: gain of carbon, component fluxes, what the variance is made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.cubes import load
from concerto.plots import style
from concerto.plots.scenarios import draw_components, draw_paths, draw_variance
from concerto.scripting import script_log


def plot_scenarios(
    name: str,
    entry: Mapping,
    crossed: int,
    regions: Path,
    variance: Path,
    outputs: Sequence[Path],
) -> None:
    """Write the figures and the words beside them.

    Parameters
    ----------
    name
        Of the place, for people.
    entry
        The configuration's ``scenarios``.
    crossed
        How many states and sets of parameters were combined.
    regions, variance
        Files of ``compare_scenarios``.
    outputs
        The pictures: of the gain, of components, of the variance.
    """
    found = load(regions)
    words = {case: said.get("name", case) for case, said in entry["cases"].items()}
    levels = [
        f"climates {', '.join(entry['climates'])}", f"land uses {', '.join(entry['land_uses'])}",
    ]  # fmt: skip
    drawings = (
        draw_paths(found, name, entry["baseline"], words),
        draw_components(found, name, words),
        draw_variance(pd.read_csv(variance), name, levels, crossed),
    )
    for drawing, output in zip(drawings, outputs, strict=True):
        style.save(drawing, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_scenarios(
            snakemake.params.name,  # noqa: F821
            snakemake.params.scenarios,  # noqa: F821
            snakemake.params.crossed,  # noqa: F821
            Path(snakemake.input.regions),  # noqa: F821
            Path(snakemake.input.variance),  # noqa: F821
            [Path(file) for file in snakemake.output],  # noqa: F821
        )
