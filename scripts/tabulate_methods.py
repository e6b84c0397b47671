"""Tabulate what posteriors cost by each method, as medians over the sites of each case."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.evaluation.cases import tabulate
from concerto.products.files import write_table
from concerto.scripting import script_log


def tabulate_methods(
    tables: Mapping[str, Path], cases: Mapping[str, Sequence[str]], output: Path
) -> None:
    """Write a table with one row for each case and method.

    Parameters
    ----------
    tables
        Table of each site that ``measure_methods`` wrote.
    cases
        Sites of each case.
    output
        Where to write.
    """
    read = {site: pd.read_csv(file) for site, file in tables.items()}
    write_table(tabulate(read, cases), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        tabulate_methods(
            dict(zip(snakemake.params.sites, snakemake.input.tables, strict=True)),  # noqa: F821
            snakemake.params.cases,  # noqa: F821
            Path(snakemake.output.cost),  # noqa: F821
        )
