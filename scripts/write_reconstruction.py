"""Write the page of reconstructed land cover and leaves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.sections_page import Section, read_card, render_sections
from concerto.scripting import script_log

WORDS = (
    "Regions are blocks of degrees: those of a fold are told by what all others teach. Years are "
    "held out where there are some; maps of land cover and the transect are of one year each, so "
    "that nothing is said of held-out years there.",
    "Through time, land use changes as the run's configuration has it, and climate does not.",
)
TOWERS = (
    "Fluxes of towers are not carried to maps in this run: that takes a network of towers. One or "
    "two towers cannot teach, for what some teach must be calibrated and judged at others: "
    "config/runs/upscaling.yaml has 204."
)


def write_reconstruction(
    config: Mapping[str, Any],
    scores: Sequence[Path],
    cards: Sequence[Path],
    figure: Path,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    scores, cards
        Tables of scores, and model cards.
    figure
        The picture, with its words beside it.
    output
        Where to write the page.
    """
    tables = {
        f"Scores of {card['name']} on what taught nothing": pd.read_csv(file)
        for file, card in zip(scores, map(read_card, cards), strict=True)
    }
    words = [*WORDS, TOWERS] if "upscaling" not in config else WORDS
    section = Section("Land cover and leaves", words, [read_picture(figure)], tables)
    lead = "Land cover and leaves where neither was seen, as learnt from where they were."
    said = [read_card(card) for card in cards]
    write_text(render_sections("Reconstruction", lead, config, [section], said), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_reconstruction(
            snakemake.params.config,  # noqa: F821
            *(
                [Path(file) for file in snakemake.input[key]]  # noqa: F821
                for key in ("scores", "cards")
            ),
            Path(snakemake.input.figure),  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
