"""Write the page of a network of towers."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from concerto.evaluation.trial_verdicts import read_verdicts
from concerto.networks import TRIALS
from concerto.plots.towers import read_scores
from concerto.products.files import write_text
from concerto.products.network_page import NetworkResults, render_network
from concerto.products.report import read_picture
from concerto.scripting import script_log


@dataclass(frozen=True)
class NetworkTables:
    """Where what a network's page says is: scores, the worst towers, doubts, and faulty files."""

    scores: Path
    worst: Path
    plausibility: Path
    faults: Path


def write_network_page(
    name: str,
    config: Mapping[str, Any],
    *,
    tables: NetworkTables,
    posteriors: Mapping[str, Sequence[Path]],
    products: Sequence[Path],
    figures: Sequence[Path],
    sources: Sequence[Path],
    citation: Path,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    name
        The network in the configuration.
    config
        The run's configuration.
    tables
        Tables that the page shows.
    posteriors
        Files of all batches, by trial.
    products
        What the page leads to.
    figures
        Pictures in the order of the page, with their words beside them.
    sources
        Files of the sources, config/sources/NAME.yaml.
    citation
        CITATION.cff.
    output
        Where to write the page.
    """
    results = NetworkResults(
        scores=read_scores(tables.scores),
        verdicts=read_verdicts(posteriors),
        worst=pd.read_csv(tables.worst),
        doubts=pd.read_csv(tables.plausibility),
        faults=pd.read_csv(tables.faults),
    )
    page = render_network(
        name,
        config,
        results,
        figures=[read_picture(figure) for figure in figures],
        products=[Path(os.path.relpath(path, output.parent)) for path in products],
        sources={file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sources},
        citation=yaml.safe_load(citation.read_text(encoding="utf-8")),
    )
    write_text(page, output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_network_page(
            snakemake.wildcards.network,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            tables=NetworkTables(
                **{
                    key: Path(snakemake.input[key])  # noqa: F821
                    for key in ("scores", "worst", "plausibility", "faults")
                }
            ),
            posteriors={trial: [Path(file) for file in snakemake.input[trial]] for trial in TRIALS},  # noqa: F821
            products=[Path(file) for file in snakemake.input.products],  # noqa: F821
            figures=[Path(path) for path in snakemake.input.figures],  # noqa: F821
            sources=[Path(path) for path in snakemake.input.sources],  # noqa: F821
            citation=Path(snakemake.input.citation),  # noqa: F821
            output=Path(snakemake.output.page),  # noqa: F821
        )
