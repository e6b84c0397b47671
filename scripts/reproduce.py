"""Run a run again from its crate, elsewhere, and compare the products."""

import json
import logging
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from concerto.errors import ConcertoError
from concerto.products.crate import CONFIG, WORKFLOW, products_in
from concerto.products.files import write_table
from concerto.products.reproduction import compared, table_of
from concerto.scripting import script_log
from concerto.whole import whole_directory

log = logging.getLogger(__name__)
_SHOWN = 20


@dataclass(frozen=True)
class Wish:
    """What is made again, and how.

    ``products`` are paths in the crate, none for all; ``folders`` has those of local sources;
    ``python`` is the interpreter that has Snakemake, ``options`` more words for it.
    """

    products: Sequence[str]
    folders: Mapping[str, str]
    python: str
    cores: int
    options: Sequence[str]


def reproduce(crate: Path, wish: Wish, table: Path) -> None:
    """Make products again, from a copy of the crate's workflow, and compare their hashes.

    Parameters
    ----------
    crate
        Metadata of the crate.
    wish
        What is made again, and how.
    table
        Where to write the comparison (CSV). The products made again are beside it if they differ.

    Raises
    ------
    ConcertoError
        If the second run fails, or a product is not the same.
    """
    metadata = json.loads(crate.read_text(encoding="utf-8"))
    known = products_in(metadata)
    paths = compared(known, wish.products)
    again = table.parent / "again"
    with whole_directory(again) as folder:
        results = run_again(crate.parent / WORKFLOW, wish, paths, folder)
        found = table_of(known, paths, results)
        write_table(found, table)
        for row in found.itertuples():
            log.info("%s: the same: %s", row.product, row.same)
    differing = found.loc[found["same"] == "no", "product"]
    if len(differing):
        raise ConcertoError(f"{table}: found {', '.join(differing)} changed; expected equal hashes")
    shutil.rmtree(again)


def run_again(workflow: Path, wish: Wish, paths: Sequence[str], folder: Path) -> Path:
    """Run the workflow in an empty folder and return its folder of results."""
    shutil.copytree(workflow, folder, dirs_exist_ok=True)
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    if wish.folders:
        config["folders"] = {name: str(Path(path).resolve()) for name, path in wish.folders.items()}
        (folder / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    results = Path("results", config["run"])
    command = [
        wish.python, "-m", "snakemake", "--configfile", CONFIG, "--cores", str(wish.cores),
        *wish.options, "--", *(str(results / path) for path in paths),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        log.info("again: %s", line)
    if done.returncode:
        last = " ".join(done.stdout.splitlines()[-_SHOWN:])
        raise ConcertoError(f"{folder}: the second run failed: {last}")
    return folder / results


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        reproduce(
            Path(snakemake.input.crate),  # noqa: F821
            Wish(
                products=snakemake.params.wanted.get("products", []),  # noqa: F821
                folders=snakemake.params.folders,  # noqa: F821
                python=snakemake.params.python,  # noqa: F821
                cores=snakemake.threads,  # noqa: F821
                options=snakemake.params.options,  # noqa: F821
            ),
            Path(snakemake.output.table),  # noqa: F821
        )
