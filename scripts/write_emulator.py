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
    "says so.",
)
ASSIMILATED = (
    "Days of the tower were assimilated twice by the same method from the same draws of the prior, "
    "cut off at the range that was taught: through the emulator, the covariance of its errors "
    "added to those of the observations, and through the canopy itself. Means are told apart in "
    "standard deviations of the latter. Seconds are of processors, and without what it took to "
    "teach the emulator.",
    "What the canopy itself misses of a day is stated by hand, and as if each day were for itself: "
    "of the two posteriors the difference is what counts here, not their width.",
)


def write_emulator(
    config: Mapping[str, Any],
    scores: Sequence[Path],
    cards: Sequence[Path],
    figures: Sequence[Path],
    parameters: Sequence[Path],
    costs: Sequence[Path],
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
    parameters, costs
        Tables of parameters by both ways of assimilation, and of what these took; may be none.
    output
        Where to write the page.
    """
    table = _joined(scores)
    section = Section(
        "What stands in for the half-hourly canopy",
        WORDS,
        [read_picture(figure) for figure in figures],
        {"Errors on runs that taught nothing, and milliseconds of processors a member": table},
    )
    sections = [section]
    if parameters:
        tables = {
            "Parameters, means and standard deviations": _joined(parameters),
            "What it took": _joined(costs),
        }
        sections.append(Section("Assimilated through it", ASSIMILATED, [], tables))
    said = [read_card(card) for card in cards]
    lead = "Daily fluxes of the canopy from its parameters, without running it."
    write_text(render_sections("Emulators", lead, config, sections, said), output)


def _joined(files: Sequence[Path]) -> pd.DataFrame:
    """Return the tables of all sites as one."""
    return pd.concat([pd.read_csv(file).assign(site=file.parent.name) for file in files])


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_emulator(
            snakemake.params.config,  # noqa: F821
            *(
                [Path(file) for file in snakemake.input[key]]  # noqa: F821
                for key in ("scores", "cards", "figures", "parameters", "costs")
            ),
            Path(snakemake.output.page),  # noqa: F821
        )
