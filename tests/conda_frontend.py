"""The calls of conda that Snakemake makes, answered by py-rattler, for a machine without conda.

``python conda_frontend.py BASE ...`` stands for ``conda ...``, where BASE has ``bin/activate``. Two
of conda's own variables say where packages come from: ``CONDA_CHANNEL_ALIAS`` is the address below
which channels are, and packages are unpacked in ``CONDA_PKGS_DIRS``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from rattler import MatchSpec, Platform, VirtualPackage, install, solve
from rattler.exceptions import SolverError

VERSION = "24.7.1"
"""The oldest conda that Snakemake takes."""


def create(environment: Path, prefix: Path) -> None:
    """Solve a file of an environment, link its packages into a new one, then let pip add its own.

    Raises
    ------
    SolverError
        Where no set of packages meets what the file asks for.
    CalledProcessError
        Where pip fails.
    """
    content = yaml.safe_load(environment.read_text())
    alias = os.environ["CONDA_CHANNEL_ALIAS"]
    asked = content["dependencies"]
    asyncio.run(
        _link(
            [f"{alias}/{name}" for name in content["channels"] if name != "nodefaults"],
            [MatchSpec(item) for item in asked if isinstance(item, str)],
            prefix,
        )
    )
    for section in (item["pip"] for item in asked if isinstance(item, dict)):
        subprocess.run([prefix / "bin/python", "-m", "pip", "install", *section], check=True)


async def _link(channels: list[str], specs: list[MatchSpec], prefix: Path) -> None:
    solved = await solve(
        channels,
        specs,
        platforms=[str(Platform.current()), "noarch"],
        virtual_packages=VirtualPackage.detect(),
    )
    packages = os.environ["CONDA_PKGS_DIRS"]
    await install(solved, prefix, cache_dir=packages, show_progress=False)


def answer(base: str, *call: str) -> str:
    """Answer one call; return what was wrong with it, or nothing."""
    match call:
        case ["--version"]:
            print(f"conda {VERSION}")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": base, "platform": str(Platform.current())}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", "-y", "--tarballs"]:
            pass  # packages are used where they are: there are no downloads to remove
        case ["env", "create", *options]:
            parser = argparse.ArgumentParser("conda env create")
            parser.add_argument("--file", type=Path, required=True)
            parser.add_argument("--prefix", type=Path, required=True)
            for flag in ("--quiet", "--no-default-packages"):
                parser.add_argument(flag, action="store_true")
            given = parser.parse_args(options)
            try:
                create(given.file, given.prefix)
            except (SolverError, subprocess.CalledProcessError) as error:
                return f"{given.file}: {error}"
        case _:
            return f"not a call that Snakemake is known to make: conda {' '.join(call)}"
    return ""


if __name__ == "__main__":
    wrong = answer(*sys.argv[1:])
    print(wrong, file=sys.stderr, end="")
    sys.stdout.flush()
    # Threads of py-rattler outlive its work: an ordinary end of the interpreter can abort in them.
    os._exit(bool(wrong))
