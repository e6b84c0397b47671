"""Measure the tiles of a map on one core and on two, each under a Snakemake of its own."""

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml
from concerto.errors import ConcertoError
from concerto.evaluation.scale import cores_row
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)

CORES = (1, 2)


def measure_cores(
    snakefile: Path, config: Mapping, run: Path, name: str, statement: Path, output: Path
) -> None:
    """Write how long the posterior and the sums of a map took on each number of cores.

    Parameters
    ----------
    snakefile, config
        The workflow and its configuration.
    run
        Folder of the run, relative to the one to work in, with cubes and compiled kernels.
    name, statement
        The map, and its stated errors.
    output
        Table with the columns of :func:`concerto.evaluation.scale.cores_row`.
    """
    walls, jobs = {}, []
    for cores in CORES:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            own = work / run
            (own / "posterior" / name).mkdir(parents=True)
            for part in (f"posterior/{name}/{statement.name}", "cubes", "numba_cache"):
                (own / part).symlink_to((run / part).resolve())
            (work / "config").symlink_to(snakefile.parent / "config")
            (work / "run.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
            walls[cores] = _time(snakefile, work, cores, f"{run}/products/{name}/regions.csv")
            if cores == 1:
                files = sorted((own / "benchmarks").glob(f"*.{name}*.tsv"))
                jobs = [float(pd.read_csv(file, sep="\t")["s"].iloc[0]) for file in files]
        log.info("%s on %d cores: %.1f s", name, cores, walls[cores])
    write_table(pd.DataFrame([cores_row(walls, jobs)]), output)


def _time(snakefile: Path, work: Path, cores: int, target: str) -> float:
    """Return the seconds that Snakemake takes to make a file."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--directory", str(work),
        "--configfile", str(work / "run.yaml"), "--cores", str(cores), "--rerun-triggers", "mtime",
        "--workflow-profile", "none", "--", target,
    ]  # fmt: skip
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    begun = time.perf_counter()
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "; ".join(done.stderr.strip().splitlines()[-5:])
        raise ConcertoError(f"snakemake on {cores} cores failed: {last}")
    return time.perf_counter() - begun


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        measure_cores(
            Path(snakemake.params.snakefile),  # noqa: F821
            snakemake.params.config,  # noqa: F821
            Path(snakemake.output.cores).parents[1],  # noqa: F821
            snakemake.params.map,  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.output.cores),  # noqa: F821
        )
