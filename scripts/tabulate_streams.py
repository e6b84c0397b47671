"""Tabulate what each stream of observations takes off the errors, in twin experiments."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from concerto.evaluation.information import error_reduction, stream_values
from concerto.products.files import write_text
from concerto.scripting import script_log
from concerto.seeds import generator


def tabulate_streams(parts: Sequence[Path], reduction: Path, values: Path, *, seed: int) -> None:
    """Write the table of errors by subset of streams, and that of what each stream is worth.

    Parameters
    ----------
    parts
        Tables that ``weigh_streams`` wrote.
    reduction, values
        Where to write the tables.
    """
    results = pd.concat([pd.read_csv(part) for part in parts], ignore_index=True)
    found = error_reduction(results, generator(seed, "error_reduction"))
    shares = results.groupby(["quantity", "subset"], sort=False)["converged"].mean()
    found["converged"] = [shares[key] for key in zip(found.quantity, found.subset, strict=True)]
    write_text(found.to_csv(index=False), reduction)
    table = stream_values(results, generator(seed, "stream_values"))
    write_text(table.to_csv(index=False), values)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        tabulate_streams(
            [Path(file) for file in snakemake.input.results],  # noqa: F821
            Path(snakemake.output.reduction),  # noqa: F821
            Path(snakemake.output.values),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
