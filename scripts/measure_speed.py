"""Measure how fast the models run, beside the same steps done in other ways."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.models import load_model
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.speed import MONTH, measure, peak_flops

log = logging.getLogger(__name__)
LENGTHS = {"day": 1.0, "month": MONTH}


def measure_speed(models: Mapping[str, Sequence[Path]], output: Path, *, seed: int) -> None:
    """Write one row for each model and length of steps.

    Parameters
    ----------
    models
        Files of each model.
    output
        Table with the columns of :func:`concerto.speed.measure` and the machine's peak.
    """
    peak = peak_flops()
    rows = []
    for name, files in models.items():
        model = load_model(files)
        for length, days in LENGTHS.items():
            found = measure(model, days, seed)
            log.info(
                "%s, steps of a %s: %.1f ns a step and lane, %.1f times the scalar step",
                name, length, found["lanes"], found["scalar"] / found["lanes"],
            )  # fmt: skip
            rows.append({"model": name, "step": length, **found, "peak_flops": peak})
    write_table(pd.DataFrame(rows), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        measure_speed(
            {
                name: [Path(file) for file in files]
                for name, files in snakemake.params.models.items()  # noqa: F821
            },
            Path(snakemake.output.table),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
