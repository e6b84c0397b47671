"""Write the page of emulators."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.sections_page import Section, read_card, render_sections
from concerto.scripting import script_log

WORDS = (
    "Runs that teach are chosen in rounds, where emulators that parts of them teach disagree. The "
    "error on runs that taught nothing is kept with the emulator, for each output: it is model "
    "error of whatever is inferred with it.",
    "It refuses parameters outside of the range that was taught or, if asked to, counts them and "
    "says so. No rule assimilates the canopy yet.",
)


def write_emulator(
    config: Mapping[str, Any],
    scores: Sequence[Path],
    cards: Sequence[Path],
    figures: Sequence[Path],
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    scores, cards
        Tables of errors, and model cards.
    figures
        Pictures, with their words beside them.
    output
        Where to write the page.
    """
    table = pd.concat([pd.read_csv(file).assign(site=file.parent.name) for file in scores])
    section = Section(
        "What stands in for the half-hourly canopy",
        WORDS,
        [read_picture(figure) for figure in figures],
        {"Errors on runs that taught nothing, and milliseconds of processors a member": table},
    )
    said = [read_card(card) for card in cards]
    lead = "Daily fluxes of the canopy from its parameters, without running it."
    write_text(render_sections("Emulators", lead, config, [section], said), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_emulator(
            snakemake.params.config,  # noqa: F821
            *(
                [Path(file) for file in snakemake.input[key]]  # noqa: F821
                for key in ("scores", "cards", "figures")
            ),
            Path(snakemake.output.page),  # noqa: F821
        )
