"""Write the page of where the run comes from."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from concerto import provenance
from concerto.plugins import LIBRARY
from concerto.products.files import write_text
from concerto.products.lineage import read_release
from concerto.products.provenance_page import (
    Execution,
    draw_flow,
    read_benchmarks,
    render_provenance,
)
from concerto.scripting import script_log, span

SHOWN_VERSIONS = ("snakemake", "numpy", "numba", "pandas", "xarray", "scipy", "scikit-learn")


def write_provenance_page(
    config: Mapping[str, Any],
    *,
    run: Path,
    run_id: str,
    code: str,
    raw: Sequence[Path],
    stages: Mapping[str, str],
    pairs: Sequence[tuple[str, str]],
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    run
        Folder of the run's results.
    run_id, code
        Of the run, and the hash of the workflow's files.
    raw
        Folders of raw data, each with its provenance.
    stages, pairs
        The file of each rule of the run, and which rule feeds which.
    output
        Where to write the page.
    """
    began, ended = span(run / "logs")
    execution = Execution(
        run_id,
        read_release(LIBRARY.parents[1] / "CITATION.cff"),
        code,
        machine(),
        sorted({f"{d.name}=={d.version}" for d in metadata.distributions()}, key=str.lower),
        began,
        ended,
    )
    page = render_provenance(
        config,
        execution,
        read_benchmarks(run / "benchmarks"),
        draw_flow(stages, pairs),
        [provenance.read(folder) for folder in raw],
    )
    write_text(page, output)


def machine() -> dict[str, str]:
    """Return what kind of machine this is, and the versions that matter, without its name."""
    found = {
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Processors": str(os.cpu_count()),
        "Python": platform.python_version(),
    }
    for name in SHOWN_VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_provenance_page(
            snakemake.params.config,  # noqa: F821
            run=Path(snakemake.output.page).parents[1],  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
            code=snakemake.params.code,  # noqa: F821
            raw=[Path(folder) for folder in snakemake.input.raw],  # noqa: F821
            stages=snakemake.params.flow["stages"],  # noqa: F821
            pairs=snakemake.params.flow["pairs"],  # noqa: F821
            output=Path(snakemake.output.page),  # noqa: F821
        )
