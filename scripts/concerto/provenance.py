"""The record kept beside downloaded files: where they come from and what they must contain."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from concerto.errors import InputError

FILENAME = "provenance.json"
ORIGINS = {
    "package": "package index",
    "local": "local folder",
    "http": "web server",
    "icos": "ICOS Carbon Portal",
}
"""What is kept of where records come from, by protocol."""
_PLACES = ("index", "folder")
# What of a configuration changes no product: where own files lie, how
# much of the machine it takes, who ran it, what is made again.
_NOT_OF_PRODUCTS = ("folders", "limits", "author", "reproduce")
_TIMESTAMP = ".snakemake_timestamp"
PARTS = (
    "Snakefile", "rules", "scripts", "envs", "config", "profiles", "CITATION.cff", "LICENSE",
)  # fmt: skip
"""Files and folders of the workflow that a run needs."""


def write(directory: Path, name: str, source: Mapping[str, Any], archive: Path) -> None:
    """Write the provenance of a source's members, which must be in ``directory`` already.

    Parameters
    ----------
    directory
        Where the members are.
    name
        The source's name in the configuration.
    source
        What config/sources says of it. Of the place it came from only the kind is kept: its
        address may be a private mirror's, or a path of one machine.
    archive
        The downloaded file that held the members, or is the one member.
    """
    locator = {key: value for key, value in source["locator"].items() if key not in _PLACES}
    members = {
        local: {
            "path": path,
            "sha256": sha256_of(directory / local),
            "bytes": (directory / local).stat().st_size,
        }
        for local, path in source["members"].items()
    }
    record = {
        "source": name,
        "title": source["title"],
        "origin": ORIGINS[source["protocol"]],
        "sha256": sha256_of(archive),
        **locator,
        "filename": archive.name,
        "members": members,
        "licence": source["licence"],
        "citation": source["citation"],
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    target = directory / FILENAME
    temporary = target.with_name(f".{FILENAME}.part")
    temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, target)


def verify(directory: Path) -> dict[str, Any]:
    """Check that each member in ``directory`` is what was downloaded; return the provenance.

    Raises
    ------
    InputError
        If the provenance or a member is missing, or a member's hash is not the recorded one.
    """
    record = read(directory)
    for local, expected in record["members"].items():
        member = directory / local
        found = sha256_of(member) if member.exists() else "no file"
        if found != expected["sha256"]:
            raise InputError(member, "sha256", found, expected["sha256"])
    return record


def read(directory: Path) -> dict[str, Any]:
    """Return the provenance of what is in a folder, without checking it.

    Raises
    ------
    InputError
        If there is none.
    """
    file = directory / FILENAME
    if not file.exists():
        raise InputError(file, "file", "nothing", "the provenance written with the download")
    return json.loads(file.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder: that of the names and hashes of its files.

    The hash of a folder is that of the text which the command ``sha256sum`` prints of its files,
    named from the folder on, in the order of their names. Marks that Snakemake leaves do not count.
    """
    if path.is_file():
        return sha256_of(path)
    names = sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.is_file() and file.name != _TIMESTAMP
    )
    text = "".join(f"{sha256_of(path / name)}  {name}\n" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()


def code_sha256(root: Path) -> str:
    """Return a hash of all files of the workflow (:data:`PARTS`) in a folder, but caches."""
    parts = [root / part for part in PARTS]
    files = [file for part in parts for file in (part.rglob("*") if part.is_dir() else [part])]
    hashed = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            hashed.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return hashed.hexdigest()


def run_id(config: Mapping[str, Any], version: str, sources: Mapping[str, str]) -> str:
    """Return the name that all products of a run carry: 16 hexadecimal digits.

    Parameters
    ----------
    config
        The run's configuration. Empty places do not count, nor does what changes no product: where
        own files lie, how much of the machine it takes, who ran it, and what is made again.
    version
        That of this software.
    sources
        The identity of each source that goes in: the hash of all that decides its files.

    Returns
    -------
    str
        Equal for equal runs, on any machine and at any time.
    """
    counted = {key: value for key, value in config.items() if value and key not in _NOT_OF_PRODUCTS}
    text = json.dumps([counted, version, sources], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
