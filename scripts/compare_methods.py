"""Compare the posteriors of one site's methods."""

import logging
from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from concerto.evaluation import comparison, verdicts
from concerto.products.files import write_table, write_text
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def compare_methods(
    posteriors: Mapping[str, Path], reference: str, output: Path, verdict: Path
) -> None:
    """Write how each method's posterior differs from the reference's, and which have converged.

    Parameters
    ----------
    posteriors
        Posterior of each method.
    reference
        The method to compare the others with, parameter by parameter: the published one.
    output
        Where to write the table (CSV); it has no rows if there is only one method.
    verdict
        Where to write the lines of :mod:`concerto.evaluation.verdicts`.
    """
    datasets = {method: xr.load_dataset(path) for method, path in posteriors.items()}
    table = comparison.compare_methods(datasets, reference)
    for sentence in comparison.in_words(table):
        log.info(sentence)
    write_table(table, output)
    write_text(verdicts.of_posteriors(datasets, reference), verdict)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        compare_methods(
            dict(
                zip(
                    snakemake.params.methods,  # noqa: F821
                    map(Path, snakemake.input.posteriors),  # noqa: F821
                    strict=True,
                )
            ),
            snakemake.params.reference,  # noqa: F821
            Path(snakemake.output.table),  # noqa: F821
            Path(snakemake.output.verdicts),  # noqa: F821
        )
