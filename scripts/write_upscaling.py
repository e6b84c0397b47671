"""Write the page of fluxes that towers teach."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.evaluation.upscaling import SCHEMES
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.sections_page import Section, read_card, render_sections
from concerto.scripting import script_log

WORDS = (
    "Each cell is told what towers were told, but for what its cubes do not have. Towers are dealt "
    "to folds; those of a fold are predicted by what all others teach, whose own inner groups say "
    "how wide intervals are. Of climates, all towers of one are predicted by those of the others.",
    "Where a month of a cell is less like what was taught than almost all of that is like itself, "
    "the prediction extrapolates: it is flagged, and is no observation.",
)


def write_upscaling(
    config: Mapping[str, Any],
    scores: Sequence[Path],
    counts: Sequence[Path],
    cards: Sequence[Path],
    figures: Sequence[Path],
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    scores, counts
        Tables of scores, and of what became of cells.
    cards
        Model cards.
    figures
        Pictures with their words beside them.
    output
        Where to write the page.
    """
    table = pd.concat([pd.read_csv(file) for file in scores], ignore_index=True)
    shown = table[table["group"].isin(["all", "applicability", "climate"])].drop(columns="group")
    shown = shown.assign(scheme=shown["scheme"].map(SCHEMES))
    shown = shown[["flux", *(name for name in shown if name != "flux")]]
    became = pd.concat([pd.read_csv(file).assign(cells=file.parent.name) for file in counts])
    section = Section(
        "Fluxes that towers teach",
        WORDS,
        [read_picture(figure) for figure in figures],
        {
            "Scores over months at towers that taught nothing; nse_season is that of the mean "
            "season of the class of land": shown,
            "What became of the months of cells": became,
        },
    )
    lead = f"Monthly fluxes of cells, as the towers of {config['upscaling']['network']} teach them."
    said = [read_card(card) for card in cards]
    write_text(render_sections("Upscaled fluxes", lead, config, [section], said), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_upscaling(
            snakemake.params.config,  # noqa: F821
            *(
                [Path(file) for file in snakemake.input[key]]  # noqa: F821
                for key in ("scores", "statuses", "cards", "figures")
            ),
            Path(snakemake.output.page),  # noqa: F821
        )
