"""Measure how fast the models run, beside the same steps done in other ways."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from concerto.models import load_model
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.speed import LANES, MONTH, measure, measure_cells, peak_flops

log = logging.getLogger(__name__)
LENGTHS = {"half-hour": 1.0 / 48.0, "day": 1.0, "month": MONTH}


def measure_speed(
    models: Mapping[str, Sequence[Path]],
    steps: Mapping[str, Sequence[str]],
    of_models: Path,
    of_cells: Path,
    *,
    in_cells: Sequence[str],
    seed: int,
) -> None:
    """Write how long steps take, and many cells.

    Parameters
    ----------
    models, steps
        Files of each model, and the lengths of steps at which to time it.
    of_models
        Table with the columns of :func:`concerto.speed.measure` and the machine's peak: one row for
        each model and length.
    of_cells
        Table with the columns of :func:`concerto.speed.measure_cells`: one row for each model of
        ``in_cells``, length and number of parameter sets in a cell.
    """
    peak = peak_flops()
    rows, cells = [], []
    for name, files in models.items():
        model = load_model(files)
        for length in steps[name]:
            case = {"model": name, "step": length}
            found = measure(model, LENGTHS[length], seed)
            log.info(
                "%s, steps of a %s: %.1f ns a step and lane, %.1f times the scalar step",
                name, length, found["lanes"], found["scalar"] / found["lanes"],
            )  # fmt: skip
            rows.append({**case, **found, "peak_flops": peak})
            for members in (1, LANES) if name in in_cells else ():
                many = measure_cells(model, LENGTHS[length], members, seed)
                log.info(
                    "%s, steps of a %s, %d cells with %d sets each: two threads %.2f times as fast",
                    name, length, many["cells"], members, many["one_thread"] / many["two_threads"],
                )  # fmt: skip
                cells.append({**case, "members": members, **many})
    write_table(pd.DataFrame(rows), of_models)
    write_table(pd.DataFrame(cells), of_cells)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        measure_speed(
            {
                name: [Path(file) for file in files]
                for name, files in snakemake.params.models.items()  # noqa: F821
            },
            snakemake.params.steps,  # noqa: F821
            Path(snakemake.output.models),  # noqa: F821
            Path(snakemake.output.cells),  # noqa: F821
            in_cells=snakemake.params.in_cells,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
