"""Draw how good fluxes are that towers teach, what they rest on, and their maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from concerto.cubes import load
from concerto.networks import FLUXES
from concerto.plots import style, upscaling
from concerto.scripting import script_log


@dataclass(frozen=True)
class Figures:
    """Where to write the pictures, with their words beside them."""

    skill: Path
    told: Path
    map: Path


def plot_upscaling(
    name: str, tables: Mapping[str, Sequence[Path]], fluxes: Path, figures: Figures
) -> None:
    """Write the figures.

    Parameters
    ----------
    name
        Whose cells they are.
    tables
        Files of ``judged``, ``scores``, ``attributions`` and ``curves``, one a flux.
    fluxes
        Maps of the cells.
    figures
        Where to write.
    """
    judged = dict(zip(FLUXES, map(load, tables["judged"]), strict=True))
    scores = pd.concat([pd.read_csv(file) for file in tables["scores"]])
    told, curves = (
        dict(zip(FLUXES, map(pd.read_csv, tables[key]), strict=True))
        for key in ("attributions", "curves")
    )
    style.save(upscaling.draw_skill(judged, scores), figures.skill)
    style.save(upscaling.draw_told(told, curves), figures.told)
    style.save(upscaling.draw_map(name, load(fluxes)), figures.map)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_upscaling(
            snakemake.wildcards.target,  # noqa: F821
            {
                key: [Path(file) for file in snakemake.input[key]]  # noqa: F821
                for key in ("judged", "scores", "attributions", "curves")
            },
            Path(snakemake.input.fluxes),  # noqa: F821
            Figures(*(Path(snakemake.output[key]) for key in ("skill", "told", "map"))),  # noqa: F821
        )
