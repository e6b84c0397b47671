"""A conda channel on this machine, made of wheels of the package index.

``python conda_channel.py CONSTRAINTS FOLDER ENVIRONMENT...`` downloads the wheels of all that the
files of environments pin, and what these need in the versions of CONSTRAINTS, to FOLDER/wheels, and
makes the channel FOLDER/conda-forge of them. A package has the files of its wheel, and depends on
what the wheel's metadata ask for; commands are left out. The package ``python`` is this
interpreter, linked as in a virtual environment. What an environment leaves to pip is not in the
channel.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any

from environments import dependencies, pins, plain_name
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from rattler import Platform
from rattler_build import assemble_package

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = f"lib/python{PYTHON}/site-packages"


def download(environments: Iterable[Path], constraints: Path, folder: Path) -> None:
    """Download the wheels of what environments pin, and of what these need."""
    pinned = {name: version for file in environments for name, version in pins(file).items()}
    del pinned["python"]
    wanted = [f"{name}=={version}" for name, version in pinned.items()]
    options = ["--quiet", "--only-binary", ":all:", "--constraint", constraints, "--dest", folder]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, *wanted], check=True)


def needs(metadata: Message, names: dict[str, str]) -> list[str]:
    """Return what a wheel needs here, in conda's words."""
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    return [f"python {PYTHON}.*"] + [
        f"{names.get(plain_name(each.name), plain_name(each.name))} {each.specifier}".strip()
        for each in asked
        if each.marker is None or each.marker.evaluate({"extra": ""})
    ]


def unpack(wheel: Path, root: Path) -> Message:
    """Lay out a wheel's files as an environment has them; return its metadata."""
    packages = root / PACKAGES
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    for data in packages.glob("*.data"):
        if (data / "data").exists():
            shutil.copytree(data / "data", root, dirs_exist_ok=True)
        shutil.rmtree(data)
    (metadata,) = packages.glob("*.dist-info/METADATA")
    return message_from_string(metadata.read_text(encoding="utf-8"))


def link_python(root: Path) -> None:
    """Lay out this interpreter as a virtual environment has it."""
    home = Path(sys.base_prefix, "bin")
    (root / "bin").mkdir()
    for name in ("python", "python3", f"python{PYTHON}"):
        (root / "bin" / name).symlink_to(home / f"python{PYTHON}")
    (root / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")


def build(environments: Iterable[Path], wheels: Path, channel: Path) -> None:
    """Make a channel of wheels and this interpreter."""
    asked = [dependencies(file) for file in environments]
    names = {plain_name(name): name for conda, _ in asked for name in conda}
    left_to_pip = {plain_name(name) for _, pip in asked for name in pip}
    platform = str(Platform.current())
    records: dict[str, dict[str, Any]] = {platform: {}, "noarch": {}}

    def add(name: str, version: str, root: str, depends: list[str]) -> None:
        made = assemble_package(
            name, version, platform, "0", channel / platform,
            files_dir=root, depends=depends, compression_level=1, detect_prefix=False,
        )  # fmt: skip
        records[platform][made.path.name] = {
            "name": name, "version": version, "build": "0", "build_number": 0,
            "subdir": platform, "depends": depends,
            "sha256": hashlib.sha256(made.path.read_bytes()).hexdigest(),
            "size": made.path.stat().st_size,
        }  # fmt: skip

    for folder in records:
        (channel / folder).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as root:
        link_python(Path(root))
        add("python", ".".join(map(str, sys.version_info[:3])), root, [])
    for wheel in sorted(wheels.glob("*.whl")):
        name, version, *_ = parse_wheel_filename(wheel.name)
        if name not in left_to_pip:
            with tempfile.TemporaryDirectory() as root:
                metadata = unpack(wheel, Path(root))
                add(names.get(name, name), str(version), root, needs(metadata, names))
    for folder, packages in records.items():
        index = {"info": {"subdir": folder}, "packages": {}, "packages.conda": packages}
        (channel / folder / "repodata.json").write_text(json.dumps(index))


if __name__ == "__main__":
    constraints, folder, *files = map(Path, sys.argv[1:])
    download(files, constraints, folder / "wheels")
    build(files, folder / "wheels", folder / "conda-forge")
