"""Write the record of the whole run as an RO-Crate, with the workflow that made it."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from concerto import provenance
from concerto.plugins import LIBRARY
from concerto.products.crate import CONFIG, ENVIRONMENT, Execution, Input, Package, crate_of
from concerto.products.files import write_text
from concerto.products.lineage import read_origins, read_release
from concerto.scripting import script_log, span
from concerto.whole import whole_directory

ROOT = LIBRARY.parents[1]
NAMED = ("snakemake", "numpy", "numba", "scipy", "pandas", "xarray", "netCDF4", "rocrate")
NOT_KEPT = ("folders", "reproduce")
"""What of a configuration is of one machine, or of the wish to make it again."""


def write_crate(
    config: Mapping[str, Any],
    run_id: str,
    raw: Sequence[Path],
    products: Iterable[Path],
    *,
    results: Path,
    metadata_file: Path,
    workflow: Path,
) -> None:
    """Copy the workflow beside the results and write what they are.

    Parameters
    ----------
    config
        The run's configuration.
    run_id
        Of the run.
    raw
        Folders of raw data, each with its provenance.
    products
        Files and folders that the run made.
    results
        The folder of the run's results, which becomes the crate.
    metadata_file, workflow
        The file and the folder to write.
    """
    with whole_directory(workflow) as folder:
        copy_workflow(config, folder)
    release = read_release(ROOT / "CITATION.cff")
    began, ended = span(results / "logs")
    execution = Execution(
        run=config["run"],
        run_id=run_id,
        seed=config["seed"],
        began=began,
        ended=ended,
        author=config.get("author", {}),
        release=release,
        packages=[package for name in NAMED for package in packages_called(name)],
    )
    said = crate_of(results, execution, [read_input(folder) for folder in raw], sorted(products))
    write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", metadata_file)


def copy_workflow(config: Mapping[str, Any], folder: Path) -> None:
    """Copy the workflow into an empty folder, with the run's configuration and the packages."""
    for part in provenance.PARTS:
        if (ROOT / part).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, folder / part, ignore=unwanted)
        else:
            shutil.copyfile(ROOT / part, folder / part)
    kept = {key: value for key, value in config.items() if value and key not in NOT_KEPT}
    text = yaml.safe_dump(json.loads(json.dumps(kept)), sort_keys=False, allow_unicode=True)
    (folder / CONFIG).write_text(text, encoding="utf-8")
    found = {(dist.name, dist.version) for dist in metadata.distributions()}
    lines = sorted(f"{name}=={version}\n" for name, version in found)
    (folder / ENVIRONMENT).write_text("".join(lines), encoding="utf-8")


def packages_called(name: str) -> list[Package]:
    """Return a package that this program finds, or none: a list."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    pages = dict(entry.split(", ", 1) for entry in said.get_all("Project-URL", []))
    first = next(iter(pages.values()), "")
    return [Package(said["Name"], said["Version"], said.get("Home-page") or first)]


def read_input(folder: Path) -> Input:
    """Read what is known of a folder of raw data."""
    record = provenance.read(folder)
    (origin,) = read_origins([ROOT / f"config/sources/{record['source']}.yaml"])
    return Input(folder, origin, record)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_crate(
            snakemake.params.config,  # noqa: F821
            snakemake.params.run_id,  # noqa: F821
            [Path(folder) for folder in snakemake.input.raw],  # noqa: F821
            {Path(product) for product in snakemake.input.products},  # noqa: F821
            results=Path(snakemake.output.metadata).parent,  # noqa: F821
            metadata_file=Path(snakemake.output.metadata),  # noqa: F821
            workflow=Path(snakemake.output.workflow),  # noqa: F821
        )
